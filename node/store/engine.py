"""Opening a database: pragmas, exclusive use, schema version, and faults in words."""

import errno
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    URL,
    ColumnElement,
    Connection,
    CursorResult,
    Delete,
    Engine,
    Executable,
    Insert,
    Update,
    any_,
    bindparam,
    create_engine,
    event,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError
from sqlalchemy.pool import StaticPool

from ledger.errors import Code
from node.errors import NodeError
from node.store.postgres import ArrayStatement, create_postgres_engine

OTHER_CHAIN = Code(
    "store.other_chain",
    "the store holds the chain {found}, and the params are those of {expected}",
    "Use the params file that the store was made with, or another data folder.",
)
STORE_IN_USE = Code(
    "store.in_use",
    "another process uses the store {path}",
    "Stop the other node, or give this one a data folder or database of its own.",
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

STORE_URL = Code(
    "store.url",
    "the database URL can't be used: {reason}",
    "Write sqlite:///FILE or postgresql://USER@HOST:PORT/DATABASE; a password is better kept in PGPASSWORD or ~/.pgpass.",
)
STORE_NO_DRIVER = Code(
    "store.no_driver",
    "the library for PostgreSQL, psycopg, is not installed",
    "Install the extra of that name: pip install 'fansumer[postgres]'.",
)
STORE_UNREACHABLE = Code(
    "store.unreachable",
    "the database server of the store {path} can't be reached: {reason}",
    "Start it, or check host and port of the URL; a node that runs goes on when it is back. What was committed is safe.",
)
STORE_REFUSED = Code(
    "store.refused",
    "the database server of the store {path} refuses: {reason}",
    "Check user, password (PGPASSWORD or ~/.pgpass), database name and what the user may do there.",
)

POSTGRES_NAMES = ("postgres", "postgresql", "postgresql+psycopg")


def read_url(text: str) -> URL:
    """The database URL that was written. Raises `store.url`; what was written is not repeated, it may hold a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as fault:
        raise NodeError(STORE_URL, reason="it is no URL") from fault
    if url.drivername in POSTGRES_NAMES:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        return url
    raise NodeError(STORE_URL, reason=f"{url.drivername} is neither sqlite nor postgresql")


def describe_store(url: URL) -> str:
    """Which store a URL means, without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database or "in memory")
    named = url.query.get("host", "")
    host = url.host or (named if isinstance(named, str) else ",".join(named))
    port = "" if url.port is None else f":{url.port}"
    return f"postgresql://{host}{port}/{url.database or ''}"


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """An engine for `url` (`sqlite:///file`, `sqlite://` in memory, or `postgresql://...`) with this project's settings.

    Raises `store.url` or `store.no_driver`. One for writing is for one writer: on PostgreSQL it has one connection, and no other
    process can have such a one for the same store.
    """
    parsed = read_url(url)
    if parsed.get_backend_name() != "sqlite":
        try:
            return create_postgres_engine(parsed, read_only=read_only)
        except ModuleNotFoundError as fault:
            raise NodeError(STORE_NO_DRIVER) from fault
        except ArgumentError as fault:
            raise NodeError(STORE_URL, reason="an option in it is not known") from fault
    options: dict[str, Any] = {} if parsed.database else {"poolclass": StaticPool}
    engine = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": 10}, **options)
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
    parsed = read_url(url)
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
        self._is_array = connection.dialect.name == "postgresql"
        if self._is_array:
            statement = columns.where(key == any_(bindparam("keys", type_=ARRAY(key.type))))
        else:
            statement = columns.where(key.in_([bindparam(f"k{index}") for index in range(count)]))
        self._connection = connection
        self._sql = str(statement.compile(dialect=connection.dialect))
        self._count = count

    def rows(self, keys: Sequence[bytes]) -> Iterator[Any]:
        """The rows of all keys that exist, in no order."""
        for start in range(0, len(keys), self._count):
            part = list(keys[start : start + self._count])
            if self._is_array:
                given: Any = {"keys": part}
            else:
                given = (*part, *(b"",) * (self._count - len(part)))  # no record has an empty key
            yield from self._connection.exec_driver_sql(self._sql, given).fetchall()


