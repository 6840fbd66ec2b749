"""Lots: activation and expiry by day alone, merging, and what comes back."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.domains.loyalty.earn import Earn
from ledger.domains.loyalty.points import (
    GRACE_GIVEN,
    POINTS_INSUFFICIENT,
    RESTORE_GRACE_DAYS,
    PointsBook,
    split_usable,
    usable_points,
)
from ledger.domains.loyalty.state import (
    DAYS,
    NEVER,
    Books,
    DayTotals,
    Expiry,
    Lot,
    NeverExpires,
    Program,
    RollingExpiry,
    days_key,
    load_books,
    program_key,
)
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.params import LOTS_MAX
from ledger.state import Overlay
from ledger.transaction import Prepaid
from ledger.types import Day, HoldId, Points, Timestamp
from tests.support.memory_chain import DAY_SECONDS, GENESIS_DAY, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, TILL, Shop


def make_expiry(days: int) -> Expiry:
    return RollingExpiry(days) if days else NeverExpires()


def cancel(shop: Shop, hold: HoldId) -> None:
    shop.chain.send("redeem.cancel", RedeemCancel(hold), author=FAN, payment=Prepaid())


def totals(books: Books) -> tuple[int, int, int, int]:
    return books.pending, books.available, books.held, books.expired


def test_points_wait_for_their_day_and_then_move_by_themselves() -> None:
    shop = Shop(activation_delay_days=3)
    shop.join(FAN)
    shop.earn(FAN, 100)
    reward = shop.list_reward()
    assert totals(shop.books) == (100, 0, 0, 0)
    activation = shop.midnight(days=3)
    shop.chain.block(time=activation - 1)
    with refused(POINTS_INSUFFICIENT, needed=100, available=0):
        shop.redeem(FAN, reward)
    shop.chain.block(time=activation)
    assert totals(shop.books) == (100, 0, 0, 0), "the block that brings the day does not see it yet"
    shop.chain.mine()
    assert totals(shop.books) == (0, 100, 0, 0)
    shop.redeem(FAN, reward)
    assert totals(shop.books) == (0, 0, 100, 0)
    shop.chain.replay()


def test_points_expire_on_their_day_whether_touched_or_not() -> None:
    shop = Shop()
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 100)
    shop.earn(FRIEND, 50)
    reward = shop.list_reward(price=1, stock=20)
    expiry = shop.midnight(days=30)
    shop.chain.block(time=expiry - 1)
    shop.redeem(FAN, reward, quantity=10)
    with refused(POINTS_INSUFFICIENT, needed=1, available=0):
        shop.redeem(FAN, reward)
    assert shop.books.available == 140, "a day is moved by the next block, and its points are of no use before"
    shop.chain.mine()
    assert totals(shop.books) == (0, 0, 10, 140)
    assert shop.member(FRIEND).lots != (), "nobody touched the lot, and yet it is expired"
    shop.earn(FRIEND, 7)
    assert [lot[3] for lot in shop.member(FRIEND).lots] == [7], "an expired lot goes when its record is written"
    shop.chain.replay()


def test_points_are_usable_by_their_days_even_where_due_work_is_late() -> None:
    """Two campaigns' refunds fill the block in which the day of activation begins, so its totals are not moved yet."""
    params = sim_params(*(signer.address for signer in FUNDED), due_weight_max=10_000)
    shop = Shop(params=params, activation_delay_days=2, expiry=RollingExpiry(3))
    shop.join(FAN)
    reward = shop.list_reward(price=1, stock=1_000)
    campaigns = [shop.create_campaign(days=1) for _ in range(2)]
    for campaign in campaigns * 16:
        shop.pledge(FRIEND, campaign, 1)
    shop.earn(FAN, 100)
    shop.chain.mine(6)
    shop.chain.block(time=shop.campaign(campaigns[1]).until)
    shop.chain.block(time=shop.terms_of_program.day_start(Day(GENESIS_DAY + 2)))
    hold = shop.redeem(FAN, reward, quantity=3)
    assert totals(shop.books) == (97, 0, 3, 0), "usable by its day, counted as pending until the day is moved"
    cancel(shop, hold)
    assert totals(shop.books) == (0, 100, 0, 0)
    shop.pass_days(1)
    assert totals(shop.books) == (0, 3, 0, 97), "what came back has its grace"
    shop.chain.replay()


