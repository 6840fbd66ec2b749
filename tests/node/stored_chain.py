"""A chain on a store of its own, driven block by block, beside the same chain in memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from ledger.block import Block
from ledger.errors import BlockViolation
from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.reward import Payee
from ledger.transaction import Transaction, decode_transaction
from ledger.types import Address, Amount, BlockHash, Timestamp
from node.chain import UNKNOWN_PARENT, Chain
from node.clock import ManualClock
from node.mempool.policy import MempoolLimits
from node.mempool.pool import Mempool
from node.mining.engine import search_range
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.store.engine import open_engine
from node.store.migrate import migrate
from node.store.tables import active, history, listing, records, transactions, undo
from node.tip import AcceptedBlock
from tests.support.memory_chain import MinedBlock, Scenario, Signer
from tests.support.shop import FUNDED, OWNER, POOL, TILL, Shop
from tests.support.stores import store_url

TIE_KEY = TieKey(b"t" * 32)
MINER = Signer.named("miner").address
"""Who is paid by every block of `Scenario`, in memory and here."""
DERIVED = (active, history, listing, records, transactions, undo)
"""What the active chain alone decides; `headers` and `bodies` hold side branches too."""

Rows = dict[str, list[tuple[Any, ...]]]


def read_tables(engine: Engine) -> Rows:
    """Every row that follows from the active chain, in the order of primary keys."""
    with engine.connect() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).all()
            ]
            for table in DERIVED
        }


class StoredChain:
    """A `Chain` with its mempool on the store `path`; `tests/support/stores.py` says where. The clock follows its blocks."""

    def __init__(
        self, path: Path, params: Params, *, tie_key: TieKey = TIE_KEY, limits: MempoolLimits | None = None
    ) -> None:
        self.path = path
        self.url = store_url(path)
        self.params = params
        self.tie_key = tie_key
        self.limits = limits or MempoolLimits()
        self.clock = ManualClock(params.genesis_time)
        self.open()

    def open(self) -> None:
        """Open the file; a new one gets its tables and genesis."""
        self.engine = open_engine(self.url)
        # On PostgreSQL the writer's engine has one connection, which the chain keeps.
        self.reading = self.engine if self.engine.dialect.name == "sqlite" else open_engine(self.url, read_only=True)
        migrate(self.engine)
        self.chain = Chain(self.engine, self.params, self.clock, self.tie_key)
        # Waiting for the disk is half of a small block's time, and only a power cut could tell the difference.
        if self.engine.dialect.name == "sqlite":
            self.chain._connection.exec_driver_sql("PRAGMA synchronous=OFF")
        self.pool = Mempool(self.chain, self.limits)

    def close(self) -> None:
        """Let the file go."""
        self.chain.close()
        self.engine.dispose()
        self.reading.dispose()

    def restart(self) -> None:
        """Close and open again; what waited is gone, as when a node stops."""
        self.close()
        self.open()

    @property
    def tables(self) -> Rows:
        """See `read_tables`."""
        return read_tables(self.reading)

    def build(self, *transactions: Transaction, time: int | None = None, miner: Address = MINER) -> Block:
        """A worked block on the tip that holds all of these."""
        moment = Timestamp(self.chain.tip.header.time + 60 if time is None else time)
        template = self.chain.build_template(transactions, pay_all_to(miner), moment)
        assert not template.dropped, str(template.dropped[0][1])
        nonce = search_range(struct_prefix(template), template.target, 0, 10_000)
        assert nonce is not None, "the work of a simulated chain is trivial"
        return with_nonce(template, nonce)

    def take(self, block: Block) -> AcceptedBlock:
        """Accept a block, at the time at which it was made or later."""
        self.clock.set(max(self.clock.now(), block.header.time))
        return self.chain.accept_block(block)

    def take_all(self, blocks: Iterable[Block]) -> None:
        """Accept blocks in whatever order they come; one whose parent is missing waits until the others are done."""
        left = list(blocks)
        while left:
            waiting: list[Block] = []
            for block in left:
                try:
                    self.take(block)
                except BlockViolation as fault:
                    if fault.code is not UNKNOWN_PARENT:
                        raise
                    waiting.append(block)
            assert len(waiting) < len(left), "a parent is missing for good"
            left = waiting

    def mine(self, *transactions: Transaction, time: int | None = None) -> Block:
        """Build and accept."""
        block = self.build(*transactions, time=time)
        assert self.take(block).is_tip
        return block

    def mine_pool(self) -> Block:
        """Build from what waits, and accept."""
        return self.mine(*self.pool.select(self.params.block_weight_max))


class StoredScenario(Scenario):
    """A scenario whose every block is also built, worked and accepted by a `Chain`; both must find the same root."""

    def __init__(self, path: Path, *funded: Signer, params: Params | None = None) -> None:
        super().__init__(*funded, params=params)
        self.store = StoredChain(path, self.params)
        self.blocks: list[Block] = []

    def block(self, *transactions: Transaction, time: int | None = None) -> MinedBlock:
        mined = super().block(*transactions, time=time)
        block = self.store.mine(*transactions, time=mined.time)
        assert self.store.chain.state_root == mined.root, "the store's root is not the one in memory"
        assert block.results == mined.transition.codes
        self.blocks.append(block)
        return mined

    def follow(self, blocks: Iterable[Block]) -> None:
        """Do the blocks of another scenario."""
        for block in blocks:
            decoded = [decode_transaction(raw, self.chain_id) for raw in block.transactions]
            mined = super().block(*decoded, time=block.header.time)
            self.store.take(block)
            assert self.store.chain.state_root == mined.root
            self.blocks.append(block)


class StoredShop(Shop):
    """A shop on a `StoredScenario`."""

    chain: StoredScenario

    def __init__(self, path: Path, *, params: Params | None = None, **terms: Any) -> None:
        self.chain = StoredScenario(path, *FUNDED, params=params)
        self.program = self.create_program(OWNER, **terms)
        self.fill_pool(POOL)
        self.grant(TILL)

    @property
    def store(self) -> StoredChain:
        """The chain on disk."""
        return self.chain.store

    def fork(self, path: Path, *, below: int = 0) -> "StoredShop":
        """The same shop on a store of its own, `below` blocks lower; what is done to it from now on is another branch."""
        other = object.__new__(StoredShop)
        other.chain = StoredScenario(path, *FUNDED, params=self.chain.params)
        other.program = self.program
        other.chain.follow(self.chain.blocks[: len(self.chain.blocks) - below])
        # Salts count up: another branch must not sign the very same transactions.
        other.chain._salt = self.chain._salt + 1_000_000 * (below + 1)
        return other

    def close(self) -> None:
        """Let the file go."""
        self.store.close()


def replay(path: Path, params: Params, blocks: Iterable[Block]) -> StoredChain:
    """A fresh store that has seen these blocks only, in their order."""
    fresh = StoredChain(path, params)
    for block in blocks:
        assert fresh.take(block).is_tip
    return fresh


def chain_of(tip: BlockHash, blocks: Iterable[Block]) -> list[Block]:
    """The blocks from the first after genesis to `tip`."""
    by_hash = {block.hash: block for block in blocks}
    found: list[Block] = []
    while tip in by_hash:
        found.append(by_hash[tip])
        tip = by_hash[tip].header.previous
    return found[::-1]


def only(*payees: Payee) -> Any:
    """Payees that a template takes, whatever the reward is."""

    def payees_of(_: Amount) -> tuple[Payee, ...]:
        return payees

    return payees_of
