"""Moving points between lots and the totals of a program's books (spec LOY-8 to LOY-10, LOY-13).

A lot's points stand in the total `pending` while its activation day's totals exist, in `available` after, and in `expired` once
its expiry day's totals were moved. Whether a lot can be used is decided by its days alone, never by whether that work was done.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

from ledger.domains.loyalty.books import THOUSAND, move_security, security, thousandths
from ledger.domains.loyalty.state import (
    NEVER,
    Books,
    DayTotals,
    Lot,
    Program,
    books_key,
    days_key,
    load_books,
    load_program,
    load_terms,
)
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import Context, DueKind
from ledger.params import LOTS_MAX
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Day, Points, ProgramId

POINTS_INSUFFICIENT = Code(
    "points.insufficient",
    "{needed} points are needed and {available} are available",
    "Wait until pending points become available, or choose something that costs less.",
)

RESTORE_GRACE_DAYS = 14
"""What comes back from a hold or a failed campaign stays usable at least this long, once (spec LOY-13)."""
GRACE_GIVEN = Day(0)
"""Activation day of a lot whose expiry was put off once. No other lot has it: no chain begins so early, but for a minute."""

EXPIRY_DAY = itemgetter(2)
"""What the lots of a record never fall in; those that have expired come first."""
BY_EXPIRY = itemgetter(2, 1, 0)
"""The order of lots in a record (spec LOY-8)."""

DAY_DUE = "program.day"
SECURED = frozenset({"backing", "burn_carry", "contest_points_credited", "challenge_points", "offered"})
"""Totals from which the coin behind points follows."""


@dataclass(slots=True)
class OpenDay:
    """A day's totals while points move."""

    activating: int
    expiring: int
    backing: int


