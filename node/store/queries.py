"""The statements of the reader, compiled once for one database: SQL that runs at the speed of the driver."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    LargeBinary,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.exc import DatabaseError

from node.store.tables import active, bodies, headers, history, listing, records, transactions, undo


class Query:
    """A statement that is compiled once. Values are given in the order of `names`; what it holds besides is constant."""

    __slots__ = ("_constants", "_driver_error", "_names", "_order", "_sql")

    def __init__(self, dialect: Dialect, statement: Select[*tuple[Any, ...]], *names: str) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._driver_error: type[Exception] = dialect.loaded_dbapi.Error
        constants = {name: value for name, value in compiled.params.items() if name not in names}
        self._names = (*names, *constants)
        self._constants = tuple(constants.values())
        in_statement: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._order = None if in_statement is None else tuple(self._names.index(name) for name in in_statement)

    def rows(self, cursor: Any, *values: Any) -> Any:
        """Run it on a driver's cursor; rows are tuples. Raises `DatabaseError`, as SQLAlchemy would."""
        given = (*values, *self._constants)
        if self._order is None:
            parameters: Any = dict(zip(self._names, given, strict=True))
        else:
            parameters = tuple([given[index] for index in self._order])
        try:
            cursor.execute(self._sql, parameters)
            return cursor.fetchall()
        except self._driver_error as fault:
            raise DatabaseError(self._sql, None, fault) from fault


def _wanted(name: str) -> ColumnElement[bytes]:
    return bindparam(name, type_=LargeBinary)


def _record_key(*parts: Any) -> ColumnElement[bytes]:
    """The key of a record, put together by the database."""
    joined: Any = parts[0]
    for part in parts[1:]:
        joined = joined.op("||")(part)
    return cast(joined, LargeBinary)


