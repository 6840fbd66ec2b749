"""`redeem.fulfil` of some of the units, `redeem.refund`, and what is kept in between: each unit ends once."""

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points import GRACE_GIVEN, RESTORE_GRACE_DAYS
from ledger.domains.loyalty.state import NO_SCOPE, NOT_GRANTED, SCOPE_FULFIL, SCOPES_ALL
from ledger.domains.rewards.fulfilments import FORGET_DUE, split_lots
from ledger.domains.rewards.holds import HOLD_BLOCKS_MIN, HoldReleased
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import BAD_CODES, RedeemFulfil, RedemptionFulfilled
from ledger.domains.rewards.redeem_refund import NOT_REFUNDABLE, REDEEM_REFUND, RedeemRefund, RedemptionRefunded
from ledger.domains.rewards.state import NO_HOLD, QUANTITY_ABOVE, UNLIMITED, fulfilment_key
from ledger.errors import Malformed
from ledger.transaction import Prepaid
from ledger.types import Amount, FulfilmentId, HoldId, Points, RewardId
from tests.support.due_queue import queued
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop, some_hash

REFUND_DAYS = 7


@pytest.fixture
def shop() -> Shop:
    """What was handed out can be taken back for a week; the fan has 300 points of one day and 700 of the next."""
    found = Shop(refund_days=REFUND_DAYS)
    found.join(FAN)
    found.earn(FAN, 300)
    found.chain.block(time=found.midnight(days=1) + 60)
    found.earn(FAN, 700)
    return found


@pytest.fixture
def reward(shop: Shop) -> RewardId:
    return shop.list_reward()


def cancel(shop: Shop, hold: HoldId) -> None:
    shop.chain.send("redeem.cancel", RedeemCancel(hold), author=FAN, payment=Prepaid())


def lots_of(shop: Shop) -> list[tuple[int, int]]:
    """(days until the lot expires, points)."""
    return [(lot[2] - shop.today, lot[3]) for lot in shop.member(FAN).lots]


def test_some_units_now_and_the_rest_later(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward, quantity=5)
    codes = (some_hash("a"), some_hash("b"))
    fulfilment = shop.fulfil(hold_id, 2, codes)
    assert shop.chain.events == (
        RedemptionFulfilled(
            program=shop.program,
            member=FAN.address,
            hold=hold_id,
            reward=reward,
            quantity=2,
            points=Points(200),
            left=3,
            fulfilment=fulfilment,
            codes=codes,
        ),
    )
    hold = shop.hold(hold_id)
    assert hold is not None
    assert (hold.quantity, hold.points) == (3, 300)
    assert [lot[3] for lot in hold.lots] == [100, 200], "what expires first is spent first"
    assert (shop.books.held, shop.books.redeemed) == (300, 200)
    with refused(QUANTITY_ABOVE, wanted=4, left=3):
        shop.fulfil(hold_id, 4)
    shop.fulfil(hold_id, 3, author=OWNER)
    assert (shop.hold(hold_id), shop.books.held, shop.books.redeemed) == (None, 0, 500)
    with refused(NO_HOLD):
        shop.fulfil(hold_id, 1)


def test_the_fan_gives_up_the_rest(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward, quantity=5)
    shop.fulfil(hold_id, 2)
    cancel(shop, hold_id)
    assert shop.chain.events == (HoldReleased(shop.program, FAN.address, hold_id, reward, Points(300), False, 3),)
    assert (shop.points_of(FAN), shop.reward(reward).stock) == (800, 8)
    assert (shop.books.held, shop.books.redeemed) == (0, 200)


def test_the_rest_times_out(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward, quantity=5)
    shop.fulfil(hold_id, 4)
    shop.chain.advance(seconds=3_600, blocks=8)
    shop.chain.mine()
    assert shop.hold(hold_id) is None
    assert (shop.points_of(FAN), shop.reward(reward).stock) == (600, 6)


def test_each_unit_has_a_code_or_none_has(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward, quantity=3)
    for codes in ((some_hash(1),), tuple(some_hash(number) for number in range(3))):
        with refused(BAD_CODES, Malformed, codes=len(codes), quantity=2):
            shop.fulfil(hold_id, 2, codes)
    shop.fulfil(hold_id, 2, (some_hash(1), some_hash(2)))


def test_a_refund_restores_the_original_lots(shop: Shop, reward: RewardId) -> None:
    before = shop.member(FAN).lots
    hold_id = shop.redeem(FAN, reward, quantity=5)
    fulfilment = shop.fulfil(hold_id, 5)
    assert lots_of(shop) == [(30, 500)]
    shop.refund(fulfilment, 5)
    assert shop.chain.events[0].subjects() == (FAN.address, shop.program, hold_id)
    assert shop.chain.events == (
        RedemptionRefunded(
            program=shop.program,
            member=FAN.address,
            hold=hold_id,
            fulfilment=fulfilment,
            reward=reward,
            quantity=5,
            points=Points(500),
            left=0,
        ),
    )
    assert shop.member(FAN).lots == before
    assert (shop.books.redeemed, shop.books.available, shop.books.restored) == (0, 1_000, 0)
    assert shop.reward(reward).stock == 5, "the shop adds what it can sell again"


