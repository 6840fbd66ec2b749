"""`consent.grant` and `consent.revoke`: a purpose, a scope, an end, and a tombstone."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_grant import CONSENT_GRANT, EXPIRY_PASSED, ConsentGrant, ConsentGranted
from ledger.domains.consent.consent_revoke import CONSENT_REVOKE, NO_CONSENT, ConsentRevoke, ConsentRevoked
from ledger.domains.consent.state import CONTACT, PERSONALISE, PUBLISH, Consent, consent_key, has_consent
from ledger.params import EXIT_WEIGHT
from ledger.state import Overlay
from ledger.transaction import Prepaid
from ledger.types import Amount, Timestamp
from tests.support.memory_chain import Scenario
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, POOR, STRANGER, Shop


def grant(*, scope: str = "", expires_at: int = 0, purpose: int = PERSONALISE) -> ConsentGrant:
    return ConsentGrant(FRIEND.address, purpose, scope, Timestamp(expires_at))


def revoke(*, scope: str = "", purpose: int = PERSONALISE) -> ConsentRevoke:
    return ConsentRevoke(FRIEND.address, purpose, scope)


def holds(chain: Scenario, *, scope: str = "", purpose: int = PERSONALISE) -> bool:
    view = Overlay(chain.state)
    return has_consent(view, FAN.address, FRIEND.address, purpose, chain.time, scope)


def test_a_consent_holds_for_its_purpose_and_scope_only(chain: Scenario) -> None:
    chain.send("consent.grant", grant(scope="email", purpose=CONTACT), author=FAN)
    assert chain.events == (ConsentGranted(FAN.address, FRIEND.address, CONTACT, "email", Timestamp(0)),)
    assert chain.events[0].subjects() == (FAN.address, FRIEND.address)
    assert holds(chain, scope="email", purpose=CONTACT)
    assert not holds(chain, scope="", purpose=CONTACT)
    assert not holds(chain, scope="email", purpose=PUBLISH)


def test_a_consent_to_all_of_it_is_what_is_asked_for_where_no_scope_is_named(chain: Scenario) -> None:
    chain.send("consent.grant", grant(), author=FAN)
    assert has_consent(Overlay(chain.state), FAN.address, FRIEND.address, PERSONALISE, chain.time)
    chain.send("consent.revoke", revoke(), author=FAN)
    chain.send("consent.grant", grant(scope="email"), author=FAN)
    assert not has_consent(Overlay(chain.state), FAN.address, FRIEND.address, PERSONALISE, chain.time)


def test_a_consent_ends_at_its_time(chain: Scenario) -> None:
    end = chain.time + 3_600
    chain.send("consent.grant", grant(expires_at=end), author=FAN)
    chain.block(time=end - 1)
    assert holds(chain)
    chain.block(time=end)
    assert not holds(chain)


def test_revoking_is_free_and_leaves_a_tombstone(chain: Scenario) -> None:
    chain.send("consent.grant", grant(), author=FAN)
    prepaid = EXIT_WEIGHT * chain.params.fee_rate_min
    assert chain.state.chain.locked == chain.params.record_deposit + prepaid
    block = chain.block(chain.sign("consent.revoke", revoke(), author=FAN, payment=Prepaid()))
    assert chain.events == (ConsentRevoked(FAN.address, FRIEND.address, PERSONALISE, ""),)
    assert chain.events[0].subjects() == (FAN.address, FRIEND.address)
    assert block.payees[0][1] == 5_000_000 + prepaid
    tombstone: Consent = chain.record(consent_key(FAN.address, FRIEND.address, PERSONALISE, ""))
    assert (tombstone.prepaid, tombstone.revoked_at) == (0, block.context.time)
    assert chain.state.chain.locked == tombstone.deposit == chain.params.record_deposit
    assert not holds(chain)


def test_granting_again_renews_and_prepays_again_only_after_a_revocation(chain: Scenario) -> None:
    key = consent_key(FAN.address, FRIEND.address, PERSONALISE, "")
    granted_at = chain.time
    chain.send("consent.grant", grant(), author=FAN)
    locked = chain.state.chain.locked
    first: Consent = chain.record(key)
    prepaid = Amount(EXIT_WEIGHT * chain.params.fee_rate_min)
    assert first == Consent(b"A" + FAN.address, Amount(10_000), prepaid, granted_at, Timestamp(0), Timestamp(0))
    granted_at, end = chain.time, Timestamp(chain.time + 10_000)
    chain.send("consent.grant", grant(expires_at=end), author=FAN)
    assert chain.record(key) == replace(first, granted_at=granted_at, expires_at=end)
    assert chain.state.chain.locked == locked
    chain.send("consent.revoke", revoke(), author=FAN)
    assert chain.state.chain.locked < locked
    chain.send("consent.grant", grant(), author=FAN)
    assert chain.state.chain.locked == locked
    assert holds(chain)


def test_an_expired_consent_can_be_revoked(chain: Scenario) -> None:
    chain.send("consent.grant", grant(expires_at=chain.time + 10), author=FAN)
    chain.send("consent.revoke", revoke(), author=FAN, payment=Prepaid())


@pytest.mark.parametrize("early", [0, 1])
def test_an_end_that_has_passed_is_refused(chain: Scenario, early: int) -> None:
    with refused(EXPIRY_PASSED, time=chain.time, expires_at=chain.time - early):
        chain.send("consent.grant", grant(expires_at=chain.time - early), author=FAN)
    chain.send("consent.grant", grant(expires_at=chain.time + 1), author=FAN)


def test_an_end_is_looked_at_before_coin(chain: Scenario) -> None:
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(5_000)), author=FAN)
    with refused(EXPIRY_PASSED):
        chain.send("consent.grant", grant(expires_at=1), author=POOR)
    with refused(INSUFFICIENT, needed=10_000):
        chain.send("consent.grant", grant(), author=POOR)


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=10_500)
    shop.join_alone(FAN)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.chain.send("consent.grant", grant(), author=FAN, payment=shop.sponsored)


def test_a_consent_that_is_not_in_force_cannot_be_revoked(chain: Scenario) -> None:
    with refused(NO_CONSENT):
        chain.send("consent.revoke", revoke(), author=FAN)
    chain.send("consent.grant", grant(), author=FAN)
    with refused(NO_CONSENT):
        chain.send("consent.revoke", revoke(), author=STRANGER)
    with refused(NO_CONSENT):
        chain.send("consent.revoke", revoke(scope="email"), author=FAN)
    chain.send("consent.revoke", revoke(), author=FAN)
    with refused(NO_CONSENT):
        chain.send("consent.revoke", revoke(), author=FAN)


def test_reads_names_the_consent() -> None:
    key = consent_key(FAN.address, FRIEND.address, PERSONALISE, "")
    assert CONSENT_GRANT.reads(FAN.address, grant()) == (key,)
    assert CONSENT_REVOKE.reads(FAN.address, revoke()) == (key,)
