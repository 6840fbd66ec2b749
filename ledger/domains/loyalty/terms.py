"""What makes terms valid, and what makes new terms worse for a fan than the old ones (spec LOY-2, LOY-3).

In doubt a change is worse: whenever some fan could be worse off somewhere. Ratios are compared exactly.
"""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.loyalty.state import (
    BonusWindow,
    CalendarExpiry,
    EarnRule,
    MinimumBasket,
    NeverExpires,
    PeriodCap,
    PerVisit,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    RollingExpiry,
    SlidingExpiry,
    SponsorPolicy,
    Terms,
    TierMultiplier,
)
from ledger.errors import Code, Malformed, RuleViolation
from ledger.params import CONTEST_RESERVE_DIVISOR, TIER_PERIOD_DAYS_MIN, TIERS_MAX
from ledger.types import INTEGER_MAX, Day, Points

BAD_TERMS = Code("program.terms", "these terms contradict themselves: {reason}", "Correct the terms.")
SPONSOR_RATE = Code(
    "program.sponsor_rate",
    "the sponsor's rate {rate} is below the chain's least fee rate {minimum}",
    "Set the sponsor policy's rate to at least the chain's.",
)

GIVING = (RatePerAmount, RatePerCode, PerVisit)
"""Rules that give points; all others change or refuse what these give."""
NAMED_ONCE = (MinimumBasket, ReceiptCap, PerVisit, PeriodCap)

Rules = tuple[EarnRule, ...]
Rule = TypeVar("Rule")

FIRST_DAY = Day(0)
"""No bonus window is over on it."""


def check_terms(terms: Terms) -> None:
    """Raise `Malformed` for terms that contradict themselves."""
    _refuse_unless(any(isinstance(rule, GIVING) for rule in terms.rules), "no rule gives points")
    _check_rules(terms)
    _check_tiers(terms)
    if isinstance(terms.expiry, RollingExpiry | SlidingExpiry):
        _refuse_unless(terms.expiry.days > terms.activation_delay_days, "points would expire before they can be used")
    _refuse_unless(
        terms.activation_delay_days >= terms.return_window_days,
        "points would be usable before the return window ends",
    )
    _refuse_unless(
        terms.period_anchor_day == 0 or terms.period_anchor_day < terms.period_days,
        "the period's anchor day lies outside the period",
    )
    _refuse_unless(
        bool(terms.floor.points) == bool(terms.floor.cents), "a price floor needs both points and cents, or neither"
    )
    _refuse_unless(not (terms.collateral and terms.burn), "coin for a point is put aside or burned, not both")


def _refuse_unless(holds: bool, reason: str) -> None:
    if not holds:
        raise Malformed(BAD_TERMS, reason=reason)


def _check_rules(terms: Terms) -> None:
    counted = Counter(filter(None, map(_single, terms.rules)))
    _refuse_unless(
        all(count == 1 for count in counted.values()),
        "a minimum basket, a cap, points of a visit, or a rule of one code or tier is named twice",
    )
    for rule in terms.rules:
        if isinstance(rule, BonusWindow):
            _refuse_unless(
                rule.from_day < rule.until_day and rule.minute_from < rule.minute_until, "a bonus window never opens"
            )
    for rule in terms.rules:
        if isinstance(rule, BonusWindow | TierMultiplier):
            _refuse_unless(rule.numerator >= rule.denominator, "a bonus takes points away")
    for rule in terms.rules:
        if isinstance(rule, TierMultiplier):
            _refuse_unless(rule.tier <= len(terms.tiers), "a rule names a tier that the terms don't have")


def _single(rule: EarnRule) -> tuple[int, str | int] | None:
    """What of a rule may stand in the terms only once."""
    if isinstance(rule, RatePerCode):
        return rule.tag, rule.code
    if isinstance(rule, TierMultiplier):
        return rule.tag, rule.tier
    return (rule.tag, 0) if isinstance(rule, NAMED_ONCE) else None


def _check_tiers(terms: Terms) -> None:
    _refuse_unless(
        all(lower < higher for (_, lower), (_, higher) in pairwise(terms.tiers))
        and len({name for name, _ in terms.tiers}) == len(terms.tiers),
        "thresholds of tiers don't ascend, or two tiers have one name",
    )
    days = (terms.tier_period_days, terms.tier_anchor_day, terms.tier_grace_days)
    if terms.tiers:
        _refuse_unless(terms.tier_period_days >= TIER_PERIOD_DAYS_MIN, "the tier period is too short")
    else:
        _refuse_unless(days == (0, 0, 0), "a tier period is given, and no tiers")
    _refuse_unless(
        terms.tier_anchor_day == 0 or terms.tier_anchor_day < terms.tier_period_days,
        "the tier period's anchor day lies outside the tier period",
    )
    _refuse_unless(terms.tier_grace_days <= terms.tier_period_days, "the grace of tiers is longer than their period")


