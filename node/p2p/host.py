"""The node that the network code belongs to: what it may ask of it, and what it hears from it.

Everything happens in the thread that calls, with the node's lock held. What other threads do to the node (the miner, the API)
is noted here and taken up by the network code in its own thread.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ledger.block import Block
from ledger.errors import LedgerError
from ledger.finality.votes import Checkpoint
from ledger.header import HEADER_BYTES
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import BlockHash, ChainId, Height, TxId, WtxId
from node.attest.desk import Landmarks, VoteDesk
from node.chain import Chain
from node.clock import Clock
from node.decoding import NOTHING_AHEAD, Ahead
from node.errors import NodeError
from node.health import Health
from node.mempool.pool import Mempool
from node.node import Node
from node.other_law import OtherLaw
from node.p2p.connection import Remembered
from node.p2p.messages import HEADERS_PER_ANSWER, LOCATOR_HASHES_MAX
from node.store.beginning import Beginning
from node.store.blocks import KnownHeader
from node.store.extent import Extent
from node.tip import ConnectedBlock, TipChanged
from node.waiting import WaitingBlocks

LOCATOR_ROW = 10
"""Hashes of a locator before its steps double."""
OFF_FINAL_REMEMBERED = 4_096
"""Blocks that are known to lie on a branch without the last final one: what stands on them does so, too."""
ARRIVALS_MAX = 50_000
"""Transactions that wait to be told to others; what is more is told when a peer connects."""


@dataclass(frozen=True, slots=True)
class TipNews:
    """The active chain changed: the blocks that joined it, lowest first; what they confirmed, and what was taken back."""

    connected: tuple[BlockHash, ...]
    confirmed: tuple[WtxId, ...]
    taken_back: tuple[WtxId, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a block that was taken in. `fault` None: it is in the store, or was there."""

    hash: BlockHash
    fault: LedgerError | None


NO_LANDMARKS = Landmarks()


