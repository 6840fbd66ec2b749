"""What a fan's wallet does with a receipt: check it at the till, show it, and find it again in the settled entry."""

import json
from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from api.receipts.lines import lines_root, read_lines
from api.wallet.errors import Unreachable, WalletError
from api.wallet.sealing import BAD_OPENING, Opening, opening_from_mapping
from ledger.address import encode_address
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, decode_receipt, receipt_hash, receipt_is_signed
from ledger.errors import Code, Malformed
from ledger.policy import address_of_key
from ledger.types import Address, ChainId, Timestamp

CLOCK_SECONDS_MAX: Final = 600
"""A receipt that is handed over now and whose time is off by more is refused: its period may be another one."""

NOT_SIGNED = Code(
    "receipt.not_signed",
    "the till that this receipt names did not sign it for this chain",
    "Ask the shop for the receipt again, and check the chain's id.",
)
WRONG_TIME = Code(
    "receipt.wrong_time",
    "the receipt's time is off by {seconds} seconds",
    "Ask the shop to set its till's clock and to sign again.",
)
NOT_IN_OPENING = Code(
    "receipt.not_in_opening",
    "the settled entry of period {period} does not hold this receipt",
    "Show the receipt to the shop: it was left out.",
)

BAD_KEPT = Code(
    "client.bad_receipt",
    "what the node keeps as this receipt is not what a till signed: {reason}",
    "Compare it with your own copy, and ask another node.",
)


def check_receipt(signed: SignedReceipt, chain_id: ChainId, *, now: Timestamp | None = None) -> None:
    """Raise WalletError receipt.not_signed, or receipt.wrong_time where `now` is given."""
    if not receipt_is_signed(signed, chain_id):
        raise WalletError(NOT_SIGNED)
    if now is not None and abs(now - signed.receipt.time) > CLOCK_SECONDS_MAX:
        raise WalletError(WRONG_TIME, seconds=abs(now - signed.receipt.time))


def describe_receipt(signed: SignedReceipt, prefix: str | None) -> dict[str, Any]:
    """A receipt as JSON. `prefix` is the network's; where it is not known, accounts are shown in hexadecimal."""
    receipt = signed.receipt

    def show(address: Address) -> str:
        return address.hex() if prefix is None else encode_address(prefix, address)

    return {
        "receipt": receipt_hash(receipt, signed.salt).hex(),
        "program": receipt.program.hex(),
        "terms_version": receipt.terms_version,
        "member": show(receipt.member),
        "till": show(address_of_key(receipt.till)),
        "sequence": receipt.sequence,
        "time": receipt.time,
        "net_cents": receipt.net_cents,
        "paid_with_points_cents": receipt.paid_with_points_cents,
        "codes": dict(receipt.codes),
        "tier": receipt.tier,
        "previous_visit": receipt.previous_visit or None,
        "points": receipt.points,
        "offer": receipt.offer.hex() or None,
        "signed": True,
    }


def contradicts_visit(receipt: Receipt, own: Iterable[Receipt]) -> str | None:
    """What a fan's own receipts say against the visit that a receipt names as the one before it, in words; None where nothing.

    The till's word about that visit is on no chain. `own` may hold receipts of others and of other programs, which say nothing.
    """
    same = (receipt.program, receipt.member)
    visits = {
        other.time
        for other in own
        if (other.program, other.member) == same and other.net_cents > 0 and other != receipt
    }
    named, latest = receipt.previous_visit, max((time for time in visits if time <= receipt.time), default=0)
    if named and named not in visits:
        return (
            f"the till says that your visit before this one was at {_in_words(named)}, and none of your receipts is of that time: "
            "where the program gives points for a visit, too few may have been counted"
        )
    if latest > named:
        said = _in_words(named) if named else "no visit"
        return (
            f"the till names {said} as your visit before this one, and your receipts hold one at {_in_words(latest)}: it did not "
            "know of it, which costs you no points"
        )
    return None


def _in_words(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"


def read_kept_receipt(answer: Mapping[str, Any], chain_id: ChainId) -> SignedReceipt:
    """The receipt in an answer to `GET /v1/receipts/{id}`, checked: its id, the till's signature, every line.

    Raises Unreachable client.bad_receipt, WalletError receipt.not_signed.
    """
    try:
        signed = decode_receipt(b64decode(answer["signed"], validate=True))
        lines = read_lines(answer["lines"])
    except (KeyError, TypeError, Error, ValueError, Malformed) as fault:
        raise Unreachable.of_code(BAD_KEPT, reason=f"{type(fault).__name__} {fault}") from None
    if receipt_hash(signed.receipt, signed.salt).hex() != answer.get("id"):
        raise Unreachable.of_code(BAD_KEPT, reason="it is another receipt")
    if lines_root(signed.salt, lines) != signed.receipt.lines_root:
        raise Unreachable.of_code(BAD_KEPT, reason="its lines are others")
    check_receipt(signed, chain_id)
    return signed


def explain_entry(opening: Opening) -> str:
    """Why an entry's points are not the sum of its receipts, in words."""
    total = sum(points for _, points in opening.receipts)
    text = f"receipts {total} + carried from before {opening.before.remainder} - carried on {opening.after.remainder}"
    end = "the points carried on come with a later entry" if opening.after.remainder else "nothing is carried on"
    return f"{text} = {opening.points}; {end}"


def find_in_opening(signed: SignedReceipt, text: str) -> dict[str, Any]:
    """The entry that settled a receipt: its period, points and commitments, to be compared with the account's history.

    Raises WalletError sealing.bad_opening or receipt.not_in_opening.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise WalletError(BAD_OPENING, reason="it is not JSON") from None
    if not isinstance(document, dict):
        raise WalletError(BAD_OPENING, reason="it is no JSON object")
    opening = opening_from_mapping(document)
    item = (receipt_hash(signed.receipt, signed.salt), signed.receipt.points)
    if opening.member != signed.receipt.member or item not in opening.receipts:
        raise WalletError(NOT_IN_OPENING, period=opening.period)
    entry = opening.entry()
    total = sum(points for _, points in opening.receipts)
    return {
        "settled_in_period": opening.period,
        "entry_points": opening.points,
        "entry_receipts": len(opening.receipts),
        "entry_receipt_points": total,
        "carried_before": opening.before.remainder,
        "carried_after": opening.after.remainder,
        "explanation": explain_entry(opening),
        "entry_commitment": entry.receipts.hex(),
        "entry_remainder_commitment": entry.remainder.hex() or None,
    }
