"""Coin behind points: put aside or burned when they are issued, back when they leave, in advance for contests (spec COL)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.books import EMPTY_BOOKS, held_coin, move_security, security, thousandths
from ledger.domains.loyalty.contest_security import TOO_LARGE
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP
from ledger.domains.loyalty.issuance import ISSUANCE_CAP, POOL_TOO_SMALL
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.points_transfer import PointsTransfer
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.state import Lot, NeverExpires, RollingExpiry, SlidingExpiry, books_key
from ledger.domains.loyalty.terms import BAD_TERMS, find_worse
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.errors import Malformed
from ledger.fees import SPONSOR_LIMIT
from ledger.invariants import check_books
from ledger.kinds import APPLIED
from ledger.params import COLLATERAL_MAX, LOTS_MAX
from ledger.state import Overlay
from ledger.transaction import OwnFee, Prepaid
from ledger.types import INTEGER_MAX, Amount, Day, HoldId, Points
from tests.support.backing import check_backing
from tests.support.contests import contest, contest_of, pass_answer, pass_grace, settle, sign
from tests.support.refusal import refused
from tests.support.returns import reverse, take_return
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL, Shop, make_terms

CAP = Points(100_000)
"""So contests may credit 10,000 points."""
RATE = Amount(2_500)
"""Two and a half coins a point."""


def make_shop(**terms: Any) -> Shop:
    """A program that puts 2.5 coins aside for a point, with members."""
    shop = Shop(**{"collateral": RATE, "issuance_cap": CAP, **terms})
    shop.join(FAN, FRIEND)
    return shop


def update(shop: Shop, *, latest: int = 1, **changes: Any) -> None:
    terms = make_terms(**{"collateral": RATE, "issuance_cap": CAP, **changes})
    shop.chain.send("program.update", ProgramUpdate(shop.program, latest, terms), author=OWNER)


def give(shop: Shop, points: int, **options: Any) -> None:
    payload = Adjust(shop.program, FAN.address, Points(points), "sorry")
    shop.chain.send("adjust", payload, author=OWNER, **options)


def reserve(shop: Shop) -> int:
    """What is put aside for contests alone, in thousandths."""
    return thousandths(shop.books) - shop.books.backing - shop.books.burn_carry


# --- the terms ---------------------------------------------------------------------------------------------------------------


def test_coin_is_put_aside_or_burned_not_both() -> None:
    with pytest.raises(Malformed) as found:
        Shop(collateral=Amount(1), burn=Amount(1))
    assert found.value.code is BAD_TERMS


@pytest.mark.parametrize("name", ["collateral", "burn"])
def test_less_of_either_is_worse(name: str) -> None:
    terms = make_terms(**{name: Amount(10)})
    assert find_worse(terms, replace(terms, **{name: Amount(9)})) == (name,)
    assert find_worse(terms, replace(terms, **{name: Amount(11)})) == ()
    assert find_worse(terms, make_terms(collateral=Amount(10), burn=Amount(0))) == (("burn",) if name == "burn" else ())


# --- when points are issued --------------------------------------------------------------------------------------------------


def test_what_is_put_aside_leaves_the_pool_and_stays_locked() -> None:
    shop = make_shop()
    pool, locked = shop.books.pool, shop.chain.state.chain.locked
    assert shop.earn(FAN, 3) == (APPLIED,)
    assert shop.books.backing == 7_500
    assert pool - shop.books.pool == 8  # 7.5, rounded up
    assert shop.earn(FAN, 1) == (APPLIED,)
    assert pool - shop.books.pool == 10
    assert shop.chain.state.chain.locked - locked == 10 + 2 * shop.chain.params.record_deposit  # and two batches
    check_backing(shop.chain.state)
    shop.chain.replay()


def test_what_is_burned_leaves_the_supply() -> None:
    shop = make_shop(collateral=Amount(0), burn=Amount(300))
    pool = shop.books.pool
    for total, burned, carry in ((1, 0, 300), (2, 0, 600), (3, 0, 900), (4, 1, 200), (10, 3, 0)):
        already = shop.books.issued
        shop.earn(FAN, total - already)
        books = shop.books
        assert (books.burned, books.burn_carry, books.backing) == (burned, carry, 0)
        assert pool - books.pool == -(-total * 300 // 1_000)
    chain = shop.chain.state.chain
    assert chain.burned == 3
    assert chain.emitted - chain.burned == chain.accounts + chain.pools + chain.locked + chain.escrow + chain.maturing


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=8), st.integers(1, 5_000), st.booleans())
@settings(max_examples=25)
def test_no_rounding_adds_up(amounts: list[int], rate: int, burns: bool) -> None:
    terms = {"collateral": Amount(0), "burn": Amount(rate)} if burns else {"collateral": Amount(rate)}
    shop = make_shop(**terms)
    pool, before = shop.books.pool, reserve(shop)
    for amount in amounts:
        shop.earn(FAN, amount)
    assert security(shop.books) + shop.books.burned == -(-(before + sum(amounts) * rate) // 1_000)
    paid = -(-(before + sum(amounts) * rate) // 1_000) - -(-before // 1_000)
    assert pool - shop.books.pool == paid


def test_the_entry_that_the_pool_cannot_pay_is_skipped_and_the_next_one_may_fit() -> None:
    shop = make_shop(collateral=Amount(100_000))
    room = shop.books.pool // 100
    codes = shop.settle(shop.entry(FAN, room + 1), shop.entry(FRIEND, room), shop.entry(FAN, 1))
    assert codes == (POOL_TOO_SMALL.name, APPLIED, POOL_TOO_SMALL.name)
    assert shop.books.pool < 100
    shop.fill_pool(100 - shop.books.pool)
    assert shop.earn(FAN, 1) == (APPLIED,)
    assert shop.books.pool == 0
    check_backing(shop.chain.state)


def test_the_caps_come_before_and_after_the_pool() -> None:
    shop = make_shop(collateral=Amount(1_000_000))
    shop.grant(TILL, daily_cap=5)
    assert shop.earn(FAN, CAP + 1) == (ISSUANCE_CAP.name,)
    assert shop.earn(FAN, CAP) == (POOL_TOO_SMALL.name,)
    assert shop.earn(FAN, 6) == (ENTRY_DAILY_CAP.name,)


def test_an_adjustment_is_refused_by_the_unit() -> None:
    shop = make_shop(adjust_day_max=CAP, collateral=Amount(10_000))
    room = shop.books.pool // 10
    with refused(POOL_TOO_SMALL):
        give(shop, room + 1)
    give(shop, room)
    assert 0 <= shop.books.pool < 10


def test_a_number_that_no_record_can_hold_is_a_pool_that_cannot_pay() -> None:
    shop = make_shop()
    view = Overlay(shop.chain.state)
    book = PointsBook.open(view, shop.program, shop.terms_of_program, shop.chain.context)
    book.rates[1] = (1, 0)
    fits = INTEGER_MAX - thousandths(shop.books)
    full = replace(shop.books, pool=Amount(INTEGER_MAX))
    view.put(books_key(shop.program), full)
    assert book.can_cover(fits, 1) and not book.can_cover(fits + 1, 1)
    book.rates[1] = (0, 1)
    book.move("burn_carry", 5_999)
    assert book.can_cover(fits - 999, 1) and not book.can_cover(fits - 998, 1)


def test_what_stands_behind_points_counts_to_no_sponsors_total() -> None:
    shop = make_shop(collateral=Amount(1_000_000))
    shop.fill_pool(500_000)
    spent = shop.books.sponsor_day_spent
    payment = shop.sponsored
    assert shop.earn(FAN, 800) == (APPLIED,)  # 800,000 coin: more than a day's total
    shop.fill_pool(500_000)
    before = shop.books.pool
    assert shop.settle(shop.entry(FAN, 400), author=TILL, payment=payment) == (APPLIED,)
    fee_and_deposit = before - shop.books.pool - 400_000
    assert shop.books.sponsor_day_spent - spent == fee_and_deposit
    with refused(SPONSOR_LIMIT):  # the policy itself holds as ever
        for number in range(40):
            shop.settle(shop.entry(FAN, 0, period=shop.today - number % 2), author=TILL, payment=payment)


# --- terms change ------------------------------------------------------------------------------------------------------------


def test_lots_keep_what_they_were_issued_with() -> None:
    shop = make_shop(notice_days=10, expiry=NeverExpires())
    shop.earn(FAN, 1_000)
    update(shop, collateral=Amount(500), expiry=NeverExpires())
    shop.earn(FAN, 1_000)
    assert shop.books.backing == 2 * 2_500_000  # the notice
    shop.pass_days(11)
    shop.earn(FAN, 1_000)
    assert shop.books.backing == 5_500_000
    update(shop, latest=2, collateral=Amount(4_000), expiry=NeverExpires())  # better: at once
    shop.earn(FRIEND, 1_000)
    assert shop.books.backing == 9_500_000
    check_backing(shop.chain.state)
    lots = shop.member(FAN).lots
    assert [lot[0] for lot in lots] == [1, 2] and shop.member(FRIEND).lots[0][0] == 3


def test_what_is_published_is_put_aside_for_contests_at_once() -> None:
    shop = make_shop()
    assert reserve(shop) == 10_000 * RATE
    owner, locked = shop.coin_of(OWNER), security(shop.books)
    update(shop, collateral=Amount(3_000))
    assert reserve(shop) == 10_000 * 3_000
    assert security(shop.books) - locked == 5_000
    payment = shop.chain.mined[-1].transactions[0].body.payment
    assert isinstance(payment, OwnFee)
    assert owner - shop.coin_of(OWNER) - payment.fee == 5_000
    update(shop, latest=2, collateral=Amount(1_000), issuance_cap=Points(200_000))  # worse, so it waits; the room grows
    assert reserve(shop) == 20_000 * 3_000
    pool = shop.books.pool
    payload = ProgramUpdate(shop.program, 3, make_terms(collateral=Amount(4_000), issuance_cap=Points(200_000)))
    shop.chain.send("program.update", payload, author=OWNER, payment=shop.sponsored)
    assert reserve(shop) == 20_000 * 4_000
    weight = shop.chain.mined[-1].transactions[0].weight
    assert pool - shop.books.pool == 20_000 + 2 * weight
    check_books(shop.books)


def test_publishing_needs_the_coin_for_contests() -> None:
    shop = make_shop()
    with refused(INSUFFICIENT):
        update(shop, collateral=Amount(10**12))
    with refused(INSUFFICIENT):
        Shop(issuance_cap=CAP, collateral=Amount(10**12))
    terms = make_terms(issuance_cap=CAP, collateral=Amount(200_000))
    with refused(POOL_INSUFFICIENT):  # 10,000 points at 200 coins, out of a pool with less
        payload = ProgramUpdate(shop.program, 1, terms)
        shop.chain.send("program.update", payload, author=OWNER, payment=shop.sponsored)


def test_what_no_number_can_hold_is_not_published() -> None:
    cap = Points(92_233_721)  # of which a tenth, 9,223,373, times the most there is, is more than 2**63 - 1
    with refused(TOO_LARGE):
        Shop(issuance_cap=cap, collateral=Amount(COLLATERAL_MAX))
    with refused(TOO_LARGE):
        Shop(issuance_cap=cap, burn=Amount(COLLATERAL_MAX))
    shop = Shop(issuance_cap=cap)
    with refused(TOO_LARGE):
        update(shop, issuance_cap=cap, collateral=Amount(COLLATERAL_MAX))
    payload = ProgramCreate(
        "Shop", "point", 0, 0, make_terms(issuance_cap=Points(92_233_720), collateral=COLLATERAL_MAX)
    )
    with refused(INSUFFICIENT):  # the greatest that fits
        shop.chain.send("program.create", payload, author=STRANGER)
    larger = replace(payload, terms=replace(payload.terms, issuance_cap=Points(92_233_721)))
    with refused(TOO_LARGE):
        shop.chain.send("program.create", larger, author=STRANGER)


# --- contests ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [{"collateral": Amount(2_501)}, {"collateral": Amount(0), "burn": Amount(2_501)}])
def test_a_contest_credits_out_of_what_was_put_aside_though_the_pool_is_empty(terms: dict[str, Any]) -> None:
    shop = make_shop(**terms, pool=150_000)
    signed = sign(shop, points=501)
    pass_grace(shop)
    room = shop.books.pool * 1_000 // 2_501
    assert shop.earn(FRIEND, room) == (APPLIED,)
    assert shop.books.pool <= 3
    before, pool = held_coin(shop.books), shop.books.pool
    which = contest(shop, signed)
    pass_answer(shop)
    assert contest_of(shop, which).credited == 501
    assert held_coin(shop.books) == before
    assert shop.books.pool - pool in (0, 1)  # at most the half unit that was rounded up
    assert reserve(shop) == (10_000 - 501) * 2_501
    check_backing(shop.chain.state)
    shop.chain.replay()


def test_a_contest_of_a_cheaper_version_gives_the_rest_to_the_pool() -> None:
    shop = make_shop()
    signed = sign(shop, points=500)
    shop.chain.mine()
    update(shop, collateral=Amount(10_000))
    pass_grace(shop)
    pool, backing = shop.books.pool, shop.books.backing
    contest(shop, signed)
    pass_answer(shop)
    assert shop.books.backing - backing == 500 * RATE
    assert shop.books.pool - pool == 500 * 10_000 // 1_000 - 500 * RATE // 1_000
    check_backing(shop.chain.state)


# --- when points leave -------------------------------------------------------------------------------------------------------


def test_what_expires_gives_its_coin_back() -> None:
    shop = make_shop(expiry=RollingExpiry(30))
    pool = shop.books.pool
    shop.earn(FAN, 1_001)
    deposit = shop.chain.params.record_deposit
    assert pool - shop.books.pool == 2_503
    shop.pass_days(31)
    assert (shop.books.expired, shop.books.backing) == (1_001, 0)
    assert shop.books.pool == pool
    assert deposit  # the batch's was the till's
    check_backing(shop.chain.state)


def test_sliding_moves_what_stands_behind_a_lot_with_it() -> None:
    shop = make_shop(expiry=SlidingExpiry(30))
    shop.earn(FAN, 100)
    shop.pass_days(20)
    shop.earn(FAN, 50)
    shop.pass_days(20)
    assert shop.books.backing == 150 * RATE
    check_backing(shop.chain.state)
    shop.pass_days(20)
    assert shop.books.backing == 0


def test_a_transfer_moves_nothing() -> None:
    shop = make_shop(transfer_day_max=Points(100))
    shop.earn(FAN, 100)
    before = shop.books
    shop.chain.send("points.transfer", PointsTransfer(shop.program, FRIEND.address, Points(60)), author=FAN)
    assert shop.books == before
    check_backing(shop.chain.state)


def test_held_points_keep_their_coin_until_they_are_handed_out() -> None:
    shop = make_shop()
    shop.earn(FAN, 300)
    reward = shop.list_reward(price=100)
    hold = shop.redeem(FAN, reward, quantity=2)
    assert shop.books.backing == 300 * RATE
    pool = shop.books.pool
    shop.fulfil(hold, 1)
    assert shop.books.backing == 200 * RATE
    assert shop.books.pool - pool == 250
    shop.chain.send("redeem.cancel", RedeemCancel(hold), author=FAN, payment=Prepaid())
    assert shop.books.backing == 200 * RATE
    check_backing(shop.chain.state)


def test_what_comes_back_expired_gives_its_coin_back() -> None:
    shop = make_shop(expiry=RollingExpiry(3), hold_seconds=60 * 86_400)
    shop.earn(FAN, 100)
    reward = shop.list_reward(price=100)
    for _ in range(2):  # the first time it gets its grace, the second time none
        hold = shop.redeem(FAN, reward)
        shop.pass_days(20)
        assert shop.books.backing == 100 * RATE
        shop.chain.send("redeem.cancel", RedeemCancel(hold), author=FAN, payment=Prepaid())
    assert (shop.books.expired, shop.books.backing) == (100, 0)
    check_backing(shop.chain.state)


def test_what_can_be_refunded_keeps_its_coin_until_it_no_longer_can() -> None:
    shop = make_shop(refund_days=5, expiry=NeverExpires())
    shop.earn(FAN, 300)
    reward = shop.list_reward(price=100)
    fulfilment = shop.fulfil(shop.redeem(FAN, reward, quantity=3), 3)
    assert shop.books.backing == 300 * RATE
    pool = shop.books.pool
    shop.refund(fulfilment, 1)
    assert (shop.books.backing, shop.books.pool) == (300 * RATE, pool)
    check_backing(shop.chain.state)
    shop.pass_days(6)
    assert shop.fulfilment(fulfilment) is None
    assert shop.books.backing == 100 * RATE
    check_backing(shop.chain.state)


def test_a_refund_of_everything_keeps_it_all() -> None:
    shop = make_shop(refund_days=5, expiry=NeverExpires())
    shop.earn(FAN, 100)
    fulfilment = shop.fulfil(shop.redeem(FAN, shop.list_reward(price=100)))
    shop.refund(fulfilment)
    shop.pass_days(6)
    assert shop.books.backing == 100 * RATE
    check_backing(shop.chain.state)


def test_what_is_taken_back_gives_its_coin_back() -> None:
    shop = make_shop(activation_delay_days=20, return_window_days=20)
    bought = sign(shop, points=500)
    shop.chain.mine()
    settled = settle(shop, [bought])
    pool = shop.books.pool
    reverse(shop, settled, take_return(shop, bought), 200)
    assert shop.books.backing == 300 * RATE
    assert shop.books.pool - pool == 500
    check_backing(shop.chain.state)


def test_lots_with_the_same_collateral_merge_first() -> None:
    shop = make_shop(expiry=NeverExpires())
    view = Overlay(shop.chain.state)
    book = PointsBook.open(view, shop.program, shop.terms_of_program, shop.chain.context)
    book.rates.update({1: (1_000, 0), 2: (2_000, 0), 3: (2_000, 0)})
    day = shop.today
    # 1 and 2 in turn, and once 2 beside 3.
    versions = [1 + number % 2 for number in range(LOTS_MAX - 1)] + [2, 3]
    lots = tuple[Lot, ...]()
    for number, version in enumerate(versions):
        lot = (version, day, day + 10 + number, 1)
        lots = book.add_lot(lots, lot)
        book.secure(lot)
    merged = next(place for place, lot in enumerate(lots) if lot[3] == 2)
    assert (merged, lots[merged]) == (LOTS_MAX - 1, (3, day, day + 10 + LOTS_MAX, 2))
    assert book.total("backing") == book.backing_of(lots)


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)])
def test_lots_with_different_collateral_merge_last_and_at_the_lower(versions: tuple[int, int]) -> None:
    shop = make_shop()
    view = Overlay(shop.chain.state)
    book = PointsBook.open(view, shop.program, shop.terms_of_program, shop.chain.context)
    book.rates.update({1: (1_000, 0), 2: (2_000, 0)})
    day = shop.today
    lots = tuple[Lot, ...]()
    for number in range(LOTS_MAX + 1):
        lot = (versions[number % 2], day, day + 10 + number, 1)
        lots = book.add_lot(lots, lot)
        book.secure(lot)
    assert lots[0] == (1, day, day + 11, 2)
    assert book.total("backing") == book.backing_of(lots)


def test_moving_security_burns_whole_units_and_keeps_everything() -> None:
    shop = make_shop()
    view = Overlay(shop.chain.state)
    before = replace(EMPTY_BOOKS, pool=Amount(1_000), backing=1)
    after = move_security(view, before, replace(before, backing=5_001, burn_carry=7_998))
    assert (after.burned, after.burn_carry, security(after)) == (7, 998, 6)
    assert held_coin(after) == held_coin(before)
    assert view.postings == {"locked": 5, "burned": 7, "pools": -12}


def test_days_and_holds_are_what_they_were_without_collateral() -> None:
    shop = Shop()
    shop.join(FAN)
    shop.earn(FAN, 100)
    hold: HoldId = shop.redeem(FAN, shop.list_reward())
    shop.fulfil(hold)
    assert (shop.books.backing, security(shop.books), shop.books.burned) == (0, 0, 0)
    assert Day(shop.today + 30)
