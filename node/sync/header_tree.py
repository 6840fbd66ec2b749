"""Headers that were checked and whose bodies are not here yet: a tree whose roots stand on blocks of the store (spec NET-8).

Only headers of chains with enough work come in, and of these a bounded number. It lives in memory: after a restart the
headers above the last block are asked for again, which is 80 bytes a block.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.header import HEADER_BYTES, Header
from ledger.header_chain import CheckedHeaders
from ledger.types import BlockHash, Work
from node.store.blocks import KnownHeader

TREE_HEADERS_MAX = 20_000
"""About 14 MB."""
NO_WORK = Work(0)


@dataclass(frozen=True, slots=True)
class Leaf:
    """The end of a branch. `worth`: the work of the whole chain that it belongs to, as far as that was measured."""

    known: KnownHeader
    worth: Work


class HeaderTree:
    """Headers ahead of the store. `stored` finds the header of a block that is in it."""

    def __init__(self, stored: Callable[[BlockHash], KnownHeader | None], count_max: int = TREE_HEADERS_MAX) -> None:
        self._stored = stored
        self._count_max = count_max
        self._headers: dict[BlockHash, KnownHeader] = {}
        self._children: dict[BlockHash, dict[BlockHash, None]] = {}
        self._leaves: dict[BlockHash, Leaf] = {}

    def __len__(self) -> int:
        return len(self._headers)

    def __contains__(self, block_hash: BlockHash) -> bool:
        return block_hash in self._headers

    @property
    def room(self) -> int:
        """How many more headers there is room for."""
        return self._count_max - len(self._headers)

    def find(self, block_hash: BlockHash) -> KnownHeader | None:
        """A header that is here or in the store."""
        return self._headers.get(block_hash) or self._stored(block_hash)

    def add(self, parent: KnownHeader, raw: bytes, checked: CheckedHeaders, worth: Work = NO_WORK) -> None:
        """Keep checked headers that follow `parent`, which is here or in the store, of a chain that is worth at least so much."""
        work = parent.work
        for index, block_hash in enumerate(checked.hashes):
            work = Work(work + checked.works[index])
            if block_hash in self._headers:
                continue
            header = Header.decode(raw[index * HEADER_BYTES : (index + 1) * HEADER_BYTES])
            if header.previous not in self._headers and self._stored(block_hash) is not None:
                continue
            known = KnownHeader(block_hash, header, checked.state_after(index), work, "")
            self._headers[block_hash] = known
            self._children.setdefault(header.previous, {})[block_hash] = None
            below = self._leaves.pop(header.previous, None)
            self._leaves[block_hash] = Leaf(known, max(work, worth, NO_WORK if below is None else below.worth))

    def leaves(self) -> list[Leaf]:
        """The ends of all branches, the most worth first; of equal ones the first that came."""
        return sorted(self._leaves.values(), key=lambda leaf: -leaf.worth)

    def best(self) -> KnownHeader | None:
        """The end of the branch with the most worth."""
        found = max(self._leaves.values(), key=lambda leaf: leaf.worth, default=None)
        return None if found is None else found.known

    def branch(self, tip: BlockHash) -> list[KnownHeader]:
        """The headers here that lead to `tip`, lowest first; its first one's parent is in the store."""
        found: list[KnownHeader] = []
        at = self._headers.get(tip)
        while at is not None:
            found.append(at)
            at = self._headers.get(at.header.previous)
        return found[::-1]

    def take_lowest(self, tip: BlockHash, count: int) -> list[KnownHeader]:
        """Take the lowest headers off the branch to `tip`, and forget the branches that leave it there."""
        taken = self.branch(tip)[:count]
        for known in taken:
            for sibling in [found for found in self._children[known.header.previous] if found != known.hash]:
                self.drop(sibling)
            self.settle(known.hash)
        return taken

    def settle(self, block_hash: BlockHash) -> None:
        """The body is in the store now."""
        known = self._headers.pop(block_hash, None)
        if known is None:
            return
        self._leaves.pop(block_hash, None)
        siblings = self._children[known.header.previous]
        del siblings[block_hash]
        if not siblings:
            del self._children[known.header.previous]

    def drop(self, block_hash: BlockHash) -> list[BlockHash]:
        """Forget a header and all that follow from it; which these were."""
        gone: list[BlockHash] = []
        left = [block_hash]
        while left:
            at = left.pop()
            left.extend(self._children.get(at, ()))
            gone.append(at)
        dropped = [found for found in reversed(gone) if found in self._headers]
        for found in dropped:
            known = self._headers[found]
            self.settle(found)
            if known.header.previous in self._headers and known.header.previous not in self._children:
                below = self._headers[known.header.previous]
                self._leaves[below.hash] = Leaf(below, below.work)
        return dropped

    def drop_below(self, work: Work) -> None:
        """Forget branches that ended up with less work than that."""
        self._drop_leaves(leaf for leaf in self._leaves.values() if leaf.worth < work)

    def keep_leading_to(self, tips: Iterable[BlockHash]) -> None:
        """Forget what leads to none of these: nobody is left who has its bodies."""
        wanted: dict[BlockHash, None] = {}
        for tip in tips:
            at = self._headers.get(tip)
            while at is not None and at.hash not in wanted:
                wanted[at.hash] = None
                at = self._headers.get(at.header.previous)
        for block_hash in [found for found in self._headers if found not in wanted]:
            self.drop(block_hash)

    def make_room(self, work: Work) -> None:
        """Where there is no room, forget the branch with the least worth, if that is less than `work`."""
        if self.room > 0 or not self._leaves:
            return
        least = min(self._leaves.values(), key=lambda leaf: leaf.worth)
        if least.worth < work:
            self._drop_leaves([least])

    def _drop_leaves(self, leaves: Iterable[Leaf]) -> None:
        for leaf in list(leaves):
            self._drop_branch(leaf.known)

    def _drop_branch(self, leaf: KnownHeader) -> None:
        """Forget a leaf and what is below it, down to where another branch leaves."""
        at: KnownHeader | None = leaf
        while at is not None and at.hash not in self._children:
            self.settle(at.hash)
            at = self._headers.get(at.header.previous)
