"""`points.claim_collateral`: after the close each fan takes the coin behind its points, once (spec COL-5)."""

from typing import Any

import pytest

from ledger.coin import exit_fee
from ledger.domains.loyalty.books import security
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points_claim_collateral import (
    BELOW_FEE,
    NOT_CLOSED,
    NOTHING,
    POINTS_CLAIM_COLLATERAL,
    CollateralClaimed,
    PointsClaimCollateral,
)
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    NO_PROGRAM,
    NeverExpires,
    RollingExpiry,
    books_key,
    member_key,
    program_key,
)
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.fees import EXIT_TOO_HEAVY, NOT_SPONSORED
from ledger.params import WIND_DOWN_DAYS_MIN
from ledger.transaction import OwnFee, Payment, Prepaid
from ledger.types import Amount, Points, ProgramId, Timestamp
from tests.support.backing import check_backing
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.offers import ANYTHING, cite, consent, contest_offer, issue, make_offer, reverse_offer
from tests.support.refusal import refused
from tests.support.returns import take_return
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, Shop

PREPAID = Prepaid()
FEE = 2_400
"""A prepaid exit: 1,200 weight units at 2."""


def make_shop(*, points: dict[Signer, int] | None = None, **terms: Any) -> Shop:
    """A program with 5 coins behind a point, whose end is announced; with what fans earned."""
    wanted: dict[str, Any] = {"collateral": Amount(5_000), "issuance_cap": Points(100_000), "notice_days": 0}
    shop = Shop(**{**wanted, "expiry": NeverExpires(), **terms})
    shop.join(FAN, FRIEND, POOR)
    for fan, amount in (points or {FAN: 1_000, POOR: 2_001}).items():
        shop.earn(fan, amount)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, Timestamp(shop.now + DAY_SECONDS)), author=OWNER)
    return shop


def close(shop: Shop) -> Shop:
    shop.pass_days(WIND_DOWN_DAYS_MIN + 1)
    return shop


def claim(shop: Shop, fan: Signer, *, payment: Payment | None = PREPAID, program: ProgramId | None = None) -> int:
    """Claim; the coin that came to the fan's account."""
    before = shop.coin_of(fan)
    payload = PointsClaimCollateral(program or shop.program)
    shop.chain.send("points.claim_collateral", payload, author=fan, payment=payment)
    paid = shop.chain.mined[-1].transactions[0].body.payment
    return shop.coin_of(fan) - before + (paid.fee if isinstance(paid, OwnFee) else 0)


def test_a_fan_without_a_coin_takes_what_stands_behind_its_points() -> None:
    shop = close(make_shop())
    assert shop.coin_of(POOR) == 0
    pool, aside = shop.books.pool, security(shop.books)
    assert claim(shop, POOR) == 2_001 * 5 - FEE
    assert exit_fee(shop.chain.params) == FEE
    assert shop.chain.events[0] == CollateralClaimed(
        shop.program, POOR.address, Points(2_001), Amount(10_005), Amount(FEE)
    )
    assert shop.chain.events[0].subjects() == (shop.program, POOR.address)
    read = POINTS_CLAIM_COLLATERAL.reads(POOR.address, PointsClaimCollateral(shop.program))
    assert read == (program_key(shop.program), books_key(shop.program), member_key(shop.program, POOR.address))
    books = shop.books
    assert (books.pool, aside - security(books), books.collateral_paid) == (pool, 10_005, 10_005)
    assert (books.redeemed, books.backing, shop.member(POOR).lots) == (2_001, 5_000_000, ())
    check_backing(shop.chain.state)
    shop.chain.replay()


def test_nobody_claims_twice() -> None:
    shop = close(make_shop())
    claim(shop, POOR)
    with refused(NOTHING):
        claim(shop, POOR)


def test_the_fee_can_be_paid_otherwise_and_then_the_share_is_whole() -> None:
    shop = close(make_shop())
    assert claim(shop, FAN, payment=None) == 5_000
    pool = shop.books.pool
    spent = shop.member(POOR).sponsor_spent
    assert claim(shop, POOR, payment=shop.sponsored) == 10_005
    weight = shop.chain.mined[-1].transactions[0].weight
    assert pool - shop.books.pool == 2 * weight
    assert shop.member(POOR).sponsor_spent - spent in (2 * weight, 2 * weight - spent)


def test_only_after_the_close() -> None:
    shop = make_shop()
    shop.pass_days(WIND_DOWN_DAYS_MIN - 1)
    with refused(NOT_CLOSED):
        claim(shop, FAN)
    closes_at = shop.terms_of_program.closes_at
    shop.chain.block(time=closes_at - 1)
    with refused(NOT_CLOSED):
        claim(shop, FAN)
    shop.chain.block(time=closes_at)
    assert claim(shop, FAN) == 5_000 - FEE


