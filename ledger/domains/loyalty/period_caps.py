"""The cap of a member's settlement period: what is more is cut off an entry, or rejects it (spec TIER-3)."""

from typing import NamedTuple

from ledger.domains.loyalty.state import PeriodCap, Terms
from ledger.params import PERIOD_CREDITS_MAX
from ledger.types import Points, Timestamp

PeriodCredits = tuple[tuple[int, int], ...]
"""(first second of a period, points that entries credited in it), ascending."""


class Capped(NamedTuple):
    """What a cap leaves of an entry's points, and whether it rejects the entry instead."""

    points: Points
    is_rejected: bool


def find_cap(terms: Terms) -> PeriodCap | None:
    """The terms' cap of a period, if they have one."""
    return next((rule for rule in terms.rules if isinstance(rule, PeriodCap)), None)


def cap_points(credits: PeriodCredits, terms: Terms, begins: Timestamp, points: Points) -> Capped:
    """Hold an entry's points, of the period that begins then, against the cap."""
    cap = find_cap(terms)
    if cap is None:
        return Capped(points, is_rejected=False)
    left = max(cap.points - dict(credits).get(_key(begins), 0), 0)
    return Capped(Points(min(points, left)), is_rejected=cap.rejects and points > left)


def count_credited(credits: PeriodCredits, terms: Terms, begins: Timestamp, points: Points) -> PeriodCredits:
    """The credits with `points` more of a period, where the terms have a cap; the oldest periods are forgotten."""
    if find_cap(terms) is None:
        return credits
    by_period = dict(credits)
    by_period[_key(begins)] = by_period.get(_key(begins), 0) + points
    return tuple(sorted(by_period.items())[-PERIOD_CREDITS_MAX:])


def _key(begins: Timestamp) -> int:
    return max(begins, 0)
