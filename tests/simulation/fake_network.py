"""A network of fake wires: frames take their time, connections break, sides are cut off from each other.

Within one lane of one connection frames keep their order, as TCP's do, but where a seed wants it otherwise; between connections
they overtake each other as they like. A frame that is lost is one that the other program threw away: with TCP the line breaks.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from node.p2p.address import PeerAddress
from node.p2p.messages import (
    LANES,
    BlockBody,
    CompactBlock,
    GetBlocks,
    GetHeaders,
    GetTransactions,
    Inventory,
)
from tests.simulation.events import Timeline
from tests.simulation.faults import (
    BROKEN_LINE,
    DOUBLED,
    ECLIPSE,
    LATE,
    LOST,
    OVERTAKEN,
    PARTITION,
    SILENT_PARTITION,
    SLOW,
    SLOW_SECONDS,
    FaultCount,
)

DIAL_SECONDS_MAX = 10.0
DOUBLED_TAGS = frozenset(
    bytes([message.tag]) for message in (GetHeaders, GetBlocks, BlockBody, GetTransactions, Inventory, CompactBlock)
)
"""What a confused peer may say twice, too late or not at all without being blamed for more than its slowness."""
LATE_SECONDS_MAX = 5.0


class Station(Protocol):
    """Whoever sits at an address of the fake network."""

    address: PeerAddress
    side: int
    """Which part of the network, while it is cut in parts."""

    def take(self, wire: "WireEnd", address: PeerAddress) -> None:
        """Somebody dialled."""
        ...

    def open(self, link: int, wire: "WireEnd") -> None:
        """The connection that was dialled is open."""
        ...

    def fail(self, link: int) -> None:
        """It did not come about."""
        ...

    def hear(self, wire: "WireEnd", frame: bytes) -> None:
        """A frame came."""
        ...

    def lose(self, wire: "WireEnd") -> None:
        """The connection ended."""
        ...


@dataclass(slots=True)
class Weather:
    """How bad the network is. Probabilities are for each frame."""

    delay_min: float = 0.02
    delay_max: float = 0.3
    bytes_per_second: float = 1_000_000
    break_chance: float = 0.0
    double_chance: float = 0.0
    loss_chance: float = 0.0
    late_chance: float = 0.0

    def calm_down(self) -> None:
        """Frames come again, once and in their order."""
        self.break_chance = self.double_chance = self.loss_chance = self.late_chance = 0.0


@dataclass(eq=False, slots=True)
class WireEnd:
    """One end of a connection. `other` None: it was closed."""

    owner: Station
    link: int
    other: "WireEnd | None" = None
    unsent: int = 0
    free_at: list[float] = field(default_factory=lambda: [0.0 for _ in LANES])
    held: list[tuple[bytes, int]] = field(default_factory=list)
    is_shut: bool = False


class FakeNetwork:
    """All stations and wires. `rng` decides about everything that is chance here."""

    def __init__(self, timeline: Timeline, rng: random.Random, weather: Weather) -> None:
        self.timeline = timeline
        self.weather = weather
        self._rng = rng
        self._stations: dict[PeerAddress, Station] = {}
        self._wires: list[WireEnd] = []
        self._captors: dict[Station, tuple[Station, ...]] = {}
        self._newest: dict[Station, int] = {}
        self.faults = FaultCount()
        self.frames = 0
        self.bytes = 0
        self.is_cut = False
        self.is_cut_silent = False

    def join(self, station: Station) -> None:
        """Somebody listens at its address."""
        self._stations[station.address] = station

    def leave(self, station: Station) -> None:
        """It is off: all its connections break."""
        self._stations.pop(station.address, None)
        for wire in [wire for wire in self._wires if wire.owner is station]:
            self._snap(wire)

    # --- parts ---

    def cut(self, *, is_silent: bool) -> None:
        """From now on nothing gets from one side to another. Silent: connections stay, and what is sent comes afterwards."""
        self.is_cut, self.is_cut_silent = True, is_silent
        self.faults.note(SILENT_PARTITION if is_silent else PARTITION)
        if not is_silent:
            for wire in list(self._wires):
                if wire.other is not None and self._is_apart(wire):
                    self._snap(wire)

    def heal(self) -> None:
        """The sides hear each other again."""
        self.is_cut = False
        for wire in list(self._wires):
            held, wire.held = wire.held, []
            for frame, lane in held:
                self._carry(wire, frame, lane)

    def _is_apart(self, wire: WireEnd) -> bool:
        return self.is_cut and wire.other is not None and wire.owner.side != wire.other.owner.side

    # --- eclipses ---

    def eclipse(self, station: Station, captors: tuple[Station, ...]) -> None:
        """From now on nobody but its captors reaches a station, nor does it reach anybody else."""
        self._captors[station] = captors
        self.faults.note(ECLIPSE)
        for wire in list(self._wires):
            if wire.other is not None and not self._may_meet(wire.owner, wire.other.owner):
                self._snap(wire)

    def free(self, station: Station) -> None:
        """Everybody reaches it again."""
        self._captors.pop(station, None)

    def is_eclipsed(self, station: Station) -> bool:
        """Whether its captors hold it."""
        return station in self._captors

    def _may_meet(self, one: Station, other: Station) -> bool:
        is_free = one not in self._captors or other in self._captors[one]
        return is_free and (other not in self._captors or one in self._captors[other])

    # --- connections ---

    def dial(self, station: Station, link: int, address: PeerAddress, is_wanted: Callable[[], bool]) -> None:
        """Try to connect, and tell the station, unless that is not wanted any more by then."""
        self.timeline.plan(self._delay(), lambda: self._connect(station, link, address, is_wanted))

    def _connect(self, station: Station, link: int, address: PeerAddress, is_wanted: Callable[[], bool]) -> None:
        if not is_wanted():
            return
        target = self._stations.get(address)
        is_there = target is not None and self._may_meet(station, target)
        if target is None or not is_there or (self.is_cut and target.side != station.side):
            wait = self._rng.uniform(0.1, DIAL_SECONDS_MAX)
            self.timeline.plan(wait, lambda: station.fail(link) if is_wanted() else None)
            return
        near, far = WireEnd(station, link), WireEnd(target, 0)
        near.other, far.other = far, near
        self._wires += [near, far]
        target.take(far, station.address)
        station.open(link, near)

    def send(self, wire: WireEnd, frame: bytes, lane: int) -> None:
        """Send a frame; it may break the connection instead of coming."""
        if wire.is_shut or wire.other is None:
            return
        self.frames += 1
        self.bytes += len(frame)
        wire.unsent += len(frame)
        if self._rng.random() < self.weather.break_chance:
            self.faults.note(BROKEN_LINE)
            self.timeline.note(f"wire breaks between {wire.owner.address} and {wire.other.owner.address}")
            self._snap(wire)
            return
        if self._is_apart(wire):
            wire.held.append((frame, lane))
            return
        if frame[1:2] in DOUBLED_TAGS and self._mistreat(wire, frame, lane):
            return
        self._carry(wire, frame, lane)

    def _mistreat(self, wire: WireEnd, frame: bytes, lane: int) -> bool:
        """Lose, double or hold up a frame, now and then; whether nothing more is to be done with it."""
        chance = self._rng.random()
        weather = self.weather
        if chance < weather.loss_chance:
            self.faults.note(LOST)
            wire.unsent -= len(frame)
            return True
        chance -= weather.loss_chance
        if chance < weather.late_chance:
            self.faults.note(LATE)
            self._arrive_in(self._rng.uniform(0.5, LATE_SECONDS_MAX), wire, frame)
            return True
        if chance - weather.late_chance < weather.double_chance:
            self.faults.note(DOUBLED)
            wire.unsent += len(frame)
            self._carry(wire, frame, lane)
        return False

    def _carry(self, wire: WireEnd, frame: bytes, lane: int) -> None:
        now = self.timeline.now
        begin = max([now, *wire.free_at[: lane + 1]])  # the block lane goes first
        end = begin + len(frame) / self.weather.bytes_per_second
        wire.free_at[lane] = end
        arrive = end + self._delay()
        wire.free_at[lane] = max(wire.free_at[lane], arrive - self.weather.delay_min)
        if arrive - now >= SLOW_SECONDS:
            self.faults.note(SLOW)
        self._arrive_in(arrive - now, wire, frame)

    def _arrive_in(self, seconds: float, wire: WireEnd, frame: bytes) -> None:
        number = self.frames
        self.timeline.plan(seconds, lambda: self._arrive(wire, frame, number))

    def _arrive(self, wire: WireEnd, frame: bytes, number: int) -> None:
        wire.unsent -= len(frame)
        other = wire.other
        if other is None or other.is_shut:
            return
        newest = self._newest.get(other.owner, 0)
        if number < newest:
            self.faults.note(OVERTAKEN)
        self._newest[other.owner] = max(number, newest)
        other.owner.hear(other, frame)

    def shut(self, wire: WireEnd) -> None:
        """One side closes: what it sent before still comes, then the other side hears of it."""
        if wire.is_shut:
            return
        wire.is_shut = True
        other = wire.other
        if other is None:
            return
        wait = max(wire.free_at) - self.timeline.now + self.weather.delay_max
        self.timeline.plan(wait, lambda: self._end(other))
        if wire in self._wires:
            self._wires.remove(wire)

    def _snap(self, wire: WireEnd) -> None:
        """Both sides lose the connection."""
        for end in (wire, wire.other):
            if end is not None:
                self.timeline.plan(self._delay(), lambda end=end: self._end(end))

    def _end(self, wire: WireEnd) -> None:
        if wire in self._wires:
            self._wires.remove(wire)
        if not wire.is_shut:
            wire.is_shut = True
            wire.owner.lose(wire)

    def _delay(self) -> float:
        return self._rng.uniform(self.weather.delay_min, self.weather.delay_max)
