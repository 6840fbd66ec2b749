import json
import tomllib
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.rendering import Renderer
from api.wallet.errors import Unreachable, WalletError
from api.wallet.program_file import EXAMPLE, check_draft, program_to_mapping, read_program_file, read_terms_file
from api.wallet.shown_terms import read_program_answer, read_shown_terms, read_versions_answer
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import (
    NEVER,
    BonusWindow,
    CalendarExpiry,
    EarnRule,
    Expiry,
    NeverExpires,
    RatePerAmount,
    RollingExpiry,
    SlidingExpiry,
    SponsorPolicy,
    Terms,
)
from ledger.domains.loyalty.terms import check_terms
from ledger.errors import Malformed
from ledger.params import TIER_PERIOD_DAYS_MIN, TIERS_MAX
from ledger.schema import Integer
from ledger.types import INTEGER_MAX


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
        place[int(name) if name.isdigit() else name] = value
    return json.dumps(document)


def test_example_is_valid() -> None:
    program = read_program_file(EXAMPLE)
    check_terms(program.terms)
    assert (program.name, program.unit, program.offset_minutes) == ("Corner Grocer", "points", -300)
    assert program.terms.rules == (RatePerAmount(1, 10),)  # pyright: ignore[reportArgumentType]  # one point
    assert program.terms.expiry == RollingExpiry(365)
    assert isinstance(program.terms.sponsor, SponsorPolicy)
    assert read_terms_file(EXAMPLE) == program.terms


def line_of(name: str) -> str:
    return next(line for line in EXAMPLE.splitlines() if line.removeprefix("# ").startswith(f"{name} = "))


def test_the_example_says_what_each_number_may_be() -> None:
    """A range that no reader can guess stands beside its field; the law has them, and the example must not fall behind."""
    for shape in (Terms, ProgramCreate):
        for name, kind in get_type_hints(shape, include_extras=True).items():
            limits = getattr(kind, "__metadata__", (None,))[0]
            if isinstance(limits, Integer) and limits.maximum < INTEGER_MAX and not name.startswith("tier_"):
                assert f"{limits.minimum}..{limits.maximum}" in line_of(name), name
    for name, limits in (("decimals", (0, 8)), ("rate", (0, 1_000_000)), ("grace_days", (0, 366))):
        assert f"{limits[0]}..{limits[1]}" in line_of(name), name
    assert f"{TIER_PERIOD_DAYS_MIN}..366" in EXAMPLE and f"1..{TIERS_MAX}\n" in EXAMPLE


def with_comments_taken_in() -> str:
    """The example with every rule and the tiers that it has in comments."""
    lines: list[str] = []
    is_inside = False
    for line in EXAMPLE.splitlines():
        is_inside = bool(line) and (is_inside or line.startswith(("# [[terms.rules]]", "# [terms.tiers]")))
        lines.append(line.removeprefix("# ") if is_inside else line)
    return "\n".join(lines)


def test_rules_in_comments_are_valid_too() -> None:
    program = read_program_file(with_comments_taken_in())
    assert {type(rule) for rule in program.terms.rules} == set(get_args(EarnRule))
    assert program.terms.tiers == (("silver", 5_000), ("gold", 20_000))
    check_terms(program.terms)
    check_draft(program.terms)
    assert read_program_file(json.dumps(program_to_mapping(program))) == program


@pytest.mark.parametrize(
    ("written", "expiry"),
    [
        ({"never": True}, NeverExpires()),
        ({"rolling_days": 3}, RollingExpiry(3)),
        ({"sliding_days": 4}, SlidingExpiry(4)),
        ({"calendar": "02-29", "years_min": 0}, CalendarExpiry(2, 29, 0)),
    ],
)
def test_each_kind_of_expiry(written: dict[str, Any], expiry: Expiry) -> None:
    program = read_program_file(change("terms.expiry", written))
    assert program.terms.expiry == expiry
    assert program_to_mapping(program)["terms"]["expiry"] == written


