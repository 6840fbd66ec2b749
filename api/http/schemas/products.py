"""What a brand says of its products."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from api.http.schemas.answer import EXAMPLE_CURSOR, EXAMPLE_ID, EXAMPLE_TIME, Answer, Example, PageAnswer

Text = Annotated[str, Field(min_length=1, max_length=500)]
ByLanguage = Annotated[dict[Annotated[str, Field(pattern="^(en|ko)$")], Text], Field(max_length=2)]
ItemName = Annotated[str, Field(min_length=1, max_length=64)]


class ProductItem(Answer):
    """One product. `item` is what stands in the lines of receipts. `lasts`: bought once, it is not soon bought again.

    `code` is under which category code tills count it, by which personal offers ask for it; without one it is the category.
    `recall` says why it is called back, `how_to` how to use it, `made_from` is the campaign or proposal that it came of.
    """

    item: ItemName
    names: ByLanguage = Field(default={})
    category: str = Field(default="", max_length=64)
    code: str = Field(default="", max_length=32)
    price_cents: int = Field(default=0, ge=0, le=2**40)
    in_stock: bool = True
    lasts: bool = False
    pairs_with: list[ItemName] = Field(default=[], max_length=50)
    how_to: ByLanguage = Field(default={})
    recall: ByLanguage = Field(default={})
    made_from: str = Field(default="", pattern="^([0-9a-fA-F]{64})?$")

    EXAMPLE: ClassVar[Example] = {
        "item": "1013167",
        "names": {"en": "Coffee", "ko": "커피"},
        "category": "COFFEE",
        "code": "COFFEE",
        "price_cents": 649,
        "in_stock": True,
        "lasts": False,
        "pairs_with": ["1029743"],
    }


class ProductsBody(Answer):
    """A product feed. `whole`: products that it does not name are gone; otherwise it adds to those that are there. A whole one that
    names none is refused.

    `zone` is the IANA name of the zone that the shop is in, for weekdays, parts of the day and quiet hours, summer time included.
    Left out, it stays as it was, unless the feed is whole.
    """

    products: list[ProductItem] = Field(max_length=2_000)
    whole: bool = True
    zone: str = Field(default="", max_length=64)

    EXAMPLE: ClassVar[Example] = {"products": [ProductItem.EXAMPLE], "whole": True, "zone": "America/New_York"}


class ProductsTaken(Answer):
    """The feed was taken: how many products the program has now, and how many of them nobody had named before."""

    program: str
    products: int
    new: int
    zone: str

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "products": 8_982, "new": 1, "zone": "America/New_York"}


class ProductsDropped(Answer):
    """The feed is down: how many products it had; 0 where there was none."""

    program: str
    dropped: int

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "dropped": 8_982}


class ProductAnswer(Answer):
    """A product as the last feed told it; times are those at which a feed changed it, null for never."""

    item: str
    names: dict[str, str]
    category: str
    code: str
    price_cents: int
    in_stock: bool
    lasts: bool
    pairs_with: list[str]
    how_to: dict[str, str]
    recall: dict[str, str]
    made_from: str
    first_at: int
    restocked_at: int | None
    cheaper_at: int | None
    price_before_cents: int | None

    EXAMPLE: ClassVar[Example] = {
        "how_to": {},
        "recall": {},
        "made_from": "",
        **ProductItem.EXAMPLE,
        "first_at": EXAMPLE_TIME,
        "restocked_at": None,
        "cheaper_at": EXAMPLE_TIME,
        "price_before_cents": 699,
    }


class ProductsAnswer(PageAnswer):
    """A program's products by item, as its brand says they are."""

    zone: str
    items: list[ProductAnswer]

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "zone": "America/New_York",
        "items": [ProductAnswer.EXAMPLE],
        "next_cursor": EXAMPLE_CURSOR,
    }
