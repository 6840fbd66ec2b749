"""Lots, the totals of days, taking points and giving them back: LOY-6 and LOY-8 to LOY-13."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from tests.model.collateral import backing_of, release
from tests.model.records import DAY, NEVER, DayTotals, Lot, M, Refused, Terms
from tests.model.state import Model
from tests.model.tiers import CALENDAR, calendar_expiry, tier_at

LOTS_MAX = 128
GRACE_DAYS = 14
GRACE_GIVEN = 0
RECEIPT_AGE_MAX = 259_200


class Purchase(NamedTuple):
    """What a rule sees of a purchase (LOY-6)."""

    time: int
    net_cents: int
    paid_with_points_cents: int
    codes: tuple[tuple[str, int], ...] = ()
    tier: int = 0
    previous_visit: int = 0


def _holds(window: tuple[Any, ...], time: int, offset_minutes: int) -> bool:
    """Whether a BonusWindow holds a time."""
    _, from_day, until_day, weekdays, minute_from, minute_until, _, _ = window
    day, second = divmod(time + 60 * offset_minutes, DAY)
    is_its_weekday = bool(weekdays >> (day + 3) % 7 & 1)
    return from_day <= day < until_day and is_its_weekday and minute_from <= second // 60 < minute_until


def points_of(terms: Terms, offset_minutes: int, bought: Purchase) -> int:
    """What a purchase gives (LOY-6)."""
    rules = terms.rules
    eligible = bought.net_cents - bought.paid_with_points_cents
    if eligible <= 0 or any(rule[0] == 1 and eligible < rule[1] for rule in rules):
        return 0
    total = sum(eligible * rule[1] // rule[2] for rule in rules if rule[0] == 0)
    for rule in rules:
        if rule[0] == 3:
            cents = min(max(dict(bought.codes).get(rule[1], 0), 0), bought.net_cents)
            total += cents * eligible // bought.net_cents * rule[2] // rule[3]
        if rule[0] == 4:
            is_new = bought.previous_visit == 0 or bought.time - bought.previous_visit >= rule[3]
            total += rule[1] if eligible >= rule[2] and is_new else 0
    windows = [rule[-2:] for rule in rules if rule[0] == 5 and _holds(rule, bought.time, offset_minutes)]
    multipliers = [rule[-2:] for rule in rules if rule[0] == 6 and rule[1] <= bought.tier]
    for ratios in (windows, multipliers):
        if ratios:
            numerator, denominator = max(ratios, key=lambda ratio: Fraction(*ratio))
            total = total * numerator // denominator
    return min([total, M, *(rule[1] for rule in rules if rule[0] == 2)])


def versions_nameable(model: Model, program: bytes, time: int) -> set[int]:
    """The versions that a receipt of a time may name (LOY-6)."""
    return model.versions_in_force(program, max(time - RECEIPT_AGE_MAX, 0), time)


def better_of_two(model: Model, program: bytes, fan: bytes, named: int, bought: Purchase) -> int:
    """The points by the terms that a receipt names or by those in force at its time, each with the better tier (LOY-6)."""
    member = model.members[program, fan]
    found = []
    for terms in (model.terms[program, named], model.terms_at(program, bought.time)):
        tier = max(bought.tier, tier_at(model, program, member, bought.time, terms))
        found.append(points_of(terms, model.programs[program].offset_minutes, bought._replace(tier=tier)))
    return max(found)


def _add_to_day(model: Model, program: bytes, day: int, activating: int, expiring: int, backing: int) -> None:
    found = model.days.get((program, day))
    if found is None:
        assert day > model.today(program), "totals are made for days to come"
        model.queue("program.day", program, day, model.day_start(program, day))
        found = DayTotals(0, 0, 0)
    model.days[program, day] = DayTotals(
        found.activating + activating, found.expiring + expiring, found.backing + backing
    )
    assert min(model.days[program, day]) >= 0


def book_in(model: Model, program: bytes, lot: Lot) -> None:
    """LOY-10."""
    if lot.activation_day > model.today(program) or (program, lot.activation_day) in model.days:
        _add_to_day(model, program, lot.activation_day, lot.points, 0, 0)
        model.change_books(program, pending=lot.points)
    else:
        model.change_books(program, available=lot.points)
    if lot.expiry_day != NEVER:
        _add_to_day(model, program, lot.expiry_day, 0, lot.points, backing_of(model, program, (lot,)))


def book_out(model: Model, program: bytes, lot: Lot) -> None:
    """LOY-10."""
    if (program, lot.activation_day) in model.days:
        _add_to_day(model, program, lot.activation_day, -lot.points, 0, 0)
        model.change_books(program, pending=-lot.points)
    else:
        model.change_books(program, available=-lot.points)
    if lot.expiry_day != NEVER:
        _add_to_day(model, program, lot.expiry_day, 0, -lot.points, -backing_of(model, program, (lot,)))


def add_lot(model: Model, program: bytes, lots: Iterable[Lot], new: Lot) -> tuple[Lot, ...]:
    """LOY-9: the member's lots with one more."""
    book_in(model, program, new)
    today = model.today(program)
    kept: list[Lot] = []
    for lot in lots:
        if lot[:3] == new[:3]:
            new = new._replace(points=new.points + lot.points)
        elif lot.expiry_day > today:
            kept.append(lot)
    kept.append(new)
    kept.sort(key=lambda lot: (lot.expiry_day, lot.activation_day, lot.version))
    while len(kept) > LOTS_MAX:
        behind = [model.terms[program, lot.version].collateral for lot in kept]
        place = next((at for at, two in enumerate(pairwise(behind)) if two[0] == two[1]), 0)
        a, b = kept[place : place + 2]
        version = a.version if behind[place] < behind[place + 1] else b.version
        merged = Lot(version, min(a.activation_day, b.activation_day), b.expiry_day, a.points + b.points)
        book_out(model, program, a)
        book_out(model, program, b)
        book_in(model, program, merged)
        more = backing_of(model, program, (merged,)) - backing_of(model, program, (a, b))
        model.change_books(program, backing=more)
        kept[place : place + 2] = [merged]
    return tuple(kept)


