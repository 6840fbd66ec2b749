"""Bugs that are planted on purpose, one in each place that the simulator must see: sync, mempool, reorganisation, store."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from ledger.fork_choice import Branch, TieKey
from node import chain as chain_module
from node.mempool import pool
from node.store.state import StoreState
from node.sync.bodies import BodySync

SEEDS_MAX = 200
"""So many networks must be enough to find each."""
LOST_RECORDS = 16
"""Of 256 blocks, those of which the store forgets a record."""


def forget_requests(self: Any, peer: Any) -> None:
    """Sync: what was asked of a peer that is gone is asked of nobody else."""
    self._peers.pop(peer, None)
    self._reach.pop(peer, None)


def return_nothing(*_: object) -> Iterator[Any]:
    """Mempool: what stood in a block that was taken back does not come back."""
    return iter(())


def ask_for_more_work(challenger: Branch, current: Branch, _: TieKey) -> bool:
    """Reorganisation: a branch must be better by a fifth more than it needs to be."""
    return challenger.cumulative_work > current.cumulative_work * 6 // 5


WRITE = StoreState.write


def write_most(self: Any, transition: Any) -> None:
    """Store: now and then one record of a block is not written."""
    last = transition.contents[-1][1].leaf()
    if hashlib.sha256(last).digest()[0] < LOST_RECORDS:
        object.__setattr__(transition, "contents", transition.contents[:-1])
    WRITE(self, transition)


PLANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "sync": (BodySync, "remove", forget_requests),
    "mempool": (pool, "still_possible", return_nothing),
    "reorganisation": (chain_module, "is_better", ask_for_more_work),
    "store": (StoreState, "write", write_most),
}
"""By name: where the bug is planted, in place of what, and the bug, whose docstring says what it does."""


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Within: that bug is there."""
    place, attribute, bug = PLANTS[name]
    with patch.object(place, attribute, bug):
        yield
