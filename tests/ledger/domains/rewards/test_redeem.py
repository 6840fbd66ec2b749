"""`redeem`, `redeem.fulfil`, `redeem.cancel` and the timeout: each hold ends once."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points import POINTS_INSUFFICIENT
from ledger.domains.loyalty.program_sunset import PROGRAM_CLOSED, ProgramSunset
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    NO_PROGRAM,
    NO_SCOPE,
    NOT_GRANTED,
    SCOPE_FULFIL,
    SCOPES_ALL,
    books_key,
    member_key,
    program_key,
)
from ledger.domains.rewards.holds import HOLD_BLOCKS_MIN, HOLD_TIMEOUT_DUE, HoldReleased
from ledger.domains.rewards.redeem import (
    NOT_LISTED,
    OUT_OF_STOCK,
    PRICE_ABOVE,
    REDEEM,
    Redeem,
    RedemptionOpened,
)
from ledger.domains.rewards.redeem_cancel import REDEEM_CANCEL, RedeemCancel
from ledger.domains.rewards.redeem_fulfil import REDEEM_FULFIL, RedeemFulfil, RedemptionFulfilled
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import NO_HOLD, NO_REWARD, UNLIMITED, count_id_of, count_key, hold_key, reward_key
from ledger.params import EXIT_WEIGHT
from ledger.transaction import NO_PREPAID_EXIT, OwnFee, Prepaid
from ledger.types import Amount, FulfilmentId, Hash, HoldId, Points, ProgramId, RewardId, Timestamp
from tests.support.due_queue import queued
from tests.support.memory_chain import DAY_SECONDS, Signer, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop


@pytest.fixture
def reward(shop: Shop) -> RewardId:
    """Ten coffees for 100 points each; the fan has 1,000 points, the friend none."""
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 1_000)
    return shop.list_reward()


def cancel(shop: Shop, hold: HoldId, *, author: Signer = FAN) -> None:
    shop.chain.send("redeem.cancel", RedeemCancel(hold), author=author, payment=Prepaid())


def test_asking_for_a_reward_holds_points_and_stock(shop: Shop, reward: RewardId) -> None:
    now, height = shop.now, shop.chain.height
    hold_id = shop.redeem(FAN, reward, quantity=3)
    assert shop.chain.events == (RedemptionOpened(shop.program, FAN.address, hold_id, reward, 3, Points(300)),)
    assert shop.chain.events[0].subjects() == (FAN.address, shop.program, hold_id)
    hold = shop.hold(hold_id)
    assert hold is not None
    assert (hold.points, hold.quantity, hold.lots[0][3]) == (300, 3, 300)
    assert (hold.expires_at, hold.expires_height) == (now + 3_600, height + HOLD_BLOCKS_MIN)
    assert queued(shop.chain, HOLD_TIMEOUT_DUE) == [(hold.expires_at, hold_id, 0)]
    assert (shop.books.held, shop.books.available) == (300, 700)
    assert shop.reward(reward).stock == 7


def test_the_shop_hands_it_out(shop: Shop, reward: RewardId) -> None:
    coin = shop.coin_of(FAN)
    redeem = shop.chain.sign("redeem", Redeem(shop.program, reward, 1, Points(100)), author=FAN)
    hold_id = shop.redeem(FAN, reward)
    locked = shop.chain.state.chain.locked
    commitment = Hash(bytes(range(32)))
    payload = RedeemFulfil(hold_id, 1, (commitment,))
    fulfilment = shop.chain.sign("redeem.fulfil", payload, author=TILL)
    block = shop.chain.block(fulfilment)
    assert shop.chain.events == (
        RedemptionFulfilled(
            program=shop.program,
            member=FAN.address,
            hold=hold_id,
            reward=reward,
            quantity=1,
            points=Points(100),
            left=0,
            fulfilment=FulfilmentId(b""),
            codes=(commitment,),
        ),
    )
    assert shop.chain.events[0].subjects() == (FAN.address, shop.program, hold_id)
    prepaid = EXIT_WEIGHT * shop.chain.params.fee_rate_min
    assert block.payees[0][1] == 5_000_000 + fulfilment.weight * 2 + prepaid
    assert shop.chain.state.chain.locked == locked - 10_000 - prepaid
    assert shop.coin_of(FAN) == coin - redeem.weight * 2 - prepaid, "the deposit came back"
    assert shop.hold(hold_id) is None
    assert (shop.books.held, shop.books.redeemed, shop.books.available) == (0, 100, 900)
    with refused(NO_HOLD, hold=hold_id):
        shop.fulfil(hold_id)
    with refused(NO_HOLD):
        cancel(shop, hold_id)


@pytest.mark.parametrize("author", [FAN, OWNER, TILL])
def test_fan_owner_and_shop_can_cancel_without_coin(shop: Shop, reward: RewardId, author: Signer) -> None:
    hold_id = shop.redeem(FAN, reward, quantity=2)
    cancel(shop, hold_id, author=author)
    assert shop.chain.events == (HoldReleased(shop.program, FAN.address, hold_id, reward, Points(200), False, 2),)
    assert shop.chain.events[0].subjects() == (FAN.address, shop.program, hold_id)
    assert (shop.points_of(FAN), shop.books.held, shop.reward(reward).stock) == (1_000, 0, 10)


def test_the_pool_gets_its_deposit_back(shop: Shop, reward: RewardId) -> None:
    shop.join(POOR)
    shop.earn(POOR, 100)
    pool = shop.books.pool
    hold_id = shop.redeem(POOR, reward, payment=shop.sponsored)
    spent = pool - shop.books.pool
    cancel(shop, hold_id, author=POOR)
    assert shop.books.pool == pool - spent + 10_000


def test_failures_of_redeeming_come_in_the_documented_order(shop: Shop, reward: RewardId) -> None:
    send = shop.chain.send
    payload = Redeem(shop.program, RewardId(NOWHERE), 11, Points(99))
    with refused(NO_PROGRAM):
        send("redeem", replace(payload, program=ProgramId(NOWHERE)), author=STRANGER)
    with refused(NO_MEMBER, member=STRANGER.address):
        send("redeem", payload, author=STRANGER)
    with refused(NO_REWARD, reward=NOWHERE):
        send("redeem", payload, author=FRIEND)
    payload = replace(payload, reward=reward)
    delisted = RewardUpdate(shop.program, reward, Points(100), 0, False)
    send("reward.update", delisted, author=OWNER)
    shop.chain.advance(days=10)
    with refused(NOT_LISTED):
        send("redeem", payload, author=FRIEND)
    send("reward.update", replace(delisted, listed=True), author=OWNER)
    with refused(PRICE_ABOVE, price=100, accepted=99):
        send("redeem", payload, author=FRIEND)
    payload = replace(payload, price_accepted=Points(100))
    with refused(OUT_OF_STOCK, stock=10, wanted=11):
        send("redeem", payload, author=FRIEND)
    payload = replace(payload, quantity=10)
    with refused(POINTS_INSUFFICIENT, needed=1_000, available=0):
        send("redeem", payload, author=FRIEND)
    shop.join(POOR)
    send("transfer", Transfer(ToAccount(POOR.address), Amount(11_000)), author=FAN)
    shop.earn(POOR, 1_000)
    with refused(INSUFFICIENT, needed=10_000):
        send("redeem", payload, author=POOR)
    assert REDEEM.reads(FAN.address, payload) == (
        program_key(shop.program),
        books_key(shop.program),
        member_key(shop.program, FAN.address),
        reward_key(shop.program, reward),
        count_key(count_id_of(shop.program, reward, FAN.address)),
    )


def test_a_program_that_has_closed_gives_nothing(shop: Shop, reward: RewardId) -> None:
    sunset = ProgramSunset(shop.program, Timestamp(shop.now + 10 * DAY_SECONDS))
    shop.chain.send("program.sunset", sunset, author=OWNER)
    closes = shop.terms_of_program.closes_at
    payload = Redeem(shop.program, RewardId(NOWHERE), 1, Points(100))
    shop.chain.block(time=closes - 1)
    with refused(NO_REWARD):
        shop.chain.send("redeem", payload, author=FAN)
    shop.chain.block(time=closes)
    with refused(PROGRAM_CLOSED, closes_at=closes):
        shop.chain.send("redeem", payload, author=FAN)


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=11_000)
    shop.join_alone(FAN)
    shop.earn(FAN, 100)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.redeem(FAN, shop.list_reward(), payment=shop.sponsored)


def test_one_point_short_is_refused_and_the_exact_number_is_enough(shop: Shop, reward: RewardId) -> None:
    shop.earn(FRIEND, 99)
    with refused(POINTS_INSUFFICIENT, needed=100, available=99):
        shop.redeem(FRIEND, reward)
    shop.earn(FRIEND, 1)
    shop.redeem(FRIEND, reward)
    assert shop.points_of(FRIEND) == 0


def test_a_member_who_left_still_spends_what_it_has(shop: Shop, reward: RewardId) -> None:
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    hold_id = shop.redeem(FAN, reward)
    cancel(shop, hold_id)
    assert shop.points_of(FAN) == 1_000


def test_failures_of_fulfilling_and_cancelling_come_in_the_documented_order(shop: Shop, reward: RewardId) -> None:
    nowhere = HoldId(NOWHERE)
    hold_id = shop.redeem(FAN, reward)
    shop.grant(FRIEND, scopes=SCOPES_ALL - SCOPE_FULFIL)
    with refused(NO_HOLD, hold=nowhere):
        shop.fulfil(nowhere, author=STRANGER)
    with refused(NO_SCOPE, issuer=FRIEND.address, scope="fulfil"):
        shop.fulfil(hold_id, author=FRIEND)
    with refused(NOT_GRANTED, issuer=FAN.address):
        shop.fulfil(hold_id, author=FAN)
    with refused(NO_PREPAID_EXIT, kind="redeem.fulfil"):
        shop.chain.send("redeem.fulfil", RedeemFulfil(hold_id, 1), author=TILL, payment=Prepaid())
    with refused(NO_HOLD, hold=nowhere):
        cancel(shop, nowhere, author=STRANGER)
    with refused(NOT_GRANTED, issuer=STRANGER.address):
        cancel(shop, hold_id, author=STRANGER)
    with refused(NO_SCOPE, issuer=FRIEND.address, scope="fulfil"):
        cancel(shop, hold_id, author=FRIEND)
    shop.fulfil(hold_id, author=OWNER)
    assert REDEEM_FULFIL.reads(TILL.address, RedeemFulfil(hold_id, 1)) == (hold_key(hold_id),)
    assert REDEEM_CANCEL.reads(TILL.address, RedeemCancel(hold_id)) == (hold_key(hold_id),)


def test_cancelling_may_also_be_paid_for(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward)
    shop.chain.send("redeem.cancel", RedeemCancel(hold_id), author=FAN, payment=OwnFee(Amount(5_000)))
    assert shop.points_of(FAN) == 1_000


def test_a_hold_ends_by_itself_when_time_and_height_have_passed(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward)
    hold = shop.hold(hold_id)
    assert hold is not None
    shop.chain.block(time=hold.expires_at)
    while shop.chain.height < hold.expires_height:
        shop.chain.mine()
        assert shop.hold(hold_id) is not None, "an outage must not eat it"
        now = shop.chain.mined[-1].context.time
        assert queued(shop.chain, HOLD_TIMEOUT_DUE) == [(now + 1, hold_id, 0)]
    shop.chain.mine()
    assert shop.chain.events == (HoldReleased(shop.program, FAN.address, hold_id, reward, Points(100), True, 1),)
    assert shop.hold(hold_id) is None
    assert (shop.points_of(FAN), shop.reward(reward).stock) == (1_000, 10)


def test_a_hold_stays_open_until_its_last_second(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward)
    hold = shop.hold(hold_id)
    assert hold is not None
    shop.chain.mine(HOLD_BLOCKS_MIN)
    shop.chain.block(time=hold.expires_at - 1)
    shop.chain.block(time=hold.expires_at)
    assert shop.hold(hold_id) is not None
    shop.fulfil(shop.redeem(FAN, reward))
    assert shop.hold(hold_id) is None, "due work comes before the block's transactions"


def test_a_hold_that_is_over_takes_no_points_even_where_due_work_is_late() -> None:
    """Campaigns that end together fill the due work of the block in which the hold's time is over."""
    params = sim_params(*(signer.address for signer in FUNDED), due_weight_max=10_000)
    shop = Shop(params=params)
    shop.join(FAN)
    shop.earn(FAN, 1_000)
    reward = shop.list_reward()
    hold_id = shop.redeem(FAN, reward)
    hold = shop.hold(hold_id)
    assert hold is not None
    deadline = Timestamp(hold.expires_at - 1)
    payload = CampaignTerms("Lamp", CoinUnit(), 1_000, deadline, ())
    campaigns = [shop.chain.sign("campaign.create", payload, author=OWNER) for _ in range(30)]
    shop.chain.block(*campaigns)
    shop.chain.mine(HOLD_BLOCKS_MIN)
    shop.chain.block(time=hold.expires_at)
    with refused(NO_HOLD, hold=hold_id):
        shop.fulfil(hold_id)
    assert shop.hold(hold_id) == hold, "its timeout still waits"
    shop.chain.mine(2)
    assert (shop.hold(hold_id), shop.points_of(FAN)) == (None, 1_000)


