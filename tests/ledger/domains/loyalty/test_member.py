"""`member.join` and `member.leave`: from a till or alone, out without a fee, and back again."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.events import MemberJoined, MemberLeft
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import ALREADY_MEMBER, MEMBER_JOIN, MemberJoin
from ledger.domains.loyalty.member_leave import MEMBER_LEAVE, MemberLeave
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    NO_PROGRAM,
    NO_SCOPE,
    NOT_GRANTED,
    SCOPE_ENROL,
    SCOPES_ALL,
    grant_key,
    member_key,
    program_key,
)
from ledger.fees import NOT_SPONSORED
from ledger.params import CONTEST_WEIGHT, CONTESTS_PREPAID, EXIT_WEIGHT
from ledger.transaction import Prepaid
from ledger.types import Address, Amount, ProgramId
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, TILL, Shop

NO_ISSUER = Address(b"")


def contests_prepaid(shop: Shop) -> int:
    params = shop.chain.params
    return CONTESTS_PREPAID * (CONTEST_WEIGHT * params.fee_rate_min + params.record_deposit)


def leave(shop: Shop) -> None:
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())


def test_a_fan_without_coin_joins_at_a_till(shop: Shop) -> None:
    now, pool = shop.now, shop.books.pool
    shop.join(POOR)
    assert shop.chain.events == (MemberJoined(shop.program, POOR.address, TILL.address),)
    assert shop.chain.events[0].subjects() == (shop.program, POOR.address)
    member = shop.member(POOR)
    prepaid = EXIT_WEIGHT * shop.chain.params.fee_rate_min + contests_prepaid(shop)
    assert (member.joined_at, member.left_at, member.lots) == (now, 0, ())
    assert (member.payer, member.deposit, member.prepaid) == (b"P" + shop.program, 10_000, prepaid)
    assert shop.books.pool < pool - 10_000 - prepaid
    assert shop.books.members == 1


def test_a_fan_joins_alone_and_pays(shop: Shop) -> None:
    pool = shop.books.pool
    shop.join_alone(FAN)
    assert shop.member(FAN).payer == b"A" + FAN.address
    assert shop.books.pool == pool


def test_a_member_leaves_without_coin_and_keeps_its_points(shop: Shop) -> None:
    shop.join(POOR)
    shop.earn(POOR, 200)
    now = shop.now
    block = shop.chain.block(shop.chain.sign("member.leave", MemberLeave(shop.program), author=POOR, payment=Prepaid()))
    assert shop.chain.events == (MemberLeft(shop.program, POOR.address),)
    assert shop.chain.events[0].subjects() == (shop.program, POOR.address)
    assert block.payees[0][1] == 5_000_000 + EXIT_WEIGHT * shop.chain.params.fee_rate_min
    member = shop.member(POOR)
    assert (member.left_at, member.prepaid, member.deposit) == (now, contests_prepaid(shop), 10_000)
    assert shop.points_of(POOR) == 200
    assert shop.books.members == 0


def test_a_member_that_comes_back_keeps_its_points_and_its_record(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 200)
    leave(shop)
    locked, joined_at = shop.chain.state.chain.locked, shop.member(FAN).joined_at
    shop.join(FAN)
    member = shop.member(FAN)
    assert (member.joined_at, member.left_at, member.entries) == (joined_at, 0, 1)
    assert shop.points_of(FAN) == 200
    assert shop.chain.state.chain.locked == locked + EXIT_WEIGHT * shop.chain.params.fee_rate_min
    assert shop.books.members == 1
    leave(shop)


def test_failures_of_joining_come_in_the_documented_order(shop: Shop) -> None:
    send = shop.chain.send
    shop.join(FAN)
    payload = MemberJoin(shop.program, FRIEND.address)
    with refused(NO_PROGRAM):
        send("member.join", replace(payload, program=ProgramId(NOWHERE)), author=FAN, cosigners=(FRIEND,))
    with refused(NOT_GRANTED, issuer=FRIEND.address):
        send("member.join", payload, author=FAN, cosigners=(FRIEND,))
    shop.grant(FRIEND, scopes=SCOPES_ALL - SCOPE_ENROL)
    with refused(NO_SCOPE, issuer=FRIEND.address, scope="enrol"):
        send("member.join", payload, author=FAN, cosigners=(FRIEND,))
    with refused(ALREADY_MEMBER):
        send("member.join", MemberJoin(shop.program, TILL.address), author=FAN, cosigners=(TILL,))
    send("transfer", Transfer(ToAccount(POOR.address), Amount(11_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        send("member.join", MemberJoin(shop.program, NO_ISSUER), author=POOR)
    send("transfer", Transfer(ToAccount(POOR.address), Amount(1_000 + 2 * 937)), author=FAN)
    with refused(INSUFFICIENT, needed=2 * EXIT_WEIGHT):
        send("member.join", MemberJoin(shop.program, NO_ISSUER), author=POOR)
    assert MEMBER_JOIN.reads(FAN.address, payload) == (
        program_key(shop.program),
        grant_key(shop.program, FRIEND.address),
        member_key(shop.program, FAN.address),
        member_key(shop.program, NO_ISSUER),
    )


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=11_000)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.join(POOR)


@pytest.mark.parametrize("scopes", [SCOPE_ENROL, SCOPES_ALL - SCOPE_ENROL])
def test_only_an_issuer_that_may_enrol_lets_the_pool_pay(shop: Shop, scopes: int) -> None:
    shop.grant(TILL, scopes=scopes)
    if scopes & SCOPE_ENROL:
        shop.join(POOR)
    else:
        with refused(NOT_SPONSORED):
            shop.join(POOR)


def test_the_pool_pays_for_no_one_who_comes_alone_or_for_another_program(shop: Shop) -> None:
    send = shop.chain.send
    with refused(NOT_SPONSORED):
        send("member.join", MemberJoin(shop.program, NO_ISSUER), author=POOR, payment=shop.sponsored)
    other = shop.create_program(OWNER)
    with refused(NOT_SPONSORED):
        send(
            "member.join",
            MemberJoin(other, TILL.address),
            author=POOR,
            payment=shop.sponsored,
            cosigners=(TILL,),
        )
    send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    with refused(NOT_SPONSORED):
        shop.join(POOR)


def test_failures_of_leaving_come_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_PROGRAM):
        shop.chain.send("member.leave", MemberLeave(ProgramId(NOWHERE)), author=FAN)
    with refused(NO_MEMBER, member=FAN.address):
        leave(shop)
    shop.join(FAN)
    leave(shop)
    with refused(NO_MEMBER, member=FAN.address):
        leave(shop)
    assert MEMBER_LEAVE.reads(FAN.address, MemberLeave(shop.program)) == (
        program_key(shop.program),
        member_key(shop.program, FAN.address),
    )
