"""The shop of the rules' tests, on a real node with its store: what the API and its clients are tested against."""

from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.kinds import Context
from ledger.params import Params
from ledger.state import RecordKey
from ledger.transaction import Transaction
from ledger.types import Address, Height, ProgramId, Timestamp, TxId
from node.clock import ManualClock
from node.node import Node
from tests.support.memory_chain import BLOCK_SECONDS, Scenario, Signer, sim_params
from tests.support.shop import FUNDED, OWNER, POOL, TILL, Shop
from tests.support.stores import node_config

MINER = Signer.named("miner")


class LiveChain(Scenario):
    """A `Scenario` whose blocks are mined by a node. Its clock is the chain's, unless a test moves it on."""

    def __init__(self, folder: Path, params: Params) -> None:
        super().__init__(params=params)
        self.clock = ManualClock(params.genesis_time)
        self.node = Node(node_config(folder, params), self.clock)
        self.miner_of_node = self.node.start_miner(Address(MINER.address), workers=0)
        self._last: Transaction | None = None

    @property
    def height(self) -> Height:
        """The height of the next block."""
        return self.node.chain.next_context().height

    @property
    def context(self) -> Context:
        """What the next block's rules will see."""
        return self.node.chain.next_context()

    @property
    def last_txid(self) -> TxId:
        """The id of the transaction that was mined last."""
        assert self._last is not None, "nothing was sent"
        return self._last.txid

    def record(self, key: RecordKey) -> Any:
        """The record under `key` at the tip, or None."""
        stored = self.node.chain.state.stored(key)
        return None if stored is None else stored.record

    def send(self, kind: str, payload: Any, *, author: Signer, **options: Any) -> tuple[str, ...]:
        """Sign, submit, mine; returns the result codes."""
        transaction = self.sign(kind, payload, author=author, **options)
        self.submit(transaction)
        self.mine_block()
        block = self.node.chain.block_at(self.node.chain.tip.height)
        assert block is not None and transaction.raw in block.transactions, "the transaction was not mined"
        return block.results[block.transactions.index(transaction.raw)]

    def submit(self, transaction: Transaction) -> None:
        """Put a transaction into the pool. Raises what the node says against it."""
        result = self.node.submit_batch([transaction.raw])[0]
        if isinstance(result, LedgerError):
            raise result
        self._last = transaction

    def mine_block(self, time: int | None = None) -> None:
        """Mine what waits."""
        header_time = Timestamp(self.time + BLOCK_SECONDS if time is None else time)
        self.clock.set(header_time)
        assert self.miner_of_node.mine_one(header_time) is not None, "a simulated block is found at once"
        self.time = header_time

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks a minute apart."""
        for _ in range(blocks):
            self.mine_block()

    def advance(self, *, days: int = 0, seconds: int = 0, blocks: int = 1) -> None:
        """Move the chain's clock on by empty blocks."""
        target = self.time + days * 86_400 + seconds
        for left in range(blocks - 1, -1, -1):
            self.mine_block(max(self.time + 1, target - left))


class LiveShop(Shop):
    """`OWNER`'s program with `TILL` as its issuer, on a node."""

    chain: LiveChain

    def __init__(self, folder: Path, *, params: Params | None = None, pool: int = POOL, **terms: Any) -> None:
        self.chain = LiveChain(folder, params or sim_params(*(signer.address for signer in FUNDED)))
        self.program: ProgramId = self.create_program(OWNER, **terms)
        self.fill_pool(pool)
        self.grant(TILL)

    @property
    def node(self) -> Node:
        """The node."""
        return self.chain.node

    def close(self) -> None:
        """Close the node."""
        self.node.close()
