"""Rewards for members of a tier: by points earned, never by what is left of them."""

import pytest

from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.rewards.counts import NO_SUCH_TIER
from ledger.domains.rewards.floor import BELOW_FLOOR
from ledger.domains.rewards.redeem import PRICE_ABOVE, TIER_TOO_LOW
from ledger.domains.rewards.reward_update import RewardUpdate, RewardUpdated
from ledger.domains.rewards.state import ALWAYS, NO_LIMIT
from ledger.types import Points, RewardId
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER, Shop

NOTICE = 10 * DAY_SECONDS


@pytest.fixture
def shop() -> Shop:
    """Silver from 300 points earned in 90 days, gold from 1,000; FAN has 1,000, FRIEND 300."""
    found = Shop(tiers=(("silver", 300), ("gold", 1_000)), tier_period_days=90)
    found.join(FAN, FRIEND)
    found.earn(FAN, 1_000)
    found.earn(FRIEND, 299)
    return found


def update(shop: Shop, reward: RewardId, tier_min: int) -> RewardUpdated:
    payload = RewardUpdate(shop.program, reward, Points(100), 0, True, NO_LIMIT, ALWAYS, tier_min)
    shop.chain.send("reward.update", payload, author=OWNER)
    event = shop.chain.events[0]
    assert isinstance(event, RewardUpdated)
    return event


def test_a_reward_of_a_tier_is_for_that_tier_and_above(shop: Shop) -> None:
    silver = shop.list_reward(tier_min=1)
    gold = shop.list_reward(tier_min=2)
    with refused(TIER_TOO_LOW, wanted=1, tier=0):
        shop.redeem(FRIEND, silver)
    shop.earn(FRIEND, 1)
    shop.redeem(FRIEND, silver)
    with refused(TIER_TOO_LOW, wanted=2, tier=1):
        shop.redeem(FRIEND, gold)
    shop.redeem(FAN, silver, quantity=9)
    shop.redeem(FAN, gold)
    assert shop.points_of(FAN) == 0, "the tier is by what was earned, not by the balance"


def test_the_tier_comes_after_the_window_and_before_the_price(shop: Shop) -> None:
    reward = shop.list_reward(tier_min=1)
    with refused(TIER_TOO_LOW):
        shop.redeem(FRIEND, reward, price=99)
    with refused(PRICE_ABOVE):
        shop.redeem(FAN, reward, price=99)


def test_a_higher_tier_waits_and_a_lower_one_does_not(shop: Shop) -> None:
    reward = shop.list_reward(tier_min=1)
    since = shop.now + NOTICE
    event = update(shop, reward, 2)
    assert (event.tier_min, event.effective_from) == (2, since)
    assert shop.reward(reward).tier_min == 1
    assert update(shop, reward, 0).tier_min == 0, "better at once, and no longer announced"
    assert shop.reward(reward).tier_min == 0
    shop.chain.block(time=since)
    assert shop.reward(reward).tier_min == 0


def test_a_tier_that_the_terms_do_not_have_is_refused_before_the_floor() -> None:
    shop = Shop(floor=Floor(Points(100), 80))
    with refused(NO_SUCH_TIER, tier_min=1, tiers=0):
        shop.list_reward(tier_min=1)
    with refused(BELOW_FLOOR):
        shop.list_reward()
    reward = shop.list_reward(value_cents=100)
    with refused(NO_SUCH_TIER, tier_min=8, tiers=0):
        update(shop, reward, 8)
