"""QR codes, and the text of a receipt in one: the only module that knows the library that draws them.

fansumer-receipt:1:BASE64URL        the signed receipt itself: the fan needs no network and no node
fansumer-receipt-link:1:JSON        where a receipt is too large for a code: what the fan asks its node for
"""

import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from io import BytesIO, StringIO
from typing import Any, Final, Literal

from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX

RECEIPT_PREFIX: Final = "fansumer-receipt:1:"
LINK_PREFIX: Final = "fansumer-receipt-link:1:"
SYMBOL_BYTES_MAX: Final = 2_953
"""What the largest QR code holds in bytes at the lowest error correction (ISO/IEC 18004, version 40-L)."""
TEXT_CHARACTERS_MAX: Final = len(RECEIPT_PREFIX) + (RECEIPT_BYTES_MAX + 2) // 3 * 4
SCALE: Final = 4
MASK: Final = 3
"""One of the eight patterns, all of which every reader knows. To try all of them takes three quarters of the time, and gains little
where the content is as good as random."""

SymbolForm = Literal["svg", "png", "text", "none"]


def receipt_text(signed: bytes) -> str:
    """A signed receipt as the text of a QR code."""
    return RECEIPT_PREFIX + urlsafe_b64encode(signed).decode().rstrip("=")


def read_receipt_text(text: str) -> bytes | None:
    """The bytes of a receipt in the text of a QR code; None where it is no such text."""
    body = text.strip().removeprefix(RECEIPT_PREFIX)
    if not text.startswith(RECEIPT_PREFIX) or len(text) > TEXT_CHARACTERS_MAX:
        return None
    try:
        return urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except (Error, ValueError):
        return None


def link_text(node_url: str, program: str, receipt: str) -> str:
    """Where the fan finds a receipt that is too large for a code: the node shows it to its wallet, once it is handed over."""
    document = {"node": node_url, "program": program, "receipt": receipt}
    return LINK_PREFIX + json.dumps(document, separators=(",", ":"))


def fits_symbol(text: str) -> bool:
    """Whether one QR code holds the text."""
    return len(text.encode()) <= SYMBOL_BYTES_MAX


def draw_symbol(text: str, form: SymbolForm) -> dict[str, Any]:
    """A QR code: SVG as text, PNG in base64, or lines of block characters for a terminal or a receipt printer."""
    if form == "none":
        return {}
    import segno  # takes a moment, and most of the command line draws nothing

    symbol = segno.make(text, error="l", micro=False, boost_error=False, mask=MASK)
    if form == "svg":
        drawn = BytesIO()
        symbol.save(drawn, kind="svg", scale=SCALE, xmldecl=False)
        return {"svg": drawn.getvalue().decode()}
    if form == "png":
        drawn = BytesIO()
        symbol.save(drawn, kind="png", scale=SCALE)
        return {"png": b64encode(drawn.getvalue()).decode()}
    lines = StringIO()
    symbol.terminal(out=lines, compact=True)
    return {"blocks": lines.getvalue()}
