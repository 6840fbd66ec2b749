"""Purchase lines as a till writes them, such as `["Bread", 2, 498]`: canonical values (spec RCP-3), of which the store takes those
that JSON can show, so that what a fan reads is what was signed.
"""

from collections.abc import Sequence
from typing import Any, Final

from ledger.codec import Packable, Value
from ledger.domains.loyalty.receipts import line_leaf
from ledger.errors import Code, Malformed
from ledger.merkle import root
from ledger.types import Hash

LINE_DEPTH_MAX: Final = 8
"""Lists within lists of one line."""

BAD_LINE = Code(
    "receipt.line",
    "line {number} is not usable: {reason}",
    "A line is made of whole numbers, texts, true, false and lists of these; money in cents.",
)


def lines_root(salt: bytes, lines: Sequence[Packable]) -> Hash:
    """The `lines_root` of a receipt with this salt and these lines (spec RCP-3)."""
    return Hash(root([line_leaf(salt, index, line) for index, line in enumerate(lines)]))


def read_lines(document: Any) -> tuple[Value, ...]:
    """Lines from an array, of JSON or of canonical bytes. Raises Malformed receipt.line; lines are numbered from 1."""
    if not isinstance(document, list | tuple):
        raise Malformed(BAD_LINE, number=1, reason="lines are a list")
    return tuple([_read_value(line, number, 1) for number, line in enumerate(document, start=1)])


def _read_value(value: Any, number: int, depth: int) -> Value:
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise Malformed(BAD_LINE, number=number, reason="a text holds half a character")
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise Malformed(BAD_LINE, number=number, reason="a number has more than 64 bits")
        return value
    if isinstance(value, list | tuple):
        if depth > LINE_DEPTH_MAX:
            raise Malformed(BAD_LINE, number=number, reason="lists are nested too deep")
        return tuple([_read_value(item, number, depth + 1) for item in value])
    raise Malformed(BAD_LINE, number=number, reason=f"it holds a {type(value).__name__}")