class Queries:
    """All statements of the reader, compiled for one database."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        limit: Any = bindparam("limit", type_=BigInteger)
        self._chain_queries(limit)
        self._record_queries(limit)
        self._history_queries(limit)
        self._listing_queries(limit)
        self._block_event_queries(limit)
        self._mention_queries()

    def _chain_queries(self, limit: Any) -> None:
        on_active = active.join(headers, headers.c.hash == active.c.hash)
        height: Any = bindparam("height", type_=BigInteger)
        tip = select(active.c.hash, active.c.height, headers.c.raw).select_from(on_active)
        self.tip = Query(self._dialect, tip.order_by(active.c.height.desc()).limit(1))
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
        self.blocks_below = Query(self._dialect, below, "height", "limit")
        by_hash = (
            select(headers.c.height, headers.c.raw, headers.c.invalid_code, active.c.hash)
            .select_from(headers.join(active, active.c.hash == headers.c.hash, isouter=True))
            .where(headers.c.hash == _wanted("hash"))
        )
        self.header = Query(self._dialect, by_hash, "hash")
        self.hash_at = Query(self._dialect, select(active.c.hash).where(active.c.height == height), "height")
        work = select(headers.c.work).select_from(on_active).where(active.c.height == height)
        self.work_at = Query(self._dialect, work, "height")
        self.body = Query(self._dialect, select(bodies.c.block).where(bodies.c.hash == _wanted("hash")), "hash")
        on_bodies = active.join(bodies, bodies.c.hash == active.c.hash)
        sizes = (
            select(active.c.height, func.length(bodies.c.block))
            .select_from(on_bodies)
            .where(active.c.height >= height)
            .order_by(active.c.height)
            .limit(limit)
        )
        self.body_sizes = Query(self._dialect, sizes, "height", "limit")
        raw = (
            select(bodies.c.block)
            .select_from(on_bodies)
            .where(active.c.height >= height, active.c.height < bindparam("end", type_=BigInteger))
            .order_by(active.c.height)
        )
        self.bodies_between = Query(self._dialect, raw, "height", "end")
        place = select(transactions.c.height, transactions.c.position)
        self.place = Query(self._dialect, place.where(transactions.c.txid == _wanted("txid")), "txid")
        txids = select(transactions.c.txid).where(transactions.c.height == height).order_by(transactions.c.position)
        self.txids = Query(self._dialect, txids, "height")

    def _record_queries(self, limit: Any) -> None:
        key, slot = _wanted("key"), bindparam("slot", type_=BigInteger)
        self.record = Query(self._dialect, select(records.c.slot, records.c.value).where(records.c.key == key), "key")
        self.next_free = Query(self._dialect, select(records.c.next_free).where(records.c.slot == slot), "slot")
        ranged = (
            select(records.c.key, records.c.value)
            .where(records.c.key > _wanted("after"), records.c.key < _wanted("end"))
            .order_by(records.c.key)
            .limit(limit)
        )
        self.records_between = Query(self._dialect, ranged, "after", "end", "limit")
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
        self.memberships = Query(self._dialect, memberships, "account", "members", "programs", "limit")
        holds = (
            select(listing.c.id, records.c.value)
            .select_from(listing.join(records, records.c.key == _record_key(_wanted("holds"), listing.c.id)))
            .where(listing.c.parent == account, listing.c.kind == literal_column("'account_hold'"))
            .limit(limit)
        )
        self.holds = Query(self._dialect, holds, "account", "holds", "limit")

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
        self.history = Query(self._dialect, page, "subject", "height", "sequence", "limit")
        self.history_named = Query(self._dialect, named, "subject", "height", "sequence", "limit", "name")
        height, place = bindparam("height", type_=BigInteger), bindparam("place", type_=BigInteger)
        of_one = (
            select(history.c.sequence, history.c.name, history.c.data)
            .where(history.c.height == height, history.c.place == place)
            .distinct()
            .order_by(history.c.sequence)
            .limit(limit)
        )
        self.events_of = Query(self._dialect, of_one, "height", "place", "limit")
        one = select(history.c.name, history.c.data).where(
            history.c.subject == _wanted("subject"),
            history.c.height == height,
            history.c.sequence == bindparam("sequence", type_=BigInteger),
        )
        self.event_at = Query(self._dialect, one, "subject", "height", "sequence")

    def _listing_queries(self, limit: Any) -> None:
        after: Any = tuple_(bindparam("height", type_=BigInteger), bindparam("sequence", type_=BigInteger))
        page = (
            select(listing.c.id, listing.c.height, listing.c.sequence)
            .where(listing.c.parent == _wanted("parent"), listing.c.kind == bindparam("kind"))
            .where(tuple_(listing.c.height, listing.c.sequence) > after)
            .order_by(listing.c.height, listing.c.sequence)
            .limit(limit)
        )
        self.listing = Query(self._dialect, page, "parent", "kind", "height", "sequence", "limit")
        last = (
            select(listing.c.id, listing.c.height, listing.c.sequence)
            .where(listing.c.parent == _wanted("parent"), listing.c.kind == bindparam("kind"))
            .order_by(listing.c.height.desc(), listing.c.sequence.desc())
            .limit(limit)
        )
        self.listing_end = Query(self._dialect, last, "parent", "kind", "limit")

    def _block_event_queries(self, limit: Any) -> None:
        joined = history.join(
            transactions,
            (transactions.c.height == history.c.height) & (transactions.c.position == history.c.place - 1),
            isouter=True,
        )
        of_block = (
            select(history.c.sequence, history.c.name, history.c.data, transactions.c.txid)
            .select_from(joined)
            .where(history.c.height == bindparam("height", type_=BigInteger))
            .where(history.c.sequence >= bindparam("sequence", type_=BigInteger))
            .distinct()
            .order_by(history.c.sequence)
            .limit(limit)
        )
        of_subject = of_block.where(history.c.subject == _wanted("subject"))
        self.block_events = Query(self._dialect, of_block, "height", "sequence", "limit")
        self.block_events_of = Query(self._dialect, of_subject, "height", "sequence", "limit", "subject")

    def _mention_queries(self) -> None:
        """Rows that hold certain bytes anywhere: each of these looks at a whole table (`node.store.mentions`)."""
        in_block = (
            select(headers.c.hash, headers.c.height, active.c.hash)
            .select_from(
                bodies.join(headers, headers.c.hash == bodies.c.hash).join(
                    active, active.c.hash == bodies.c.hash, isouter=True
                )
            )
            .where(self._holds(bodies.c.block))
            .order_by(headers.c.height, headers.c.hash)
        )
        self.blocks_holding = Query(self._dialect, in_block, "needle")
        in_record = select(records.c.slot, records.c.key, records.c.value).where(
            records.c.key.is_not(None), self._holds(records.c.key) | self._holds(records.c.value)
        )
        self.records_holding = Query(self._dialect, in_record.order_by(records.c.key), "needle")
        in_undo = select(undo.c.height, undo.c.data).where(self._holds(undo.c.data)).order_by(undo.c.height)
        self.undo_holding = Query(self._dialect, in_undo, "needle")
        in_history = (
            select(history.c.height, history.c.sequence, history.c.subject, history.c.name, history.c.data)
            .where((history.c.subject == _wanted("needle")) | self._holds(history.c.data))
            .order_by(history.c.height, history.c.sequence, history.c.subject)
        )
        self.history_holding = Query(self._dialect, in_history, "needle")
        in_listing = (
            select(listing.c.parent, listing.c.kind, listing.c.id, listing.c.height, listing.c.sequence)
            .where((listing.c.parent == _wanted("needle")) | self._holds(listing.c.id))
            .order_by(listing.c.parent, listing.c.kind, listing.c.height, listing.c.sequence)
        )
        self.listing_holding = Query(self._dialect, in_listing, "needle")

    def _holds(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a column of bytes holds the needle."""
        if self._dialect.name == "postgresql":
            return func.position(_wanted("needle").op("IN")(column)) > 0
        return func.instr(column, _wanted("needle")) > 0