def test_double_refund(shop: Shop, reward: RewardId) -> None:
    fulfilment = shop.fulfil(shop.redeem(FAN, reward, quantity=2), 2)
    shop.refund(fulfilment, 2)
    with refused(NOT_REFUNDABLE, fulfilment=fulfilment):
        shop.refund(fulfilment, 1)
    assert shop.points_of(FAN) == 1_000


def test_a_refund_of_some_units_gives_back_what_lives_longest(shop: Shop, reward: RewardId) -> None:
    fulfilment = shop.fulfil(shop.redeem(FAN, reward, quantity=5), 5)
    shop.refund(fulfilment, 1)
    assert lots_of(shop) == [(30, 600)]
    with refused(QUANTITY_ABOVE, wanted=5, left=4):
        shop.refund(fulfilment, 5)
    kept = shop.fulfilment(fulfilment)
    assert kept is not None
    assert (kept.quantity, kept.points, [lot[3] for lot in kept.lots]) == (4, 400, [300, 100])
    shop.refund(fulfilment, 4)
    assert lots_of(shop) == [(29, 300), (30, 700)]
    assert shop.fulfilment(fulfilment) is None


def test_what_expired_meanwhile_comes_back_with_a_short_grace_once(shop: Shop, reward: RewardId) -> None:
    shop = Shop(refund_days=60)
    shop.join(FAN)
    shop.earn(FAN, 300)
    reward = shop.list_reward()
    first = shop.fulfil(shop.redeem(FAN, reward), 1)
    second = shop.fulfil(shop.redeem(FAN, reward), 1)
    shop.chain.advance(days=40)
    shop.chain.mine()
    assert shop.points_of(FAN) == 0
    shop.refund(first)
    assert shop.member(FAN).lots == ((1, GRACE_GIVEN, shop.today + RESTORE_GRACE_DAYS, 100),)
    again = shop.fulfil(shop.redeem(FAN, reward), 1)
    shop.chain.advance(days=RESTORE_GRACE_DAYS)
    shop.chain.mine()
    expired = shop.books.expired
    shop.refund(again)
    assert shop.points_of(FAN) == 0, "the grace is given once"
    assert shop.books.expired == expired + 100
    shop.refund(second)
    assert shop.points_of(FAN) == 100


def test_a_refund_reaches_who_has_left(shop: Shop, reward: RewardId) -> None:
    fulfilment = shop.fulfil(shop.redeem(FAN, reward), 1)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    shop.refund(fulfilment)
    assert shop.points_of(FAN) == 1_000


def test_without_refund_days_nothing_is_kept(reward: RewardId) -> None:
    shop = Shop()
    shop.join(FAN)
    shop.earn(FAN, 100)
    locked = shop.chain.state.chain.locked
    fulfilment = shop.fulfil(shop.redeem(FAN, shop.list_reward()), 1)
    event = shop.chain.events[0]
    assert isinstance(event, RedemptionFulfilled) and event.fulfilment == b""
    assert shop.fulfilment(fulfilment) is None
    assert shop.chain.state.chain.locked == locked + 10_000, "the reward's"
    with refused(NOT_REFUNDABLE):
        shop.refund(fulfilment)


def test_what_can_be_refunded_is_kept_until_its_last_second_and_then_dropped(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward, quantity=2)
    coin, locked = shop.coin_of(TILL), shop.chain.state.chain.locked
    payload = RedeemFulfil(hold_id, 1)
    transaction = shop.chain.sign("redeem.fulfil", payload, author=TILL)
    shop.chain.block(transaction)
    fulfilment = FulfilmentId(_fulfilment_of(shop))
    assert shop.coin_of(TILL) == coin - transaction.weight * 2 - 10_000
    assert shop.chain.state.chain.locked == locked + 10_000
    kept = shop.fulfilment(fulfilment)
    assert kept is not None
    shop.chain.block(time=kept.keep_until - 1)
    shop.chain.mine(HOLD_BLOCKS_MIN)
    assert shop.fulfilment(fulfilment) is None
    assert shop.coin_of(TILL) == coin - transaction.weight * 2


def _fulfilment_of(shop: Shop) -> bytes:
    event = shop.chain.events[0]
    assert isinstance(event, RedemptionFulfilled)
    return event.fulfilment


