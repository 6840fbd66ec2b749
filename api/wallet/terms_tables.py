"""Rules and expiry as tables of a program's file: read with a reason for everything that is wrong, and written back.

A day is a date, `"2027-03-01"` or TOML's own, or the number of days since 1970-01-01 where no calendar reaches.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from api.wallet.errors import WalletError
from ledger.domains.loyalty.state import (
    NEVER,
    BonusWindow,
    CalendarExpiry,
    EarnRule,
    Expiry,
    MinimumBasket,
    NeverExpires,
    PeriodCap,
    PerVisit,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    RollingExpiry,
    SlidingExpiry,
    TierMultiplier,
)
from ledger.errors import Code
from ledger.types import Day, Points

BAD_FILE = Code(
    "terms.bad_file",
    "the file of terms cannot be used: {reason}",
    "Compare it with `fansumer brand example-terms`.",
)

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""In the order of the bits of a bonus window's mask."""
ALL_DAYS: Final = 127
MINUTES_OF_DAY: Final = 1_440
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

Table = Mapping[str, Any]


def _rate_per_code(table: Table) -> EarnRule:
    return RatePerCode(
        read_text(table, "code"), Points(read_integer(table, "points")), read_integer(table, "per_cents")
    )


def _per_visit(table: Table) -> EarnRule:
    integers = [read_integer(table, name) for name in ("points", "cents_min", "cooldown_seconds")]
    return PerVisit(Points(integers[0]), integers[1], integers[2])


def _bonus_window(table: Table) -> EarnRule:
    return BonusWindow(
        from_day=_read_day(table, "from"),
        until_day=_read_day(table, "until") if "until" in table else NEVER,
        weekdays=_read_weekdays(table),
        minute_from=read_integer(table, "minute_from") if "minute_from" in table else 0,
        minute_until=read_integer(table, "minute_until") if "minute_until" in table else MINUTES_OF_DAY,
        numerator=read_integer(table, "numerator"),
        denominator=read_integer(table, "denominator"),
    )


def _tier_multiplier(table: Table) -> EarnRule:
    return TierMultiplier(*(read_integer(table, name) for name in ("tier", "numerator", "denominator")))


def _period_cap(table: Table) -> EarnRule:
    rejects = table.get("rejects")
    if not isinstance(rejects, bool):
        raise WalletError(BAD_FILE, reason="rejects must be true or false")
    return PeriodCap(Points(read_integer(table, "points")), rejects)


RULES: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Table], EarnRule]]]] = {
    "rate": (
        ("points", "per_cents"),
        lambda table: RatePerAmount(Points(read_integer(table, "points")), read_integer(table, "per_cents")),
    ),
    "minimum_basket": (("cents",), lambda table: MinimumBasket(read_integer(table, "cents"))),
    "receipt_cap": (("points",), lambda table: ReceiptCap(Points(read_integer(table, "points")))),
    "rate_per_code": (("code", "points", "per_cents"), _rate_per_code),
    "per_visit": (("points", "cents_min", "cooldown_seconds"), _per_visit),
    "bonus_window": (
        ("from", "until", "weekdays", "minute_from", "minute_until", "numerator", "denominator"),
        _bonus_window,
    ),
    "tier_multiplier": (("tier", "numerator", "denominator"), _tier_multiplier),
    "period_cap": (("points", "rejects"), _period_cap),
}
"""Each rule's name in a file, its fields, and what reads them."""

RULE_NAMES: Final[Mapping[int, str]] = {
    RatePerAmount.tag: "rate",
    MinimumBasket.tag: "minimum_basket",
    ReceiptCap.tag: "receipt_cap",
    RatePerCode.tag: "rate_per_code",
    PerVisit.tag: "per_visit",
    BonusWindow.tag: "bonus_window",
    TierMultiplier.tag: "tier_multiplier",
    PeriodCap.tag: "period_cap",
}


def read_rule(table: Table) -> EarnRule:
    """A rule from its table. Raises WalletError terms.bad_file."""
    name = table.get("rule")
    if not isinstance(name, str) or name not in RULES:
        raise WalletError(BAD_FILE, reason=f"a rule must be one of {', '.join(RULES)}, not {str(name)[:40]}")
    names, make_rule = RULES[name]
    check_names(table, f"the rule {name}", {"rule", *names})
    return make_rule(table)


