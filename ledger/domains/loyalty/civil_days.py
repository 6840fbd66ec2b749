"""Dates of the Gregorian calendar as day numbers, by integers alone: no table of months, no time zone (spec TIER-4).

The algorithms are H. Hinnant's "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that a leap day is their
last day; an era is 400 years of 146,097 days.
"""

from ledger.types import Day

ERA_DAYS = 146_097
EPOCH_SHIFT_DAYS = 719_468
"""Days from 0000-03-01 to 1970-01-01."""


def day_of_date(year: int, month: int, day: int) -> Day:
    """The day number of a date, days since 1970-01-01; `month` is 1..12."""
    march_year = year - (1 if month <= 2 else 0)
    era = march_year // 400
    year_of_era = march_year - 400 * era
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = 365 * year_of_era + year_of_era // 4 - year_of_era // 100 + day_of_year
    return Day(ERA_DAYS * era + day_of_era - EPOCH_SHIFT_DAYS)


def date_of_day(day: Day) -> tuple[int, int, int]:
    """Year, month (1..12) and day of the month of a day number."""
    shifted = day + EPOCH_SHIFT_DAYS
    era = shifted // ERA_DAYS
    day_of_era = shifted - ERA_DAYS * era
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    months_since_march = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * months_since_march + 2) // 5 + 1
    is_next_year = months_since_march >= 10
    month = months_since_march - 9 if is_next_year else months_since_march + 3
    return year_of_era + 400 * era + (1 if is_next_year else 0), month, day_of_month


def named_day(year: int, month: int, day: int) -> Day:
    """The date in that year, or the last day of its month where the month is shorter."""
    first = day_of_date(year, month, 1)
    following = day_of_date(year + 1, 1, 1) if month == 12 else day_of_date(year, month + 1, 1)
    return Day(first + min(day, following - first) - 1)


def calendar_expiry(activation_day: Day, *, month: int, day: int, years_min: int) -> Day:
    """The day after the named date that is on or after the activation day, `years_min` years later."""
    year, _, _ = date_of_day(activation_day)
    if named_day(year, month, day) < activation_day:
        year += 1
    return Day(named_day(year + years_min, month, day) + 1)
