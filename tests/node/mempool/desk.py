"""A pool at work, for tests: who pays what, what waits, and whether the pool's own counts are right."""

from pathlib import Path
from typing import Any

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Code
from ledger.transaction import OwnFee, Transaction
from ledger.types import Amount, TxId
from node.mempool.policy import MempoolLimits
from node.mempool.pool import Mempool
from tests.node.stored_chain import StoredChain, StoredScenario
from tests.support.memory_chain import Signer, sim_params
from tests.support.shop import FAN, FRIEND, STRANGER

PARAMS = sim_params(FAN.address, FRIEND.address, STRANGER.address, validity_blocks_max=5)
RICH = (FAN, FRIEND, STRANGER)
NOBODY = Signer.named("nobody")


class Desk:
    """A pool on a stored chain, and a scenario that signs for it and mines what it is told."""

    def __init__(self, path: Path) -> None:
        self.scenario = StoredScenario(path, params=PARAMS)

    @property
    def store(self) -> StoredChain:
        return self.scenario.store

    @property
    def pool(self) -> Mempool:
        return self.store.pool

    def limit(self, **limits: int) -> None:
        """Other limits for the pool."""
        self.store.close()
        self.store.limits = MempoolLimits(**limits)
        self.store.open()

    def pay(self, author: Signer, to: Signer, amount: int = 5_000, *, rate: float = 2, **body: Any) -> Transaction:
        """A transfer that pays `rate` coin a weight unit."""
        payload = Transfer(ToAccount(to.address), Amount(amount))
        exact = self.scenario.sign("transfer", payload, author=author, **body)
        salt = body.pop("salt", exact.body.salt)
        payment = OwnFee(Amount(round(exact.weight * rate)))
        return self.scenario.sign("transfer", payload, author=author, payment=payment, salt=salt, **body)

    def put(self, *transactions: Transaction) -> None:
        for transaction in transactions:
            assert self.pool.submit(transaction.raw).txid == transaction.txid

    @property
    def waiting(self) -> list[TxId]:
        return [transaction.txid for transaction in self.pool.select(10**9)]


def code(name: str) -> Code:
    """A code of the ledger by its name."""
    return Code.catalogue[name]


def txids(*transactions: Transaction) -> list[TxId]:
    return [transaction.txid for transaction in transactions]


def assert_consistent(pool: Mempool) -> None:
    """The counts that the pool keeps are those of what waits."""
    waiting = [place.transaction for place in pool._waiting.values()]
    assert pool.weight == sum(tx.weight for tx in waiting)
    assert pool._by_once_key == {tx.once_key: tx.txid for tx in waiting}
    authors = [tx.author for tx in waiting]
    assert pool._count_by_author == {author: authors.count(author) for author in authors}
    assert len(pool) == len(waiting)