def test_an_expired_lot_is_passed_over_and_gone(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 10)
    shop.pass_days(20)
    shop.earn(FAN, 20)
    shop.pass_days(10)
    shop.redeem(FAN, shop.list_reward(price=1), quantity=5)
    assert shop.member(FAN).lots == ((1, shop.today - 10, shop.today + 20, 15),)


def test_the_soonest_expiry_is_spent_first(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 10)
    shop.pass_days(3)
    shop.earn(FAN, 20)
    first = shop.today - 3 + 30
    reward = shop.list_reward(price=1)
    hold = shop.redeem(FAN, reward, quantity=6)
    assert shop.member(FAN).lots == ((1, first - 30, first, 4), (1, first - 27, first + 3, 20))
    second = shop.redeem(FAN, reward, quantity=4)
    assert shop.member(FAN).lots == ((1, first - 27, first + 3, 20),)
    cancel(shop, second)
    cancel(shop, hold)
    assert shop.member(FAN).lots == ((1, first - 30, first, 10), (1, first - 27, first + 3, 20))


def test_what_comes_back_after_its_day_is_usable_for_the_grace() -> None:
    shop = Shop(hold_seconds=90 * DAY_SECONDS)
    shop.join(FAN)
    shop.earn(FAN, 100)
    hold = shop.redeem(FAN, shop.list_reward())
    shop.pass_days(40)
    assert totals(shop.books) == (0, 0, 100, 0)
    cancel(shop, hold)
    assert shop.member(FAN).lots == ((1, GRACE_GIVEN, shop.today + RESTORE_GRACE_DAYS, 100),)
    assert shop.points_of(FAN) == 100
    shop.pass_days(RESTORE_GRACE_DAYS)
    assert (shop.points_of(FAN), shop.books.expired) == (0, 100)
    shop.chain.replay()


def test_the_grace_is_given_once() -> None:
    shop = Shop(hold_seconds=30 * DAY_SECONDS)
    shop.join(FAN)
    shop.earn(FAN, 100)
    reward = shop.list_reward(price=1, stock=1_000)
    shop.pass_days(29)
    cancel(shop, shop.redeem(FAN, reward, quantity=60))
    until = shop.today + RESTORE_GRACE_DAYS
    assert shop.member(FAN).lots == ((1, shop.today - 29, shop.today + 1, 40), (1, GRACE_GIVEN, until, 60))
    shop.pass_days(RESTORE_GRACE_DAYS - 1)
    cancel(shop, shop.redeem(FAN, reward, quantity=50))
    assert shop.member(FAN).lots == ((1, GRACE_GIVEN, until, 60),), "usable still, and not for longer"
    assert totals(shop.books) == (0, 60, 0, 40)
    hold = shop.redeem(FAN, reward, quantity=50)
    shop.pass_days(1)
    assert totals(shop.books) == (0, 0, 50, 50)
    cancel(shop, hold)
    assert (shop.member(FAN).lots, totals(shop.books)) == ((), (0, 0, 0, 100))
    shop.chain.replay()


def test_what_timed_out_after_its_grace_is_expired() -> None:
    shop = Shop(hold_seconds=30 * DAY_SECONDS)
    shop.join(FAN)
    shop.earn(FAN, 100)
    reward = shop.list_reward(price=1, stock=1_000)
    shop.pass_days(25)
    shop.redeem(FAN, reward, quantity=100)
    shop.pass_days(31)
    (lot,) = shop.member(FAN).lots
    assert (lot[1], lot[2] > shop.today) == (GRACE_GIVEN, True), "the first time-out brings the grace"
    shop.redeem(FAN, reward, quantity=100)
    shop.pass_days(31)
    assert (shop.member(FAN).lots, totals(shop.books)) == ((), (0, 0, 0, 100))
    shop.chain.replay()


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(1, 100), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=12)
@example([(10, 100, True)] * 8)
def test_no_member_keeps_points_alive_for_ever(tries: list[tuple[int, int, bool]]) -> None:
    """Whatever is redeemed, cancelled and left to time out: points end by their expiry, the longest hold and one grace."""
    step_days, hold_days = 10, 20  # a hold ends in the first block after its time, which may come a step later
    shop = Shop(hold_seconds=hold_days * DAY_SECONDS)
    shop.join(FAN)
    shop.earn(FAN, 100)
    last_day = shop.today + 30 + hold_days + step_days + RESTORE_GRACE_DAYS
    reward = shop.list_reward(price=1, stock=10_000)
    for days, wanted, by_member in tries:
        if days:
            shop.pass_days(days)
        points = min(wanted, shop.points_of(FAN))
        if points:
            hold = shop.redeem(FAN, reward, quantity=points)
            if by_member:
                cancel(shop, hold)
        assert all(lot[2] <= last_day for lot in shop.member(FAN).lots)
    while shop.books.held or shop.today < last_day:
        shop.pass_days(step_days)
        assert all(lot[2] <= last_day for lot in shop.member(FAN).lots)
    assert totals(shop.books) == (0, 0, 0, 100)


