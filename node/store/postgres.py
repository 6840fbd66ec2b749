"""PostgreSQL as the store: its sessions, the lock that keeps a second writer out, and rows sent as arrays.

A session of the writer holds an advisory lock from its first to its last moment, so whoever writes has it, also after a connection
was lost and made again; the server gives it back when the session ends, however it ends. The key is made from the schema: a
database may hold several stores, each in a schema of its own.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    URL,
    BindParameter,
    Connection,
    Delete,
    Engine,
    Insert,
    String,
    Text,
    Update,
    bindparam,
    column,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.visitors import replacement_traverse

LOCK_WAIT_MS = 2_000
"""How long a starting writer waits for the lock: a server needs a moment to notice that a node was killed."""
CONNECT_SECONDS_MAX = 10
KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""Seconds, and milliseconds: how soon a node notices that the server's machine is gone without a word."""
NEVER = "0"

SETTINGS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    # Short statements with known plans: compiling them would take longer than running them.
    "jit": "off",
    # A node reads and waits, for hours if nothing happens; a limit of the server's default would cut it off.
    "statement_timeout": NEVER,
    "idle_in_transaction_session_timeout": NEVER,
    "idle_session_timeout": NEVER,
    # A node whose machine is gone without a word must not keep the lock for the two hours of TCP's own default.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""For every session; one that an older server does not know is left out."""
WRITER_SETTINGS = SETTINGS | {
    # What a commit reported is on the disk, whatever the server's default is.
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "lock_timeout": str(LOCK_WAIT_MS),
}
READER_SETTINGS = SETTINGS | {"default_transaction_read_only": "on"}

SET_ALL = """
SELECT set_config(known.name, wanted.value, false)
FROM unnest(%s::text[], %s::text[]) AS wanted(name, value) JOIN pg_settings known USING (name)
"""
LOCK = "SELECT pg_advisory_lock(hashtextextended('fansumer store ' || current_schema(), 0))"
"""Of the session, not of a transaction: it stays through every commit and rollback."""


def create_postgres_engine(url: URL, *, read_only: bool) -> Engine:
    """An engine whose sessions have this project's settings. A writer's has one session, and that holds the lock."""
    arguments = {"connect_timeout": CONNECT_SECONDS_MAX, "application_name": "fansumer", **KEEPALIVES}
    if read_only:
        engine = create_engine(url, connect_args=arguments, poolclass=NullPool)  # whoever reads keeps its connection
        event.listen(engine, "connect", _configure_reader)
    else:
        engine = create_engine(url, connect_args=arguments, pool_size=1, max_overflow=0)
        event.listen(engine, "connect", _configure_writer)
    return engine


def _configure_reader(connection: Any, _record: Any) -> None:
    _configure(connection, READER_SETTINGS)


def _configure_writer(connection: Any, _record: Any) -> None:
    """Raises the driver's LockNotAvailable (55P03) where another writer has the lock."""
    _configure(connection, WRITER_SETTINGS, LOCK)


def _configure(connection: Any, settings: dict[str, str], *statements: str) -> None:
    try:
        connection.execute(SET_ALL, (list(settings), list(settings.values())))
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    except BaseException:
        connection.close()  # the pool does not know it yet
        raise


class ArrayStatement:
    """An insert, update or delete of many rows as one statement: the values travel as one binary array for each column."""

    def __init__(self, connection: Connection, statement: Insert | Update | Delete, names: Sequence[str]) -> None:
        plain: Any = statement.compile(dialect=connection.dialect)
        found = {name: plain.binds[name].type for name in names}
        # A cast to VARCHAR(n) would cut a text that is too long; the column itself refuses it.
        types = {name: Text() if isinstance(type_, String) else type_ for name, type_ in found.items()}
        arrays = func.unnest(*(bindparam(name, type_=ARRAY(types[name])) for name in names))
        given = arrays.table_valued(*(column(name, types[name]) for name in names)).render_derived(name="given")
        if isinstance(statement, Insert):
            whole: Any = statement.from_select(list(names), select(*given.c))
        else:
            whole = replacement_traverse(statement, {}, lambda element, **_: _given_for(element, given))
        sql = str(whole.compile(dialect=connection.dialect))
        self._connection = connection
        self._names = tuple(names)
        self._sql = re.sub(r"%\((\w+)\)s", r"%(\1)b", sql)

    def run(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for all rows at once; there is at least one."""
        columns = (list(values) for values in zip(*rows, strict=True))
        self._connection.exec_driver_sql(self._sql, dict(zip(self._names, columns, strict=True)))


def _given_for(element: Any, given: Any) -> Any:
    """What stands for a parameter: the column of the same name."""
    return given.c[element.key] if isinstance(element, BindParameter) else None
