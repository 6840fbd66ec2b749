"""Where and how a node dies: an order, and what carries it out inside of the node's process."""

import os
import resource
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from tests.support.crash.life import STORE_FILE
from tests.support.crash.syscalls import SYNCS, Unsupported, kill_at

# Phases of a node's life.
MIGRATION: Final = "migration"
GENESIS: Final = "genesis"
OPENING: Final = "opening"
BLOCK: Final = "block"
REORGANISATION: Final = "reorganisation"
SYNCING: Final = "syncing"
CHECKPOINT: Final = "checkpoint"
CLOSING: Final = "closing"
WHENEVER: Final = "whenever"
PRUNING: Final = "pruning"
SNAPSHOT: Final = "snapshot"

# Ways to die.
STATEMENT: Final = "before a statement"
STEP: Final = "inside a statement"
BEFORE_COMMIT: Final = "before a commit"
WRITE: Final = "inside a write"
SYNC: Final = "written, not synced"
MOMENT: Final = "during a commit"
AFTER_COMMIT: Final = "after a commit"
UNREPORTED: Final = "done, not reported"
ANY_TIME: Final = "at any time"

STEPS_APART: Final = 20
"""Instructions of SQLite's machine between two looks inside a statement."""


@dataclass(frozen=True)
class Order:
    """Die in `phase` in this `way`, the `count`-th time that it comes up; `extra` is a byte offset or microseconds.

    A count of 0 is never reached. `start` is the number of blocks that the store has taken in already. A node that syncs commits
    many blocks at a time, and reports them when the last one is safe. `url` empty: the store is a file in `folder`; else `is_new`
    says whether it has no tables yet.
    """

    folder: str
    start: int = 0
    phase: str = BLOCK
    way: str = STATEMENT
    count: int = 0
    extra: int = 0
    url: str = ""
    is_new: bool = False


def die() -> None:
    """The end, without any warning."""
    os.kill(os.getpid(), signal.SIGKILL)


class Injector:
    """Counts what happens in each phase and carries out one order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._log = Path(order.folder) / f"{STORE_FILE}-wal"
        self._file = Path(order.folder) / STORE_FILE
        self.phase = OPENING
        self.counts: Counter[tuple[str, str]] = Counter()
        event.listen(Engine, "before_cursor_execute", lambda *_: self.reach(STATEMENT))
        if not order.url:
            event.listen(Engine, "connect", self._watch_steps)
        event.listen(Engine, "commit", lambda *_: self.before_commit())
        self._watch_commits()

    def _watch_steps(self, connection: Any, _record: Any) -> None:
        connection.set_progress_handler(lambda: self.reach(STEP), STEPS_APART)

    def _watch_commits(self) -> None:
        real, reach = DefaultDialect.do_commit, self.reach

        def commit(self: Any, dbapi_connection: Any) -> None:
            real(self, dbapi_connection)
            reach(AFTER_COMMIT)

        DefaultDialect.do_commit = commit

    def reach(self, way: str) -> bool:
        """Something came up: the end, if it is what was ordered."""
        if self._is_due(way):
            die()
        return False

    def _is_due(self, way: str) -> bool:
        key = (self.phase, way)
        self.counts[key] += 1
        order = self._order
        return (order.phase, order.way) == key and order.count == self.counts[key]

    def before_commit(self) -> None:
        """The node is about to write to its log."""
        self.reach(BEFORE_COMMIT)
        self.before_writing(self._log, self._order.extra)

    def before_checkpoint(self) -> None:
        """The log is about to be folded into the file, in the order of its pages."""
        self.before_writing(self._file, -self._order.extra)

    def before_writing(self, file: Path, beyond: int) -> None:
        """Let the process die at a byte, before its bytes are synced, or after some microseconds."""
        if self._is_due(WRITE):
            size = file.stat().st_size if file.exists() else 0
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it: a write would fail instead
            resource.setrlimit(resource.RLIMIT_FSIZE, (max(size + beyond, 0), resource.RLIM_INFINITY))
        if self._is_due(SYNC):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            try:
                kill_at(*SYNCS)
            except Unsupported:
                self._die_later()
        if self._is_due(MOMENT):
            self._die_later()

    def _die_later(self) -> None:
        def wait() -> None:
            time.sleep(self._order.extra / 1e6)
            die()

        threading.Thread(target=wait, daemon=True).start()
