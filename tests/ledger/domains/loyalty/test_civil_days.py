"""Dates as day numbers, against the standard library's calendar (spec TIER-4)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domains.loyalty.civil_days import calendar_expiry, date_of_day, day_of_date, named_day
from ledger.types import Day

EPOCH = date(1970, 1, 1)


@given(st.dates())
def test_days_are_those_of_the_gregorian_calendar(when: date) -> None:
    day = Day((when - EPOCH).days)
    assert day_of_date(when.year, when.month, when.day) == day
    assert date_of_day(day) == (when.year, when.month, when.day)


def test_the_ends_of_months_and_years_of_an_era() -> None:
    """From a 1 March to the end of February 400 years later the calendar does all that it ever does."""
    firsts = [date(year, month, 1) for year in range(1600, 2001) for month in range(1, 13)]
    for when in (when + timedelta(days) for when in firsts for days in (-1, 0)):
        day = Day((when - EPOCH).days)
        assert date_of_day(day) == (when.year, when.month, when.day)
        assert day_of_date(when.year, when.month, when.day) == day


@given(st.integers(-(10**9), 2**31 - 1))
def test_a_day_beyond_any_calendar_comes_back(day: int) -> None:
    assert day_of_date(*date_of_day(Day(day))) == day


@pytest.mark.parametrize(
    ("year", "month", "day", "expected"),
    [
        (2026, 12, 31, date(2026, 12, 31)),
        (2026, 2, 29, date(2026, 2, 28)),
        (2028, 2, 30, date(2028, 2, 29)),
        (2100, 2, 29, date(2100, 2, 28)),
        (2026, 4, 31, date(2026, 4, 30)),
    ],
)
def test_a_date_that_a_month_lacks_is_its_last_day(year: int, month: int, day: int, expected: date) -> None:
    assert named_day(year, month, day) == (expected - EPOCH).days


@pytest.mark.parametrize(
    ("activation", "month", "day", "years_min", "last"),
    [
        (date(2026, 3, 15), 12, 31, 0, date(2026, 12, 31)),
        (date(2026, 3, 15), 12, 31, 1, date(2027, 12, 31)),
        (date(2026, 12, 31), 12, 31, 0, date(2026, 12, 31)),
        (date(2026, 1, 2), 1, 1, 0, date(2027, 1, 1)),
        (date(2026, 1, 1), 1, 1, 0, date(2026, 1, 1)),
        (date(2027, 3, 1), 2, 29, 0, date(2028, 2, 29)),
        (date(2028, 2, 29), 2, 29, 1, date(2029, 2, 28)),
        (date(2026, 3, 15), 6, 30, 10, date(2036, 6, 30)),
    ],
)
def test_points_can_be_used_through_the_named_date(
    activation: date, month: int, day: int, years_min: int, last: date
) -> None:
    found = calendar_expiry(Day((activation - EPOCH).days), month=month, day=day, years_min=years_min)
    assert EPOCH + timedelta(found - 1) == last


@given(st.integers(0, 100_000), st.integers(1, 12), st.integers(1, 31), st.integers(0, 10))
def test_a_lot_lives_at_least_so_many_years_and_at_most_one_more(
    activation: int, month: int, day: int, years: int
) -> None:
    life = calendar_expiry(Day(activation), month=month, day=day, years_min=years) - activation
    assert 365 * years + 1 <= life <= 366 * (years + 1) + 1