def test_who_cannot_claim() -> None:
    shop = close(make_shop(points={FAN: 480, POOR: 479}))
    with refused(NO_PROGRAM):
        claim(shop, FAN, program=ProgramId(NOWHERE))
    with refused(NO_MEMBER):
        claim(shop, STRANGER)
    with refused(NOTHING):
        claim(shop, FRIEND)
    with refused(NOT_SPONSORED):
        claim(shop, STRANGER, payment=shop.sponsored)
    with refused(BELOW_FEE, share=2_395, fee=FEE):
        claim(shop, POOR)
    assert claim(shop, FAN) == 0  # exactly the fee
    assert claim(shop, POOR, payment=shop.sponsored) == 2_395


def test_many_signers_pay_for_themselves() -> None:
    shop = close(make_shop())
    crowd = Signer.named("crowd", threshold=9, keys_count=9)
    with refused(EXIT_TOO_HEAVY):
        claim(shop, crowd)


def test_who_has_left_claims_too() -> None:
    shop = make_shop()
    shop.chain.send("member.leave", MemberLeave(shop.program), author=POOR, payment=PREPAID)
    close(shop)
    assert claim(shop, POOR) == 10_005 - FEE


def test_points_that_were_held_are_claimed_when_they_come_back() -> None:
    shop = make_shop(hold_seconds=80 * DAY_SECONDS)
    hold = shop.redeem(POOR, shop.list_reward(price=1_000), payment=shop.sponsored)
    close(shop)
    assert claim(shop, POOR) == 1_001 * 5 - FEE
    with refused(NOTHING):
        claim(shop, POOR)
    shop.chain.send("redeem.cancel", RedeemCancel(hold), author=POOR, payment=PREPAID)
    assert claim(shop, POOR) == 1_000 * 5 - FEE
    check_backing(shop.chain.state)


@pytest.mark.parametrize("delay", [0, 60])
def test_what_is_not_usable_yet_waits_and_what_has_expired_is_gone(delay: int) -> None:
    shop = close(make_shop(activation_delay_days=delay, expiry=RollingExpiry(90)))
    if delay > WIND_DOWN_DAYS_MIN:
        with refused(NOTHING):
            claim(shop, POOR)
        shop.pass_days(delay - WIND_DOWN_DAYS_MIN)
    assert claim(shop, POOR) == 10_005 - FEE
    check_backing(shop.chain.state)
    shop.pass_days(60)
    with refused(NOTHING):
        claim(shop, FAN)
    assert (shop.books.expired, shop.books.backing) == (1_000, 0)


def test_points_without_collateral_have_nothing_to_claim() -> None:
    shop = close(make_shop(collateral=Amount(0)))
    with refused(NOTHING):
        claim(shop, FAN)


@pytest.mark.parametrize("order", [(FAN, FRIEND, POOR), (POOR, FRIEND, FAN)])
def test_all_shares_together_are_what_stood_behind_all_points(order: tuple[Signer, ...]) -> None:
    shop = close(make_shop(points={FAN: 1_001, FRIEND: 1_001, POOR: 1_001}, collateral=Amount(4_501)))
    reserved = 10_000 * 4_501 // 1_000
    total = security(shop.books) - reserved
    shares = [claim(shop, fan, payment=None if fan is not POOR else shop.sponsored) for fan in order]
    assert sum(shares) == total == 13_517  # 13,516.503 rounded up
    assert sorted(shares) == [4_505, 4_506, 4_506]  # 4,505.501 each
    assert security(shop.books) == reserved == 45_010


def test_nobody_claims_what_a_return_may_still_take_back() -> None:
    terms: dict[str, Any] = {"notice_days": 0, "offer_day_max": Points(1_000), "expiry": RollingExpiry(365)}
    shop = Shop(collateral=Amount(50_000), issuance_cap=Points(100_000), **terms)
    shop.fill_pool(100_000)
    shop.join(FAN)
    consent(shop, FAN)
    offer = make_offer(shop, points=200, terms=ANYTHING)
    assert issue(shop, offer) == ("",)
    bought = cite(shop, offer)
    back = take_return(shop, bought, points=bought.receipt.points + 200)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, Timestamp(shop.now + DAY_SECONDS)), author=OWNER)
    shop.pass_days(31)
    contest_offer(shop, offer, bought)
    with refused(NOTHING):
        claim(shop, FAN)
    reverse_offer(shop, offer, back, 200)
    assert shop.member(FAN).lots == ()
    check_backing(shop.chain.state)
