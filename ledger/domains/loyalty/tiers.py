"""Tiers: by points earned in a tier period, kept for the next one, decided by days alone (spec TIER-1, TIER-2).

A member's record keeps what it earned, item by item, with the day until which it counts. So nothing has to be done when a tier
ends, and a contest can ask which tier the chain knew at the time of a receipt.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ledger.domains.loyalty.events import TierReached
from ledger.domains.loyalty.state import EarnedItem, Member, Program, Terms
from ledger.params import TIER_HISTORY_DAYS, TIER_HISTORY_MAX
from ledger.types import INTEGER_MAX, Address, Day, Points, ProgramId, Timestamp


class Earned(NamedTuple):
    """Points above 0 that a member earned, under terms that have tiers; dates count from `base`."""

    program_id: ProgramId
    member: Address
    terms: Terms
    base: Day
    points: Points


def reached_tier(terms: Terms, points: int) -> int:
    """The number of the highest tier whose threshold `points` reach; 0 for none."""
    return sum(1 for _, threshold in terms.tiers if threshold <= points)


def tier_at(history: Sequence[EarnedItem], terms: Terms, program: Program, time: Timestamp) -> int:
    """The tier that the chain knew at `time`, by the thresholds of `terms`; 0 for none (spec TIER-2)."""
    day = program.day_at(time)
    known = (points for _, until_day, since, points in history if since <= time and day < until_day)
    return reached_tier(terms, max(known, default=0))


def member_tier(member: Member, terms: Terms, program: Program, now: Timestamp) -> int:
    """A member's tier now, by the terms in force now: what rules and pages ask for."""
    return tier_at(member.tier_history, terms, program, now)


def count_towards_tiers(
    history: tuple[EarnedItem, ...], earned: Earned, program: Program, now: Timestamp
) -> tuple[tuple[EarnedItem, ...], TierReached | None]:
    """Count what was earned towards its tier period; returns the history and the event, if a tier was reached (spec TIER-1)."""
    period = _period_of(earned)
    counted = _count(history, period, earned, today=program.day_at(now), now=now)
    tier = tier_at(counted, earned.terms, program, now)
    if tier <= tier_at(history, earned.terms, program, now):
        return counted, None
    return counted, TierReached(earned.program_id, earned.member, tier, period[1])


def take_off_tiers(history: tuple[EarnedItem, ...], earned: Earned) -> tuple[EarnedItem, ...]:
    """The history without points that a return takes back out of their tier period (spec TIER-1)."""
    if not earned.terms.tiers:
        return history
    period = _period_of(earned)
    held = next((item[3] for item in reversed(history) if item[:2] == period), 0)
    left = max(held - earned.points, 0)
    lowered = [(*item[:3], min(item[3], left)) if item[:2] == period else item for item in history]
    return tuple([item for item in lowered if item[3]])


def _period_of(earned: Earned) -> tuple[Day, Day]:
    """The first day of the tier period for which points count, and the day before which they do."""
    terms = earned.terms
    begin = (earned.base - terms.tier_anchor_day) // terms.tier_period_days * terms.tier_period_days
    first = Day(max(begin + terms.tier_anchor_day, 0))
    return first, Day(begin + terms.tier_anchor_day + 2 * terms.tier_period_days + terms.tier_grace_days)


def _count(
    history: tuple[EarnedItem, ...], period: tuple[Day, Day], earned: Earned, *, today: Day, now: Timestamp
) -> tuple[EarnedItem, ...]:
    """The history with points more in the tier period of these first and until days: a new item for each tier that is reached."""
    items = [item for item in history if item[1] > today - TIER_HISTORY_DAYS]
    place = next((index for index in reversed(range(len(items))) if items[index][:2] == period), None)
    held = 0 if place is None else items[place][3]
    total = min(held + earned.points, INTEGER_MAX)
    if place is not None and reached_tier(earned.terms, total) == reached_tier(earned.terms, held):
        items[place] = (*period, items[place][2], total)
    else:
        items.append((*period, now, total))
    while len(items) > TIER_HISTORY_MAX:
        items[:2] = [_merged(items[0], items[1])]
    return tuple(items)


def _merged(first: EarnedItem, second: EarnedItem) -> EarnedItem:
    """Two items as one, in the member's favour."""
    return (second[0], max(first[1], second[1]), first[2], max(first[3], second[3]))
