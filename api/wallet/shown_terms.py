"""A program's terms as a node shows them (`GET /v1/programs/{id}`), read back into the ledger's own type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.wallet.errors import Unreachable
from api.wallet.program_file import SPONSOR_INTEGERS, TERMS_INTEGERS
from api.wallet.sealing import PeriodRule
from ledger.domains.loyalty.state import (
    EarnRule,
    Expiry,
    Floor,
    MinimumBasket,
    NeverExpires,
    RatePerAmount,
    ReceiptCap,
    RollingExpiry,
    SponsorPolicy,
    Terms,
)
from ledger.errors import Code
from ledger.types import Amount, Points

BAD_TERMS = Code(
    "client.bad_terms",
    "the node shows terms that this wallet can't read: {reason}",
    "Update fansumer, or ask another node.",
)

RULES: Final[Mapping[str, Callable[[Mapping[str, Any]], EarnRule]]] = {
    "rate_per_amount": lambda rule: RatePerAmount(Points(int(rule["points"])), int(rule["per_cents"])),
    "minimum_basket": lambda rule: MinimumBasket(int(rule["cents"])),
    "receipt_cap": lambda rule: ReceiptCap(Points(int(rule["points"]))),
}
EXPIRIES: Final[Mapping[str, Callable[[Mapping[str, Any]], Expiry]]] = {
    "never_expires": lambda expiry: NeverExpires(),
    "rolling_expiry": lambda expiry: RollingExpiry(int(expiry["days"])),
}


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """What a till must know of a program: the version in force and its terms, the newest version, how periods are numbered."""

    version: int
    latest_version: int
    terms: Terms
    periods: PeriodRule


def read_program_answer(answer: Mapping[str, Any]) -> ProgramFacts:
    """The facts in the answer to `GET /v1/programs/{id}`. Raises Unreachable client.bad_terms."""
    try:
        shown, announced = answer["terms"], answer.get("announced")
        terms = read_shown_terms(shown)
        version = int(shown["version"])
        latest = version if announced is None else max(version, int(announced["version"]))
        periods = PeriodRule(int(answer["offset_minutes"]), terms.period_days, terms.period_anchor_day)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Unreachable.of_code(BAD_TERMS, reason=f"{type(fault).__name__} {fault}") from None
    return ProgramFacts(version, latest, terms, periods)


def read_shown_terms(shown: Mapping[str, Any]) -> Terms:
    """Terms from JSON in which a member of a union names itself in `type`. Raises KeyError, TypeError or ValueError."""
    integers: dict[str, Any] = {name: int(shown[name]) for name in TERMS_INTEGERS}
    sponsor = shown["sponsor"]
    return Terms(
        rules=tuple(RULES[rule["type"]](rule) for rule in shown["rules"]),
        expiry=EXPIRIES[shown["expiry"]["type"]](shown["expiry"]),
        sponsor=SponsorPolicy(*(Amount(int(sponsor[name])) for name in SPONSOR_INTEGERS)),
        floor=Floor(Points(int(shown["floor"]["points"])), int(shown["floor"]["cents"])),
        refund_days=int(shown["refund_days"]),
        **integers,
    )
