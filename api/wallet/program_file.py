"""A program's terms as a person writes them: TOML or JSON, every unit in its name, nothing that is not known.

`EXAMPLE` is a complete file with a word on each line; `fansumer brand example-terms` prints it.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

from api.wallet.errors import WalletError
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import (
    NO_FLOOR,
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

FILE_CHARACTERS_MAX: Final = 65_536

BAD_FILE = Code(
    "terms.bad_file",
    "the file of terms cannot be used: {reason}",
    "Compare it with `fansumer brand example-terms`.",
)

EXAMPLE: Final = """\
# A program: who it is, what it promises. Amounts of money are in cents, points and coin in their smallest units.
name = "Corner Grocer"
unit = "points"
decimals = 0                     # digits after the point when points are shown
offset_minutes = -300            # the program's days begin at midnight UTC plus this; -300 is UTC-5

[terms]
activation_delay_days = 0        # points can be spent so many days after they are settled
return_window_days = 0           # at most the activation delay
period_days = 0                  # 0: settled on demand; 7: weekly
period_anchor_day = 0            # on which day of the period it begins, counted from 1970-01-01
settle_grace_days = 2            # so many days after a period's end its receipts are settled at the latest
remainder_max = 50               # points that may be carried to the next entry, so that sums tell nothing
issuance_cap = 1000000000        # points that will ever be issued
hold_seconds = 86400             # how long a redemption may stay open
notice_days = 30                 # changes for the worse wait so long
refund_days = 14                 # what was handed out can be taken back so long; 0, or left out: not at all

[[terms.rules]]
rule = "rate"                    # floor(net * points / per_cents)
points = 1
per_cents = 10

# [[terms.rules]]
# rule = "minimum_basket"        # receipts below give nothing
# cents = 500

# [[terms.rules]]
# rule = "receipt_cap"           # a receipt gives at most this
# points = 5000

[terms.expiry]
rolling_days = 365               # or: never = true

# [terms.floor]                  # a promise: so many points always buy a value of at least so many cents. Rewards must say
# points = 100                   # what they are worth, and raising the floor lowers every price at once
# cents = 80

