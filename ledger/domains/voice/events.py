"""What happened to ballots, proposals and obligations."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.shapes import TIME
from ledger.domains.voice.state import (
    ADOPTED,
    AGE,
    BROKEN,
    CHOICE,
    CHOICE_MADE,
    COUNT,
    DECLINED,
    KEPT,
    LAPSED,
    POWER,
    SILENT,
)
from ledger.events import Event, declare_event
from ledger.schema import Boolean, Integer, OptionalIdentifier, identifier
from ledger.types import INTEGER_MAX, Address, Hash, ProgramId, ProposalId, Timestamp

PROPOSAL = identifier()
VOTER = identifier()


@declare_event
@dataclass(frozen=True, slots=True)
class BallotCast(Event):
    """An open ballot was cast and counted. `age` is the class of the voter's membership (spec VOI-2)."""

    name: ClassVar[str] = "ballot.cast"
    proposal: Annotated[ProposalId, PROPOSAL]
    voter: Annotated[Address, VOTER]
    power: Annotated[int, Integer(1, INTEGER_MAX)]
    age: Annotated[int, AGE]
    choice: Annotated[tuple[int, ...], CHOICE]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.voter, self.proposal)


@declare_event
@dataclass(frozen=True, slots=True)
class BallotCommitted(Event):
    """A sealed ballot was given: who votes with which power is known, the choice is not."""

    name: ClassVar[str] = "ballot.committed"
    proposal: Annotated[ProposalId, PROPOSAL]
    voter: Annotated[Address, VOTER]
    power: Annotated[int, Integer(1, INTEGER_MAX)]
    age: Annotated[int, AGE]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.voter, self.proposal)


@declare_event
@dataclass(frozen=True, slots=True)
class BallotRevealed(Event):
    """A sealed ballot was opened, by whomever, and counted."""

    name: ClassVar[str] = "ballot.revealed"
    proposal: Annotated[ProposalId, PROPOSAL]
    voter: Annotated[Address, VOTER]
    power: Annotated[int, Integer(1, INTEGER_MAX)]
    choice: Annotated[tuple[int, ...], CHOICE]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.voter, self.proposal)


@declare_event
@dataclass(frozen=True, slots=True)
class ProposalRevealing(Event):
    """Voting is over, and `committed` sealed ballots can be opened."""

    name: ClassVar[str] = "proposal.revealing"
    proposal: Annotated[ProposalId, PROPOSAL]
    program: Annotated[ProgramId, identifier()]
    committed: Annotated[int, COUNT]
    reveal_until: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.proposal, self.program)


@declare_event
@dataclass(frozen=True, slots=True)
class ProposalEnded(Event):
    """Everything is counted, and the owner has until `answer_by` to answer. `leaders` has the winner first."""

    name: ClassVar[str] = "proposal.ended"
    proposal: Annotated[ProposalId, PROPOSAL]
    program: Annotated[ProgramId, identifier()]
    counted: Annotated[int, COUNT]
    abstained: Annotated[int, COUNT]
    power: Annotated[int, POWER]
    quorum_met: Annotated[bool, Boolean()]
    leaders: Annotated[tuple[int, ...], CHOICE_MADE]
    answer_by: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.proposal, self.program)


@declare_event
@dataclass(frozen=True, slots=True)
class ProposalUnanswered(Event):
    """The time to answer went by. Status 5: silence, on record; 6: the quorum was missed, so no answer was owed."""

    name: ClassVar[str] = "proposal.unanswered"
    proposal: Annotated[ProposalId, PROPOSAL]
    program: Annotated[ProgramId, identifier()]
    status: Annotated[int, Integer(SILENT, LAPSED)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.proposal, self.program)


@declare_event
@dataclass(frozen=True, slots=True)
class ProposalAnswered(Event):
    """`owner` answered, and the text `why` says why. Status 3: adopted, due at `due_at`; 4: declined, `due_at` 0."""

    name: ClassVar[str] = "proposal.answered"
    proposal: Annotated[ProposalId, PROPOSAL]
    program: Annotated[ProgramId, identifier()]
    status: Annotated[int, Integer(ADOPTED, DECLINED)]
    due_at: Annotated[Timestamp, TIME]
    product: Annotated[Hash, OptionalIdentifier()]
    why: Annotated[Hash, identifier()]
    owner: Annotated[Address, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.proposal, self.program)


@declare_event
@dataclass(frozen=True, slots=True)
class ObligationFulfilled(Event):
    """The owner says that it did what it adopted. Status 1: in time; 2: late; 3: after its grace, so broken all the same."""

    name: ClassVar[str] = "obligation.fulfilled"
    proposal: Annotated[ProposalId, PROPOSAL]
    program: Annotated[ProgramId, identifier()]
    status: Annotated[int, Integer(KEPT, BROKEN)]
    days_late: Annotated[int, Integer(0, 2**31 - 1)]
    evidence: Annotated[Hash, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.proposal, self.program)


@declare_event
@dataclass(frozen=True, slots=True)
class ObligationBroken(Event):
    """The grace of what was adopted is over, and nothing was fulfilled."""

    name: ClassVar[str] = "obligation.broken"
    proposal: Annotated[ProposalId, PROPOSAL]
    program: Annotated[ProgramId, identifier()]
    due_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.proposal, self.program)