def rule_to_mapping(rule: EarnRule) -> dict[str, Any]:
    """The table that `read_rule` reads back."""
    name = RULE_NAMES[rule.tag]
    if isinstance(rule, BonusWindow):
        weekdays = [day for bit, day in enumerate(WEEKDAYS) if rule.weekdays >> bit & 1]
        until = {} if rule.until_day == NEVER else {"until": _show_day(rule.until_day)}
        fields = ("minute_from", "minute_until", "numerator", "denominator")
        shown = {"from": _show_day(rule.from_day), **until, "weekdays": weekdays}
        return {"rule": name, **shown, **{field: getattr(rule, field) for field in fields}}
    return {"rule": name, **{field: getattr(rule, field) for field in RULES[name][0]}}


def read_expiry(table: Table) -> Expiry:
    """The expiry from its table. Raises WalletError terms.bad_file."""
    check_names(table, "[terms.expiry]", {"never", "rolling_days", "sliding_days", "calendar", "years_min"})
    named = [name for name in ("never", "rolling_days", "sliding_days", "calendar") if name in table]
    if len(named) != 1 or table.get("never", True) is not True or ("years_min" in table) != (named == ["calendar"]):
        reason = "[terms.expiry] must say one of never = true, rolling_days, sliding_days, or calendar with years_min"
        raise WalletError(BAD_FILE, reason=reason)
    if named == ["never"]:
        return NeverExpires()
    if named == ["calendar"]:
        month, day = _read_month_and_day(table)
        return CalendarExpiry(month, day, read_integer(table, "years_min"))
    kind = RollingExpiry if named == ["rolling_days"] else SlidingExpiry
    return kind(read_integer(table, named[0]))


def expiry_to_mapping(expiry: Expiry) -> dict[str, Any]:
    """The table that `read_expiry` reads back."""
    if isinstance(expiry, NeverExpires):
        return {"never": True}
    if isinstance(expiry, CalendarExpiry):
        return {"calendar": f"{expiry.month:02}-{expiry.day:02}", "years_min": expiry.years_min}
    return {"rolling_days" if isinstance(expiry, RollingExpiry) else "sliding_days": expiry.days}


def _read_month_and_day(table: Table) -> tuple[int, int]:
    month, _, day = read_text(table, "calendar").partition("-")
    if not (len(month) == len(day) == 2 and (month + day).isascii() and (month + day).isdigit()):
        raise WalletError(BAD_FILE, reason='calendar must be a month and a day, such as "12-31"')
    return int(month), int(day)


def _read_day(table: Table, name: str) -> Day:
    value = table.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return Day(value)
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise WalletError(BAD_FILE, reason=f'{name} must be a date such as "2027-03-01"')
    return Day(value.toordinal() - EPOCH_ORDINAL)


def _show_day(day: Day) -> str | int:
    if day > date.max.toordinal() - EPOCH_ORDINAL:
        return day
    return date.fromordinal(day + EPOCH_ORDINAL).isoformat()


def _read_weekdays(table: Table) -> int:
    named = table.get("weekdays")
    if "weekdays" not in table:
        return ALL_DAYS
    if not isinstance(named, list) or not named or not all(day in WEEKDAYS for day in named):
        raise WalletError(BAD_FILE, reason=f"weekdays must be a list of {', '.join(WEEKDAYS)}")
    return sum(1 << WEEKDAYS.index(day) for day in set(named))


# --- fields of tables -------------------------------------------------------------------------------------------------------


def check_names(table: Table, where: str, known: set[str]) -> None:
    """Refuse a field that nothing reads."""
    unknown = sorted(set(table) - known)
    if unknown:
        raise WalletError(BAD_FILE, reason=f"{where} has the unknown field {unknown[0][:40]}")


def read_integer(table: Table, name: str) -> int:
    """A whole number that must be there."""
    value = table.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WalletError(BAD_FILE, reason=f"{name} must be a whole number")
    return value


def read_text(table: Table, name: str) -> str:
    """A text that must be there."""
    value = table.get(name)
    if not isinstance(value, str):
        raise WalletError(BAD_FILE, reason=f"{name} must be a text")
    return value


def read_table(table: Table, name: str) -> Table:
    """A table that must be there."""
    value = table.get(name)
    if not isinstance(value, dict):
        raise WalletError(BAD_FILE, reason=f"[{name}] must be a table")
    return value
