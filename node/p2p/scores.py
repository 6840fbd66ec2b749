"""Points for what peers do wrong, and who is banned (spec NET-14)."""

from dataclasses import dataclass

from ledger.errors import Code
from ledger.types import Timestamp
from node.p2p.address import PeerAddress

BANNED = Code("p2p.banned", "it is banned until {until:time}", "Wait, or lift the ban: fansumer node unban HOST.")

BAN_POINTS = 100
GRAVE, UNASKED, LATE = 100, 20, 10
FADING_PER_SECOND = 1 / 60
BAN_SECONDS = 24 * 3_600
HOSTS_MAX = 10_000
"""Hosts of which points or bans are remembered; the oldest go first."""


class Offence(Exception):
    """Something that a peer must not do. `points` count against its host, `reason` is for the log."""

    def __init__(self, points: int, reason: str) -> None:
        super().__init__(points, reason)
        self.points = points
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ban:
    """Until when, by the clock of the day, and why."""

    until: Timestamp
    reason: str


class Scores:
    """Points by host, which fade, and bans."""

    def __init__(self) -> None:
        self._points: dict[bytes, tuple[float, float]] = {}
        self._bans: dict[bytes, Ban] = {}

    def blame(self, address: PeerAddress, points: int, seconds: float) -> bool:
        """Add points at a moment in `seconds`; whether that makes it too many."""
        total = self.points(address, seconds) + points
        self._points.pop(address.host, None)
        if total >= BAN_POINTS:
            return True
        self._points[address.host] = (total, seconds)
        _keep_newest(self._points)
        return False

    def points(self, address: PeerAddress, seconds: float) -> float:
        """What a host has at a moment."""
        total, since = self._points.get(address.host, (0.0, seconds))
        return max(0.0, total - (seconds - since) * FADING_PER_SECOND)

    def ban(self, address: PeerAddress, until: Timestamp, reason: str) -> None:
        """Ban a host."""
        self._bans.pop(address.host, None)
        self._bans[address.host] = Ban(until, reason)
        _keep_newest(self._bans)

    def lift(self, host: bytes) -> bool:
        """Lift a ban; whether there was one."""
        return self._bans.pop(host, None) is not None

    def ban_of(self, address: PeerAddress, now: Timestamp) -> Ban | None:
        """The ban that holds for an address now."""
        found = self._bans.get(address.host)
        if found is not None and found.until <= now:
            del self._bans[address.host]
            return None
        return found

    def bans(self, now: Timestamp) -> dict[bytes, Ban]:
        """All that hold now, by host."""
        return {host: ban for host, ban in self._bans.items() if ban.until > now}

    def restore(self, bans: dict[bytes, Ban]) -> None:
        """Take up bans of before a restart."""
        self._bans.update(bans)


def _keep_newest(found: dict[bytes, object] | dict[bytes, Ban] | dict[bytes, tuple[float, float]]) -> None:
    while len(found) > HOSTS_MAX:
        found.pop(next(iter(found)))
