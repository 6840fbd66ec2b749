"""What a node remembers of the network over a restart: its key, the address table, anchors and bans.

Two files in the data folder: `node.key` (32 bytes, for its owner only) and `peers.bin`, which may be deleted at any time.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from msgpack import packb, unpackb

from ledger.types import PrivateSeed, Timestamp
from node.p2p.address import PeerAddress
from node.p2p.addresses import Row
from node.p2p.scores import Ban

log = structlog.get_logger()

KEY_FILE, PEERS_FILE = "node.key", "peers.bin"
FORMAT = "fansumer peers 1"
PEERS_BYTES_MAX = 16_777_216
SEED_BYTES = 32


@dataclass(slots=True)
class PeerMemory:
    """What stands in `peers.bin`."""

    book_key: bytes
    rows: list[Row] = field(default_factory=list)
    anchors: list[PeerAddress] = field(default_factory=list)
    bans: Mapping[bytes, Ban] = field(default_factory=dict)


def read_node_key(folder: Path) -> PrivateSeed:
    """The node's key; a new one is made where there is none. Raises OSError."""
    path = folder / KEY_FILE
    try:
        seed = path.read_bytes()
    except FileNotFoundError:
        seed = b""
    if len(seed) == SEED_BYTES:
        return PrivateSeed(seed)
    seed = os.urandom(SEED_BYTES)
    _write(path, seed)
    return PrivateSeed(seed)


def read_memory(folder: Path) -> PeerMemory:
    """What was remembered; nothing where the file is missing or damaged: it is only a help."""
    fresh = PeerMemory(os.urandom(SEED_BYTES))
    try:
        data = (folder / PEERS_FILE).read_bytes()
    except OSError:
        return fresh
    try:
        return _decode(data)
    except (ValueError, TypeError, IndexError, KeyError, AttributeError) as fault:
        log.warning("p2p.memory_damaged", file=PEERS_FILE, reason=str(fault))
        return fresh


def _decode(data: bytes) -> PeerMemory:
    if len(data) > PEERS_BYTES_MAX:
        raise ValueError("it is too long")
    name, book_key, rows, anchors, bans = unpackb(data, use_list=False)
    if name != FORMAT or len(book_key) != SEED_BYTES:
        raise ValueError("it has another format")
    made = PeerMemory(book_key)
    for ip, port, source, seen, succeeded_at, attempts, is_tried in rows:
        if len(ip) not in (4, 16) or not 0 < port < 65_536:
            raise ValueError("an address in it is none")
        made.rows.append((ip, port, bytes(source), int(seen), int(succeeded_at), int(attempts), bool(is_tried)))
    made.anchors = [PeerAddress(bytes(ip), int(port)) for ip, port in anchors]
    made.bans = {bytes(host): Ban(Timestamp(int(until)), str(reason)) for host, until, reason in bans}
    return made


def write_memory(folder: Path, memory: PeerMemory) -> None:
    """Keep it. Raises OSError."""
    anchors = [(address.ip, address.port) for address in memory.anchors]
    bans = [(host, ban.until, ban.reason) for host, ban in memory.bans.items()]
    found: Any = packb((FORMAT, memory.book_key, memory.rows, anchors, bans))
    _write(folder / PEERS_FILE, found)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole, for its owner only."""
    beside = path.with_suffix(f"{path.suffix}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
