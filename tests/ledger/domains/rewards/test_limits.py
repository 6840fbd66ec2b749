"""What one member may get of a reward: in all and within days, given back by what comes back, forgotten when nothing needs it."""

from typing import Any

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.rewards.counts import BAD_LIMIT, BAD_WINDOW, COUNT_DUE, LIMIT_REACHED
from ledger.domains.rewards.redeem import OUTSIDE_WINDOW, Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import ALWAYS, NO_LIMIT, Count, Limit, Window, count_id_of, reward_key
from ledger.errors import Malformed
from ledger.params import COUNT_CHECK_SECONDS
from ledger.transaction import Prepaid
from ledger.types import Amount, HoldId, Points, RewardId, Timestamp
from tests.support.due_queue import queued
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER, POOR, STRANGER, Shop

NEVER_EXPIRES_DAYS = 30


@pytest.fixture
def shop() -> Shop:
    """Without notice, so that owners change things at once; two fans with 1,000 points each."""
    found = Shop(notice_days=0, refund_days=7, hold_seconds=90 * DAY_SECONDS)
    found.join(FAN, FRIEND)
    found.earn(FAN, 1_000)
    found.earn(FRIEND, 1_000)
    return found


def offer(shop: Shop, *limit: int, **options: Any) -> RewardId:
    return shop.list_reward(price=10, stock=100, limit=Limit(*limit), **options)


def change(shop: Shop, reward: RewardId, limit: Limit, *, listed: bool = True, window: Window = ALWAYS) -> None:
    shop.chain.send(
        "reward.update", RewardUpdate(shop.program, reward, Points(10), 0, listed, limit, window), author=OWNER
    )


def cancel(shop: Shop, hold: HoldId, fan: Signer = FAN) -> None:
    shop.chain.send("redeem.cancel", RedeemCancel(hold), author=fan, payment=Prepaid())


def taken(shop: Shop, reward: RewardId, fan: Signer = FAN) -> tuple[int, int]:
    count = shop.count(fan, reward)
    assert count is not None
    return count.total, count.count


def test_the_last_unit_of_a_limit_is_had_and_the_next_is_not(shop: Shop) -> None:
    reward = offer(shop, 3, 0, 0)
    shop.redeem(FAN, reward, quantity=2)
    with refused(LIMIT_REACHED, wanted=2, left=1):
        shop.redeem(FAN, reward, quantity=2)
    shop.redeem(FAN, reward)
    with refused(LIMIT_REACHED, wanted=1, left=0):
        shop.redeem(FAN, reward)
    shop.redeem(FRIEND, reward, quantity=3)
    assert taken(shop, reward) == taken(shop, reward, FRIEND) == (3, 3)


def test_a_limit_of_days_begins_anew_after_them(shop: Shop) -> None:
    reward = offer(shop, 0, 2, 3)
    first_day = shop.today
    shop.redeem(FAN, reward, quantity=2)
    shop.chain.block(time=shop.midnight(days=3) - 1)
    with refused(LIMIT_REACHED, wanted=1, left=0):
        shop.redeem(FAN, reward)
    shop.chain.block(time=shop.midnight(days=1) + 60)
    assert shop.today == first_day + 3
    shop.redeem(FAN, reward)
    with refused(LIMIT_REACHED, wanted=2, left=1):
        shop.redeem(FAN, reward, quantity=2)


def test_both_limits_hold_and_the_tighter_one_is_named(shop: Shop) -> None:
    reward = offer(shop, 3, 2, 1)
    shop.redeem(FAN, reward, quantity=2)
    with refused(LIMIT_REACHED, left=0):
        shop.redeem(FAN, reward)
    shop.chain.block(time=shop.midnight(days=1) + 60)
    with refused(LIMIT_REACHED, left=1):
        shop.redeem(FAN, reward, quantity=2)
    shop.redeem(FAN, reward)
    shop.chain.block(time=shop.midnight(days=1) + 60)
    with refused(LIMIT_REACHED, left=0):
        shop.redeem(FAN, reward)


def test_what_is_cancelled_or_refunded_can_be_had_again(shop: Shop) -> None:
    reward = offer(shop, 3, 3, 5)
    cancel(shop, shop.redeem(FAN, reward, quantity=3))
    assert taken(shop, reward) == (0, 0)
    fulfilment = shop.fulfil(shop.redeem(FAN, reward, quantity=3), 2)
    shop.refund(fulfilment, 1)
    assert taken(shop, reward) == (2, 2)
    shop.redeem(FAN, reward)
    with refused(LIMIT_REACHED, left=0):
        shop.redeem(FAN, reward)


def test_what_times_out_is_given_back() -> None:
    shop = Shop(hold_seconds=3_600)
    shop.join(FAN)
    shop.earn(FAN, 1_000)
    reward = offer(shop, 2, 0, 0)
    shop.redeem(FAN, reward, quantity=2)
    shop.chain.advance(seconds=3_600, blocks=8)
    shop.chain.mine()
    assert taken(shop, reward) == (0, 0)