@pytest.mark.parametrize("held", [LOTS_MAX // 2, LOTS_MAX - 1])
def test_many_lots_come_back_as_if_each_came_by_itself(shop: Shop, held: int) -> None:
    view, context = Overlay(shop.chain.state), shop.chain.context
    start = PointsBook.open(view, shop.program, shop.terms_of_program, context)
    lots: tuple[Lot, ...] = ()
    for index in range(held):
        lots = start.add_lot(lots, (1, shop.today, shop.today + 1 + index, 10))
    lots, taken = start.take(lots, Points(305), "held")
    lots = start.add_lot(lots, (1, shop.today, shop.today + 20, 7))
    start.save()
    one_by_one = lots
    for version, activation_day, expiry_day, amount in taken:
        until = shop.today + RESTORE_GRACE_DAYS
        lot = (version, GRACE_GIVEN, until, amount)
        if expiry_day >= until:
            lot = (version, activation_day, expiry_day, amount)
        one_by_one = start.add_lot(one_by_one, lot)
    assert (
        PointsBook.open(view, shop.program, shop.terms_of_program, context).give_back(lots, taken, "held") == one_by_one
    )


def test_what_comes_back_and_never_expires_never_expires() -> None:
    shop = Shop(expiry=make_expiry(0))
    shop.join(FAN)
    shop.earn(FAN, 100)
    hold = shop.redeem(FAN, shop.list_reward())
    cancel(shop, hold)
    assert shop.member(FAN).lots == ((1, shop.today, NEVER, 100),)


def test_the_oldest_lots_merge_in_the_members_favour() -> None:
    shop = Shop(expiry=make_expiry(400), activation_delay_days=1)
    shop.join(FAN)
    for _ in range(LOTS_MAX + 2):
        batch = shop.chain.sign("earn", Earn(shop.program, (shop.entry(FAN, 1),)), author=TILL)
        shop.chain.block(batch, time=shop.now + DAY_SECONDS)
    shop.chain.mine()
    lots = shop.member(FAN).lots
    assert len(lots) == LOTS_MAX
    first_day = shop.today - LOTS_MAX - 2
    assert lots[0] == (1, first_day + 1, first_day + 402, 3)
    assert lots[1] == (1, first_day + 4, first_day + 403, 1)
    assert totals(shop.books) == (0, LOTS_MAX + 2, 0, 0)
    assert shop.points_of(FAN) == LOTS_MAX + 2
    shop.chain.block(time=shop.terms_of_program.day_start(Day(first_day + 402)))
    shop.chain.mine()
    assert (shop.books.expired, shop.points_of(FAN)) == (3, LOTS_MAX - 1)


def test_a_day_is_moved_once_and_then_forgotten(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 10)
    shop.earn(FAN, 5)
    key = days_key(shop.program, Day(shop.today + 30))
    assert shop.chain.state.table(DAYS.prefix) == {key: DayTotals(Points(0), Points(15))}
    shop.pass_days(30)
    assert shop.chain.state.table(DAYS.prefix) == {}
    assert shop.books.expired == 15


@pytest.mark.parametrize(("offset", "day"), [(0, 1), (-1, 0), (1_439, 1), (-1_439, 0)])
def test_days_have_a_fixed_offset(shop: Shop, offset: int, day: int) -> None:
    program: Program = replace(shop.chain.record(program_key(shop.program)), offset_minutes=offset)
    assert program.day_at(Timestamp(86_400)) == day
    start = program.day_start(Day(day))
    assert (program.day_at(start), program.day_at(Timestamp(start - 1))) == (day, day - 1)


lots = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 12), st.integers(13, 40), st.integers(1, 50)), min_size=1, max_size=12
)


