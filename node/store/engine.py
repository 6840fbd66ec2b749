"""Opening a database: pragmas, exclusive use, schema version, and faults in words."""

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Engine,
    Insert,
    Update,
    bindparam,
    create_engine,
    event,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import StaticPool

from ledger.errors import Code
from node.errors import NodeError

OTHER_CHAIN = Code(
    "store.other_chain",
    "the store holds the chain {found}, and the params are those of {expected}",
    "Use the params file that the store was made with, or another data folder.",
)
STORE_IN_USE = Code(
    "store.in_use",
    "another process uses the store {path}",
    "Stop the other node, or give this one a data folder of its own.",
)
STORE_FAILED = Code(
    "store.failed",
    "the database refused: {reason}",
    "Check disk space and permissions; what was committed before is safe.",
)
STORE_FULL = Code(
    "store.full",
    "the disk of the store {path} is full",
    "Make room on the disk and try again; what was committed before is safe.",
)
STORE_READ_ONLY = Code(
    "store.read_only",
    "the store {path} can't be written",
    "Check the permissions of its folder and files, and whether its disk is mounted for reading only.",
)
STORE_FOLDER = Code(
    "store.folder",
    "the data folder {path} can't be used: {reason}",
    "Check its permissions, or name another data folder.",
)
STORE_LOST = Code(
    "store.lost",
    "the store {path} was moved or deleted while the node ran",
    "Put it back where it was, or stop the node: what it took in now would be gone with the deleted file.",
)
STORE_CORRUPT = Code(
    "store.corrupt",
    "the store {path} is damaged: {reason}",
    "Restore it from a copy, or delete the folder and sync or replay again.",
)


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """An engine for `url` (`sqlite:///file`, `sqlite://` in memory, or `postgresql+psycopg://...`) with this project's settings."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url)
    options: dict[str, Any] = {} if parsed.database else {"poolclass": StaticPool}
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 10}, **options)
    event.listen(engine, "connect", _configure_reader if read_only else _configure_writer)
    if parsed.database and not read_only:
        _watch_files(engine, parsed.database)
    return engine


def _watch_files(engine: Engine, path: str) -> None:
    """Let no commit go to a file that has no name any more: it takes what is written as before, and that vanishes with it."""
    names = (path, f"{path}-wal")

    def remember(_connection: Any, record: Any) -> None:
        if Path(path).exists() and not os.access(path, os.W_OK):
            raise NodeError(STORE_READ_ONLY, path=path)  # SQLite would open it all the same, and refuse the first block
        record.info["files"] = dict.fromkeys(names)

    def compare(connection: Connection) -> None:
        known: dict[str, tuple[int, int] | None] = connection.info["files"]
        for name in names:
            try:
                found = Path(name).stat()
                place = (found.st_dev, found.st_ino)
            except OSError:
                place = None
            known[name] = known[name] or place
            if place != known[name]:
                raise NodeError(STORE_LOST, path=path)

    event.listen(engine, "connect", remember)
    event.listen(engine, "commit", compare)


def _configure_writer(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "temp_store=MEMORY",
        "cache_size=-65536",
        "wal_autocheckpoint=16384",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _configure_reader(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("query_only=ON", "cache_size=-32768", "mmap_size=268435456"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def folder_of_database(url: str) -> list[Path]:
    """The folder of an SQLite file: two nodes with data folders of their own must not meet in one database."""
    parsed = make_url(url)
    return [Path(parsed.database).resolve().parent] if parsed.get_backend_name() == "sqlite" and parsed.database else []


class StoreLock:
    """Exclusive use of a data folder by one process, given back when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: int | None = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise _explain_folder(fault, folder) from fault
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            os.close(self._file)
            raise _explain_folder(fault, folder) from fault

    def release(self) -> None:
        """Let another process use the folder; harmless a second time."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _explain_folder(fault: OSError, folder: Path) -> NodeError:
    if fault.errno in (errno.EWOULDBLOCK, errno.EACCES) and fault.filename is None:  # it was locking that failed
        return NodeError(STORE_IN_USE, path=str(folder))
    if fault.errno == errno.ENOSPC:
        return NodeError(STORE_FULL, path=str(folder))
    return NodeError(STORE_FOLDER, path=str(folder), reason=fault.strerror or "unknown reason")


class ManyKeys:
    """Reads the rows of many keys with one statement for a fixed number of them, compiled once."""

    def __init__(self, connection: Connection, columns: Any, key: ColumnElement[Any], count: int) -> None:
        names = [f"k{index}" for index in range(count)]
        statement = columns.where(key.in_([bindparam(name) for name in names]))
        compiled: Any = statement.compile(dialect=connection.dialect)
        self._connection = connection
        self._sql = str(compiled)
        self._names = None if compiled.positional else names
        self._count = count

    def rows(self, keys: Sequence[bytes]) -> Iterator[Any]:
        """The rows of all keys that exist, in no order."""
        for start in range(0, len(keys), self._count):
            part = tuple(keys[start : start + self._count])
            part += (b"",) * (self._count - len(part))  # no record has an empty key
            parameters: Any = part if self._names is None else dict(zip(self._names, part, strict=True))
            yield from self._connection.exec_driver_sql(self._sql, parameters).fetchall()


class Bulk:
    """One statement, compiled once, run with many rows of positional values."""

    def __init__(self, connection: Connection, statement: Insert | Update | Delete, names: Sequence[str]) -> None:
        compiled: Any = statement.compile(dialect=connection.dialect)
        self._connection = connection
        self._sql = str(compiled)
        order = list(compiled.positiontup) if compiled.positional else None
        self._names = tuple(names)
        self._positions = None if order is None else [self._names.index(name) for name in order]
        self._in_order = self._positions == list(range(len(self._names)))

    def run(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run the statement for every row, in one round trip where the driver can."""
        if not rows:
            return
        if self._positions is None:
            parameters: Any = [dict(zip(self._names, row, strict=True)) for row in rows]
        elif self._in_order:
            parameters = list(rows)
        else:
            parameters = [tuple([row[position] for position in self._positions]) for row in rows]
        self._connection.exec_driver_sql(self._sql, parameters)


def corrupt_store(connection: Connection, reason: str) -> NodeError:
    """What the store of this connection holds can't be what was written into it."""
    return NodeError(STORE_CORRUPT, path=str(connection.engine.url.database), reason=reason)


@contextmanager
def faults_explained(url: str) -> Iterator[None]:
    """What the database at `url` complains of within is told in words. Raises `NodeError`."""
    try:
        yield
    except DatabaseError as fault:
        raise explain_fault(fault, str(make_url(url).database)) from fault


def explain_fault(fault: DatabaseError, path: str) -> NodeError:
    """The database's complaint as an error that says what to do."""
    reason = str(fault.orig)
    # The node never writes a row twice: a rule of the schema that is broken means rows that are not where they were written.
    is_damage = isinstance(fault, IntegrityError) or "already exists" in reason
    if is_damage or "malformed" in reason or "not a database" in reason:
        return NodeError(STORE_CORRUPT, path=path, reason=reason)
    if "is locked" in reason:
        return NodeError(STORE_IN_USE, path=path)
    if "is full" in reason or "No space left" in reason:
        return NodeError(STORE_FULL, path=path)
    if "readonly database" in reason:
        return NodeError(STORE_READ_ONLY, path=path)
    return NodeError(STORE_FAILED, reason=reason)
