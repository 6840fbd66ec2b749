"""What a model rests on, of one fan: one number over all of its purchases that an export was given.

An export keeps it for each fan, a model carries it, and who asks a model compares it with what the fan grants now. So a receipt
that was erased since, marked as a gift, or is covered by no consent any more is noticed at the next read, as is a narrower consent.
What this node received after the export's time is left out on both sides: new purchases break nothing.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from api.personalization.facts import Purchase

NUMBER_BYTES: Final = 8
NOTHING: Final = 0
"""Of a fan without purchases: no model rests on it."""


def find_basis(purchases: Iterable[tuple[bytes, Iterable[str]]]) -> int:
    """63 bits over receipts and the items of their lines that were granted, in whatever order the receipts come."""
    digest, is_empty = sha256(), True
    for receipt, items in sorted((receipt, "\x1f".join(items)) for receipt, items in purchases):
        is_empty = False
        digest.update(receipt + items.encode() + b"\x1e")
    return NOTHING if is_empty else int.from_bytes(digest.digest()[:NUMBER_BYTES], "big") >> 1


def basis_of(purchases: Iterable[Purchase], received_before: int) -> int:
    """The same of a fan's purchases as the consent gate gives them, those that this node received before a time."""
    return find_basis(
        (bytes.fromhex(found.receipt), [line.item for line in found.lines])
        for found in purchases
        if found.received_at < received_before
    )
