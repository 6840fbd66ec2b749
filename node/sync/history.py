"""The history behind a snapshot: every block from genesis is fetched and done again, while the node goes on (spec NET-19).

What is found good is taken over into the store, the newest blocks first. A block that breaks a rule means that the snapshot's
state came about against the rules: the node stops.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection as SqlConnection

from ledger.block import BODY_MISMATCH, Block
from ledger.errors import LedgerError
from ledger.types import BlockHash, Height
from node.errors import NodeError
from node.history_store import HistoryStore
from node.p2p.connection import Connection
from node.p2p.host import Host
from node.p2p.messages import BLOCKS_PER_REQUEST, GetBlocks
from node.p2p.scores import GRAVE
from node.store.adoption import adopt_finality, adopt_rows
from node.store.extent import HISTORY_INVALID, Extent, write_extent
from node.sync.parcels import Parcels

log = structlog.get_logger()

BLOCKS_AHEAD = 64
AHEAD_BYTES_MAX = 33_554_432
"""Blocks that wait for their turn: two of the largest."""
TAKEN_AT_ONCE = 16
TAKEN_SECONDS = 0.2
"""Work on old blocks before the network has its turn again."""
RETRY_SECONDS = 10

Blame = Callable[[Connection, int, str], None]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A block that waits for its turn, and who sent it."""

    block: Block
    bytes: int
    sender: Connection


