"""Tiers, the cap of a period, calendar and sliding expiry: TIER-1 to TIER-5."""

from calendar import monthrange
from datetime import date, timedelta

from tests.model.records import DayTotals, Lot, M, Member, Terms
from tests.model.state import Model

HISTORY_MAX = 16
HISTORY_DAYS = 200
PERIODS_MAX = 4
NEVER_EXPIRES, ROLLING, CALENDAR, SLIDING = range(4)
PERIOD_CAP = 7
EPOCH = date(1970, 1, 1)


def _reach(terms: Terms, points: int) -> int:
    return sum(threshold <= points for _, threshold in terms.tiers)


def tier_at(model: Model, program: bytes, member: Member, time: int, terms: Terms) -> int:
    """TIER-2."""
    day = model.day_at(program, time)
    found = [points for _, until, since, points in member.tier_history if since <= time and day < until]
    return _reach(terms, max(found, default=0))


def _days_of(terms: Terms, base: int) -> tuple[int, int]:
    """TIER-1: first and until."""
    k = (base - terms.tier_anchor_day) // terms.tier_period_days
    begins = k * terms.tier_period_days + terms.tier_anchor_day
    return max(begins, 0), begins + 2 * terms.tier_period_days + terms.tier_grace_days


def take_back_of_tiers(model: Model, program: bytes, fan: bytes, terms: Terms, base: int, n: int) -> None:
    """TIER-1, for LOY-19, 8."""
    if not terms.tiers:
        return
    days = _days_of(terms, base)
    member = model.members[program, fan]
    of_period = [item[3] for item in member.tier_history if item[:2] == days]
    if not of_period:
        return
    most = max(of_period[-1] - n, 0)
    items = [(*item[:3], min(item[3], most)) if item[:2] == days else item for item in member.tier_history]
    model.members[program, fan] = member._replace(tier_history=tuple(item for item in items if item[3] > 0))


def count_towards_tiers(model: Model, program: bytes, fan: bytes, terms: Terms, base: int, n: int) -> None:
    """TIER-1."""
    if not terms.tiers:
        return
    first, until = _days_of(terms, base)
    member = model.members[program, fan]
    items = [item for item in member.tier_history if item[1] > model.today(program) - HISTORY_DAYS]
    places = [place for place, item in enumerate(items) if item[:2] == (first, until)]
    total = min((items[places[-1]][3] if places else 0) + n, M)
    if places and _reach(terms, total) == _reach(terms, items[places[-1]][3]):
        items[places[-1]] = (*items[places[-1]][:3], total)
    else:
        items.append((first, until, model.now, total))
    while len(items) > HISTORY_MAX:
        a, b, *rest = items
        items = [(b[0], max(a[1], b[1]), a[2], max(a[3], b[3])), *rest]
    model.members[program, fan] = member._replace(tier_history=tuple(items))


def period_cap(terms: Terms) -> tuple[int, bool] | None:
    """Points and whether it rejects (TIER-3)."""
    found = [rule[1:] for rule in terms.rules if rule[0] == PERIOD_CAP]
    return found[0] if found else None


def left_of_period(member: Member, terms: Terms, begins: int) -> int:
    """What a PeriodCap leaves of the period that begins then."""
    cap = period_cap(terms)
    assert cap is not None
    return max(cap[0] - dict(member.period_credits).get(max(begins, 0), 0), 0)


def count_in_period(model: Model, program: bytes, fan: bytes, terms: Terms, begins: int, points: int) -> None:
    """TIER-3, for an entry that was credited."""
    if period_cap(terms) is None:
        return
    member = model.members[program, fan]
    periods = dict(member.period_credits)
    periods[max(begins, 0)] = periods.get(max(begins, 0), 0) + points
    kept = tuple(sorted(periods.items())[-PERIODS_MAX:])
    model.members[program, fan] = member._replace(period_credits=kept)


def calendar_expiry(terms: Terms, activation_day: int) -> int:
    """TIER-4, by Python's own calendar."""
    _, month, day, years_min = terms.expiry

    def named(year: int) -> int:
        return (date(year, month, min(day, monthrange(year, month)[1])) - EPOCH).days

    year = (EPOCH + timedelta(days=activation_day)).year
    if named(year) < activation_day:
        year += 1
    return named(year + years_min) + 1


def extend_sliding_lots(model: Model, program: bytes, fan: bytes) -> None:
    """TIER-5."""
    today = model.today(program)
    member = model.members[program, fan]
    lots: list[Lot] = []
    for lot in member.lots:
        terms = model.terms[program, lot.version]
        if lot.expiry_day > today and terms.expiry[0] == SLIDING and today + terms.expiry[1] > lot.expiry_day:
            backing = lot.points * terms.collateral
            _move(model, program, lot.expiry_day, -lot.points, -backing)
            extended = lot._replace(expiry_day=today + terms.expiry[1])
            _move(model, program, extended.expiry_day, lot.points, backing)
            lots.append(extended)
        else:
            lots.append(lot)
    if tuple(lots) == member.lots:
        return
    merged: dict[tuple[int, int, int], int] = {}
    for lot in lots:
        if lot.expiry_day > today:
            key = (lot.expiry_day, lot.activation_day, lot.version)
            merged[key] = merged.get(key, 0) + lot.points
    kept = tuple(Lot(version, begins, ends, points) for (ends, begins, version), points in sorted(merged.items()))
    model.members[program, fan] = member._replace(lots=kept)


def _move(model: Model, program: bytes, day: int, expiring: int, backing: int) -> None:
    found = model.days.get((program, day))
    if found is None:
        model.queue("program.day", program, day, model.day_start(program, day))
        found = DayTotals(0, 0, 0)
    model.days[program, day] = DayTotals(found.activating, found.expiring + expiring, found.backing + backing)