def test_an_outage_does_not_eat_the_time_to_refund(shop: Shop, reward: RewardId) -> None:
    fulfilment = shop.fulfil(shop.redeem(FAN, reward, quantity=2), 2)
    kept = shop.fulfilment(fulfilment)
    assert kept is not None
    shop.chain.block(time=kept.keep_until)
    shop.chain.mine()
    shop.refund(fulfilment)
    while shop.chain.height < kept.keep_height:
        shop.chain.mine()
        assert shop.fulfilment(fulfilment) is not None
        now = shop.chain.mined[-1].context.time
        assert queued(shop.chain, FORGET_DUE) == [(now + 1, fulfilment, 0)]
    with refused(NOT_REFUNDABLE):
        shop.refund(fulfilment)
    shop.chain.mine()
    assert shop.fulfilment(fulfilment) is None


def test_refunds_are_over_on_the_second(shop: Shop, reward: RewardId) -> None:
    fulfilment = shop.fulfil(shop.redeem(FAN, reward), 1)
    kept = shop.fulfilment(fulfilment)
    assert kept is not None
    assert kept.keep_until == shop.chain.mined[-1].context.time + REFUND_DAYS * DAY_SECONDS
    assert queued(shop.chain, FORGET_DUE) == [(kept.keep_until, fulfilment, 0)]
    shop.chain.mine(HOLD_BLOCKS_MIN)
    shop.chain.block(time=kept.keep_until)
    with refused(NOT_REFUNDABLE):
        shop.refund(fulfilment)


def test_forgetting_what_was_refunded_changes_nothing(shop: Shop, reward: RewardId) -> None:
    fulfilment = shop.fulfil(shop.redeem(FAN, reward), 1)
    shop.refund(fulfilment)
    shop.chain.advance(days=REFUND_DAYS, blocks=8)
    before = shop.chain.state.chain.locked
    shop.chain.mine()
    assert shop.chain.state.chain.locked == before


def test_failures_of_refunding_come_in_the_documented_order(shop: Shop, reward: RewardId) -> None:
    shop.join(FRIEND)
    fulfilment = shop.fulfil(shop.redeem(FAN, reward), 1)
    shop.grant(FRIEND, scopes=SCOPES_ALL - SCOPE_FULFIL)
    with refused(NOT_REFUNDABLE, fulfilment=NOWHERE):
        shop.refund(FulfilmentId(NOWHERE), 9, author=STRANGER)
    with refused(NOT_GRANTED, issuer=STRANGER.address):
        shop.refund(fulfilment, 9, author=STRANGER)
    with refused(NOT_GRANTED, issuer=FAN.address):
        shop.refund(fulfilment, 1, author=FAN)
    with refused(NO_SCOPE, issuer=FRIEND.address, scope="fulfil"):
        shop.refund(fulfilment, 9, author=FRIEND)
    with refused(QUANTITY_ABOVE, wanted=9, left=1):
        shop.refund(fulfilment, 9, author=OWNER)
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    with refused(NOT_GRANTED):
        shop.refund(fulfilment)
    shop.refund(fulfilment, author=OWNER)
    assert REDEEM_REFUND.reads(OWNER.address, RedeemRefund(fulfilment, 1)) == (fulfilment_key(fulfilment),)


def test_the_deposit_of_what_is_kept_must_be_there(shop: Shop, reward: RewardId) -> None:
    hold_id = shop.redeem(FAN, reward)
    shop.grant(POOR)
    shop.chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(9_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        shop.fulfil(hold_id, 1, author=POOR)
    with refused(QUANTITY_ABOVE):
        shop.fulfil(hold_id, 2, author=POOR)


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=11_000, refund_days=1)
    shop.join_alone(FAN)
    shop.earn(FAN, 100)
    hold_id = shop.redeem(FAN, shop.list_reward())
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.fulfil(hold_id, 1, payment=shop.sponsored)


def test_lots_are_split_in_their_order() -> None:
    lots = ((1, 0, 5, 3), (1, 0, 6, 4), (2, 1, 7, 2))
    assert split_lots(lots, 0) == ((), lots)
    assert split_lots(lots, 9) == (lots, ())
    assert split_lots(lots, 3) == (lots[:1], lots[1:])
    assert split_lots(lots, 5) == (((1, 0, 5, 3), (1, 0, 6, 2)), ((1, 0, 6, 2), (2, 1, 7, 2)))


def test_unlimited_stock_and_many_units(shop: Shop) -> None:
    endless = shop.list_reward(price=1, stock=UNLIMITED)
    hold_id = shop.redeem(FAN, endless, quantity=1_000)
    fulfilment = shop.fulfil(hold_id, 999)
    shop.refund(fulfilment, 999)
    cancel(shop, hold_id)
    assert (shop.points_of(FAN), shop.reward(endless).stock) == (1_000, UNLIMITED)