class HistorySync:
    """Verifies what led to the snapshot with which the chain began, then takes its rows over. Idle where there was none."""

    def __init__(
        self,
        host: Host,
        open_store: Callable[[], HistoryStore] | None,
        seconds: Callable[[], float],
        blame: Blame,
        *,
        with_bodies: bool,
    ) -> None:
        self._host, self._open_store, self._seconds, self._blame = host, open_store, seconds, blame
        self._with_bodies = with_bodies
        self._store: HistoryStore | None = None
        self._parcels: Parcels[BlockHash] = Parcels(seconds, BLOCKS_PER_REQUEST)
        self._arrived: dict[BlockHash, Arrived] = {}
        self._arrived_bytes = 0
        self._wanted_to = Height(0)
        self._failed_until = 0.0
        self._peers: dict[Connection, None] = {}

    def add(self, peer: Connection) -> None:
        """A peer is ready; one that has pruned its blocks is not asked for old ones."""
        if peer.hello.blocks_from <= 1:
            self._peers[peer] = None
            self._parcels.add(peer)

    def remove(self, peer: Connection) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)
        self._parcels.remove(peer)

    @property
    def is_busy(self) -> bool:
        """Whether something is to be done."""
        extent = self._host.extent
        return self._open_store is not None and bool(extent.snapshot or extent.history_from) and not extent.invalid

    @property
    def progress(self) -> str:
        """What it does, for people."""
        extent = self._host.extent
        if extent.snapshot:
            done = 0 if self._store is None else self._store.chain.tip.height
            lacking = "" if self._peers else ", and no peer that has all blocks"
            return f"{done} of {extent.snapshot} blocks verified{lacking}"
        if extent.history_from:
            return f"verified; events before block {extent.history_from} are being taken over"
        return "verified"

    # --- fetching ---

    def plan(self, *, is_held: bool) -> None:
        """Ask for what comes next; not while newer blocks are fetched."""
        if is_held or not self.is_busy or not self._host.extent.snapshot or self._seconds() < self._failed_until:
            return
        chain = self._opened().chain
        last = min(chain.tip.height + BLOCKS_AHEAD, self._host.extent.snapshot)
        first = max(self._wanted_to, chain.tip.height) + 1
        found = (self._host.hash_at(Height(height)) for height in range(first, last + 1))
        self._parcels.want(known for known in found if known is not None and known not in self._arrived)
        self._wanted_to = Height(max(last, self._wanted_to))
        window = BLOCKS_AHEAD if self._arrived_bytes < AHEAD_BYTES_MAX else 1
        for peer, hashes in self._parcels.choose(window).items():
            peer.send(GetBlocks(tuple(hashes)))

    def _opened(self) -> HistoryStore:
        if self._store is None:
            assert self._open_store is not None, "there is something to do"
            self._store = self._open_store()
            self._wanted_to = Height(0)
        return self._store

    def wants(self, block_hash: BlockHash) -> bool:
        """Whether a body is for the history."""
        return block_hash in self._parcels

    def receive_block(self, peer: Connection, block: Block, size: int) -> None:
        """An old block came."""
        block_hash = block.hash
        if self._parcels.is_asked_of(peer, block_hash):
            self._parcels.settle(peer, block_hash)
            self._arrived[block_hash] = Arrived(block, size, peer)
            self._arrived_bytes += size

    def receive_missing(self, peer: Connection, block_hashes: list[BlockHash]) -> None:
        """A peer does not have old blocks."""
        for block_hash in block_hashes:
            self._parcels.note_lacking(peer, block_hash)

    def tick(self) -> list[Connection]:
        """Pass over who stalls; those who are to be left, since others do answer."""
        late = self._parcels.pass_over_late()
        return late if len(self._peers) > len(late) else []

    # --- doing again ---

    def work(self) -> bool:
        """Do some blocks again, or take some rows over; whether anything was done. Raises `NodeError` where this node failed."""
        if not self.is_busy or self._seconds() < self._failed_until:
            return False
        try:
            if self._host.extent.snapshot:
                return self._verify()
            return self._take_over()
        except NodeError:
            self._wanted_to = Height(0)  # what was taken and not committed is asked for again
            self._failed_until = self._seconds() + RETRY_SECONDS
            raise

    def _next_hash(self, height: int) -> BlockHash | None:
        return self._host.hash_at(Height(height)) if height <= self._host.extent.snapshot else None

    def _verify(self) -> bool:
        chain = self._opened().chain
        began = self._seconds()
        done = 0
        with chain.syncing():
            while done < TAKEN_AT_ONCE and self._seconds() - began < TAKEN_SECONDS:
                block_hash = self._next_hash(chain.tip.height + 1)
                arrived = None if block_hash is None else self._arrived.pop(block_hash, None)
                if block_hash is None or arrived is None:
                    break
                self._arrived_bytes -= arrived.bytes
                done += 1
                if not self._take(block_hash, arrived, Height(chain.tip.height + 1)):
                    break
        extent = self._host.extent
        if chain.tip.height == extent.snapshot and chain.tip.hash == self._host.hash_at(extent.snapshot):
            self._note_verified(replace(extent, snapshot=Height(0)))
            log.info("history.verified", height=chain.tip.height)
            done += 1
        return done > 0

    def _take(self, block_hash: BlockHash, arrived: Arrived, height: Height) -> bool:
        """Do one block; whether it was good."""
        try:
            self._opened().chain.accept_block(arrived.block)
            return True
        except NodeError:
            raise
        except LedgerError as fault:
            if fault.code is BODY_MISMATCH:
                self._blame(arrived.sender, GRAVE, str(fault))
                self._wanted_to = Height(0)
                return False
            invalid = NodeError(HISTORY_INVALID, height=height, reason=str(fault))
            self._note(replace(self._host.extent, invalid=height, reason=str(fault)))
            self._host.note_invalid(invalid)
            return False

    def _note_verified(self, extent: Extent) -> None:
        """All was good: what those blocks showed of finality is known here from now on, and how it came about."""
        chain = self._host.chain

        def write(connection: SqlConnection) -> Extent:
            if chain.finality.is_active:
                with self._opened().reading() as source:
                    adopt_finality(connection, source)
                chain.finality.load(chain.state)
            write_extent(connection, extent)
            return extent

        self._host.change_store(write)

    def _note(self, extent: Extent) -> None:
        def write(connection: SqlConnection) -> Extent:
            write_extent(connection, extent)
            return extent

        self._host.change_store(write)

    def _take_over(self) -> bool:
        store = self._opened()
        with store.reading() as source:
            self._host.change_store(
                lambda connection: adopt_rows(connection, source, self._host.extent, with_bodies=self._with_bodies)
            )
        if not self._host.extent.history_from:
            log.info("history.complete")
            store.remove()
            self._store = None
        return True

    def close(self) -> None:
        """At the end of the node."""
        if self._store is not None:
            self._store.close()
            self._store = None
