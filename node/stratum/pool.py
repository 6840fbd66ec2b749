"""The pool between the chain and its miners: makes jobs, takes blocks that were found, keeps the account (spec MINE-4, MINE-6).

`build` and `submit` take the node's lock; `follow` is called by the chain with the lock held. What the server's thread calls
(`count`, `flush_later`) never waits for the node.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from ledger.difficulty import next_bits
from ledger.errors import LedgerError
from ledger.pow import target_from_compact, work_of
from ledger.reward import Payee
from ledger.types import Address, Amount, BlockHash, Timestamp
from node.errors import NodeError
from node.stratum.book import MiningBook
from node.stratum.jobs import Job
from node.stratum.payout import WINDOW_BLOCKS, Window, share_reward
from node.stratum.session import Counted
from node.stratum.shares import PoolBlock, Share, ShareBook
from node.tip import AcceptedBlock, TipChanged
from node.waiting import WaitingBlock

if TYPE_CHECKING:
    from node.node import Node

log = structlog.get_logger()

UNWRITTEN_SHARES_MAX: Final = 100_000
"""Shares that wait for a disk that takes nothing; beyond, the oldest are counted but not listed."""


@dataclass(slots=True)
class Figures:
    """What an operator watches. Written by the server's thread and the pool's, read by any."""

    connections: int = 0
    workers: int = 0
    shares: int = 0
    blocks: int = 0
    late_blocks: int = 0
    dropped: int = 0
    refused: dict[int, int] = field(default_factory=dict)


class Pool:
    """One for each node whose Stratum port is open. `present` says whom open connections may pay."""

    def __init__(self, node: "Node", book: MiningBook) -> None:
        """Raises `NodeError` store.* where the book can't be read."""
        self._node = node
        self.book = book
        self.shares: ShareBook = book.load()
        self.figures = Figures()
        self.present: Collection[Address] = frozenset()
        self._on_new_tip: Callable[[BlockHash, Job | None], None] = lambda tip, job: None
        self._has_miners: Callable[[], bool] = lambda: False
        self._expected: dict[BlockHash, PoolBlock] = {}
        self._held: tuple[BlockHash, BlockHash] = (BlockHash(b""), BlockHash(b""))
        self._unwritten = threading.Lock()
        self._new_shares: list[Share] = []
        self._changed_blocks: list[PoolBlock] = []
        with node.lock:
            node.chain.subscribe(self.follow, first=True)

    def attach(self, *, on_new_tip: Callable[[BlockHash, Job | None], None], has_miners: Callable[[], bool]) -> None:
        """Whom to give the first job on each new tip; it is made only while somebody mines."""
        self._on_new_tip, self._has_miners = on_new_tip, has_miners

    # --- jobs ---

    def tip(self) -> BlockHash:
        """The tip's hash, at this moment."""
        with self._node.lock:
            return self._node.chain.tip.hash

    def window(self) -> Window:
        """The shares that would count for a block found now."""
        with self._node.lock:
            return self._window()

    def _window(self) -> Window:
        chain = self._node.chain
        target = target_from_compact(next_bits(chain.params.difficulty_eras, chain.tip.difficulty))
        return self.shares.window(WINDOW_BLOCKS * work_of(target), self.present)

    def payees(self, window: Window, reward: Amount) -> tuple[Payee, ...]:
        """Whom a block with these shares and this reward pays."""
        claims = {claim.address: claim.total for claim in window.claims}
        return share_reward(claims, reward, self._node.chain.params.account_minimum)

    def build(self, *, complete: bool) -> Job | None:
        """A job on the tip: with all that waits, or quickly without.

        None while nobody can be paid, or this node is behind its peers. Raises `NodeError`.
        """
        node = self._node
        if node.behind.find() is not None:
            return None
        with node.lock, node.health.writing():
            chain, now = node.chain, node.clock.now()
            time_min = Timestamp(chain.tip.header.time + 1)
            ahead_s_max = chain.params.future_limit_seconds(chain.next_context().height)
            window = self._window()
            if not window.claims:
                return None
            transactions = node.mempool.select(chain.params.block_weight_max) if complete else ()
            paid: list[tuple[Payee, ...]] = []

            def payees_of(reward: Amount) -> tuple[Payee, ...]:
                paid.append(self.payees(window, reward))
                return paid[0]

            template = chain.build_template(transactions, payees_of, now)
            return Job(template, window, paid[0], time_min, ahead_s_max, complete)

    def follow(self, changed: TipChanged) -> None:
        """A new tip: note what became of the pool's blocks, give the miners a first job. In the chain's thread, under the lock."""
        for block in changed.disconnected:
            known = self.shares.block(block.hash)
            if known is not None:
                self._put_block(replace(known, is_active=False))
        for block in changed.connected:
            known = self._expected.get(block.hash) or self.shares.block(block.hash)
            if known is not None:
                self._put_block(replace(known, is_active=True))
        job = None
        try:
            if self._has_miners():
                job = self.build(complete=False)
        finally:
            self._on_new_tip(self._node.chain.tip.hash, job)

    # --- what miners hand in ---

    def count(self, counted: Counted) -> None:
        """Count a share."""
        share = self.shares.add(
            time=self._node.clock.now(),
            address=counted.address,
            worker=counted.worker,
            weight=counted.weight,
            header=counted.header,
        )
        self.figures.shares += 1
        with self._unwritten:
            self._new_shares.append(share)
            del self._new_shares[:-UNWRITTEN_SHARES_MAX]

    def submit(self, counted: Counted) -> bool:
        """Give the chain a block that was found; False if another block was faster, or it is refused.

        Faster is also one for the same tip that waits for its time.
        """
        node, job = self._node, counted.job
        block = job.block(counted.solution)
        with node.lock, node.health.writing():
            assert block.hash == counted.hash, "the block is what the miner hashed"
            parent, held = self._held
            if node.chain.tip.hash != job.previous or (job.previous == parent and held in node.waiting):
                self.figures.late_blocks += 1
                return False
            found = PoolBlock(
                counted.hash, job.template.height, node.clock.now(), job.window, job.payees, is_active=False
            )
            self._expected[counted.hash] = found
            try:
                result = node.accept_block(block).result
                node.health.note_store(None)
            except LedgerError as fault:
                log.error(
                    "stratum.block_refused", code=fault.code.name, reason=str(fault), hash=counted.hash[::-1].hex()
                )
                node.health.note_store(fault if isinstance(fault, NodeError) else None)
                return False
            finally:
                del self._expected[counted.hash]
            is_tip = isinstance(result, AcceptedBlock) and result.is_tip
            if isinstance(result, WaitingBlock):
                self._held = job.previous, counted.hash
            if not is_tip:
                self._put_block(found)  # it may join the chain later: then its account is known
        self.figures.blocks += 1
        log.info(
            "stratum.block", height=found.height, hash=found.hash[::-1].hex(), worker=counted.worker, is_tip=is_tip
        )
        return True

    # --- the book ---

    def _put_block(self, block: PoolBlock) -> None:
        self.shares.put_block(block)
        with self._unwritten:
            self._changed_blocks.append(block)

    def flush(self) -> None:
        """Write what is new to the disk; what it does not take is tried again. One thread at a time."""
        with self._unwritten:
            new_shares, changed_blocks = self._new_shares, self._changed_blocks
            self._new_shares, self._changed_blocks = [], []
        if not new_shares and not changed_blocks:
            return
        try:
            self.book.write(new_shares, changed_blocks)
        except NodeError as fault:
            log.warning("stratum.book_unwritten", code=fault.code.name, reason=str(fault))
            with self._unwritten:
                self._new_shares[:0] = new_shares
                self._changed_blocks[:0] = changed_blocks
