"""Whether the database itself is sound: its pages and its indices, as far as SQLite or the PostgreSQL server can say.

Rows that are read may all be right while a page is damaged where no row lies now, or an index has lost a row: the next write, or
the next search, meets it. Whatever could not be checked is said.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DatabaseError

from node.store.engine import corrupt_store
from node.store.tables import metadata

FAULTS_SHOWN: Final = 20
REFUSED_STATES: Final = frozenset({"42501", "42883"})
"""SQLSTATEs of PostgreSQL: insufficient_privilege, undefined_function (an older amcheck)."""
NO_AMCHECK: Final = (
    "amcheck is not installed in this database, so that no page of PostgreSQL was checked for damage and no index for its order: "
    "a superuser installs it with CREATE EXTENSION amcheck"
)
NOT_ALLOWED: Final = (
    "amcheck is installed, and {function} was refused to this user: no {what} was checked for damage; "
    "GRANT EXECUTE ON FUNCTION {function} lets it"
)
OLD_AMCHECK: Final = "this server's amcheck has no {function}: no {what} was checked for damage"

OUR_INDICES: Final = """
SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'btree' AND t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(%s) ORDER BY 1
"""
AMCHECK_SCHEMA: Final = """
SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'
"""


@dataclass(frozen=True, slots=True)
class Soundness:
    """What was checked and found in order, and what could not be checked."""

    text: str
    unchecked: tuple[str, ...] = ()


def check_soundness(connection: Connection) -> Soundness:
    """Let the database check itself. Raises `store.corrupt` with what it found, and the driver's errors."""
    if connection.dialect.name == "sqlite":
        found = [row[0] for row in connection.exec_driver_sql(f"PRAGMA integrity_check({FAULTS_SHOWN})")]
        if found != ["ok"]:
            raise corrupt_store(connection, "; ".join(found))
        return Soundness("integrity_check: ok")
    rows = _count_all(connection)
    checked, unchecked = _run_amcheck(connection)
    return Soundness(f"{rows} rows in {len(metadata.tables)} tables, the same by index{checked}", unchecked)


def _count_all(connection: Connection) -> int:
    """Every row is read once by its table and once by its index."""
    rows = 0
    for table in metadata.sorted_tables:
        by_table = _count_rows(connection, table, "enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")
        by_index = _count_rows(connection, table, "enable_seqscan")
        if by_table != by_index:
            reason = f"the index of the table {table.name} finds {by_index} rows, and the table has {by_table}"
            raise corrupt_store(connection, reason)
        rows += by_table
    return rows


def _count_rows(connection: Connection, table: Table, *forbidden: str) -> int:
    for name in forbidden:
        connection.exec_driver_sql(f"SET LOCAL {name} = off")
    count = connection.execute(select(func.count()).select_from(table)).scalar_one()
    for name in forbidden:
        connection.exec_driver_sql(f"SET LOCAL {name} = on")
    return count


def _run_amcheck(connection: Connection) -> tuple[str, tuple[str, ...]]:
    """Every b-tree with every row that it must hold (bt_index_check), and every table's pages (verify_heapam).

    In a session of its own: within a snapshot an index that was made after it can't be checked.
    """
    with connection.engine.connect() as plain:
        session = plain.execution_options(isolation_level="AUTOCOMMIT")
        schema = session.exec_driver_sql(AMCHECK_SCHEMA).scalar()
        if schema is None:
            return "", (NO_AMCHECK,)
        names = [table.name for table in metadata.sorted_tables]
        indices = [row[0] for row in session.exec_driver_sql(OUR_INDICES, (names,))]
        parts: list[str] = []
        unchecked: list[str] = []
        for function, what, objects, faults in (
            ("bt_index_check", "index", indices, _faults_of_index),
            ("verify_heapam", "table", names, _faults_of_table),
        ):
            try:
                for checked in objects:
                    reasons = list(faults(session, schema, checked))
                    if reasons:
                        raise corrupt_store(connection, f"{what} {checked}: {'; '.join(reasons)}")
                parts.append(f"{len(objects)} {'indices' if what == 'index' else 'tables'}")
            except DatabaseError as fault:
                state = getattr(fault.orig, "sqlstate", None)
                if state not in REFUSED_STATES:
                    raise
                text = NOT_ALLOWED if state == "42501" else OLD_AMCHECK
                unchecked.append(text.format(function=function, what=what))
        return f"; amcheck: {' and '.join(parts)}" if parts else "", tuple(unchecked)


def _faults_of_index(session: Connection, schema: str, index: str) -> Iterator[str]:
    """It raises XX002, index_corrupted, where something is wrong."""
    try:
        session.exec_driver_sql(f"SELECT {schema}.bt_index_check(%s::regclass, true)", (index,))
    except DatabaseError as fault:
        if getattr(fault.orig, "sqlstate", None) not in ("XX001", "XX002"):
            raise
        yield _first_line(fault.orig)


def _faults_of_table(session: Connection, schema: str, table: str) -> Iterator[str]:
    query = f"SELECT blkno, msg FROM {schema}.verify_heapam(%s::regclass) LIMIT {FAULTS_SHOWN}"
    for page, text in session.exec_driver_sql(query, (table,)):
        yield f"page {page}: {text}"


def _first_line(fault: Any) -> str:
    return re.split(r"[\r\n]", str(fault).strip(), maxsplit=1)[0]
