"""Reading a whole store in order: one moment of it, and rows held against other rows."""

from sqlalchemy import Connection, Table, select

from node.store.tables import history, listing, records, transactions

FOLLOWING: tuple[Table, ...] = (records, transactions, history, listing)
"""Every table that follows from the active chain's blocks."""

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"


def begin_snapshot(connection: Connection) -> None:
    """Let everything that `connection` reads from now on belong to one moment, even while a node goes on writing."""
    connection.exec_driver_sql("BEGIN" if connection.dialect.name == "sqlite" else SNAPSHOT)


def find_difference(table: Table, stored: Connection, fresh: Connection) -> str | None:
    """The first row of `table`, in the order of its key, in which two stores differ; None if there is none."""
    query = select(table).order_by(*table.primary_key.columns)
    ours = fresh.execution_options(yield_per=10_000).execute(query)
    theirs = stored.execution_options(yield_per=10_000).execute(query)
    count = 0
    while True:
        expected, found = ours.fetchone(), theirs.fetchone()
        if expected is None and found is None:
            return None
        if expected is None or found is None or tuple(expected) != tuple(found):
            ours.close()
            theirs.close()
            return f"row {count} is {'missing' if found is None else 'not the expected one'}"
        count += 1
