"""Codes and the tree of violations."""

import pickle
from datetime import UTC, datetime, timedelta

import pytest

from ledger.errors import (
    BlockViolation,
    Code,
    HeaderViolation,
    LedgerError,
    Malformed,
    RuleViolation,
    Violation,
    all_codes,
    show_moment,
)

SOLD_OUT = Code("test.sold_out", "{left} of {item} are left, {key}", "Come back tomorrow.")


def test_a_violation_says_what_was_wrong_and_what_to_do() -> None:
    fault = RuleViolation(SOLD_OUT, left=0, item="lamps", key=b"\x01\xff")
    assert str(fault) == "test.sold_out: 0 of lamps are left, 01ff"
    assert fault.advice == "Come back tomorrow."
    assert fault.fields == {"left": 0, "item": "lamps", "key": b"\x01\xff"}


def test_a_field_that_is_missing_does_not_hide_the_fault() -> None:
    assert str(Malformed(SOLD_OUT)) == "test.sold_out: ? of ? are left, ?"


BY_WHEN = Code("test.by_when", "it was due by {due:time}, bits {bits:#010x}", "Be earlier.")
HOW_LATE = Code("test.how_late", "it is {late:day} late", "Be earlier.")


@pytest.mark.parametrize(("late", "shown"), [(0, "0 days"), (1, "1 day"), (2, "2 days")])
def test_counts_have_their_noun(late: int, shown: str) -> None:
    assert str(RuleViolation(HOW_LATE, late=late)) == f"test.how_late: it is {shown} late"


def test_times_are_shown_as_dates_and_numbers_as_the_text_wants_them() -> None:
    fault = RuleViolation(BY_WHEN, due=1_772_236_799, bits=255)
    assert str(fault) == "test.by_when: it was due by 2026-02-27T23:59:59Z, bits 0x000000ff"
    assert fault.fields["due"] == 1_772_236_799
    assert str(RuleViolation(BY_WHEN, due=0, bits=0)) == "test.by_when: it was due by no time, bits 0x00000000"
    assert str(RuleViolation(BY_WHEN)) == "test.by_when: it was due by ?, bits ?"


@pytest.mark.parametrize("year", [1970, 1972, 1999, 2000, 2001, 2024, 2100, 2400, 9999])
def test_dates_are_those_of_the_calendar(year: int) -> None:
    first = datetime(year, 1, 1, tzinfo=UTC)
    for days in range(365):
        moment = first + timedelta(days=days, seconds=days * 236)
        assert show_moment(int(moment.timestamp())) == moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_fault_of_a_worker_process_arrives_whole() -> None:
    fault = RuleViolation(SOLD_OUT, left=0, item="lamps")
    arrived = pickle.loads(pickle.dumps(fault))
    assert type(arrived) is RuleViolation
    assert (arrived.code, arrived.fields, str(arrived)) == (SOLD_OUT, fault.fields, str(fault))


def test_a_code_has_one_meaning() -> None:
    assert Code("test.sold_out", SOLD_OUT.text, SOLD_OUT.advice) == SOLD_OUT
    with pytest.raises(AssertionError, match="declared twice"):
        Code("test.sold_out", "something else", "")


def test_the_catalogue_is_sorted_and_whole() -> None:
    names = [code.name for code in all_codes()]
    assert names == sorted(set(names))
    assert {"test.sold_out", "coin.insufficient", "envelope.expired"} <= set(names)


@pytest.mark.parametrize("code", all_codes(), ids=lambda code: code.name)
def test_every_code_is_noun_and_fault_with_text_and_advice(code: Code) -> None:
    for word in code.name.split("."):
        assert word[0].isalpha() and word.replace("_", "").isalnum() and word.islower()
    assert code.name.count(".") == 1
    assert code.text and code.advice


def test_the_tree() -> None:
    for kind in (RuleViolation, HeaderViolation, BlockViolation):
        assert issubclass(kind, Violation)
    assert issubclass(Violation, LedgerError) and issubclass(Malformed, LedgerError)
    assert not issubclass(Malformed, Violation)
