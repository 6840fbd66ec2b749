"""What whoever starts the demo is told to try."""

from typing import Any

from api.demo.brand import DEMO_PHRASE
from api.demo.hints import MADE_BEFORE, list_hints
from api.demo.households import spell_household
from api.demo.journey import HouseholdId
from api.wallet.client import DEFAULT_URL

PROGRAM = "5f" * 32
REPORT: dict[str, Any] = {"program": PROGRAM, "shown_fans": {"agreeing": 99, "refusing": 511}}


def test_each_person_has_a_phrase_and_commands_of_this_program() -> None:
    lines = list_hints(REPORT, DEFAULT_URL, "dfan1owner")
    for phrase in (spell_household(HouseholdId(99)), spell_household(HouseholdId(511)), DEMO_PHRASE):
        assert sum(phrase in line for line in lines) == 1
    assert not any("FANSUMER_URL" in line for line in lines), "the node is where clients look for it"
    assert MADE_BEFORE not in lines
    assert sum(PROGRAM in line for line in lines) == 11


def test_a_node_elsewhere_is_named_once() -> None:
    lines = list_hints(REPORT, "http://127.0.0.1:8791", "dfan1owner")
    assert sum(line == "  export FANSUMER_URL=http://127.0.0.1:8791" for line in lines) == 1


def test_who_is_not_there_is_not_shown() -> None:
    lines = list_hints({"program": PROGRAM, "shown_fans": {"agreeing": None, "refusing": None}}, DEFAULT_URL, "x")
    assert not any("household" in line for line in lines)
    assert any("brand segments" in line for line in lines)


def test_a_demo_of_an_older_version_says_so() -> None:
    assert MADE_BEFORE in list_hints({"program": PROGRAM}, DEFAULT_URL, "x")
