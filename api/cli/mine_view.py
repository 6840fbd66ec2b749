"""What `fansumer mine` shows while it works: a table that renews itself, plain lines, or JSON, one object a line."""

import json
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table

from api.mining.earnings import Earned, EarningsWatch
from api.mining.protocol import DIFFICULTY_ONE
from api.mining.rig import Rig, RigFigures

LOOK_SECONDS: Final = 0.5
EARNINGS_SECONDS: Final = 5
RATE_SECONDS: Final = 10
"""The hash rate is that of the last so many seconds."""
ACCOUNT_SECONDS: Final = 1.5
"""Until a block stands in the node's public account, a little more than MINE-7 says."""
FANS_SHOWN: Final = 5
PREFIXES: Final = ((1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s"))


class RateMeter:
    """Hashes a second, of the last seconds and since the start. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._samples: deque[tuple[float, int]] = deque([(now, 0)])

    def note(self, now: float, hashes: int) -> None:
        """The count at a time."""
        self._samples.append((now, hashes))
        while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_SECONDS:
            self._samples.popleft()

    @property
    def present(self) -> float:
        """Of the last seconds."""
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0

    @property
    def average(self) -> float:
        """Since the start."""
        last, hashes = self._samples[-1]
        return hashes / (last - self._began) if last > self._began else 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that is shown, as of one moment."""

    seconds: float
    rate: float
    average: float
    figures: RigFigures
    earned: Earned

    @property
    def is_waiting(self) -> bool:
        """Whether the server is there and has no work: it is fetching blocks itself, and says so."""
        return self.figures.is_connected and self.figures.block_target is None

    def to_mapping(self) -> dict[str, Any]:
        """For programs: rates in hashes a second, coin in its smallest unit, difficulties as decimal text."""
        figures, earned = self.figures, self.earned
        return {
            "seconds": round(self.seconds),
            "hash_rate": round(self.rate),
            "hash_rate_average": round(self.average),
            "hashes": figures.hashes,
            "engines": list(figures.engines),
            "shares": {
                "accepted": figures.tally.accepted,
                "stale": figures.tally.stale,
                "refused": figures.tally.refused,
            },
            "blocks": {
                "found": len(figures.tally.blocks),
                "in_chain": earned.blocks_active,
                "hashes": list(figures.tally.blocks[-FANS_SHOWN:]),
            },
            "earned": earned.coin,
            "difficulty": {
                "share": None if figures.share_difficulty is None else f"{figures.share_difficulty:f}",
                "block": None if figures.block_target is None else _show_difficulty(figures.block_target),
            },
            "transactions": earned.transactions,
            "fans": list(earned.fans),
            "is_connected": figures.is_connected,
            "is_waiting": self.is_waiting,
            "told": figures.told or None,
            "fault": figures.fault or earned.fault or None,
        }

    def to_facts(self) -> dict[str, str]:
        """For people, in the order in which it is shown."""
        figures, earned, tally = self.figures, self.earned, self.figures.tally
        engines = ", ".join(f"{count} x {engine}" for engine, count in Counter(figures.engines).items())
        facts = {
            "hash rate": f"{show_rate(self.rate)} (average {show_rate(self.average)}; {engines})",
            "shares": f"{tally.accepted} accepted, {tally.stale} stale, {tally.refused} refused",
            "blocks": f"{len(tally.blocks)} found, {earned.blocks_active} of them in the chain",
            "earned": f"{earned.coin:,} of coin, from all blocks of this node that paid you",
            "difficulty": self._show_difficulties(),
            "carried": f"{_count(earned.transactions, 'transaction')}, of {_count(len(earned.fans), 'fan')}",
        }
        if earned.fans:
            more = len(earned.fans) - FANS_SHOWN
            facts["fans"] = "\n".join(earned.fans[-FANS_SHOWN:]) + (f"\nand {more} more" if more > 0 else "")
        state = ("waiting for work" if self.is_waiting else "working") if figures.is_connected else "not connected"
        trouble = "; ".join(filter(None, (figures.fault, earned.fault, figures.told)))
        facts["state"] = f"{state} for {round(self.seconds)} s" + (f": {trouble}" if trouble else "")
        return facts

    def _show_difficulties(self) -> str:
        figures = self.figures
        if figures.block_target is None or figures.share_difficulty is None:
            return "unknown, no job yet"
        text = f"share {figures.share_difficulty:f}, block {_show_difficulty(figures.block_target)}"
        if self.rate:
            seconds = 2**256 / (figures.block_target + 1) / self.rate
            text += f": about {_show_duration(seconds)} a block at this rate"
        return text

    def to_line(self) -> str:
        """One plain line."""
        return "; ".join(f"{name}: {' '.join(text.split())}" for name, text in self.to_facts().items())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _show_difficulty(target: int) -> str:
    return f"{DIFFICULTY_ONE / target:.6g}"


def _show_duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def show_rate(rate: float) -> str:
    """Hashes a second for people."""
    for size, unit in PREFIXES:
        if rate >= size:
            return f"{rate / size:,.2f} {unit}"
    return f"{rate:,.0f} H/s"


def watch(rig: Rig, earnings: EarningsWatch, *, seconds_max: int | None, every: int, as_json: bool) -> None:
    """Mine until Ctrl-C, SIGTERM or the time is up, and show how it goes. Raises NodeError mining.refused."""
    console = Console()
    with _told_to_stop() as stop:
        try:
            rig.start()
            if console.is_terminal and not as_json:
                with Live(console=console, auto_refresh=False) as live:
                    for standing in _look(rig, earnings, stop, seconds_max):
                        live.update(_table_of(standing), refresh=True)
            else:
                _print_lines(_look(rig, earnings, stop, seconds_max), every, as_json=as_json)
        finally:
            rig.close()
    if rig.refused is not None:
        raise rig.refused


def _look(rig: Rig, earnings: EarningsWatch, stop: threading.Event, seconds_max: int | None) -> Iterator[Standing]:
    """The standing twice a second; the last one after the end."""
    began = now = time.monotonic()
    meter, asked, known, earned = RateMeter(now), -float(EARNINGS_SECONDS), 0, Earned(0, 0, 0, (), "")
    is_last = False
    while not is_last:
        is_last = stop.wait(LOOK_SECONDS) or rig.refused is not None
        now = time.monotonic()
        is_last = is_last or (seconds_max is not None and now - began >= seconds_max)
        figures = rig.figures
        found = figures.tally.blocks
        if is_last or now - asked >= EARNINGS_SECONDS or len(found) != known:
            if is_last and len(found) > earned.blocks_active:
                time.sleep(ACCOUNT_SECONDS)
            asked, known, earned = now, len(found), earnings.look(found)
        meter.note(now, figures.hashes)
        yield Standing(now - began, meter.present, meter.average, figures, earned)


def _print_lines(standings: Iterator[Standing], every: int, *, as_json: bool) -> None:
    """The first one, one every so many seconds, and the last one."""
    printed = -float(every)
    last: Standing | None = None
    for standing in standings:
        last = standing
        if standing.seconds - printed >= every and standing.figures.is_connected:
            printed, last = standing.seconds, None
            _print(standing, as_json=as_json)
    if last is not None:
        _print(last, as_json=as_json)


def _print(standing: Standing, *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(standing.to_mapping()) if as_json else standing.to_line()) + "\n")
    sys.stdout.flush()


def _table_of(standing: Standing) -> Table:
    table = Table(show_header=False, title="fansumer mine: Ctrl-C stops", title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in standing.to_facts().items():
        table.add_row(name, text)
    return table


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
