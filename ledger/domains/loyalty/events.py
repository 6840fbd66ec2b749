"""What happens in programs, for the read model."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.state import COIN, DAY, NO_POINTS, OUTCOME, POINTS, TIME
from ledger.events import Event, declare_event
from ledger.params import TIERS_MAX
from ledger.schema import Integer, OptionalIdentifier, Text, identifier
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    ContestId,
    Day,
    Hash,
    Points,
    ProgramId,
    ReceiptHash,
    Timestamp,
)

NOBODY = Address(b"")
NO_VOUCHER = Hash(b"")


@declare_event
@dataclass(frozen=True, slots=True)
class ProgramCreated(Event):
    """A program exists from here on."""

    name: ClassVar[str] = "program.created"
    program: Annotated[ProgramId, identifier()]
    owner: Annotated[Address, identifier()]
    title: Annotated[str, Text(1, 64)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.owner)


@declare_event
@dataclass(frozen=True, slots=True)
class ProgramUpdated(Event):
    """New terms were published; they are in force from `effective_from` on."""

    name: ClassVar[str] = "program.updated"
    program: Annotated[ProgramId, identifier()]
    version: Annotated[int, Integer(1, 2**31 - 1)]
    effective_from: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program,)


@declare_event
@dataclass(frozen=True, slots=True)
class IssuerGranted(Event):
    """An issuer's key may act for the program."""

    name: ClassVar[str] = "issuer.granted"
    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, identifier()]
    scopes: Annotated[int, Integer(1, 255)]
    daily_cap: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.issuer)


@declare_event
@dataclass(frozen=True, slots=True)
class IssuerRevoked(Event):
    """An issuer's key may no longer act for the program."""

    name: ClassVar[str] = "issuer.revoked"
    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.issuer)


@declare_event
@dataclass(frozen=True, slots=True)
class MemberJoined(Event):
    """A fan joined, or came back; `referrer` is the member who brought it, `voucher` the id of the one that it used."""

    name: ClassVar[str] = "member.joined"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    issuer: Annotated[Address, OptionalIdentifier()]
    referrer: Annotated[Address, OptionalIdentifier()] = NOBODY
    voucher: Annotated[Hash, OptionalIdentifier()] = NO_VOUCHER

    def subjects(self) -> tuple[bytes, ...]:
        brought_by = (self.referrer,) if self.referrer else ()
        return (self.program, self.member, *brought_by)


@declare_event
@dataclass(frozen=True, slots=True)
class MemberLeft(Event):
    """A fan left; what it had earned stays spendable until it expires."""

    name: ClassVar[str] = "member.left"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member)


@declare_event
@dataclass(frozen=True, slots=True)
class PointsEarned(Event):
    """One entry of a batch was settled. `index` is its place in the batch; `commitment` is R, or the open receipt's hash.

    `points` are those credited; `kept_back` are what the cap of the member's period took off the entry (spec TIER-3).
    """

    name: ClassVar[str] = "points.earned"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    period: Annotated[int, Integer(0, INTEGER_MAX)]
    points: Annotated[Points, POINTS]
    commitment: Annotated[Hash, identifier()]
    available_on: Annotated[Day, DAY]
    expires_on: Annotated[Day, DAY]
    kept_back: Annotated[Points, POINTS] = NO_POINTS

    def subjects(self) -> tuple[bytes, ...]:
        return (self.member,)


@declare_event
@dataclass(frozen=True, slots=True)
class TierReached(Event):
    """A member reached a higher tier, by what it earned; it keeps it until before `until_day` at least (spec TIER-1)."""

    name: ClassVar[str] = "tier.reached"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    tier: Annotated[int, Integer(1, TIERS_MAX)]
    until_day: Annotated[Day, DAY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member)


@declare_event
@dataclass(frozen=True, slots=True)
class EntrySkipped(Event):
    """One entry of a batch was not applied, for the reason `code`."""

    name: ClassVar[str] = "points.skipped"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    period: Annotated[int, Integer(0, INTEGER_MAX)]
    code: Annotated[str, Text(1, 64)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member)


@declare_event
@dataclass(frozen=True, slots=True)
class BatchSettled(Event):
    """A batch of entries was settled."""

    name: ClassVar[str] = "earn.settled"
    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, identifier()]
    batch: Annotated[Hash, identifier()]
    entries: Annotated[int, Integer(0, INTEGER_MAX)]
    skipped: Annotated[int, Integer(0, INTEGER_MAX)]
    points: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.issuer)


@declare_event
@dataclass(frozen=True, slots=True)
class ContestOpened(Event):
    """A fan contests a receipt: the issuer has until `answer_by` at least. `claim` 0: unsettled, 1: wrong points."""

    name: ClassVar[str] = "contest.opened"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    contest: Annotated[ContestId, identifier()]
    till: Annotated[Address, identifier()]
    sequence: Annotated[int, Integer(0, INTEGER_MAX)]
    claim: Annotated[int, Integer(0, 1)]
    points: Annotated[Points, POINTS]
    answer_by: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.contest)


@declare_event
@dataclass(frozen=True, slots=True)
class ContestDecided(Event):
    """A contest ended. `outcome` 1: settled in time, 2: late, 3: with too few points, 4: not settled, 5: the purchase was returned;
    2 to 4 uphold it.

    `credited` points are available from `available_on` until `expires_on` (both 0 where nothing was credited); `repaid` is coin.
    """

    name: ClassVar[str] = "contest.decided"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    contest: Annotated[ContestId, identifier()]
    outcome: Annotated[int, OUTCOME]
    credited: Annotated[Points, POINTS]
    repaid: Annotated[Amount, COIN]
    available_on: Annotated[Day, DAY]
    expires_on: Annotated[Day, DAY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.contest)


@declare_event
@dataclass(frozen=True, slots=True)
class PointsAdjusted(Event):
    """The owner or an issuer gave a member points, for a reason in the program's own code."""

    name: ClassVar[str] = "points.adjusted"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    author: Annotated[Address, identifier()]
    points: Annotated[Points, POINTS]
    reason: Annotated[str, Text(1, 64)]
    available_on: Annotated[Day, DAY]
    expires_on: Annotated[Day, DAY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member)


@declare_event
@dataclass(frozen=True, slots=True)
class PointsReversed(Event):
    """A purchase was returned: `points` were taken back of entry number `index` of `batch`, by the return receipt `returned`,
    which the fan signed, of the receipt `receipt`.
    """

    name: ClassVar[str] = "points.reversed"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    returned: Annotated[Hash, identifier()]
    receipt: Annotated[ReceiptHash, identifier()]
    batch: Annotated[Hash, identifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    points: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member, self.returned)


@declare_event
@dataclass(frozen=True, slots=True)
class PointsTransferred(Event):
    """A member gave points to another one of the same program; they keep their days."""

    name: ClassVar[str] = "points.transferred"
    program: Annotated[ProgramId, identifier()]
    sender: Annotated[Address, identifier()]
    recipient: Annotated[Address, identifier()]
    points: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.sender, self.recipient)


@declare_event
@dataclass(frozen=True, slots=True)
class SunsetAnnounced(Event):
    """The program ends: earning at `sunset_at`, redeeming at `closes_at`."""

    name: ClassVar[str] = "program.sunset_announced"
    program: Annotated[ProgramId, identifier()]
    sunset_at: Annotated[Timestamp, TIME]
    closes_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program,)
