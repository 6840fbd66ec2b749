"""`pledge.change` and `pledge.cancel`: what a backer may take back, and the rule of the last day."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.crowdfunding.events import PledgeCancelled, PledgeChanged
from ledger.domains.crowdfunding.places import BAD_ADD_ONS, BELOW_TIER, TIER_TAKEN
from ledger.domains.crowdfunding.pledge import TOO_MUCH
from ledger.domains.crowdfunding.pledge_cancel import PLEDGE_CANCEL, PledgeCancel
from ledger.domains.crowdfunding.pledge_change import (
    BOUND,
    GOAL_REACHED,
    PLEDGE_CHANGE,
    TOO_MANY_LOTS,
    PledgeChange,
)
from ledger.domains.crowdfunding.state import (
    NO_CAMPAIGN,
    NO_PLEDGE,
    NOT_BACKER,
    WAITING,
    campaign_key,
    campaign_terms_key,
    former_pledge_key,
    pledge_key,
)
from ledger.domains.loyalty.points import POINTS_INSUFFICIENT
from ledger.domains.loyalty.state import member_key
from ledger.errors import Malformed
from ledger.kinds import Call
from ledger.params import EXIT_WEIGHT, LOTS_MAX
from ledger.state import Overlay
from ledger.transaction import Prepaid
from ledger.types import INTEGER_MAX, Amount, CampaignId, TxId
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, Shop

ADD_ONS = (("Shade", 5, 3), ("Bulb", 2, 0))


def change(shop: Shop, fan: Signer, campaign_id: CampaignId, quantity: int, *, number: int = 0, tier: int = 0) -> None:
    shop.chain.send("pledge.change", PledgeChange(campaign_id, number, quantity, tier), author=fan)


def cancel(shop: Shop, fan: Signer, campaign_id: CampaignId, number: int = 0) -> None:
    shop.chain.send("pledge.cancel", PledgeCancel(campaign_id, number), author=fan, payment=Prepaid())


def enter_last_day(shop: Shop, campaign_id: CampaignId, *, seconds_left: int = DAY_SECONDS) -> None:
    shop.chain.block(time=shop.campaign(campaign_id).until - seconds_left)


def test_a_pledge_is_raised_and_lowered(shop: Shop) -> None:
    campaign_id = shop.create_campaign(tiers=(("Small", 10, 1), ("Big", 40, 0)), add_ons=ADD_ONS)
    shop.pledge(FAN, campaign_id, 30, tier=1, add_ons=((1, 3),))
    coin = shop.coin_of(FAN)
    payload = PledgeChange(campaign_id, 0, 50, 2, ((2, 5),))
    fee = 2 * shop.chain.sign("pledge.change", payload, author=FAN).weight
    shop.chain.send("pledge.change", payload, author=FAN)
    assert shop.chain.events == (PledgeChanged(campaign_id, FAN.address, 0, 30, 50, 2),)
    assert shop.chain.events[0].subjects() == (FAN.address, campaign_id)
    assert shop.coin_of(FAN) == coin - fee - 20
    record = shop.campaign(campaign_id)
    assert (record.taken, record.added, record.pledged, record.weight, record.escrowed) == ((0, 1), (0, 5), 50, 50, 50)
    change(shop, FAN, campaign_id, 10, tier=1)
    record, pledge = shop.campaign(campaign_id), shop.pledge_of(campaign_id, 0)
    assert (record.taken, record.added, record.pledged, record.escrowed) == ((1, 0), (0, 0), 10, 10)
    assert pledge is not None and (pledge.quantity, pledge.tier, pledge.add_ons) == (10, 1, ())
    change(shop, FAN, campaign_id, 10, tier=1)
    assert shop.chain.state.chain.escrow == 10, "the same once more moves nothing"


def test_points_that_come_back_are_those_that_live_longest(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 100)
    shop.chain.advance(days=2)
    shop.earn(FAN, 100)
    first, second = shop.today + 28, shop.today + 30
    campaign_id = shop.create_campaign(in_points=True)
    shop.pledge(FAN, campaign_id, 60)
    change(shop, FAN, campaign_id, 150)
    pledge = shop.pledge_of(campaign_id, 0)
    assert pledge is not None and [lot[2:] for lot in pledge.lots] == [(first, 100), (second, 50)]
    assert (shop.books.escrowed, shop.points_of(FAN)) == (150, 50)
    change(shop, FAN, campaign_id, 120)
    pledge = shop.pledge_of(campaign_id, 0)
    assert pledge is not None and [lot[2:] for lot in pledge.lots] == [(first, 100), (second, 20)]
    assert [lot[2:] for lot in shop.member(FAN).lots] == [(second, 80)]
    with refused(POINTS_INSUFFICIENT, needed=81, available=80):
        change(shop, FAN, campaign_id, 201)
    cancel(shop, FAN, campaign_id)
    assert [lot[2:] for lot in shop.member(FAN).lots] == [(first, 100), (second, 100)]
    assert (shop.books.escrowed, shop.books.available) == (0, 200)


def test_lots_that_expired_in_escrow_stay_with_the_pledge(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 100)
    campaign_id = shop.create_campaign(in_points=True, days=60)
    shop.pledge(FAN, campaign_id, 100)
    shop.pass_days(40)
    shop.earn(FAN, 10)
    change(shop, FAN, campaign_id, 110)
    pledge = shop.pledge_of(campaign_id, 0)
    assert pledge is not None and [lot[3] for lot in pledge.lots] == [100, 10]


def test_a_pledge_holds_no_more_lots_than_a_member(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 100)
    campaign_id = shop.create_campaign(in_points=True, days=60)
    shop.pledge(FAN, campaign_id, 50)
    pledge = shop.pledge_of(campaign_id, 0)
    assert pledge is not None
    key = pledge_key(campaign_id, 0)
    many = tuple((1, 1, 30_000 + number, 1) for number in range(LOTS_MAX))
    overlay = Overlay(shop.chain.state)
    overlay.put(key, replace(pledge, lots=many, quantity=LOTS_MAX))
    call = Call(TxId(NOWHERE), FAN.address, b"", False, Amount(0))
    with refused(TOO_MANY_LOTS, count=LOTS_MAX + 1, maximum=LOTS_MAX):
        PLEDGE_CHANGE.apply(overlay, call, PledgeChange(campaign_id, 0, LOTS_MAX + 1, 0), shop.chain.context)
    assert member_key(shop.program, FAN.address) in overlay.records


def test_change_fails_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_CAMPAIGN):
        change(shop, STRANGER, CampaignId(NOWHERE), 5)
    campaign_id = shop.create_campaign(days=1, goal=50, tiers=(("One", 10, 1),))
    with refused(NO_PLEDGE, number=0):
        change(shop, STRANGER, campaign_id, 5)
    shop.pledge(FAN, campaign_id, 50)
    shop.pledge(FRIEND, campaign_id, 10, tier=1)
    with refused(NOT_BACKER, number=0):
        change(shop, STRANGER, campaign_id, 5)
    with refused(BELOW_TIER):
        change(shop, FAN, campaign_id, 5, tier=1)
    with refused(TIER_TAKEN):
        change(shop, FAN, campaign_id, 15, tier=1)
    with refused(GOAL_REACHED, goal=50, left=49, most=10):
        change(shop, FAN, campaign_id, 39)
    with refused(TOO_MUCH):
        change(shop, FAN, campaign_id, INTEGER_MAX)
    with refused(INSUFFICIENT):
        change(shop, FAN, campaign_id, 10**13)
    with refused(BAD_ADD_ONS, Malformed):
        shop.chain.send("pledge.change", PledgeChange(campaign_id, 0, 50, 0, ((1, 1), (1, 1))), author=FAN)
    assert PLEDGE_CHANGE.reads(FAN.address, PledgeChange(campaign_id, 0, 1, 0)) == (
        campaign_key(campaign_id),
        campaign_terms_key(campaign_id),
        pledge_key(campaign_id, 0),
    )
    assert PLEDGE_CHANGE.waits_for_recovery


@pytest.mark.parametrize("goal", [5, 6])
def test_after_settlement_a_pledge_is_bound_until_nothing_is_left(shop: Shop, goal: int) -> None:
    later = (("All", 10_000, shop.now + 30 * DAY_SECONDS),)
    campaign_id = shop.create_campaign(days=1, goal=goal, milestones=later)
    shop.pledge(FAN, campaign_id, 5)
    shop.pass_days(1)
    if goal > 5:
        with refused(NO_PLEDGE):
            cancel(shop, FAN, campaign_id)
        return
    with refused(BOUND):
        cancel(shop, FAN, campaign_id)
    with refused(BOUND):
        change(shop, FAN, campaign_id, 6)


def test_after_its_end_a_backer_ends_its_record_and_gets_the_deposit(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=1, goal=5)
    shop.pledge(FAN, campaign_id, 5)
    shop.pledge(OWNER, campaign_id, 7)
    shop.pass_days(1)
    coin = shop.coin_of(FAN)
    cancel(shop, FAN, campaign_id)
    assert shop.chain.events == (PledgeCancelled(campaign_id, FAN.address, 0, 0),)
    assert shop.chain.events[0].subjects() == (FAN.address, campaign_id)
    assert shop.coin_of(FAN) == coin + shop.chain.params.record_deposit
    assert shop.pledge_of(campaign_id, 0) is None
    cancel(shop, OWNER, campaign_id, 1)
    record = shop.campaign(campaign_id)
    assert (record.weight, record.own_weight, record.pledged) == (0, 0, 12)


def test_a_cancelled_pledge_comes_back_whole_and_frees_its_places(shop: Shop) -> None:
    campaign_id = shop.create_campaign(tiers=(("One", 10, 1),), add_ons=ADD_ONS)
    before = shop.coin_of(OWNER)
    shop.pledge(OWNER, campaign_id, 20, tier=1, add_ons=((1, 2),))
    spent = 2 * shop.chain.mined[-1].transactions[0].weight
    cancel(shop, OWNER, campaign_id)
    assert shop.chain.events == (PledgeCancelled(campaign_id, OWNER.address, 0, 20),)
    assert shop.coin_of(OWNER) == before - spent - EXIT_WEIGHT * shop.chain.params.fee_rate_min
    record = shop.campaign(campaign_id)
    assert (record.taken, record.added, record.pledged, record.weight, record.own_weight) == ((0,), (0, 0), 0, 0, 0)
    assert (record.escrowed, record.returned, shop.chain.state.chain.escrow) == (0, 0, 0)
    shop.pledge(FAN, campaign_id, 10, tier=1)
    assert shop.campaign(campaign_id).pledges == 2, "a number is never given twice"
    assert PLEDGE_CANCEL.reads(FAN.address, PledgeCancel(campaign_id, 1)) == (
        campaign_key(campaign_id),
        campaign_terms_key(campaign_id),
        pledge_key(campaign_id, 1),
        former_pledge_key(campaign_id, 1),
    )


def test_cancel_fails_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_CAMPAIGN):
        cancel(shop, STRANGER, CampaignId(NOWHERE))
    campaign_id = shop.create_campaign(days=1, goal=50)
    with refused(NO_PLEDGE, number=0):
        cancel(shop, STRANGER, campaign_id)
    shop.pledge(FAN, campaign_id, 50)
    with refused(NOT_BACKER, number=0):
        cancel(shop, STRANGER, campaign_id)
    with refused(GOAL_REACHED, goal=50, left=0, most=0):
        cancel(shop, FAN, campaign_id)


def test_a_goal_exceeded_by_ten_loses_ten_in_the_last_day_and_not_eleven(shop: Shop) -> None:
    campaign_id = shop.create_campaign(goal=1_000)
    for quantity in (989, 11, 10):
        shop.pledge(FAN, campaign_id, quantity)
    enter_last_day(shop, campaign_id)
    with refused(GOAL_REACHED, goal=1_000, left=999, most=10):
        cancel(shop, FAN, campaign_id, 1)
    cancel(shop, FAN, campaign_id, 2)
    assert shop.campaign(campaign_id).pledged == 1_000


def test_the_last_day_begins_to_the_second(shop: Shop) -> None:
    campaign_id = shop.create_campaign(goal=10)
    shop.pledge(FAN, campaign_id, 10)
    shop.pledge(FRIEND, campaign_id, 10)
    enter_last_day(shop, campaign_id, seconds_left=DAY_SECONDS + 1)
    cancel(shop, FRIEND, campaign_id, 1)
    with refused(GOAL_REACHED):
        cancel(shop, FAN, campaign_id)


def test_below_the_goal_everybody_may_leave_on_the_last_day(shop: Shop) -> None:
    campaign_id = shop.create_campaign(goal=11, days=1)
    shop.pledge(FAN, campaign_id, 10)
    cancel(shop, FAN, campaign_id)


def test_keep_it_all_has_no_last_day(shop: Shop) -> None:
    campaign_id = shop.create_campaign(goal=10, days=1, all_or_nothing=False)
    shop.pledge(FAN, campaign_id, 10)
    cancel(shop, FAN, campaign_id)


def test_between_the_deadline_and_its_work_nothing_moves(shop: Shop) -> None:
    """The due work of many campaigns fills the block, so this one's settlement waits; meanwhile it can't be changed."""
    params = replace(shop.chain.params, due_weight_max=10_000)
    crowd = Shop(params=params)
    campaigns = [crowd.create_campaign(days=2, goal=50) for _ in range(26)]
    crowd.pledge(FAN, campaigns[-1], 10)
    crowd.chain.mine(6)
    crowd.chain.block(time=crowd.campaign(campaigns[-1]).until)
    with refused(WAITING, until=crowd.campaign(campaigns[-1]).until):
        cancel(crowd, FAN, campaigns[-1])
    with refused(WAITING):
        change(crowd, FAN, campaigns[-1], 20)
    crowd.chain.mine(2)
    assert crowd.pledge_of(campaigns[-1], 0) is None
