"""To which branches a node can go over: those that leave its chain where its store leads back to."""

from ledger.types import BlockHash, Work
from node.errors import NodeError
from node.store.blocks import BlockStore, KnownHeader
from node.store.extent import FORK_TOO_DEEP, Extent


class Reach:
    """Remembers the best branch that is out of reach, for the operator."""

    def __init__(self, blocks: BlockStore) -> None:
        self._blocks = blocks
        self._missed: tuple[NodeError, Work] | None = None

    def includes(self, extent: Extent, known: KnownHeader, base: BlockHash) -> bool:
        """Whether the store leads back to where the branch to `known`, over the block `base` that is here, leaves the chain."""
        parent = self._blocks.header(base)
        fork = None if parent is None else self._blocks.branch_of(parent)[0]
        if fork is None or fork.height >= extent.floor:
            return True
        self._missed = NodeError(FORK_TOO_DEEP, fork=fork.height, floor=extent.floor), known.work
        return False

    def find_missed(self, tip: KnownHeader) -> NodeError | None:
        """`chain.fork_too_deep` as long as such a branch has more work than the chain that is followed."""
        return self._missed[0] if self._missed is not None and self._missed[1] > tip.work else None
