"""Each household's tier as the chain will know it, kept by the office, which works ahead of the chain.

The till must say on a receipt which tier it applied. The ledger's own function counts what an entry adds, at the time at which the
block with the entry will see the chain's clock; so a receipt names the tier that a node would find at its time.
"""

from collections import Counter, defaultdict
from typing import Final

from api.demo.brand import PROGRAM, TERMS, TERMS_VERSION
from api.demo.journey import HouseholdId
from ledger.domains.loyalty.state import EarnedItem, Program
from ledger.domains.loyalty.tiers import Earned, count_towards_tiers, tier_at
from ledger.types import Address, Amount, Day, Points, ProgramId, Timestamp

SHOWN: Final = Program(
    owner=Address(b""),
    payer=b"",
    deposit=Amount(0),
    name=PROGRAM.name,
    unit=PROGRAM.unit,
    decimals=PROGRAM.decimals,
    offset_minutes=PROGRAM.offset_minutes,
    versions=((TERMS_VERSION, 0),),
)
"""As far as the demo's program decides on days and versions; the rest of the record is empty."""

TIER_NAMES: Final = ("none", *(name for name, _ in TERMS.tiers))


class Standings:
    """What every household earned in tier periods."""

    def __init__(self, program: ProgramId) -> None:
        self._program = program
        self._histories: defaultdict[HouseholdId, tuple[EarnedItem, ...]] = defaultdict(tuple)
        self._last: Counter[HouseholdId] = Counter()

    def credit(
        self, household: HouseholdId, member: Address, points: Points, period_end: Timestamp, now: Timestamp
    ) -> None:
        """An entry of a period that ends at `period_end` is settled by a block whose transactions see the clock at `now`."""
        if not points:
            return
        base = Day(max(SHOWN.day_at(now), SHOWN.day_at(period_end)))
        earned = Earned(self._program, member, TERMS, base, points)
        self._histories[household], _ = count_towards_tiers(self._histories[household], earned, SHOWN, now)

    def tier(self, household: HouseholdId, time: Timestamp) -> int:
        """The number of the tier at a time not before the last credit; 0 for none."""
        return tier_at(self._histories[household], TERMS, SHOWN, time)

    def review(self, now: Timestamp) -> tuple[int, int]:
        """How many fans rose and how many fell since the last review."""
        risen = fallen = 0
        for household in self._histories:
            tier = self.tier(household, now)
            risen += tier > self._last[household]
            fallen += tier < self._last[household]
            self._last[household] = tier
        return risen, fallen
