"""Revocations of consents among what waits: they come first, whatever they pay, and who follows them hears of each once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PUBLISH, consent_key
from ledger.errors import RuleViolation
from ledger.transaction import Prepaid, Transaction
from ledger.types import Amount, Timestamp, TxId
from node.mempool import withdrawal
from node.mempool.policy import MempoolLimits
from node.mempool.pool import Mempool
from node.mempool.withdrawal import granted_consent, put_first, revoked_consent
from tests.node.stored_chain import StoredScenario
from tests.support.memory_chain import Signer, sim_params
from tests.support.shop import FAN, FRIEND, STRANGER

pytestmark = pytest.mark.usefixtures("database")
PARAMS = sim_params(FAN.address, FRIEND.address, STRANGER.address, validity_blocks_max=5)
WHOM = b"w" * 32


class Desk:
    """A pool, a scenario that signs for it, and all that a follower heard."""

    def __init__(self, path: Path) -> None:
        self.scenario = StoredScenario(path, params=PARAMS)
        self.heard: list[TxId] = []
        self.pool.follow_consents(lambda transaction: self.heard.append(transaction.txid))

    @property
    def pool(self) -> Mempool:
        return self.scenario.store.pool

    def grant(self, scope: str = "", fan: Signer = FAN) -> Transaction:
        return self.scenario.sign("consent.grant", ConsentGrant(WHOM, PUBLISH, scope, Timestamp(0)), author=fan)

    def revoke(self, scope: str = "", fan: Signer = FAN) -> Transaction:
        return self.scenario.sign("consent.revoke", ConsentRevoke(WHOM, PUBLISH, scope), author=fan, payment=Prepaid())

    def pay(self, author: Signer = FRIEND) -> Transaction:
        return self.scenario.sign("transfer", Transfer(ToAccount(STRANGER.address), Amount(5_000)), author=author)

    def submit(self, *transactions: Transaction) -> list[TxId]:
        """Let them wait; their ids."""
        return [self.pool.submit(transaction.raw).txid for transaction in transactions]

    def order(self, weight_max: int = PARAMS.block_weight_max) -> list[TxId]:
        """What a block would try."""
        return [transaction.txid for transaction in self.pool.select(weight_max)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path / "chain.sqlite")
    yield found
    found.scenario.store.close()


def test_the_consent_that_a_transaction_names(desk: Desk) -> None:
    key = consent_key(FAN.address, WHOM, PUBLISH, "mail")
    assert granted_consent(desk.grant("mail")) == revoked_consent(desk.revoke("mail")) == key
    assert granted_consent(desk.revoke()) is revoked_consent(desk.grant()) is None
    assert granted_consent(desk.pay()) is revoked_consent(desk.pay()) is None


def test_a_revocation_comes_before_what_came_earlier(desk: Desk) -> None:
    desk.scenario.block(desk.grant())
    first, second = desk.submit(desk.pay(), desk.pay(STRANGER))
    (revocation,) = desk.submit(desk.revoke())
    assert desk.order() == [revocation, first, second]
    transactions = desk.pool.transactions()
    assert [transaction.txid for transaction in transactions] == [first, second, revocation]


def test_it_comes_after_a_grant_that_waits_itself(desk: Desk) -> None:
    sent = desk.submit(desk.pay(), desk.grant(), desk.revoke())
    assert desk.order() == sent


def test_only_the_first_of_one_consent_goes_ahead(desk: Desk) -> None:
    desk.scenario.block(desk.grant())
    paid, first, again, second = desk.submit(desk.pay(), desk.revoke(), desk.grant(), desk.revoke())
    assert desk.order() == [first, paid, again, second]


def test_a_full_block_takes_it_whatever_it_pays(desk: Desk) -> None:
    desk.scenario.block(desk.grant())
    desk.submit(desk.pay(), desk.pay(STRANGER), desk.pay())
    (revocation,) = desk.submit(desk.revoke())
    weight = max(transaction.weight for transaction in desk.pool.transactions())
    assert desk.order(4 * weight)[0] == revocation
    assert sum(tx.weight for tx in desk.pool.select(4 * weight)) <= 4 * weight


def test_they_take_a_quarter_of_a_block_at_most(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scopes = ("a", "b", "c")
    desk.scenario.block(*(desk.grant(scope) for scope in scopes))
    (paid,) = desk.submit(desk.pay())
    revocations = desk.submit(*(desk.revoke(scope) for scope in scopes))
    weights = [transaction.weight for transaction in desk.pool.transactions()]
    room = (weights[1] + weights[2]) * withdrawal.FIRST_WEIGHT_SHARE
    places = list(desk.pool._waiting.values())
    first, rest = put_first(places, desk.scenario.store.chain.state, room)
    assert [place.transaction.txid for place in first] == revocations[:2]
    assert [place.transaction.txid for place in rest] == [paid, revocations[2]]


def test_who_follows_hears_of_what_is_new_and_signed(desk: Desk) -> None:
    grant = desk.grant()
    desk.submit(grant, grant, desk.pay())
    revocation = desk.revoke()
    desk.submit(revocation, revocation)
    assert desk.heard == [grant.txid, revocation.txid]
    with pytest.raises(RuleViolation):
        desk.pool.submit(desk.revoke().raw)
    with pytest.raises(RuleViolation):
        desk.pool.submit(desk.revoke("unknown").raw)
    forged = revocation.raw[:-1] + bytes([revocation.raw[-1] ^ 1])
    with pytest.raises(RuleViolation):
        desk.pool.submit(forged)
    assert desk.heard == [grant.txid, revocation.txid]


def test_who_follows_hears_of_a_revocation_for_which_there_is_no_room(desk: Desk) -> None:
    desk.scenario.block(desk.grant())
    revocation = desk.revoke()
    desk.pool._limits = MempoolLimits(author_count_max=0)
    result = desk.pool.submit_batch([revocation.raw, desk.grant("other").raw])
    assert [fault.code.name for fault in result if not isinstance(fault, Transaction)] == ["mempool.author_limit"] * 2
    assert desk.heard == [revocation.txid]
