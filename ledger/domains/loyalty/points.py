"""Moving points between lots and the totals of a program's books (spec LOY-8 to LOY-10, LOY-13).

A lot's points stand in the total `pending` while its activation day's totals exist, in `available` after, and in `expired` once
its expiry day's totals were moved. Whether a lot can be used is decided by its days alone, never by whether that work was done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
)
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.kinds import Context, DueKind
from ledger.params import LOTS_MAX
from ledger.state import RuleView
from ledger.types import Day, Points, ProgramId

POINTS_INSUFFICIENT = Code(
    "points.insufficient",
    "{needed} points are needed and {available} are available",
    "Wait until pending points become available, or choose something that costs less.",
)

RESTORE_GRACE_DAYS = 14
"""What comes back from a hold or a failed campaign stays usable at least this long, once (spec LOY-13)."""
GRACE_GIVEN = Day(0)
"""Activation day of a lot whose expiry was put off once. No other lot has it: no chain begins so early, but for a minute."""

DAY_DUE = "program.day"


@dataclass(slots=True)
class OpenDay:
    """A day's totals while points move."""

    activating: int
    expiring: int


@dataclass(slots=True)
class PointsBook:
    """A program's totals while one transaction or one piece of due work moves its points; `save` writes them."""

    view: RuleView
    program_id: ProgramId
    program: Program
    books: Books
    today: Day
    days: dict[Day, "OpenDay"]
    moved: dict[str, int]

    @staticmethod
    def open(view: RuleView, program_id: ProgramId, program: Program, context: Context) -> "PointsBook":
        """The book of `program` at the chain's present time."""
        books = load_books(view, program_id)
        return PointsBook(view, program_id, program, books, program.day_at(context.time), {}, {})

    def total(self, name: str) -> int:
        """The present value of a total, moves included."""
        return int(getattr(self.books, name)) + self.moved.get(name, 0)

    def move(self, name: str, amount: int) -> None:
        """Add `amount` (signed) to the total `name`."""
        self.moved[name] = self.moved.get(name, 0) + amount

    def _day(self, day: Day) -> OpenDay | None:
        found = self.days.get(day)
        if found is None:
            totals: DayTotals | None = self.view.get(days_key(self.program_id, day))
            if totals is not None:
                found = self.days[day] = OpenDay(totals.activating, totals.expiring)
        return found

    def _add_to_day(self, day: Day, activating: int, expiring: int) -> None:
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
            found = self.days[day] = OpenDay(0, 0)
        found.activating += activating
        found.expiring += expiring

    def book_in(self, lot: Lot) -> None:
        """Count a lot's points in `pending` or `available`, and in the days on which they will move."""
        _, activation_day, expiry_day, amount = lot
        day = Day(activation_day)
        if day > self.today or self._day(day) is not None:
            self._add_to_day(day, amount, 0)
            self.move("pending", amount)
        else:
            self.move("available", amount)
        if expiry_day != NEVER:
            self._add_to_day(Day(expiry_day), 0, amount)

    def book_out(self, lot: Lot) -> None:
        """Undo `book_in` for a lot that has not expired."""
        _, activation_day, expiry_day, amount = lot
        if self._day(Day(activation_day)) is not None:
            self._add_to_day(Day(activation_day), -amount, 0)
            self.move("pending", -amount)
        else:
            self.move("available", -amount)
        if expiry_day != NEVER:
            self._add_to_day(Day(expiry_day), 0, -amount)

    def move_expiry(self, amount: int, before: Day, after: Day) -> None:
        """Let `amount` points expire on another day after today; what is activating stays."""
        self._add_to_day(before, 0, -amount)
        self._add_to_day(after, 0, amount)

    def add_lot(self, lots: tuple[Lot, ...], lot: Lot) -> tuple[Lot, ...]:
        """Book a lot in and put it among `lots`: same days and version merge; expired ones are dropped (spec LOY-9)."""
        self.book_in(lot)
        version, activation_day, expiry_day, amount = lot
        kept: list[Lot] = []
        for other in lots:
            if other[0] == version and other[1] == activation_day and other[2] == expiry_day:
                amount += other[3]
            elif other[2] > self.today:
                kept.append(other)
        kept.append((version, activation_day, expiry_day, amount))
        kept.sort(key=by_expiry)
        while len(kept) > LOTS_MAX:
            kept = self._merge_first_two(kept)
        return tuple(kept)

    def _add_lots(self, lots: tuple[Lot, ...], added: Sequence[Lot]) -> tuple[Lot, ...]:
        """`add_lot` for each of `added`, in one pass where all have room, so that many lots don't cost their number squared."""
        if len(lots) + len(added) > LOTS_MAX:
            for lot in added:
                lots = self.add_lot(lots, lot)
            return lots
        amounts: dict[tuple[int, int, int], int] = {}
        for lot in added:
            self.book_in(lot)
            amounts[lot[:3]] = amounts.get(lot[:3], 0) + lot[3]
        kept: list[Lot] = []
        for lot in lots:
            if lot[:3] in amounts:
                amounts[lot[:3]] += lot[3]
            elif lot[2] > self.today:
                kept.append(lot)
        kept.extend((*which, amount) for which, amount in amounts.items())
        kept.sort(key=by_expiry)
        return tuple(kept)

    def _merge_first_two(self, lots: list[Lot]) -> list[Lot]:
        first, second = lots[0], lots[1]
        merged = (second[0], min(first[1], second[1]), second[2], first[3] + second[3])
        self.book_out(first)
        self.book_out(second)
        self.book_in(merged)
        return [merged, *lots[2:]]

    def take(self, lots: tuple[Lot, ...], amount: Points, into: str) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
        """Move `amount` usable points, soonest expiry first, to the total `into`; returns (lots left, lots taken).

        Raises `points.insufficient`.
        """
        usable = sum(lot[3] for lot in lots if lot[1] <= self.today < lot[2])
        if usable < amount:
            raise RuleViolation(POINTS_INSUFFICIENT, needed=amount, available=usable)
        left: list[Lot] = []
        taken: list[Lot] = []
        wanted: int = amount
        for lot in lots:
            version, activation_day, expiry_day, held = lot
            if expiry_day <= self.today:
                continue
            part = min(held, wanted) if activation_day <= self.today else 0
            if part:
                piece = (version, activation_day, expiry_day, part)
                self.book_out(piece)
                taken.append(piece)
                wanted -= part
            if held > part:
                left.append((version, activation_day, expiry_day, held - part))
        self.move(into, amount)
        return tuple(left), tuple(taken)

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
        return self._add_lots(lots, returning)

    def save(self) -> None:
        """Write the days and the totals that changed. The books are read again: the pool may have paid meanwhile."""
        books = load_books(self.view, self.program_id)
        changed = {name: Points(getattr(books, name) + amount) for name, amount in self.moved.items() if amount}
        if changed:
            self.view.put(books_key(self.program_id), replace(books, **changed))
        for day, found in self.days.items():
            totals = DayTotals(Points(found.activating), Points(found.expiring))
            self.view.put(days_key(self.program_id, day), totals)


def usable_points(lots: tuple[Lot, ...], today: Day) -> Points:
    """Points that can be spent on `today`."""
    return Points(sum(lot[3] for lot in lots if lot[1] <= today < lot[2]))


def by_expiry(lot: Lot) -> tuple[int, int, int]:
    """The order of lots in a record (spec LOY-8)."""
    return (lot[2], lot[1], lot[0])


def begin_day(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work at the start of a program's day: pending points become available, and what ends that day expires."""
    program_id, day = ProgramId(subject), Day(number)
    totals: DayTotals | None = view.get(days_key(program_id, day))
    assert totals is not None, "a scheduled day has totals"
    book = PointsBook.open(view, program_id, load_program(view, program_id), context)
    book.move("pending", -totals.activating)
    book.move("available", totals.activating - totals.expiring)
    book.move("expired", totals.expiring)
    book.save()
    view.delete(days_key(program_id, day))


BEGIN_DAY = DueKind(name=DAY_DUE, anchor="LOY-10", weight=200, apply=begin_day)
