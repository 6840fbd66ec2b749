"""Everything that the API reads from the store, as one consistent picture of the tip at a time.

A `Reader` keeps one connection open for each thread that reads; on SQLite in WAL mode it runs beside the writer and never waits for
it. `snapshot()` is a context manager: what is read within it belongs to one committed tip, even while blocks arrive.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cachetools import LRUCache
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    LargeBinary,
    Row,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    tuple_,
)

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
)
from node.errors import NodeError
from node.store.tables import active, bodies, headers, history, listing, records, transactions

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


class _Query:
    """A statement that is compiled once. Values are given in the order of `names`."""

    __slots__ = ("_names", "_order", "_sql")

    def __init__(self, dialect: Dialect, statement: Select[Any], *names: str) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names = names
        in_statement: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._order = None if in_statement is None else tuple(names.index(name) for name in in_statement)

    def rows(self, connection: Connection, *values: Any) -> Sequence[Row[Any]]:
        """Run it."""
        if self._order is None:
            parameters: Any = dict(zip(self._names, values, strict=True))
        else:
            parameters = tuple([values[index] for index in self._order])
        return connection.exec_driver_sql(self._sql, parameters).fetchall()


def _wanted(name: str) -> ColumnElement[bytes]:
    return bindparam(name, type_=LargeBinary)


def _record_key(*parts: Any) -> ColumnElement[bytes]:
    """The key of a record, put together by the database."""
    joined: Any = parts[0]
    for part in parts[1:]:
        joined = joined.op("||")(part)
    return cast(joined, LargeBinary)


class _Queries:
    """All statements of the reader, compiled for one database."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        limit: Any = bindparam("limit", type_=BigInteger)
        self._chain_queries(limit)
        self._record_queries(limit)
        self._history_queries(limit)
        self._listing_queries(limit)

    def _chain_queries(self, limit: Any) -> None:
        on_active = active.join(headers, headers.c.hash == active.c.hash)
        height: Any = bindparam("height", type_=BigInteger)
        tip = select(active.c.hash, active.c.height, headers.c.raw).select_from(on_active)
        self.tip = _Query(self._dialect, tip.order_by(active.c.height.desc()).limit(1))
        count = (
            select(func.count())
            .select_from(transactions)
            .where(transactions.c.height == active.c.height)
            .scalar_subquery()
        )
        below = (
            select(active.c.hash, active.c.height, headers.c.raw, count)
            .select_from(on_active)
            .where(active.c.height < height)
            .order_by(active.c.height.desc())
            .limit(limit)
        )
        self.blocks_below = _Query(self._dialect, below, "height", "limit")
        by_hash = (
            select(headers.c.height, headers.c.raw, headers.c.invalid_code, active.c.hash)
            .select_from(headers.join(active, active.c.hash == headers.c.hash, isouter=True))
            .where(headers.c.hash == _wanted("hash"))
        )
        self.header = _Query(self._dialect, by_hash, "hash")
        self.hash_at = _Query(self._dialect, select(active.c.hash).where(active.c.height == height), "height")
        self.body = _Query(self._dialect, select(bodies.c.block).where(bodies.c.hash == _wanted("hash")), "hash")
        place = select(transactions.c.height, transactions.c.position)
        self.place = _Query(self._dialect, place.where(transactions.c.txid == _wanted("txid")), "txid")
        txids = select(transactions.c.txid).where(transactions.c.height == height).order_by(transactions.c.position)
        self.txids = _Query(self._dialect, txids, "height")

    def _record_queries(self, limit: Any) -> None:
        key, slot = _wanted("key"), bindparam("slot", type_=BigInteger)
        self.record = _Query(self._dialect, select(records.c.slot, records.c.value).where(records.c.key == key), "key")
        self.next_free = _Query(self._dialect, select(records.c.next_free).where(records.c.slot == slot), "slot")
        ranged = (
            select(records.c.key, records.c.value)
            .where(records.c.key > _wanted("after"), records.c.key < _wanted("end"))
            .order_by(records.c.key)
            .limit(limit)
        )
        self.records_between = _Query(self._dialect, ranged, "after", "end", "limit")
        member, program = records.alias("member"), records.alias("program")
        account = _wanted("account")
        joined = listing.join(member, member.c.key == _record_key(_wanted("members"), listing.c.id, account)).join(
            program, program.c.key == _record_key(_wanted("programs"), listing.c.id)
        )
        memberships = (
            select(listing.c.id, program.c.value, member.c.value)
            .select_from(joined)
            .where(listing.c.parent == account, listing.c.kind == literal_column("'membership'"))
            .order_by(listing.c.height, listing.c.sequence)
            .limit(limit)
        )
        self.memberships = _Query(self._dialect, memberships, "account", "members", "programs", "limit")
        holds = (
            select(listing.c.id, records.c.value)
            .select_from(listing.join(records, records.c.key == _record_key(_wanted("holds"), listing.c.id)))
            .where(listing.c.parent == account, listing.c.kind == literal_column("'account_hold'"))
            .limit(limit)
        )
        self.holds = _Query(self._dialect, holds, "account", "holds", "limit")

    def _history_queries(self, limit: Any) -> None:
        before: Any = tuple_(bindparam("height", type_=BigInteger), bindparam("sequence", type_=BigInteger))
        joined = (
            history.join(active, active.c.height == history.c.height)
            .join(headers, headers.c.hash == active.c.hash)
            .join(
                transactions,
                (transactions.c.height == history.c.height) & (transactions.c.position == history.c.place - 1),
                isouter=True,
            )
        )
        columns = (history.c.height, history.c.sequence, history.c.name, history.c.data, headers.c.raw)
        page = (
            select(*columns, transactions.c.txid)
            .select_from(joined)
            .where(history.c.subject == _wanted("subject"))
            .where(tuple_(history.c.height, history.c.sequence) < before)
            .order_by(history.c.height.desc(), history.c.sequence.desc())
            .limit(limit)
        )
        named = page.where(history.c.name == bindparam("name"))
        self.history = _Query(self._dialect, page, "subject", "height", "sequence", "limit")
        self.history_named = _Query(self._dialect, named, "subject", "height", "sequence", "limit", "name")
        height, place = bindparam("height", type_=BigInteger), bindparam("place", type_=BigInteger)
        of_one = (
            select(history.c.sequence, history.c.name, history.c.data)
            .where(history.c.height == height, history.c.place == place)
            .distinct()
            .order_by(history.c.sequence)
            .limit(limit)
        )
        self.events_of = _Query(self._dialect, of_one, "height", "place", "limit")
        one = select(history.c.name, history.c.data).where(
            history.c.subject == _wanted("subject"),
            history.c.height == height,
            history.c.sequence == bindparam("sequence", type_=BigInteger),
        )
        self.event_at = _Query(self._dialect, one, "subject", "height", "sequence")

    def _listing_queries(self, limit: Any) -> None:
        after: Any = tuple_(bindparam("height", type_=BigInteger), bindparam("sequence", type_=BigInteger))
        page = (
            select(listing.c.id, listing.c.height, listing.c.sequence)
            .where(listing.c.parent == _wanted("parent"), listing.c.kind == bindparam("kind"))
            .where(tuple_(listing.c.height, listing.c.sequence) > after)
            .order_by(listing.c.height, listing.c.sequence)
            .limit(limit)
        )
        self.listing = _Query(self._dialect, page, "parent", "kind", "height", "sequence", "limit")


