"""A fake clock with a list of what happens when: everything in a simulation is an event, and there is no other time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.types import Timestamp


@dataclass(order=True, slots=True)
class Event:
    """Something that will happen. Events of one moment happen in the order in which they were planned."""

    at: float
    number: int
    happen: Callable[[], None] = field(compare=False)


class Timeline:
    """Seconds since the beginning of the simulation, and what comes next. `digest` tells whether two runs were the same."""

    def __init__(self) -> None:
        self.now = 0.0
        self._number = 0
        self._events: list[Event] = []
        self._digest = sha256()
        self.notes: list[str] = []

    def seconds(self) -> float:
        """Now (a `Stopwatch`)."""
        return self.now

    def plan(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        self._number += 1
        heapq.heappush(self._events, Event(self.now + max(0.0, seconds), self._number, happen))

    def run(self, until: float) -> None:
        """Let everything happen up to a moment."""
        while self._events and self._events[0].at <= until:
            event = heapq.heappop(self._events)
            self.now = event.at
            event.happen()
        self.now = until

    def note(self, text: str) -> None:
        """Write down what happened: people read it, and the digest is made of it."""
        line = f"{self.now:10.3f} {text}"
        self._digest.update(line.encode())
        self.notes.append(line)

    @property
    def digest(self) -> str:
        """Of all notes so far."""
        return self._digest.hexdigest()[:16]


class SkewedClock:
    """A node's clock of the day: the simulation's, and wrong by so many seconds."""

    def __init__(self, timeline: Timeline, begin: int, skew_seconds: float) -> None:
        self._timeline = timeline
        self._begin = begin
        self.skew_seconds = skew_seconds

    def now(self) -> Timestamp:
        """Seconds since 1970."""
        return Timestamp(int(self._begin + self._timeline.now + self.skew_seconds))
