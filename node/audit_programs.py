"""What programs owe on a day: their totals, and the same once more from every lot, hold and pledge (spec AUD-3).

Points expire by day: at the end of a day everything that this day or an earlier one ends is expired, whether the chain has done the
work of that day or not. So totals that wait in a day's record are moved here as that day's work will move them. The lots of
members, holds and pledges are then added up by themselves; both ways must give the same figures.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from ledger.domains.crowdfunding.escrow import share_between
from ledger.domains.crowdfunding.state import CAMPAIGNS, PLEDGES, Campaign, Pledge
from ledger.domains.crowdfunding.terms import PointsUnit
from ledger.domains.loyalty.state import (
    BOOKS,
    DAYS,
    MEMBERS,
    PROGRAMS,
    TERMS,
    Books,
    DayTotals,
    Lot,
    Member,
    Program,
    Terms,
)
from ledger.domains.rewards.fulfilments import split_lots
from ledger.domains.rewards.state import FULFILMENTS, HOLDS, Fulfilment, Hold
from ledger.errors import Code
from ledger.invariants import POINT_TOTALS
from ledger.types import Day, Points, ProgramId
from node.audit_figures import Shares, measure_shares
from node.errors import NodeError
from node.store.scan import scan_records

BOOKS_DIFFER = Code(
    "audit.books_differ",
    "program {program}: its lots, holds and pledges give {counted} {name}, and its books say {booked}",
    "Report this: the chain's own invariants should make it impossible.",
)

LIVE: Final = ("pending", "available", "held", "escrowed")
"""The totals that a program owes: points that can still be spent, or will be."""
ID_BYTES: Final = 32


@dataclass(slots=True)
class ExpiryLine:
    """Points that end on one day (`NEVER`: on none), by where they are."""

    pending: int = 0
    available: int = 0
    held: int = 0
    escrowed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.available + self.held + self.escrowed


@dataclass(frozen=True, slots=True)
class ProgramPosition:
    """A program at the end of `day`, which is its own.

    `recorded` are the books as the record of the last block has them, `books` the same after the work of the days up to `day`;
    `waiting` are the days that were moved here. `counted` are the live totals from lots, holds and pledges, `backing_counted` the
    thousandths of coin behind them and behind what can be refunded (spec COL-4).
    """

    program_id: ProgramId
    program: Program
    day: Day
    recorded: Books
    books: Books
    waiting: dict[Day, DayTotals]
    counted: dict[str, int]
    lines: dict[Day, ExpiryLine]
    shares: Shares
    backing_counted: int = 0

    @property
    def liability(self) -> int:
        """Points that the program owes."""
        return sum(getattr(self.books, name) for name in LIVE)

    def faults(self) -> Iterator[NodeError]:
        """Where the two ways of counting differ, or the totals do not add up."""
        for name in LIVE:
            booked = getattr(self.books, name)
            if self.counted[name] != booked:
                yield NodeError(
                    BOOKS_DIFFER, program=self.program_id, name=name, counted=self.counted[name], booked=booked
                )
        if self.backing_counted != self.books.backing:
            counted, booked = self.backing_counted, self.books.backing
            yield NodeError(
                BOOKS_DIFFER, program=self.program_id, name="thousandths of coin", counted=counted, booked=booked
            )
        total = sum(getattr(self.books, name) for name in POINT_TOTALS)
        if self.books.issued + self.books.restored != total:
            issued = self.books.issued + self.books.restored
            yield NodeError(
                BOOKS_DIFFER, program=self.program_id, name="issued and restored", counted=total, booked=issued
            )


@dataclass(slots=True)
class _Count:
    """What is added up for one program."""

    program: Program
    day: Day
    lines: defaultdict[Day, ExpiryLine] = field(default_factory=lambda: defaultdict(ExpiryLine))
    members: list[int] = field(default_factory=list[int])
    collateral: dict[int, int] = field(default_factory=dict[int, int])
    backing: int = 0

    def back(self, lots: Iterable[Lot]) -> None:
        """Count the coin behind lots, each by the version of the terms that it names."""
        self.backing += sum(amount * self.collateral[version] for version, _, _, amount in lots)

    def add_lots(self, lots: Iterable[Lot]) -> int:
        """Count a member's lots; returns those that live."""
        total = 0
        for lot in lots:
            _, activation, expiry, amount = lot
            if expiry <= self.day:
                continue
            self.back((lot,))
            line = self.lines[Day(expiry)]
            if activation <= self.day:
                line.available += amount
            else:
                line.pending += amount
            total += amount
        return total


