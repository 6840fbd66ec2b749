"""How much a program may still issue: one bound for entries, adjustments and referrals (spec LOY-11)."""

from ledger.domains.loyalty.state import Books, Terms
from ledger.types import INTEGER_MAX


def left_of_cap(terms: Terms, books: Books) -> int:
    """Points that may still be issued or promised. What contests credited counts against no cap; what is set aside for offers
    counts as issued; all ever issued stays within 2**63 - 1.
    """
    return max(min(terms.issuance_cap + books.contest_points_credited, INTEGER_MAX) - books.issued - books.offered, 0)
