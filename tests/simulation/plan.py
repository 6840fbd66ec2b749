"""What a seed decides about a simulation before anything happens in it, and how the simulation ended."""

import random
from collections import Counter
from dataclasses import dataclass, field

from ledger.params import Params
from tests.simulation.fake_network import Weather
from tests.simulation.faults import FaultCount
from tests.simulation.people import EVERYBODY
from tests.support.memory_chain import sim_params

EASIEST_BITS = 0x207FFFFF
ANCHOR_BITS = 0x2003FFFF
"""2**6 hashes."""
BLOCK_SECONDS_MEAN = 45
HALF_LIFE_BLOCKS = 10
"""Short, so that the difficulty moves within a simulation."""


class Broken(AssertionError):
    """Something that must hold does not."""


@dataclass(slots=True)
class Plan:
    """What a seed decides before anything happens."""

    nodes: int
    selfish: int
    withholding: int
    liars: int
    seconds: int
    weather: Weather
    skew_max: float
    has_difficulty: bool
    has_partitions: bool
    has_crashes: bool
    has_power_cuts: bool
    has_eclipses: bool
    has_jumps: bool
    has_waves: bool
    is_line: bool

    @staticmethod
    def draw(rng: random.Random) -> "Plan":
        """Every kind of trouble is absent in some simulations."""
        weather = Weather(
            delay_max=rng.choice((0.05, 0.3, 2.0, 8.0)),
            bytes_per_second=rng.choice((20_000, 200_000, 5_000_000)),
            break_chance=rng.choice((0.0, 0.0005, 0.005)),
            double_chance=rng.choice((0.0, 0.002, 0.01)),
            loss_chance=rng.choice((0.0, 0.0, 0.005)),
            late_chance=rng.choice((0.0, 0.0, 0.01)),
        )
        return Plan(
            nodes=rng.randrange(3, 6),
            selfish=rng.choice((0, 1)),
            withholding=rng.choice((0, 0, 1)),
            liars=rng.choice((0, 0, 1, 2)),
            seconds=rng.choice((500, 700, 1_000)),
            weather=weather,
            skew_max=rng.choice((0.0, 20.0, 50.0, 200.0)),
            has_difficulty=rng.random() < 0.6,
            has_partitions=rng.random() < 0.5,
            has_crashes=rng.random() < 0.5,
            has_power_cuts=rng.random() < 0.6,
            has_eclipses=rng.random() < 0.4,
            has_jumps=rng.random() < 0.3,
            has_waves=rng.random() < 0.5,
            is_line=rng.random() < 0.3,
        )

    def make_params(self) -> Params:
        """The chain's rules: with difficulty that follows the hash rate, or with trivial work for ever."""
        funded = [person.address for person in EVERYBODY]
        if not self.has_difficulty:
            return sim_params(*funded)
        half_life_s = BLOCK_SECONDS_MEAN * HALF_LIFE_BLOCKS
        era = (0, BLOCK_SECONDS_MEAN, half_life_s, EASIEST_BITS, ANCHOR_BITS, 1)
        return sim_params(*funded, eras=(era,))


@dataclass(slots=True)
class Outcome:
    """How a simulation ended."""

    seed: int
    digest: str
    height: int
    blocks: int
    reorganisations: int
    submitted: int
    refused: int
    fates: Counter[str]
    stops: int
    frames: int
    bytes: int
    faults: FaultCount
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = sum(1 for times in self.faults.values() if times)
        told = ", ".join(f"{count} {fate}" for fate, count in sorted(self.fates.items()))
        return (
            f"seed {self.seed}: height {self.height}, {self.blocks} blocks, {self.reorganisations} reorganisations, "
            f"{self.fates.total()} of {self.submitted} transactions committed ({told or 'none'}), {self.stops} stops, "
            f"{self.frames} frames, {self.bytes} bytes, {kinds} kinds of fault, digest {self.digest}"
        )