def check_sponsor_rate(terms: Terms, fee_rate_min: int) -> None:
    """Raise `program.sponsor_rate` where the pool would pay less than the chain's least rate."""
    if terms.sponsor.rate < fee_rate_min:
        raise RuleViolation(SPONSOR_RATE, rate=terms.sponsor.rate, minimum=fee_rate_min)


def contest_reserve(terms: Terms) -> Points:
    """Points that contests may credit outside of the issuance cap: a tenth of it, rounded up (spec LOY-14)."""
    return Points(-(-terms.issuance_cap // CONTEST_RESERVE_DIVISOR))


# --- what is worse -----------------------------------------------------------------------------------------------------------


def is_worse(old: Terms, new: Terms, *, today: Day = FIRST_DAY) -> bool:
    """Whether `new` could worsen a fan's position anywhere against `old`; bonus windows that ended before `today` don't count."""
    return bool(find_worse(old, new, today=today))


def find_worse(old: Terms, new: Terms, *, today: Day = FIRST_DAY) -> tuple[str, ...]:
    """The terms that are worse, by name, in the order of LOY-3.

    The period's length and anchor count as worse whenever they change, since either direction can delay somebody.
    """
    found = {
        "rate": _rates_fall(old.rules, new.rules),
        "minimum_basket": _minimum(new.rules) > _minimum(old.rules),
        "receipt_cap": _cap(new.rules) < _cap(old.rules),
        "rate_per_code": _codes_fall(old.rules, new.rules),
        "per_visit": _visits_fall(old.rules, new.rules),
        "bonus_window": _windows_close(old.rules, new.rules, today),
        "tier_multiplier": any(
            _multiplier(new.rules, tier) < _multiplier(old.rules, tier) for tier in range(1, TIERS_MAX + 1)
        ),
        "period_cap": _period_cap_is_worse(old.rules, new.rules),
        "tiers": _tiers_are_worse(old, new),
        "expiry": _expiry_is_worse(old, new),
        "activation_delay_days": new.activation_delay_days > old.activation_delay_days,
        "return_window_days": new.return_window_days > old.return_window_days,
        "period_days": new.period_days != old.period_days,
        "period_anchor_day": new.period_anchor_day != old.period_anchor_day,
        "settle_grace_days": new.settle_grace_days > old.settle_grace_days,
        "remainder_max": new.remainder_max > old.remainder_max,
        "issuance_cap": new.issuance_cap < old.issuance_cap,
        "hold_seconds": new.hold_seconds < old.hold_seconds,
        "notice_days": new.notice_days < old.notice_days,
        "transfer_day_max": new.transfer_day_max < old.transfer_day_max,
        "wind_down_days": new.wind_down_days < old.wind_down_days,
        "referral": new.referral.referrer < old.referral.referrer or new.referral.joiner < old.referral.joiner,
        "floor": _floor_is_worse(old.floor, new.floor),
        "refund_days": new.refund_days < old.refund_days,
        "sponsor": _sponsor_is_worse(old.sponsor, new.sponsor),
        "collateral": new.collateral < old.collateral,
        "burn": new.burn < old.burn,
    }
    return tuple(name for name, worse in found.items() if worse)


def _of(rules: Rules, kind: type[Rule]) -> list[Rule]:
    return [rule for rule in rules if isinstance(rule, kind)]


def _only(rules: Rules, kind: type[Rule]) -> Rule | None:
    """The rule of a kind that terms name at most once."""
    return next(iter(_of(rules, kind)), None)


def _rates_fall(old: Rules, new: Rules) -> bool:
    """Rates are compared one by one, best first, so that flooring each can't hide a loss."""
    before, after = _rates(old), _rates(new)
    return len(after) < len(before) or any(low < high for high, low in zip(before, after, strict=False))


def _rates(rules: Rules) -> list[Fraction]:
    return sorted((Fraction(rule.points, rule.per_cents) for rule in _of(rules, RatePerAmount)), reverse=True)


def _minimum(rules: Rules) -> int:
    return max((rule.cents for rule in _of(rules, MinimumBasket)), default=0)


def _cap(rules: Rules) -> int:
    return min((rule.points for rule in _of(rules, ReceiptCap)), default=INTEGER_MAX)


def _codes_fall(old: Rules, new: Rules) -> bool:
    rates = {rule.code: Fraction(rule.points, rule.per_cents) for rule in _of(new, RatePerCode)}
    return any(
        rates.get(rule.code, Fraction(0)) < Fraction(rule.points, rule.per_cents) for rule in _of(old, RatePerCode)
    )


def _visits_fall(old: Rules, new: Rules) -> bool:
    before, after = _only(old, PerVisit), _only(new, PerVisit)
    if before is None:
        return False
    return (
        after is None
        or after.points < before.points
        or after.cents_min > before.cents_min
        or after.cooldown_seconds > before.cooldown_seconds
    )


def _windows_close(old: Rules, new: Rules, today: Day) -> bool:
    """Each window that is not over must lie within one of the new ones."""
    windows = _of(new, BonusWindow)
    return any(
        window.until_day > today and not any(_covers(other, window) for other in windows)
        for window in _of(old, BonusWindow)
    )


def _covers(wide: BonusWindow, narrow: BonusWindow) -> bool:
    return (
        wide.from_day <= narrow.from_day
        and wide.until_day >= narrow.until_day
        and wide.weekdays & narrow.weekdays == narrow.weekdays
        and wide.minute_from <= narrow.minute_from
        and wide.minute_until >= narrow.minute_until
        and Fraction(wide.numerator, wide.denominator) >= Fraction(narrow.numerator, narrow.denominator)
    )


def _multiplier(rules: Rules, tier: int) -> Fraction:
    """What members of a tier get: the best of its own and of lower tiers."""
    found = (Fraction(rule.numerator, rule.denominator) for rule in _of(rules, TierMultiplier) if rule.tier <= tier)
    return max(found, default=Fraction(1))


def _period_cap_is_worse(old: Rules, new: Rules) -> bool:
    """A cap that reduces settles what one that rejects leaves open to contests, so a change of that is worse either way."""
    before, after = _only(old, PeriodCap), _only(new, PeriodCap)
    if after is None:
        return False
    return before is None or after.points < before.points or after.rejects != before.rejects


def _tiers_are_worse(old: Terms, new: Terms) -> bool:
    """Tiers are compared by place: whoever had one has it still, and none is harder to reach or shorter."""
    if not old.tiers:
        return False
    return (
        len(new.tiers) < len(old.tiers)
        or any(after > before for (_, before), (_, after) in zip(old.tiers, new.tiers, strict=False))
        or (new.tier_period_days, new.tier_anchor_day) != (old.tier_period_days, old.tier_anchor_day)
        or new.tier_grace_days < old.tier_grace_days
    )


def _expiry_is_worse(old: Terms, new: Terms) -> bool:
    """Kinds that can't be compared lot by lot are compared by the shortest and the longest life of any lot."""
    before, after = old.expiry, new.expiry
    if isinstance(after, NeverExpires):
        return False
    if isinstance(before, RollingExpiry) and isinstance(after, RollingExpiry | SlidingExpiry):
        return after.days < before.days
    if isinstance(before, SlidingExpiry) and isinstance(after, SlidingExpiry):
        return after.days < before.days
    is_same_date = (
        isinstance(before, CalendarExpiry)
        and isinstance(after, CalendarExpiry)
        and (before.month, before.day, old.activation_delay_days) == (after.month, after.day, new.activation_delay_days)
        and after.years_min >= before.years_min
    )
    return not is_same_date and _life(new)[0] < _life(old)[1]


def _life(terms: Terms) -> tuple[int, int]:
    """The least and the greatest number of days from a lot's base day to its expiry."""
    expiry = terms.expiry
    if isinstance(expiry, RollingExpiry):
        return expiry.days, expiry.days
    if isinstance(expiry, SlidingExpiry):
        return expiry.days, INTEGER_MAX
    if isinstance(expiry, CalendarExpiry):
        delay, years = terms.activation_delay_days, expiry.years_min
        return delay + 365 * years + 1, delay + 366 * (years + 1) + 1
    return INTEGER_MAX, INTEGER_MAX


def _floor_is_worse(old: Floor, new: Floor) -> bool:
    """Whether a point's promised value falls: cents / points, where no floor promises nothing."""
    return bool(old.points) and (not new.points or new.cents * old.points < old.cents * new.points)


def _sponsor_is_worse(old: SponsorPolicy, new: SponsorPolicy) -> bool:
    """Each total may fall neither in coin (deposits come out of it, too) nor in the weight that it pays for at the rate."""
    totals = (
        (old.member_day_max, new.member_day_max),
        (old.block_max, new.block_max),
        (old.day_max, new.day_max),
    )
    return any(after < before or after * old.rate < before * new.rate for before, after in totals)