class Host:
    """What the network code sees of its node."""

    def __init__(
        self,
        chain: Chain,
        mempool: Mempool,
        waiting: WaitingBlocks,
        clock: Clock,
        lock: threading.RLock,
        health: Health,
        desk: VoteDesk | None = None,
        other_law: OtherLaw | None = None,
    ) -> None:
        self.chain = chain
        self.clock = clock
        self.lock = lock
        self.other_law = other_law or OtherLaw(lambda: chain.tip)
        self._mempool = mempool
        self._waiting = waiting
        self._health = health
        self.finality: VoteDesk | None = desk
        self._off_final: Remembered[BlockHash] = Remembered(OFF_FINAL_REMEMBERED)
        self._news: deque[TipNews] = deque()
        self._arrivals: deque[Transaction] = deque(maxlen=ARRIVALS_MAX)
        with lock:
            chain.subscribe(self._note_change)
            mempool.follow_arrivals(self._arrivals.append)

    @staticmethod
    def of_node(node: Node) -> "Host":
        """Of an open node."""
        return Host(
            node.chain,
            node.mempool,
            node.waiting,
            node.clock,
            node.lock,
            node.health,
            node.desk,
            node.other_law,
        )

    @property
    def params(self) -> Params:
        """The chain's params."""
        return self.chain.params

    @property
    def chain_id(self) -> ChainId:
        """The chain's id."""
        return self.chain.chain_id

    @property
    def tip(self) -> KnownHeader:
        """The last block."""
        return self.chain.tip

    # --- what the store holds ---

    @property
    def extent(self) -> Extent:
        """What the store holds of the chain."""
        return self.chain.extent

    def change_store(self, change: Callable[[Connection], Extent]) -> None:
        """Write what is no block. Raises `NodeError`."""
        with self.lock, self._health.writing():
            self.chain.change_store(change)

    def begin_with(self, beginning: Beginning) -> None:
        """Let the chain begin with a snapshot. Raises `NodeError`."""
        with self.lock, self._health.writing():
            self.chain.begin_with(beginning)

    def is_out_of_reach(self, branch: Sequence[KnownHeader]) -> bool:
        """Whether a branch leaves the chain below what the store leads back to; the operator is told."""
        with self.lock:
            return not self.chain.reach.includes(self.extent, branch[-1], branch[0].header.previous)

    def note_invalid(self, fault: NodeError) -> None:
        """What this node stands on is not valid: it is to stop."""
        self._health.note_fatal(fault)

    def _note_change(self, changed: TipChanged) -> None:
        connected = tuple(block.hash for block in changed.connected)
        self._news.append(TipNews(connected, _wtxids_of(changed.connected), _wtxids_of(changed.disconnected)))

    def news(self) -> Iterable[TipNews]:
        """What changed since this was asked last."""
        while self._news:
            yield self._news.popleft()

    def arrivals(self) -> Iterable[Transaction]:
        """What the mempool took in since this was asked last."""
        while self._arrivals:
            yield self._arrivals.popleft()

    # --- finality ---

    def landmarks(self) -> Landmarks:
        """What is final and justified, as far as this node knows."""
        return NO_LANDMARKS if self.finality is None else self.finality.landmarks()

    def leaves_final(self, known: KnownHeader) -> bool:
        """Whether a block of the store, no lower than the last final checkpoint, is of a branch without it."""
        if self.finality is None:
            return False
        if known.hash not in self._off_final:
            is_off = known.header.previous in self._off_final
            if not is_off and not self.finality.leaves_final(Checkpoint(known.height, known.hash)):
                return False
            self._off_final.add(known.hash)
        return True

    # --- headers ---

    def header(self, block_hash: BlockHash) -> KnownHeader | None:
        """The header of a block that is here, active or not."""
        with self.lock:
            return self.chain.blocks.header(block_hash)

    def hash_at(self, height: Height) -> BlockHash | None:
        """The active block at a height."""
        with self.lock:
            return self.chain.blocks.active_hash(height)

    def locator(self, ahead: Sequence[BlockHash], base: Height) -> tuple[BlockHash, ...]:
        """A locator of `ahead`, headers in a row whose bodies are not here, lowest first, above the active chain up to `base`.

        It begins one below the end, so that who has the same chain answers with its last header, and shows thereby that it has it.
        """
        found: list[BlockHash] = []
        height, step = base + len(ahead) - 1, 1
        with self.lock:
            while height > 0 and len(found) < LOCATOR_HASHES_MAX - 1:
                above = height - base
                block_hash = ahead[above - 1] if above > 0 else self.chain.blocks.active_hash(Height(height))
                if block_hash is not None:
                    found.append(block_hash)
                if len(found) >= LOCATOR_ROW:
                    step *= 2
                height -= step
        return (*found, BlockHash(self.chain_id))

    def headers_after(self, locator: Sequence[BlockHash]) -> bytes:
        """The answer to a locator (spec NET-7)."""
        with self.lock:
            heights = (self.chain.height_of(block_hash) for block_hash in locator)
            fork = next((height for height in heights if height is not None), Height(0))
            return self.chain.blocks.raw_headers(Height(fork + 1), HEADERS_PER_ANSWER)

    # --- blocks ---

    def raw_block(self, block_hash: BlockHash) -> bytes | None:
        """A block's bytes, if it is here and nothing speaks against it."""
        with self.lock:
            known = self.chain.blocks.header(block_hash)
            return None if known is None or known.invalid_code else self.chain.blocks.raw_body(block_hash)

    def block(self, block_hash: BlockHash) -> Block | None:
        """A block, if it is here and nothing speaks against it."""
        raw = self.raw_block(block_hash)
        return None if raw is None else Block.decode(raw)

    def take_in(
        self,
        blocks: Sequence[Block],
        ahead_of: Callable[[BlockHash], Ahead] = lambda _: NOTHING_AHEAD,
        go_on: Callable[[], bool] = lambda: True,
    ) -> list[Taken]:
        """Give the chain blocks in a row, with one commit for many of them; the outcome of each up to the first that is refused.

        `ahead_of`: what was done for a block already. `go_on`: asked after each whether there is time for another.
        Raises `NodeError` where this node failed; then those that it had taken may not be here.
        """
        found: list[Taken] = []
        with self.lock, self._health.writing():
            if len(blocks) == 1:
                return [self._offer(blocks[0], ahead_of(blocks[0].hash))]
            with self.chain.syncing():
                for block in blocks:
                    found.append(self._offer(block, ahead_of(block.hash)))
                    if found[-1].fault is not None or not go_on():
                        break
        return found

    def _offer(self, block: Block, ahead: Ahead) -> Taken:
        try:
            self._waiting.offer(block, ahead)
        except NodeError:
            raise
        except LedgerError as fault:
            return Taken(block.hash, fault)
        return Taken(block.hash, None)

    # --- transactions ---

    def submit(self, raws: Sequence[bytes]) -> list[Transaction | LedgerError]:
        """Take in transactions; one result each. Raises `NodeError` where this node failed."""
        with self.lock, self._health.writing():
            return self._mempool.submit_batch(raws)

    def waiting_transactions(self) -> list[Transaction]:
        """All that waits, in order of arrival."""
        with self.lock:
            return self._mempool.transactions()

    def waiting_transaction(self, txid: TxId) -> Transaction | None:
        """One that waits."""
        with self.lock:
            return self._mempool.get(txid)


def _wtxids_of(blocks: Iterable[ConnectedBlock]) -> tuple[WtxId, ...]:
    return tuple(transaction.wtxid for block in blocks for transaction in block.transactions)


def header_count(raw: bytes) -> int:
    """How many headers some bytes are."""
    return len(raw) // HEADER_BYTES
