"""Headers, bodies, the active chain and its undo data."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from ledger.block import Block, history_leaf
from ledger.difficulty import DifficultyState
from ledger.errors import Malformed
from ledger.header import Header
from ledger.transition import Undo
from ledger.types import BlockHash, Hash, Height, Timestamp, Work
from node.errors import NodeError
from node.store.engine import Bulk, corrupt_store, read
from node.store.tables import active, bodies, headers, undo


@dataclass(frozen=True, slots=True)
class KnownHeader:
    """A header whose work was checked, with what its descendants need. `work` is cumulative.

    `invalid_code` says why its body, or an ancestor's, can never be connected; empty if nothing speaks against it.
    """

    hash: BlockHash
    header: Header
    difficulty: DifficultyState
    work: Work
    invalid_code: str

    @property
    def height(self) -> Height:
        """Height of the block."""
        return self.difficulty.height

    @property
    def history_leaf(self) -> Hash:
        """Its leaf in the history of every later block."""
        return history_leaf(self.hash, self.work, self.difficulty.effective_time)


class BlockStore:
    """Reads and writes blocks on the writer's connection; the database transaction is the caller's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._header = select(headers).where(headers.c.hash == bindparam("wanted"))
        self._body = select(bodies.c.block).where(bodies.c.hash == bindparam("wanted"))
        self._active = select(active.c.hash).where(active.c.height == bindparam("wanted"))
        self._add_header = Bulk(
            connection,
            insert(headers),
            ("hash", "height", "previous", "raw", "work", "effective_time", "anchor_parent_time", "invalid_code"),
        )
        self._add_body = Bulk(connection, insert(bodies), ("hash", "block"))
        self._add_active = Bulk(connection, insert(active), ("height", "hash"))
        self._add_undo = Bulk(connection, insert(undo), ("height", "data"))

    def header(self, block_hash: BlockHash) -> KnownHeader | None:
        """The header with this hash, if it is known."""
        row = read(self._connection, self._header, {"wanted": block_hash}).first()
        return None if row is None else self._known(row)

    def body(self, block_hash: BlockHash) -> Block | None:
        """The whole block with this hash, if it is here."""
        data = self.raw_body(block_hash)
        return None if data is None else self._decode(data)

    def raw_body(self, block_hash: BlockHash) -> bytes | None:
        """The bytes of a block that is here."""
        return read(self._connection, self._body, {"wanted": block_hash}).scalar()

    def raw_headers(self, first: Height, count: int) -> bytes:
        """The bytes of the active chain's headers from the height `first` on, at most `count` of them, in a row."""
        joined = headers.join(active, headers.c.hash == active.c.hash)
        wanted = (active.c.height >= first) & (active.c.height < first + count)
        rows = read(self._connection, select(headers.c.raw).select_from(joined).where(wanted).order_by(active.c.height))
        return b"".join(rows.scalars())

    def corrupt(self, reason: str) -> NodeError:
        """What the store holds can't be what was written into it."""
        return corrupt_store(self._connection, reason)

    def _decode(self, data: bytes) -> Block:
        """A block that was whole when it was written. Raises `store.corrupt`, never what would blame the block."""
        try:
            return Block.decode(data)
        except (Malformed, TypeError) as fault:
            raise self.corrupt(str(fault)) from fault

    def add(self, known: KnownHeader, block_bytes: bytes) -> None:
        """Keep a block whose header is good and whose body belongs to it."""
        state = known.difficulty
        row = (
            known.hash,
            state.height,
            known.header.previous,
            known.header.encode(),
            known.work.to_bytes(32, "big"),
            state.effective_time,
            state.anchor_parent_time,
            known.invalid_code or None,
        )
        self._add_header.run([row])
        self._add_body.run([(known.hash, block_bytes)])

    def activate(self, known: KnownHeader, undo_data: Undo | None) -> None:
        """Make the block the active one at its height."""
        self._add_active.run([(known.height, known.hash)])
        if undo_data is not None:
            self._add_undo.run([(known.height, undo_data.encode())])

    def deactivate(self, height: Height) -> Undo:
        """Take the active block at `height` off the chain; returns how to undo it."""
        data = self._connection.execute(select(undo.c.data).where(undo.c.height == height)).scalar()
        if data is None:
            raise corrupt_store(self._connection, f"undo of block {height} is missing")
        for table in (active, undo):
            self._connection.execute(delete(table).where(table.c.height == height))
        try:
            return Undo.decode(data)
        except (Malformed, TypeError) as fault:
            raise self.corrupt(f"undo of block {height}: {fault}") from fault

    def condemn(self, block_hash: BlockHash, code: str) -> None:
        """Remember that a block can never be connected, nor anything that builds on it."""
        wanted = [block_hash]
        while wanted:
            self._connection.execute(update(headers).where(headers.c.hash.in_(wanted)).values(invalid_code=code))
            children = select(headers.c.hash).where(headers.c.previous.in_(wanted))
            wanted = [BlockHash(row[0]) for row in self._connection.execute(children)]

    def active_hash(self, height: Height) -> BlockHash | None:
        """Hash of the active block at `height`."""
        found = read(self._connection, self._active, {"wanted": height}).scalar()
        return None if found is None else BlockHash(found)

    def branch_of(self, tip: KnownHeader) -> list[KnownHeader]:
        """The blocks that lead to `tip`, beginning with the active block that they stand on."""
        found = [tip]
        while self.active_hash(found[-1].height) != found[-1].hash:
            parent = self.header(found[-1].header.previous)
            if parent is None:
                raise corrupt_store(self._connection, "a known header's parent is missing")
            found.append(parent)
        return found[::-1]

    def tip(self) -> KnownHeader | None:
        """The active block with the greatest height."""
        height = read(self._connection, select(func.max(active.c.height))).scalar()
        if height is None:
            return None
        block_hash = self.active_hash(Height(height))
        known = None if block_hash is None else self.header(block_hash)
        if known is None:
            raise self.corrupt(f"the header of block {height} is missing")
        return known

    def active_headers(self) -> Iterator[KnownHeader]:
        """The active chain's headers from genesis on."""
        joined = headers.join(active, headers.c.hash == active.c.hash)
        query = select(headers).select_from(joined).order_by(active.c.height)
        with self._connection.execute(query, execution_options={"yield_per": 10_000}) as rows:
            for row in rows:
                yield self._known(row)

    def all_headers(self) -> Iterator[KnownHeader]:
        """Every known header, each after its parent."""
        query = select(headers).order_by(headers.c.height, headers.c.hash)
        with self._connection.execute(query, execution_options={"yield_per": 10_000}) as rows:
            for row in rows:
                yield self._known(row)

    def active_blocks(self, first: Height) -> Iterator[Block]:
        """The active chain's blocks from the height `first` on."""
        joined = bodies.join(active, bodies.c.hash == active.c.hash)
        query = select(bodies.c.block).select_from(joined).where(active.c.height >= first).order_by(active.c.height)
        with self._connection.execute(query, execution_options={"yield_per": 16}) as rows:
            for row in rows:
                yield self._decode(row[0])

    def stale_blocks(self, first: Height) -> Iterator[Block]:
        """Blocks from the height `first` on that nothing speaks against and that are not active, the lowest first."""
        joined = headers.join(bodies, bodies.c.hash == headers.c.hash).outerjoin(
            active, active.c.hash == headers.c.hash
        )
        wanted = (headers.c.height >= first) & headers.c.invalid_code.is_(None) & active.c.height.is_(None)
        found = select(headers.c.hash).select_from(joined).where(wanted).order_by(headers.c.height, headers.c.hash)
        for (block_hash,) in self._connection.execute(found).fetchall():
            block = self.body(BlockHash(block_hash))
            if block is not None:
                yield block

    def _known(self, row: Row[tuple[object, ...]]) -> KnownHeader:
        """A header that was good when it was written. Raises `store.corrupt`."""
        try:
            return _decode_header(row)
        except (Malformed, TypeError, ValueError, OverflowError) as fault:
            raise corrupt_store(self._connection, f"a header: {fault}") from fault


def _decode_header(row: Row[tuple[object, ...]]) -> KnownHeader:
    height, header = Height(row.height), Header.decode(row.raw)
    return KnownHeader(
        hash=BlockHash(row.hash),
        header=header,
        difficulty=DifficultyState(
            height, header.time, Timestamp(row.effective_time), Timestamp(row.anchor_parent_time)
        ),
        work=Work(int.from_bytes(row.work, "big")),
        invalid_code=row.invalid_code or "",
    )
