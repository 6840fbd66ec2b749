"""How much of the chain a store holds: all, or what pruning left, or what a snapshot brought (spec NET-16, NET-19)."""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from ledger.codec import pack, unpack
from ledger.errors import Code, Malformed
from ledger.params import Params
from ledger.schema import Integer, Row, Text
from ledger.types import BlockHash, Height
from node.errors import NodeError
from node.keeping import CERTIFICATES_KEPT_INTERVALS, PRUNE_BLOCKS_AT_ONCE, PRUNE_STEP_BLOCKS
from node.store.engine import corrupt_store, read
from node.store.tables import active, bodies, certificates, headers, justified, meta, undo

FORK_TOO_DEEP: Final = Code(
    "chain.fork_too_deep",
    "a branch with more work leaves this node's chain after block {fork}, and what it keeps leads back to block {floor} only",
    "Find out which of the two your peers follow; to follow the other one, start again with an empty data folder.",
)
HISTORY_INVALID: Final = Code(
    "snapshot.history_invalid",
    "block {height}, which the snapshot that this node began with stands on, is not valid: {reason}",
    "Trust nothing that this node said. Keep the log, tell others, and sync in full, from an empty data folder.",
)

LOWEST: Final = Height(0)
EXTENT: Final = "extent"
HEIGHT: Final = Integer(0, 2**32 - 1)
BLOCK_NOT_KEPT: Final = Code(
    "block.not_kept",
    "the block at height {height} is not in this node's store, which has them from {bodies_from} on",
    "Ask a node that keeps all blocks; `fansumer node status` says which a node has.",
)

EXTENT_SHAPE: Final = Row(HEIGHT, HEIGHT, HEIGHT, HEIGHT, HEIGHT, Text(0, 1_000))
REASON_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Extent:
    """What a store holds of its chain.

    `floor`: the lowest block that it can go back to. `bodies_from`, `history_from`: the heights from which on the blocks
    themselves, and the rows made of their events, are here. `snapshot`: the block whose state it began with, as long as what leads
    to it was not verified; 0 for none. `invalid`: the block at which that failed, and why (`reason`).
    """

    floor: Height = LOWEST
    bodies_from: Height = LOWEST
    history_from: Height = LOWEST
    snapshot: Height = LOWEST
    invalid: Height = LOWEST
    reason: str = ""

    @property
    def is_verified(self) -> bool:
        """Whether this node itself applied every block that its state comes from."""
        return not self.snapshot

    @property
    def has_all(self) -> bool:
        """Whether nothing is left out."""
        return not (self.floor or self.bodies_from or self.history_from or self.snapshot)

    def check(self) -> None:
        """Raise `snapshot.history_invalid` where that was found."""
        if self.invalid:
            raise NodeError(HISTORY_INVALID, height=self.invalid, reason=self.reason)


WHOLE: Final = Extent()


def read_extent(connection: Connection) -> Extent:
    """What the store says of itself. Raises `store.corrupt`."""
    data = read(connection, select(meta.c.value).where(meta.c.name == EXTENT)).scalar()
    if data is None:
        return WHOLE
    try:
        floor, bodies_from, history_from, snapshot, invalid, reason = EXTENT_SHAPE.decode(unpack(data), EXTENT)
    except (Malformed, TypeError) as fault:
        raise corrupt_store(connection, f"what it says of its extent: {fault}") from fault
    return Extent(Height(floor), Height(bodies_from), Height(history_from), Height(snapshot), Height(invalid), reason)


def write_extent(connection: Connection, extent: Extent) -> None:
    """Say so; the database transaction is the caller's."""
    reason = extent.reason[:REASON_CHARACTERS_MAX]
    row = (extent.floor, extent.bodies_from, extent.history_from, extent.snapshot, extent.invalid, reason)
    connection.execute(delete(meta).where(meta.c.name == EXTENT))
    if extent != WHOLE:
        connection.execute(insert(meta).values(name=EXTENT, value=pack(row)))


def prune(connection: Connection, extent: Extent, tip: Height, keep_blocks: int | None, params: Params) -> Extent:
    """Delete what only leads back more than `keep_blocks` below the tip, some of it at a time; what is held then.

    That is undo, the bodies that no window of the floor needs, branches that leave below it, and certificates that nobody needs
    who starts with a trusted checkpoint of the last year. Headers and the read model stay.
    The database transaction is the caller's.
    """
    floor = Height(0 if keep_blocks is None else max(tip - keep_blocks, 0))
    if floor - extent.floor < PRUNE_STEP_BLOCKS:
        return extent
    floor = Height(min(floor, extent.floor + PRUNE_BLOCKS_AT_ONCE))
    bodies_from = Height(max(floor - params.validity_blocks_max, extent.bodies_from))
    _drop_branches(connection, extent.floor, floor)
    connection.execute(delete(undo).where(undo.c.height <= floor))
    old = select(active.c.hash).where(active.c.height >= max(extent.bodies_from, 1), active.c.height < bodies_from)
    connection.execute(delete(bodies).where(bodies.c.hash.in_(old)))
    _drop_certificates(connection, floor, params)
    pruned = replace(extent, floor=floor, bodies_from=bodies_from)
    write_extent(connection, pruned)
    return pruned


def _drop_certificates(connection: Connection, floor: Height, params: Params) -> None:
    """Delete those of links far below the floor and the last final checkpoint (spec NET-16)."""
    if not params.attestors:
        return
    final = connection.execute(select(func.max(justified.c.height)).where(justified.c.is_final)).scalar() or 0
    low = min(final, floor) - CERTIFICATES_KEPT_INTERVALS * params.checkpoint_interval_blocks
    connection.execute(delete(certificates).where(certificates.c.height < low))


def _drop_branches(connection: Connection, first: Height, end: Height) -> None:
    """Delete the bodies of branches that leave the active chain at the heights `first` to `end` - 1: nobody goes there again."""
    inner = select(active.c.hash).where(active.c.height >= first, active.c.height < end)
    stale = select(headers.c.hash).where(
        headers.c.previous.in_(inner), headers.c.hash.not_in(select(active.c.hash).where(active.c.height <= end))
    )
    wanted = [BlockHash(row[0]) for row in connection.execute(stale)]
    while wanted:
        connection.execute(delete(bodies).where(bodies.c.hash.in_(wanted)))
        children = select(headers.c.hash).where(headers.c.previous.in_(wanted))
        wanted = [BlockHash(row[0]) for row in connection.execute(children)]