@given(lots, st.data())
def test_lots_and_totals_agree_through_every_move(found: list[Lot], data: st.DataObject) -> None:
    shop = Shop()
    view = Overlay(shop.chain.state)
    book = PointsBook.open(view, shop.program, shop.terms_of_program, shop.chain.context)
    today = book.today
    collateral = {1: 0, 2: 300, 3: 700}
    book.rates.update({version: (rate, 0) for version, rate in collateral.items()})
    member: tuple[Lot, ...] = ()
    for version, activation, expiry, amount in found:
        lot = (version, today + activation - 6, today + expiry, amount)
        member = book.add_lot(member, lot)
        book.secure(lot)
    usable = usable_points(member, today)
    assert sum(lot[3] for lot in member) == sum(lot[3] for lot in found)
    if usable:
        wanted = Points(data.draw(st.integers(1, usable)))
        left, taken = book.take(member, wanted, "held")
        assert book.total("held") == sum(lot[3] for lot in taken) == wanted
        assert usable_points(left, today) == usable - wanted
        member = book.give_back(left, taken, "held")
    assert book.total("held") == 0
    assert usable_points(member, today) == usable
    assert book.total("pending") + book.total("available") == sum(lot[3] for lot in member)
    assert book.total("available") == usable
    book.save()
    assert load_books(view, shop.program).backing == sum(lot[3] * collateral[lot[0]] for lot in member)
    by_day: dict[int, list[int]] = {}
    for version, activation, expiry, amount in member:
        if activation > today:
            by_day.setdefault(activation, [0, 0, 0])[0] += amount
        by_day.setdefault(expiry, [0, 0, 0])[1] += amount
        by_day[expiry][2] += amount * collateral[version]
    for day, record in book.days.items():
        assert [record.activating, record.expiring, record.backing] == by_day.pop(day, [0, 0, 0])
    assert not by_day


class LotsOnly(PointsBook):
    """Nothing is booked: only the list of lots counts. Every second version has collateral."""

    def book_in(self, lot: Lot) -> None:
        assert lot[3] > 0

    book_out = book_in

    def rate_of(self, version: int) -> tuple[int, int]:
        return (version % 2, 0)


def add_plainly(lots: Sequence[Lot], lot: Lot, today: Day) -> tuple[Lot, ...]:
    """A lot more, as LOY-9 says it, step by step over all of them."""
    same = [other for other in lots if other[:3] == lot[:3]]
    live = [other for other in lots if other[2] > today and other not in same]
    kept = sorted([*live, (*lot[:3], lot[3] + sum(other[3] for other in same))], key=lambda each: each[2::-1])
    while len(kept) > LOTS_MAX:
        at = next((at for at in range(len(kept) - 1) if kept[at][0] % 2 == kept[at + 1][0] % 2), 0)
        a, b = kept[at : at + 2]
        kept[at : at + 2] = [(a[0] if a[0] % 2 < b[0] % 2 else b[0], min(a[1], b[1]), b[2], a[3] + b[3])]
    return tuple(kept)


def split_plainly(lots: Sequence[Lot], amount: int, today: Day) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """What is left of all lots, and what is taken of the usable ones, one point after the other."""
    left = {lot: lot[3] for lot in lots if lot[2] > today}
    order = [lot for lot in lots if lot[1] <= today < lot[2] for _ in range(lot[3])]
    for lot in order[:amount]:
        left[lot] -= 1
    changed = tuple([(*lot[:3], points) for lot, points in left.items() if points])
    taken = tuple([(*lot[:3], lot[3] - points) for lot, points in left.items() if points < lot[3]])
    return changed, taken


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("days", [3, 400])
def test_only_lots_that_are_touched_change(shop: Shop, seed: int, days: int) -> None:
    chance = random.Random(seed)
    book = LotsOnly(Overlay(shop.chain.state), shop.program, shop.terms_of_program, shop.books, Day(1_000), {}, {}, {})
    lots: tuple[Lot, ...] = ()
    for _ in range(250):
        book.today = Day(book.today + (chance.random() < 0.05))
        first, last = book.today + chance.randint(-3, 3), book.today + chance.randint(0, days)
        lot = (chance.randint(1, 3), first, last, chance.randint(1, 9))
        expected = add_plainly(lots, lot, book.today)
        lots = book.add_lot(lots, lot)
        assert lots == expected
        usable = usable_points(lots, book.today)
        if chance.random() < 0.1 and usable:
            amount = Points(chance.randint(1, usable))
            parts = split_usable(lots, amount, book.today)
            assert parts == split_plainly(lots, amount, book.today)
            lots, usable = parts[0], Points(usable - amount)
        with refused(POINTS_INSUFFICIENT, needed=usable + 1, available=usable):
            split_usable(lots, Points(usable + 1), book.today)
