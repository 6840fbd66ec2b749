"""What happens to finality on the chain."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.finality.state import SOME_ATTESTORS, SUBJECT, TIME
from ledger.events import Event, declare_event
from ledger.finality.attestors import SET_NUMBER
from ledger.finality.votes import HEIGHT
from ledger.params import Attestor
from ledger.schema import Boolean, Integer, Octets, identifier
from ledger.types import BlockHash, Height, PublicKey, Timestamp


@declare_event
@dataclass(frozen=True, slots=True)
class VoteCounted(Event):
    """The chain holds an attestor's vote for one of its checkpoints."""

    name: ClassVar[str] = "finality.vote_counted"
    key: Annotated[PublicKey, Octets(32, 32)]
    source_height: Annotated[Height, HEIGHT]
    target_height: Annotated[Height, HEIGHT]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.key,)


@declare_event
@dataclass(frozen=True, slots=True)
class CheckpointJustified(Event):
    """The chain holds a quorum's votes that link a justified checkpoint to this one."""

    name: ClassVar[str] = "finality.justified"
    height: Annotated[Height, HEIGHT]
    hash: Annotated[BlockHash, identifier()]
    set_number: Annotated[int, SET_NUMBER]

    def subjects(self) -> tuple[bytes, ...]:
        return (SUBJECT, self.hash)


@declare_event
@dataclass(frozen=True, slots=True)
class CheckpointFinalised(Event):
    """The chain holds a quorum's votes from this checkpoint to the next one: it is final, and all below it."""

    name: ClassVar[str] = "finality.finalised"
    height: Annotated[Height, HEIGHT]
    hash: Annotated[BlockHash, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (SUBJECT, self.hash)


@declare_event
@dataclass(frozen=True, slots=True)
class AttestorLied(Event):
    """Two votes of one attestor that conflict are on the chain: it leaves the set."""

    name: ClassVar[str] = "finality.attestor_lied"
    key: Annotated[PublicKey, Octets(32, 32)]
    holder_height: Annotated[Height, HEIGHT]

    def subjects(self) -> tuple[bytes, ...]:
        return (SUBJECT, self.key)


@declare_event
@dataclass(frozen=True, slots=True)
class SetChosen(Event):
    """The set in force chose the next one, which waits until the checkpoint at `holder_height` is final."""

    name: ClassVar[str] = "finality.set_chosen"
    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    holder_height: Annotated[Height, HEIGHT]

    def subjects(self) -> tuple[bytes, ...]:
        return (SUBJECT,)


@declare_event
@dataclass(frozen=True, slots=True)
class ReplacementBegun(Event):
    """Recovery keys replace a silent set; any justification by it before `effective_at` prevents that."""

    name: ClassVar[str] = "finality.replacement_begun"
    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    effective_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (SUBJECT,)


@declare_event
@dataclass(frozen=True, slots=True)
class ReplacementCancelled(Event):
    """The set was not silent after all: a quorum of it voted."""

    name: ClassVar[str] = "finality.replacement_cancelled"
    effective_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (SUBJECT,)


@declare_event
@dataclass(frozen=True, slots=True)
class SetChanged(Event):
    """Another set is in force, at checkpoints from `since_height` on."""

    name: ClassVar[str] = "finality.set_changed"
    number: Annotated[int, SET_NUMBER]
    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    replaces_silent: Annotated[bool, Boolean()]
    since_height: Annotated[Height, Integer(0, 2**32 - 1)]

    def subjects(self) -> tuple[bytes, ...]:
        return (SUBJECT,)
