"""Answers about transactions, and the JSON form of sending one."""

from typing import ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import (
    BASE64_PATTERN,
    EXAMPLE_ADDRESS,
    EXAMPLE_HASH,
    EXAMPLE_TIME,
    EXAMPLE_TXID,
    Answer,
    Event,
    Example,
)


class TransactionBody(Answer):
    """A transaction in JSON."""

    transaction: str = Field(
        description="The canonical bytes in base64 (RFC 4648, section 4).",
        pattern=BASE64_PATTERN,
    )

    EXAMPLE: ClassVar[Example] = {"transaction": "ksRTmQHEBAECAwSodHJhbnNmZXI="}


class Submitted(Answer):
    """The transaction waits for a block. Sending the same bytes again is harmless."""

    txid: str
    wtxid: str
    status: Literal["unconfirmed"]

    EXAMPLE: ClassVar[Example] = {"txid": EXAMPLE_TXID, "wtxid": "b2" * 32, "status": "unconfirmed"}


class DryRunAnswer(Answer):
    """What the transaction would do in the next block, after all that waits already."""

    txid: str
    wtxid: str
    kind: str
    weight: int
    fee: int
    codes: list[str] = Field(description="One for each entry of a batch: `applied`, or why the entry is skipped.")
    events: list[Event]

    EXAMPLE: ClassVar[Example] = {
        "txid": EXAMPLE_TXID,
        "wtxid": "b2" * 32,
        "kind": "transfer",
        "weight": 887,
        "fee": 887,
        "codes": ["applied"],
        "events": [
            {
                "name": "coin.moved",
                "data": {"sender": EXAMPLE_ADDRESS, "recipient": EXAMPLE_ADDRESS, "amount": 5_000},
            }
        ],
    }


class ReversalAttestors(Answer):
    """Who besides would have to turn against what was signed: of `weight` at least so much, of `members` at least so many.

    `is_provable`: it is final, so those who turned can be shown to have lied. Else it is justified only.
    """

    set_number: int
    weight: int
    members: int
    turn_weight_min: int
    turn_members_min: int
    is_provable: bool

    EXAMPLE: ClassVar[Example] = {
        "set_number": 0,
        "weight": 4,
        "members": 4,
        "turn_weight_min": 2,
        "turn_members_min": 2,
        "is_provable": True,
    }


class ReversalItem(Answer):
    """An estimate of what reversing a transaction would cost now (spec FIN-11): rent of the work of its block and those above it.

    `rent_microcents` = floor(`work` x `rent_price_cents` / 86,400,000,000,000), in millionths of a US cent; `attestors` is null
    where it is not justified, and then nothing but the work stands in the way.
    """

    is_estimate: Literal[True]
    work: str = Field(description="Expected hashes, hexadecimal.")
    rent_microcents: int
    rent_price_cents: int = Field(description="The operator's: US cents for renting 1 PH/s of SHA-256d for a day.")
    attestors: ReversalAttestors | None

    EXAMPLE: ClassVar[Example] = {
        "is_estimate": True,
        "work": "5af3107a4000",
        "rent_microcents": 5_787,
        "rent_price_cents": 5_000,
        "attestors": None,
    }


class TransactionAnswer(Answer):
    """What became of a transaction.

    `unconfirmed`: it waits for a block. `confirmed`: where it stands, and what it did. `dropped`: `code` and `detail` say why.
    `justified` and `final` are what this node knows, null on a chain without attestors. `taken_back_from`: the height of a block
    that held it and that the chain has left, as far as the node remembers.
    """

    txid: str
    status: Literal["unconfirmed", "confirmed", "dropped"]
    kind: str | None = None
    author: str | None = None
    wtxid: str | None = None
    weight: int | None = None
    height: int | None = None
    block: str | None = None
    time: int | None = None
    position: int | None = None
    confirmations: int
    justified: bool | None
    final: bool | None
    reversal: ReversalItem | None = Field(description="Null where it was dropped.")
    says: str = Field(description="How safe it is, in a sentence.")
    taken_back_from: int | None = None
    codes: list[str] | None = None
    events: list[Event] | None = None
    code: str | None = None
    detail: str | None = None
    advice: str | None = None

    EXAMPLE: ClassVar[Example] = {
        "txid": EXAMPLE_TXID,
        "status": "confirmed",
        "kind": "transfer",
        "author": EXAMPLE_ADDRESS,
        "wtxid": "b2" * 32,
        "weight": 887,
        "height": 1_439,
        "block": EXAMPLE_HASH,
        "time": EXAMPLE_TIME,
        "position": 0,
        "confirmations": 2,
        "justified": False,
        "final": False,
        "reversal": ReversalItem.EXAMPLE,
        "says": "In the chain, 2 blocks deep; reversing it now would cost less than a cent (US) of rented hash power "
        "(an estimate, at US$50.00 for 1 PH/s a day); neither justified nor final yet.",
        "codes": ["applied"],
        "events": DryRunAnswer.EXAMPLE["events"],
    }
