"""The price floor: so many points always buy a value of at least so many cents."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.price_floor import NO_FLOOR, Floor
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.program_update import UPDATE_PENDING, ProgramUpdate
from ledger.domains.loyalty.terms import BAD_TERMS, is_worse
from ledger.domains.rewards.floor import BELOW_FLOOR, check_floor, greatest_price
from ledger.domains.rewards.redeem import PRICE_ABOVE
from ledger.domains.rewards.reward_update import CHANGE_ANNOUNCED, RewardUpdate
from ledger.domains.rewards.state import reward_key
from ledger.errors import Malformed
from ledger.types import INTEGER_MAX, Amount, Points, RewardId
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, OWNER, STRANGER, Shop, make_terms

NOTICE = 10 * DAY_SECONDS
FLOOR = Floor(Points(100), 80)


@pytest.fixture
def shop() -> Shop:
    """100 points buy a value of at least 80 cents; the fan has 1,000."""
    found = Shop(floor=FLOOR)
    found.join(FAN)
    found.earn(FAN, 1_000)
    return found


def publish(shop: Shop, *, latest: int, **terms: Any) -> None:
    payload = ProgramUpdate(shop.program, latest, make_terms(**terms))
    shop.chain.send("program.update", payload, author=OWNER)


def update(shop: Shop, reward: RewardId, *, price: int, stock: int = 0) -> None:
    shop.chain.send("reward.update", RewardUpdate(shop.program, reward, Points(price), stock, True), author=OWNER)


@pytest.mark.parametrize(
    ("price", "value", "floor", "meets"),
    [
        (125, 100, FLOOR, True),
        (126, 100, FLOOR, False),
        (1, 0, FLOOR, False),
        (2**53, 0, NO_FLOOR, True),
        (2**53, 2**53, Floor(Points(1), 1), True),
        (2**53, 2**53 - 1, Floor(Points(1), 1), False),
        (2**53, 2**53, Floor(Points(2**31 - 2), 2**31 - 1), False),
        (2**53 - 1, 2**53, Floor(Points(2**31 - 1), 2**31 - 1), True),
    ],
)
def test_price_times_cents_is_at_most_value_times_points(price: int, value: int, floor: Floor, meets: bool) -> None:
    if meets:
        check_floor(Points(price), value, floor)
        assert greatest_price(value, floor) >= price
    else:
        with refused(BELOW_FLOOR, price=price, value_cents=value, floor_points=floor.points, floor_cents=floor.cents):
            check_floor(Points(price), value, floor)
        assert greatest_price(value, floor) < max(price, 2)


@pytest.mark.parametrize(("value", "greatest"), [(100, 125), (0, 1), (1, 1), (2, 2), (250, 312)])
def test_the_greatest_price_is_rounded_down_and_at_least_one_point(value: int, greatest: int) -> None:
    assert greatest_price(value, FLOOR) == greatest
    assert greatest_price(value, NO_FLOOR) == INTEGER_MAX


def test_a_reward_below_the_floor_is_not_listed(shop: Shop) -> None:
    with refused(BELOW_FLOOR, price=126, value_cents=100, greatest=125):
        shop.list_reward(price=126, value_cents=100)
    with refused(BELOW_FLOOR, price=124, value_cents=99, greatest=123):
        shop.list_reward(price=124, value_cents=99)
    with refused(BELOW_FLOOR, value_cents=0, greatest=0):
        shop.list_reward(price=1)
    assert shop.reward(shop.list_reward(price=125, value_cents=100)).value_cents == 100
    fee = shop.chain.sign("transfer", Transfer(ToAccount(STRANGER.address), Amount(10**11)), author=OWNER).weight * 2
    rest = Amount(shop.coin_of(OWNER) - fee - 11_000)
    shop.chain.send("transfer", Transfer(ToAccount(STRANGER.address), rest), author=OWNER)
    with refused(BELOW_FLOOR):
        shop.list_reward(price=126, value_cents=100)
    with refused(INSUFFICIENT):
        shop.list_reward(price=125, value_cents=100)


def test_a_price_may_not_be_announced_that_the_floor_forbids(shop: Shop) -> None:
    reward = shop.list_reward(price=100, value_cents=100)
    with refused(BELOW_FLOOR, price=126):
        update(shop, reward, price=126)
    update(shop, reward, price=125)
    with refused(BELOW_FLOOR, price=126):
        update(shop, reward, price=126)
    with refused(CHANGE_ANNOUNCED):
        update(shop, reward, price=124)


def test_a_price_may_be_announced_for_a_time_when_the_floor_is_lower(shop: Shop) -> None:
    reward = shop.list_reward(price=100, value_cents=100)
    publish(shop, latest=1, floor=Floor(Points(100), 50))
    with refused(BELOW_FLOOR, price=201):
        update(shop, reward, price=201)
    update(shop, reward, price=200)
    since = shop.chain.record(reward_key(shop.program, reward)).announced[0].effective_from
    shop.chain.block(time=since - 60)
    shop.redeem(FAN, reward, price=100)
    with refused(PRICE_ABOVE, price=200, accepted=199):
        shop.redeem(FAN, reward, price=199)


def test_a_floor_rises_at_once_and_lowers_every_price(shop: Shop) -> None:
    reward, cheap = shop.list_reward(price=125, value_cents=100), shop.list_reward(price=60, value_cents=100)
    publish(shop, latest=1, floor=Floor(Points(1), 1))
    with refused(PRICE_ABOVE, price=100, accepted=99):
        shop.redeem(FAN, reward, price=99)
    hold = shop.hold(shop.redeem(FAN, reward, quantity=2, price=100))
    assert hold is not None and hold.points == 200
    with refused(PRICE_ABOVE, price=60, accepted=59):
        shop.redeem(FAN, cheap, price=59)


def test_a_floor_that_a_value_cannot_meet_leaves_one_point(shop: Shop) -> None:
    reward = shop.list_reward(price=1, value_cents=1)
    publish(shop, latest=1, floor=Floor(Points(1), 1_000_000))
    hold = shop.hold(shop.redeem(FAN, reward, price=1))
    assert hold is not None and hold.points == 1


def test_a_floor_falls_after_the_notice_and_the_price_of_the_record_counts_again(shop: Shop) -> None:
    reward = shop.list_reward(price=125, value_cents=100)
    publish(shop, latest=1, floor=Floor(Points(1), 1))
    shop.redeem(FAN, reward, price=100)
    since = shop.now + NOTICE
    publish(shop, latest=2, floor=FLOOR)
    with refused(UPDATE_PENDING):
        publish(shop, latest=3, floor=NO_FLOOR)
    shop.chain.block(time=since - 60)
    shop.redeem(FAN, reward, price=100)
    with refused(PRICE_ABOVE, price=125, accepted=124):
        shop.redeem(FAN, reward, price=124)


def test_what_a_floor_lowered_is_the_present_price_of_an_update(shop: Shop) -> None:
    reward = shop.list_reward(price=125, value_cents=100)
    publish(shop, latest=1, floor=Floor(Points(1), 1))
    with refused(BELOW_FLOOR, price=101, greatest=100):
        update(shop, reward, price=101)
    with refused(BELOW_FLOOR, price=125):
        update(shop, reward, price=125, stock=1)
    update(shop, reward, price=100)
    assert shop.reward(reward).price == 100
    assert shop.chain.record(reward_key(shop.program, reward)).announced == ()


def test_a_price_that_does_not_rise_meets_the_floor_of_now_and_not_the_one_announced(shop: Shop) -> None:
    publish(shop, latest=1)
    shop.chain.block(time=shop.now + NOTICE)
    reward = shop.list_reward(price=5, value_cents=0)
    publish(shop, latest=2, floor=FLOOR)
    publish(shop, latest=3)
    with refused(BELOW_FLOOR, price=1, greatest=0):
        update(shop, reward, price=1, stock=1)


@pytest.mark.parametrize("floor", [Floor(Points(1), 0), Floor(Points(0), 1)])
def test_half_a_floor_is_malformed(shop: Shop, floor: Floor) -> None:
    with refused(BAD_TERMS, Malformed):
        publish(shop, latest=1, floor=floor)
    with refused(BAD_TERMS, Malformed):
        payload = ProgramCreate("Shop", "point", 0, 0, make_terms(floor=floor))
        shop.chain.send("program.create", payload, author=OWNER)


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        ({}, {"floor": FLOOR}, False),
        ({"floor": FLOOR}, {}, True),
        ({"floor": FLOOR}, {"floor": Floor(Points(5), 4)}, False),
        ({"floor": FLOOR}, {"floor": Floor(Points(101), 80)}, True),
        ({"floor": FLOOR}, {"floor": Floor(Points(99), 80)}, False),
        ({"floor": FLOOR}, {"floor": Floor(Points(100), 79)}, True),
        ({"refund_days": 7}, {"refund_days": 6}, True),
        ({"refund_days": 7}, {"refund_days": 8}, False),
    ],
)
def test_what_makes_a_floor_or_the_refund_days_worse(old: dict[str, Any], new: dict[str, Any], worse: bool) -> None:
    assert is_worse(replace(make_terms(), **old), replace(make_terms(), **new)) is worse
