"""Snapshots on disk: those that this node made or fetched and serves, and the one that it is fetching.

A database of its own, `snapshots.sqlite` in the data folder, also where the chain is on PostgreSQL. Everything in it can be made or
fetched again, so the file may be deleted while the node is stopped; what is half-fetched is gone on with after a restart.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError

from ledger.merkle import IncrementalTree
from ledger.types import BlockHash, Hash, Height
from node.store.engine import describe_store, explain_fault
from node.store.pieces import StateSnapshot

FILE: Final = "snapshots.sqlite"
KEPT_MAX: Final = 2
"""Whole snapshots that are kept: who fetches the older one can finish."""

metadata = MetaData()
snapshots = Table(
    "snapshots",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("slot_count", BigInteger, nullable=False),
    Column("is_whole", Boolean, nullable=False),
)
pieces = Table(
    "pieces",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("data", LargeBinary, nullable=False),
)
bodies = Table(
    "window_bodies",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("block", LargeBinary, nullable=False),
)

Piece = tuple[int, Hash, bytes]
"""Number, root, bytes."""


class Shelf:
    """The file. Each call is one database transaction; any thread may call, also while another one puts a snapshot there."""

    def __init__(self, engine: Engine) -> None:
        """Raises `NodeError` store.*."""
        self._engine = engine
        self._trees: dict[BlockHash, IncrementalTree] = {}
        try:
            metadata.create_all(engine)
        except DatabaseError as fault:
            raise explain_fault(fault, describe_store(engine.url)) from fault

    def close(self) -> None:
        """Close the file; harmless a second time."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Raises `NodeError` where the database fails."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except DatabaseError as fault:
            raise explain_fault(fault, describe_store(self._engine.url)) from fault

    # --- looking ---

    def whole(self) -> list[StateSnapshot]:
        """The snapshots that can be served, the newest first."""
        return self._find(is_whole=True)

    def begun(self) -> list[StateSnapshot]:
        """Those that are not all here."""
        return self._find(is_whole=False)

    def _find(self, *, is_whole: bool) -> list[StateSnapshot]:
        query = select(snapshots).where(snapshots.c.is_whole == is_whole).order_by(snapshots.c.height.desc())
        with self._transaction() as connection:
            return [
                StateSnapshot(Height(row.height), BlockHash(row.hash), Hash(row.root), row.slot_count)
                for row in connection.execute(query)
            ]

    def numbers(self, block_hash: BlockHash) -> set[int]:
        """Which pieces of a snapshot are here."""
        with self._transaction() as connection:
            return set(connection.execute(select(pieces.c.number).where(pieces.c.hash == block_hash)).scalars())

    def piece(self, block_hash: BlockHash, number: int) -> tuple[bytes, tuple[Hash, ...]] | None:
        """A piece of a whole snapshot, and its path to the state root; None for what is not here."""
        with self._transaction() as connection:
            query = select(pieces.c.data).where(pieces.c.hash == block_hash, pieces.c.number == number)
            data = connection.execute(query).scalar()
            is_whole = connection.execute(select(snapshots.c.is_whole).where(snapshots.c.hash == block_hash)).scalar()
            if data is None or not is_whole:
                return None
            tree = self._trees.get(block_hash)
            if tree is None:
                roots = select(pieces.c.root).where(pieces.c.hash == block_hash).order_by(pieces.c.number)
                tree = IncrementalTree(Hash(root) for root in connection.execute(roots).scalars())
                self._trees = {block_hash: tree}
        return bytes(data), tree.inclusion_path(number)

    def all_pieces(self, block_hash: BlockHash) -> Iterator[bytes]:
        """The bytes of a snapshot's pieces, in order."""
        query = select(pieces.c.data).where(pieces.c.hash == block_hash).order_by(pieces.c.number)
        with self._transaction() as connection:
            yield from connection.execute(query, execution_options={"yield_per": 64}).scalars()

    def body(self, block_hash: BlockHash) -> bytes | None:
        """A block that was fetched for the snapshot's window."""
        with self._transaction() as connection:
            return connection.execute(select(bodies.c.block).where(bodies.c.hash == block_hash)).scalar()

    # --- putting ---

    def begin(self, snapshot: StateSnapshot) -> None:
        """Let a snapshot be fetched; others that were begun are dropped."""
        with self._transaction() as connection:
            others = select(snapshots.c.hash).where(snapshots.c.is_whole.is_(False), snapshots.c.hash != snapshot.hash)
            connection.execute(delete(pieces).where(pieces.c.hash.in_(others)))
            connection.execute(
                delete(snapshots).where(snapshots.c.is_whole.is_(False), snapshots.c.hash != snapshot.hash)
            )
            known = connection.execute(select(snapshots.c.hash).where(snapshots.c.hash == snapshot.hash)).first()
            if known is None:
                connection.execute(delete(pieces).where(pieces.c.hash == snapshot.hash))
                connection.execute(insert(snapshots).values(_row(snapshot, is_whole=False)))

    def put_pieces(self, block_hash: BlockHash, found: Iterable[Piece]) -> None:
        """Keep pieces that were checked."""
        rows = [{"hash": block_hash, "number": number, "root": root, "data": data} for number, root, data in found]
        if rows:
            with self._transaction() as connection:
                connection.execute(insert(pieces), rows)

    def put_body(self, block_hash: BlockHash, height: Height, raw: bytes) -> None:
        """Keep a block of the window."""
        with self._transaction() as connection:
            connection.execute(delete(bodies).where(bodies.c.hash == block_hash))
            connection.execute(insert(bodies).values(hash=block_hash, height=height, block=raw))

    def put_whole(self, snapshot: StateSnapshot, found: Iterable[Piece]) -> None:
        """Keep a snapshot that was made here, all of it or nothing."""
        with self._transaction() as connection:
            for table in (pieces, snapshots):
                connection.execute(delete(table).where(table.c.hash == snapshot.hash))
            for number, root, data in found:
                connection.execute(insert(pieces).values(hash=snapshot.hash, number=number, root=root, data=data))
            connection.execute(insert(snapshots).values(_row(snapshot, is_whole=True)))
        self._keep_newest()

    def finish(self, block_hash: BlockHash) -> None:
        """A snapshot was fetched and found good: it is served to others, and the blocks of its window are elsewhere now."""
        with self._transaction() as connection:
            connection.execute(update(snapshots).where(snapshots.c.hash == block_hash).values(is_whole=True))
            connection.execute(delete(bodies))
        self._keep_newest()

    def drop_begun(self) -> None:
        """Forget what was not fetched to its end."""
        with self._transaction() as connection:
            begun = select(snapshots.c.hash).where(snapshots.c.is_whole.is_(False))
            connection.execute(delete(pieces).where(pieces.c.hash.in_(begun)))
            connection.execute(delete(snapshots).where(snapshots.c.is_whole.is_(False)))
            connection.execute(delete(bodies))

    def drop(self, block_hash: BlockHash) -> None:
        """Forget a snapshot."""
        with self._transaction() as connection:
            for table in (pieces, snapshots):
                connection.execute(delete(table).where(table.c.hash == block_hash))

    def _keep_newest(self) -> None:
        for old in self.whole()[KEPT_MAX:]:
            self.drop(old.hash)

    @property
    def piece_bytes(self) -> int:
        """How much all pieces take."""
        with self._transaction() as connection:
            return connection.execute(select(func.coalesce(func.sum(func.length(pieces.c.data)), 0))).scalar_one()


def _row(snapshot: StateSnapshot, *, is_whole: bool) -> dict[str, object]:
    return {
        "hash": snapshot.hash,
        "height": snapshot.height,
        "root": snapshot.root,
        "slot_count": snapshot.slot_count,
        "is_whole": is_whole,
    }