def test_what_comes_back_after_its_days_is_not_taken_off_the_present_ones(shop: Shop) -> None:
    reward = offer(shop, 0, 2, 1)
    old = shop.redeem(FAN, reward, quantity=2)
    shop.chain.block(time=shop.midnight(days=1) - 1)
    shop.chain.advance(seconds=61)
    shop.redeem(FAN, reward, quantity=2)
    cancel(shop, old)
    count = shop.count(FAN, reward)
    assert count is not None
    assert (count.count, count.since) == (2, shop.today)
    with refused(LIMIT_REACHED, left=0):
        shop.redeem(FAN, reward)


def test_a_new_span_of_days_begins_once_in_a_count_that_stays(shop: Shop) -> None:
    reward = offer(shop, 9, 2, 1)
    old = shop.redeem(FAN, reward, quantity=2)
    shop.chain.block(time=shop.midnight(days=1) + 60)
    shop.redeem(FAN, reward, quantity=2)
    count = shop.count(FAN, reward)
    assert count is not None
    assert (count.total, count.count, count.since) == (4, 2, shop.today)
    with refused(LIMIT_REACHED, wanted=1, left=0):
        shop.redeem(FAN, reward)
    cancel(shop, old)
    assert taken(shop, reward) == (2, 2), "it was of an earlier span"
    with refused(LIMIT_REACHED, wanted=1, left=0):
        shop.redeem(FAN, reward)


def test_a_hold_that_was_not_counted_gives_nothing_back(shop: Shop) -> None:
    reward = offer(shop, 0, 0, 0)
    uncounted = shop.redeem(FAN, reward, quantity=5)
    assert shop.count(FAN, reward) is None
    change(shop, reward, Limit(2, 0, 0))
    shop.redeem(FAN, reward, quantity=2)
    cancel(shop, uncounted)
    assert taken(shop, reward) == (2, 2)


def test_without_a_limit_nothing_is_asked_and_what_was_counted_stays(shop: Shop) -> None:
    reward = offer(shop, 1, 0, 0)
    shop.redeem(FAN, reward)
    change(shop, reward, NO_LIMIT)
    shop.redeem(FAN, reward, quantity=9)
    change(shop, reward, Limit(2, 0, 0))
    assert taken(shop, reward) == (1, 1)
    shop.redeem(FAN, reward)
    with refused(LIMIT_REACHED, left=0):
        shop.redeem(FAN, reward)


def test_a_limit_that_was_lowered_leaves_less_than_nothing(shop: Shop) -> None:
    reward = offer(shop, 5, 0, 0)
    shop.redeem(FAN, reward, quantity=5)
    change(shop, reward, Limit(2, 0, 0))
    with refused(LIMIT_REACHED, wanted=1, left=0):
        shop.redeem(FAN, reward)


def test_the_count_locks_a_deposit_once_and_gives_it_back(shop: Shop) -> None:
    reward = offer(shop, 0, 9, 2)
    locked = shop.chain.state.chain.locked
    hold = shop.redeem(FAN, reward)
    cancel(shop, hold)
    assert shop.chain.state.chain.locked == locked + 10_000
    cancel(shop, shop.redeem(FAN, reward))
    assert shop.chain.state.chain.locked == locked + 10_000
    coin = shop.coin_of(FAN)
    shop.chain.block(time=shop.midnight(days=2))
    shop.chain.mine()
    assert shop.count(FAN, reward) is None
    assert (shop.chain.state.chain.locked, shop.coin_of(FAN)) == (locked, coin + 10_000)


