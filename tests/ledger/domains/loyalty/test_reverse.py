"""`reverse`: what a fan signed is taken back once, where it came from, and nothing else ever is."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.earn import ENTRY_REDUCED, Earn, OpenEntry, SealedEntry
from ledger.domains.loyalty.events import PointsReversed
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.receipts import receipt_hash
from ledger.domains.loyalty.returns import (
    FUTURE,
    NOT_A_TILL,
    TOO_LATE,
    USED,
    SignedReturn,
    return_id_of,
    return_key,
)
from ledger.domains.loyalty.reverse import (
    ABOVE_ENTRY,
    GONE,
    NO_BATCH,
    NOT_IN_BATCH,
    OUTSIDE_WINDOW,
    REVERSE,
    OpenPlace,
    Reverse,
)
from ledger.domains.loyalty.state import (
    SCOPE_FULFIL,
    PeriodCap,
    RatePerAmount,
    RollingExpiry,
    batch_key,
    member_key,
    program_key,
)
from ledger.hashing import object_id
from ledger.params import RETURN_KEEP_SECONDS, RETURN_POST_SECONDS
from ledger.transaction import Prepaid
from ledger.types import Day, Hash, Points, Timestamp
from tests.ledger.domains.loyalty.test_tiers import LENGTH, TIERED, tier_of
from tests.support.contests import (
    NOTHING,
    Settled,
    carried,
    place_in_batch,
    settle,
    sign,
)
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.returns import buy, returned_of, reversal, reverse, take_return
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, TILL, Shop, some_hash


@pytest.fixture
def shop() -> Shop:
    """Goods come back within three days; until then points are pending."""
    found = Shop(return_window_days=3, activation_delay_days=3)
    found.join(FAN)
    return found


# --- what is taken ------------------------------------------------------------------------------------------------------


def test_a_return_takes_back_what_its_entry_gave(shop: Shop) -> None:
    bought, settled = buy(shop)
    signed = take_return(shop, bought, points=200)
    deposit, coin = shop.chain.params.record_deposit, shop.coin_of(OWNER)
    reverse(shop, settled, signed)
    event = PointsReversed(
        program=shop.program,
        member=FAN.address,
        returned=return_id_of(signed.returned),
        receipt=receipt_hash(bought.receipt, bought.salt),
        batch=settled.batch,
        index=0,
        points=Points(200),
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, return_id_of(signed.returned))
    today = shop.today
    assert shop.member(FAN).lots == ((1, today + 3, today + 30, 300),)
    books = shop.books
    assert (books.issued, books.pending, books.reversed) == (500, 300, 200)
    assert shop.chain.record(batch_key(settled.batch)).reversed == ((0, 200),)
    found = returned_of(shop, signed)
    assert found is not None
    assert (found.points, found.used, found.member, found.program) == (200, 200, FAN.address, shop.program)
    assert found.keep_until == signed.returned.time + RETURN_KEEP_SECONDS + 1
    assert coin - shop.coin_of(OWNER) > deposit == found.deposit
    shop.chain.replay()


def test_double_refund(shop: Shop) -> None:
    """The same return twice, or more than the entry gave."""
    bought, settled = buy(shop)
    first = take_return(shop, bought, points=300)
    reverse(shop, settled, first)
    with refused(USED, left=0, wanted=1):
        reverse(shop, settled, first, 1)
    second = take_return(shop, bought, points=300, number=2)
    with refused(ABOVE_ENTRY, given=500, left=200, wanted=201):
        reverse(shop, settled, second, 201)
    reverse(shop, settled, second, 200)
    with refused(ABOVE_ENTRY, left=0):
        reverse(shop, settled, second, 1)
    assert shop.member(FAN).lots == ()
    assert shop.books.reversed == 500
    shop.chain.replay()


def test_a_return_counts_once_for_all_entries(shop: Shop) -> None:
    """A part of the purchase's points was carried on: its entry gave less, and the rest is reversed from the next one."""
    bought = sign(shop)
    first = settle(shop, [bought], after=carried(90))
    second = settle(shop, [sign(shop, sequence=2)], before=carried(90))
    signed = take_return(shop, bought)
    with refused(ABOVE_ENTRY, given=410, left=410, wanted=500):
        reverse(shop, first, signed)
    reverse(shop, first, signed, 410)
    with refused(USED, left=90, wanted=91):
        reverse(shop, second, signed, 91)
    reverse(shop, second, signed, 90)
    assert returned_of(shop, signed).used == 500
    assert shop.books.pending == 500
    shop.chain.replay()