[terms.sponsor]                  # what the fee pool pays for members and issuers
rate = 1                         # coin a weight unit; at least the chain's least rate
member_day_max = 100000          # coin a member and day
block_max = 10000000             # coin a block
day_max = 1000000000             # coin a day
"""

TERMS_INTEGERS: Final = (
    "activation_delay_days",
    "return_window_days",
    "period_days",
    "period_anchor_day",
    "settle_grace_days",
    "remainder_max",
    "issuance_cap",
    "hold_seconds",
    "notice_days",
)
SPONSOR_INTEGERS: Final = ("rate", "member_day_max", "block_max", "day_max")


def read_program_file(text: str) -> ProgramCreate:
    """The program in a file of TOML or JSON.

    Raises WalletError terms.bad_file for what is missing, unknown or of the wrong type. Limits and contradictions are found by
    the ledger when the transaction is built.
    """
    document = _parse(text)
    _check_names(document, "the file", {"name", "unit", "decimals", "offset_minutes", "terms"})
    return ProgramCreate(
        name=_text(document, "name"),
        unit=_text(document, "unit"),
        decimals=_integer(document, "decimals"),
        offset_minutes=_integer(document, "offset_minutes"),
        terms=_read_terms(_table(document, "terms")),
    )


def read_terms_file(text: str) -> Terms:
    """The terms alone, for an update: the same file, whose other fields a program never changes."""
    return read_program_file(text).terms


def program_to_mapping(program: ProgramCreate) -> dict[str, Any]:
    """A program as the mapping that `read_program_file` reads from JSON."""
    terms = program.terms
    return {
        "name": program.name,
        "unit": program.unit,
        "decimals": program.decimals,
        "offset_minutes": program.offset_minutes,
        "terms": {name: getattr(terms, name) for name in TERMS_INTEGERS}
        | {
            "rules": [_rule_to_mapping(rule) for rule in terms.rules],
            "expiry": {"rolling_days": terms.expiry.days}
            if isinstance(terms.expiry, RollingExpiry)
            else {"never": True},
            "sponsor": {name: getattr(terms.sponsor, name) for name in SPONSOR_INTEGERS},
            "floor": {"points": terms.floor.points, "cents": terms.floor.cents},
            "refund_days": terms.refund_days,
        },
    }


def _rule_to_mapping(rule: EarnRule) -> dict[str, Any]:
    if isinstance(rule, RatePerAmount):
        return {"rule": "rate", "points": rule.points, "per_cents": rule.per_cents}
    if isinstance(rule, MinimumBasket):
        return {"rule": "minimum_basket", "cents": rule.cents}
    return {"rule": "receipt_cap", "points": rule.points}


def _parse(text: str) -> Mapping[str, Any]:
    if len(text) > FILE_CHARACTERS_MAX:
        raise WalletError(BAD_FILE, reason=f"it has more than {FILE_CHARACTERS_MAX} characters")
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        raise WalletError(BAD_FILE, reason=f"it is neither TOML nor JSON ({fault})") from None
    return document


def _read_terms(table: Mapping[str, Any]) -> Terms:
    _check_names(table, "[terms]", {*TERMS_INTEGERS, "rules", "expiry", "sponsor", "floor", "refund_days"})
    rules = table.get("rules")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise WalletError(BAD_FILE, reason="[[terms.rules]] must be a list of tables")
    sponsor = _table(table, "sponsor")
    _check_names(sponsor, "[terms.sponsor]", set(SPONSOR_INTEGERS))
    integers: dict[str, Any] = {name: _integer(table, name) for name in TERMS_INTEGERS}
    return Terms(
        rules=tuple(_read_rule(rule) for rule in rules),
        expiry=_read_expiry(_table(table, "expiry")),
        sponsor=SponsorPolicy(*(Amount(_integer(sponsor, name)) for name in SPONSOR_INTEGERS)),
        floor=_read_floor(_table(table, "floor")) if "floor" in table else NO_FLOOR,
        refund_days=_integer(table, "refund_days") if "refund_days" in table else 0,
        **integers,
    )


def _read_floor(table: Mapping[str, Any]) -> Floor:
    _check_names(table, "[terms.floor]", {"points", "cents"})
    return Floor(Points(_integer(table, "points")), _integer(table, "cents"))


RULES: Final[Mapping[str, tuple[tuple[str, ...], Callable[..., EarnRule]]]] = {
    "rate": (("points", "per_cents"), lambda points, per_cents: RatePerAmount(Points(points), per_cents)),
    "minimum_basket": (("cents",), MinimumBasket),
    "receipt_cap": (("points",), lambda points: ReceiptCap(Points(points))),
}


def _read_rule(table: Mapping[str, Any]) -> EarnRule:
    name = table.get("rule")
    if not isinstance(name, str) or name not in RULES:
        raise WalletError(BAD_FILE, reason=f"a rule must be one of {', '.join(RULES)}, not {str(name)[:40]}")
    names, make_rule = RULES[name]
    _check_names(table, f"the rule {name}", {"rule", *names})
    return make_rule(*(_integer(table, field) for field in names))


def _read_expiry(table: Mapping[str, Any]) -> Expiry:
    _check_names(table, "[terms.expiry]", {"never", "rolling_days"})
    if table.get("never") is True and len(table) == 1:
        return NeverExpires()
    if "never" in table:
        raise WalletError(BAD_FILE, reason="[terms.expiry] must say either never = true or rolling_days")
    return RollingExpiry(_integer(table, "rolling_days"))


def _check_names(table: Mapping[str, Any], where: str, known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise WalletError(BAD_FILE, reason=f"{where} has the unknown field {unknown[0][:40]}")


def _integer(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WalletError(BAD_FILE, reason=f"{name} must be a whole number")
    return value


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise WalletError(BAD_FILE, reason=f"{name} must be a text")
    return value


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    if not isinstance(value, dict):
        raise WalletError(BAD_FILE, reason=f"[{name}] must be a table")
    return value
