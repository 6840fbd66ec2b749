"""Answers about contests."""

from typing import ClassVar, Literal

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


class ContestAnswer(Answer):
    """A receipt that its member says was not settled, or promises too few points.

    The issuer may answer until the later of `answer_by` and the block `answer_height`. `credited` and `repaid` (coin) are what the
    member got when it ended. What only the record knew is null once that was deleted, after the last deadline.
    """

    id: str
    program: str
    member: str
    till: str
    sequence: int
    claim: Literal["unsettled", "wrong_points"]
    points: int
    receipt: str | None
    time: int | None
    settle_by: int | None
    opened_at: int | None
    answer_by: int
    answer_height: int | None
    can_be_answered: bool
    outcome: Literal["open", "settled_in_time", "settled_late", "settled_short", "unsettled", "returned"]
    credited: int
    repaid: int
    available_on: ShownDay | None
    expires_on: ShownDay | None

    EXAMPLE: ClassVar[Example] = {
        "id": "c0" * 32,
        "program": EXAMPLE_ID,
        "member": EXAMPLE_ADDRESS,
        "till": EXAMPLE_ADDRESS,
        "sequence": 417,
        "claim": "unsettled",
        "points": 199,
        "receipt": "7e" * 32,
        "time": EXAMPLE_TIME,
        "settle_by": EXAMPLE_TIME + 864_000,
        "opened_at": EXAMPLE_TIME + 900_000,
        "answer_by": EXAMPLE_TIME + 2_196_000,
        "answer_height": 31_584,
        "can_be_answered": False,
        "outcome": "unsettled",
        "credited": 199,
        "repaid": 5_000,
        "available_on": ShownDay.EXAMPLE,
        "expires_on": {"day": 21_123, "date": "2027-11-01"},
    }


class ContestsAnswer(PageAnswer):
    """Contests in the order in which they were filed."""

    items: list[ContestAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [ContestAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
