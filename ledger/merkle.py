"""The Merkle tree of RFC 9162, section 2.1: one tree for transactions, state and history, one proof format for all three.

    leaf_hash = SHA-256(0x00 ‖ data)        node_hash = SHA-256(0x01 ‖ left ‖ right)        root of nothing = SHA-256("")

A tree of any size is split at the largest power of two below its size. That is the same as pairing the nodes of each level from
the left and lifting a last node without a partner unchanged to the next level, which is how it is computed here. Level 0 holds the
leaf hashes; node i of level k covers the leaves from i * 2**k on.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from struct import Struct
from typing import Final

from ledger.types import Hash

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = Hash(sha256(b"").digest())
_LEAF_PREFIX: Final = b"\x00"
_NODE_PREFIX: Final = b"\x01"
_NODE: Final = Struct(f"{HASH_BYTES}s")


def leaf_hash(data: bytes) -> Hash:
    """The hash of a leaf's bytes."""
    return Hash(sha256(_LEAF_PREFIX + data).digest())


def node_hash(left: Hash, right: Hash) -> Hash:
    """The hash of two nodes of 32 bytes each."""
    return Hash(sha256(_NODE_PREFIX + left + right).digest())


def root(leaf_hashes: Iterable[Hash]) -> Hash:
    """The root over these leaf hashes, in their order."""
    leaves = list(leaf_hashes)
    assert _are_hashes(leaves), "a leaf hash has 32 bytes"
    level = b"".join(leaves)
    while len(level) > HASH_BYTES:
        level = _hash_run(level, 0, len(level) // HASH_BYTES)
    return Hash(level) if leaves else EMPTY_ROOT


def inclusion_path(leaf_hashes: Iterable[Hash], index: int) -> tuple[Hash, ...]:
    """The siblings from leaf `index` up to the root (RFC 9162, section 2.1.3.1)."""
    return IncrementalTree(leaf_hashes).inclusion_path(index)


def consistency_path(leaf_hashes: Iterable[Hash], old_size: int) -> tuple[Hash, ...]:
    """What shows that the tree over the first `old_size` leaves grew into this one (RFC 9162, section 2.1.4.1)."""
    return IncrementalTree(leaf_hashes).consistency_path(old_size)


def verify_inclusion(expected_root: Hash, leaf: Hash, index: int, size: int, path: Sequence[Hash]) -> bool:
    """Whether `path` shows that `leaf` is leaf hash number `index` of the tree of `size` leaves (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes((leaf, *path)):
        return False
    position, last, computed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1:  # a lifted node has no sibling on the levels in between
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == expected_root


def verify_consistency(old_root: Hash, old_size: int, new_root: Hash, new_size: int, path: Sequence[Hash]) -> bool:
    """Whether `path` shows that the tree with `old_root` is the beginning of the one with `new_root` (RFC 9162, section 2.1.4.2).

    Nothing is shown about an empty tree: with `old_size` 0 the answer is False.
    """
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    if not path or not _are_hashes((old_root, *path)):
        return False
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    nodes = iter(path)
    old_computed = new_computed = next(nodes) if position else old_root  # an old tree of 2**k leaves is itself a node
    for node in nodes:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_computed, new_computed = node_hash(node, old_computed), node_hash(node, new_computed)
            while not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new_computed = node_hash(new_computed, node)
        position, last = position >> 1, last >> 1
    return last == 0 and old_computed == old_root and new_computed == new_root


def _are_hashes(nodes: Iterable[Hash]) -> bool:
    return all(len(node) == HASH_BYTES for node in nodes)


class IncrementalTree:
    """A tree that is changed, extended and cut, and rehashes only what that touched, when a root or a path is asked for.

    Each level is one flat bytearray of 32 bytes a node: 64 MiB at 2**20 leaves, and no Python object per node. Changes gathered
    before one `root()` share their upper nodes, so a block's worth costs much less per record than single changes.
    """

    __slots__ = ("_changed", "_levels", "_settled_size")

    def __init__(self, leaf_hashes: Iterable[Hash] = ()) -> None:
        self._levels = [bytearray()]
        self._changed: set[int] = set()  # leaves below _settled_size whose ancestors are out of date
        self._settled_size = 0  # ancestors of all leaves from here on are out of date
        self.extend(leaf_hashes)

    def __len__(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    def leaf(self, index: int) -> Hash:
        """Leaf hash number `index`."""
        assert 0 <= index < len(self), "there is no such leaf"
        return self._node(0, index)

    def extend(self, leaf_hashes: Iterable[Hash]) -> None:
        """Append leaf hashes at the end."""
        added = list(leaf_hashes)
        assert _are_hashes(added), "a leaf hash has 32 bytes"
        self._levels[0] += b"".join(added)

    def update(self, changes: Iterable[tuple[int, Hash]]) -> None:
        """Replace leaf hashes that exist, each given with its index."""
        leaves, size, changed = self._levels[0], len(self), self._changed
        for index, leaf in changes:
            assert 0 <= index < size and len(leaf) == HASH_BYTES, "only a leaf that exists can change, to 32 bytes"
            leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES] = leaf
            changed.add(index)

    def copy(self) -> "IncrementalTree":
        """A tree of its own with the same leaves; it takes a copy of each level, and hashes nothing."""
        made = IncrementalTree()
        made._levels = [bytearray(level) for level in self._levels]
        made._changed = set(self._changed)
        made._settled_size = self._settled_size
        return made

    def truncate(self, size: int) -> None:
        """Cut the tree to its first `size` leaves."""
        assert 0 <= size <= len(self), "a tree is cut to fewer leaves"
        if size < len(self):
            del self._levels[0][size * HASH_BYTES :]
            # The last leaf's ancestors had other leaves below them.
            self._settled_size = min(self._settled_size, max(size - 1, 0))

    def root(self) -> Hash:
        """The root over the present leaves."""
        self._settle()
        return Hash(bytes(self._levels[-1])) if len(self) else EMPTY_ROOT

    def inclusion_path(self, index: int) -> tuple[Hash, ...]:
        """The siblings from leaf `index` up to the root, lowest first. A node that was lifted has none on that level."""
        assert 0 <= index < len(self), "there is no such leaf"
        self._settle()
        path: list[Hash] = []
        position, last = index, len(self) - 1
        for level in range(len(self._levels) - 1):
            if position ^ 1 <= last:
                path.append(self._node(level, position ^ 1))
            position, last = position >> 1, last >> 1
        return tuple(path)

    def consistency_path(self, old_size: int) -> tuple[Hash, ...]:
        """What shows that the first `old_size` leaves, at least one, were the whole tree once. Empty for the present size."""
        assert 0 < old_size <= len(self), "only an earlier size that is not 0 can be shown"
        if old_size == len(self):
            return ()
        self._settle()
        level, position, last = 0, old_size - 1, len(self) - 1
        while position & 1:
            level, position, last = level + 1, position >> 1, last >> 1
        path = [self._node(level, position)] if position else []
        while last:
            if position & 1:
                path.append(self._node(level, position - 1))
            elif position < last:
                path.append(self._node(level, position + 1))
            level, position, last = level + 1, position >> 1, last >> 1
        return tuple(path)

    def _node(self, level: int, position: int) -> Hash:
        offset = position * HASH_BYTES
        return Hash(bytes(self._levels[level][offset : offset + HASH_BYTES]))

    def _settle(self) -> None:
        """Bring every level up to date: nodes above changed leaves one by one, then all from the first unsettled leaf on."""
        size = len(self)
        if not self._changed and self._settled_size == size:
            return
        first, count, level = self._settled_size, size, 0
        changed: set[int] = {index for index in self._changed if index < first}
        while count > 1:
            below = self._levels[level]
            level += 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            changed = {position >> 1 for position in changed}
            first, count_above = first >> 1, (count + 1) >> 1
            changed.discard(first)
            if len(changed) == first:  # all of them: one run is cheaper
                changed.clear()
                first = 0
            _rehash_scattered(below, self._levels[level], changed)
            self._levels[level][first * HASH_BYTES :] = _hash_run(below, first, count)
            count = count_above
        del self._levels[level + 1 :]
        self._changed = set()
        self._settled_size = size


def _rehash_scattered(below: bytearray, above: bytearray, positions: Iterable[int]) -> None:
    """Recompute nodes of a level from full pairs of the level below. The hot loop of the state root."""
    write_node = _NODE.pack_into  # a fifth faster here than assigning to a slice
    for position in positions:
        offset = position << 6
        write_node(above, offset >> 1, sha256(_NODE_PREFIX + below[offset : offset + 64]).digest())


def _hash_run(below: bytes | bytearray, first: int, count: int) -> bytes:
    """All nodes from position `first` on of the level above one with `count` nodes; a last one without a partner is lifted."""
    stop = (count >> 1) << 6
    run = b"".join([sha256(_NODE_PREFIX + below[at : at + 64]).digest() for at in range(first << 6, stop, 64)])
    return run + below[-32:] if count & 1 else run
