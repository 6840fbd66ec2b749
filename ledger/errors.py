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

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

FieldValue = int | str | bytes | bool | None


@dataclass(frozen=True, slots=True)
class Code:
    """A stable name for one fault.

    `name` is `<noun>.<fault>`; `text` says what was wrong and may name fields in braces; `advice` says what to do.
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
        shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in self.fields.items()}
        return f"{self.code.name}: {self.code.text.format_map(_Shown(shown))}"

    def __reduce__(self) -> tuple[Any, ...]:
        """So that a fault of a worker process arrives whole."""
        return partial(type(self), self.code, **self.fields), ()

    @property
    def advice(self) -> str:
        """What the sender can do."""
        return self.code.advice


class _Shown(dict[str, FieldValue]):
    """Fields for a message; one that was not given is shown as `?` instead of failing the report."""

    def __missing__(self, key: str) -> str:
        return "?"


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
