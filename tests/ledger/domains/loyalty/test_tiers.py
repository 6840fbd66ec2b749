"""Tiers by points earned in a tier period, decided by days alone (spec TIER-1, TIER-2)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.earn import OpenEntry
from ledger.domains.loyalty.events import PointsEarned, TierReached
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.state import EarnedItem, RatePerAmount, Terms, TierMultiplier, terms_key
from ledger.domains.loyalty.tiers import Earned, count_towards_tiers, member_tier, reached_tier, tier_at
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.params import TIER_HISTORY_DAYS, TIER_HISTORY_MAX
from ledger.types import INTEGER_MAX, Day, Points, ProgramId, ReceiptHash, Timestamp
from tests.support.contests import contest, contest_of, pass_answer, pass_grace, sign
from tests.support.memory_chain import DAY_SECONDS, GENESIS_DAY, Signer
from tests.support.shop import FAN, FRIEND, OWNER, Shop, make_terms, some_hash

LENGTH = 100
ANCHOR = GENESIS_DAY % LENGTH
"""A tier period begins on the chain's first day."""
TIERED: dict[str, Any] = {
    "tiers": (("silver", 1_000), ("gold", 5_000)),
    "tier_period_days": LENGTH,
    "tier_anchor_day": ANCHOR,
    "tier_grace_days": 10,
}
UNTIL = GENESIS_DAY + 2 * LENGTH + 10
"""What is earned in the first tier period counts before this day."""


def tier_of(shop: Shop, fan: Signer = FAN) -> int:
    program = shop.terms_of_program
    terms = shop.chain.record(terms_key(shop.program, program.version_at(shop.now)))
    return member_tier(shop.member(fan), terms, program, shop.now)


def tiered(**terms: Any) -> Shop:
    shop = Shop(**TIERED, **terms)
    shop.join(FAN)
    return shop


def test_a_tier_is_reached_as_soon_as_its_threshold_is() -> None:
    shop = tiered()
    shop.earn(FAN, 999)
    assert tier_of(shop) == 0
    assert not [event for event in shop.chain.events if isinstance(event, TierReached)]
    shop.earn(FAN, 1)
    assert tier_of(shop) == 1
    reached = shop.chain.events[1]
    assert reached == TierReached(shop.program, FAN.address, 1, Day(UNTIL))
    assert reached.subjects() == (shop.program, FAN.address)
    first, second = shop.member(FAN).tier_history
    assert (first[:2], first[3]) == ((GENESIS_DAY, UNTIL), 999)
    assert (second[:2], second[3]) == ((GENESIS_DAY, UNTIL), 1_000)
    shop.earn(FAN, 10_000)
    assert tier_of(shop) == 2
    shop.chain.replay()


def test_who_has_earned_nothing_has_no_tier_even_where_one_point_gives_it() -> None:
    shop = Shop(**{**TIERED, "tiers": (("guest", 1),)})
    shop.join(FAN)
    assert tier_of(shop) == 0
    shop.earn(FAN, 1)
    assert tier_of(shop) == 1


def test_tiers_by_balance() -> None:
    """Who spends its points keeps its tier: it is by what was earned, never by what is left."""
    shop = tiered()
    reward = shop.list_reward(price=1_500)
    shop.earn(FAN, 1_500)
    assert tier_of(shop) == 1
    hold = shop.redeem(FAN, reward)
    shop.chain.send("redeem.fulfil", RedeemFulfil(hold, 1), author=OWNER)
    assert (shop.points_of(FAN), tier_of(shop)) == (0, 1)
    shop.pass_days(40)
    assert (shop.points_of(FAN), tier_of(shop)) == (0, 1)
    shop.join(FRIEND)
    shop.earn(FRIEND, 600)
    shop.pass_days(40)
    shop.earn(FRIEND, 600)
    assert shop.points_of(FRIEND) == 600  # the first ones have expired, and count
    assert tier_of(shop, FRIEND) == 1
    shop.chain.replay()


