"""Everything that the API reads from the store, as one consistent picture of the tip at a time.

A `Reader` keeps one connection open for each thread that reads; on SQLite in WAL mode it runs beside the writer and never waits for
it. `snapshot()` is a context manager: what is read within it belongs to one committed tip, even while blocks arrive.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cachetools import LRUCache
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from ledger.block import Block
from ledger.codec import unpack
from ledger.domains.loyalty.state import MEMBERS, PROGRAMS, Member, Program
from ledger.domains.rewards.state import HOLDS, Hold
from ledger.errors import Code
from ledger.events import Event, event_shape
from ledger.header import Header
from ledger.state import Stored, decode_record
from ledger.types import (
    INTEGER_MAX,
    Address,
    BlockHash,
    Height,
    HoldId,
    ProgramId,
    RecordKey,
    Slot,
    Timestamp,
    TxId,
    Work,
)
from node.errors import NodeError
from node.store.mentions import Mentions
from node.store.queries import Queries

STORE_EMPTY = Code("store.empty", "the store holds no chain yet", "Start the node once; it writes the first block.")

ROWS_MAX = 1_000
"""Rows of one page: bounds the time that one request may hold the event loop."""
EVENTS_MAX = 4_096
"""Events of one transaction: an earn batch has one for each of its 1,000 entries, and few besides."""
DAYS_MAX = 4_096
"""Days with totals of one program: more than ten years of daily expiries."""
HOLDS_MAX = 1_000
"""Open redemptions of one account that are added up."""
BLOCKS_REMEMBERED = 4
"""Decoded blocks kept in memory: people ask for transactions of the newest ones, and one block may have 16 MB."""
PROGRAMS_REMEMBERED = 1_024
"""Decoded program records kept in memory, by their bytes; nearly every answer about an account needs a few."""
POSITION_MAX = 2**31 - 1
"""Above every sequence number within a block."""

Position = tuple[int, int]
"""(height, sequence within the block): where a page of rows begins, itself not included."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The last block of the active chain."""

    hash: BlockHash
    height: Height
    header: Header


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block of the active chain, without its body."""

    hash: BlockHash
    height: Height
    header: Header
    transactions: int


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """A block that is known, active or not."""

    hash: BlockHash
    height: Height
    header: Header
    is_active: bool
    invalid_code: str


@dataclass(frozen=True, slots=True)
class TransactionPlace:
    """Where a transaction stands in the active chain; 0 is the first of its block."""

    height: Height
    position: int


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """Something that happened to a subject. `txid` is None for due work and rewards, which nobody sent."""

    height: Height
    sequence: int
    time: Timestamp
    txid: TxId | None
    event: Event


@dataclass(frozen=True, slots=True)
class BlockEventRow:
    """Something that happened in a block. `txid` is None for due work and rewards."""

    sequence: int
    txid: TxId | None
    event: Event


@dataclass(frozen=True, slots=True)
class ListedRow:
    """An object of a list, and the event that put it there."""

    id: bytes
    position: Position


@dataclass(frozen=True, slots=True)
class Membership:
    """An account's standing in one program, as it is recorded."""

    program_id: ProgramId
    program: Program
    member: Member


class Reader:
    """Reads the store through `engine`, which was opened for reading (`open_engine(url, read_only=True)`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queries = Queries(engine.dialect)
        self._threads = threading.local()
        self._connections: list[Connection] = []
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self.begin = "BEGIN" if engine.dialect.name == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        self._blocks: LRUCache[bytes, Block] = LRUCache(BLOCKS_REMEMBERED)
        self._programs: LRUCache[bytes, Program] = LRUCache(PROGRAMS_REMEMBERED)
        self._caches = threading.Lock()

    def snapshot(self) -> "Snapshot":
        """One consistent picture; use it in a `with` statement and not across an `await`.

        Statements go to the driver's cursor: SQLAlchemy's own way takes ten times as long as a small query on SQLite.
        """
        return Snapshot(self, self._queries)

    def open_snapshot(self) -> Any:
        """The thread's cursor, at the begin of a snapshot. A connection that was lost meanwhile is replaced by a new one."""
        cursor: Any = getattr(self._threads, "cursor", None)
        if cursor is not None:
            try:
                self.execute(cursor, self.begin)
                return cursor
            except DatabaseError as fault:
                if not self.drop_lost_connection(fault):
                    raise
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with self._caches:
            self._connections.append(connection)
        self._threads.connection = connection
        cursor = self._threads.cursor = connection.connection.cursor()
        self.execute(cursor, self.begin)
        return cursor

    def drop_lost_connection(self, fault: DatabaseError) -> bool:
        """Whether the fault is that the thread's connection is lost; then the next snapshot makes another."""
        connection: Connection = self._threads.connection
        raw: Any = connection.connection.dbapi_connection
        cause: Any = fault.orig  # the driver's own error
        if cause is None or not self._engine.dialect.is_disconnect(cause, raw, self._threads.cursor):
            return False
        self._threads.cursor = self._threads.connection = None
        with self._caches:
            self._connections.remove(connection)
        connection.invalidate()
        connection.close()
        return True

    def execute(self, cursor: Any, sql: str) -> None:
        """Run a statement without values. Raises `DatabaseError`."""
        try:
            cursor.execute(sql)
        except self._driver_error as fault:
            raise DatabaseError(sql, None, fault) from fault

    def decode_block(self, block_hash: BlockHash, data: bytes) -> Block:
        """A block from its bytes, remembered for the next question about it."""
        with self._caches:
            found = self._blocks.get(block_hash)
            if found is None:
                found = self._blocks[block_hash] = Block.decode(data)
            return found

    def remembered_block(self, block_hash: BlockHash) -> Block | None:
        """A block that was decoded lately."""
        with self._caches:
            return self._blocks.get(block_hash)

    def decode_program(self, value: bytes) -> Program:
        """A program's record from its bytes, remembered."""
        with self._caches:
            found = self._programs.get(value)
            if found is None:
                found = decode_record(RecordKey(PROGRAMS.prefix), unpack(value))
                self._programs[value] = found
            return found

    def close(self) -> None:
        """Close the connections of all threads; nobody may be reading."""
        with self._caches:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._threads = threading.local()
        self._engine.dispose()