def test_refund_farming(shop: Shop) -> None:
    """Buy, earn, redeem, return: only what is still in that lot or pending is taken, spent points stay spent."""
    bought, settled = buy(shop)
    shop.pass_days(3)
    signed = take_return(shop, bought)
    old = shop.today
    shop.redeem(FAN, shop.list_reward(price=350))
    with refused(GONE, available=150, wanted=500):
        reverse(shop, settled, signed)
    reverse(shop, settled, signed, 150)
    with refused(GONE, available=0):
        reverse(shop, settled, signed, 1)
    _, later = buy(shop, sequence=2, points=100)
    assert later.code == ""
    reverse(shop, settled, signed, 80)
    assert shop.member(FAN).lots == ((1, old + 3, old + 30, 20),), "of what is pending the rest was taken"
    assert (shop.books.reversed, shop.books.held) == (230, 350)
    shop.chain.replay()


def test_the_entrys_own_lot_comes_before_what_is_pending(shop: Shop) -> None:
    buy(shop, sequence=2, points=70)
    shop.pass_days(1)
    bought, settled = buy(shop, points=100)
    signed = take_return(shop, bought)
    reverse(shop, settled, signed, 60)
    assert [lot[3] for lot in shop.member(FAN).lots] == [70, 40]
    reverse(shop, settled, signed, 40)
    assert [lot[3] for lot in shop.member(FAN).lots] == [70]
    shop.chain.replay()


@pytest.mark.parametrize("agreed", [False, True])
def test_other_lots_only_where_the_fan_agreed_at_joining(*, agreed: bool) -> None:
    shop = Shop(return_window_days=0, hold_seconds=30 * 86_400)
    payload = MemberJoin(shop.program, TILL.address, gives_back_from_all=agreed)
    shop.chain.send("member.join", payload, author=FAN, payment=shop.sponsored, cosigners=(TILL,))
    buy(shop, sequence=2, points=100)
    shop.pass_days(1)
    bought, settled = buy(shop)
    signed = take_return(shop, bought)
    reward = shop.list_reward(price=400)
    shop.redeem(FAN, reward)
    today = shop.today
    assert shop.member(FAN).lots == ((1, today, today + 30, 200),)
    shop.earn(FAN, 1, period=shop.today - 1)
    shop.pass_days(1)
    shop.earn(FAN, 50)
    if agreed:
        reverse(shop, settled, signed, 230)
        assert [lot[3] for lot in shop.member(FAN).lots] == [21], "the entry's own lot first, then the oldest"
        with refused(GONE, available=21, wanted=22):
            reverse(shop, settled, signed, 22)
    else:
        with refused(GONE, available=201, wanted=230):
            reverse(shop, settled, signed, 230)
        reverse(shop, settled, signed, 201)
        assert [lot[3] for lot in shop.member(FAN).lots] == [50]
    shop.chain.replay()


def test_expired_points_are_not_there() -> None:
    shop = Shop(return_window_days=2, activation_delay_days=2, expiry=RollingExpiry(3))
    shop.join(FAN)
    bought, settled = buy(shop)
    shop.pass_days(2)
    signed = take_return(shop, bought)
    shop.pass_days(1)
    with refused(GONE, available=0):
        reverse(shop, settled, signed, 1)
    assert shop.books.expired == 500
    shop.chain.replay()


# --- which entry, which return ------------------------------------------------------------------------------------------


