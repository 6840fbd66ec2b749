"""`issuer.grant` and `issuer.revoke`: scopes, caps and tombstones."""

from dataclasses import replace

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP
from ledger.domains.loyalty.events import IssuerGranted, IssuerRevoked
from ledger.domains.loyalty.issuer_grant import ISSUER_GRANT, TOO_MANY_GRANTS, IssuerGrant
from ledger.domains.loyalty.issuer_revoke import ISSUER_REVOKE, NOT_GRANTED, IssuerRevoke
from ledger.domains.loyalty.program_update import NOT_OWNER, VERSION_KEEP_SECONDS
from ledger.domains.loyalty.state import (
    NO_PROGRAM,
    SCOPE_ENROL,
    SCOPE_FULFIL,
    SCOPE_SETTLE,
    SCOPE_TILL,
    SCOPES_ALL,
    TIME_END,
    Grant,
    grant_allows,
    grant_key,
    program_key,
)
from ledger.state import Overlay
from ledger.types import INTEGER_MAX, Amount, Points, ProgramId, Timestamp
from tests.support.memory_chain import FUNDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop

SECOND_TILL = Signer.named("second till")


def grant_of(shop: Shop, issuer: Signer) -> Grant:
    return shop.chain.record(grant_key(shop.program, issuer.address))


def revoke(shop: Shop, issuer: Signer, *, author: Signer = OWNER) -> None:
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, issuer.address), author=author)


def test_a_grant_holds_for_its_scopes(shop: Shop) -> None:
    now = shop.now
    shop.grant(SECOND_TILL, scopes=SCOPE_TILL | SCOPE_FULFIL, daily_cap=5)
    assert shop.chain.events == (IssuerGranted(shop.program, SECOND_TILL.address, 9, Points(5)),)
    assert shop.chain.events[0].subjects() == (shop.program, SECOND_TILL.address)
    assert grant_of(shop, SECOND_TILL).granted_at == now
    view = Overlay(shop.chain.state)
    allowed = [s for s in (1, 2, 4, 8) if grant_allows(view, shop.program, SECOND_TILL.address, s)]
    assert allowed == [SCOPE_TILL, SCOPE_FULFIL]
    assert not grant_allows(view, shop.program, FAN.address, SCOPES_ALL)


def test_a_new_grant_replaces_the_old_one_and_what_was_used_today_stays_used(shop: Shop) -> None:
    shop.join(FAN)
    shop.grant(TILL, daily_cap=10)
    shop.earn(FAN, 10)
    locked, now = shop.chain.state.chain.locked, shop.now
    shop.grant(TILL, daily_cap=15)
    assert grant_of(shop, TILL).granted_at == now
    assert shop.chain.state.chain.locked == locked
    assert shop.earn(FAN, 6) == (ENTRY_DAILY_CAP.name,)
    assert shop.earn(FAN, 5) == ("",)
    shop.grant(TILL, daily_cap=1)
    assert shop.earn(FAN, 1) == (ENTRY_DAILY_CAP.name,)


def test_a_revoked_grant_is_a_tombstone_that_a_new_grant_lifts(shop: Shop) -> None:
    revoke(shop, TILL)
    assert shop.chain.events == (IssuerRevoked(shop.program, TILL.address),)
    assert shop.chain.events[0].subjects() == (shop.program, TILL.address)
    revoked_at = shop.chain.mined[-1].context.time
    assert grant_of(shop, TILL).revoked_at == revoked_at
    assert not grant_allows(Overlay(shop.chain.state), shop.program, TILL.address, SCOPE_SETTLE)
    now = shop.now
    shop.grant(TILL, scopes=SCOPE_ENROL)
    assert (grant_of(shop, TILL).granted_at, grant_of(shop, TILL).revoked_at) == (now, 0)


