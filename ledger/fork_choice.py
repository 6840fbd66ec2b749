"""Which of several valid chains a node follows: the one with the most work, ties at random.

"At random" is a choice that differs from node to node but never changes within one: the node passes a key that it drew at its
start, and the smaller hash of (key, block hash) wins. A miner can then neither aim a block at winning ties everywhere nor gain
from being seen first (spec FORK-1).

The order is a tuple in `_order`, smallest first. A rule that comes before work (finality: the highest justified checkpoint)
becomes a field of `Branch` and an element in front.
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
    """A chain by its last block. `cumulative_work` counts the expected hashes of all its headers."""

    tip: BlockHash
    cumulative_work: Work


def choose(branches: Iterable[Branch], tie_key: TieKey) -> Branch:
    """The branch to follow. The order in which branches are given does not matter; there must be one."""
    return min(branches, key=lambda branch: _order(branch, tie_key))


def is_better(challenger: Branch, current: Branch, tie_key: TieKey) -> bool:
    """Whether to leave the current branch for the challenger. A branch is not better than itself."""
    return _order(challenger, tie_key) < _order(current, tie_key)


def _order(branch: Branch, tie_key: TieKey) -> tuple[int, bytes]:
    return -branch.cumulative_work, hashlib.sha256(tie_key + branch.tip).digest()


def accumulate_work(before: Work, works: Iterable[Work]) -> Iterator[Work]:
    """The cumulative work after each of some headers in a row, `before` being that of the parent of the first."""
    sums = accumulate(works, initial=before)
    next(sums)
    return (Work(total) for total in sums)
