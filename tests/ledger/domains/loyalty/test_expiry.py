"""Calendar and sliding expiry on the chain (spec TIER-4, TIER-5). Rolling and none: `test_earn`."""

from dataclasses import replace
from datetime import date

import pytest

from ledger.domains.loyalty.contests import lot_days
from ledger.domains.loyalty.periods import Period, expiry_day
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.sliding import extend_lots
from ledger.domains.loyalty.state import (
    NEVER,
    CalendarExpiry,
    DayTotals,
    Expiry,
    NeverExpires,
    RollingExpiry,
    SlidingExpiry,
    days_key,
)
from ledger.state import Overlay
from ledger.types import Day, Points, Timestamp
from tests.support.contests import contest, pass_answer, pass_grace, sign
from tests.support.shop import FAN, OWNER, Shop, make_terms

EPOCH = date(1970, 1, 1)


def expiring(shop: Shop, day: int) -> int:
    totals: DayTotals | None = shop.chain.record(days_key(shop.program, Day(day)))
    return 0 if totals is None else totals.expiring


# --- calendar ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expiry", "expected"),
    [
        (NeverExpires(), NEVER),
        (RollingExpiry(30), 1_030),
        (SlidingExpiry(30), 1_030),
        (CalendarExpiry(12, 31, 0), 1_096),  # 1972-12-31 is day 1095
    ],
)
def test_the_expiry_of_a_lot(expiry: Expiry, expected: int) -> None:
    assert expiry_day(expiry, base=Day(1_000), activation_day=Day(1_014)) == expected


def test_a_named_date_counts_from_activation() -> None:
    """Points of late December that activate in January are not gone before they can be used."""
    terms = make_terms(activation_delay_days=14, expiry=CalendarExpiry(12, 31, 0))
    base = Day((date(2026, 12, 20) - EPOCH).days)
    found = expiry_day(terms.expiry, base=base, activation_day=Day(base + 14))
    assert found == (date(2028, 1, 1) - EPOCH).days
    period = Period(Timestamp(0), Timestamp(1), base)
    assert lot_days(terms, period, Day(0)) == (base + 14, found)
    assert lot_days(terms, period, Day(base + 400)) == (base + 400, (date(2029, 1, 1) - EPOCH).days)


def test_points_with_a_named_date_expire_after_it() -> None:
    shop = Shop(expiry=CalendarExpiry(2, 29, 0))
    shop.join(FAN)
    shop.earn(FAN, 100)
    _, _, ends, _ = shop.member(FAN).lots[0]
    last = date.fromordinal(EPOCH.toordinal() + ends - 1)
    assert (last.month, last.day) in ((2, 28), (2, 29))
    shop.chain.block(time=shop.terms_of_program.day_start(Day(ends)) - 1)
    shop.chain.mine()
    shop.chain.block(time=shop.terms_of_program.day_start(Day(ends)) + 60)
    shop.chain.mine(2)
    assert (shop.points_of(FAN), shop.books.expired, shop.books.available) == (0, 100, 0)
    shop.chain.replay()


# --- sliding ----------------------------------------------------------------------------------------------------------------------


def test_who_comes_back_keeps_its_points() -> None:
    shop = Shop(expiry=SlidingExpiry(30))
    shop.join(FAN)
    shop.earn(FAN, 100)
    first = shop.today
    shop.pass_days(20)
    shop.earn(FAN, 5)
    assert shop.member(FAN).lots == (
        (1, first, shop.today + 30, 100),
        (1, shop.today, shop.today + 30, 5),
    )
    assert (expiring(shop, first + 30), expiring(shop, shop.today + 30)) == (0, 105)
    shop.pass_days(29)
    assert (shop.points_of(FAN), shop.books.available) == (105, 105)
    shop.pass_days(1)
    assert (shop.points_of(FAN), shop.books.expired, shop.books.available) == (0, 105, 0)
    shop.chain.replay()


def test_an_entry_without_points_extends_too_and_what_is_pending() -> None:
    shop = Shop(expiry=SlidingExpiry(30), activation_delay_days=10)
    shop.join(FAN)
    shop.earn(FAN, 100)
    first = shop.today
    shop.chain.advance(days=4)
    shop.earn(FAN, 0)
    assert shop.member(FAN).lots == ((1, first + 10, shop.today + 30, 100),)
    assert (shop.books.pending, shop.books.available) == (100, 0)
    shop.pass_days(7)
    assert (shop.books.pending, shop.books.available, shop.points_of(FAN)) == (0, 100, 100)
    shop.chain.replay()


