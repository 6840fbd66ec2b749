"""What the rules read of a purchase, whoever knows it: a till, a receipt, an open entry, a contest (spec LOY-6)."""

from dataclasses import dataclass

from ledger.types import Timestamp


@dataclass(frozen=True, slots=True)
class Purchase:
    """Amounts in cents; `codes` are category codes with theirs, each code once.

    `tier` is the number of the member's tier, 0 for none; `previous_visit` the time of the visit before this one, 0 for none.
    """

    time: Timestamp
    net_cents: int
    paid_with_points_cents: int = 0
    codes: tuple[tuple[str, int], ...] = ()
    tier: int = 0
    previous_visit: int = 0
