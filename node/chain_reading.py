"""What the writer's chain says of itself: its tip, its blocks and records, and where they stand in its trees."""

from collections.abc import Mapping

from ledger.block import Block
from ledger.kinds import Context
from ledger.merkle import IncrementalTree
from ledger.params import Params
from ledger.types import BlockHash, Hash, Height, RecordKey, TxId
from node.store.blocks import BlockStore, KnownHeader
from node.store.state import StateTree, StoreState
from node.window import TransactionWindow


class ChainReading:
    """The part of `node.chain.Chain` that changes nothing."""

    params: Params
    tip: KnownHeader
    state: StoreState
    state_tree: StateTree
    _history: IncrementalTree
    _blocks: BlockStore
    _window: TransactionWindow

    def next_context(self) -> Context:
        """Where the next block's transactions are applied."""
        return Context(self.params, Height(self.tip.height + 1), self.tip.header.time, self.state_root, self.tip.hash)

    @property
    def window(self) -> Mapping[bytes, TxId]:
        """Author and salt of each transaction of the last blocks, and its txid."""
        return self._window.txids

    @property
    def state_root(self) -> Hash:
        """The root of the state at the tip."""
        return self.state_tree.root()

    def block(self, block_hash: BlockHash) -> Block | None:
        """A block that is here, active or not."""
        return self._blocks.body(block_hash)

    def block_at(self, height: Height) -> Block | None:
        """The active block at `height`."""
        block_hash = self._blocks.active_hash(height)
        return None if block_hash is None else self._blocks.body(block_hash)

    def state_path(self, key: RecordKey) -> tuple[int, tuple[Hash, ...]] | None:
        """Slot and inclusion path of the record under `key` in the latest state."""
        stored = self.state.stored(key)
        return None if stored is None else (stored.slot, self.state_tree.tree.inclusion_path(stored.slot))

    def history_path(self, height: Height) -> tuple[Hash, ...]:
        """Inclusion path of the block at `height` in the history that the tip commits to: all blocks below it."""
        tip_leaf = self._history.leaf(self.tip.height)
        self._history.truncate(self.tip.height)
        path = self._history.inclusion_path(height)
        self._history.extend([tip_leaf])
        return path

    def height_of(self, block_hash: BlockHash) -> Height | None:
        """The height of a block of the active chain; None for any other."""
        known = self._blocks.header(block_hash)
        return known.height if known is not None and self._blocks.active_hash(known.height) == block_hash else None

    def header_at(self, height: Height) -> KnownHeader:
        """The active header at `height`, which exists."""
        block_hash = self._blocks.active_hash(height)
        known = None if block_hash is None else self._blocks.header(block_hash)
        assert known is not None, f"the active chain has no height {height}"
        return known