class Bulk:
    """One statement, compiled once, run with many rows of positional values."""

    def __init__(self, connection: Connection, statement: Insert | Update | Delete, names: Sequence[str]) -> None:
        self._arrays = ArrayStatement(connection, statement, names) if connection.dialect.name == "postgresql" else None
        compiled: Any = statement.compile(dialect=connection.dialect)
        self._connection = connection
        self._sql = str(compiled)
        self._positions = [names.index(name) for name in compiled.positiontup or ()]
        self._in_order = self._positions == list(range(len(names)))

    def run(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run the statement for every row, in one round trip where the driver can."""
        if not rows:
            return
        if self._arrays is not None:
            self._arrays.run(rows)
        elif self._in_order:
            self._connection.exec_driver_sql(self._sql, list(rows))
        else:
            parameters = [tuple([row[position] for position in self._positions]) for row in rows]
            self._connection.exec_driver_sql(self._sql, parameters)


LOADED = "fansumer.loaded"
"""Marks a database session to which what a chain has in memory belongs; one that was made anew after a fault does not have it."""


def read(connection: Connection, statement: Executable, values: Mapping[str, Any] | None = None) -> CursorResult[Any]:
    """Run a statement that reads, on the writer's connection. Raises `NodeError`.

    A fault ends the database transaction: until then PostgreSQL would refuse everything that follows. Memory may be ahead then.
    """
    try:
        return connection.execute(statement, values)
    except DatabaseError as fault:
        if not connection.invalidated:
            connection.info.pop(LOADED, None)
        with suppress(DatabaseError):
            connection.rollback()
        raise explain_fault(fault, describe_store(connection.engine.url)) from fault


def corrupt_store(connection: Connection, reason: str) -> NodeError:
    """What the store of this connection holds can't be what was written into it."""
    return NodeError(STORE_CORRUPT, path=describe_store(connection.engine.url), reason=reason)


@contextmanager
def faults_explained(url: str) -> Iterator[None]:
    """What the database at `url` complains of within is told in words. Raises `NodeError`."""
    try:
        yield
    except DatabaseError as fault:
        raise explain_fault(fault, describe_store(read_url(url))) from fault


def explain_fault(fault: DatabaseError, path: str) -> NodeError:
    """The database's complaint as an error that says what to do."""
    reason = " ".join(str(fault.orig).split()).partition(" Is the server running")[0]  # the advice says it
    is_postgres = type(fault.orig).__module__.startswith("psycopg")
    code = _code_of_postgres(fault, reason) if is_postgres else _code_of_sqlite(fault, reason)
    if code in (STORE_IN_USE, STORE_FULL, STORE_READ_ONLY):
        return NodeError(code, path=path)
    return NodeError(code, reason=reason) if code is STORE_FAILED else NodeError(code, path=path, reason=reason)


def _code_of_sqlite(fault: DatabaseError, reason: str) -> Code:
    # The node never writes a row twice: a rule of the schema that is broken means rows that are not where they were written.
    is_damage = isinstance(fault, IntegrityError) or "already exists" in reason
    if is_damage or "malformed" in reason or "not a database" in reason:
        return STORE_CORRUPT
    if "is locked" in reason:
        return STORE_IN_USE
    if "is full" in reason or "No space left" in reason:
        return STORE_FULL
    if "readonly database" in reason:
        return STORE_READ_ONLY
    return STORE_FAILED


SQLSTATES = {
    "53100": STORE_FULL,  # disk_full
    "55P03": STORE_IN_USE,  # lock_not_available
    "XX001": STORE_CORRUPT,  # data_corrupted
    "XX002": STORE_CORRUPT,  # index_corrupted
    "42501": STORE_REFUSED,  # insufficient_privilege
    "3F000": STORE_REFUSED,  # invalid_schema_name
    "25006": STORE_REFUSED,  # read_only_sql_transaction: a standby
}
CLASSES = {
    "08": STORE_UNREACHABLE,  # connection_exception
    "57": STORE_UNREACHABLE,  # operator_intervention: stopping, starting, or the session was ended
    "28": STORE_REFUSED,  # invalid_authorization_specification
    "23": STORE_CORRUPT,  # integrity_constraint_violation: a node writes no row twice, so rows are not where they were written
}
REFUSALS = ("authentication", "password", "does not exist", "pg_hba.conf", "permission denied for database")
"""Words of a server that answers a new connection with no: the driver gives no SQLSTATE there."""


def _code_of_postgres(fault: DatabaseError, reason: str) -> Code:
    state = getattr(fault.orig, "sqlstate", None)
    if state is not None:
        return SQLSTATES.get(state) or CLASSES.get(state[:2], STORE_FAILED)
    if "connection option" in reason:
        return STORE_URL
    if not isinstance(fault, OperationalError):
        return STORE_FAILED
    return STORE_REFUSED if "FATAL" in reason and any(word in reason for word in REFUSALS) else STORE_UNREACHABLE
