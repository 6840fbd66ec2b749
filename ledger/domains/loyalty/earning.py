"""How many points a purchase gives: the one function that entries, tills, contests, wallets and audits call (spec LOY-6).

`trace_points` is that function, step by step; `points_for` is the end of its trace, so what is explained is what is computed.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.state import (
    BonusWindow,
    EarnRule,
    Member,
    MinimumBasket,
    PerVisit,
    Program,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    TierMultiplier,
    load_terms,
)
from ledger.domains.loyalty.tiers import tier_at
from ledger.evolve import replace
from ledger.params import RECEIPT_AGE_SECONDS_MAX
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Points, ProgramId, Timestamp

PAID_WITH_POINTS = -1
"""Place of the step that takes off what was paid with points: no rule of the terms."""
END = -2
"""Place of the last step, whose total is the receipt's points."""


class Step(NamedTuple):
    """One step of LOY-6.

    `place` is the rule's place in the terms, or `PAID_WITH_POINTS` or `END`. A rate takes cents in and gives points; what changes
    a sum takes the sum in and gives the new one; `PAID_WITH_POINTS` takes the net and gives what is eligible. `counts`: whether
    the step had an effect: the basket was reached, the window held and was the best, the cap bound. `total` is the sum after it.
    """

    place: int
    taken: int
    given: int
    counts: bool
    total: int


def points_for(rules: Sequence[EarnRule], purchase: Purchase, *, offset_minutes: int) -> Points:
    """Points of a purchase under `rules`, in a zone of `offset_minutes`: never negative, at most 2**63 - 1."""
    return Points(trace_points(rules, purchase, offset_minutes=offset_minutes)[-1].total)


def trace_points(rules: Sequence[EarnRule], purchase: Purchase, *, offset_minutes: int) -> tuple[Step, ...]:
    """Every step in the order of LOY-6; the last one's total are the points."""
    net = purchase.net_cents
    eligible = net - purchase.paid_with_points_cents
    steps = [Step(PAID_WITH_POINTS, net, eligible, eligible > 0, 0)]
    baskets = [(place, rule) for place, rule in enumerate(rules) if isinstance(rule, MinimumBasket)]
    for place, basket in baskets if eligible > 0 else ():
        steps.append(Step(place, eligible, eligible, eligible >= basket.cents, 0))
    if all(step.counts for step in steps):
        _add_rates(steps, rules, purchase, eligible)
        windows = [
            (place, rule, holds(rule, purchase.time, offset_minutes=offset_minutes))
            for place, rule in enumerate(rules)
            if isinstance(rule, BonusWindow)
        ]
        _add_best(steps, windows)
        multipliers = [
            (place, rule, rule.tier <= purchase.tier)
            for place, rule in enumerate(rules)
            if isinstance(rule, TierMultiplier)
        ]
        _add_best(steps, multipliers)
        for place, rule in enumerate(rules):
            if isinstance(rule, ReceiptCap):
                sum_before = steps[-1].total
                capped = min(sum_before, rule.points)
                steps.append(Step(place, sum_before, capped, capped < sum_before, capped))
    total = steps[-1].total
    points = min(total, INTEGER_MAX)
    steps.append(Step(END, total, points, points < total, points))
    return tuple(steps)


def _add_rates(steps: list[Step], rules: Sequence[EarnRule], purchase: Purchase, eligible: int) -> None:
    """What gives points: of the amount, of codes, of the visit; each floored by itself."""
    total = 0
    for place, rule in enumerate(rules):
        if isinstance(rule, RatePerAmount):
            taken, given = eligible, eligible * rule.points // rule.per_cents
        elif isinstance(rule, RatePerCode):
            taken = eligible_of_code(purchase, rule.code)
            given = taken * rule.points // rule.per_cents
        elif isinstance(rule, PerVisit):
            taken = eligible
            given = rule.points if eligible >= rule.cents_min and is_new_visit(rule, purchase) else 0
        else:
            continue
        total += given
        steps.append(Step(place, taken, given, given > 0, total))


def _add_best(steps: list[Step], found: Sequence[tuple[int, BonusWindow | TierMultiplier, bool]]) -> None:
    """Multiply the sum by the greatest ratio of those that apply; ratios of one kind don't stack."""
    applying = [(place, rule) for place, rule, applies in found if applies]
    best = max(applying, key=lambda item: Fraction(item[1].numerator, item[1].denominator), default=None)
    total = steps[-1].total
    for place, rule, _ in found:
        if best is not None and place == best[0]:
            given = total * rule.numerator // rule.denominator
            steps.append(Step(place, total, given, counts=True, total=given))
        else:
            steps.append(Step(place, total, 0, counts=False, total=steps[-1].total))


def eligible_of_code(purchase: Purchase, code: str) -> int:
    """Cents of a category code less its share of what was paid with points, for a purchase with an eligible net above 0."""
    net = purchase.net_cents
    cents = next((cents for name, cents in purchase.codes if name == code), 0)
    return min(max(cents, 0), net) * (net - purchase.paid_with_points_cents) // net


def is_new_visit(rule: PerVisit, purchase: Purchase) -> bool:
    """Whether the cool-down since the visit before this one is over."""
    before = purchase.previous_visit
    return before == 0 or purchase.time - before >= rule.cooldown_seconds


def holds(window: BonusWindow, time: Timestamp, *, offset_minutes: int) -> bool:
    """Whether a time lies in a bonus window, by the program's own days."""
    local = time + offset_minutes * 60
    day, minute = local // 86_400, local % 86_400 // 60
    weekday = (day + 3) % 7
    return (
        window.from_day <= day < window.until_day
        and bool(window.weekdays >> weekday & 1)
        and window.minute_from <= minute < window.minute_until
    )


def versions_named_at(program: Program, time: Timestamp) -> frozenset[int]:
    """The versions that a receipt of `time` may name: in force then, or at some time in the 72 hours before (spec LOY-6)."""
    return frozenset(program.versions_between(Timestamp(max(time - RECEIPT_AGE_SECONDS_MAX, 0)), time))


def better_points(
    view: RuleView, program_id: ProgramId, program: Program, member: Member, *, terms_version: int, purchase: Purchase
) -> Points:
    """What a purchase gives by the better of the version that its receipt names and the one in force then (spec LOY-6).

    For each of them the tier is the better of the one named and the one that the chain knew at the time, by its own thresholds.
    """
    found = Points(0)
    for version in {terms_version, program.version_at(purchase.time)}:
        terms = load_terms(view, program_id, version)
        known = tier_at(member.tier_history, terms, program, purchase.time)
        counted = replace(purchase, tier=max(purchase.tier, known))
        found = max(found, points_for(terms.rules, counted, offset_minutes=program.offset_minutes))
    return found
