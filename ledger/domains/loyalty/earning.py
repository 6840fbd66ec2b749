"""How many points a purchase gives: the one function that entries, tills, contests and audits call (spec LOY-6)."""

from collections.abc import Sequence

from ledger.domains.loyalty.state import EarnRule, MinimumBasket, Program, RatePerAmount, ReceiptCap, load_terms
from ledger.params import RECEIPT_AGE_SECONDS_MAX
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Points, ProgramId, Timestamp


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


def versions_named_at(program: Program, time: Timestamp) -> frozenset[int]:
    """The versions that a receipt of `time` may name: in force then, or at some time in the 72 hours before (spec LOY-6)."""
    return frozenset(program.versions_between(Timestamp(max(time - RECEIPT_AGE_SECONDS_MAX, 0)), time))


def better_points(
    view: RuleView,
    program_id: ProgramId,
    program: Program,
    *,
    terms_version: int,
    time: Timestamp,
    net_cents: int,
    paid_with_points_cents: int,
) -> Points:
    """What a purchase gives by the better of the version that its receipt names and the one in force at `time` (spec LOY-6)."""
    return max(
        points_for(
            load_terms(view, program_id, version).rules,
            net_cents=net_cents,
            paid_with_points_cents=paid_with_points_cents,
        )
        for version in {terms_version, program.version_at(time)}
    )