@dataclass(slots=True)
class PointsBook:
    """A program's totals while one transaction or one piece of due work moves its points; `save` writes them.

    `rates` remembers (collateral, burn) of the terms that lots name.
    """

    view: RuleView
    program_id: ProgramId
    program: Program
    books: Books
    today: Day
    days: dict[Day, "OpenDay"]
    moved: dict[str, int]
    rates: dict[int, tuple[int, int]]

    @staticmethod
    def open(view: RuleView, program_id: ProgramId, program: Program, context: Context) -> "PointsBook":
        """The book of `program` at the chain's present time."""
        books = load_books(view, program_id)
        return PointsBook(view, program_id, program, books, program.day_at(context.time), {}, {}, {})

    def total(self, name: str) -> int:
        """The present value of a total, moves included."""
        return int(getattr(self.books, name)) + self.moved.get(name, 0)

    def move(self, name: str, amount: int) -> None:
        """Add `amount` (signed) to the total `name`."""
        self.moved[name] = self.moved.get(name, 0) + amount

    def rate_of(self, version: int) -> tuple[int, int]:
        """(collateral, burn) of the terms `version`: coin per 1,000 points (spec COL-1)."""
        found = self.rates.get(version)
        if found is None:
            terms = load_terms(self.view, self.program_id, version)
            found = self.rates[version] = (terms.collateral, terms.burn)
        return found

    def backing_of(self, lots: Sequence[Lot]) -> int:
        """Thousandths of coin behind lots, each by the terms that it names (spec COL-1)."""
        return sum(lot[3] * self.rate_of(lot[0])[0] for lot in lots)

    def can_cover(self, points: int, version: int) -> bool:
        """Whether the pool can pay what is put aside or burned for so many points of a version more (spec COL-3)."""
        return self._can_pay(points * sum(self.rate_of(version)))

    def can_set_aside(self, points: int) -> bool:
        """Whether the pool can pay for so many points more that a challenge or an offer may credit later (spec COL-3)."""
        return self._can_pay(points * load_books(self.view, self.program_id).contest_backing)

    def can_save(self) -> bool:
        """Whether the pool can pay for what was moved."""
        return self._can_pay(0)

    def _can_pay(self, added: int) -> bool:
        books = load_books(self.view, self.program_id)
        get = self.moved.get
        creditable = get("challenge_points", 0) + get("offered", 0) - get("contest_points_credited", 0)
        moved = get("backing", 0) + get("burn_carry", 0) + creditable * books.contest_backing
        if added + moved <= 0:
            return True
        before = thousandths(books) + moved
        burned = (books.burn_carry + self.moved.get("burn_carry", 0)) // THOUSAND * THOUSAND
        fits = before - burned + added <= INTEGER_MAX
        return fits and -(-(before + added) // THOUSAND) <= books.pool + security(books)

    def secure(self, lot: Lot) -> None:
        """Put coin aside, or burn it, for a lot that is issued (spec COL-3)."""
        self.move("backing", self.backing_of((lot,)))
        self.move("burn_carry", lot[3] * self.rate_of(lot[0])[1])

    def release(self, lots: Sequence[Lot]) -> None:
        """End what stands behind lots that have left for good (spec COL-4)."""
        self.move("backing", -self.backing_of(lots))

    def _day(self, day: Day) -> OpenDay | None:
        found = self.days.get(day)
        if found is None:
            totals: DayTotals | None = self.view.get(days_key(self.program_id, day))
            if totals is not None:
                found = self.days[day] = OpenDay(totals.activating, totals.expiring, totals.backing)
        return found

    def _add_to_day(self, day: Day, *, activating: int = 0, expiring: int = 0, backing: int = 0) -> None:
        found = self._day(day)
        if found is None:
            assert day > self.today, "a day that has begun gets no new totals"
            schedule(
                self.view,
                kind=DAY_DUE,
                subject=self.program_id,
                number=day,
                due=self.program.day_start(day),
            )
            found = self.days[day] = OpenDay(0, 0, 0)
        found.activating += activating
        found.expiring += expiring
        found.backing += backing

    def _add_to_expiry(self, lot: Lot, sign: int) -> None:
        """Let a lot's points expire on its day, or (`sign` -1) no more."""
        if lot[2] != NEVER:
            self._add_to_day(Day(lot[2]), expiring=sign * lot[3], backing=sign * self.backing_of((lot,)))

    def book_in(self, lot: Lot) -> None:
        """Count a lot's points in `pending` or `available`, and in the days on which they will move."""
        day, amount = Day(lot[1]), lot[3]
        if day > self.today or self._day(day) is not None:
            self._add_to_day(day, activating=amount)
            self.move("pending", amount)
        else:
            self.move("available", amount)
        self._add_to_expiry(lot, 1)

    def book_out(self, lot: Lot) -> None:
        """Undo `book_in` for a lot that has not expired."""
        day, amount = Day(lot[1]), lot[3]
        if self._day(day) is not None:
            self._add_to_day(day, activating=-amount)
            self.move("pending", -amount)
        else:
            self.move("available", -amount)
        self._add_to_expiry(lot, -1)

    def move_expiry(self, lot: Lot, after: Day) -> None:
        """Let a lot's points expire on another day after today; what is activating stays."""
        self._add_to_expiry(lot, -1)
        self._add_to_expiry((lot[0], lot[1], after, lot[3]), 1)

    def add_lot(self, lots: tuple[Lot, ...], lot: Lot) -> tuple[Lot, ...]:
        """Book a lot in and put it among `lots`: same days and version merge; expired ones are dropped (spec LOY-9)."""
        self.book_in(lot)
        version, activation_day, expiry_day, amount = lot
        kept = list(lots)
        place = bisect_left(kept, expiry_day, key=EXPIRY_DAY)
        while place < len(kept) and kept[place][2] == expiry_day:
            if kept[place][:2] == (version, activation_day):
                amount += kept.pop(place)[3]
            else:
                place += 1
        if kept and kept[0][2] <= self.today:
            del kept[: bisect_right(kept, self.today, key=EXPIRY_DAY)]
        kept.append((version, activation_day, expiry_day, amount))
        kept.sort(key=BY_EXPIRY)
        while len(kept) > LOTS_MAX:
            kept = self._merge_two(kept)
        return tuple(kept)

    def _add_lots(self, lots: tuple[Lot, ...], added: Sequence[Lot]) -> tuple[Lot, ...]:
        """`add_lot` for each of `added`, in one pass where all have room, so that many lots don't cost their number squared."""
        if len(lots) + len(added) > LOTS_MAX:
            for lot in added:
                lots = self.add_lot(lots, lot)
            return lots
        for lot in added:
            self.book_in(lot)
        return join_lots(lots, added, self.today)

    def _merge_two(self, lots: list[Lot]) -> list[Lot]:
        """Merge the first two neighbours with the same collateral; where there are none, the first two, at the lower of theirs."""
        pairs = enumerate(pairwise(lots))
        place = next((at for at, (one, other) in pairs if self.rate_of(one[0])[0] == self.rate_of(other[0])[0]), 0)
        first, second = lots[place], lots[place + 1]
        version = first[0] if self.rate_of(first[0])[0] < self.rate_of(second[0])[0] else second[0]
        merged = (version, min(first[1], second[1]), second[2], first[3] + second[3])
        self.book_out(first)
        self.book_out(second)
        self.book_in(merged)
        self.release((first, second))
        self.move("backing", self.backing_of((merged,)))
        return [*lots[:place], merged, *lots[place + 2 :]]

    def take(self, lots: tuple[Lot, ...], amount: Points, into: str) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
        """Move `amount` usable points, soonest expiry first, to the total `into`; returns (lots left, lots taken).

        Raises `points.insufficient`.
        """
        left, taken = split_usable(lots, amount, self.today)
        for piece in taken:
            self.book_out(piece)
        self.move(into, amount)
        return left, taken

    def give_back(self, lots: tuple[Lot, ...], taken: tuple[Lot, ...], out_of: str) -> tuple[Lot, ...]:
        """Move taken lots back from the total `out_of`. Each lot gets the grace once; a second time it may expire (spec LOY-13)."""
        until = self.today + RESTORE_GRACE_DAYS
        returning: list[Lot] = []
        for version, activation_day, expiry_day, amount in taken:
            self.move(out_of, -amount)
            if expiry_day < until and activation_day != GRACE_GIVEN:
                returning.append((version, GRACE_GIVEN, until, amount))
            elif expiry_day > self.today:
                returning.append((version, activation_day, expiry_day, amount))
            else:
                self.move("expired", amount)
                self.release(((version, activation_day, expiry_day, amount),))
        return self._add_lots(lots, returning)

    def save(self) -> None:
        """Write the days and the totals that changed, and move what stands behind points (spec COL-2).

        The books are read again: the pool may have paid meanwhile.
        """
        books = load_books(self.view, self.program_id)
        changed: dict[str, Any] = {name: getattr(books, name) + amount for name, amount in self.moved.items() if amount}
        if changed:
            after = replace(books, **changed)
            if SECURED & changed.keys():
                after = move_security(self.view, books, after)
            self.view.put(books_key(self.program_id), after)
        for day, found in self.days.items():
            totals = DayTotals(Points(found.activating), Points(found.expiring), found.backing)
            self.view.put(days_key(self.program_id, day), totals)


def split_usable(lots: tuple[Lot, ...], amount: Points, today: Day) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """Set `amount` points that are usable `today` apart, soonest expiry first: (lots left, lots taken). Expired lots go.

    Nothing is booked. Raises `points.insufficient`.
    """
    taken: list[Lot] = []
    left: list[Lot] = []
    wanted: int = amount
    place = bisect_right(lots, today, key=EXPIRY_DAY)
    while wanted and place < len(lots):
        version, activation_day, expiry_day, held = lots[place]
        part = min(held, wanted) if activation_day <= today else 0
        if part:
            taken.append((version, activation_day, expiry_day, part))
            wanted -= part
        if held > part:
            left.append((version, activation_day, expiry_day, held - part))
        place += 1
    if wanted:
        raise RuleViolation(POINTS_INSUFFICIENT, needed=amount, available=amount - wanted)
    left.extend(lots[place:])
    return tuple(left), tuple(taken)


def join_lots(lots: tuple[Lot, ...], added: Sequence[Lot], today: Day) -> tuple[Lot, ...]:
    """`lots` with `added` among them, in order: those of the same days and version are one, expired ones go. Nothing is booked."""
    amounts: dict[tuple[int, int, int], int] = {}
    for lot in added:
        amounts[lot[:3]] = amounts.get(lot[:3], 0) + lot[3]
    kept: list[Lot] = []
    for lot in lots:
        if lot[:3] in amounts:
            amounts[lot[:3]] += lot[3]
        elif lot[2] > today:
            kept.append(lot)
    kept.extend((*which, amount) for which, amount in amounts.items())
    kept.sort(key=BY_EXPIRY)
    return tuple(kept)


def usable_points(lots: tuple[Lot, ...], today: Day) -> Points:
    """Points that can be spent on `today`."""
    return Points(sum(lot[3] for lot in lots if lot[1] <= today < lot[2]))


def begin_day(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work at the start of a program's day: pending points become available, and what ends that day expires."""
    program_id, day = ProgramId(subject), Day(number)
    totals: DayTotals | None = view.get(days_key(program_id, day))
    assert totals is not None, "a scheduled day has totals"
    book = PointsBook.open(view, program_id, load_program(view, program_id), context)
    book.move("pending", -totals.activating)
    book.move("available", totals.activating - totals.expiring)
    book.move("expired", totals.expiring)
    book.move("backing", -totals.backing)
    book.save()
    view.delete(days_key(program_id, day))


BEGIN_DAY = DueKind(name=DAY_DUE, anchor="LOY-10", weight=200, apply=begin_day)
