"""Taking over what a second store of the same chain has and this one lacks: the history behind a snapshot, once it is verified.

It goes from the newest blocks to the oldest, so that at every commit all rows from some height on are here, and none below it.
"""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ledger.types import Height
from node.store.engine import Bulk
from node.store.extent import Extent, write_extent
from node.store.tables import (
    active,
    attestor_sets,
    bodies,
    certificates,
    history,
    justified,
    listing,
    transactions,
    undo,
)

HEIGHTS_AT_ONCE: Final = 200
TRANSACTIONS_AT_ONCE: Final = 4_000
"""Of one database transaction: about a second."""


def adopt_rows(connection: Connection, source: Connection, extent: Extent, *, with_bodies: bool) -> Extent:
    """Copy the rows of the newest blocks below `history_from`; the database transaction is the caller's.

    `with_bodies`: blocks and undo too, where they are lacking. What the extent is afterwards, which is written as well.
    """
    end = extent.history_from
    first = _choose_first(source, end)
    _copy(connection, source, transactions, first, end)
    _copy(connection, source, history, first, end)
    _copy_listing(connection, source, first, end)
    if with_bodies:
        extent = _adopt_blocks(connection, source, extent, first, end)
    found = replace(extent, history_from=Height(0) if first <= 1 else first)
    write_extent(connection, found)
    return found


def adopt_finality(connection: Connection, source: Connection) -> None:
    """Copy what the second store learned of finality and this one lacks; the database transaction is the caller's."""
    for table in (attestor_sets, justified, certificates):
        keys = [column.name for column in table.primary_key.columns]
        known = {tuple(row) for row in connection.execute(select(*(table.c[name] for name in keys))).all()}
        for row in source.execute(select(table)).mappings().all():
            if tuple(row[name] for name in keys) not in known:
                connection.execute(insert(table), dict(row))


def _choose_first(source: Connection, end: Height) -> Height:
    """From which height on: as many blocks as are few and have few transactions, at least one."""
    least = max(end - HEIGHTS_AT_ONCE, 1)
    query = (
        select(transactions.c.height, func.count())
        .where(transactions.c.height >= least, transactions.c.height < end)
        .group_by(transactions.c.height)
        .order_by(transactions.c.height.desc())
    )
    total = 0
    for height, number in source.execute(query).all():
        total += number
        if total > TRANSACTIONS_AT_ONCE:
            return Height(min(height + 1, end - 1))
    return Height(least)


def _rows(source: Connection, table: Table, first: int, end: int) -> list[tuple[Any, ...]]:
    query = select(table).where(table.c.height >= first, table.c.height < end).order_by(*table.primary_key.columns)
    return [tuple(row) for row in source.execute(query)]


def _copy(connection: Connection, source: Connection, table: Table, first: int, end: int) -> None:
    names = [column.name for column in table.columns]
    Bulk(connection, insert(table), names).run(_rows(source, table, first, end))


def _copy_listing(connection: Connection, source: Connection, first: int, end: int) -> None:
    """What was listed again after the snapshot stands where it was listed first."""
    dialect_insert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    statement = dialect_insert(listing)
    statement = statement.on_conflict_do_update(
        index_elements=["parent", "kind", "id"],
        set_={"height": statement.excluded.height, "sequence": statement.excluded.sequence},
    )
    for row in _rows(source, listing, first, end):
        connection.execute(statement, dict(zip(listing.columns.keys(), row, strict=True)))


def _adopt_blocks(connection: Connection, source: Connection, extent: Extent, first: int, end: int) -> Extent:
    """Undo, down from the floor, and bodies, down from the lowest that is here."""
    reached = Height(0) if first <= 1 else Height(first - 1)
    if first <= extent.floor < end:
        _copy(connection, source, undo, first, extent.floor + 1)
        extent = replace(extent, floor=reached)
    if first < extent.bodies_from <= end:
        query = select(active.c.hash, bodies.c.block).select_from(active.join(bodies, bodies.c.hash == active.c.hash))
        rows = source.execute(query.where(active.c.height >= first, active.c.height < extent.bodies_from)).all()
        Bulk(connection, insert(bodies), ("hash", "block")).run([tuple(row) for row in rows])
        extent = replace(extent, bodies_from=Height(0) if first <= 1 else Height(first))
    return extent
