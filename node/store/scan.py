"""Reading a whole store in order, for audits and dumps: raw blocks, records of one table, and rows held against other rows."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, select

from ledger.codec import unpack
from ledger.errors import Code, Malformed
from ledger.events import Event
from ledger.state import SlotContent, decode_record
from ledger.transition import Undo
from ledger.types import Height, RecordKey, Slot
from node.errors import NodeError
from node.store.engine import corrupt_store
from node.store.reader import decode_event
from node.store.tables import active, bodies, history, listing, records, transactions, undo

BLOCK_MISSING = Code(
    "store.block_missing",
    "the body of block {height} is not in the store",
    "Restore the store from a copy, or sync again.",
)

FOLLOWING: tuple[Table, ...] = (records, transactions, history, listing)
"""Every table that follows from the active chain's blocks."""

KEY_BYTES_MAX = 128
"""The column's width: no key of a record is longer."""
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"


def begin_snapshot(connection: Connection) -> None:
    """Let everything that `connection` reads from now on belong to one moment, even while a node goes on writing."""
    connection.exec_driver_sql("BEGIN" if connection.dialect.name == "sqlite" else SNAPSHOT)


def read_raw_blocks(connection: Connection, first: Height) -> Iterator[bytes]:
    """The bytes of the active chain's blocks from `first` on. Raises `store.block_missing` where one is not there."""
    joined = active.join(bodies, bodies.c.hash == active.c.hash, isouter=True)
    query = (
        select(active.c.height, bodies.c.block)
        .select_from(joined)
        .where(active.c.height >= first)
        .order_by(active.c.height)
    )
    with connection.execute(query, execution_options={"yield_per": 16}) as rows:
        for height, raw in rows:
            if raw is None:
                raise NodeError(BLOCK_MISSING, height=height)
            yield bytes(raw)


def former_contents(connection: Connection, first: Height) -> dict[Slot, SlotContent]:
    """What slots held before the block `first`, of all that it and later blocks changed."""
    found: dict[Slot, SlotContent] = {}
    query = select(undo.c.data).where(undo.c.height >= first).order_by(undo.c.height.desc())
    with connection.execute(query, execution_options={"yield_per": 64}) as rows:
        for (data,) in rows:
            contents = Undo.decode(bytes(data)).contents
            found.update((slot, content) for slot, content in contents if content is not None)
    return found


def scan_records(connection: Connection, prefix: bytes) -> Iterator[tuple[RecordKey, Any]]:
    """The records whose keys begin with `prefix`, in the order of keys. Raises `store.corrupt`."""
    end = prefix + b"\xff" * (KEY_BYTES_MAX + 1 - len(prefix))
    query = select(records.c.key, records.c.value).where(records.c.key >= prefix, records.c.key < end)
    with connection.execute(query.order_by(records.c.key), execution_options={"yield_per": 5_000}) as rows:
        for key, value in rows:
            try:
                record = decode_record(RecordKey(key), unpack(value))
            except Malformed as fault:
                raise corrupt_store(connection, f"record {key.hex()}: {fault}") from fault
            yield RecordKey(bytes(key)), record


def scan_events(connection: Connection, name: str, subject: bytes | None = None) -> Iterator[tuple[Height, Event]]:
    """The events of one name in the order in which they happened; `subject` keeps those of its history.

    Without a subject, an event that stands in several histories comes once for each.
    """
    query = select(history.c.height, history.c.data).where(history.c.name == name)
    if subject is not None:
        query = query.where(history.c.subject == subject)
    ordered = query.order_by(history.c.height, history.c.sequence)
    with connection.execute(ordered, execution_options={"yield_per": 5_000}) as rows:
        for height, data in rows:
            yield Height(height), decode_event(name, data)


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
