"""Where the node gets its time from. Tests and the replay put their own clock in."""

import time
from typing import Protocol

from ledger.types import Timestamp


class Clock(Protocol):
    """The time of day, in whole seconds."""

    def now(self) -> Timestamp:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> Timestamp:
        """Seconds since 1970-01-01T00:00:00Z."""
        return Timestamp(int(time.time()))


class ManualClock:
    """A clock that stands still until it is told the time."""

    def __init__(self, time_s: int) -> None:
        self.time_s = time_s

    def now(self) -> Timestamp:
        """The time that was told last."""
        return Timestamp(self.time_s)

    def set(self, time_s: int) -> None:
        """Tell the time."""
        self.time_s = time_s
