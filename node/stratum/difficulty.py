"""Share difficulties in integers: a unit is 10**-15 of Bitcoin's difficulty 1 (spec MINE-1).

Miners compute with floating point, the server never does. So it asks for a millionth less than a block needs, takes a share whose
hash is a millionth above its target, and compares a block's hash with the block's target exactly.
"""

from functools import lru_cache
from typing import Final, NewType

from ledger.pow import work_of
from ledger.types import CompactBits, Target, Work

Units = NewType("Units", int)  # a share difficulty, 10**15 to difficulty 1

UNITS_OF_ONE: Final = 10**15
DECIMALS: Final = 15
TARGET_OF_ONE: Final = 0xFFFF << 208
TARGET_MAX: Final = 2**256 - 1
REMEMBERED: Final = 8_192
"""Difficulties: as many as miners, and as many that were theirs before."""
LENIENCE_BITS: Final = 20
"""A share's hash may be above its target by 1/2**20 of it: what floating point loses, and more."""
EASIEST_BITS: Final = CompactBits(0x207FFFFF)
"""The easiest target that compact bits can spell without a sign."""


def target_of(units: Units) -> Target:
    """The target that a share of so many units meets."""
    return Target(min(TARGET_OF_ONE * UNITS_OF_ONE // units, TARGET_MAX))


@lru_cache(REMEMBERED)
def lenient_target_of(units: Units) -> Target:
    """The highest hash that is taken for a share of so many units."""
    target = target_of(units)
    return Target(min(target + (target >> LENIENCE_BITS), TARGET_MAX))


def units_of(target: Target) -> Units:
    """The difficulty of a target, rounded to the easier side."""
    return Units(max(TARGET_OF_ONE * UNITS_OF_ONE // target, 1))


@lru_cache(REMEMBERED)
def weight_of(units: Units) -> Work:
    """The hashes that one share of so many units is expected to take."""
    return work_of(target_of(units))


def hardest_for(block_target: Target) -> Units:
    """The most that a share is asked for: whoever finds a block has found a share."""
    return Units(max(units_of(block_target) * 999_999 // 1_000_000, 1))


UNITS_MIN: Final = Units(465_653)
"""The hardest for the easiest bits: every other hash is a share."""


SHARES_OF_BLOCK_MAX: Final = 12_500
"""A share weighs at least this part of a block: 100,000 of them then fill the window, whatever was asked for (spec MINE-1)."""


def easiest_for(block_target: Target) -> Units:
    """The least that a share is asked for. Easier ones, cheap and many, would push those of others out of the window."""
    hardest = hardest_for(block_target)
    return min(max(Units(hardest // SHARES_OF_BLOCK_MAX), UNITS_MIN), hardest)


def units_of_weight(weight: int) -> Units:
    """The difficulty at which a share takes so many hashes, at least `UNITS_MIN`."""
    return max(units_of(Target(max((1 << 256) // max(weight, 1) - 1, 1))), UNITS_MIN)


def show_units(units: Units) -> str:
    """Decimal text without an exponent, as `mining.set_difficulty` has it."""
    whole, part = divmod(units, UNITS_OF_ONE)
    return f"{whole}.{part:0{DECIMALS}d}".rstrip("0").rstrip(".")
