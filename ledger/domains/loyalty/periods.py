"""The periods in which a program settles, until when it must have settled a purchase, and when a lot ends (LOY-11, LOY-15)."""

from typing import NamedTuple

from ledger.domains.loyalty.civil_days import calendar_expiry
from ledger.domains.loyalty.state import NEVER, CalendarExpiry, Expiry, NeverExpires, Program, Terms
from ledger.types import Day, Timestamp


class Period(NamedTuple):
    """A period's first second, the first second after it, and the first day after it."""

    begins: Timestamp
    ends: Timestamp
    end_day: Day


def period_at(program: Program, terms: Terms, time: Timestamp) -> Period:
    """The period under `terms` that holds `time`; where the program settles on demand, its day."""
    length = max(terms.period_days, 1)
    number = (program.day_at(time) - terms.period_anchor_day) // length
    first = Day(number * length + terms.period_anchor_day)
    end_day = Day(first + length)
    return Period(program.day_start(first), program.day_start(end_day), end_day)


def settle_by(program: Program, terms: Terms, time: Timestamp) -> Timestamp:
    """When a purchase made at `time` must be settled: the end of its period and the grace of `terms`."""
    return Timestamp(period_at(program, terms, time).ends + terms.settle_grace_days * 86_400)


def expiry_day(expiry: Expiry, *, base: Day, activation_day: Day) -> Day:
    """The day from which on a lot can't be used: days count from `base`, a named date from its activation (spec LOY-11, TIER-4)."""
    if isinstance(expiry, NeverExpires):
        return NEVER
    if isinstance(expiry, CalendarExpiry):
        return calendar_expiry(activation_day, month=expiry.month, day=expiry.day, years_min=expiry.years_min)
    return Day(base + expiry.days)
