"""Serving snapshots of the state to those who begin with one, and making them when they are due (spec NET-17)."""

from collections import deque
from collections.abc import Callable

import structlog

from ledger.types import BlockHash, Height
from node.errors import NodeError
from node.p2p.connection import Connection
from node.p2p.host import Host
from node.p2p.messages import (
    SNAPSHOTS,
    SNAPSHOTS_OFFERED_MAX,
    GetSnapshotPieces,
    GetSnapshots,
    Missing,
    SnapshotPiece,
    Snapshots,
)
from node.p2p.scores import LATE, Offence
from node.store.shelf import Shelf
from node.store.snapshot_maker import SnapshotMaker

log = structlog.get_logger()

PIECES_OWED_MAX = 1_024
"""Pieces that one peer may have asked for and not been sent."""

Run = Callable[[Callable[[], object]], None]


def run_here(do: Callable[[], object]) -> None:
    """Do it at once."""
    do()


class SnapshotService:
    """What is on the shelf, for whoever asks. `run` makes a snapshot without letting the network wait for it."""

    def __init__(self, host: Host, shelf: Shelf | None, maker: SnapshotMaker | None, run: Run = run_here) -> None:
        self._host, self._shelf, self._maker, self._run = host, shelf, maker, run
        self._owed: dict[Connection, deque[tuple[BlockHash, int]]] = {}
        self._is_making = False

    def add(self, peer: Connection) -> None:
        """A peer is ready."""
        self._owed[peer] = deque()

    def remove(self, peer: Connection) -> None:
        """A peer is gone."""
        self._owed.pop(peer, None)

    def serve_offer(self, peer: Connection, _: GetSnapshots) -> None:
        """Say which snapshots are here, of blocks that are on the chain still."""
        found = [] if self._shelf is None or self._host.extent.invalid else self._shelf.whole()
        active = [(it.height, it.hash) for it in found if self._host.hash_at(it.height) == it.hash]
        peer.send(Snapshots(tuple(active[:SNAPSHOTS_OFFERED_MAX])))

    def serve_pieces(self, peer: Connection, message: GetSnapshotPieces) -> None:
        """Owe a peer pieces; they are sent as it takes them. Raises `Offence`."""
        owed = self._owed[peer]
        if len(owed) + len(message.numbers) > PIECES_OWED_MAX:
            raise Offence(LATE, "more pieces than are owed to one peer")
        owed.extend((message.hash, number) for number in message.numbers)
        self._pay(peer, owed)

    def _pay(self, peer: Connection, owed: deque[tuple[BlockHash, int]]) -> None:
        while owed and not peer.is_blocked:
            block_hash, number = owed.popleft()
            found = None if self._shelf is None else self._shelf.piece(block_hash, number)
            if found is None:
                owed.clear()
                peer.send(Missing(SNAPSHOTS, (block_hash,)))
                return
            data, path = found
            peer.send(SnapshotPiece(block_hash, number, data, path))

    def tick(self) -> None:
        """Go on sending, and make what is due."""
        for peer, owed in self._owed.items():
            if owed:
                self._pay(peer, owed)
        if self._maker is None or self._is_making or self._host.extent.invalid:
            return
        height = self._maker.find_due(self._host.tip.height)
        if height is not None:
            self._is_making = True
            self._run(lambda: self._make(height))

    def _make(self, height: Height) -> None:
        assert self._maker is not None, "somebody makes it"
        try:
            self._maker.make(height)
        except NodeError as fault:
            log.warning("snapshot.not_made", height=height, code=fault.code.name, reason=str(fault))
        finally:
            self._is_making = False
