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


class TransactionAnswer(Answer):
    """What became of a transaction.

    `unconfirmed`: it waits for a block. `confirmed`: where it stands, and what it did. `dropped`: `code` and `detail` say why.
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
    confirmations: int | None = None
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
        "codes": ["applied"],
        "events": DryRunAnswer.EXAMPLE["events"],
    }
