"""The disk of a simulated node: real files, and a power cut that leaves of what was being written what the seed decides.

The store is a real SQLite file with the project's settings, but for `fsync`, since there is no real power to be lost. A cut comes
in one of three places: before a statement; within a commit, so that of the sectors that it writes to the log some are there and
some are not; or while the log is copied to the file, whose sectors are then old and new at random. SQLite's own order is kept: a
commit's log is whole before anything is copied, and the log's header before its frames. `peers.bin` and `node.key` are written by
the node's own code; a cut leaves their new file in part, or whole and not yet in its place, or in its place.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, event

from ledger.types import PrivateSeed
from node.p2p.memory import KEY_FILE, PEERS_FILE, PeerMemory, read_memory, read_node_key, write_memory
from node.store.engine import open_engine
from node.store.tables import metadata
from tests.simulation.faults import POWER_CUT, TORN_COPY, TORN_KEY, TORN_PEERS, TORN_STORE, FaultCount

SECTOR_BYTES = 512
LOG_HEADER_BYTES = 32
PAGES_COPIED_AT = (8, 24, 60, 16_384)
"""After how many pages SQLite copies its log to the file; small ones let it happen within a simulation."""
TORN_FILES = {PEERS_FILE: TORN_PEERS, KEY_FILE: TORN_KEY}


class PowerCut(BaseException):
    """The machine stops here: nothing after it is done, not even what a program does when it fails."""


class FakeDisk:
    """A data folder that outlives crashes. `faults` counts what was done to it."""

    def __init__(self, rng: random.Random, faults: FaultCount) -> None:
        self._rng, self._faults = rng, faults
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="fansumer-sim-", dir=memory if memory.is_dir() else None))
        self._store, self._log = self.folder / "chain.sqlite", self.folder / "chain.sqlite-wal"
        self._pages_copied_at = rng.choice(PAGES_COPIED_AT)
        self._statements_left: int | None = None
        self._commits_left: int | None = None
        self._file_cut: tuple[str, int] | None = None
        self._is_cut = False
        self._after: tuple[bytes, bytes] | None = None
        self._kept: tuple[PeerMemory | None, PeerMemory | None] = (None, None)
        self._key: bytes | None = None
        self._open()
        metadata.create_all(self.engine)

    def _open(self) -> None:
        self.engine = open_engine(f"sqlite:///{self._store}")
        event.listen(self.engine, "connect", self._configure)
        event.listen(self.engine, "before_cursor_execute", self._count_statement)
        event.listen(self.engine, "commit", self._count_commit)

    def _configure(self, connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(f"PRAGMA wal_autocheckpoint={self._pages_copied_at}")

    def close(self) -> None:
        """Throw it away."""
        self.engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- power cuts ---

    def cut_at_statement(self, number: int) -> None:
        """Stop before the statement of that number that the chain gives to its database."""
        self._statements_left = number

    def cut_in_commit(self, number: int) -> None:
        """Stop within the commit of that number."""
        self._commits_left = number

    def cut_in_file(self, name: str, place: int) -> None:
        """Stop when the file is written next: 0 within its bytes, 1 before it comes to its place, 2 afterwards."""
        self._file_cut = (name, place)

    def calm_down(self) -> None:
        """Plan no cut any more."""
        self._statements_left = self._commits_left = self._file_cut = None

    def _count_statement(self, *_: object) -> None:
        if self._is_cut:
            raise PowerCut
        if self._statements_left is not None:
            self._statements_left -= 1
            if self._statements_left <= 0:
                self._cut(POWER_CUT)

    def _cut(self, fault: str) -> None:
        self._is_cut = True
        self._faults.note(fault)
        raise PowerCut

    def _count_commit(self, connection: Connection) -> None:
        if self._commits_left is None or self._is_cut:
            return
        self._commits_left -= 1
        if self._commits_left > 0:
            return
        before = self._read()
        driver: Any = connection.connection.dbapi_connection
        driver.commit()
        self._after, is_copied = self._tear(before, self._read())
        self._cut(TORN_COPY if is_copied else TORN_STORE)

    def _read(self) -> tuple[bytes, bytes]:
        return self._store.read_bytes(), self._log.read_bytes() if self._log.exists() else b""

    def _tear(self, before: tuple[bytes, bytes], after: tuple[bytes, bytes]) -> tuple[tuple[bytes, bytes], bool]:
        """What is on the disk if the power goes between `before` and `after`; whether it went while the log was copied."""
        old_store, old_log = before
        new_store, new_log = after
        if old_store != new_store and self._rng.random() < 0.7:
            return (self._mix(old_store, new_store), new_log), True
        if old_log[:LOG_HEADER_BYTES] != new_log[:LOG_HEADER_BYTES] and self._rng.random() < 0.3:
            part = self._rng.randrange(LOG_HEADER_BYTES)
            return (old_store, new_log[:part] + old_log[part:]), False
        head = new_log[:LOG_HEADER_BYTES]
        return (old_store, head + self._mix(old_log, new_log)[LOG_HEADER_BYTES:]), False

    def _mix(self, old: bytes, new: bytes) -> bytes:
        """Some sectors of the new, the others of the old; the file may be longer already, or not yet."""
        share = self._rng.choice((0.0, 0.1, 0.5, 0.9, 0.99))
        end = len(new) if self._rng.random() < 0.5 else max(len(old), self._rng.randrange(len(new) + 1))
        old = old.ljust(end, b"\0")[:end] if end > len(old) else old
        parts: list[bytes] = []
        for start in range(0, len(old), SECTOR_BYTES):
            source = new if start < len(new) and self._rng.random() < share else old
            parts.append(source[start : start + SECTOR_BYTES])
        return b"".join(parts)

    def lose_power(self) -> None:
        """Whoever used it is gone: what is on the disk now is what the cut left, and the next one may open it."""
        store, log = self._after or self._read()
        self.engine.dispose()  # the last one who closes an SQLite file tidies up, for which a crash leaves no time
        self._store.write_bytes(store)
        self._log.write_bytes(log)
        Path(f"{self._store}-shm").unlink(missing_ok=True)
        self._after, self._is_cut = None, False
        self.calm_down()
        self._open()

    # --- the small files ---

    def read_key(self) -> PrivateSeed:
        """The node's key, made at its first start."""
        found = self._with_files(KEY_FILE, lambda: read_node_key(self.folder))
        assert self._key in (None, found), "the node's key is another one after a restart"
        self._key = found
        return found

    def read_memory(self) -> PeerMemory:
        """What the node remembers of others. It must be what was kept last, or what was being kept."""
        found = self._with_files(PEERS_FILE, lambda: read_memory(self.folder))
        kept = [memory.rows for memory in self._kept if memory is not None]
        assert not kept or found.rows in kept or (self._kept[0] is None and not found.rows), "peers.bin was torn"
        self._kept = (found, None)
        return found

    def keep(self, memory: PeerMemory) -> None:
        """Write what the node remembers."""
        self._kept = (self._kept[0], memory)
        self._with_files(PEERS_FILE, lambda: write_memory(self.folder, memory))
        self._kept = (memory, None)

    def _with_files(self, name: str, do: Callable[[], Any]) -> Any:
        """Run the node's own code on real files, with this disk's chance and its cuts."""
        place = self._file_cut[1] if self._file_cut is not None and self._file_cut[0] == name else None
        written: list[int] = []

        def sync(descriptor: int) -> None:
            written.append(descriptor)
            if place == 0:
                os.ftruncate(descriptor, self._rng.randrange(os.fstat(descriptor).st_size + 1))
            if place in (0, 1):
                self._file_cut = None
                self._cut(TORN_FILES[name])

        with ExitStack() as stack:
            stack.enter_context(patch.object(os, "fsync", sync))
            stack.enter_context(patch.object(os, "urandom", self._rng.randbytes))
            found = do()
        if place == 2 and written:
            self._file_cut = None
            self._key = found if name == KEY_FILE else self._key
            self._cut(TORN_FILES[name])
        return found
