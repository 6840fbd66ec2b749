"""`pledge`: coin or points in escrow, tiers with limits."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.decisions import DEADLINE_BLOCKS_MIN
from ledger.domains.crowdfunding.events import Pledged
from ledger.domains.crowdfunding.places import (
    ADD_ON_TAKEN,
    BAD_ADD_ONS,
    BELOW_TIER,
    NO_ADD_ON,
    NO_TIER,
    TIER_TAKEN,
)
from ledger.domains.crowdfunding.pledge import CAMPAIGN_OVER, PLEDGE, TOO_MUCH, PledgeMake
from ledger.domains.crowdfunding.state import NO_CAMPAIGN, Pledge, campaign_key, campaign_terms_key, pledge_key
from ledger.domains.loyalty.points import POINTS_INSUFFICIENT
from ledger.domains.loyalty.program_sunset import PROGRAM_CLOSED, ProgramSunset
from ledger.domains.loyalty.state import NO_MEMBER
from ledger.errors import Malformed
from ledger.types import INTEGER_MAX, Amount, CampaignId, Timestamp
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, Shop


def test_coin_is_in_escrow_from_now_on(shop: Shop) -> None:
    campaign_id = shop.create_campaign()
    shop.pledge(FAN, campaign_id, 400)
    shop.pledge(FRIEND, campaign_id, 100)
    assert shop.chain.events == (Pledged(campaign_id, FRIEND.address, 1, 100, 0, False),)
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
    with refused(NO_ADD_ON, count=0, add_on=1):
        send("pledge", replace(payload, tier=1, add_ons=((1, 1),)), author=STRANGER)
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
    assert PLEDGE.reads(FAN.address, payload) == (
        campaign_key(campaign_id),
        campaign_terms_key(campaign_id),
        account_key(FAN.address),
    )


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
    shop.chain.block(time=record.until)
    shop.pledge(FAN, campaign_id, 5)
    while shop.chain.height < record.until_height:
        shop.chain.mine()
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, campaign_id, 5)


def test_a_campaign_ends_at_its_deadline_to_the_second(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=1)
    shop.chain.mine(DEADLINE_BLOCKS_MIN)
    deadline = shop.campaign(campaign_id).until
    shop.chain.block(time=deadline - 1)
    transaction = shop.chain.sign("pledge", PledgeMake(campaign_id, 5, 0), author=FAN)
    shop.chain.block(transaction, time=deadline)
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, campaign_id, 5)


@pytest.mark.parametrize("goal", [5, 6])
def test_a_settled_campaign_takes_no_pledge(shop: Shop, goal: int) -> None:
    campaign_id = shop.create_campaign(days=1, goal=goal)
    shop.pledge(FAN, campaign_id, 5)
    shop.pass_days(1)
    with refused(CAMPAIGN_OVER):
        shop.pledge(FAN, campaign_id, 5)


def test_add_ons_are_paid_for_and_counted(shop: Shop) -> None:
    add_ons = (("Shade", 5, 3), ("Bulb", 2, 0))
    campaign_id = shop.create_campaign(tiers=(("Lamp", 10, 0),), add_ons=add_ons)
    with refused(BELOW_TIER, least=24, offered=23):
        shop.pledge(FAN, campaign_id, 23, tier=1, add_ons=((1, 2), (2, 2)))
    shop.pledge(FAN, campaign_id, 24, tier=1, add_ons=((1, 2), (2, 2)))
    assert (shop.campaign(campaign_id).taken, shop.campaign(campaign_id).added) == ((1,), (2, 2))
    with refused(ADD_ON_TAKEN, left=1, limit=3, add_on=1):
        shop.pledge(FAN, campaign_id, 10, add_ons=((1, 2),))
    shop.pledge(FAN, campaign_id, 9, add_ons=((1, 1), (2, 2)))
    assert (shop.campaign(campaign_id).taken, shop.campaign(campaign_id).added) == ((1,), (3, 4))
    with refused(NO_ADD_ON, count=2, add_on=3):
        shop.pledge(FAN, campaign_id, 9, add_ons=((2, 1), (3, 1)))


@pytest.mark.parametrize("add_ons", [((1, 1), (1, 1)), ((2, 1), (1, 1))])
def test_add_ons_are_named_once_in_order(shop: Shop, add_ons: tuple[tuple[int, int], ...]) -> None:
    campaign_id = shop.create_campaign(add_ons=(("Shade", 5, 3), ("Bulb", 2, 0)))
    with refused(BAD_ADD_ONS, Malformed):
        shop.pledge(FAN, campaign_id, 50, add_ons=add_ons)


def test_a_creators_own_pledge_is_counted_apart(shop: Shop) -> None:
    campaign_id = shop.create_campaign()
    shop.pledge(OWNER, campaign_id, 30)
    shop.pledge(FAN, campaign_id, 5)
    record = shop.campaign(campaign_id)
    assert (record.weight, record.own_weight) == (35, 30)


def test_points_of_a_closed_program_back_nothing(shop: Shop) -> None:
    shop.join(FAN)
    campaign_id = shop.create_campaign(in_points=True, days=100)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, Timestamp(shop.now + 10 * DAY_SECONDS)), author=OWNER)
    shop.chain.advance(days=40)
    with refused(PROGRAM_CLOSED):
        shop.pledge(FAN, campaign_id, 5)
