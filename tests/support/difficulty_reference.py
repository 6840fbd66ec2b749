"""The difficulty rule a second time: slow, from the text of the protocol alone, keeping every block instead of a state.

It imports nothing of `ledger`. The golden vectors in `tests/vectors/difficulty` are made by it (`difficulty_vectors.py`).
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, trunc


@dataclass(frozen=True)
class Schedule:
    start_height: int
    block_time: int
    half_life: int
    limit_bits: int
    anchor_bits: int
    retarget: bool


def expand(bits: int) -> int:
    return trunc(Fraction(bits & 0x7FFFFF) * Fraction(256) ** ((bits >> 24) - 3))


def compress(target: int) -> int:
    digits = target.to_bytes(33, "big").lstrip(b"\x00")
    if digits[0] >= 0x80:
        digits = b"\x00" + digits
    return len(digits) << 24 | int.from_bytes((digits + b"\x00\x00")[:3], "big")


def uncapped(anchor: int, exponent: int) -> int:
    shifts, fraction = divmod(exponent, 65536)
    factor = 65536 + (195766423245049 * fraction + 971821376 * fraction**2 + 5127 * fraction**3 + 2**47) // 2**48
    return (anchor * factor * 2 ** max(shifts, 0)) // (2 ** max(-shifts, 0) * 65536)


_exponents: dict[tuple[int, int], int] = {}


def exponent_at_limit(anchor: int, limit: int) -> int:
    """Walks up one by one, from the last whole doubling below the limit."""
    if (anchor, limit) not in _exponents:
        exponent = 0
        while uncapped(anchor, exponent + 65536) < limit:
            exponent += 65536
        while uncapped(anchor, exponent) < limit:
            exponent += 1
        _exponents[anchor, limit] = exponent
    return _exponents[anchor, limit]


@dataclass
class Chain:
    """All blocks of a chain: times, effective times and bits by height."""

    schedules: list[Schedule]
    times: list[int] = field(default_factory=list)
    effective: list[int] = field(default_factory=list)
    bits: list[int] = field(default_factory=list)

    def schedule(self, height: int) -> Schedule:
        return [schedule for schedule in self.schedules if schedule.start_height <= height][-1]

    def origin(self, schedule: Schedule) -> int:
        """Effective time of the block before the anchor."""
        if schedule.start_height == 0:
            return self.times[0] - schedule.block_time
        return self.effective[schedule.start_height - 1]

    def expected_bits(self) -> int:
        height = len(self.times)
        schedule = self.schedule(height)
        if height == schedule.start_height or not schedule.retarget:
            return schedule.anchor_bits
        last = height - 1
        drift = self.effective[last] - self.origin(schedule)
        drift -= schedule.block_time * (last - schedule.start_height + 1)
        exponent = trunc(Fraction(drift * 65536, schedule.half_life))
        target = max(uncapped(expand(schedule.anchor_bits), exponent), 1)
        return compress(min(target, expand(schedule.limit_bits)))

    def append(self, time: int) -> None:
        bits = self.expected_bits()
        height = len(self.times)
        schedule = self.schedule(height)
        if height == 0:
            effective = time
        else:
            effective = self.effective[-1] + min(max(time - self.times[-1], 1), schedule.half_life)
        self.times.append(time)
        self.effective.append(effective)
        if schedule.retarget:
            exponent = exponent_at_limit(expand(schedule.anchor_bits), expand(schedule.limit_bits))
            latest = self.origin(schedule) + schedule.block_time * (height - schedule.start_height + 1)
            latest += ceil(Fraction(exponent * schedule.half_life, 65536))
            self.effective[-1] = min(effective, latest)
        self.bits.append(bits)