def test_the_counts_deposit_must_be_there(shop: Shop) -> None:
    shop.join(POOR)
    shop.earn(POOR, 100)
    shop.chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(23_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        shop.redeem(POOR, offer(shop, 1, 0, 0))
    shop.redeem(POOR, offer(shop, 0, 0, 0))


def test_a_count_of_days_is_forgotten_after_as_many_days_as_the_limit_then_says(shop: Shop) -> None:
    reward = offer(shop, 0, 2, 2)
    count_id = count_id_of(shop.program, reward, FAN.address)
    first_look, second_look = shop.midnight(days=2), shop.midnight(days=4)
    shop.redeem(FAN, reward, quantity=2)
    assert queued(shop.chain, COUNT_DUE) == [(first_look, count_id, 0)]
    change(shop, reward, Limit(0, 2, 4))
    shop.chain.block(time=shop.midnight(days=2))
    shop.chain.mine()
    assert taken(shop, reward) == (2, 2)
    assert queued(shop.chain, COUNT_DUE) == [(second_look, count_id, 0)]
    with refused(LIMIT_REACHED):
        shop.redeem(FAN, reward)
    shop.chain.block(time=shop.midnight(days=2) - 1)
    shop.chain.mine()
    assert taken(shop, reward) == (2, 2)
    shop.chain.mine()
    assert shop.count(FAN, reward) is None


def test_a_count_in_all_stays_while_the_reward_is_on_offer(shop: Shop) -> None:
    reward = offer(shop, 1, 0, 0)
    shop.redeem(FAN, reward)
    shop.chain.block(time=shop.now + COUNT_CHECK_SECONDS - 60)
    shop.chain.mine(2)
    assert isinstance(shop.count(FAN, reward), Count), "it is looked at, and needed"
    change(shop, reward, Limit(1, 0, 0), listed=False)
    shop.chain.block(time=shop.now + COUNT_CHECK_SECONDS)
    shop.chain.mine()
    assert shop.count(FAN, reward) is None, "delisted when the work came"


def test_a_count_is_forgotten_by_the_reward_as_it_is_when_the_work_comes() -> None:
    """A delisting that was announced and has come true is in no record until somebody writes it."""
    shop = Shop(notice_days=10)
    shop.join(FAN)
    shop.earn(FAN, 1_000)
    reward = offer(shop, 1, 0, 0)
    shop.chain.block(time=shop.now + 10 * DAY_SECONDS)
    shop.fulfil(shop.redeem(FAN, reward))
    change(shop, reward, Limit(1, 0, 0), listed=False)
    delisted_at = shop.chain.record(reward_key(shop.program, reward)).announced[0].effective_from
    for look in range(1, 20):
        ((due, _, _),) = queued(shop.chain, COUNT_DUE)
        shop.chain.block(time=due)
        shop.chain.mine()
        if due >= delisted_at:
            break
        assert shop.count(FAN, reward) is not None, look
    assert shop.chain.record(reward_key(shop.program, reward)).announced
    assert shop.count(FAN, reward) is None


def test_a_count_of_which_all_came_back_is_forgotten(shop: Shop) -> None:
    reward = offer(shop, 1, 0, 0)
    cancel(shop, shop.redeem(FAN, reward))
    shop.chain.block(time=shop.now + COUNT_CHECK_SECONDS)
    shop.chain.mine()
    assert shop.count(FAN, reward) is None


def test_a_count_ends_with_the_window_and_what_comes_back_later_is_not_taken_off_a_new_one(shop: Shop) -> None:
    closes = Timestamp(shop.now + DAY_SECONDS)
    reward = offer(shop, 2, 0, 0, window=Window(Timestamp(0), closes))
    old = shop.redeem(FAN, reward, quantity=2)
    shop.chain.block(time=closes)
    with refused(OUTSIDE_WINDOW, opens_at=0, closes_at=closes, now=closes):
        shop.redeem(FAN, reward)
    shop.chain.mine()
    assert shop.count(FAN, reward) is None
    change(shop, reward, Limit(2, 0, 0), window=ALWAYS)
    shop.redeem(FAN, reward)
    cancel(shop, old)
    assert taken(shop, reward) == (1, 1)
    cancel(shop, shop.redeem(FAN, reward))
    assert taken(shop, reward) == (1, 1)


def test_a_reward_opens_and_closes_on_the_second(shop: Shop) -> None:
    opens, closes = Timestamp(shop.now + 600), Timestamp(shop.now + 1_200)
    reward = shop.list_reward(price=10, window=Window(opens, closes))
    shop.chain.block(time=opens - 1)
    with refused(OUTSIDE_WINDOW, opens_at=opens, closes_at=closes, now=opens - 1):
        shop.redeem(FAN, reward)
    shop.chain.block(time=opens)
    shop.redeem(FAN, reward)
    shop.chain.block(time=closes - 1)
    last = shop.chain.sign("redeem", Redeem(shop.program, reward, 1, Points(10)), author=FAN)
    shop.chain.execute(last)
    shop.chain.block(time=closes)
    with refused(OUTSIDE_WINDOW):
        shop.redeem(FAN, reward)


@pytest.mark.parametrize(
    ("limit", "window", "code"),
    [
        (Limit(5, 1, 0), ALWAYS, BAD_LIMIT),
        (Limit(0, 0, 7), ALWAYS, BAD_LIMIT),
        (Limit(0, 0, 7), Window(Timestamp(9), Timestamp(9)), BAD_LIMIT),
        (NO_LIMIT, Window(Timestamp(9), Timestamp(9)), BAD_WINDOW),
        (NO_LIMIT, Window(Timestamp(9), Timestamp(8)), BAD_WINDOW),
    ],
)
def test_a_limit_or_a_window_that_contradicts_itself_is_malformed(
    shop: Shop, limit: Limit, window: Window, code: Any
) -> None:
    reward = shop.list_reward()
    limit_said = {"count": limit.count, "days": limit.days}
    window_said = {"opens_at": window.opens_at, "closes_at": window.closes_at}
    with refused(code, Malformed, **(limit_said if code is BAD_LIMIT else window_said)):
        shop.list_reward(limit=limit, window=window)
    with refused(code, Malformed):
        change(shop, reward, limit, window=window)
    with refused(code, Malformed):
        payload = RewardList(shop.program, "Tea", Points(1), 1, 0, limit, window)
        shop.chain.send("reward.list", payload, author=STRANGER)