def give_lot(model: Model, program: bytes, fan: bytes, lot: Lot) -> None:
    """Add a lot to a member's record."""
    member = model.members[program, fan]
    model.members[program, fan] = member._replace(lots=add_lot(model, program, member.lots, lot))


def usable_points(model: Model, program: bytes, fan: bytes) -> int:
    """What a member can spend today (LOY-8)."""
    today = model.today(program)
    lots = model.members[program, fan].lots
    return sum(lot.points for lot in lots if lot.activation_day <= today < lot.expiry_day)


def split_lots(lots: Iterable[Lot], wanted: int, today: int) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """What is left and what is taken where so many usable points are taken out of lots (LOY-10)."""
    left: list[Lot] = []
    taken: list[Lot] = []
    missing = wanted
    for lot in lots:
        if lot.expiry_day <= today:
            continue
        gives = min(lot.points, missing) if lot.activation_day <= today else 0
        if gives:
            missing -= gives
            taken.append(lot._replace(points=gives))
        if gives < lot.points:
            left.append(lot._replace(points=lot.points - gives))
    assert missing == 0
    return tuple(left), tuple(taken)


def take_points(model: Model, program: bytes, fan: bytes, wanted: int, total: str) -> tuple[Lot, ...]:
    """Take usable points into the total `held` or `escrowed` (LOY-10); the lots that were taken."""
    if usable_points(model, program, fan) < wanted:
        raise Refused("points.insufficient")
    member = model.members[program, fan]
    left, taken = split_lots(member.lots, wanted, model.today(program))
    for lot in taken:
        book_out(model, program, lot)
    model.members[program, fan] = member._replace(lots=left)
    model.change_books(program, **{total: wanted})
    return taken


def give_points_back(model: Model, program: bytes, fan: bytes, lots: Iterable[Lot], total: str) -> None:
    """LOY-13. Expired lots are dropped also where none is added."""
    today = model.today(program)
    back: list[Lot] = []
    for lot in lots:
        model.change_books(program, **{total: -lot.points})
        if lot.expiry_day < today + GRACE_DAYS and lot.activation_day != GRACE_GIVEN:
            back.append(lot._replace(expiry_day=today + GRACE_DAYS, activation_day=GRACE_GIVEN))
        elif lot.expiry_day <= today:
            model.change_books(program, expired=lot.points)
            release(model, program, (lot,))
        else:
            back.append(lot)
    member = model.members[program, fan]
    model.members[program, fan] = member._replace(lots=tuple(lot for lot in member.lots if lot.expiry_day > today))
    for lot in back:
        give_lot(model, program, fan, lot)


def begin_day(model: Model, program: bytes, day: int) -> None:
    """Due work `program.day` (LOY-10)."""
    totals = model.days.pop((program, day))
    model.change_books(
        program,
        pending=-totals.activating,
        available=totals.activating - totals.expiring,
        expired=totals.expiring,
        backing=-totals.backing,
    )


def expiry_of(terms: Terms, base: int, activation_day: int) -> int:
    """The day from which points no longer count, `base` being the day from which they count on (LOY-11)."""
    if terms.expiry[0] == CALENDAR:
        return calendar_expiry(terms, activation_day)
    return base + terms.expiry[1] if terms.expiry[0] else NEVER


def days_in_seconds(days: int) -> int:
    """Days of 86,400 seconds."""
    return days * DAY
