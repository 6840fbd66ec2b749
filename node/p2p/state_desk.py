"""States between nodes: snapshots that are served and made, the one that this node begins with, and the history behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ledger.block import Block
from ledger.types import BlockHash
from node.history_store import HistoryStore
from node.p2p.connection import Connection
from node.p2p.host import Host
from node.p2p.messages import GetSnapshotPieces, GetSnapshots, SnapshotPiece, Snapshots
from node.p2p.snapshots import Run, SnapshotService, run_here
from node.store.shelf import Shelf
from node.store.snapshot_maker import SNAPSHOT_DEPTH_BLOCKS, SnapshotMaker
from node.sync.header_tree import HeaderTree
from node.sync.headers import HeaderSync
from node.sync.history import Blame, HistorySync
from node.sync.snapshot_sync import SnapshotSync


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """Snapshots and the history behind one (spec NET-17 to NET-19). `is_wanted`: begin with one, where the chain is empty.

    `maker` None: none are made here. `run` makes one without letting the network wait. `keeps_all`: blocks are not pruned.
    """

    shelf: Shelf
    open_history: Callable[[], HistoryStore]
    maker: SnapshotMaker | None = None
    run: Run = run_here
    is_wanted: bool = False
    depth: int = SNAPSHOT_DEPTH_BLOCKS
    keeps_all: bool = True


class StateDesk:
    """The three of them, for `Peers`. `settings` None: this node neither serves nor fetches a state."""

    def __init__(
        self,
        host: Host,
        tree: HeaderTree,
        headers: HeaderSync,
        settings: SnapshotSettings | None,
        seconds: Callable[[], float],
        blame: Blame,
    ) -> None:
        shelf = maker = open_history = None
        run, depth, is_wanted, keeps_all = run_here, 0, False, True
        if settings is not None:
            shelf, maker, open_history, run = settings.shelf, settings.maker, settings.open_history, settings.run
            depth, is_wanted, keeps_all = settings.depth, settings.is_wanted, settings.keeps_all
        self.service = SnapshotService(host, shelf, maker, run)
        self.fetching = SnapshotSync(host, tree, headers, shelf, seconds, is_wanted=is_wanted, depth=depth)
        self.history = HistorySync(host, open_history, seconds, blame, with_bodies=keeps_all)

    @property
    def is_beginning(self) -> bool:
        """Whether the chain is to begin with a snapshot, and has not."""
        return self.fetching.is_active

    @property
    def handlers(self) -> dict[type, Callable[[Connection, Any], None]]:
        """Who takes which message."""
        return {
            GetSnapshots: self.service.serve_offer,
            Snapshots: self.fetching.hear_offer,
            GetSnapshotPieces: self.service.serve_pieces,
            SnapshotPiece: self.fetching.receive_piece,
        }

    def add(self, peer: Connection) -> None:
        """A peer is ready."""
        self.service.add(peer)
        self.fetching.add(peer)
        self.history.add(peer)

    def remove(self, peer: Connection) -> None:
        """A peer is gone."""
        self.service.remove(peer)
        self.fetching.remove(peer)
        self.history.remove(peer)

    def take_block(self, peer: Connection, block: Block, raw: bytes) -> bool:
        """Whether a block was for the history, or for a snapshot's window. Raises `Offence`."""
        if self.history.wants(block.hash):
            self.history.receive_block(peer, block, len(raw))
            return True
        if self.fetching.wants(block.hash):
            self.fetching.receive_block(peer, block, raw)
            return True
        return False

    def receive_missing(self, peer: Connection, hashes: list[BlockHash]) -> None:
        """A peer does not have blocks that it was asked for."""
        self.history.receive_missing(peer, hashes)
        self.fetching.receive_missing(peer, hashes)

    def work(self, *, is_syncing: bool) -> bool:
        """Some of the history, while no newer blocks are fetched; whether anything was done. Raises `NodeError`."""
        has_worked = not is_syncing and self.history.work()
        self.history.plan(is_held=is_syncing)
        return has_worked

    def tick(self, *, is_syncing: bool) -> list[Connection]:
        """What time brings; those who do not send what others have."""
        self.service.tick()
        late = [*self.fetching.tick(), *self.history.tick()]
        self.history.plan(is_held=is_syncing)
        return late
