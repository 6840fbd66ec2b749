"""Answers about personal offers."""

from typing import ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
    ShownDay,
)


class UselessCitation(Answer):
    """A receipt that cites the offer and brought nothing, with the ledger's code."""

    receipt: str
    code: str
    height: int

    EXAMPLE: ClassVar[Example] = {"receipt": "8f" * 32, "code": "offer.cited", "height": 1_441}


class OfferAnswer(Answer):
    """A promise to one member. What it asks for stays off chain; `terms` seals it, and only who has it can read it.

    An offer that is `open` can be cited by a receipt of a time up to `expires_at`; settled or contested up to `asked_until`, which
    is null until it is certain. `credited` points came to the member, `reversed` of them went back with the purchase.
    """

    id: str
    program: str
    member: str
    terms: str
    points: int
    issued_at: int | None
    expires_at: int
    asked_until: int | None
    status: Literal["open", "cited", "expired"]
    receipt: str | None = Field(description="The hash of the receipt that cites it.")
    contested: bool
    credited: int
    reversed: int
    available_on: ShownDay | None
    expires_on: ShownDay | None
    not_credited: list[UselessCitation] = Field(description="The last ones: an offer counts once.")

    EXAMPLE: ClassVar[Example] = {
        "id": "0f" * 32,
        "program": EXAMPLE_ID,
        "member": EXAMPLE_ADDRESS,
        "terms": "7e" * 32,
        "points": 20,
        "issued_at": EXAMPLE_TIME,
        "expires_at": EXAMPLE_TIME + 604_800,
        "asked_until": None,
        "status": "cited",
        "receipt": "7e" * 32,
        "contested": False,
        "credited": 20,
        "reversed": 0,
        "available_on": ShownDay.EXAMPLE,
        "expires_on": {"day": 21_123, "date": "2027-11-01"},
        "not_credited": [UselessCitation.EXAMPLE],
    }


class OffersAnswer(PageAnswer):
    """Offers in the order in which they were issued."""

    items: list[OfferAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [OfferAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
