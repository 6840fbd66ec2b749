"""When the replay's blocks are mined and what goes into which."""

from itertools import pairwise

import pytest

from api.demo.plan import (
    CAMPAIGN_SECONDS_MIN,
    HOUR_SECONDS,
    LAST_BLOCKS,
    LAST_GAP_SECONDS,
    LAST_SECONDS,
    SETUP_BLOCKS,
    make_plan,
)
from ledger.types import Height, Timestamp

NOON = 1_767_787_200
FIRST_BASKET = Timestamp(NOON - 3 * 86_400 + 1_800)
PLAN = make_plan(FIRST_BASKET, Timestamp(NOON))


def test_times_rise_hour_by_hour_and_end_at_as_of() -> None:
    gaps = [later - earlier for earlier, later in pairwise(PLAN.times)]
    assert set(gaps[: PLAN.closing - 1]) == {HOUR_SECONDS}
    assert gaps[PLAN.closing :] == [LAST_GAP_SECONDS] * (LAST_BLOCKS - 1)
    assert all(0 < gap <= HOUR_SECONDS for gap in gaps)
    assert PLAN.times[-1] == NOON
    assert PLAN.last + 1 == PLAN.switch_height == len(PLAN.times)


@pytest.mark.parametrize("before_s", [LAST_SECONDS, LAST_SECONDS + 1, HOUR_SECONDS, HOUR_SECONDS + LAST_SECONDS - 1])
def test_the_last_basket_may_lie_close_to_the_end(before_s: int) -> None:
    plan = make_plan(Timestamp(NOON - before_s), Timestamp(NOON))
    assert plan.closing > SETUP_BLOCKS + 1, "there is an hourly block"
    assert plan.height_before(Timestamp(NOON - before_s)) < plan.closing


def test_a_household_joins_in_the_last_block_before_its_basket() -> None:
    height = PLAN.height_before(FIRST_BASKET)
    assert height == SETUP_BLOCKS + 1
    assert PLAN.times[height] <= FIRST_BASKET < PLAN.times[height + 1]


def test_an_act_goes_into_the_first_block_at_or_after_it() -> None:
    time = Timestamp(PLAN.times[10] - 1)
    assert PLAN.height_of_act(time) == PLAN.height_of_act(PLAN.times[10]) == 10
    assert PLAN.height_of_act(Timestamp(0)) == SETUP_BLOCKS + 1
    assert PLAN.height_of_act(Timestamp(NOON + 86_400)) == PLAN.closing + 1


def test_a_rule_that_needs_a_time_sees_it_one_block_later() -> None:
    assert PLAN.height_once(PLAN.times[10]) == 11
    assert PLAN.height_once(Timestamp(PLAN.times[10] + 1)) == 12
    assert PLAN.height_once(Timestamp(NOON + 86_400)) == PLAN.closing


def test_campaigns_begin_after_a_settlement_and_end_before_the_closing_blocks() -> None:
    times = PLAN.plan_campaigns([Height(10), Height(20), Height(60)])
    assert times is not None
    assert times.created == 21, "after the second week, when points of the first can be spent"
    assert times.pledged == 22
    open_s = times.deadline - PLAN.times[times.created]
    assert open_s >= CAMPAIGN_SECONDS_MIN and open_s % HOUR_SECONDS == 0
    assert times.deadline < PLAN.times[PLAN.closing - 1]


@pytest.mark.parametrize("settled", [PLAN.closing, PLAN.closing - 2, PLAN.closing - 10])
def test_without_room_there_are_no_campaigns(settled: Height) -> None:
    assert PLAN.plan_campaigns([Height(10), settled]) is None
    assert PLAN.plan_campaigns([Height(10)]) is None, "nothing can be spent yet"
