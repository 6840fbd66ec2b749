"""The till's clock, and how far it may be trusted.

Two clocks are read: the time of day, which anybody may set, and a steady one, which only goes on. Once the time is known from the
node, the steady clock carries it further, so that a time of day that jumps is noticed at once, also without a network. After a
restart the steady clock says nothing; then the time of day must at least not lie before what was seen.
"""

import time
from dataclasses import dataclass
from typing import Final, Protocol

from api.till.errors import CLOCK_BACK, CLOCK_OFF, TillRefused
from api.wallet.receipts import CLOCK_SECONDS_MAX
from ledger.types import Timestamp

CLOCK_SECONDS_WARNED: Final = 60
"""A clock that is off by more still signs, and the status says it."""


class TillClock(Protocol):
    """The time of day in whole seconds, and a steady clock in seconds from anywhere."""

    def now(self) -> Timestamp:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...

    def steady(self) -> float:
        """Seconds that nobody sets; they go on while the computer sleeps, where the system can tell."""
        ...


class SystemTillClock:
    """The computer's clocks."""

    def now(self) -> Timestamp:
        """Seconds since 1970-01-01T00:00:00Z."""
        return Timestamp(int(time.time()))

    def steady(self) -> float:
        """Seconds since the computer started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class TimeAnchor:
    """A moment of which the time was known: by the node's clock, or only by this computer's own when the service started."""

    time: Timestamp
    steady: float
    is_nodes: bool


class ClockWatch:
    """Compares the time of day with what is known of it. `seen` is the latest time before this start, 0 where there is none."""

    def __init__(self, clock: TillClock, seen: Timestamp) -> None:
        self._clock = clock
        self._seen = seen
        self._anchor = TimeAnchor(clock.now(), clock.steady(), is_nodes=False)

    def set_by_node(self, node_time: Timestamp) -> None:
        """The node has just said what its clock says."""
        self._anchor = TimeAnchor(node_time, self._clock.steady(), is_nodes=True)

    @property
    def is_confirmed(self) -> bool:
        """Whether a node has said the time since the service started."""
        return self._anchor.is_nodes

    def offset(self) -> int:
        """By how many seconds the time of day is ahead of what it must be by the steady clock."""
        anchor = self._anchor
        return round(self._clock.now() - (anchor.time + self._clock.steady() - anchor.steady))

    def check(self) -> None:
        """Raise TillRefused till.clock_off or till.clock_back."""
        offset = self.offset()
        if abs(offset) > CLOCK_SECONDS_MAX:
            raise TillRefused(CLOCK_OFF, seconds=offset, maximum=CLOCK_SECONDS_MAX)
        behind = self._seen - self._clock.now()
        if not self._anchor.is_nodes and behind > CLOCK_SECONDS_MAX:
            raise TillRefused(CLOCK_BACK, seconds=behind)
