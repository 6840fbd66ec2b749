"""Events of the offers domain."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.state import DAY, POINTS, TIME
from ledger.events import Event, declare_event
from ledger.schema import Boolean, Integer, OptionalIdentifier, Text, identifier
from ledger.types import INTEGER_MAX, Address, Day, Hash, Points, ProgramId, ReceiptHash, Timestamp


@declare_event
@dataclass(frozen=True, slots=True)
class OfferIssued(Event):
    """A member was promised `points` for a purchase by `expires_at` that meets the sealed `terms`."""

    name: ClassVar[str] = "offer.issued"
    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, identifier()]
    member: Annotated[Address, identifier()]
    offer: Annotated[Hash, identifier()]
    terms: Annotated[Hash, identifier()]
    points: Annotated[Points, POINTS]
    expires_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.offer)


@declare_event
@dataclass(frozen=True, slots=True)
class OfferSkipped(Event):
    """Entry number `index` of a batch of offers was not issued, for the reason `code`."""

    name: ClassVar[str] = "offer.skipped"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    code: Annotated[str, Text(1, 64)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member)


@declare_event
@dataclass(frozen=True, slots=True)
class OfferCredited(Event):
    """The bonus of an offer came to its member, since `receipt` cites it: the issuer settled it, or the member `contested`."""

    name: ClassVar[str] = "offer.credited"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    offer: Annotated[Hash, identifier()]
    receipt: Annotated[ReceiptHash, identifier()]
    points: Annotated[Points, POINTS]
    contested: Annotated[bool, Boolean()]
    available_on: Annotated[Day, DAY]
    expires_on: Annotated[Day, DAY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.offer)


@declare_event
@dataclass(frozen=True, slots=True)
class OfferNotCredited(Event):
    """A citation brought no bonus, for the reason `code`. `member` is empty where the program has no such offer."""

    name: ClassVar[str] = "offer.not_credited"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, OptionalIdentifier()]
    offer: Annotated[Hash, identifier()]
    receipt: Annotated[ReceiptHash, identifier()]
    code: Annotated[str, Text(1, 64)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.offer) if self.member else (self.program,)


@declare_event
@dataclass(frozen=True, slots=True)
class OfferReversed(Event):
    """The purchase that brought the bonus was returned: `points` of it were taken back, with the fan's signature."""

    name: ClassVar[str] = "offer.reversed"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    offer: Annotated[Hash, identifier()]
    returned: Annotated[Hash, identifier()]
    receipt: Annotated[ReceiptHash, identifier()]
    points: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.offer, self.returned)


@declare_event
@dataclass(frozen=True, slots=True)
class OfferExpired(Event):
    """Nobody cited the offer in time: what was set aside for it can be promised again."""

    name: ClassVar[str] = "offer.expired"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    offer: Annotated[Hash, identifier()]
    points: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.offer)
