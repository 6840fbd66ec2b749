"""How many points a purchase gives: the one function that entries, tills, contests and audits call (spec LOY-6)."""

from collections.abc import Sequence

from ledger.domains.loyalty.state import EarnRule, MinimumBasket, RatePerAmount, ReceiptCap
from ledger.types import INTEGER_MAX, Points


def points_for(rules: Sequence[EarnRule], *, net_cents: int, paid_with_points_cents: int) -> Points:
    """Points for a receipt of `net_cents`, of which `paid_with_points_cents` were paid with points and earn nothing.

    Each rate is floored by itself; their sum is capped last. A refund-only receipt (eligible net below 0) gives 0.
    """
    eligible = net_cents - paid_with_points_cents
    if eligible <= 0 or any(eligible < rule.cents for rule in rules if isinstance(rule, MinimumBasket)):
        return Points(0)
    total = sum(eligible * rule.points // rule.per_cents for rule in rules if isinstance(rule, RatePerAmount))
    cap = min((rule.points for rule in rules if isinstance(rule, ReceiptCap)), default=INTEGER_MAX)
    return Points(min(total, cap))
