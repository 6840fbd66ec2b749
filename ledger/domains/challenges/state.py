"""Records of the challenges domain: challenges, and what one member has reached in one of them (spec CHL-1)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from ledger.domains.loyalty.state import COIN, DAY, PAYER, Program, Terms
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.hashing import ACHIEVEMENT
from ledger.params import (
    CHALLENGE_AGAIN_SECONDS,
    CHALLENGE_DAYS_MAX,
    CHALLENGE_GRACE_DAYS_MAX,
    CHALLENGE_OCCURRENCES_MAX,
    CHALLENGE_RECEIPTS_MAX,
    COMPLETIONS_MAX,
    COMPLETIONS_RETURNED_MAX,
    CONTEST_KEEP_SECONDS,
    CONTEST_SECONDS,
)
from ledger.schema import Boolean, Integer, ListOf, OneOf, Row, Struct, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    AchievementId,
    Address,
    Amount,
    ChallengeId,
    Day,
    Hash,
    Points,
    ProgramId,
    ReceiptHash,
    RecordKey,
    Timestamp,
)

NO_CHALLENGE = Code(
    "challenge.unknown",
    "the program has no challenge {challenge} that goes on",
    "List the program's challenges; of one that has ended nothing can be completed any more.",
)

NAME = Text(1, 64)
REWARD = Integer(1, 2**31 - 1)
BUDGET = Integer(1, 2**53)
GIVEN = Integer(0, 2**53)
BASKET = Integer(1, 2**31 - 1)
DAYS = Integer(1, CHALLENGE_DAYS_MAX)
TIMES = Integer(0, CHALLENGE_OCCURRENCES_MAX)
TIMES_MAX = Integer(1, CHALLENGE_OCCURRENCES_MAX)
GRACE_DAYS = Integer(0, CHALLENGE_GRACE_DAYS_MAX)
OCCURRENCE = Integer(0, CHALLENGE_OCCURRENCES_MAX - 1)
COUNT = Integer(1, CHALLENGE_RECEIPTS_MAX)


@dataclass(frozen=True, slots=True)
class Visits:
    """So many receipts."""

    tag: ClassVar[int] = 0
    count: Annotated[int, COUNT]


@dataclass(frozen=True, slots=True)
class Spend:
    """So many cents on receipts together, without what was paid with points."""

    tag: ClassVar[int] = 1
    cents: Annotated[int, Integer(1, 2**53)]


@dataclass(frozen=True, slots=True)
class Codes:
    """Something of each of these category codes, on whichever receipts."""

    tag: ClassVar[int] = 2
    codes: Annotated[tuple[str, ...], ListOf(Text(1, 32), 1, CHALLENGE_RECEIPTS_MAX)]


Goal = Visits | Spend | Codes
GOAL = OneOf(Visits, Spend, Codes)


class Occurrence(NamedTuple):
    """One of a challenge's occurrences: its first second, the first one after it, the first day after it; until when the program
    completes it in time, until when it can be contested, or again once its completion was taken back, and until when what was
    contested can be reversed.
    """

    begins: Timestamp
    ends: Timestamp
    end_day: Day
    due_by: Timestamp
    contest_until: Timestamp
    again_until: Timestamp
    keep_until: Timestamp


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a program promises to whoever reaches `goal`, and how much of the budget was `given`.

    It occurs `occurrences` times, `days` days each, from `from_day` on without gaps; each member completes an occurrence once,
    and at most `times_max` of them. `prepaid` is coin that pays for contests.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    name: Annotated[str, NAME]
    goal: Annotated[Goal, GOAL]
    basket_min_cents: Annotated[int, BASKET]
    from_day: Annotated[Day, DAY]
    days: Annotated[int, DAYS]
    occurrences: Annotated[int, TIMES_MAX]
    times_max: Annotated[int, TIMES_MAX]
    grace_days: Annotated[int, GRACE_DAYS]
    reward: Annotated[Points, REWARD]
    budget: Annotated[Points, BUDGET]
    given: Annotated[Points, GIVEN]
    has_ended: Annotated[bool, Boolean()]

    @property
    def left(self) -> Points:
        """What is left of the budget."""
        return Points(self.budget - self.given)

    def occurrence(self, number: int, program: Program) -> Occurrence:
        """The dates of occurrence `number`, by the program's days."""
        first_day = self.from_day + number * self.days
        end_day = Day(first_day + self.days)
        ends = program.day_start(end_day)
        due_by = Timestamp(ends + self.grace_days * 86_400)
        return Occurrence(
            begins=program.day_start(Day(first_day)),
            ends=ends,
            end_day=end_day,
            due_by=due_by,
            contest_until=Timestamp(due_by + CONTEST_SECONDS),
            again_until=Timestamp(due_by + CONTEST_SECONDS + CHALLENGE_AGAIN_SECONDS),
            keep_until=Timestamp(due_by + CONTEST_KEEP_SECONDS),
        )

    def last_occurrence(self, program: Program) -> Occurrence:
        """The dates of the last occurrence."""
        return self.occurrence(self.occurrences - 1, program)


