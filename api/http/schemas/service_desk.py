"""What a brand's service staff asks of one fan's history, with the fan's consent, and what it is answered."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from api.http.schemas.answer import ADDRESS_PATTERN, EXAMPLE_ADDRESS, EXAMPLE_ID, EXAMPLE_TIME, Answer, Example

LINE: str = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$"
"""One line of text, in the direction in which it is read: it stands in somebody else's log."""


class LookBody(Answer):
    """Whose history, who looks and why: the fan reads both in its log."""

    member: str = Field(
        description="The fan's address in this program.", json_schema_extra={"pattern": ADDRESS_PATTERN}
    )
    why: Annotated[str, Field(min_length=3, max_length=200, pattern=LINE)]
    staff: Annotated[str, Field(max_length=64, pattern=LINE, description="What the one who looks is called.")] = ""
    limit: int = Field(default=20, ge=1, le=200, description="Rows of each section, the latest ones.")

    EXAMPLE: ClassVar[Example] = {
        "member": EXAMPLE_ADDRESS,
        "why": "She asked where the points of her purchase on Saturday are.",
        "staff": "Desk 3, Mina",
        "limit": 20,
    }


class HistoryPart(Answer):
    """The latest rows of one kind. `more`: there are older ones."""

    items: list[dict[str, Any]]
    more: bool

    EXAMPLE: ClassVar[Example] = {"items": [], "more": False}


class ServiceHistoryAnswer(Answer):
    """As far as the fan opened it: `parts` with the times at which that ends. Parts that are not open are null.

    `said` is what the fan said of the brand: something to answer, and never a mark against the fan.
    """

    program: str
    member: str
    parts: dict[str, int]
    standing: dict[str, Any] | None
    points: HistoryPart | None
    redemptions: HistoryPart | None
    receipts: HistoryPart | None
    pledges: HistoryPart | None
    messages: HistoryPart | None
    said: HistoryPart | None

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "member": EXAMPLE_ADDRESS,
        "parts": {"standing": EXAMPLE_TIME + 86_400, "voice": EXAMPLE_TIME + 86_400},
        "standing": {"available": 415, "pending": 0, "held": 100, "tier": None},
        "points": HistoryPart.EXAMPLE,
        "redemptions": HistoryPart.EXAMPLE,
        "receipts": None,
        "pledges": None,
        "messages": None,
        "said": {
            "items": [
                {"subject": EXAMPLE_ID, "stance": "criticise", "score": 2, "at": EXAMPLE_TIME, "replied_at": None}
            ],
            "more": False,
        },
    }