def test_a_tier_is_kept_through_the_next_period_and_the_grace() -> None:
    shop = tiered()
    shop.earn(FAN, 5_000)
    program = shop.terms_of_program
    shop.chain.advance(days=LENGTH + 5)
    shop.earn(FAN, 1_200)  # the next period earns silver only
    assert tier_of(shop) == 2
    ends = program.day_start(Day(UNTIL))
    tiers: list[int] = []
    for time in (ends - 1, ends, ends + LENGTH * DAY_SECONDS - 1, ends + LENGTH * DAY_SECONDS):
        shop.chain.block(time=time)
        assert shop.now == time
        tiers.append(tier_of(shop))
    assert tiers == [2, 1, 1, 0]
    assert len(shop.member(FAN).tier_history) == 2  # nothing was written when they ended
    shop.chain.replay()


def test_a_tier_counts_from_the_later_of_the_periods_end_and_the_settling_block() -> None:
    shop = Shop(period_days=7, **TIERED)
    shop.join(FAN)
    week = (GENESIS_DAY + LENGTH - 1) // 7
    shop.chain.advance(days=LENGTH - 1)
    assert shop.earn(FAN, 1_000, period=week) == ("",)
    first, until, _, points = shop.member(FAN).tier_history[0]
    assert (week + 1) * 7 >= GENESIS_DAY + LENGTH
    assert (first, until, points) == (GENESIS_DAY + LENGTH, UNTIL + LENGTH, 1_000)
    assert tier_of(shop) == 1
    shop.chain.replay()


def test_without_tiers_nothing_is_counted(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 10_000)
    assert shop.member(FAN).tier_history == ()
    better = make_terms(**TIERED)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, better), author=OWNER)
    shop.chain.advance(days=1)
    assert tier_of(shop) == 0
    shop.earn(FAN, 1_000)
    assert tier_of(shop) == 1


def test_tiers_that_are_easier_to_reach_hold_at_once() -> None:
    shop = tiered()
    shop.earn(FAN, 900)
    better = make_terms(**TIERED | {"tiers": (("bronze", 100), ("silver", 800), ("gold", 5_000))})
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, better), author=OWNER)
    shop.chain.mine()
    assert tier_of(shop) == 2
    shop.chain.replay()


# --- open entries and contests ----------------------------------------------------------------------------------------------------


def multiplied(**terms: Any) -> Shop:
    rules = (RatePerAmount(Points(1), 10), TierMultiplier(1, 3, 2), TierMultiplier(2, 2, 1))
    return tiered(rules=rules, **terms)


def test_an_open_entry_counts_by_the_better_of_the_tier_named_and_the_one_known() -> None:
    shop = multiplied()
    shop.chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=FAN)

    def earned(**changes: Any) -> Points:
        entry = OpenEntry(FAN.address, shop.today, ReceiptHash(some_hash("open")), 1, shop.now, 1_000, 0)
        assert shop.settle(replace(entry, **changes)) == ("",)
        found = shop.chain.events[0]
        assert isinstance(found, PointsEarned)
        return found.points

    assert earned() == 100
    assert earned(tier=1) == 150
    assert earned(tier=8) == 200
    early = shop.now
    shop.chain.mine()
    shop.earn(FAN, 5_000)
    shop.chain.mine()
    assert earned() == 200
    assert earned(tier=1) == 200
    assert earned(time=early) == 100  # at that time the chain did not know it
    shop.chain.replay()


@pytest.mark.parametrize(("named", "owed"), [(0, 750), (1, 750), (2, 1_000)])
def test_a_contest_uses_the_better_of_the_tier_named_and_the_one_known(named: int, owed: int) -> None:
    shop = multiplied()
    shop.earn(FAN, 1_000)
    shop.chain.mine()
    signed = sign(shop, points=1, tier=named)
    pass_grace(shop)
    assert contest_of(shop, contest(shop, signed, wrong_points=True)).points == owed
    shop.chain.replay()


def test_a_contest_knows_a_tier_that_has_ended_since() -> None:
    shop = multiplied(settle_grace_days=31)
    shop.earn(FAN, 1_000)
    program = shop.terms_of_program
    shop.chain.block(time=program.day_start(Day(UNTIL)) - 10)
    with_tier = sign(shop, sequence=1, points=1)
    shop.chain.block(time=program.day_start(Day(UNTIL)) + 10)
    without = sign(shop, sequence=2, points=1)
    shop.chain.advance(days=50)
    shop.earn(FAN, 5)  # cleans what is too old
    assert [contest_of(shop, contest(shop, signed, wrong_points=True)).points for signed in (with_tier, without)] == [
        750,
        500,
    ]
    shop.chain.replay()


