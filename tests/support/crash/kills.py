"""Kills a node again and again, and looks each time at what is left: a whole number of blocks, not one fewer than was reported.

Everything is drawn from one seed. After each kill a copy of the store is opened, compared row by row with that of a node which
was never disturbed, and verified from genesis; then the killed store itself is opened by the next node, which goes on.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.crash.driver import BATCH_BLOCKS
from tests.support.crash.injection import (
    AFTER_COMMIT,
    ANY_TIME,
    BEFORE_COMMIT,
    BLOCK,
    CHECKPOINT,
    CLOSING,
    GENESIS,
    MIGRATION,
    MOMENT,
    OPENING,
    REORGANISATION,
    STATEMENT,
    STEP,
    SYNC,
    SYNCING,
    UNREPORTED,
    WHENEVER,
    WRITE,
    Order,
)
from tests.support.crash.life import Life, make_life, write_blocks
from tests.support.crash.places import FileStore, KilledStore, ServerStore
from tests.support.postgres import Postgres
from tests.support.processes import end_group, environment_of_child

ROOT: Final = Path(__file__).resolve().parents[3]
COMMIT_WAYS: Final = (BEFORE_COMMIT, WRITE, SYNC, MOMENT, AFTER_COMMIT)
WAYS: Final[dict[str, tuple[str, ...]]] = {
    MIGRATION: (STATEMENT, STEP, *COMMIT_WAYS),
    GENESIS: (STATEMENT, STEP, *COMMIT_WAYS),
    OPENING: (STATEMENT, STEP),
    BLOCK: (STATEMENT, STEP, *COMMIT_WAYS, UNREPORTED),
    REORGANISATION: (STATEMENT, STEP, *COMMIT_WAYS, UNREPORTED),
    SYNCING: (STATEMENT, STEP, *COMMIT_WAYS, UNREPORTED),
    CHECKPOINT: (WRITE, SYNC, MOMENT),
    CLOSING: (WRITE, SYNC, MOMENT),
    WHENEVER: (ANY_TIME,) * 4,
}
SERVER_COMMIT_WAYS: Final = (BEFORE_COMMIT, MOMENT, AFTER_COMMIT)
SERVER_WAYS: Final[dict[str, tuple[str, ...]]] = {
    MIGRATION: (STATEMENT, *SERVER_COMMIT_WAYS),
    GENESIS: (STATEMENT, *SERVER_COMMIT_WAYS),
    OPENING: (STATEMENT,),
    BLOCK: (STATEMENT, *SERVER_COMMIT_WAYS, UNREPORTED),
    REORGANISATION: (STATEMENT, *SERVER_COMMIT_WAYS, UNREPORTED),
    SYNCING: (STATEMENT, *SERVER_COMMIT_WAYS, UNREPORTED),
    WHENEVER: (ANY_TIME,) * 4,
}
"""On PostgreSQL: the files are the server's, and it is the node that is killed."""
WITH_BLOCKS: Final = (BLOCK, REORGANISATION, SYNCING)
ONLY_NEW: Final = (MIGRATION, GENESIS)
WRITE_BYTES: Final = 60_000
"""How far into a commit's bytes a write may be cut off: about what the largest block of the life writes."""
CHECKPOINT_BYTES: Final = 150_000
"""How far before the end of the database file the folding of the log may be cut off."""
MOMENT_MICROSECONDS: Final = 1_500
ATTEMPTS_MAX: Final = 20
ORDER_SECONDS_MAX: Final = 120
"""How long one node may live: undisturbed it needs about a second, and twenty on a loaded machine."""
END_SECONDS_MAX: Final = 30
ENDS: Final = (-signal.SIGKILL, -signal.SIGXFSZ, -signal.SIGSYS)
"""The kernel's three ways to end a process between two of its instructions: asked to, at a byte too many, at a filtered call."""


@dataclass
class Run:
    """What one node told before it ended."""

    status: int = 0
    phase: str = ""
    took: dict[int, str] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    is_closed: bool = False
    told: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """A kill that was survived: where it hit, how many blocks were there before, were reported since, and were found."""

    number: int
    phase: str
    way: str
    before: int
    reported: int
    found: int


