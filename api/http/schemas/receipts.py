"""Answers about receipts, which only the member itself is given."""

from typing import Any, ClassVar

from pydantic import Field

from api.http.schemas.answer import (
    BASE64_PATTERN,
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_DATE,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
)

EXAMPLE_RECEIPT = "9d" * 32


class ReceiptBody(Answer):
    """A receipt as a till hands it over in JSON."""

    receipt: str = Field(description="The signed receipt's canonical bytes in base64.", pattern=BASE64_PATTERN)
    lines: list[Any] = Field(
        default=[],
        description="The lines that `lines_root` seals: whole numbers, texts, true, false, and lists of these.",
    )

    EXAMPLE: ClassVar[Example] = {"receipt": "k5wBxCBfX19fX18=", "lines": [["Bread", 2, 498], ["Coffee", 1, 649]]}


class ReceiptKept(Answer):
    """The receipt is kept. `is_new` false: it was here already, and nothing changed."""

    id: str
    is_new: bool

    EXAMPLE: ClassVar[Example] = {"id": EXAMPLE_RECEIPT, "is_new": True}


class ReceiptItem(Answer):
    """A receipt in short. `id` is the receipt hash, which stands in the settled tree; `till` is the till's address."""

    id: str
    program: str
    member: str
    till: str
    sequence: int
    period: int
    time: int
    date: str
    received_at: int
    terms_version: int
    net_cents: int
    paid_with_points_cents: int
    points: int
    line_count: int
    gift: bool

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_RECEIPT,
        "program": EXAMPLE_ID,
        "member": EXAMPLE_ADDRESS,
        "till": EXAMPLE_ADDRESS,
        "sequence": 4_711,
        "period": 20_758,
        "time": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
        "received_at": EXAMPLE_TIME + 2,
        "terms_version": 1,
        "net_cents": 1_147,
        "paid_with_points_cents": 0,
        "points": 114,
        "line_count": 2,
        "gift": False,
    }


class ReceiptsAnswer(PageAnswer):
    """The account's receipts, the one that came last first."""

    items: list[ReceiptItem]

    EXAMPLE: ClassVar[Example] = {"items": [ReceiptItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class ReceiptAnswer(ReceiptItem):
    """A receipt with its lines and all that its points rest on, and `signed`: the canonical bytes with salt and till's signature.

    `tier` is the number of the tier that the till applied, 0 for none; `offer` is the personal offer that the purchase cites;
    `signed` is base64.
    """

    codes: list[list[str | int]]
    tier: int
    previous_visit: int | None
    offer: str | None
    lines: list[Any]
    signed: str

    EXAMPLE: ClassVar[Example] = {
        **ReceiptItem.EXAMPLE,
        "codes": [["bakery", 498], ["drinks", 649]],
        "tier": 0,
        "previous_visit": None,
        "offer": None,
        "lines": [["Bread", 2, 498], ["Coffee", 1, 649]],
        "signed": "k5wBxCBfX19fX18=",
    }


class ErasedAnswer(Answer):
    """How many receipts were erased. None of the store's files holds their bytes any more."""

    erased: int

    EXAMPLE: ClassVar[Example] = {"erased": 1}


class GiftAnswer(Answer):
    """Whether the receipt is marked as a gift now. Points did not change."""

    id: str
    gift: bool

    EXAMPLE: ClassVar[Example] = {"id": EXAMPLE_RECEIPT, "gift": True}