def test_the_grant_of_each_moment_can_be_told_later(shop: Shop) -> None:
    """Receipts count by the grant of their time: changes, revocations and gaps are kept as spans."""
    start = grant_of(shop, TILL).granted_at
    shop.chain.mine(3)
    shop.grant(TILL)
    assert (grant_of(shop, TILL).granted_at, grant_of(shop, TILL).earlier) == (start, ()), "nothing changed"
    changed = shop.now
    shop.grant(TILL, scopes=SCOPE_TILL, daily_cap=50)
    shop.chain.mine(3)
    revoke(shop, TILL)
    revoked = grant_of(shop, TILL).revoked_at
    shop.chain.mine(3)
    again = shop.now
    shop.grant(TILL, scopes=SCOPE_TILL, daily_cap=60)
    shop.grant(TILL, scopes=SCOPE_TILL, daily_cap=60)
    grant = grant_of(shop, TILL)
    whole, fifty = (start, changed, SCOPES_ALL, INTEGER_MAX), (changed, revoked, SCOPE_TILL, 50)
    assert grant.earlier == (whole, fifty)
    expected = {
        start - 1: None,
        start: whole,
        changed - 1: whole,
        changed: fifty,
        revoked - 1: fifty,
        revoked: fifty,
        revoked + 1: None,
        again - 1: None,
        again: (again, TIME_END, SCOPE_TILL, 60),
    }
    assert {time: grant.span_at(Timestamp(time)) for time in expected} == expected


def test_spans_are_kept_as_long_as_a_receipt_of_theirs_can_matter_and_no_more_than_16(shop: Shop) -> None:
    shop.chain.mine()
    for cap in range(16):
        shop.grant(TILL, daily_cap=cap)
    assert len(grant_of(shop, TILL).earlier) == 16
    with refused(TOO_MANY_GRANTS, count=17):
        shop.grant(TILL, daily_cap=16)
    revoke(shop, TILL)
    with refused(TOO_MANY_GRANTS, count=17):
        shop.grant(TILL, daily_cap=16)
    shop.chain.advance(seconds=VERSION_KEEP_SECONDS)
    shop.grant(TILL, daily_cap=16)
    assert grant_of(shop, TILL).earlier == ()
    payloads = [IssuerGrant(shop.program, TILL.address, SCOPE_TILL, Points(cap)) for cap in range(20)]
    changed = [shop.chain.sign("issuer.grant", payload, author=OWNER) for payload in payloads]
    shop.chain.block(*changed)
    assert len(grant_of(shop, TILL).earlier) == 1, "what was live for no second is nothing"


def test_an_issuer_can_revoke_itself(shop: Shop) -> None:
    revoke(shop, TILL, author=TILL)


def test_failures_of_granting_come_in_the_documented_order(shop: Shop) -> None:
    payload = IssuerGrant(shop.program, FRIEND.address, SCOPES_ALL, Points(0))
    send = shop.chain.send
    with refused(NO_PROGRAM):
        send("issuer.grant", replace(payload, program=ProgramId(NOWHERE)), author=FAN)
    with refused(NOT_OWNER):
        send("issuer.grant", payload, author=FAN)
    keep = 11_000
    everything = Transfer(ToAccount(STRANGER.address), Amount(FUNDS // 2))
    fee = shop.chain.sign("transfer", everything, author=OWNER).weight * 2
    rest = shop.coin_of(OWNER) - fee - keep
    send("transfer", Transfer(ToAccount(STRANGER.address), Amount(rest)), author=OWNER)
    with refused(INSUFFICIENT, needed=10_000):
        send("issuer.grant", payload, author=OWNER)
    assert ISSUER_GRANT.reads(OWNER.address, payload) == (
        program_key(shop.program),
        grant_key(shop.program, FRIEND.address),
    )


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=10_500)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.grant(FRIEND, payment=shop.sponsored)


def test_failures_of_revoking_come_in_the_documented_order(shop: Shop) -> None:
    send = shop.chain.send
    payload = IssuerRevoke(shop.program, FRIEND.address)
    with refused(NO_PROGRAM):
        send("issuer.revoke", replace(payload, program=ProgramId(NOWHERE)), author=FAN)
    with refused(NOT_OWNER):
        send("issuer.revoke", payload, author=FAN)
    with refused(NOT_GRANTED, issuer=FRIEND.address):
        send("issuer.revoke", payload, author=OWNER)
    revoke(shop, TILL)
    with refused(NOT_GRANTED, issuer=TILL.address):
        revoke(shop, TILL)
    assert ISSUER_REVOKE.reads(OWNER.address, payload) == (
        program_key(shop.program),
        grant_key(shop.program, FRIEND.address),
    )


def test_a_pool_pays_for_an_issuer_that_is_no_member(shop: Shop) -> None:
    shop.grant(POOR, scopes=SCOPE_TILL)
    shop.chain.send("account.set_policy", SetPolicy(FAN.policy), author=POOR, payment=shop.sponsored)
