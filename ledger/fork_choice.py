"""Which of several valid chains a node follows: highest justified checkpoint, then most work, ties at random.

"At random" is a choice that differs from node to node but never changes within one: the node passes a key that it drew at its
start, and the smaller hash of (key, block hash) wins. A miner can then neither aim a block at winning ties everywhere nor gain
from being seen first (spec FORK-1).

The order is a tuple in `order`, smallest first. Where nobody attests, nothing but the first block is justified (spec FIN-9).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NewType

from ledger.types import BlockHash, Work

TieKey = NewType("TieKey", bytes)  # drawn once per process by the node; secret, so that nobody can aim at it


@dataclass(frozen=True, slots=True)
class Branch:
    """A chain by its last block. `cumulative_work` counts the expected hashes of all its headers.

    `justified_height` is that of its highest justified checkpoint: 0 where nobody attests, less where it lacks a final one (FIN-9).
    """

    tip: BlockHash
    cumulative_work: Work
    justified_height: int = 0


def choose(branches: Iterable[Branch], tie_key: TieKey) -> Branch:
    """The branch to follow. The order in which branches are given does not matter; there must be one."""
    return min(branches, key=lambda branch: order(branch, tie_key))


def is_better(challenger: Branch, current: Branch, tie_key: TieKey) -> bool:
    """Whether to leave the current branch for the challenger. A branch is not better than itself."""
    return order(challenger, tie_key) < order(current, tie_key)


def order(branch: Branch, tie_key: TieKey) -> tuple[int, int, bytes]:
    """The place of a branch among others: the smallest is followed."""
    return -branch.justified_height, -branch.cumulative_work, hashlib.sha256(tie_key + branch.tip).digest()


def accumulate_work(before: Work, works: Iterable[Work]) -> Iterator[Work]:
    """The cumulative work after each of some headers in a row, `before` being that of the parent of the first."""
    sums = accumulate(works, initial=before)
    next(sums)
    return (Work(total) for total in sums)