def test_the_entry_must_have_been_credited_to_who_returns(shop: Shop) -> None:
    shop.join(FRIEND)
    bought, settled = buy(shop)
    theirs, others = buy(shop, sequence=2, fan=FRIEND)
    signed = take_return(shop, bought)
    with refused(NO_BATCH):
        reverse(shop, replace(settled, batch=Hash(NOWHERE)), signed)
    other = shop.create_program(OWNER)
    with refused(NO_BATCH):
        reverse(shop, settled, take_return(shop, bought, program=other))
    with refused(NOT_IN_BATCH):
        reverse(shop, others, signed)
    payload = reversal(settled, signed, 1)
    for spoiled in ({"points": Points(501)}, {"period": settled.entry.period - 1}, {"remainder": some_hash("K")}):
        with refused(NOT_IN_BATCH):
            spoiled_place = replace(payload.place, **spoiled)
            shop.chain.send("reverse", replace(payload, place=spoiled_place), author=OWNER)
    with refused(NOT_IN_BATCH):
        reverse(shop, replace(settled, index=1), signed)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    shop.pass_days(1)
    skipped = settle(shop, [sign(shop, sequence=3)])
    assert skipped.code == "earn.member_left"
    with refused(NOT_IN_BATCH):
        reverse(shop, skipped, signed)
    reverse(shop, settled, signed)
    assert theirs.receipt.member == FRIEND.address
    shop.chain.replay()


def test_one_entry_of_many_and_an_open_one(shop: Shop) -> None:
    shop.join(FRIEND)
    shop.chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=FAN)
    bought = sign(shop)
    found = receipt_hash(bought.receipt, bought.salt)
    today, held = shop.today, Hash(b"")
    sealed = SealedEntry(FRIEND.address, today, Points(70), some_hash("R"), held)
    open_entry = OpenEntry(FAN.address, today, found, 1, shop.now, 5_000, 0)
    last = SealedEntry(FAN.address, today, Points(30), some_hash("R", 2), held)
    shop.settle(sealed, open_entry, last)
    rows = [
        (0, FRIEND.address, today, 70, some_hash("R"), held, held, ""),
        (1, FAN.address, today, 500, found, held, held, ""),
        (0, FAN.address, today, 30, some_hash("R", 2), held, held, ""),
    ]
    batch = object_id("earn", shop.chain.last_txid, 0)
    as_settled = Settled(last, (), NOTHING.salt, NOTHING, NOTHING, batch, "", 2, place_in_batch(rows, 2))
    signed = take_return(shop, bought, points=530)
    reverse(shop, as_settled, signed, 30)
    open_place = Reverse(
        batch, 1, place_in_batch(rows, 1), OpenPlace(today, Points(500), held), Points(500), *_shown(signed)
    )
    elsewhere = take_return(shop, sign(shop, sequence=9), points=1)
    spoiled = replace(open_place, points=Points(1), returned=elsewhere.returned, signature=elsewhere.signature)
    with refused(NOT_IN_BATCH):
        shop.chain.send("reverse", replace(spoiled, consent=elsewhere.consent), author=OWNER)
    shop.chain.send("reverse", open_place, author=TILL)
    assert shop.chain.record(batch_key(batch)).reversed == ((1, 500), (2, 30))
    assert shop.member(FAN).lots == ()
    assert REVERSE.reads(TILL.address, open_place) == (
        batch_key(batch),
        program_key(shop.program),
        member_key(shop.program, FAN.address),
        return_key(return_id_of(signed.returned)),
    )
    shop.chain.replay()


def _shown(signed: SignedReturn) -> tuple[Any, ...]:
    return signed.returned, signed.signature, signed.consent


def test_the_window_of_the_terms(shop: Shop) -> None:
    shop.chain.advance(days=1)
    bought, settled = buy(shop)
    program, today = shop.terms_of_program, shop.today
    first, end = program.day_start(today), program.day_start(Day(today + 4))
    before = take_return(shop, bought, time=Timestamp(first - 1))
    with refused(OUTSIDE_WINDOW, first=first, end=end, time=first - 1):
        reverse(shop, settled, before)
    early = take_return(shop, bought, time=first, points=1)
    with refused(NOT_A_TILL):
        reverse(shop, settled, take_return(shop, bought, till=STRANGER, time=first))
    reverse(shop, settled, early)
    last, beyond = (take_return(shop, bought, time=Timestamp(time), number=time) for time in (end - 1, end))
    with refused(FUTURE, time=end - 1):
        reverse(shop, settled, last)
    shop.pass_days(10)
    with refused(OUTSIDE_WINDOW, end=end, time=end):
        reverse(shop, settled, beyond)
    reverse(shop, settled, last, 499)
    shop.chain.replay()