WINDOW = {"rule": "bonus_window", "from": "2027-03-01", "numerator": 2, "denominator": 1}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, (20_878, NEVER, 127, 0, 1_440)),
        ({"until": "2027-03-02"}, (20_878, 20_879, 127, 0, 1_440)),
        ({"weekdays": ["sunday", "monday"], "minute_from": 60}, (20_878, NEVER, 65, 60, 1_440)),
        ({"from": 2**31 - 2, "minute_until": 1}, (2**31 - 2, NEVER, 127, 0, 1)),
    ],
)
def test_bonus_windows(more: dict[str, Any], expected: tuple[int, ...]) -> None:
    program = read_program_file(change("terms.rules.0", WINDOW | more))
    (rule,) = program.terms.rules
    assert isinstance(rule, BonusWindow)
    assert (rule.from_day, rule.until_day, rule.weekdays, rule.minute_from, rule.minute_until) == expected
    assert read_program_file(json.dumps(program_to_mapping(program))) == program


def test_a_date_of_toml_is_a_day() -> None:
    text = EXAMPLE + "\n[[terms.rules]]\n" + "rule = 'bonus_window'\nfrom = 2027-03-01\nnumerator = 2\ndenominator = 1"
    found = read_program_file(text).terms.rules[-1]
    assert isinstance(found, BonusWindow)
    assert found.from_day == 20_878
    with pytest.raises(WalletError, match="from must be a date"):
        read_program_file(text.replace("2027-03-01", "2027-03-01T10:00:00Z"))


def test_a_draft_beyond_limits_is_refused() -> None:
    for path, value in (("terms.notice_days", 367), ("terms.rules.0.points", 0), ("terms.return_window_days", 5)):
        with pytest.raises(Malformed):
            check_draft(read_terms_file(change(path, value)))


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
        ("terms.expiry", {"sliding_days": 4, "rolling_days": 4}, "sliding_days"),
        ("terms.expiry", {"calendar": "12-31"}, "years_min"),
        ("terms.expiry", {"rolling_days": 4, "years_min": 1}, "years_min"),
        ("terms.expiry", {"calendar": "12/31", "years_min": 1}, "calendar"),
        ("terms.expiry", {"calendar": "1-1", "years_min": 1}, "calendar"),
        ("terms.expiry", {"calendar": 5, "years_min": 1}, "calendar"),
        ("terms.rules.0", WINDOW | {"from": "March"}, "from"),
        ("terms.rules.0", WINDOW | {"from": True}, "from"),
        ("terms.rules.0", WINDOW | {"weekdays": []}, "weekdays"),
        ("terms.rules.0", WINDOW | {"weekdays": ["Sunday"]}, "weekdays"),
        ("terms.rules.0", WINDOW | {"weekdays": None}, "weekdays"),
        ("terms.rules.0", WINDOW | {"to": "2027-03-02"}, "to"),
        ("terms.rules.0", {"rule": "period_cap", "points": 5, "rejects": 1}, "rejects"),
        ("terms.rules.0", {"rule": "rate_per_code", "code": 5, "points": 1, "per_cents": 1}, "code"),
        ("terms.rules.0", {"rule": "per_visit", "points": 5}, "cents_min"),
        ("terms.tiers", [], "tiers"),
        ("terms.tiers", {"names": ["a"], "thresholds": []}, "as many"),
        ("terms.tiers", {"names": [5], "thresholds": [5]}, "texts"),
        ("terms.tiers", {"names": ["a"], "thresholds": ["5"]}, "whole numbers"),
        ("terms.tiers", {"names": ["a"], "thresholds": [5]}, "period_days"),
        ("terms.tiers", {"names": ["a"], "thresholds": [5], "days": 5}, "days"),
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


def test_every_rule_comes_back_from_what_a_node_shows() -> None:
    terms = read_terms_file(with_comments_taken_in())
    for expiry in (NeverExpires(), RollingExpiry(5), SlidingExpiry(6), CalendarExpiry(2, 29, 1)):
        changed = replace(terms, expiry=expiry)
        shown = Renderer("sim").plain(changed)
        shown["tiers"] = [{"name": name, "threshold": threshold} for name, threshold in terms.tiers]
        assert read_shown_terms(shown) == changed


def test_versions_of_a_newer_node_are_not_guessed() -> None:
    for answer in ({}, {"items": [], "offset_minutes": 0, "time": 5}, {"items": 5}, {"items": [{"version": 1}]}):
        with pytest.raises(Unreachable) as fault:
            read_versions_answer(answer)
        assert fault.value.code == "client.bad_terms"


def test_terms_of_a_newer_node_are_not_guessed() -> None:
    for answer in ({}, {"terms": 5}, {"terms": {"version": 1, "rules": [{"type": "magic"}]}, "offset_minutes": 0}):
        with pytest.raises(Unreachable) as fault:
            read_program_answer(answer)
        assert fault.value.code == "client.bad_terms"
