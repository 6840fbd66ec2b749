"""What can be wrong, each with a stable code, the fields that explain it, and what to do about it.

    LedgerError
    ├── Malformed         bytes that are no canonical object of the kind that was expected
    └── Violation         well-formed, but against a rule
        ├── RuleViolation     a transaction (or one entry of a batch) breaks a rule
        ├── HeaderViolation   a header breaks a rule: the block can never become valid
        └── BlockViolation    a body breaks a rule under a good header

A broken invariant is none of these: it is an `AssertionError`, and nothing catches it.

A `Code` is declared once, beside the rule that uses it, and is never reused for another meaning. The catalogue of all codes
(`all_codes`) is what the spec's table and the HTTP problems are made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

FieldValue = int | str | bytes | bool | None


@dataclass(frozen=True, slots=True)
class Code:
    """A stable name for one fault.

    `name` is `<noun>.<fault>`; `text` says what was wrong and may name fields in braces; `advice` says what to do,
    and names none. A time in seconds since 1970 is named as `{until:time}` and shown as a date, or 0 as no time; a number is named
    as `{late:day}` and shown as 1 day or 2 days.
    """

    name: str
    text: str
    advice: str

    catalogue: ClassVar[dict[str, "Code"]] = {}

    def __post_init__(self) -> None:
        earlier = Code.catalogue.setdefault(self.name, self)
        assert earlier == self, f"code {self.name} is declared twice with different meanings"


def all_codes() -> tuple[Code, ...]:
    """Every declared code, by name."""
    return tuple(Code.catalogue[name] for name in sorted(Code.catalogue))


class LedgerError(Exception):
    """Base of all faults that the ledger reports. `code.name` is stable; `fields` explain this one case."""

    def __init__(self, code: Code, **fields: FieldValue) -> None:
        self.code = code
        self.fields = fields
        super().__init__(code, fields)

    def __str__(self) -> str:
        return f"{self.code.name}: {self.fill_in(self.code.text)}"

    def fill_in(self, text: str) -> str:
        """A text that names this fault's fields, such as its code's in another language, with what they are here."""
        return text.format_map(_Shown(self.fields))

    def __reduce__(self) -> tuple[Any, ...]:
        """So that a fault of a worker process arrives whole."""
        return partial(type(self), self.code, **self.fields), ()

    @property
    def advice(self) -> str:
        """What the sender can do."""
        return self.code.advice


class _Shown:
    """Fields for a message; one that was not given is shown as `?` instead of failing the report."""

    def __init__(self, fields: Mapping[str, FieldValue]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> "_ShownField":
        return _ShownField(self._fields.get(name, "?"))


class _ShownField:
    """One field as its code's text asks for it."""

    def __init__(self, value: FieldValue) -> None:
        self._value = value

    def __format__(self, form: str) -> str:
        if isinstance(self._value, bytes):
            return self._value.hex()
        if not isinstance(self._value, int):
            return str(self._value)
        if form == TIME_FORM:
            return show_moment(self._value) if self._value else "no time"
        if form.isalpha() and len(form) > 1:
            return f"{self._value} {form}{'' if self._value == 1 else 's'}"
        return format(self._value, form)


TIME_FORM: Final = "time"
SECONDS_A_DAY: Final = 86_400


def show_moment(seconds: int) -> str:
    """Seconds since 1970 as people read them, RFC 3339 in UTC: 2026-01-31T09:05:00Z.

    The Gregorian calendar by integers (H. Hinnant, chrono-compatible low-level date algorithms, civil_from_days): counted from the
    first of March of the year 0, in eras of 400 years.
    """
    days, second = divmod(seconds, SECONDS_A_DAY)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = (month_from_march + 2) % 12 + 1
    year = 400 * era + year_of_era + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}T{second // 3_600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


class Malformed(LedgerError):
    """Bytes that are not the canonical encoding of what was expected here."""


class Violation(LedgerError):
    """A well-formed object that breaks a rule."""


class RuleViolation(Violation):
    """A transaction, or an entry of a batch, that breaks a rule. It changed nothing."""


class HeaderViolation(Violation):
    """A header that breaks a rule. Its block can never become valid."""


class BlockViolation(Violation):
    """A block body that does not fit its header or the state. Says nothing about the header itself."""
