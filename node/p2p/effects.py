"""What the network code needs of the world: a way to send, time, and randomness. All of it is passed in (spec NET-1, NET-3)."""

import random
from dataclasses import dataclass
from typing import Protocol

from node.p2p.address import PeerAddress


class Transport(Protocol):
    """Carries frames. What comes of it is told to `Peers`: opened, failed, received, closed. No call of these waits."""

    def dial(self, link: int, address: PeerAddress) -> None:
        """Begin to connect; `link` is what the connection is called from now on."""
        ...

    def send(self, link: int, frame: bytes, lane: int) -> None:
        """Send a frame after those of its lane, and before all of a later lane."""
        ...

    def unsent_bytes(self, link: int) -> int:
        """How much of what was sent waits still."""
        ...

    def welcome(self, link: int) -> None:
        """The other side has shown who it is: from now on it may send large frames."""
        ...

    def close(self, link: int) -> None:
        """Send what waits in the first lane, for a moment, and close. `closed` is not told."""
        ...


class Stopwatch(Protocol):
    """Seconds that only go forward, from whatever beginning."""

    def seconds(self) -> float:
        """Now."""
        ...


@dataclass(frozen=True, slots=True)
class Effects:
    """All effects of one node's network code. `rng` must be hard to guess where it is no simulation."""

    transport: Transport
    stopwatch: Stopwatch
    rng: random.Random
