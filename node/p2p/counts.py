"""What a node counts of its network since its start, for its operator."""

from dataclasses import dataclass

from node.p2p.connection import Connection


@dataclass(slots=True)
class PeerCounts:
    """What happened since the start. Bytes and frames: of connections that have ended."""

    offences: int = 0
    bans: int = 0
    refused: int = 0
    failed_handshakes: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    frames_sent: int = 0

    def add(self, peer: Connection) -> None:
        """A connection has ended."""
        self.bytes_received += peer.bytes_received
        self.bytes_sent += peer.bytes_sent
        self.frames_received += peer.frames_received
        self.frames_sent += peer.frames_sent