class Snapshot:
    """A consistent picture of the store. It is a `StateView`, so the ledger's own functions read through it."""

    __slots__ = ("_cursor", "_queries", "_reader")

    def __init__(self, reader: Reader, queries: Queries) -> None:
        self._reader = reader
        self._cursor: Any = None
        self._queries = queries

    def __enter__(self) -> Self:
        self._cursor = self._reader.open_snapshot()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._reader.execute(self._cursor, "COMMIT" if kind is None else "ROLLBACK")
        except DatabaseError as fault:
            # Where the connection was lost, all was read by then, or a statement has failed and said so.
            if not self._reader.drop_lost_connection(fault):
                raise

    # --- the chain ---

    def tip(self) -> Tip:
        """The last block of the active chain. Raises `store.empty`."""
        rows = self._queries.tip.rows(self._cursor)
        if not rows:
            raise NodeError(STORE_EMPTY)
        block_hash, height, raw = rows[0]
        return Tip(BlockHash(block_hash), Height(height), Header.decode(raw))

    def blocks_below(self, height: int, limit: int) -> list[BlockRow]:
        """Active blocks below `height`, newest first."""
        rows = self._queries.blocks_below.rows(self._cursor, height, min(limit, ROWS_MAX))
        return [
            BlockRow(BlockHash(block_hash), Height(found), Header.decode(raw), count)
            for block_hash, found, raw, count in rows
        ]

    def header(self, block_hash: BlockHash) -> HeaderRow | None:
        """A known block's header, active or not."""
        rows = self._queries.header.rows(self._cursor, block_hash)
        if not rows:
            return None
        height, raw, invalid_code, active_hash = rows[0]
        is_active = active_hash is not None
        return HeaderRow(block_hash, Height(height), Header.decode(raw), is_active, invalid_code or "")

    def hash_at(self, height: Height) -> BlockHash | None:
        """Hash of the active block at `height`."""
        rows = self._queries.hash_at.rows(self._cursor, height)
        return BlockHash(rows[0][0]) if rows else None

    def work_at(self, height: Height) -> Work | None:
        """Work of the active chain from genesis to the block at `height`, both included."""
        rows = self._queries.work_at.rows(self._cursor, height)
        return Work(int.from_bytes(rows[0][0], "big")) if rows else None

    def block(self, block_hash: BlockHash) -> Block | None:
        """The whole block with this hash, if it is here."""
        remembered = self._reader.remembered_block(block_hash)
        if remembered is not None:
            return remembered
        rows = self._queries.body.rows(self._cursor, block_hash)
        return self._reader.decode_block(block_hash, rows[0][0]) if rows else None

    def raw_blocks(self, first: Height, limit: int, bytes_max: int) -> list[bytes]:
        """The bytes of active blocks from the height `first` on: at most `limit`, together at most `bytes_max`, at least one."""
        end, total = first, 0
        for height, size in self._queries.body_sizes.rows(self._cursor, first, min(limit, ROWS_MAX)):
            total += size
            if height != end or (total > bytes_max and end > first):
                break
            end = Height(height + 1)
        return [bytes(row[0]) for row in self._queries.bodies_between.rows(self._cursor, first, end)]

    def place_of(self, txid: TxId) -> TransactionPlace | None:
        """Where the transaction stands in the active chain."""
        rows = self._queries.place.rows(self._cursor, txid)
        return TransactionPlace(Height(rows[0][0]), rows[0][1]) if rows else None

    def txids_at(self, height: Height) -> list[TxId]:
        """The transactions of the active block at `height`, in order."""
        return [TxId(row[0]) for row in self._queries.txids.rows(self._cursor, height)]

    # --- records ---

    def stored(self, key: RecordKey) -> Stored | None:
        """The record under `key` with its slot, or None."""
        rows = self._queries.record.rows(self._cursor, key)
        if not rows:
            return None
        slot, value = rows[0]
        return Stored(Slot(slot), value, decode_record(key, unpack(value)))

    def record(self, key: RecordKey) -> Any:
        """The record under `key`, or None."""
        found = self.stored(key)
        return None if found is None else found.record

    def next_free(self, slot: Slot) -> Slot:
        """The free slot that follows the free slot `slot`."""
        return Slot(self._queries.next_free.rows(self._cursor, slot)[0][0])

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        """The smallest key of a table that is greater than `after`."""
        rows = self._queries.records_between.rows(self._cursor, after, bytes((prefix[0] + 1,)), 1)
        return RecordKey(rows[0][0]) if rows else None

    def records_after(self, prefix: bytes, limit: int) -> Mapping[RecordKey, Any]:
        """The records whose keys begin with `prefix` and go on, by key."""
        return self.records_between(prefix, prefix + b"\xff" * (128 - len(prefix)), limit)

    def records_between(self, after: bytes, end: bytes, limit: int) -> Mapping[RecordKey, Any]:
        """The records whose keys are greater than `after` and smaller than `end`, by key."""
        rows = self._queries.records_between.rows(self._cursor, after, end, limit)
        return {RecordKey(key): decode_record(RecordKey(key), unpack(value)) for key, value in rows}

    def memberships(self, account: Address, limit: int) -> list[Membership]:
        """The programs that `account` joined, left ones included, in the order of joining."""
        rows = self._queries.memberships.rows(self._cursor, account, MEMBERS.prefix, PROGRAMS.prefix, limit)
        key = RecordKey(MEMBERS.prefix)
        return [
            Membership(
                ProgramId(program), self._reader.decode_program(program_value), decode_record(key, unpack(member_value))
            )
            for program, program_value, member_value in rows
        ]

    def open_holds(self, account: Address) -> list[tuple[HoldId, Hold]]:
        """The account's redemptions that are neither fulfilled nor released."""
        rows = self._queries.holds.rows(self._cursor, account, HOLDS.prefix, HOLDS_MAX)
        key = RecordKey(HOLDS.prefix)
        return [(HoldId(hold), decode_record(key, unpack(value))) for hold, value in rows]

    def mentions(self, account: Address) -> Mentions:
        """Every row that holds the address, found by looking at all of them."""
        return Mentions(self._cursor, self._queries, account)

    # --- the read model ---

    def history(self, subject: bytes, before: Position | None, limit: int, name: str | None = None) -> list[HistoryRow]:
        """What happened to `subject` before a position, newest first; `name` keeps one kind of event."""
        height, sequence = before or (INTEGER_MAX, POSITION_MAX)
        if name is None:
            rows = self._queries.history.rows(self._cursor, subject, height, sequence, limit)
        else:
            rows = self._queries.history_named.rows(self._cursor, subject, height, sequence, limit, name)
        return [
            HistoryRow(
                height=Height(at),
                sequence=number,
                time=Header.decode(raw).time,
                txid=None if txid is None else TxId(txid),
                event=decode_event(event_name, data),
            )
            for at, number, event_name, data, raw, txid in rows
        ]

    def events_of(self, place: TransactionPlace) -> list[Event]:
        """What a transaction did, in order."""
        rows = self._queries.events_of.rows(self._cursor, place.height, place.position + 1, EVENTS_MAX)
        return [decode_event(name, data) for _, name, data in rows]

    def block_events(self, height: Height, first: int, limit: int, subject: bytes | None = None) -> list[BlockEventRow]:
        """What happened in the active block at `height` from the sequence number `first` on; `subject` keeps one history's."""
        if subject is None:
            rows = self._queries.block_events.rows(self._cursor, height, first, limit)
        else:
            rows = self._queries.block_events_of.rows(self._cursor, height, first, limit, subject)
        return [
            BlockEventRow(sequence, None if txid is None else TxId(txid), decode_event(name, data))
            for sequence, name, data, txid in rows
        ]

    def event_at(self, subject: bytes, position: Position) -> Event:
        """The event of `subject` at a position that a list named."""
        rows = self._queries.event_at.rows(self._cursor, subject, *position)
        assert rows, "a listed object has the event that listed it"
        return decode_event(*rows[0])

    def listed(self, parent: bytes, kind: str, after: Position | None, limit: int) -> list[ListedRow]:
        """The objects of a list after a position, oldest first."""
        height, sequence = after or (-1, -1)
        rows = self._queries.listing.rows(self._cursor, parent, kind, height, sequence, limit)
        return [ListedRow(found, (at, number)) for found, at, number in rows]

    def listed_last(self, parent: bytes, kind: str, limit: int) -> list[ListedRow]:
        """The last objects of a list, oldest first: what is new is among them, however long the list is."""
        rows = self._queries.listing_end.rows(self._cursor, parent, kind, limit)
        return [ListedRow(found, (at, number)) for found, at, number in reversed(rows)]


def decode_event(name: str, data: bytes) -> Event:
    """An event of the read model, from its name and its canonical fields."""
    return event_shape(name).decode(unpack(data), name)
