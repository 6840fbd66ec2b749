"""A program's terms as a node shows them (`GET /v1/programs/{id}`), read back into the ledger's own type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from api.wallet.errors import Unreachable
from api.wallet.program_file import OPTIONAL_INTEGERS, SPONSOR_INTEGERS, TERMS_INTEGERS, TIER_INTEGERS
from api.wallet.sealing import PeriodRule
from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.loyalty.referral_bonus import ReferralBonus
from ledger.domains.loyalty.state import (
    BonusWindow,
    CalendarExpiry,
    EarnRule,
    Expiry,
    MinimumBasket,
    NeverExpires,
    PeriodCap,
    PerVisit,
    Program,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    RollingExpiry,
    SlidingExpiry,
    SponsorPolicy,
    Terms,
    TierMultiplier,
)
from ledger.errors import Code
from ledger.types import Address, Amount, Points, Timestamp

BAD_TERMS = Code(
    "client.bad_terms",
    "the node shows terms that this wallet can't read: {reason}",
    "Update fansumer, or ask another node.",
)

NO_SUNSET: Final = Timestamp(0)
WINDOW_FIELDS: Final = tuple(field.name for field in fields(BonusWindow))


def _window(rule: Mapping[str, Any]) -> EarnRule:
    integers: dict[str, Any] = {name: int(rule[name]) for name in WINDOW_FIELDS}
    return BonusWindow(**integers)


RULES: Final[Mapping[str, Callable[[Mapping[str, Any]], EarnRule]]] = {
    "rate_per_amount": lambda rule: RatePerAmount(Points(int(rule["points"])), int(rule["per_cents"])),
    "minimum_basket": lambda rule: MinimumBasket(int(rule["cents"])),
    "receipt_cap": lambda rule: ReceiptCap(Points(int(rule["points"]))),
    "rate_per_code": lambda rule: RatePerCode(str(rule["code"]), Points(int(rule["points"])), int(rule["per_cents"])),
    "per_visit": lambda rule: PerVisit(
        Points(int(rule["points"])), int(rule["cents_min"]), int(rule["cooldown_seconds"])
    ),
    "bonus_window": _window,
    "tier_multiplier": lambda rule: TierMultiplier(int(rule["tier"]), int(rule["numerator"]), int(rule["denominator"])),
    "period_cap": lambda rule: PeriodCap(Points(int(rule["points"])), rule["rejects"] is True),
}
EXPIRIES: Final[Mapping[str, Callable[[Mapping[str, Any]], Expiry]]] = {
    "never_expires": lambda expiry: NeverExpires(),
    "rolling_expiry": lambda expiry: RollingExpiry(int(expiry["days"])),
    "calendar_expiry": lambda expiry: CalendarExpiry(
        int(expiry["month"]), int(expiry["day"]), int(expiry["years_min"])
    ),
    "sliding_expiry": lambda expiry: SlidingExpiry(int(expiry["days"])),
}


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """What a till must know of a program: the version in force and its terms, the newest version, how periods are numbered, and
    when earning ends (0: no end is announced).
    """

    version: int
    latest_version: int
    terms: Terms
    periods: PeriodRule
    sunset_at: Timestamp = NO_SUNSET


def read_program_answer(answer: Mapping[str, Any]) -> ProgramFacts:
    """The facts in the answer to `GET /v1/programs/{id}`. Raises Unreachable client.bad_terms."""
    try:
        shown, announced = answer["terms"], answer.get("announced")
        terms = read_shown_terms(shown)
        version = int(shown["version"])
        latest = version if announced is None else max(version, int(announced["version"]))
        sunset = answer.get("sunset")
        sunset_at = NO_SUNSET if sunset is None else Timestamp(int(sunset["sunset_at"]))
        periods = PeriodRule(int(answer["offset_minutes"]), terms.period_days, terms.period_anchor_day)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Unreachable.of_code(BAD_TERMS, reason=f"{type(fault).__name__} {fault}") from None
    return ProgramFacts(version, latest, terms, periods, sunset_at)


def read_shown_terms(shown: Mapping[str, Any]) -> Terms:
    """Terms from JSON in which a member of a union names itself in `type`. Raises KeyError, TypeError or ValueError."""
    names = (*TERMS_INTEGERS, *OPTIONAL_INTEGERS, *TIER_INTEGERS.values())
    integers: dict[str, Any] = {name: int(shown[name]) for name in names}
    sponsor, referral = shown["sponsor"], shown["referral"]
    return Terms(
        rules=tuple(RULES[rule["type"]](rule) for rule in shown["rules"]),
        expiry=EXPIRIES[shown["expiry"]["type"]](shown["expiry"]),
        sponsor=SponsorPolicy(*(Amount(int(sponsor[name])) for name in SPONSOR_INTEGERS)),
        tiers=tuple((str(tier["name"]), int(tier["threshold"])) for tier in shown["tiers"]),
        referral=ReferralBonus(Points(int(referral["referrer"])), Points(int(referral["joiner"]))),
        floor=Floor(Points(int(shown["floor"]["points"])), int(shown["floor"]["cents"])),
        refund_days=int(shown["refund_days"]),
        **integers,
    )


@dataclass(frozen=True, slots=True)
class TermsVersions:
    """Every version of a program's terms that a receipt may still name, and the chain's time.

    `program` is the ledger's record as far as it says when versions are in force and days begin; the rest of it is empty.
    """

    program: Program
    now: Timestamp
    terms: Mapping[int, Terms]


def read_versions_answer(answer: Mapping[str, Any]) -> TermsVersions:
    """The answer to `GET /v1/programs/{id}/terms`. Raises Unreachable client.bad_terms."""
    try:
        items = answer["items"]
        terms = {int(item["version"]): read_shown_terms(item) for item in items}
        versions = tuple((int(item["version"]), int(item["effective_from"])) for item in items)
        if not versions:
            raise ValueError("a program without terms")
        program = Program(Address(b""), b"", Amount(0), "", "", 0, int(answer["offset_minutes"]), versions)
        return TermsVersions(program, Timestamp(int(answer["time"])), terms)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Unreachable.of_code(BAD_TERMS, reason=f"{type(fault).__name__} {fault}") from None