def test_what_a_contest_credits_counts_towards_tiers() -> None:
    shop = multiplied()
    signed = sign(shop, points=1_200)
    pass_grace(shop)
    contest(shop, signed)
    pass_answer(shop)
    shop.chain.mine()
    assert tier_of(shop) == 1
    assert shop.member(FAN).tier_history[-1][3] == 1_200
    names = [type(event).name for found in shop.chain.mined for _, event in found.transition.events]
    assert names.index("tier.reached") == names.index("contest.decided") + 1
    shop.chain.replay()


# --- the history itself -----------------------------------------------------------------------------------------------------------

PROGRAM = replace(Shop().terms_of_program, offset_minutes=0)
TERMS = make_terms(**TIERED)


def count(
    history: tuple[EarnedItem, ...], points: int, *, day: int, base: int | None = None, terms: Terms = TERMS
) -> tuple[EarnedItem, ...]:
    earned = Earned(ProgramId(bytes(32)), FAN.address, terms, Day(day if base is None else base), Points(points))
    return count_towards_tiers(history, earned, PROGRAM, Timestamp(day * DAY_SECONDS))[0]


def test_points_within_a_tier_raise_its_item() -> None:
    history = count(count((), 400, day=GENESIS_DAY), 500, day=GENESIS_DAY + 3)
    assert history == ((GENESIS_DAY, UNTIL, GENESIS_DAY * DAY_SECONDS, 900),)
    history = count(history, 100, day=GENESIS_DAY + 4)
    assert history[1] == (GENESIS_DAY, UNTIL, (GENESIS_DAY + 4) * DAY_SECONDS, 1_000)
    assert count(history, INTEGER_MAX, day=GENESIS_DAY + 5)[2][3] == INTEGER_MAX


def test_old_items_are_forgotten_when_no_contest_can_ask_for_them() -> None:
    history = count((), 5_000, day=GENESIS_DAY)
    kept = count(history, 1, day=UNTIL + TIER_HISTORY_DAYS - 1)
    assert [item[3] for item in kept] == [5_000, 1]
    assert [item[3] for item in count(history, 1, day=UNTIL + TIER_HISTORY_DAYS)] == [1]


def test_too_many_items_merge_in_the_members_favour() -> None:
    thresholds = tuple((str(number), 1_000 * number) for number in range(1, 9))
    terms = replace(TERMS, tiers=thresholds, tier_period_days=28, tier_anchor_day=0, tier_grace_days=28)
    history: tuple[EarnedItem, ...] = ()
    day = GENESIS_DAY
    for number in range(20):
        history = count(history, 1_000, day=day, terms=terms)
        day += 1 if number % 8 < 7 else 28
        assert len(history) == min(number + 1, TIER_HISTORY_MAX)
    first = next(iter(history))
    assert first[2] == GENESIS_DAY * DAY_SECONDS
    assert first[3] == 5_000
    assert first[0] == first[1] - 3 * 28


def test_the_day_before_the_first_tier_period_is_no_day_below_zero() -> None:
    terms = replace(TERMS, tier_anchor_day=99, tier_grace_days=0)
    assert count((), 7, day=5, terms=terms) == ((0, 199, 5 * DAY_SECONDS, 7),)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60), st.integers(1, 3_000)), min_size=1, max_size=60))
def test_a_history_agrees_with_every_entry_kept(entries: list[tuple[int, int, int]]) -> None:
    """Against a plain model: all entries, each in its tier period. Where nothing merged they agree, else the member gains."""
    history: tuple[EarnedItem, ...] = ()
    earned: dict[int, int] = {}
    day = GENESIS_DAY
    merged = False
    for wait, ahead, points in entries:
        day += wait
        period = (day + ahead - ANCHOR) // LENGTH
        earned[period] = earned.get(period, 0) + points
        before = len(history)
        history = count(history, points, day=day, base=day + ahead)
        merged = merged or before == len(history) == TIER_HISTORY_MAX
        live = [total for held, total in earned.items() if day < (held + 2) * LENGTH + ANCHOR + 10]
        expected = reached_tier(TERMS, max(live, default=0))
        found = tier_at(history, TERMS, PROGRAM, Timestamp(day * DAY_SECONDS))
        assert found == expected if not merged else found >= expected
        assert len(history) <= TIER_HISTORY_MAX
