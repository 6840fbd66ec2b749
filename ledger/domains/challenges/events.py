"""What happens in challenges, for the read model."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.challenges.state import (
    BASKET,
    BUDGET,
    COUNT,
    DAYS,
    GIVEN,
    GOAL,
    GRACE_DAYS,
    NAME,
    OCCURRENCE,
    REWARD,
    TIMES_MAX,
    Goal,
    achievement_id_of,
)
from ledger.domains.loyalty.state import DAY
from ledger.events import Event, declare_event
from ledger.params import CHALLENGE_RECEIPTS_MAX
from ledger.schema import Integer, ListOf, Text, identifier
from ledger.types import INTEGER_MAX, Address, ChallengeId, Day, Hash, Points, ProgramId, ReceiptHash


@declare_event
@dataclass(frozen=True, slots=True)
class ChallengeCreated(Event):
    """A program promises points for a goal; nothing of it will change."""

    name: ClassVar[str] = "challenge.created"
    program: Annotated[ProgramId, identifier()]
    challenge: Annotated[ChallengeId, identifier()]
    title: Annotated[str, NAME]
    goal: Annotated[Goal, GOAL]
    basket_min_cents: Annotated[int, BASKET]
    from_day: Annotated[Day, DAY]
    days: Annotated[int, DAYS]
    occurrences: Annotated[int, TIMES_MAX]
    times_max: Annotated[int, TIMES_MAX]
    grace_days: Annotated[int, GRACE_DAYS]
    reward: Annotated[Points, REWARD]
    budget: Annotated[Points, BUDGET]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.challenge)


@declare_event
@dataclass(frozen=True, slots=True)
class ChallengeCompleted(Event):
    """A member has its reward for an occurrence: attested by the program, or shown by the member, with `receipts` in the evidence's
    order.
    """

    name: ClassVar[str] = "challenge.completed"
    program: Annotated[ProgramId, identifier()]
    challenge: Annotated[ChallengeId, identifier()]
    member: Annotated[Address, identifier()]
    occurrence: Annotated[int, OCCURRENCE]
    evidence: Annotated[Hash, identifier()]
    count: Annotated[int, COUNT]
    points: Annotated[Points, REWARD]
    available_on: Annotated[Day, DAY]
    expires_on: Annotated[Day, DAY]
    receipts: Annotated[tuple[ReceiptHash, ...], ListOf(identifier(), 0, CHALLENGE_RECEIPTS_MAX)] = ()

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, achievement_id_of(self.challenge, self.member))


@declare_event
@dataclass(frozen=True, slots=True)
class ChallengeSkipped(Event):
    """An entry of a batch of completions was not credited, and why."""

    name: ClassVar[str] = "challenge.skipped"
    program: Annotated[ProgramId, identifier()]
    challenge: Annotated[ChallengeId, identifier()]
    member: Annotated[Address, identifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    occurrence: Annotated[int, OCCURRENCE]
    code: Annotated[str, Text(1, 64)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, achievement_id_of(self.challenge, self.member))


@declare_event
@dataclass(frozen=True, slots=True)
class ChallengeReversed(Event):
    """A receipt of a completion was returned: the reward was taken back, and the budget has it again."""

    name: ClassVar[str] = "challenge.reversed"
    program: Annotated[ProgramId, identifier()]
    challenge: Annotated[ChallengeId, identifier()]
    member: Annotated[Address, identifier()]
    occurrence: Annotated[int, OCCURRENCE]
    returned: Annotated[Hash, identifier()]
    receipt: Annotated[ReceiptHash, identifier()]
    points: Annotated[Points, REWARD]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, achievement_id_of(self.challenge, self.member))


@declare_event
@dataclass(frozen=True, slots=True)
class ChallengeEnded(Event):
    """A challenge is over; what was left of its budget is free again."""

    name: ClassVar[str] = "challenge.ended"
    program: Annotated[ProgramId, identifier()]
    challenge: Annotated[ChallengeId, identifier()]
    left: Annotated[Points, GIVEN]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.challenge)
