"""What reversing a part of the chain would cost: rent of its work, and attestors that would have to turn (spec FIN-11). No law.

An estimate with published inputs, in whole numbers: everybody who knows the blocks and the price comes to the same one.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from ledger.finality.attestors import AttestorSet
from ledger.types import INTEGER_MAX, Work

PETAHASH: Final = 10**15
"""Hashes. Markets name the price of renting 1 PH/s, for a day."""
DAY_SECONDS: Final = 86_400
MICROCENTS: Final = 10**6
"""Of a US cent: six blocks of a small chain cost less than a cent, and yet not nothing."""
RENT_PRICE_CENTS: Final = 5_000
"""US cents for 1 PH/s of SHA-256d over a day, where nothing else is set: the order of magnitude that markets have asked."""
RENT_PRICE_CENTS_MAX: Final = 10**9
"""Ten million dollars a day: above any price that was ever asked."""


def rent_of(work: Work, *, price_cents: int) -> int:
    """Microcents for renting so much work, INTEGER_MAX at most. `price_cents`: US cents for 1 PH/s over a day."""
    return min(work * price_cents * MICROCENTS // (DAY_SECONDS * PETAHASH), INTEGER_MAX)


@dataclass(frozen=True, slots=True)
class Turning:
    """Who would have to turn against what was signed: at least so much weight, and at least so many members."""

    weight_min: int
    members_min: int


def least_turning(attestors: AttestorSet) -> Turning:
    """What two quorums of a set share at least: a quorum for one branch and one for another."""
    quorum = 2 * attestors.weight // 3 + 1
    weight_min = 2 * quorum - attestors.weight
    heaviest = sorted((member.weight for member in attestors.members), reverse=True)
    members_min = next(count for count, reached in enumerate(accumulate(heaviest), start=1) if reached >= weight_min)
    return Turning(weight_min, members_min)
