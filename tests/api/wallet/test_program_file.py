import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.wallet.errors import Unreachable, WalletError
from api.wallet.program_file import EXAMPLE, program_to_mapping, read_program_file, read_terms_file
from api.wallet.shown_terms import read_program_answer
from ledger.domains.loyalty.state import (
    MinimumBasket,
    NeverExpires,
    RatePerAmount,
    ReceiptCap,
    RollingExpiry,
    SponsorPolicy,
)
from ledger.domains.loyalty.terms import check_terms


def change(path: str, value: object) -> str:
    """The example as JSON with one field set, or removed for None."""
    document: Any = tomllib.loads(EXAMPLE)
    *parents, name = path.split(".")
    place = document
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place[parent]
    if value is None:
        del place[name]
    else:
        place[name] = value
    return json.dumps(document)


def test_example_is_valid() -> None:
    program = read_program_file(EXAMPLE)
    check_terms(program.terms)
    assert (program.name, program.unit, program.offset_minutes) == ("Corner Grocer", "points", -300)
    assert program.terms.rules == (RatePerAmount(1, 10),)  # pyright: ignore[reportArgumentType]  # one point
    assert program.terms.expiry == RollingExpiry(365)
    assert isinstance(program.terms.sponsor, SponsorPolicy)
    assert read_terms_file(EXAMPLE) == program.terms


def test_rules_in_comments_are_valid_too() -> None:
    written = ("[[terms.rules]]", "rule =", "cents = 500", "points = 5000")
    lines = [
        line.removeprefix("# ") if line.startswith(tuple(f"# {part}" for part in written)) else line
        for line in EXAMPLE.splitlines()
    ]
    program = read_program_file("\n".join(lines))
    assert [type(rule) for rule in program.terms.rules] == [RatePerAmount, MinimumBasket, ReceiptCap]
    check_terms(program.terms)
    assert read_program_file(json.dumps(program_to_mapping(program))) == program


def test_json_and_toml_say_the_same() -> None:
    assert read_program_file(json.dumps(tomllib.loads(EXAMPLE))) == read_program_file(EXAMPLE)


def test_points_may_never_expire() -> None:
    program = read_program_file(change("terms.expiry", {"never": True}))
    assert program.terms.expiry == NeverExpires()
    assert read_program_file(json.dumps(program_to_mapping(program))) == program


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("name", None, "name"),
        ("name", 7, "name"),
        ("decimals", "0", "decimals"),
        ("decimals", True, "decimals"),
        ("color", "red", "color"),
        ("terms", 5, "terms"),
        ("terms.notice_days", None, "notice_days"),
        ("terms.notice_days", 1.5, "notice_days"),
        ("terms.noticedays", 3, "noticedays"),
        ("terms.rules", {}, "rules"),
        ("terms.rules", [5], "rules"),
        ("terms.rules.0.rule", "magic", "magic"),
        ("terms.rules.0.rule", None, "rate"),
        ("terms.rules.0.points", None, "points"),
        ("terms.rules.0.cents", 4, "cents"),
        ("terms.expiry", {}, "rolling_days"),
        ("terms.expiry", {"never": False}, "never"),
        ("terms.expiry", {"never": True, "rolling_days": 4}, "never"),
        ("terms.expiry", {"days": 4}, "days"),
        ("terms.sponsor", None, "sponsor"),
        ("terms.sponsor.rate", None, "rate"),
        ("terms.sponsor.extra", 1, "extra"),
    ],
)
def test_each_fault_is_named(path: str, value: object, said: str) -> None:
    with pytest.raises(WalletError) as fault:
        read_program_file(change(path, value))
    assert fault.value.code.name == "terms.bad_file"
    assert said in str(fault.value)


@given(st.text(max_size=200))
def test_any_text_is_refused_or_read(text: str) -> None:
    with pytest.raises(WalletError):
        read_program_file(text)


@pytest.mark.parametrize("text", ["{" + "[" * 5_000, "#" * 70_000, "a = ["])
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises(WalletError):
        read_program_file(text)


def test_terms_of_a_newer_node_are_not_guessed() -> None:
    for answer in ({}, {"terms": 5}, {"terms": {"version": 1, "rules": [{"type": "magic"}]}, "offset_minutes": 0}):
        with pytest.raises(Unreachable) as fault:
            read_program_answer(answer)
        assert fault.value.code == "client.bad_terms"