def test_a_timeout_after_the_end_changes_nothing(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward)
    cancel(shop, hold_id)
    shop.chain.advance(seconds=3_700, blocks=10)
    before = shop.books
    shop.chain.mine()
    assert shop.chain.events == ()
    assert shop.books == before


def test_an_unlimited_stock_is_never_counted(shop: Shop, reward: RewardId) -> None:
    endless = shop.list_reward(price=1, stock=UNLIMITED)
    hold_id = shop.redeem(FAN, endless, quantity=1_000)
    assert shop.reward(endless).stock == UNLIMITED
    cancel(shop, hold_id)
    assert shop.reward(endless).stock == UNLIMITED


def test_stock_that_comes_back_stays_within_its_range(shop: Shop, reward: RewardId) -> None:
    endless = shop.list_reward(price=1, stock=UNLIMITED)
    hold_id = shop.redeem(FAN, endless, quantity=1_000)
    payload = RewardUpdate(shop.program, endless, Points(1), -1, True)
    shop.chain.send("reward.update", payload, author=OWNER)
    shop.chain.block(time=shop.now + 10 * DAY_SECONDS)
    assert shop.reward(endless).stock == UNLIMITED - 1
    shop.chain.mine(HOLD_BLOCKS_MIN)
    assert shop.hold(hold_id) is None
    assert shop.reward(endless).stock == UNLIMITED
