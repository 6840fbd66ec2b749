"""Two connections to one node: one of them goes, and both sides choose the same (spec NET-5)."""

from collections.abc import Iterable

from ledger.types import PublicKey
from node.p2p.connection import Connection


def find_other(connections: Iterable[Connection], peer: Connection) -> Connection | None:
    """Another connection to the same key whose handshake is done."""
    for other in connections:
        if other is not peer and other.is_ready and other.key == peer.key:
            return other
    return None


def choose_leaving_duplicate(own_key: PublicKey, newer: Connection, older: Connection) -> Connection:
    """Which of two connections to one node goes."""
    assert newer.key is not None, "its handshake is done"
    if newer.is_dialled == older.is_dialled:
        return newer
    is_dialled_kept = own_key < newer.key
    return older if newer.is_dialled == is_dialled_kept else newer
