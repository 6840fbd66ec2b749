"""What makes terms valid, and what makes new terms worse for a fan than the old ones (spec LOY-2, LOY-3)."""

from fractions import Fraction

from ledger.domains.loyalty.state import (
    EarnRule,
    Expiry,
    Floor,
    MinimumBasket,
    RatePerAmount,
    ReceiptCap,
    RollingExpiry,
    SponsorPolicy,
    Terms,
)
from ledger.errors import Code, Malformed, RuleViolation
from ledger.params import CONTEST_RESERVE_DIVISOR
from ledger.types import INTEGER_MAX, Points

BAD_TERMS = Code("program.terms", "these terms contradict themselves: {reason}", "Correct the terms.")
SPONSOR_RATE = Code(
    "program.sponsor_rate",
    "the sponsor's rate {rate} is below the chain's least fee rate {minimum}",
    "Set the sponsor policy's rate to at least the chain's.",
)


def check_terms(terms: Terms) -> None:
    """Raise `Malformed` for terms that contradict themselves."""
    tags = [rule.tag for rule in terms.rules]
    if RatePerAmount.tag not in tags:
        raise Malformed(BAD_TERMS, reason="no rule gives points")
    if tags.count(MinimumBasket.tag) > 1 or tags.count(ReceiptCap.tag) > 1:
        raise Malformed(BAD_TERMS, reason="a minimum basket or a cap is named twice")
    if isinstance(terms.expiry, RollingExpiry) and terms.expiry.days <= terms.activation_delay_days:
        raise Malformed(BAD_TERMS, reason="points would expire before they can be used")
    if terms.activation_delay_days < terms.return_window_days:
        raise Malformed(BAD_TERMS, reason="points would be usable before the return window ends")
    if terms.period_anchor_day and terms.period_anchor_day >= terms.period_days:
        raise Malformed(BAD_TERMS, reason="the period's anchor day lies outside the period")
    if bool(terms.floor.points) != bool(terms.floor.cents):
        raise Malformed(BAD_TERMS, reason="a price floor needs both points and cents, or neither")


def check_sponsor_rate(terms: Terms, fee_rate_min: int) -> None:
    """Raise `program.sponsor_rate` where the pool would pay less than the chain's least rate."""
    if terms.sponsor.rate < fee_rate_min:
        raise RuleViolation(SPONSOR_RATE, rate=terms.sponsor.rate, minimum=fee_rate_min)


def contest_reserve(terms: Terms) -> Points:
    """Points that contests may credit outside of the issuance cap: a tenth of it, rounded up (spec LOY-14)."""
    return Points(-(-terms.issuance_cap // CONTEST_RESERVE_DIVISOR))


def is_worse(old: Terms, new: Terms) -> bool:
    """Whether `new` could worsen a fan's position anywhere against `old`: then it waits for the notice (spec LOY-3).

    The period's length and anchor count as worse whenever they change, since either direction can delay somebody.
    """
    return (
        _rules_are_worse(old.rules, new.rules)
        or _expiry_days(new.expiry) < _expiry_days(old.expiry)
        or new.activation_delay_days > old.activation_delay_days
        or new.return_window_days > old.return_window_days
        or (new.period_days, new.period_anchor_day) != (old.period_days, old.period_anchor_day)
        or new.settle_grace_days > old.settle_grace_days
        or new.remainder_max > old.remainder_max
        or new.issuance_cap < old.issuance_cap
        or new.hold_seconds < old.hold_seconds
        or new.notice_days < old.notice_days
        or _sponsor_is_worse(old.sponsor, new.sponsor)
        or _floor_is_worse(old.floor, new.floor)
        or new.refund_days < old.refund_days
    )


def _rules_are_worse(old: tuple[EarnRule, ...], new: tuple[EarnRule, ...]) -> bool:
    """Rates are compared one by one, best first, so that flooring each can't hide a loss."""
    old_rates, new_rates = _rates(old), _rates(new)
    rates_fall = len(new_rates) < len(old_rates) or any(
        after < before for before, after in zip(old_rates, new_rates, strict=False)
    )
    return rates_fall or _minimum(new) > _minimum(old) or _cap(new) < _cap(old)


def _rates(rules: tuple[EarnRule, ...]) -> list[Fraction]:
    return sorted((Fraction(r.points, r.per_cents) for r in rules if isinstance(r, RatePerAmount)), reverse=True)


def _minimum(rules: tuple[EarnRule, ...]) -> int:
    return max((rule.cents for rule in rules if isinstance(rule, MinimumBasket)), default=0)


def _cap(rules: tuple[EarnRule, ...]) -> int:
    return min((rule.points for rule in rules if isinstance(rule, ReceiptCap)), default=INTEGER_MAX)


def _expiry_days(expiry: Expiry) -> int:
    return expiry.days if isinstance(expiry, RollingExpiry) else INTEGER_MAX


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