def test_a_batch_is_kept_until_its_last_return_is_posted() -> None:
    """A window of 60 days: what comes back on its last day is taken back within two weeks, when no contest is possible any more."""
    shop = Shop(return_window_days=60, activation_delay_days=60, expiry=RollingExpiry(365))
    shop.join(FAN)
    bought, settled = buy(shop)
    last = shop.terms_of_program.day_start(Day(shop.today + 61)) - 1
    keep_until = last + 1 + RETURN_POST_SECONDS
    assert shop.chain.record(batch_key(settled.batch)).keep_until == keep_until
    late, later = (take_return(shop, bought, time=Timestamp(last), number=number, points=200) for number in (1, 2))
    shop.chain.advance(seconds=keep_until - 60 - shop.now, blocks=2)
    reverse(shop, settled, late)
    assert shop.books.reversed == 200
    shop.chain.advance(seconds=120, blocks=2)
    with refused(NO_BATCH):
        reverse(shop, settled, later)
    shop.chain.replay()


def test_an_entry_of_a_period_to_come_keeps_no_batch() -> None:
    shop = Shop(period_days=7, return_window_days=60, activation_delay_days=60, expiry=RollingExpiry(365))
    shop.join(FAN)
    now, week = shop.now, shop.today // 7
    shop.settle(shop.entry(FAN, 5, period=week), shop.entry(FAN, 5, period=week + 1_000))
    kept = shop.chain.record(batch_key(object_id("earn", shop.chain.last_txid, 0))).keep_until
    first_day = (week + 1) * 7
    assert kept == shop.terms_of_program.day_start(Day(first_day + 61)) + RETURN_POST_SECONDS
    assert now < kept < now + 100 * DAY_SECONDS
    shop.chain.replay()


# --- what a cap of the period left, and tiers ---------------------------------------------------------------------------


def test_of_an_entry_that_a_cap_reduced_so_much_goes_back_as_it_gave() -> None:
    cap = PeriodCap(Points(700), rejects=False)
    shop = Shop(rules=(RatePerAmount(Points(1), 10), cap), return_window_days=3, activation_delay_days=3)
    shop.join(FAN)
    first, whole = buy(shop, points=600)
    second, cut = buy(shop, points=500, sequence=2)
    third, nothing = buy(shop, points=500, sequence=3)
    assert (whole.code, cut.code, nothing.code) == ("", ENTRY_REDUCED.name, ENTRY_REDUCED.name)
    assert [shop.chain.record(batch_key(found.batch)).reduced for found in (whole, cut, nothing)] == [
        (),
        ((0, 100),),
        (),
    ]
    signed = take_return(shop, second)
    with refused(ABOVE_ENTRY, given=100, left=100, wanted=101):
        reverse(shop, cut, signed, 101)
    reverse(shop, cut, signed, 60)
    with refused(ABOVE_ENTRY, given=100, left=40, wanted=41):
        reverse(shop, cut, signed, 41)
    reverse(shop, cut, signed, 40)
    with refused(NOT_IN_BATCH):
        reverse(shop, nothing, take_return(shop, third, number=2), 1)
    reverse(shop, whole, take_return(shop, first, number=3))
    assert (shop.books.issued, shop.books.reversed, shop.books.pending) == (700, 700, 0)
    shop.chain.replay()


def test_what_goes_back_counts_towards_no_tier() -> None:
    """Buy much, reach gold, bring it back: gold goes with it, and what stays bought still counts."""
    shop = Shop(**TIERED, return_window_days=3, activation_delay_days=3)
    shop.join(FAN)
    buy(shop, points=1_500)
    big, settled = buy(shop, points=4_000, sequence=2)
    assert [points for *_, points in shop.member(FAN).tier_history] == [1_500, 5_500]
    reverse(shop, settled, take_return(shop, big), 500)
    assert [points for *_, points in shop.member(FAN).tier_history] == [1_500, 5_000], "the threshold itself is enough"
    reverse(shop, settled, take_return(shop, big, number=2), 1)
    assert ([points for *_, points in shop.member(FAN).tier_history], tier_of(shop)) == ([1_500, 4_999], 1)
    reverse(shop, settled, take_return(shop, big, number=3), 3_499)
    assert ([points for *_, points in shop.member(FAN).tier_history], tier_of(shop)) == ([1_500, 1_500], 1)
    small, third = buy(shop, points=100, sequence=3)
    reverse(shop, third, take_return(shop, small))
    assert tier_of(shop) == 1
    shop.chain.replay()


