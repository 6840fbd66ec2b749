"""Sliding expiry: who comes back keeps its points (spec TIER-5)."""

from ledger.domains.loyalty.points import BY_EXPIRY, PointsBook
from ledger.domains.loyalty.state import Lot, SlidingExpiry, load_terms
from ledger.types import Day

NOT_SLIDING = 0


def sliding_days(book: PointsBook, version: int) -> int:
    """The days of a version with sliding expiry, or `NOT_SLIDING`."""
    expiry = load_terms(book.view, book.program_id, version).expiry
    return expiry.days if isinstance(expiry, SlidingExpiry) else NOT_SLIDING


def extend_lots(book: PointsBook, lots: tuple[Lot, ...], days_of: dict[int, int]) -> tuple[Lot, ...]:
    """Put the expiry of live lots that were made under sliding terms off to today + their days, and their days' totals with it.

    `days_of` remembers `sliding_days` by version: a batch asks once for each.
    """
    slides = False
    for version in {lot[0] for lot in lots}:
        days = days_of.get(version)
        if days is None:
            days = days_of[version] = sliding_days(book, version)
        slides = slides or days != NOT_SLIDING
    if not slides:
        return lots
    moved = False
    extended: dict[tuple[int, int, int], int] = {}
    for version, activation_day, expiry_day, amount in lots:
        if expiry_day <= book.today:
            continue
        until = Day(book.today + days_of[version])
        if days_of[version] and until > expiry_day:
            book.move_expiry((version, activation_day, expiry_day, amount), until)
            moved = True
        else:
            until = Day(expiry_day)
        which = (version, activation_day, until)
        extended[which] = extended.get(which, 0) + amount
    if not moved:
        return lots
    return tuple(sorted([(*which, amount) for which, amount in extended.items()], key=BY_EXPIRY))
