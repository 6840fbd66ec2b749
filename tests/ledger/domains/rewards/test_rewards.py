"""`reward.list` and `reward.update`: what gets worse waits, what gets better does not."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.program_sunset import PROGRAM_ENDING, ProgramSunset
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import NO_PROGRAM, program_key
from ledger.domains.rewards.redeem import NOT_LISTED, PRICE_ABOVE
from ledger.domains.rewards.reward_list import REWARD_LIST, RewardList, RewardListed
from ledger.domains.rewards.reward_update import CHANGE_ANNOUNCED, REWARD_UPDATE, RewardUpdate, RewardUpdated
from ledger.domains.rewards.state import (
    ALWAYS,
    NO_LIMIT,
    NO_REWARD,
    UNLIMITED,
    Limit,
    Reward,
    Window,
    changed_stock,
    reward_key,
)
from ledger.errors import RuleViolation
from ledger.types import Amount, Points, ProgramId, RewardId, Timestamp
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, NOWHERE, OWNER, STRANGER, Shop

NOTICE = 10 * DAY_SECONDS


def change(shop: Shop, reward: RewardId, *, price: int = 100, stock: int = 0, listed: bool = True) -> RewardUpdate:
    return RewardUpdate(shop.program, reward, Points(price), stock, listed)


def update(shop: Shop, reward: RewardId, **changes: Any) -> RewardUpdated:
    shop.chain.send("reward.update", change(shop, reward, **changes), author=OWNER)
    event = shop.chain.events[0]
    assert isinstance(event, RewardUpdated)
    return event


def facts(shop: Shop, reward: RewardId) -> tuple[int, int, bool]:
    record = shop.reward(reward)
    return record.price, record.stock, record.listed


def test_a_reward_is_on_offer(shop: Shop) -> None:
    reward = shop.list_reward(price=100, stock=10)
    assert shop.chain.events == (RewardListed(shop.program, reward, "Coffee", Points(100), 10, 0, NO_LIMIT, ALWAYS, 0),)
    assert shop.chain.events[0].subjects() == (shop.program,)
    assert facts(shop, reward) == (100, 10, True)


def test_failures_of_listing_come_in_the_documented_order(shop: Shop) -> None:
    payload = RewardList(shop.program, "Coffee", Points(1), 1)
    send = shop.chain.send
    with refused(NO_PROGRAM):
        send("reward.list", replace(payload, program=ProgramId(NOWHERE)), author=FAN)
    with refused(NOT_OWNER):
        send("reward.list", payload, author=FAN)
    fee = shop.chain.sign("transfer", Transfer(ToAccount(STRANGER.address), Amount(10**11)), author=OWNER).weight * 2
    rest = Amount(shop.coin_of(OWNER) - fee - 11_000)
    send("transfer", Transfer(ToAccount(STRANGER.address), rest), author=OWNER)
    with refused(INSUFFICIENT, needed=10_000):
        send("reward.list", payload, author=OWNER)
    assert REWARD_LIST.reads(OWNER.address, payload) == (program_key(shop.program),)


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=10_500)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        payload = RewardList(shop.program, "Coffee", Points(1), 1)
        shop.chain.send("reward.list", payload, author=OWNER, payment=shop.sponsored)


def test_failures_of_updating_come_in_the_documented_order(shop: Shop) -> None:
    reward = shop.list_reward()
    send = shop.chain.send
    payload = change(shop, RewardId(NOWHERE), price=101)
    with refused(NO_PROGRAM):
        send("reward.update", replace(payload, program=ProgramId(NOWHERE)), author=FAN)
    with refused(NOT_OWNER):
        send("reward.update", payload, author=FAN)
    with refused(NO_REWARD, reward=NOWHERE):
        send("reward.update", payload, author=OWNER)
    since = shop.now + NOTICE
    update(shop, reward, price=101)
    with refused(CHANGE_ANNOUNCED, effective_from=since):
        send("reward.update", change(shop, reward, price=102), author=OWNER)
    assert REWARD_UPDATE.reads(OWNER.address, payload) == (
        program_key(shop.program),
        reward_key(shop.program, payload.reward),
    )


def test_a_price_rises_after_the_notice_only(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 1_000)
    reward = shop.list_reward()
    since = shop.now + NOTICE
    assert update(shop, reward, price=120) == RewardUpdated(
        shop.program, reward, Points(120), 10, True, Timestamp(since), NO_LIMIT, ALWAYS, 0
    )
    assert shop.chain.events[0].subjects() == (shop.program,)
    shop.chain.block(time=since - 1)
    shop.redeem(FAN, reward, price=100)
    assert facts(shop, reward) == (120, 9, True)
    with refused(PRICE_ABOVE, price=120, accepted=119):
        shop.redeem(FAN, reward, price=119)
    shop.redeem(FAN, reward, price=120)
    assert facts(shop, reward) == (120, 8, True)


def test_a_price_falls_at_once(shop: Shop) -> None:
    reward = shop.list_reward()
    now = shop.now
    assert update(shop, reward, price=80) == RewardUpdated(
        shop.program, reward, Points(80), 10, True, now, NO_LIMIT, ALWAYS, 0
    )
    assert facts(shop, reward) == (80, 10, True)


def test_what_gets_better_does_not_wait_for_what_gets_worse(shop: Shop) -> None:
    reward = shop.list_reward()
    since = shop.now + NOTICE
    update(shop, reward, price=80, stock=-4, listed=True)
    assert facts(shop, reward) == (80, 10, True)
    update(shop, reward, price=70, stock=5)
    assert facts(shop, reward) == (70, 15, True)
    shop.chain.block(time=since)
    assert facts(shop, reward) == (70, 11, True)


def test_what_is_added_is_added_once_and_at_once(shop: Shop) -> None:
    reward = shop.list_reward()
    since = shop.now + NOTICE
    update(shop, reward, price=120, stock=1)
    assert facts(shop, reward) == (100, 11, True)
    shop.chain.block(time=since)
    assert facts(shop, reward) == (120, 11, True)


def test_an_end_that_is_announced_forbids_what_is_worse_until_the_program_has_closed(shop: Shop) -> None:
    reward = shop.list_reward()
    sunset = ProgramSunset(shop.program, Timestamp(shop.now + NOTICE))
    shop.chain.send("program.sunset", sunset, author=OWNER)
    closes = shop.terms_of_program.closes_at
    shop.chain.block(time=closes - 1)
    with refused(PROGRAM_ENDING, sunset_at=sunset.sunset_at):
        update(shop, reward, price=101)
    shop.chain.block(time=closes)
    update(shop, reward, price=101)


def test_delisting_waits_and_listing_again_does_not(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 1_000)
    reward = shop.list_reward()
    since = shop.now + NOTICE
    update(shop, reward, listed=False)
    shop.redeem(FAN, reward)
    shop.chain.block(time=since)
    with refused(NOT_LISTED):
        shop.redeem(FAN, reward)
    update(shop, reward, listed=False, price=90)
    assert facts(shop, reward) == (90, 9, False)
    update(shop, reward, price=90)
    shop.redeem(FAN, reward)


def test_without_notice_everything_is_at_once() -> None:
    shop = Shop(notice_days=0)
    reward = shop.list_reward()
    update(shop, reward, price=120, stock=-20, listed=False)
    assert facts(shop, reward) == (120, 0, False)
    update(shop, reward, price=130)
    assert facts(shop, reward) == (130, 0, True)
    shop.chain.replay()


def test_a_price_that_falls_meanwhile_does_not_rise_with_what_was_announced(shop: Shop) -> None:
    reward = shop.list_reward()
    since = shop.now + NOTICE
    update(shop, reward, price=200)
    shop.chain.block(time=since - 120)
    assert update(shop, reward, price=50).effective_from == since - 120
    assert shop.chain.record(reward_key(shop.program, reward)).announced == (), "it would change nothing any more"
    shop.chain.block(time=since)
    assert facts(shop, reward) == (50, 10, True)
    raised = update(shop, reward, price=200)
    assert raised.effective_from == shop.now - 60 + NOTICE, "a rise needs a notice of its own"


def test_an_announced_rise_stays_where_the_price_does(shop: Shop) -> None:
    reward = shop.list_reward()
    since = shop.now + NOTICE
    update(shop, reward, price=200)
    update(shop, reward, price=100, stock=3)
    shop.chain.block(time=since)
    assert facts(shop, reward) == (200, 13, True)


def announced_stock(shop: Shop, reward: RewardId) -> int:
    record: Reward = shop.chain.record(reward_key(shop.program, reward))
    return record.announced[0].stock_change


def test_stock_that_was_added_is_not_taken_away_with_what_was_announced(shop: Shop) -> None:
    reward = shop.list_reward(stock=10)
    since = shop.now + NOTICE
    update(shop, reward, stock=-1_000)
    update(shop, reward, price=90)
    assert announced_stock(shop, reward) == -1_000, "no stock was added"
    update(shop, reward, price=90, stock=1)
    assert announced_stock(shop, reward) == -10
    update(shop, reward, price=90, stock=6)
    shop.chain.block(time=since)
    assert facts(shop, reward) == (90, 7, True)
    update(shop, reward, stock=-7)
    shop.chain.block(time=shop.now + NOTICE)
    assert facts(shop, reward)[1] == 0


def test_stock_of_nothing_that_was_announced_to_go_is_forgotten(shop: Shop) -> None:
    reward = shop.list_reward(stock=0)
    update(shop, reward, stock=-5)
    update(shop, reward, stock=5)
    assert shop.chain.record(reward_key(shop.program, reward)).announced == ()


def test_a_reward_that_is_listed_again_stays_listed(shop: Shop) -> None:
    reward = shop.list_reward()
    update(shop, reward, listed=False)
    shop.chain.block(time=shop.now + NOTICE)
    since = shop.now + NOTICE
    update(shop, reward, price=120, listed=False)
    update(shop, reward, listed=True)
    assert facts(shop, reward) == (100, 10, True)
    shop.chain.block(time=since)
    assert facts(shop, reward) == (120, 10, True)


changes = st.tuples(st.sampled_from([50, 100, 150]), st.integers(-3, 3), st.booleans(), st.integers(1, 12))


@given(st.lists(changes, min_size=2, max_size=8))
@settings(max_examples=40)
def test_what_was_shown_holds_for_the_notice(steps: list[tuple[int, int, bool, int]]) -> None:
    """What a fan reads, the announcement included, gets no worse for ten days; a price that fell does not rise for ten days."""
    shop = Shop()
    reward = shop.list_reward(price=100, stock=5)
    shown: list[tuple[int, Reward]] = []
    fell: list[tuple[int, int]] = []
    for price, stock, listed, days in steps:
        before = facts(shop, reward)[0]
        with suppress(RuleViolation):
            update(shop, reward, price=price, stock=stock, listed=listed)
        shown.append((shop.now, shop.chain.record(reward_key(shop.program, reward))))
        if facts(shop, reward)[0] < before:
            fell.append((shop.now - 60, facts(shop, reward)[0]))
        shop.chain.block(time=shop.now + days * DAY_SECONDS)
        found = shop.reward(reward)
        for earlier, record in shown:
            if shop.now < earlier - 60 + NOTICE:
                promised = record.at(shop.now)
                assert found.price <= promised.price
                assert found.stock >= promised.stock
                assert found.listed >= promised.listed
        for earlier, lowest in fell:
            assert shop.now >= earlier + NOTICE or found.price <= lowest


@pytest.mark.parametrize(
    ("stock", "change", "expected"),
    [
        (10, -11, 0),
        (10, -10, 0),
        (10, 5, 15),
        (10, UNLIMITED, UNLIMITED),
        (UNLIMITED, 1, UNLIMITED),
        (UNLIMITED, -UNLIMITED, 0),
    ],
)
def test_stock_stays_within_its_range(stock: int, change: int, expected: int) -> None:
    assert changed_stock(stock, change) == expected


def bounds(shop: Shop, reward: RewardId) -> tuple[Limit, Window]:
    record = shop.reward(reward)
    return record.limit, record.window


def bound(shop: Shop, reward: RewardId, limit: Limit = NO_LIMIT, window: Window = ALWAYS) -> RewardUpdated:
    payload = RewardUpdate(shop.program, reward, Points(100), 0, True, limit, window)
    shop.chain.send("reward.update", payload, author=OWNER)
    event = shop.chain.events[0]
    assert isinstance(event, RewardUpdated)
    return event


@pytest.mark.parametrize(
    ("old", "new", "waits"),
    [
        (NO_LIMIT, Limit(10, 0, 0), True),
        (Limit(10, 0, 0), NO_LIMIT, False),
        (Limit(10, 0, 0), Limit(9, 0, 0), True),
        (Limit(10, 0, 0), Limit(11, 0, 0), False),
        (NO_LIMIT, Limit(0, 1, 1), True),
        (Limit(0, 1, 7), Limit(0, 2, 7), False),
        (Limit(0, 1, 7), Limit(0, 1, 6), False),
        (Limit(0, 2, 7), Limit(0, 1, 7), True),
        (Limit(0, 1, 7), Limit(0, 1, 8), True),
        (Limit(0, 1, 7), Limit(0, 3, 30), True),
        (Limit(0, 1, 7), NO_LIMIT, False),
    ],
)
def test_a_tighter_limit_waits_and_a_looser_one_does_not(old: Limit, new: Limit, waits: bool) -> None:
    shop = Shop()
    reward = shop.list_reward(limit=old)
    since = shop.now + NOTICE
    event = bound(shop, reward, new)
    assert (event.limit, event.effective_from) == (new, since if waits else since - NOTICE)
    assert bounds(shop, reward)[0] == (old if waits else new)
    shop.chain.block(time=since)
    assert bounds(shop, reward)[0] == new


def test_a_shorter_window_waits_and_a_longer_one_does_not(shop: Shop) -> None:
    now = shop.now
    reward = shop.list_reward(window=Window(Timestamp(now - 100), Timestamp(now + 2 * NOTICE)))
    longer = Window(Timestamp(now - 100), Timestamp(now + 3 * NOTICE))
    assert bound(shop, reward, window=longer).effective_from == shop.now - 60
    past = Window(Timestamp(now + 30), Timestamp(now + 3 * NOTICE))
    assert bound(shop, reward, window=past).effective_from == shop.now - 60, "that it was open before is over"
    since = shop.now + NOTICE
    later = Window(Timestamp(since + 60), Timestamp(now + 2 * NOTICE))
    assert bound(shop, reward, window=later) == RewardUpdated(
        shop.program, reward, Points(100), 10, True, Timestamp(since), NO_LIMIT, later, 0
    )
    assert bounds(shop, reward)[1] == past
    shop.chain.block(time=since)
    assert bounds(shop, reward)[1] == later


def test_a_window_that_is_over_can_be_cut_at_once(shop: Shop) -> None:
    reward = shop.list_reward(window=Window(Timestamp(0), Timestamp(shop.now + 60)))
    shop.chain.mine(2)
    ended = Window(Timestamp(0), Timestamp(1))
    assert bound(shop, reward, window=ended).effective_from == shop.now - 60
    assert bounds(shop, reward)[1] == ended


def test_a_limit_or_a_window_that_gets_better_meanwhile_is_not_taken_back_by_what_was_announced(shop: Shop) -> None:
    closes = Timestamp(shop.now + 3 * NOTICE)
    reward = shop.list_reward(limit=Limit(5, 2, 7), window=Window(Timestamp(0), closes))
    since = shop.now + NOTICE
    tighter = Window(Timestamp(0), Timestamp(closes - 100))
    bound(shop, reward, Limit(3, 1, 7), tighter)
    bound(shop, reward, Limit(6, 2, 7), Window(Timestamp(0), Timestamp(closes + 100)))
    announced = shop.chain.record(reward_key(shop.program, reward)).announced[0]
    assert announced.limit == Limit(6, 1, 7), "of the limit only the total got better"
    assert announced.window == Window(Timestamp(0), Timestamp(closes + 100))
    shop.chain.block(time=since)
    assert bounds(shop, reward)[0] == Limit(6, 1, 7)
