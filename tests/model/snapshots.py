"""The tree of slots after a block, as far as somebody who votes needs it: STA-3, STA-4, VOI-2.

The model knows no slots: root and number of slots are told to it as they are to the ledger. Both are made here from the records.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.codec import pack
from tests.second_decoder.hashing import inclusion_path, leaf_hash, node_hash, plain, tagged

Proof = tuple[int, bytes, int, tuple[bytes, ...]]

FREE_SLOT = tagged("FREE_SLOT", b"")


def leaf_of_record(key: bytes, value: bytes) -> bytes:
    """STA-3; the array of two has a head of one byte, and the value stands in it as it is encoded."""
    return leaf_hash(b"\x92" + pack(key) + value)


def leaf_of_free_slot(following: int) -> bytes:
    """STA-4."""
    return leaf_hash(pack((FREE_SLOT, following)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """HASH-3, level by level: what stands alone at the end of a level goes up as it is."""
    level = list(leaves)
    while len(level) > 1:
        alone = level[len(level) & ~1 :]
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + alone
    return level[0] if level else plain(b"")


@dataclass(frozen=True)
class Snapshot:
    """The leaves of a state, its root, and where the records are that votes rest on, with their values."""

    root: bytes
    leaves: tuple[bytes, ...]
    records: dict[bytes, tuple[int, bytes]]

    def prove(self, number: int, key: bytes) -> Proof | None:
        """VOI-2; None where there is no such record."""
        if key not in self.records:
            return None
        slot, value = self.records[key]
        return number, value, slot, tuple(inclusion_path(list(self.leaves), slot))