class Reader:
    """Reads the store through `engine`, which was opened for reading (`open_engine(url, read_only=True)`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queries = _Queries(engine.dialect)
        self._threads = threading.local()
        self._connections: list[Connection] = []
        self._begin = "BEGIN" if engine.dialect.name == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        self._blocks: LRUCache[bytes, Block] = LRUCache(BLOCKS_REMEMBERED)
        self._programs: LRUCache[bytes, Program] = LRUCache(PROGRAMS_REMEMBERED)
        self._caches = threading.Lock()

    def snapshot(self) -> "Snapshot":
        """One consistent picture; use it in a `with` statement and not across an `await`."""
        connection: Connection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._threads.connection = connection
            with self._caches:
                self._connections.append(connection)
        return Snapshot(self, connection, self._queries, self._begin)

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

    __slots__ = ("_begin", "_connection", "_queries", "_reader")

    def __init__(self, reader: Reader, connection: Connection, queries: _Queries, begin: str) -> None:
        self._reader = reader
        self._connection = connection
        self._queries = queries
        self._begin = begin

    def __enter__(self) -> Self:
        self._connection.exec_driver_sql(self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.exec_driver_sql("COMMIT" if kind is None else "ROLLBACK")

    # --- the chain ---

    def tip(self) -> Tip:
        """The last block of the active chain. Raises `store.empty`."""
        rows = self._queries.tip.rows(self._connection)
        if not rows:
            raise NodeError(STORE_EMPTY)
        block_hash, height, raw = rows[0]
        return Tip(BlockHash(block_hash), Height(height), Header.decode(raw))

    def blocks_below(self, height: int, limit: int) -> list[BlockRow]:
        """Active blocks below `height`, newest first."""
        rows = self._queries.blocks_below.rows(self._connection, height, min(limit, ROWS_MAX))
        return [
            BlockRow(BlockHash(block_hash), Height(found), Header.decode(raw), count)
            for block_hash, found, raw, count in rows
        ]

    def header(self, block_hash: BlockHash) -> HeaderRow | None:
        """A known block's header, active or not."""
        rows = self._queries.header.rows(self._connection, block_hash)
        if not rows:
            return None
        height, raw, invalid_code, active_hash = rows[0]
        is_active = active_hash is not None
        return HeaderRow(block_hash, Height(height), Header.decode(raw), is_active, invalid_code or "")

    def hash_at(self, height: Height) -> BlockHash | None:
        """Hash of the active block at `height`."""
        rows = self._queries.hash_at.rows(self._connection, height)
        return BlockHash(rows[0][0]) if rows else None

    def block(self, block_hash: BlockHash) -> Block | None:
        """The whole block with this hash, if it is here."""
        remembered = self._reader.remembered_block(block_hash)
        if remembered is not None:
            return remembered
        rows = self._queries.body.rows(self._connection, block_hash)
        return self._reader.decode_block(block_hash, rows[0][0]) if rows else None

    def place_of(self, txid: TxId) -> TransactionPlace | None:
        """Where the transaction stands in the active chain."""
        rows = self._queries.place.rows(self._connection, txid)
        return TransactionPlace(Height(rows[0][0]), rows[0][1]) if rows else None

    def txids_at(self, height: Height) -> list[TxId]:
        """The transactions of the active block at `height`, in order."""
        return [TxId(row[0]) for row in self._queries.txids.rows(self._connection, height)]

    # --- records ---

    def stored(self, key: RecordKey) -> Stored | None:
        """The record under `key` with its slot, or None."""
        rows = self._queries.record.rows(self._connection, key)
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
        return Slot(self._queries.next_free.rows(self._connection, slot)[0][0])

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        """The smallest key of a table that is greater than `after`."""
        rows = self._queries.records_between.rows(self._connection, after, bytes((prefix[0] + 1,)), 1)
        return RecordKey(rows[0][0]) if rows else None

    def records_after(self, prefix: bytes, limit: int) -> Mapping[RecordKey, Any]:
        """The records whose keys begin with `prefix` and go on, by key."""
        end = prefix + b"\xff" * (128 - len(prefix))
        rows = self._queries.records_between.rows(self._connection, prefix, end, limit)
        return {RecordKey(key): decode_record(RecordKey(key), unpack(value)) for key, value in rows}

    def memberships(self, account: Address, limit: int) -> list[Membership]:
        """The programs that `account` joined, left ones included, in the order of joining."""
        rows = self._queries.memberships.rows(self._connection, account, MEMBERS.prefix, PROGRAMS.prefix, limit)
        key = RecordKey(MEMBERS.prefix)
        return [
            Membership(
                ProgramId(program), self._reader.decode_program(program_value), decode_record(key, unpack(member_value))
            )
            for program, program_value, member_value in rows
        ]

    def open_holds(self, account: Address) -> list[tuple[HoldId, Hold]]:
        """The account's redemptions that are neither fulfilled nor released."""
        rows = self._queries.holds.rows(self._connection, account, HOLDS.prefix, HOLDS_MAX)
        key = RecordKey(HOLDS.prefix)
        return [(HoldId(hold), decode_record(key, unpack(value))) for hold, value in rows]

    # --- the read model ---

    def history(self, subject: bytes, before: Position | None, limit: int, name: str | None = None) -> list[HistoryRow]:
        """What happened to `subject` before a position, newest first; `name` keeps one kind of event."""
        height, sequence = before or (INTEGER_MAX, POSITION_MAX)
        if name is None:
            rows = self._queries.history.rows(self._connection, subject, height, sequence, limit)
        else:
            rows = self._queries.history_named.rows(self._connection, subject, height, sequence, limit, name)
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
        rows = self._queries.events_of.rows(self._connection, place.height, place.position + 1, EVENTS_MAX)
        return [decode_event(name, data) for _, name, data in rows]

    def event_at(self, subject: bytes, position: Position) -> Event:
        """The event of `subject` at a position that a list named."""
        rows = self._queries.event_at.rows(self._connection, subject, *position)
        assert rows, "a listed object has the event that listed it"
        return decode_event(*rows[0])

    def listed(self, parent: bytes, kind: str, after: Position | None, limit: int) -> list[ListedRow]:
        """The objects of a list after a position, oldest first."""
        height, sequence = after or (-1, -1)
        rows = self._queries.listing.rows(self._connection, parent, kind, height, sequence, limit)
        return [ListedRow(found, (at, number)) for found, at, number in rows]


def decode_event(name: str, data: bytes) -> Event:
    """An event of the read model, from its name and its canonical fields."""
    return event_shape(name).decode(unpack(data), name)
