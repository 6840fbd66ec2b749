"""The difficulty of one connection's shares follows its speed: about a share in ten seconds (spec MINE-4)."""

from typing import Final

from ledger.types import Work
from node.stratum.difficulty import Units, units_of_weight, weight_of

SHARE_MS: Final = 10_000
"""The wanted time between two shares: steady enough to pay by, and a thousand miners send a hundred lines a second."""
MEASURED_SHARES: Final = 16
"""So many shares say how fast a miner is to about a quarter."""
MEASURED_MS_MAX: Final = 90_000
"""Who sends fewer in this time has a difficulty that is too high for it."""
RISE_MAX: Final = 16
"""An ASIC that begins at a laptop's difficulty is at its own after five steps."""
FALL_MAX: Final = 4
CHANGE_MIN: Final = 2
"""Smaller changes are chance."""
FIRST_WEIGHT: Final = Work(2**20)
"""Before anything is known: a laptop's second."""


class Vardiff:
    """Measures one connection, and says when its difficulty should change. Times are monotonic milliseconds."""

    def __init__(self, units: Units, now_ms: int) -> None:
        self.units = units
        self.has_counted = False
        self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        self._since_ms, self._shares, self._weight = now_ms, 0, 0

    def note_share(self, weight: Work) -> None:
        """A share counted."""
        self.has_counted = True
        self._shares += 1
        self._weight += weight

    def suggest(self, units: Units, now_ms: int) -> None:
        """Begin with what the miner itself proposes; it must not have had a share yet."""
        assert not self.has_counted, "what was measured is better than what is said"
        self.units = units
        self._begin(now_ms)

    def is_due(self, now_ms: int) -> bool:
        """Whether the present measurement has ended."""
        return self._shares >= MEASURED_SHARES or now_ms - self._since_ms >= MEASURED_MS_MAX

    def adjust(self, now_ms: int, units_min: Units, units_max: Units) -> bool:
        """End a measurement that is due; whether the difficulty is another one now. The limits are the present job's."""
        if not self.is_due(now_ms):
            return False
        elapsed_ms = max(now_ms - self._since_ms, 1)
        present = weight_of(self.units)
        wanted = max(min(self._weight * SHARE_MS // elapsed_ms, RISE_MAX * present), present // FALL_MAX)
        self._begin(now_ms)
        if wanted < CHANGE_MIN * present and CHANGE_MIN * wanted > present:
            return False
        units = clamp_units(units_of_weight(wanted), units_min, units_max)
        if units == self.units:
            return False
        self.units = units
        return True


def clamp_units(units: Units, units_min: Units, units_max: Units) -> Units:
    """Within what a share can be asked for."""
    return min(max(units, units_min), units_max)
