"""How block times follow the hash rate: headers that arrive at random, with the ledger's own difficulty (spec DIF-1 to DIF-3).

Only times are drawn: the time of a block is exponential with the mean that its target and the hash rate give. Everything else is
`ledger.difficulty`, to the second.
"""

import math
import random
from dataclasses import dataclass

from ledger.difficulty import Era, compute_bits, compute_effective_time
from ledger.networks import MAIN_LIMIT_BITS
from ledger.pow import target_from_compact, work_of
from ledger.types import CompactBits, Height

T = 60
HALF_LIVES_BLOCKS = (30, 60, 100, 120, 240)
ANCHOR_BITS = 0x1A00FFFF
"""2**24 times the least work: far from the limit, which no chain here comes near."""
WARM_UP_BLOCKS = 300
"""Ordinary blocks before anything happens, so that runs begin as different as days are."""
FUTURE_SECONDS_MIN, FUTURE_HALF_LIFE_SHARE = 60, 30
"""How far a header's time may be ahead of the clock: spec POW-6."""


class Chain:
    """One run. `clock` and all times are in seconds; a hash rate of 1 finds a block each `T` with the anchor's bits."""

    def __init__(self, half_life_blocks: int, rng: random.Random) -> None:
        half_life_s = half_life_blocks * T
        limit, anchor = CompactBits(MAIN_LIMIT_BITS), CompactBits(ANCHOR_BITS)
        self.era = Era(Height(0), T, half_life_s, limit, anchor, True)
        self._anchor_work = work_of(self.era.anchor_target)
        self._rng = rng
        self._ahead_max = max(half_life_s // FUTURE_HALF_LIFE_SHARE, FUTURE_SECONDS_MIN)
        self.clock = 0.0
        self.height = 0
        self._time = 0
        self._effective = 0
        self.set_difficulty()
        self.mine_blocks(WARM_UP_BLOCKS, 1.0)

    def set_difficulty(self) -> None:
        """The work of the next block, in that of the anchor."""
        bits = compute_bits(self.era, self.height + 1, self._effective, -T)
        self.difficulty = work_of(target_from_compact(bits)) / self._anchor_work

    def expected_seconds(self, rate: float) -> float:
        """The mean time of the next block."""
        return T * self.difficulty / rate

    def mine(self, rate: float, until: float = math.inf) -> bool:
        """Find a block, or see that none was found until then. A draw that is cut short says nothing of what follows."""
        found = self.clock + self._rng.expovariate(1 / self.expected_seconds(rate))
        found = max(found, self._time + 1 - self._ahead_max)
        if found > until:
            self.clock = until
            return False
        self.clock = found
        self.add_block()
        return True

    def add_block(self) -> None:
        """A block now; its time is the clock's, or one second after its parent's."""
        time = max(int(self.clock), self._time + 1)
        self.height += 1
        self._effective = compute_effective_time(self.era, self.height, self._effective, -T, time - self._time)
        self._time = time
        self.set_difficulty()

    def mine_blocks(self, count: int, rate: float) -> None:
        """So many blocks."""
        for _ in range(count):
            self.mine(rate)

    def mine_until(self, until: float, rate: float) -> int:
        """All blocks up to a moment; how many."""
        before = self.height
        while self.mine(rate, until):
            pass
        return self.height - before


def mean(values: list[float]) -> float:
    """Their mean."""
    return sum(values) / len(values)


def each_run(name: str, half_life_blocks: int, runs: int) -> list[Chain]:
    """The chains of one row, each with chance of its own that follows from the row's name."""
    return [Chain(half_life_blocks, random.Random(f"{name} {half_life_blocks} {run}")) for run in range(runs)]


# --- an ordinary day ---


@dataclass(frozen=True, slots=True)
class Calm:
    """How far the difficulty wanders while the hash rate stays: of all blocks, 5 % are below, 5 % above."""

    low: float
    high: float


def run_calm(half_life_blocks: int, runs: int) -> Calm:
    """Days of 1,440 blocks."""
    found: list[float] = []
    for chain in each_run("calm", half_life_blocks, runs):
        for _ in range(1_440):
            chain.mine(1.0)
            found.append(chain.difficulty)
    found.sort()
    return Calm(found[len(found) // 20], found[-len(found) // 20])


# --- a fall to a hundredth ---


FALL = 100
LEVELS = (10, 5, 2)
"""Block times, in T, on the way back."""


def computed_fall(half_life_blocks: int, level: float, *, steps: int = 20_000) -> float:
    """Hours from a fall to a hundredth until blocks take `level` T, by the formula of spec MINE-9.

    With h the half-life in T and x the block time in T: while T passes, 1 / x blocks come, the drift shrinks by T with each, and
    grows by x * T, cut at the half-life (DIF-2), which for exponential times is x * (1 - exp(-h / x)) in the mean. So
    t = h / ln 2 * integral from `level` to 100 of dx / (x * (1 - exp(-h / x)) - 1), here over the logarithm of x.
    """
    low, step = math.log(level), (math.log(FALL) - math.log(level)) / steps
    total = 0.0
    for index in range(steps):
        x = math.exp(low + (index + 0.5) * step)
        total += x * step / (x * (1 - math.exp(-half_life_blocks / x)) - 1)
    return half_life_blocks / math.log(2) * total * T / 3_600


@dataclass(frozen=True, slots=True)
class Return:
    """Hours until blocks take `level` T again: as computed, in half of the runs, and in 95 % of them."""

    level: int
    computed: float
    median: float
    late: float


def run_fall(half_life_blocks: int, runs: int) -> list[Return]:
    """The hash rate falls to a hundredth and stays there."""
    hours: dict[int, list[float]] = {level: [] for level in LEVELS}
    for chain in each_run("fall", half_life_blocks, runs):
        begin, left = chain.clock, list(LEVELS)
        while left:
            chain.mine(1 / FALL)
            while left and chain.expected_seconds(1 / FALL) <= left[0] * T:
                hours[left.pop(0)].append((chain.clock - begin) / 3_600)
    found: list[Return] = []
    for level in LEVELS:
        ordered = sorted(hours[level])
        median, late = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
        found.append(Return(level, computed_fall(half_life_blocks, level), median, late))
    return found


# --- a rise to a hundredfold ---


@dataclass(frozen=True, slots=True)
class Rise:
    """Minutes until blocks take T / 2 again, and the blocks of the first hour and of the first day."""

    minutes_to_half: float
    first_hour: float
    first_day: float


def run_rise(half_life_blocks: int, runs: int) -> Rise:
    """The hash rate rises a hundredfold and stays there."""
    minutes: list[float] = []
    hours: list[float] = []
    days: list[float] = []
    for chain in each_run("rise", half_life_blocks, runs):
        begin, height = chain.clock, chain.height
        half: float | None = None
        while chain.mine(FALL, begin + 3_600):
            if half is None and chain.expected_seconds(FALL) >= T / 2:
                half = chain.clock - begin
        hours.append(chain.height - height)
        while half is None:
            chain.mine(FALL)
            half = chain.clock - begin if chain.expected_seconds(FALL) >= T / 2 else None
        chain.mine_until(begin + 86_400, FALL)
        minutes.append(half / 60)
        days.append(chain.height - height)
    return Rise(mean(minutes), mean(hours), mean(days))


# --- an outage ---


@dataclass(frozen=True, slots=True)
class Outage:
    """After a day without any block, all hash power comes back: blocks in the first minute, hour and day."""

    first_minute: float
    first_hour: float
    first_day: float


def run_outage(half_life_blocks: int, runs: int) -> Outage:
    """Nobody mines for 24 hours."""
    counts: list[tuple[int, int, int]] = []
    for chain in each_run("outage", half_life_blocks, runs):
        chain.clock += 86_400
        begin, height = chain.clock, chain.height
        found: list[int] = []
        for seconds in (60, 3_600, 86_400):
            chain.mine_until(begin + seconds, 1.0)
            found.append(chain.height - height)
        counts.append((found[0], found[1], found[2]))
    return Outage(*(mean([float(count[place]) for count in counts]) for place in range(3)))


# --- miners that come and go ---


HOPPERS = 10.0
JOIN_BELOW, LEAVE_ABOVE = 1.1, 3.0


@dataclass(frozen=True, slots=True)
class Hopping:
    """What a hash of those who come and go earns, in that of those who stay; blocks a day; the longest time without one."""

    gain: float
    blocks_a_day: float
    longest_minutes: float


def run_hopping(half_life_blocks: int, runs: int) -> Hopping:
    """Ten times the hash power of those who stay joins while the difficulty is low, and leaves when it is high, for ten days."""
    hopped = stayed = hopped_seconds = seconds = 0.0
    blocks = 0
    longest: list[float] = []
    for chain in each_run("hopping", half_life_blocks, runs):
        begin, is_on, gap = chain.clock, False, 0.0
        while chain.clock < begin + 10 * 86_400:
            is_on = chain.difficulty < (LEAVE_ABOVE if is_on else JOIN_BELOW)
            rate = 1 + HOPPERS * is_on
            before = chain.clock
            chain.mine(rate)
            elapsed = chain.clock - before
            gap = max(gap, elapsed)
            seconds += elapsed
            hopped_seconds += elapsed * is_on
            hopped += HOPPERS * is_on / rate
            stayed += 1 / rate
            blocks += 1
        longest.append(gap / 60)
    gain = (hopped / (HOPPERS * hopped_seconds)) / (stayed / seconds)
    return Hopping(gain, blocks / seconds * 86_400, mean(longest))
