"""Coin stays behind pledged points until their pledge ends, or everything was released (spec CRF-5, COL-4)."""

import pytest

from ledger.domains.crowdfunding.delivery_confirm import DeliveryConfirm
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.pledge_change import PledgeChange
from ledger.domains.crowdfunding.pledge_withdraw import PledgeWithdraw
from ledger.domains.loyalty.state import NeverExpires
from tests.ledger.domains.loyalty.test_collateral import RATE, make_shop
from tests.support.backing import check_backing
from tests.support.memory_chain import DAY_SECONDS
from tests.support.shop import FAN, FRIEND


@pytest.mark.parametrize("goal", [100, 101])
def test_pledged_points_keep_their_coin_until_the_campaign_is_funded(goal: int) -> None:
    shop = make_shop(expiry=NeverExpires())
    shop.earn(FAN, 100)
    campaign = shop.create_campaign(in_points=True, goal=goal)
    for quantity in (40, 60):
        shop.pledge(FAN, campaign, quantity)
    assert shop.campaign(campaign).backing == 100 * RATE == shop.books.backing
    check_backing(shop.chain.state)
    shop.pass_days(8)
    shop.chain.mine()
    assert shop.books.backing == (0 if goal == 100 else 100 * RATE)
    check_backing(shop.chain.state)


def test_coin_stays_behind_a_pledge_until_it_ends_or_everything_was_released() -> None:
    shop = make_shop(expiry=NeverExpires())
    shop.earn(FAN, 100)
    shop.earn(FRIEND, 100)
    deadline = shop.now + DAY_SECONDS
    milestones = (("Start", 6_000, 0), ("End", 4_000, deadline + 5 * DAY_SECONDS))
    terms = {"milestones": milestones, "grace_seconds": 60, "late_until": deadline + 5 * DAY_SECONDS}
    campaign = shop.create_campaign(in_points=True, goal=1, days=1, **terms)
    shop.pledge(FAN, campaign, 70)
    shop.chain.send("pledge.change", PledgeChange(campaign, 0, 100, 0), author=FAN)
    shop.chain.send("pledge.change", PledgeChange(campaign, 0, 50, 0), author=FAN)
    assert shop.campaign(campaign).backing == 50 * RATE
    shop.pass_days(1)
    shop.chain.send("pledge.late", PledgeMake(campaign, 20, 0), author=FRIEND)
    assert (shop.campaign(campaign).backing, shop.books.backing) == (70 * RATE, 200 * RATE)
    check_backing(shop.chain.state)
    shop.submit(campaign)
    shop.vote(FRIEND, campaign, 1, approves=False)
    shop.chain.send("pledge.withdraw", PledgeWithdraw(campaign, 1), author=FRIEND)
    assert (shop.campaign(campaign).backing, shop.books.backing) == (50 * RATE, (200 - 12) * RATE)
    check_backing(shop.chain.state)
    for _ in range(2):
        shop.end_vote(campaign)
    shop.chain.mine()
    assert (shop.campaign(campaign).backing, shop.books.backing) == (0, (200 - 12 - 30) * RATE)
    check_backing(shop.chain.state)


def test_who_leaves_when_everything_was_released_takes_no_coin_away() -> None:
    shop = make_shop(expiry=NeverExpires())
    shop.earn(FAN, 100)
    shop.earn(FRIEND, 100)
    deadline = shop.now + DAY_SECONDS
    terms = {"milestones": (("All", 10_000, 0),), "delivery_due": deadline + DAY_SECONDS, "retry_seconds": 0}
    campaign = shop.create_campaign(in_points=True, goal=1, days=1, **terms)
    shop.pledge(FAN, campaign, 100)
    shop.pass_days(1)
    shop.chain.mine()
    assert (shop.campaign(campaign).backing, shop.books.backing) == (0, 100 * RATE)
    shop.submit(campaign)
    shop.chain.send("delivery.confirm", DeliveryConfirm(campaign, 0, received=False), author=FAN)
    shop.chain.send("pledge.withdraw", PledgeWithdraw(campaign, 0), author=FAN)
    assert (shop.campaign(campaign).backing, shop.books.backing) == (0, 100 * RATE)
    check_backing(shop.chain.state)
