"""Who is paid by a block of the pool: from the work of each address to the commitment's payees (spec MINE-6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledger.params import PAYEES_MAX
from ledger.reward import Payee
from ledger.types import Address, Amount

WINDOW_BLOCKS: Final = 4
"""A share is paid in about so many blocks: enough that coming and going with the luck of others gains nothing."""
CLAIMS_MAX: Final = 1_000
"""Addresses that count for one block: with more, whoever makes new ones for nothing would fill the account of every block."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one address has done for a block: shares and weight in the window, and what is carried for it from earlier blocks."""

    address: Address
    shares: int
    weight: int
    carried: int

    @property
    def total(self) -> int:
        """What it is paid by."""
        return self.weight + self.carried


@dataclass(frozen=True, slots=True)
class Window:
    """The shares that count for a job, by address, ascending: their numbers are `first`..`last`, both 0 if there are none."""

    first: int
    last: int
    claims: tuple[Claim, ...]


def rank(claims: Mapping[Address, int]) -> list[Address]:
    """Who has a claim, the largest first; between equals the smaller address first."""
    return sorted(
        (address for address, claim in claims.items() if claim), key=lambda address: (-claims[address], address)
    )


def share_reward(claims: Mapping[Address, int], reward: Amount, minimum: Amount) -> tuple[Payee, ...]:
    """The payees of a block: at most 64, ascending by address, each paid in proportion and above dust, in sum exactly `reward`."""
    if not reward:
        return ()
    staying = rank(claims)[:PAYEES_MAX]
    assert staying, "somebody has a claim"
    total, least = sum(claims[address] for address in staying), max(minimum, 1)
    while len(staying) > 1 and reward * claims[staying[-1]] // total < least:
        total -= claims[staying.pop()]
    amounts = [reward * claims[address] // total for address in staying]
    left = reward - sum(amounts)
    assert 0 <= left < len(staying), "each rounding loses less than a unit"
    return tuple(
        sorted(
            (address, Amount(amount + (place < left)))
            for place, (address, amount) in enumerate(zip(staying, amounts, strict=True))
        )
    )
