"""Referrals: paid to both once the first purchase can no longer be returned, whole or not at all."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.loyalty.events import MemberJoined
from ledger.domains.loyalty.member_join import MEMBER_JOIN, MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.referral import (
    CAP_REACHED,
    JOINER_LEFT,
    LIMIT_REACHED,
    NO_REFERRAL,
    PAID,
    POOL_EMPTY,
    PURCHASE_RETURNED,
    REFERRER_LEFT,
    ReferralEnded,
    referral_id_of,
    referral_key,
)
from ledger.domains.loyalty.referral_bonus import ReferralBonus
from ledger.domains.loyalty.state import SponsorPolicy, member_key
from ledger.domains.loyalty.terms import is_worse
from ledger.kinds import Cost
from ledger.params import REFERRALS_PERIOD_MAX
from ledger.transaction import Prepaid
from ledger.types import Address, Amount, Points
from tests.support.backing import check_backing
from tests.support.contests import settle, sign
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.returns import reverse, take_return
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop, make_terms

TERMS: dict[str, Any] = {
    "referral": ReferralBonus(Points(100), Points(50)),
    "return_window_days": 3,
    "activation_delay_days": 3,
}


@pytest.fixture
def shop() -> Shop:
    """A shop that FAN joined, and that pays for referrals."""
    found = Shop(**TERMS)
    found.join(FAN)
    return found


def join(shop: Shop, fan: Signer, *, by: Signer = FAN) -> None:
    payload = MemberJoin(shop.program, TILL.address, by.address)
    shop.chain.send("member.join", payload, author=fan, payment=shop.sponsored, cosigners=(TILL,))


def leave(shop: Shop, fan: Signer) -> None:
    shop.chain.send("member.leave", MemberLeave(shop.program), author=fan, payment=Prepaid())


def referral_of(shop: Shop, fan: Signer) -> Any:
    """The referral of who joined: a `Referral`, or None once it ended."""
    return shop.chain.record(referral_key(referral_id_of(shop.program, fan.address)))


def ended(shop: Shop) -> list[ReferralEnded]:
    """Every referral that ended, in order."""
    events = [event for block in shop.chain.mined for _, event in block.transition.events]
    return [event for event in events if isinstance(event, ReferralEnded)]


def outcome(shop: Shop, outcome: int, *, fan: Signer = FRIEND) -> ReferralEnded:
    paid = (Points(100), Points(50)) if outcome == PAID else (Points(0), Points(0))
    return ReferralEnded(shop.program, FAN.address, fan.address, outcome, *paid)


def test_both_are_paid_after_the_return_window(shop: Shop) -> None:
    locked = shop.chain.state.chain.locked
    join(shop, FRIEND)
    joined = MemberJoined(shop.program, FRIEND.address, TILL.address, FAN.address)
    assert shop.chain.events == (joined,)
    assert joined.subjects() == (shop.program, FRIEND.address, FAN.address)
    found = referral_of(shop, FRIEND)
    assert found is not None
    assert (found.referrer, found.version, found.batch, found.points) == (FAN.address, 1, b"", 0)
    assert shop.member(FRIEND).is_referred
    shop.earn(FRIEND, 0)
    assert shop.member(FRIEND).is_referred, "an entry of 0 points is no purchase"
    shop.earn(FRIEND, 40)
    assert not shop.member(FRIEND).is_referred
    assert referral_of(shop, FRIEND).points == 40
    shop.earn(FRIEND, 7)
    shop.pass_days(3)
    assert ended(shop) == []
    shop.pass_days(1)
    assert ended(shop) == [outcome(shop, PAID)]
    assert ended(shop)[0].subjects() == (shop.program, FAN.address, FRIEND.address)
    today = shop.today
    assert shop.member(FAN).lots == ((1, today + 3, today + 30, 100),)
    assert shop.member(FRIEND).lots[-1] == (1, today + 3, today + 30, 50)
    assert shop.books.issued == 40 + 7 + 150
    assert referral_of(shop, FRIEND) is None
    assert shop.member(FAN).referrals == 1
    shop.pass_days(10)
    assert len(ended(shop)) == 1
    member = shop.member(FRIEND)
    assert shop.chain.state.chain.locked >= locked + member.deposit
    shop.chain.replay()


def test_a_purchase_that_went_back_brings_nobody_anything(shop: Shop) -> None:
    join(shop, FRIEND)
    bought = sign(shop, FRIEND)
    settled = settle(shop, [bought], fan=FRIEND)
    signed = take_return(shop, bought, fan=FRIEND)
    reverse(shop, settled, signed, 499)
    assert referral_of(shop, FRIEND).reversed == 499
    other = settle(shop, [sign(shop, FRIEND, sequence=2, points=9)], fan=FRIEND)
    back = take_return(shop, bought, fan=FRIEND, points=9, number=2)
    reverse(shop, other, back)
    assert referral_of(shop, FRIEND).reversed == 499, "another entry's return is another's"
    reverse(shop, settled, signed, 1)
    shop.pass_days(4)
    assert ended(shop) == [outcome(shop, PURCHASE_RETURNED)]
    assert shop.books.issued == 509
    shop.chain.replay()


def test_a_part_that_is_kept_is_a_purchase(shop: Shop) -> None:
    join(shop, FRIEND)
    bought = sign(shop, FRIEND)
    settled = settle(shop, [bought], fan=FRIEND)
    reverse(shop, settled, take_return(shop, bought, fan=FRIEND), 499)
    shop.pass_days(4)
    assert ended(shop) == [outcome(shop, PAID)]
    shop.chain.replay()


@pytest.mark.parametrize(("who", "why"), [(FRIEND, JOINER_LEFT), (FAN, REFERRER_LEFT)])
def test_who_left_before_gets_nothing(shop: Shop, who: Signer, why: int) -> None:
    join(shop, FRIEND)
    shop.earn(FRIEND, 40)
    leave(shop, who)
    shop.pass_days(4)
    assert ended(shop) == [outcome(shop, why)]
    assert shop.books.issued == 40
    shop.chain.replay()


def test_leaving_and_joining_again_opens_nothing(shop: Shop) -> None:
    join(shop, FRIEND)
    deposit = referral_of(shop, FRIEND).deposit
    locked, pool = shop.chain.state.chain.locked, shop.books.pool
    leave(shop, FRIEND)
    assert referral_of(shop, FRIEND) is None
    assert not shop.member(FRIEND).is_referred
    assert shop.books.pool == pool + deposit
    assert shop.chain.state.chain.locked < locked - deposit + 1
    with refused(NO_REFERRAL, referrer=FAN.address, reason="it was a member before"):
        join(shop, FRIEND)
    shop.join(FRIEND)
    shop.earn(FRIEND, 40)
    shop.pass_days(4)
    assert ended(shop) == []
    shop.chain.replay()


def test_nobody_brings_itself_and_only_members_bring(shop: Shop) -> None:
    for stranger in (FRIEND.address, STRANGER.address, Address(NOWHERE)):
        payload = MemberJoin(shop.program, TILL.address, stranger)
        with refused(NO_REFERRAL, referrer=stranger, reason="it is no other member"):
            shop.chain.send("member.join", payload, author=FRIEND, payment=shop.sponsored, cosigners=(TILL,))
    leave(shop, FAN)
    with refused(NO_REFERRAL, reason="it is no other member"):
        join(shop, FRIEND)
    plain = Shop()
    plain.join(FAN)
    with refused(NO_REFERRAL, referrer=FAN.address, reason="the program pays nothing for it"):
        join(plain, FRIEND)
    shop.chain.replay()


def test_so_many_of_a_period() -> None:
    generous = SponsorPolicy(Amount(2), Amount(10**9), Amount(10**9), Amount(10**9))
    shop = Shop(**{**TERMS, "return_window_days": 0}, period_days=7, sponsor=generous, pool=10**8)
    shop.join(FAN)
    shop.chain.advance(days=(7 - shop.today % 7))
    joiners = [Signer.named(f"joiner {number}") for number in range(REFERRALS_PERIOD_MAX + 1)]
    for joiner in joiners:
        payload = MemberJoin(shop.program, TILL.address, FAN.address)
        shop.chain.send("member.join", payload, author=joiner, cosigners=(TILL,), payment=shop.sponsored)
    shop.settle(*[shop.entry(joiner, 10, period=shop.today // 7) for joiner in joiners])
    shop.pass_days(9)
    outcomes = [event.outcome for event in ended(shop)]
    assert outcomes == [PAID] * REFERRALS_PERIOD_MAX + [LIMIT_REACHED]
    assert shop.member(FAN).referrals == REFERRALS_PERIOD_MAX
    join(shop, FRIEND)
    shop.earn(FRIEND, 10, period=shop.today // 7)
    shop.pass_days(8)
    assert ended(shop)[-1].outcome == PAID, "the next period counts anew"
    assert shop.member(FAN).referrals == 1
    shop.chain.replay()


def test_the_issuance_cap_counts_and_a_bonus_of_nothing_makes_no_lot() -> None:
    shop = Shop(**{**TERMS, "referral": ReferralBonus(Points(100), Points(0))}, issuance_cap=Points(150))
    shop.join(FAN)
    join(shop, FRIEND)
    join(shop, STRANGER)
    shop.earn(FRIEND, 40)
    shop.earn(STRANGER, 10)
    shop.pass_days(4)
    first, second = ended(shop)
    assert (first.outcome, first.referrer_points, first.joiner_points) == (PAID, 100, 0)
    assert second.outcome == CAP_REACHED
    assert len(shop.member(FRIEND).lots) == 1
    assert shop.books.issued == 150
    shop.chain.replay()


@pytest.mark.parametrize(("room", "outcome"), [(28, POOL_EMPTY), (29, PAID)])
def test_a_pool_that_cannot_pay_what_stands_behind_the_points_pays_nobody(room: int, outcome: int) -> None:
    terms = {**TERMS, "referral": ReferralBonus(Points(20), Points(10)), "issuance_cap": Points(10_000)}
    shop = Shop(**terms, collateral=Amount(10_000_000))
    shop.fill_pool(10_000_000)
    shop.join(FAN)
    join(shop, FRIEND)
    shop.earn(FRIEND, 40)
    left = shop.books.pool // 10_000 - room  # the referral's own deposit comes back first: a point's worth more
    assert shop.earn(FAN, left) == ("",)
    shop.pass_days(4)
    assert ended(shop)[-1].outcome == outcome
    assert shop.books.issued == 40 + left + (30 if outcome == PAID else 0)
    check_backing(shop.chain.state)


def test_the_promise_is_that_of_joining() -> None:
    """Terms that get better later change nothing for who has joined; worse ones wait, and change nothing either."""
    shop = Shop(**TERMS, notice_days=0)
    shop.join(FAN)
    join(shop, FRIEND)
    lower = replace(make_terms(**TERMS, notice_days=0), referral=ReferralBonus(Points(1), Points(1)))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, lower), author=OWNER)
    shop.earn(FRIEND, 40)
    shop.pass_days(4)
    assert ended(shop) == [outcome(shop, PAID)]
    assert shop.member(FAN).lots[0][0] == 2, "the lot lives by the terms in force when it is paid"
    assert is_worse(make_terms(**TERMS), lower)
    assert is_worse(make_terms(**TERMS), make_terms(**{**TERMS, "referral": ReferralBonus(Points(100), Points(49))}))
    shop.chain.replay()


def test_cost_and_reads_of_a_referred_join(shop: Shop) -> None:
    plain = MemberJoin(shop.program, Address(b""))
    referred = replace(plain, referrer=FAN.address)
    assert MEMBER_JOIN.cost(plain) == Cost(records=3, slots=1)
    assert MEMBER_JOIN.cost(referred) == Cost(records=4, slots=2, due=1)
    assert member_key(shop.program, FAN.address) in MEMBER_JOIN.reads(POOR.address, referred)
