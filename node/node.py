"""One node: store, chain, mempool and miner behind one lock, opened and closed as a whole."""

import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from ledger.block import Block
from ledger.errors import LedgerError
from ledger.finality.votes import Checkpoint
from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import Address
from node.attest.desk import open_desk
from node.behind import Behind
from node.chain import Chain
from node.clock import Clock, SystemClock
from node.health import Health
from node.mempool.policy import MempoolLimits
from node.mempool.pool import DryRun, Mempool
from node.mempool.returning import read_stale
from node.mining.miner import Miner
from node.other_law import OtherLaw
from node.snapshots import Snapshots
from node.stall import SilenceWatch, StallWatch
from node.store.engine import StoreLock, faults_explained, folder_of_database, open_engine
from node.store.migrate import migrate
from node.store.reader import Reader
from node.tip_log import TipLog
from node.waiting import Offered, Released, WaitingBlocks, WaitingLimits

if TYPE_CHECKING:
    from node.stratum.server import StratumServer


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """How to run a node. `database_url` None: an SQLite file in the data folder; it may hold a password, so it is not shown.

    `keep_blocks`: how many blocks it can take back; older ones are pruned. None: all are kept.
    """

    data_dir: Path
    params: Params
    database_url: str | None = field(default=None, repr=False)
    limits: MempoolLimits = field(default_factory=MempoolLimits)
    waiting_limits: WaitingLimits = field(default_factory=WaitingLimits)
    keep_blocks: int | None = None
    trusted: Checkpoint | None = None


class Node:
    """An open node. `lock` is held around every use of `chain`, `mempool` and `waiting`; `reader` needs no lock.

    `payout` is whom getblocktemplate pays where nobody else is named.
    """

    def __init__(
        self,
        config: NodeConfig,
        clock: Clock | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.lock = threading.RLock()
        self.health = Health()
        self.miner: Miner | None = None
        self.stratum: StratumServer | None = None
        self.payout: Address | None = None
        url = config.database_url or f"sqlite:///{config.data_dir / 'chain.sqlite'}"
        with ExitStack() as undone_on_failure, faults_explained(url):
            self._locks = undone_on_failure.enter_context(ExitStack())
            for folder in dict.fromkeys([config.data_dir.resolve(), *folder_of_database(url)]):
                self._locks.callback(StoreLock(folder).release)
            self._engine: Engine = open_engine(url)
            undone_on_failure.callback(self._engine.dispose)
            migrate(self._engine)
            tie_key = TieKey(random_bytes(32))
            self.chain = Chain(self._engine, config.params, self.clock, tie_key, config.keep_blocks, config.trusted)
            undone_on_failure.callback(self.chain.close)
            self.chain.extent.check()
            self.behind = Behind()
            self.health.ask_also(lambda: self.chain.reach.find_missed(self.chain.tip))
            self._url = url
            self.mempool = Mempool(self.chain, config.limits)
            self.mempool.put_back(read_stale(self.chain))
            self.waiting = WaitingBlocks(self.chain, self.clock, config.waiting_limits)
            self.stall = StallWatch(self.chain, self.clock)
            self.silence = SilenceWatch(self.chain)
            self.desk = open_desk(self.chain, self.lock, self.clock)
            TipLog(self.chain)
            self.other_law = OtherLaw(lambda: self.chain.tip)
            self.reader = Reader(open_engine(url, read_only=True))
            self.snapshots = Snapshots(self.chain, self.lock, open_engine(url, read_only=True))
            undone_on_failure.pop_all()

    def open_for_reading(self) -> Engine:
        """Another engine of the store, for whoever reads much of it at once; the caller disposes of it."""
        return open_engine(self._url, read_only=True)

    def start_miner(self, payout: Address, workers: int) -> Miner:
        """Make the embedded miner; its `start` lets it run by itself."""
        assert self.miner is None, "a node has one miner"
        self.miner = Miner(
            chain=self.chain,
            mempool=self.mempool,
            clock=self.clock,
            lock=self.lock,
            health=self.health,
            behind=self.behind,
            payout=payout,
            workers=workers,
        )
        return self.miner

    def submit_batch(self, batch: Sequence[bytes]) -> list[Transaction | LedgerError]:
        """Take in transactions from outside; one result each. Raises `node.broken`."""
        with self.lock, self.health.writing():
            return self.mempool.submit_batch(batch)

    def accept_block(self, block: Block) -> Offered:
        """Take in a block from outside, and those that waited for it; one that came too early waits.

        Raises `Malformed` or a `Violation` that speaks against the block, `block.body_mismatch` against this copy of it only, and
        `NodeError` where this node failed.
        """
        with self.lock:
            return self.waiting.offer(block)

    def poll_waiting(self) -> tuple[Released, ...]:
        """Take in the blocks whose time has come; look whether blocks come, and become final. To be called every second or so."""
        self.stall.look()
        self.silence.look()
        with self.lock:
            return self.waiting.poll()

    def dry_run(self, raw: bytes) -> DryRun:
        """What a transaction would do in the next block. Raises `Malformed`, `RuleViolation` or `node.broken`."""
        with self.lock, self.health.writing():
            return self.mempool.dry_run(raw)

    def close(self) -> None:
        """Stop everything in order; what was committed is safe. Harmless a second time."""
        if self.stratum is not None:
            self.stratum.close()
        if self.miner is not None:
            self.miner.close()
        with self.lock:
            self.chain.close()
        self.snapshots.close()
        self.reader.close()
        self._engine.dispose()
        self._locks.close()
