"""Tiers as the office keeps them: reached by entries, kept for the next quarter, lost after the grace."""

from api.demo.brand import PERIODS, TERMS, TIER_GRACE_DAYS, TIER_PERIOD_DAYS
from api.demo.journey import DAY_SECONDS, HouseholdId
from api.demo.standing import SHOWN, TIER_NAMES, Standings
from ledger.domains.loyalty.terms import check_terms
from ledger.types import Address, Day, Points, ProgramId, Timestamp

HOUSEHOLD, MEMBER = HouseholdId(1), Address(b"m" * 32)
WEEK = 223 * 13
"""The first of a quarter."""
END = PERIODS.ends(WEEK)


def credit(standings: Standings, points: int, week: int = WEEK, household: int = HOUSEHOLD) -> None:
    ends = PERIODS.ends(week)
    standings.credit(HouseholdId(household), MEMBER, Points(points), ends, ends)


def test_the_terms_are_valid_and_have_two_tiers() -> None:
    check_terms(TERMS)
    assert TIER_NAMES == ("none", "silver", "gold")


def test_a_tier_is_there_from_the_entry_that_reaches_it() -> None:
    standings = Standings(ProgramId(b"p" * 32))
    assert standings.tier(HOUSEHOLD, END) == 0
    credit(standings, 2_999)
    assert standings.tier(HOUSEHOLD, END) == 0
    credit(standings, 0)
    credit(standings, 1, WEEK + 1)
    assert standings.tier(HOUSEHOLD, Timestamp(PERIODS.ends(WEEK + 1) - 1)) == 0
    assert standings.tier(HOUSEHOLD, PERIODS.ends(WEEK + 1)) == 1
    credit(standings, 5_000, WEEK + 2)
    assert standings.tier(HOUSEHOLD, PERIODS.ends(WEEK + 2)) == 2


def test_a_tier_is_lost_after_the_next_quarter_and_its_grace() -> None:
    standings = Standings(ProgramId(b"p" * 32))
    credit(standings, 8_000)
    credit(standings, 3_000, WEEK + 13)
    quarter = SHOWN.day_at(END) - (SHOWN.day_at(END) - TERMS.tier_anchor_day) % TIER_PERIOD_DAYS
    lost = Timestamp(SHOWN.day_start(Day(quarter)) + (2 * TIER_PERIOD_DAYS + TIER_GRACE_DAYS) * DAY_SECONDS)
    assert standings.tier(HOUSEHOLD, Timestamp(lost - 1)) == 2
    assert standings.tier(HOUSEHOLD, lost) == 1
    assert standings.review(Timestamp(lost - 1)) == (1, 0)
    assert standings.review(lost) == (0, 1)
    assert standings.review(Timestamp(lost + TIER_PERIOD_DAYS * DAY_SECONDS)) == (0, 1)


def test_points_of_two_quarters_are_not_added() -> None:
    standings = Standings(ProgramId(b"p" * 32))
    credit(standings, 2_000, WEEK + 11)
    credit(standings, 2_000, WEEK + 12)
    assert standings.tier(HOUSEHOLD, PERIODS.ends(WEEK + 12)) == 0, "the week ends where the next quarter begins"
    credit(standings, 1_000, WEEK + 13)
    assert standings.tier(HOUSEHOLD, PERIODS.ends(WEEK + 13)) == 1
    assert standings.tier(HouseholdId(2), PERIODS.ends(WEEK + 13)) == 0
