"""Expecting one stable code, by name of its constant, with the fields that explain the case."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledger.errors import Code, FieldValue, LedgerError, RuleViolation


@contextmanager
def refused(code: Code, kind: type[LedgerError] = RuleViolation, /, **fields: FieldValue) -> Iterator[None]:
    """The block raises exactly `kind` with `code` and at least these fields, and its text can be read."""
    with pytest.raises(LedgerError) as caught:
        yield
    fault = caught.value
    assert fault.code is code, f"expected {code.name}, found {fault}"
    assert type(fault) is kind
    assert {name: fault.fields[name] for name in fields} == fields
    assert "?" not in str(fault), f"a field of {code.name} is missing"