def measure_programs(
    connection: Connection, day_of: Callable[[Program], Day], wanted: Callable[[ProgramId], bool] = lambda _: True
) -> list[ProgramPosition]:
    """The position of every program that is wanted, at the end of its day `day_of(program)`, in the state at the tip."""
    counts: dict[bytes, _Count] = {}
    for key, program in scan_records(connection, PROGRAMS.prefix):
        if wanted(ProgramId(key[1:])):
            count = counts[key[1:]] = _Count(program, day_of(program))
            terms: Terms
            for terms_of, terms in scan_records(connection, TERMS.prefix + key[1:]):
                count.collateral[int.from_bytes(terms_of[1 + ID_BYTES :], "big")] = terms.collateral
    if not counts:
        return []
    for program_id, count in counts.items():
        member: Member
        for _, member in scan_records(connection, MEMBERS.prefix + program_id):
            count.members.append(count.add_lots(member.lots))
    hold: Hold
    for _, hold in scan_records(connection, HOLDS.prefix):
        if hold.program in counts:
            counts[hold.program].back(hold.lots)
            for _, _, expiry, amount in hold.lots:
                counts[hold.program].lines[Day(expiry)].held += amount
    fulfilment: Fulfilment
    for _, fulfilment in scan_records(connection, FULFILMENTS.prefix):
        if fulfilment.program in counts:
            counts[fulfilment.program].back(fulfilment.lots)
    _count_pledges(connection, counts)
    return [_position(connection, ProgramId(program_id), count) for program_id, count in sorted(counts.items())]


def _count_pledges(connection: Connection, counts: Mapping[bytes, _Count]) -> None:
    """What each pledge of points would get back if its campaign stopped now: the end of its lots (spec CRF-4, CRF-5)."""
    campaigns: dict[bytes, tuple[bytes, Campaign]] = {}
    campaign: Campaign
    for key, campaign in scan_records(connection, CAMPAIGNS.prefix):
        if isinstance(campaign.unit, PointsUnit) and campaign.escrowed and campaign.unit.program in counts:
            campaigns[key[1:]] = (campaign.unit.program, campaign)
    pledge: Pledge
    for campaign_id, (program_id, campaign) in campaigns.items():
        lines = counts[program_id].lines
        total, weight = campaign.refund_total or campaign.escrowed, campaign.refund_weight or campaign.weight
        before = weight - campaign.weight
        for _, pledge in scan_records(connection, PLEDGES.prefix + campaign_id):
            share = share_between(total, weight, before, pledge.quantity)
            before += pledge.quantity
            counts[program_id].back(pledge.lots)
            for _, _, expiry, amount in split_lots(pledge.lots, pledge.quantity - share)[1]:
                lines[Day(expiry)].escrowed += amount


def _position(connection: Connection, program_id: ProgramId, count: _Count) -> ProgramPosition:
    ((_, recorded),) = scan_records(connection, BOOKS.prefix + program_id)
    waiting: dict[Day, DayTotals] = {}
    totals: DayTotals
    for key, totals in scan_records(connection, DAYS.prefix + program_id):
        day = Day(int.from_bytes(key[1 + ID_BYTES :], "big"))
        if day <= count.day:
            waiting[day] = totals
    activating = sum(totals.activating for totals in waiting.values())
    expiring = sum(totals.expiring for totals in waiting.values())
    books = replace(
        recorded,
        pending=Points(recorded.pending - activating),
        available=Points(recorded.available + activating - expiring),
        expired=Points(recorded.expired + expiring),
        backing=recorded.backing - sum(totals.backing for totals in waiting.values()),
    )
    lines = {day: line for day, line in sorted(count.lines.items()) if line.total}
    return ProgramPosition(
        program_id=program_id,
        program=count.program,
        day=count.day,
        recorded=recorded,
        books=books,
        waiting=waiting,
        counted={name: sum(getattr(line, name) for line in lines.values()) for name in LIVE},
        lines=lines,
        shares=measure_shares(count.members),
        backing_counted=count.backing,
    )
