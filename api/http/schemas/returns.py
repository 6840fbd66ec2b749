"""Answers about returns."""

from typing import ClassVar

from pydantic import Field

from api.http.schemas.answer import EXAMPLE_ADDRESS, EXAMPLE_CURSOR, Answer, Example, PageAnswer


class ReversalItem(Answer):
    """Points that were taken back: of entry number `index` of a batch, or of the bonus of an offer."""

    batch: str | None
    index: int | None
    offer: str | None
    points: int
    height: int

    EXAMPLE: ClassVar[Example] = {"batch": "ba" * 32, "index": 7, "offer": None, "points": 120, "height": 1_440}


class ReturnItem(Answer):
    """A purchase that went back, with the fan's signature. Of it only its receipt's hash is public."""

    id: str
    member: str
    receipt: str
    points: int | None = Field(description="What the fan signed for; null when the chain has forgotten the return.")
    reversed: int
    reversals: list[ReversalItem]

    EXAMPLE: ClassVar[Example] = {
        "id": "de" * 32,
        "member": EXAMPLE_ADDRESS,
        "receipt": "7e" * 32,
        "points": 120,
        "reversed": 120,
        "reversals": [ReversalItem.EXAMPLE],
    }


class ReturnsAnswer(PageAnswer):
    """Returns in the order in which points were first taken back for them."""

    items: list[ReturnItem]

    EXAMPLE: ClassVar[Example] = {"items": [ReturnItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