class Starter:
    """The waiting process that makes the nodes."""

    def __init__(self, folder: Path, life: Life) -> None:
        blocks = folder / "blocks"
        write_blocks(blocks, life.blocks)
        self._open("tests.support.crash.driver", str(blocks), json.dumps(sorted(life.reorganising)))

    def _open(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment_of_child(),
            start_new_session=True,
        )

    def run(self, order: Order, on_block: Callable[[], None] = lambda: None) -> Run:
        """Start a node and listen until it has ended, killed or not; `on_block`: what to do after each block meanwhile.

        A node that takes too long is aborted, which shows where it was, and the AssertionError names the order.
        """
        watchdog = threading.Timer(ORDER_SECONDS_MAX, end_group, (self._process, signal.SIGABRT))
        watchdog.daemon = True
        watchdog.start()
        try:
            return self._listen(order, on_block)
        finally:
            watchdog.cancel()

    def _listen(self, order: Order, on_block: Callable[[], None]) -> Run:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        found, began = Run(), time.monotonic()
        timer: threading.Timer | None = None
        for line in self._process.stdout:
            word, *rest = line.split()
            if word == "child" and order.way == ANY_TIME:
                timer = threading.Timer(order.extra / 1e6, _kill, (int(rest[0]),))
                timer.start()
            elif word == "took":
                found.took[int(rest[0])] = rest[1]
                on_block()
            elif word == "counts":
                rows = json.loads(line.removeprefix("counts "))
                found.counts = {(phase, way): count for phase, way, count in rows}
            elif word == "closed":
                found.is_closed, found.told = True, rest
            elif word == "stage":
                found.phase = rest[0]
            elif word == "ended":
                found.status = int(rest[0])
                found.seconds = time.monotonic() - began
                break
            elif word in WAYS:
                found.phase = word
        else:
            raise AssertionError(
                f"the process that starts the nodes is gone, {time.monotonic() - began:.0f} s after this order; it was in"
                f" {found.phase!r} after {len(found.took)} blocks"
            )
        if timer is not None:
            timer.cancel()
            timer.join()
        return found

    def close(self) -> None:
        """Let it end."""
        with self._process:
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            try:
                self._process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                end_group(self._process)
                raise AssertionError(f"the process that starts the nodes did not end in {END_SECONDS_MAX} s") from None


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


