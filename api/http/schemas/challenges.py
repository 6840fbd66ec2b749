"""Answers about challenges and who has completed them."""

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


class GoalItem(Answer):
    """What is to be done in one occurrence: so many visits, so many cents, or something of each code. Only its own field is set."""

    type: Literal["visits", "spend", "codes"]
    count: int | None = None
    cents: int | None = None
    codes: list[str] | None = None

    EXAMPLE: ClassVar[Example] = {"type": "visits", "count": 3, "cents": None, "codes": None}


class ChallengeAnswer(Answer):
    """A challenge: nothing of it ever changes but `given` and `left`, and that it ends.

    It occurs `occurrences` times, `days` days each, from `begins_at` on without gaps. After an occurrence's end the program has
    `grace_days` to complete it, then its members can contest it for 30 days.
    """

    id: str
    program: str
    name: str
    goal: GoalItem
    basket_min_cents: int = Field(description="What of a receipt was not paid with points must be at least so much.")
    from_day: ShownDay
    until_day: ShownDay = Field(description="The first day after the last occurrence.")
    begins_at: int
    ends_at: int
    days: int
    occurrences: int
    times_max: int
    grace_days: int
    reward: int
    budget: int
    given: int
    left: int
    has_ended: bool
    prepaid: int = Field(description="Coin that pays for members' contests.")

    EXAMPLE: ClassVar[Example] = {
        "id": "c8" * 32,
        "program": EXAMPLE_ID,
        "name": "Come three times",
        "goal": GoalItem.EXAMPLE,
        "basket_min_cents": 500,
        "from_day": ShownDay.EXAMPLE,
        "until_day": {"day": 20_900, "date": "2027-03-23"},
        "begins_at": EXAMPLE_TIME,
        "ends_at": EXAMPLE_TIME + 28 * 86_400,
        "days": 7,
        "occurrences": 4,
        "times_max": 2,
        "grace_days": 7,
        "reward": 100,
        "budget": 10_000,
        "given": 300,
        "left": 9_700,
        "has_ended": False,
        "prepaid": 168_000,
    }


class ChallengesAnswer(PageAnswer):
    """Challenges in the order in which they were made."""

    items: list[ChallengeAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [ChallengeAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class CompletionAnswer(Answer):
    """An occurrence that a member completed: attested by the program, or shown by the member (`contested`).

    `evidence` is the root over its `count` receipts; `receipts` are their hashes where the member showed them. `returned` are
    hashes of receipts of this occurrence that went back; where its reward was taken back and not earned again, it is `reversed`.
    """

    program: str
    challenge: str
    member: str
    occurrence: int
    state: Literal["credited", "reversed"]
    contested: bool
    points: int
    count: int
    evidence: str
    receipts: list[str]
    returned: list[str]
    available_on: ShownDay
    expires_on: ShownDay | None
    height: int
    txid: str

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "challenge": "c8" * 32,
        "member": EXAMPLE_ADDRESS,
        "occurrence": 0,
        "state": "credited",
        "contested": False,
        "points": 100,
        "count": 3,
        "evidence": "e7" * 32,
        "receipts": [],
        "returned": [],
        "available_on": ShownDay.EXAMPLE,
        "expires_on": None,
        "height": 4_711,
        "txid": "7d" * 32,
    }


class CompletionsAnswer(PageAnswer):
    """Completions in the order in which they were first made."""

    items: list[CompletionAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [CompletionAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
