"""Making a snapshot of the state as it was after a block, from the store of a node that goes on meanwhile (spec NET-17)."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DatabaseError

from ledger.merkle import IncrementalTree
from ledger.state import SlotContent
from ledger.types import Height, RecordKey, Slot
from node.errors import NodeError
from node.store.blocks import BlockStore
from node.store.damage import read_commitment
from node.store.engine import corrupt_store, describe_store, explain_fault
from node.store.extent import read_extent
from node.store.pieces import PIECE_BYTES_MAX, PIECE_SLOTS, StateSnapshot, encode_piece, piece_root
from node.store.scan import begin_snapshot, former_contents
from node.store.shelf import Piece, Shelf
from node.store.tables import records

log = structlog.get_logger()

SNAPSHOT_EVERY_BLOCKS: Final = 1_000
"""Heights that are multiples of it: so that many nodes have the same ones. The lesser cost is the writing of the whole state."""
SNAPSHOT_DEPTH_BLOCKS: Final = 100
"""How many blocks stand on one before it is made, and before it is taken: no reorganisation that happens by chance goes so deep."""


def due_height(tip: Height, every: int = SNAPSHOT_EVERY_BLOCKS, depth: int = SNAPSHOT_DEPTH_BLOCKS) -> Height:
    """The height of the newest snapshot that a node with this tip should have; 0 for none."""
    return Height(max(tip - depth, 0) // every * every)


def make_snapshot(engine: Engine, shelf: Shelf, height: Height) -> StateSnapshot | None:
    """Put the state after the active block at `height` on the shelf; None where the store does not lead back so far.

    Reads one moment of the store, and takes back what later blocks changed. Raises `NodeError` store.*.
    """
    try:
        with engine.connect() as connection:
            begin_snapshot(connection)
            snapshot = _describe(connection, height)
            if snapshot is None:
                return None
            shelf.put_whole(snapshot, _pieces(connection, snapshot))
    except DatabaseError as fault:
        raise explain_fault(fault, describe_store(engine.url)) from fault
    log.info("snapshot.made", height=height, slots=snapshot.slot_count, pieces=snapshot.piece_count)
    return snapshot


def _describe(connection: Connection, height: Height) -> StateSnapshot | None:
    extent, store = read_extent(connection), BlockStore(connection)
    block_hash = store.active_hash(height)
    block = None if block_hash is None else store.body(block_hash)
    if block_hash is None or block is None or height < extent.floor or extent.invalid:
        return None
    commitment = read_commitment(connection, block)
    return StateSnapshot(height, block_hash, commitment.state_root, commitment.slot_count)


def _pieces(connection: Connection, snapshot: StateSnapshot) -> Iterator[Piece]:
    """Every piece in order. Raises `store.corrupt` at the end where they do not give the root that the block commits to."""
    contents = _contents(connection, snapshot)
    tree = IncrementalTree()
    for number in range(snapshot.piece_count):
        piece = list(islice(contents, PIECE_SLOTS))
        data, root = encode_piece(piece), piece_root(piece)
        if len(data) > PIECE_BYTES_MAX:
            raise corrupt_store(connection, f"piece {number} of a snapshot has {len(data)} bytes")
        tree.extend([root])
        yield number, root, data
    if tree.root() != snapshot.root or next(contents, None) is not None:
        raise corrupt_store(connection, f"its records do not lead back to the state after block {snapshot.height}")


def _contents(connection: Connection, snapshot: StateSnapshot) -> Iterator[SlotContent]:
    former = former_contents(connection, Height(snapshot.height + 1))
    query = select(records.c.slot, records.c.key, records.c.value, records.c.next_free)
    query = query.where(records.c.slot < snapshot.slot_count).order_by(records.c.slot)
    with connection.execute(query, execution_options={"yield_per": 10_000}) as rows:
        for slot, key, value, free in rows:
            yield former.get(Slot(slot)) or SlotContent(RecordKey(key or b""), value, Slot(free))


class SnapshotMaker:
    """Makes the snapshot that is due, once for each height. `every` and `depth`: see above."""

    def __init__(
        self, engine: Engine, shelf: Shelf, every: int = SNAPSHOT_EVERY_BLOCKS, depth: int = SNAPSHOT_DEPTH_BLOCKS
    ) -> None:
        self._engine, self._shelf = engine, shelf
        self._every, self._depth = every, depth
        self._tried = Height(0)

    def find_due(self, tip: Height) -> Height | None:
        """The height for which a snapshot is to be made now; None if none is."""
        height = due_height(tip, self._every, self._depth)
        if height <= self._tried:
            return None
        if any(found.height >= height for found in self._shelf.whole()):
            self._tried = height
            return None
        return height

    def make(self, height: Height) -> StateSnapshot | None:
        """Make it; a failure is logged, and the next height is tried in its time."""
        self._tried = height
        try:
            return make_snapshot(self._engine, self._shelf, height)
        except NodeError as fault:
            log.warning("snapshot.not_made", height=height, code=fault.code.name, reason=str(fault))
            return None

    def close(self) -> None:
        """Let the store go."""
        self._engine.dispose()
