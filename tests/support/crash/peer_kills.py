"""Kills a node again and again while it prunes, or begins with a snapshot: in the end it has what one has that nobody killed."""

import random
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.crash.injection import (
    AFTER_COMMIT,
    ANY_TIME,
    BEFORE_COMMIT,
    MOMENT,
    PRUNING,
    SNAPSHOT,
    STATEMENT,
    STEP,
    Order,
)
from tests.support.crash.kills import ATTEMPTS_MAX, ENDS, MOMENT_MICROSECONDS, Run, Starter
from tests.support.crash.peer_chain import KEEP_BLOCKS, digest_of_rows, look_at_peer, whole_peer

MODES: Final = (PRUNING, SNAPSHOT)
WAYS: Final = (STATEMENT, STEP, BEFORE_COMMIT, MOMENT, AFTER_COMMIT, ANY_TIME)
"""None at a byte of a write: that needs the main thread, and here the network's writes."""


class PeerStarter(Starter):
    """The waiting process that makes these nodes."""

    def __init__(self, port: int, goal: bytes) -> None:
        self._open("tests.support.crash.peer_driver", str(port), goal.hex())


@dataclass(frozen=True)
class PeerOutcome:
    """A kill that was survived: how far the node said that it was, and to which height its store had come."""

    number: int
    stage: str
    way: str
    height: int


class PeerKilling:
    """A series of kills in one of the modes, drawn from `seed`."""

    def __init__(self, folder: Path, seed: int, mode: str) -> None:
        self.seed, self.mode = seed, mode
        self._folder, self._random = folder, random.Random(seed)
        self._keep_blocks = KEEP_BLOCKS if mode == PRUNING else None
        self._stack = ExitStack()
        try:
            node, network = self._stack.enter_context(whole_peer(folder / "whole"))
            assert network.port is not None, "it takes connections"
            self._starter = PeerStarter(network.port, node.chain.tip.hash)
            self._stack.callback(self._starter.close)
            self._root = node.chain.state_root.hex()
            self._stores = 0
            self._begin()
            calm = self._starter.run(self._order())
            self._check_done(calm)
            self._counts, self._calm_seconds = calm.counts, calm.seconds
            self._digest = self._digest_now()
            self._begin()
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Stop all processes and nodes."""
        self._stack.close()

    def _begin(self) -> None:
        """A store that does not exist yet."""
        self._stores += 1
        self._store = self._folder / f"store-{self._stores}"

    def _order(self, way: str = STATEMENT, count: int = 0, extra: int = 0) -> Order:
        return Order(str(self._store), phase=self.mode, way=way, count=count, extra=extra)

    def _digest_now(self) -> str:
        return digest_of_rows(self._store, with_undo=self.mode == SNAPSHOT)

    def _check_done(self, run: Run) -> None:
        """It closed by itself, with everything. Raises AssertionError."""
        assert run.is_closed, f"the node ended with {run.status} while it was {run.phase!r}"
        assert run.told[1] == self._root, "it has another state root"

    def kill(self, number: int) -> PeerOutcome:
        """One node more, killed; what it left is whole. Raises AssertionError that names the command to see it again."""
        way = self._random.choice(WAYS)
        order = self._order()
        try:
            for _ in range(ATTEMPTS_MAX):
                order = self._draw(way)
                run = self._starter.run(order)
                if run.is_closed:
                    self._finish(run)
                    continue
                assert run.status in ENDS, f"the node ended by itself with {run.status}"
                height = look_at_peer(self._store, self._folder / "copy", self._keep_blocks)
                return PeerOutcome(number, run.phase or "opening", way, height)
            raise AssertionError(f"{ATTEMPTS_MAX} nodes never came to this point")
        except Exception as fault:
            again = f"python scripts/crash.py --mode {self.mode} --seed {self.seed} --kills {number + 1}"
            raise AssertionError(f"kill {number}, {order}: {fault!r}; to see it again: {again}") from fault

    def _draw(self, way: str) -> Order:
        """Where exactly. Early moments are more likely, so that one store is killed several times before it is done."""
        draw = self._random
        count = 1 + int(self._counts.get((self.mode, way), 1) * draw.random() ** 1.5)
        extra = 0
        if way == ANY_TIME:
            extra = int(draw.random() * self._calm_seconds * 1e6)
        elif way == MOMENT:
            extra = int(draw.random() ** 2 * MOMENT_MICROSECONDS)
        return self._order(way, count, extra)

    def _finish(self, run: Run) -> None:
        """A store is done: it is as if nobody had killed anything."""
        self._check_done(run)
        look_at_peer(self._store, self._folder / "copy", self._keep_blocks)
        assert self._digest_now() == self._digest, "its rows are others"
        self._begin()

    def finish(self) -> None:
        """Let a node go on to the end, undisturbed."""
        self._finish(self._starter.run(self._order()))


def show_peer_table(outcomes: list[PeerOutcome]) -> str:
    """Kills by how far the node was, and by way."""
    counted = Counter((outcome.stage, outcome.way) for outcome in outcomes)
    rows = [f"{stage:<16}{way:<22}{number:>6}" for (stage, way), number in sorted(counted.items())]
    return "\n".join([f"{'stage':<16}{'killed':<22}{'kills':>6}", *rows])