def test_what_has_expired_stays_expired() -> None:
    shop = Shop(expiry=SlidingExpiry(30))
    shop.join(FAN)
    shop.earn(FAN, 100)
    shop.pass_days(30)
    shop.earn(FAN, 5)
    assert shop.member(FAN).lots == ((1, shop.today, shop.today + 30, 5),)
    assert (shop.books.expired, shop.books.available) == (100, 5)
    shop.chain.replay()


def test_only_lots_of_sliding_terms_are_extended_each_by_its_own_days() -> None:
    shop = Shop(expiry=RollingExpiry(30))
    shop.join(FAN)
    shop.earn(FAN, 1)
    day = shop.today
    for latest, days in ((1, 40), (2, 50)):
        better = make_terms(expiry=SlidingExpiry(days))
        shop.chain.send("program.update", ProgramUpdate(shop.program, latest, better), author=OWNER)
        shop.chain.mine()
        shop.earn(FAN, 10**latest)
    assert shop.today == day
    shop.chain.advance(days=10)
    shop.earn(FAN, 1_000)
    assert shop.member(FAN).lots == (
        (1, day, day + 30, 1),
        (2, day, day + 50, 10),
        (3, day, day + 60, 100),
        (3, day + 10, day + 60, 1_000),
    )
    shop.chain.replay()


def test_lots_keep_their_promise_when_the_program_slides_no_more() -> None:
    shop = Shop(expiry=SlidingExpiry(30), notice_days=0)
    shop.join(FAN)
    shop.earn(FAN, 7)
    worse = make_terms(expiry=RollingExpiry(30), notice_days=0)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, worse), author=OWNER)
    shop.chain.advance(days=20)
    shop.earn(FAN, 8)
    shop.chain.advance(days=1)
    shop.earn(FAN, 0)
    assert [(lot[0], lot[2] - shop.today, lot[3]) for lot in shop.member(FAN).lots] == [(2, 29, 8), (1, 30, 7)]
    shop.chain.replay()


def test_a_contest_that_credits_extends_too() -> None:
    shop = Shop(expiry=SlidingExpiry(60))
    shop.join(FAN)
    shop.earn(FAN, 7)
    signed = sign(shop)
    pass_grace(shop)
    contest(shop, signed)
    pass_answer(shop)
    shop.chain.mine()
    decided = shop.today
    assert [(lot[2], lot[3]) for lot in shop.member(FAN).lots] == [(decided + 60, 7), (decided + 60, 500)]
    shop.chain.replay()


def test_lots_that_become_alike_are_one_and_keep_their_order(shop: Shop) -> None:
    view = Overlay(shop.chain.state)
    book = PointsBook.open(view, shop.program, shop.terms_of_program, shop.chain.context)
    book.rates.update({1: (3, 0), 2: (5, 0)})
    today = shop.today
    lots = (
        (1, today - 9, today, 1),  # expired
        (1, today - 5, today + 2, 10),
        (2, today - 5, today + 3, 5),  # not sliding
        (1, today - 5, today + 4, 20),
        (1, 0, today + 6, 3),  # had its grace
        (1, today - 4, today + 90, 40),  # further ahead
    )
    for lot in lots[1:]:
        book.book_in(lot)
    found = extend_lots(book, lots, {1: 30, 2: 0})
    assert found == (
        (2, today - 5, today + 3, 5),
        (1, 0, today + 30, 3),
        (1, today - 5, today + 30, 30),
        (1, today - 4, today + 90, 40),
    )
    expected = {today + 2: 0, today + 3: 5, today + 4: 0, today + 6: 0, today + 30: 33, today + 90: 40}
    assert {day: totals.expiring for day, totals in book.days.items()} == expected
    behind = {day: 3 * points for day, points in expected.items()} | {today + 3: 25}
    assert {day: totals.backing for day, totals in book.days.items()} == behind
    assert extend_lots(book, lots[:1] + found, {1: 30, 2: 0}) == lots[:1] + found


def test_sliding_terms_are_read_once_a_version(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 100)
    view = Overlay(shop.chain.state)
    book = PointsBook.open(view, shop.program, replace(shop.terms_of_program), shop.chain.context)
    known: dict[int, int] = {}
    lots = shop.member(FAN).lots
    assert extend_lots(book, lots, known) is lots
    assert known == {1: 0}
    assert Points(book.total("available")) == 100
