"""How a store begins: with genesis alone, or with a snapshot (spec NET-18)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from sqlalchemy import Connection, delete

from ledger.errors import Code
from ledger.genesis import Genesis
from ledger.state import SlotContent
from ledger.types import BlockHash, Height, Slot
from node.errors import NodeError
from node.store.blocks import BlockStore, KnownHeader
from node.store.engine import Bulk
from node.store.extent import Extent, write_extent
from node.store.pieces import StateSnapshot, decode_piece
from node.store.state import StateTree, StoreState
from node.store.tables import records

SNAPSHOT_UNUSABLE: Final = Code(
    "snapshot.unusable", "the snapshot of block {height} can't be used: {reason}", "Sync in full: leave --sync out."
)
ROWS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a store begins with: the headers from height 1 to the snapshot's, the newest of their blocks, and the pieces.

    `tip` is the snapshot's block. `bodies_from`: the first height whose body is here, `validity_blocks_max` before the snapshot's.
    """

    snapshot: StateSnapshot
    tip: KnownHeader
    headers: Iterable[KnownHeader]
    body: Callable[[BlockHash], bytes | None]
    pieces: Iterable[bytes]
    bodies_from: Height


def write_genesis(blocks: BlockStore, state: StoreState, genesis: Genesis) -> None:
    """Write the first block and its records; the database transaction is the caller's."""
    known = KnownHeader(BlockHash(genesis.chain_id), genesis.block.header, genesis.difficulty, genesis.work, "")
    blocks.add(known, genesis.block.encode())
    blocks.activate(known, None)
    state.write_genesis([(slot, content) for slot, content in genesis.contents])


def write_beginning(connection: Connection, beginning: Beginning) -> Extent:
    """Write it over genesis' records; the database transaction is the caller's. Raises `snapshot.unusable`."""
    snapshot, store = beginning.snapshot, BlockStore(connection)
    for known in beginning.headers:
        store.add_header(known)
        store.activate(known, None)
        if known.height >= beginning.bodies_from:
            body = beginning.body(known.hash)
            if body is None:
                raise NodeError(SNAPSHOT_UNUSABLE, height=snapshot.height, reason=f"block {known.height} is missing")
            store.add_body(known.hash, body)
    _write_records(connection, beginning.pieces)
    tree = StateTree()
    tree.rebuild(connection)
    if tree.root() != snapshot.root or len(tree.tree) != snapshot.slot_count:
        raise NodeError(
            SNAPSHOT_UNUSABLE, height=snapshot.height, reason="what lies on the disk is not what was fetched"
        )
    height = snapshot.height
    extent = Extent(height, beginning.bodies_from, Height(height + 1), snapshot=height)
    write_extent(connection, extent)
    return extent


def _write_records(connection: Connection, pieces: Iterable[bytes]) -> None:
    connection.execute(delete(records))
    statement = Bulk(connection, records.insert(), ("slot", "key", "value", "next_free"))
    rows: list[tuple[int, bytes | None, bytes, int]] = []
    for slot, content in _numbered(pieces):
        rows.append((slot, content.key or None, content.value_bytes, content.next_free))
        if len(rows) == ROWS_AT_ONCE:
            statement.run(rows)
            rows.clear()
    statement.run(rows)


def _numbered(pieces: Iterable[bytes]) -> Iterator[tuple[Slot, SlotContent]]:
    slots = count()
    for data in pieces:
        for content in decode_piece(data):
            yield Slot(next(slots)), content