class Killing:
    """A series of kills in `folder`, drawn from `seed`; the stores are files, or schemas of `server`."""

    def __init__(self, folder: Path, seed: int, server: Postgres | None = None) -> None:
        self.seed = seed
        self._server = server
        ways = WAYS if server is None else SERVER_WAYS
        self._pairs = tuple((phase, way) for phase in ways for way in ways[phase])
        self.life = make_life(folder)
        self._folder = folder
        self._starter = Starter(folder, self.life)
        self._random = random.Random(seed)
        self._stores = 0
        self._waiting: list[tuple[str, str]] = []
        self._begin()
        calm = self._starter.run(self._order())
        assert calm.is_closed, "a node that nobody kills finishes its blocks"
        self._counts, self._calm_seconds = calm.counts, calm.seconds
        self._begin()
        self._counts |= self._starter.run(self._order(phase=SYNCING)).counts
        self._done = len(self.life.blocks)

    def _begin(self) -> None:
        """A store that does not exist yet."""
        self._stores += 1
        folder = self._folder / f"store-{self._stores}"
        self.store: KilledStore = FileStore(folder) if self._server is None else ServerStore(folder, self._server)
        self._done = 0

    def _order(self, **fields: Any) -> Order:
        return Order(str(self.store.folder), url=self.store.url, is_new=not self.store.exists, **fields)

    def close(self) -> None:
        """Stop the process that starts nodes."""
        self._starter.close()

    def kill(self, number: int) -> Outcome:
        """One node more, killed; what it left is whole. Raises AssertionError that names the command to see it again."""
        if not self._waiting:
            self._waiting = self._random.sample(self._pairs, len(self._pairs))
        phase, way = self._waiting.pop()
        order = self._order(phase=phase, way=way)
        try:
            for _ in range(ATTEMPTS_MAX):
                order = self._draw(phase, way)
                before = self._done
                run = self._starter.run(order)
                found = self._look(run)
                if not run.is_closed:
                    assert run.status in ENDS, f"the node ended by itself with {run.status}"
                    return Outcome(number, run.phase, way, before, before + len(run.took), found)
                # The machine may be quicker than when it was measured: else the moment would lie beyond the end again and again.
                self._calm_seconds = min(self._calm_seconds, run.seconds)
            raise AssertionError(f"{ATTEMPTS_MAX} nodes never came to this point")
        except Exception as fault:
            again = f"python scripts/crash.py --seed {self.seed} --kills {number + 1}"
            again += "" if self._server is None else " --database URL"
            raise AssertionError(f"kill {number}, {order}: {fault!r}; to see it again: {again}") from fault

    def _draw(self, phase: str, way: str) -> Order:
        """Where exactly. A store that is past this phase is finished first, and another begun."""
        if self._done == len(self.life.blocks) or (phase in ONLY_NEW and self.store.exists):
            self.finish()
            self._begin()
        if phase == OPENING and not self.store.exists:
            self._look(self._starter.run(self._order(phase=BLOCK, way=UNREPORTED, count=9)))
        draw = self._random
        most = self._counts.get((phase, way), 60 if phase == OPENING else 1)
        # Early moments are more likely, so that one store is killed several times before it is done.
        share = 1.0 if phase in (*ONLY_NEW, OPENING, CLOSING) else draw.random() ** 1.5
        count = 1 + int(most * share * draw.random())
        extra = 0
        if way == ANY_TIME:
            extra = int(draw.random() * self._calm_seconds * 1e6)
        elif way == MOMENT:
            extra = int(draw.random() ** 2 * MOMENT_MICROSECONDS)
        elif way == WRITE:
            extra = int(draw.random() * (CHECKPOINT_BYTES if phase in (CHECKPOINT, CLOSING) else WRITE_BYTES))
        return self._order(start=self._done, phase=phase, way=way, count=count, extra=extra)

    def _look(self, run: Run) -> int:
        """What the killed node left is whole, and holds what it had reported."""
        if not self.store.exists:
            assert not run.took, "blocks were reported without a store"
            return 0
        done = self._done + len(run.took)
        found = self.store.look(self.life, self._folder / "copy")
        ahead = 0 if run.is_closed else BATCH_BLOCKS if run.phase == SYNCING else 1
        assert done <= found <= done + ahead, f"{done} blocks were reported, and {found} are there"
        for number, tip in run.took.items():
            assert self.life.tips[number + 1].hex() == tip, "it reported another tip"
        self._done = found
        return found

    def finish(self) -> None:
        """Let a node go on to the last block, undisturbed; the store is then that of a node that was never killed."""
        run = self._starter.run(self._order(start=self._done))
        assert run.is_closed, f"the node ended with {run.status}"
        assert self._look(run) == len(self.life.blocks), "the node did not finish"
        self.store.remove()


def show_table(outcomes: list[Outcome]) -> str:
    """Kills by phase and way."""
    counted: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        counted.setdefault((outcome.phase, outcome.way), []).append(outcome)
    lines = [f"{'phase':<16}{'killed':<22}{'kills':>6}{'blocks in flight: lost':>24}{'kept':>6}"]
    for phase in WAYS:
        for way in dict.fromkeys(way for ways in WAYS.values() for way in ways):
            found = counted.get((phase, way), [])
            if found:
                kept = sum(outcome.found > outcome.reported for outcome in found)
                row = f"{phase:<16}{way:<22}{len(found):>6}"
                lines.append(
                    row + (f"{len(found) - kept:>24}{kept:>6}" if phase in WITH_BLOCKS else f"{'-':>24}{'-':>6}")
                )
    return "\n".join(lines)