def test_nothing_of_a_tier_is_left_where_all_goes_back() -> None:
    shop = Shop(**TIERED, return_window_days=3, activation_delay_days=3)
    shop.join(FAN)
    bought, settled = buy(shop, points=1_000)
    assert tier_of(shop) == 1
    reverse(shop, settled, take_return(shop, bought))
    assert (shop.member(FAN).tier_history, tier_of(shop)) == ((), 0)
    shop.chain.replay()


def test_other_tier_periods_keep_what_was_earned_in_them() -> None:
    shop = Shop(**TIERED, return_window_days=3, activation_delay_days=3)
    shop.join(FAN)
    buy(shop, points=1_200)
    shop.chain.advance(days=LENGTH)
    bought, settled = buy(shop, points=5_000, sequence=2)
    assert tier_of(shop) == 2
    before = shop.member(FAN).tier_history
    reverse(shop, settled, take_return(shop, bought))
    assert (shop.member(FAN).tier_history, tier_of(shop)) == (before[:1], 1)
    shop.chain.replay()


def test_a_batch_that_is_gone_and_a_return_that_is_too_old(shop: Shop) -> None:
    bought, settled = buy(shop)
    used = take_return(shop, bought, points=10)
    reverse(shop, settled, used)
    locked = shop.chain.state.chain.locked
    shop.pass_days(60)
    with refused(NO_BATCH):
        reverse(shop, settled, take_return(shop, bought, number=2))
    assert returned_of(shop, used) is not None, "remembered longer than the batch"
    old = take_return(shop, bought, number=3, time=Timestamp(shop.now - RETURN_KEEP_SECONDS - 1))
    fresh = sign(shop, sequence=2)
    late = settle(shop, [fresh], period=shop.today)
    with refused(TOO_LATE, until=old.returned.time + RETURN_KEEP_SECONDS):
        reverse(shop, late, old)
    shop.chain.advance(seconds=used.returned.time + RETURN_KEEP_SECONDS - shop.now)
    shop.chain.mine()
    assert returned_of(shop, used) is not None
    shop.chain.mine(2)
    assert returned_of(shop, used) is None
    assert shop.chain.state.chain.locked < locked
    shop.chain.replay()


def test_the_till_counts_by_its_grant_of_the_time(shop: Shop) -> None:
    bought, settled = buy(shop)
    signed = take_return(shop, bought)
    fulfils = Signer.named("fulfils only")
    shop.grant(fulfils, scopes=SCOPE_FULFIL)
    with refused(NOT_A_TILL):
        reverse(shop, settled, take_return(shop, bought, till=fulfils))
    shop.chain.mine()
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    shop.chain.mine(2)
    with refused(NOT_A_TILL):
        reverse(shop, settled, take_return(shop, bought, number=2))
    reverse(shop, settled, signed)
    shop.chain.replay()


def test_a_batch_sorts_what_is_reversed(shop: Shop) -> None:
    """Rows stay ascending by index whatever the order of the reversals."""
    entries = [SealedEntry(FAN.address, shop.today, Points(10 + n), some_hash(n), Hash(b"")) for n in range(3)]
    shop.chain.send("earn", Earn(shop.program, tuple(entries)), author=TILL)
    batch, held = object_id("earn", shop.chain.last_txid, 0), Hash(b"")
    rows = [(0, FAN.address, shop.today, 10 + n, some_hash(n), held, held, "") for n in range(3)]
    signed = take_return(shop, sign(shop), points=30)
    for index in (2, 0):
        path = place_in_batch(rows, index)
        settled = Settled(entries[index], (), NOTHING.salt, NOTHING, NOTHING, batch, "", index, path)
        reverse(shop, settled, signed, index + 1)
    assert shop.chain.record(batch_key(batch)).reversed == ((0, 1), (2, 3))
    shop.chain.replay()
