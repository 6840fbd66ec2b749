"""`pledge`: coin or points in escrow, tiers with limits."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.pledge import (
    BELOW_TIER,
    CAMPAIGN_OVER,
    NO_TIER,
    PLEDGE,
    TIER_TAKEN,
    TOO_MUCH,
    Pledged,
    PledgeMake,
)
from ledger.domains.crowdfunding.settlement import DEADLINE_BLOCKS_MIN
from ledger.domains.crowdfunding.state import NO_CAMPAIGN, OPEN, Pledge, campaign_key, pledge_key
from ledger.domains.loyalty.points import POINTS_INSUFFICIENT
from ledger.domains.loyalty.state import NO_MEMBER
from ledger.types import INTEGER_MAX, Amount, CampaignId
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, NOWHERE, POOR, STRANGER, Shop


def test_coin_is_in_escrow_from_now_on(shop: Shop) -> None:
    campaign_id = shop.create_campaign()
    shop.pledge(FAN, campaign_id, 400)
    shop.pledge(FRIEND, campaign_id, 100)
    assert shop.chain.events == (Pledged(campaign_id, FRIEND.address, 1, 100, 0),)
    assert shop.chain.events[0].subjects() == (FRIEND.address, campaign_id)
    record = shop.campaign(campaign_id)
    assert (record.pledged, record.escrowed, record.pledges) == (500, 500, 2)
    assert shop.chain.state.chain.escrow == 500
    pledge: Pledge = shop.chain.record(pledge_key(campaign_id, 0))
    assert (pledge.backer, pledge.quantity, pledge.lots) == (FAN.address, 400, ())


def test_points_are_in_escrow_from_now_on(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 500)
    campaign_id = shop.create_campaign(in_points=True)
    shop.pledge(FAN, campaign_id, 300)
    assert (shop.points_of(FAN), shop.books.escrowed, shop.chain.state.chain.escrow) == (200, 300, 0)
    assert shop.chain.record(pledge_key(campaign_id, 0)).lots == ((1, shop.today, shop.today + 30, 300),)


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    tiers = (("Early", 10, 1), ("Any", 20, 0))
    payload = PledgeMake(CampaignId(NOWHERE), 9, 3)
    send = shop.chain.send
    with refused(NO_CAMPAIGN, campaign=NOWHERE):
        send("pledge", payload, author=FAN)
    campaign_id = shop.create_campaign(in_points=True, tiers=tiers)
    payload = replace(payload, campaign=campaign_id)
    with refused(NO_TIER, count=2, tier=3):
        send("pledge", payload, author=STRANGER)
    with refused(BELOW_TIER, least=10, offered=9):
        send("pledge", replace(payload, tier=1), author=STRANGER)
    shop.join(FAN)
    shop.earn(FAN, 1_000)
    shop.pledge(FAN, campaign_id, 10, tier=1)
    payload = replace(payload, quantity=INTEGER_MAX)
    with refused(TIER_TAKEN, limit=1):
        send("pledge", replace(payload, tier=1), author=STRANGER)
    with refused(TOO_MUCH):
        send("pledge", replace(payload, tier=2), author=STRANGER)
    with refused(NO_MEMBER, member=STRANGER.address):
        send("pledge", replace(payload, quantity=INTEGER_MAX - 10, tier=2), author=STRANGER)
    with refused(TOO_MUCH):
        send("pledge", replace(payload, quantity=INTEGER_MAX - 9, tier=2), author=STRANGER)
    payload = replace(payload, quantity=991, tier=2)
    with refused(NO_MEMBER, member=STRANGER.address):
        send("pledge", payload, author=STRANGER)
    with refused(POINTS_INSUFFICIENT, needed=991, available=990):
        send("pledge", payload, author=FAN)
    shop.join(POOR)
    shop.earn(POOR, 1_000)
    send("transfer", Transfer(ToAccount(POOR.address), Amount(11_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        send("pledge", payload, author=POOR)
    assert shop.campaign(campaign_id).taken == (1, 0)
    assert PLEDGE.reads(FAN.address, payload) == (campaign_key(campaign_id), account_key(FAN.address))


def test_coin_that_is_not_there_is_refused(shop: Shop) -> None:
    campaign_id = shop.create_campaign()
    with refused(INSUFFICIENT, needed=10**12):
        shop.pledge(FAN, campaign_id, 10**12)


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=11_000)
    shop.join_alone(FAN)
    campaign_id = shop.create_campaign()
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.pledge(FAN, campaign_id, 5, payment=shop.sponsored)


def test_a_tier_without_limit_takes_everybody(shop: Shop) -> None:
    campaign_id = shop.create_campaign(tiers=(("Any", 10, 0), ("Two", 10, 2)))
    for _ in range(3):
        shop.pledge(FAN, campaign_id, 10, tier=1)
    for _ in range(2):
        shop.pledge(FAN, campaign_id, 10, tier=2)
    with refused(TIER_TAKEN, limit=2):
        shop.pledge(FAN, campaign_id, 10, tier=2)
    assert shop.campaign(campaign_id).taken == (3, 2)


def test_a_campaign_takes_pledges_until_both_its_deadline_and_its_height(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=1)
    record = shop.campaign(campaign_id)
    shop.chain.block(time=record.deadline)
    shop.pledge(FAN, campaign_id, 5)
    while shop.chain.height < record.deadline_height:
        shop.chain.mine()
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, campaign_id, 5)


def test_a_campaign_ends_at_its_deadline_to_the_second(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=1)
    shop.chain.mine(DEADLINE_BLOCKS_MIN)
    deadline = shop.campaign(campaign_id).deadline
    shop.chain.block(time=deadline - 1)
    transaction = shop.chain.sign("pledge", PledgeMake(campaign_id, 5, 0), author=FAN)
    shop.chain.block(transaction, time=deadline)
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, campaign_id, 5)


def test_a_campaign_that_is_over_takes_no_pledge_even_where_due_work_is_late() -> None:
    """Campaigns that end together fill the due work of the block in which their time is over."""
    shop = Shop(params=sim_params(*(signer.address for signer in FUNDED), due_weight_max=10_000))
    campaigns = [shop.create_campaign(days=1) for _ in range(30)]
    last = campaigns[-1]
    shop.chain.mine(DEADLINE_BLOCKS_MIN)
    shop.chain.block(time=shop.campaign(last).deadline)
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, last, 5)
    shop.chain.mine()
    assert shop.campaign(last).status == OPEN, "its settlement still waits"
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, last, 5)


def test_a_pledge_has_a_key_by_its_number() -> None:
    campaign_id = CampaignId(NOWHERE)
    assert pledge_key(campaign_id, 0x0102) == b"P" + NOWHERE + bytes((0, 0, 1, 2))


@pytest.mark.parametrize("goal", [5, 6])
def test_a_settled_campaign_takes_no_pledge(shop: Shop, goal: int) -> None:
    campaign_id = shop.create_campaign(days=1, goal=goal)
    shop.pledge(FAN, campaign_id, 5)
    shop.pass_days(1)
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, campaign_id, 5)
