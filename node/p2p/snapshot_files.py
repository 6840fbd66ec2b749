"""Where a running node keeps its snapshots and the history behind one, and the thread in which a snapshot is made."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ledger.errors import Code
from node.history_store import HistoryStore, remove_history
from node.node import Node
from node.p2p.state_desk import SnapshotSettings
from node.store.engine import open_engine
from node.store.shelf import FILE, Shelf
from node.store.snapshot_maker import SNAPSHOT_DEPTH_BLOCKS, SNAPSHOT_EVERY_BLOCKS, SnapshotMaker

BEGINNING: Final = Code(
    "sync.beginning",
    "this node is fetching the state that it begins with ({progress})",
    "Wait; `fansumer node status` says how far it is.",
)
STOP_SECONDS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class SnapshotHeights:
    """Of which heights snapshots are made, and how many blocks stand on one before it is made or taken (spec NET-17)."""

    every: int = SNAPSHOT_EVERY_BLOCKS
    depth: int = SNAPSHOT_DEPTH_BLOCKS


USUAL_HEIGHTS: Final = SnapshotHeights()


class SnapshotFiles:
    """Opens them in the node's data folder. Raises `NodeError` store.*."""

    def __init__(self, node: Node, heights: SnapshotHeights, *, is_wanted: bool) -> None:
        self._node = node
        config = node.config
        if node.chain.extent.is_verified and not node.chain.extent.history_from:
            remove_history(config.data_dir)
        self._shelf = Shelf(open_engine(f"sqlite:///{config.data_dir / FILE}"))
        self._maker = SnapshotMaker(node.open_for_reading(), self._shelf, heights.every, heights.depth)
        self._thread: threading.Thread | None = None
        self.settings = SnapshotSettings(
            self._shelf,
            self._open_history,
            self._maker,
            self._run,
            is_wanted=is_wanted,
            depth=heights.depth,
            keeps_all=config.keep_blocks is None,
        )

    def _open_history(self) -> HistoryStore:
        config = self._node.config
        return HistoryStore.in_folder(config.data_dir, config.params, self._node.clock, config.keep_blocks)

    def _run(self, do: Callable[[], object]) -> None:
        self._thread = threading.Thread(target=do, name="snapshot", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the files; a snapshot that is being made is waited for, but not for ever. Harmless a second time."""
        if self._thread is not None:
            self._thread.join(STOP_SECONDS_MAX)
        self._maker.close()
        self._shelf.close()
