"""Emission: how many coins a block makes, and how many exist by law at any height.

The subsidy starts at `initial_subsidy` in block 1 and is halved, rounding down, after every `halving_interval_blocks` blocks:
blocks 1..interval pay the first, interval+1..2*interval half of it, and so on. The genesis block pays none; its allocations are
counted as emission by the genesis itself (spec EMI-1).
"""

from dataclasses import dataclass
from typing import Final

from ledger.errors import Code, Malformed
from ledger.types import INTEGER_MAX, Amount, Height

PARAMS_EMISSION: Final = Code(
    "params.emission",
    "the emission's {field} is {value}, outside of {minimum}..{maximum}",
    "correct the emission in the params file",
)

HALVINGS_MAX: Final = 63
"""An amount has 63 bits, so nothing is left of any subsidy after this many halvings."""

TOTAL_MAX: Final = INTEGER_MAX // 2
"""All subsidies together; the other half of the range is for the allocations of the genesis block."""


@dataclass(frozen=True, slots=True)
class Emission:
    """A schedule of halvings. Amounts are in the coin's smallest unit; a reward can be spent after `maturity_blocks`.

    Raises Malformed `params.emission` when a number is out of range or all subsidies together exceed
    `TOTAL_MAX`.
    """

    initial_subsidy: Amount
    halving_interval_blocks: int
    maturity_blocks: int

    def __post_init__(self) -> None:
        _check_range("initial_subsidy", self.initial_subsidy, 0, INTEGER_MAX)
        _check_range("halving_interval_blocks", self.halving_interval_blocks, 1, INTEGER_MAX)
        _check_range("maturity_blocks", self.maturity_blocks, 0, INTEGER_MAX)
        _check_range("total", self.total, 0, TOTAL_MAX)

    def subsidy(self, height: Height) -> Amount:
        """What the block at this height makes, without its fees."""
        if height == 0:
            return Amount(0)
        halvings = (height - 1) // self.halving_interval_blocks
        return Amount(self.initial_subsidy >> halvings) if halvings < HALVINGS_MAX else Amount(0)

    def emitted_through(self, height: Height) -> Amount:
        """All subsidies of the blocks 1..height together."""
        whole, rest = divmod(height, self.halving_interval_blocks)
        whole_counted = min(whole, HALVINGS_MAX)
        subsidies = sum(self.initial_subsidy >> halvings for halvings in range(whole_counted))
        return Amount(subsidies * self.halving_interval_blocks + (self.initial_subsidy >> whole_counted) * rest)

    @property
    def total(self) -> Amount:
        """All subsidies that will ever be paid."""
        return self.emitted_through(Height(HALVINGS_MAX * self.halving_interval_blocks))


def _check_range(field: str, value: int, minimum: int, maximum: int) -> None:
    if not minimum <= value <= maximum:
        raise Malformed(PARAMS_EMISSION, field=field, value=value, minimum=minimum, maximum=maximum)
