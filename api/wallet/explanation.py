"""Why a purchase gives its points, in words: the ledger's own steps (spec LOY-6), line by line, never a second computation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.wallet.errors import WalletError
from api.wallet.shown_terms import TermsVersions
from api.wallet.terms_tables import RULE_NAMES
from ledger.domains.loyalty.earning import END, PAID_WITH_POINTS, Step, trace_points, versions_named_at
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.state import (
    BonusWindow,
    MinimumBasket,
    PerVisit,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    Terms,
    TierMultiplier,
)
from ledger.errors import Code
from ledger.types import Points

UNKNOWN_VERSION = Code(
    "explain.unknown_version",
    "the program shows no terms {version}; it shows {known}",
    "Name one of those; older ones are forgotten when no receipt can be settled under them any more.",
)
UNKNOWN_TIER = Code(
    "explain.unknown_tier",
    "{tier} is no tier of these terms; there are {known}",
    "Name a tier by its name or number, or 0 for none.",
)
NOT_NAMED: Final = "a receipt of that time may not name these terms: nobody has to settle it"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an explanation: a rule's name, what it took in, what it gave, whether it had an effect, the sum after it."""

    rule: str
    taken: int
    given: int
    counts: bool
    total: int
    text: str

    def to_mapping(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule,
            "input": self.taken,
            "result": self.given,
            "counts": self.counts,
            "total": self.total,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """One version's lines; their end are its points. `may_be_named`: whether a receipt of that time may name it."""

    version: int
    is_named: bool
    is_in_force: bool
    may_be_named: bool
    lines: tuple[Line, ...]

    @property
    def points(self) -> Points:
        """What this version gives."""
        return Points(self.lines[-1].total)


def explain_purchase(versions: TermsVersions, purchase: Purchase, named: int | None = None) -> list[Explanation]:
    """The version named and the one in force, the one that counts first: the better of the two (spec LOY-6).

    Raises WalletError explain.unknown_version.
    """
    in_force = versions.program.version_at(purchase.time)
    chosen = in_force if named is None else named
    if chosen not in versions.terms:
        known = ", ".join(map(str, sorted(versions.terms)))
        raise WalletError(UNKNOWN_VERSION, version=chosen, known=known)
    nameable = versions_named_at(versions.program, purchase.time)
    found = [
        Explanation(
            version=version,
            is_named=version == chosen,
            is_in_force=version == in_force,
            may_be_named=version in nameable,
            lines=explain_points(versions.terms[version], purchase, versions.program.offset_minutes),
        )
        for version in sorted({chosen, in_force})
    ]
    return sorted(found, key=lambda one: (one.may_be_named, one.points, one.is_named), reverse=True)


def explain_points(terms: Terms, purchase: Purchase, offset_minutes: int) -> tuple[Line, ...]:
    """The ledger's steps with a word on each."""
    return tuple(
        Line(_name(terms, step), step.taken, step.given, step.counts, step.total, _words(terms, purchase, step))
        for step in trace_points(terms.rules, purchase, offset_minutes=offset_minutes)
    )


def find_tier(terms: Terms, text: str) -> int:
    """The number of a tier from its name or number; 0 is none. Raises WalletError explain.unknown_tier."""
    names = [name for name, _ in terms.tiers]
    if text in names:
        return names.index(text) + 1
    if text.isascii() and text.isdigit() and len(text) < 3 and int(text) <= len(names):
        return int(text)
    raise WalletError(UNKNOWN_TIER, tier=text[:32], known=", ".join(names) or "none")


def explanation_to_mapping(
    found: list[Explanation], purchase: Purchase, promised: Points | None = None
) -> Mapping[str, Any]:
    """An explanation as JSON; `promised` are the points of the receipt, where there is one."""
    best = found[0]
    return {
        "points": best.points,
        "counted_version": best.version,
        "receipt_points": promised,
        "purchase": {
            "time": purchase.time,
            "net_cents": purchase.net_cents,
            "paid_with_points_cents": purchase.paid_with_points_cents,
            "codes": dict(purchase.codes),
            "tier": purchase.tier,
            "previous_visit": purchase.previous_visit or None,
        },
        "versions": [
            {
                "version": one.version,
                "named": one.is_named,
                "in_force": one.is_in_force,
                "may_be_named": one.may_be_named,
                "points": one.points,
                "lines": [line.to_mapping() for line in one.lines],
            }
            for one in found
        ],
    }


def owed_points(versions: TermsVersions, purchase: Purchase, named: int) -> tuple[Points, int] | None:
    """The points of the better version and its number; None where these terms are not known, or may not be named."""
    if named not in versions.terms or named not in versions_named_at(versions.program, purchase.time):
        return None
    best = explain_purchase(versions, purchase, named)[0]
    return best.points, best.version


def _name(terms: Terms, step: Step) -> str:
    if step.place == PAID_WITH_POINTS:
        return "paid_with_points"
    return "points" if step.place == END else RULE_NAMES[terms.rules[step.place].tag]


def _words(terms: Terms, purchase: Purchase, step: Step) -> str:
    if step.place == PAID_WITH_POINTS:
        text = (
            f"{purchase.net_cents} - {purchase.paid_with_points_cents} paid with points = {step.given} cents that earn"
        )
        return text if step.counts else f"{text}: nothing to earn on"
    if step.place == END:
        return f"{step.given} points"
    rule = terms.rules[step.place]
    if isinstance(rule, MinimumBasket):
        return f"{step.taken} cents {'reach' if step.counts else 'do not reach'} the {rule.cents} that it takes"
    if isinstance(rule, RatePerAmount):
        return f"floor({step.taken} * {rule.points} / {rule.per_cents}) = {step.given}"
    if isinstance(rule, RatePerCode):
        return _words_of_code(purchase, rule, step)
    if isinstance(rule, PerVisit):
        return _words_of_visit(purchase, rule, step)
    if isinstance(rule, ReceiptCap):
        return f"{step.taken} is cut to {rule.points}" if step.counts else f"{step.taken} is within {rule.points}"
    assert isinstance(rule, BonusWindow | TierMultiplier), "only rules of a receipt have steps"
    return _words_of_bonus(purchase, rule, step)


def _words_of_code(purchase: Purchase, rule: RatePerCode, step: Step) -> str:
    cents = dict(purchase.codes).get(rule.code, 0)
    share = f"{rule.code}: {cents} cents"
    if step.taken != cents:
        eligible = purchase.net_cents - purchase.paid_with_points_cents
        bounded = min(max(cents, 0), purchase.net_cents)
        share += f", of which floor({bounded} * {eligible} / {purchase.net_cents}) = {step.taken} earn"
    return f"{share}: floor({step.taken} * {rule.points} / {rule.per_cents}) = {step.given}"


def _words_of_visit(purchase: Purchase, rule: PerVisit, step: Step) -> str:
    if step.counts:
        return f"a visit of at least {rule.cents_min} cents: {step.given}"
    if step.taken < rule.cents_min:
        return f"{step.taken} cents are below the {rule.cents_min} that a visit takes: 0"
    since = purchase.time - purchase.previous_visit
    return f"{since} s since the visit before are within the cool-down of {rule.cooldown_seconds} s: 0"


def _words_of_bonus(purchase: Purchase, rule: BonusWindow | TierMultiplier, step: Step) -> str:
    ratio = f"{rule.numerator}/{rule.denominator}"
    if step.counts:
        return f"floor({step.taken} * {rule.numerator} / {rule.denominator}) = {step.given}"
    if isinstance(rule, TierMultiplier) and rule.tier > purchase.tier:
        return f"{ratio} is for tier {rule.tier} and above; this is tier {purchase.tier}"
    return f"{ratio}: the time is outside of it, or another one is as good or better"