@dataclass(frozen=True, slots=True)
class Completion:
    """An occurrence that was credited: the root over its `count` receipts, and the lot's terms version and activation day.

    `base` is the day from which its return window counts. `contested`: the member showed the receipts itself.
    """

    occurrence: Annotated[int, OCCURRENCE]
    evidence: Annotated[Hash, identifier()]
    count: Annotated[int, COUNT]
    version: Annotated[int, Integer(1, 2**31 - 1)]
    activation_day: Annotated[Day, DAY]
    base: Annotated[Day, DAY]
    contested: Annotated[bool, Boolean()]

    def returnable_until(self, program: Program, terms: Terms) -> Timestamp:
        """Before when a receipt of it had to be returned, by the terms of its version."""
        return program.day_start(Day(self.base + terms.return_window_days + 1))


@dataclass(frozen=True, slots=True)
class Achievement:
    """What one member has reached in one challenge: `times` completions, those that can still be contested or reversed, and the
    returned receipts that complete their occurrence no more.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    challenge: Annotated[ChallengeId, identifier()]
    member: Annotated[Address, identifier()]
    times: Annotated[int, TIMES]
    completions: Annotated[tuple[Completion, ...], ListOf(Struct(Completion), 0, COMPLETIONS_MAX)] = ()
    returned: Annotated[
        tuple[tuple[int, ReceiptHash], ...], ListOf(Row(OCCURRENCE, identifier()), 0, COMPLETIONS_RETURNED_MAX)
    ] = ()

    def completion_of(self, occurrence: int) -> Completion | None:
        """The completion of an occurrence, if it is in the list."""
        return next((found for found in self.completions if found.occurrence == occurrence), None)

    def at(self, now: Timestamp, challenge: Challenge, program: Program) -> "Achievement":
        """The same without what is too old to be contested or reversed at `now`."""
        living = {
            number
            for number in {*(found.occurrence for found in self.completions), *(item[0] for item in self.returned)}
            if challenge.occurrence(number, program).keep_until > now
        }
        completions = tuple([found for found in self.completions if found.occurrence in living])
        returned = tuple([item for item in self.returned if item[0] in living])
        return replace(self, completions=completions, returned=returned)


CHALLENGES = Table(b"Y", Challenge)
ACHIEVEMENTS = Table(b"y", Achievement)


def challenge_key(challenge: ChallengeId) -> RecordKey:
    """`Y` + challenge."""
    return RecordKey(b"Y" + challenge)


def achievement_id_of(challenge: ChallengeId, member: Address) -> AchievementId:
    """Of one challenge and member there is one record."""
    return AchievementId(ACHIEVEMENT(challenge + member))


def achievement_key(achievement: AchievementId) -> RecordKey:
    """`y` + achievement id."""
    return RecordKey(b"y" + achievement)


def find_challenge(view: RuleView, program: ProgramId, challenge: ChallengeId) -> Challenge | None:
    """The program's challenge, if there is one and it has not ended."""
    found: Challenge | None = view.get(challenge_key(challenge))
    return None if found is None or found.program != program or found.has_ended else found


def load_challenge(view: RuleView, program: ProgramId, challenge: ChallengeId) -> Challenge:
    """The program's challenge that goes on, or `challenge.unknown`."""
    found = find_challenge(view, program, challenge)
    if found is None:
        raise RuleViolation(NO_CHALLENGE, challenge=challenge)
    return found


def find_achievement(
    view: RuleView, challenge_id: ChallengeId, member: Address, challenge: Challenge, program: Program, now: Timestamp
) -> Achievement | None:
    """What the member has reached, without what is too old, or None."""
    found: Achievement | None = view.get(achievement_key(achievement_id_of(challenge_id, member)))
    return None if found is None else found.at(now, challenge, program)
