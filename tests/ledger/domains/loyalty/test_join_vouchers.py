"""Vouchers for joining: once, for one account, for some time (spec JOIN)."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from ledger import keys
from ledger.coin import POOL_INSUFFICIENT
from ledger.domains.loyalty.events import MemberJoined
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.join_vouchers import (
    EXPIRED,
    TOO_LONG,
    USED,
    JoinVoucher,
    ShownVoucher,
    UsedVoucher,
    prove_voucher,
    sign_voucher,
    used_voucher_key,
)
from ledger.domains.loyalty.member_join import ALREADY_MEMBER, WITH_ISSUER, MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.referral_bonus import ReferralBonus
from ledger.domains.loyalty.state import NO_PROGRAM, NO_SCOPE, NOT_GRANTED, SCOPE_ENROL, SCOPE_SETTLE
from ledger.errors import Malformed
from ledger.fees import NOT_SPONSORED
from ledger.params import VOUCHER_SECONDS_MAX
from ledger.transaction import BAD_ATTESTATION, Prepaid
from ledger.types import Address, Points, PrivateSeed, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, TILL, Shop


def make_voucher(shop: Shop, number: int = 1, *, seconds: int = 30 * DAY_SECONDS) -> tuple[JoinVoucher, PrivateSeed]:
    """A voucher that ends in some time, and the seed that is printed on it."""
    seed = PrivateSeed(sha256(f"voucher {number}".encode()).digest())
    until = Timestamp(shop.now + seconds)
    return JoinVoucher(1, shop.program, keys.public_key_of(seed), until), seed


def show(
    shop: Shop, made: tuple[JoinVoucher, PrivateSeed], fan: Signer, *, till: Signer = TILL, **changes: Any
) -> MemberJoin:
    """The join of a fan who holds it."""
    voucher, seed = made
    chain_id = shop.chain.chain_id
    shown = ShownVoucher(
        key=voucher.key,
        valid_until=voucher.valid_until,
        till=till.key,
        signature=sign_voucher(voucher, chain_id, till.seeds[0]),
        proof=prove_voucher(voucher, chain_id, fan.address, seed),
    )
    return MemberJoin(shop.program, Address(b""), voucher=(replace(shown, **changes),))


def join(shop: Shop, payload: MemberJoin, fan: Signer, *, sponsored: bool = True) -> None:
    shop.chain.send("member.join", payload, author=fan, payment=shop.sponsored if sponsored else None)


def used(shop: Shop, voucher: JoinVoucher) -> UsedVoucher | None:
    return shop.chain.record(used_voucher_key(voucher.voucher_id))


def test_a_fan_without_a_coin_joins_with_a_voucher_and_the_pool_pays() -> None:
    shop = Shop()
    made = make_voucher(shop)
    before = shop.books.pool
    join(shop, show(shop, made, POOR), POOR)
    assert shop.member(POOR).left_at == 0
    event = shop.chain.events[0]
    assert event == MemberJoined(shop.program, POOR.address, TILL.address, voucher=made[0].voucher_id)
    found = used(shop, made[0])
    assert found is not None
    assert (found.program, found.member, found.valid_until) == (shop.program, POOR.address, made[0].valid_until)
    assert found.payer == b"P" + shop.program
    spent = before - shop.books.pool
    assert shop.member(POOR).sponsor_spent == spent == shop.books.sponsor_day_spent
    shop.chain.replay()


def test_a_voucher_counts_once() -> None:
    shop = Shop()
    made = make_voucher(shop)
    join(shop, show(shop, made, POOR), POOR)
    with refused(USED):
        join(shop, show(shop, made, FAN), FAN)
    join(shop, show(shop, make_voucher(shop, 2), FAN), FAN)
    again = replace(made[0], valid_until=Timestamp(made[0].valid_until + 1))
    join(shop, show(shop, (again, made[1]), FRIEND), FRIEND)  # the issuer signed another one, with the same key


def test_two_of_one_voucher_in_one_block() -> None:
    shop = Shop()
    made = make_voucher(shop)
    first, second = (
        shop.chain.sign("member.join", show(shop, made, fan), author=fan, payment=shop.sponsored) for fan in (POOR, FAN)
    )
    with refused(USED):
        shop.chain.block(first, second)
    shop.chain.block(second)
    assert shop.member(POOR) is None


def test_whoever_sees_it_in_a_mempool_cannot_use_it() -> None:
    shop = Shop()
    made = make_voucher(shop)
    stolen = show(shop, made, POOR)
    with refused(BAD_ATTESTATION):
        join(shop, stolen, FAN)
    thief = PrivateSeed(bytes(32))
    proof = prove_voucher(made[0], shop.chain.chain_id, FAN.address, thief)
    with refused(BAD_ATTESTATION):
        join(shop, replace(stolen, voucher=(replace(stolen.voucher[0], proof=proof),)), FAN)


@pytest.mark.parametrize("change", ["key", "valid_until", "till", "signature", "program"])
def test_only_what_the_issuer_signed_counts(change: str) -> None:
    shop = Shop()
    voucher, seed = make_voucher(shop)
    payload = show(shop, (voucher, seed), POOR)
    shown = payload.voucher[0]
    own = PrivateSeed(bytes(32))
    other = ProgramId(NOWHERE)
    changed = {
        "key": replace(
            shown,
            key=keys.public_key_of(own),
            proof=prove_voucher(replace(voucher, key=keys.public_key_of(own)), shop.chain.chain_id, POOR.address, own),
        ),
        "valid_until": replace(shown, valid_until=Timestamp(shown.valid_until + 1)),
        "till": replace(shown, till=OWNER.key),
        "signature": replace(shown, signature=sign_voucher(voucher, shop.chain.chain_id, own)),
        "program": replace(
            shown,
            signature=sign_voucher(replace(voucher, program=other), shop.chain.chain_id, TILL.seeds[0]),
        ),
    }
    with refused(BAD_ATTESTATION):
        join(shop, replace(payload, voucher=(changed[change],)), POOR, sponsored=change != "till")


def test_the_issuer_must_be_allowed_to_enrol() -> None:
    shop = Shop()
    made = make_voucher(shop)
    by_friend = show(shop, made, FAN, till=FRIEND)
    with refused(NOT_GRANTED):
        join(shop, by_friend, FAN, sponsored=False)
    with refused(NOT_SPONSORED):
        join(shop, by_friend, FAN)
    shop.grant(FRIEND, scopes=SCOPE_SETTLE)
    with refused(NO_SCOPE, scope="enrol"):
        join(shop, by_friend, FAN, sponsored=False)
    shop.grant(FRIEND, scopes=SCOPE_ENROL)
    join(shop, by_friend, FAN, sponsored=False)


def test_what_is_in_print_ends_with_the_grant() -> None:
    shop = Shop()
    payload = show(shop, make_voucher(shop), POOR)
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    with refused(NOT_SPONSORED):
        join(shop, payload, POOR)


def test_a_voucher_ends_to_the_second() -> None:
    shop = Shop()
    made = make_voucher(shop, seconds=100_000)
    shop.chain.block(time=made[0].valid_until + 1)
    with refused(EXPIRED, until=made[0].valid_until):
        join(shop, show(shop, made, FAN), FAN)
    shop.chain.unwind(1)
    shop.chain.block(time=made[0].valid_until)
    join(shop, show(shop, made, FAN), FAN)


def test_a_voucher_of_a_far_end_must_wait() -> None:
    shop = Shop()
    made = make_voucher(shop, seconds=VOUCHER_SECONDS_MAX + 60)
    with refused(TOO_LONG):
        join(shop, show(shop, made, FAN), FAN)
    shop.chain.block(time=shop.now + 59)
    with refused(TOO_LONG, first=shop.now + 1):
        join(shop, show(shop, made, FAN), FAN)
    shop.chain.block(time=shop.now + 1)
    join(shop, show(shop, made, FAN), FAN)


def test_the_chain_forgets_a_voucher_when_it_could_not_be_used_any_more() -> None:
    shop = Shop()
    made = make_voucher(shop, seconds=DAY_SECONDS)
    join(shop, show(shop, made, POOR), POOR)
    pool = shop.books.pool
    shop.chain.block(time=made[0].valid_until)
    shop.chain.mine()
    assert used(shop, made[0]) is not None
    shop.chain.block(time=max(made[0].valid_until + 1, shop.now + 1))
    shop.chain.mine()
    assert used(shop, made[0]) is None
    assert shop.books.pool - pool == shop.chain.params.record_deposit
    with refused(EXPIRED):
        join(shop, show(shop, made, FAN), FAN)


def test_who_left_comes_back_with_a_voucher_and_who_is_in_needs_none() -> None:
    shop = Shop()
    join(shop, show(shop, make_voucher(shop, 1), POOR), POOR)
    with refused(ALREADY_MEMBER):
        join(shop, show(shop, make_voucher(shop, 2), POOR), POOR)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=POOR, payment=Prepaid())
    with refused(USED):
        join(shop, show(shop, make_voucher(shop, 1, seconds=30 * DAY_SECONDS - 60 * 2), POOR), POOR)
    join(shop, show(shop, make_voucher(shop, 2), POOR), POOR)
    assert shop.member(POOR).left_at == 0


def test_a_voucher_brings_a_friend_too() -> None:
    shop = Shop(referral=ReferralBonus(Points(5), Points(5)))
    shop.join(FAN)
    payload = replace(show(shop, make_voucher(shop), POOR), referrer=FAN.address)
    join(shop, payload, POOR)
    assert shop.member(POOR).is_referred


def test_the_other_program_and_both_ways_at_once() -> None:
    shop = Shop()
    payload = show(shop, make_voucher(shop), FAN)
    with pytest.raises(Malformed) as found:
        join(shop, replace(payload, issuer=TILL.address), FAN)
    assert found.value.code is WITH_ISSUER
    voucher, seed = make_voucher(shop)
    elsewhere = show(shop, (replace(voucher, program=ProgramId(NOWHERE)), seed), FAN)
    with refused(NO_PROGRAM):
        join(shop, replace(elsewhere, program=ProgramId(NOWHERE)), FAN, sponsored=False)


def test_a_drained_pool_admits_nobody() -> None:
    shop = Shop(pool=20_000)
    with refused(POOL_INSUFFICIENT):
        join(shop, show(shop, make_voucher(shop), POOR), POOR)
