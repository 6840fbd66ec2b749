"""Why a purchase gives its points: the lines end at what the ledger computes, and say it in words."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from api.wallet.errors import WalletError
from api.wallet.explanation import (
    explain_points,
    explain_purchase,
    explanation_to_mapping,
    find_tier,
    owed_points,
)
from api.wallet.shown_terms import TermsVersions
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.state import (
    NEVER,
    BonusWindow,
    EarnRule,
    MinimumBasket,
    PerVisit,
    Program,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    TierMultiplier,
)
from ledger.types import Address, Amount, Day, Points, Timestamp
from tests.ledger.domains.loyalty.test_earning import OFFSETS, PURCHASES, any_rules
from tests.support.shop import make_terms

NOON = Timestamp(4 * 86_400 + 12 * 3_600)
RULES: tuple[EarnRule, ...] = (
    RatePerAmount(Points(1), 10),
    RatePerCode("bread", Points(1), 5),
    PerVisit(Points(20), 100, 3_600),
    BonusWindow(Day(0), NEVER, 127, 0, 1_440, 3, 2),
    BonusWindow(Day(0), Day(1), 127, 0, 1_440, 9, 1),
    TierMultiplier(1, 5, 4),
    TierMultiplier(2, 2, 1),
    ReceiptCap(Points(500)),
    MinimumBasket(300),
)
TERMS = make_terms(rules=RULES, tiers=(("silver", 10), ("gold", 20)), tier_period_days=30)
BOUGHT = Purchase(NOON, 2_000, 500, (("bread", 1_200),), 1, 0)


def versions_of(*since: int, now: int = 2**32, **second: Any) -> TermsVersions:
    """Version 1, and where there are two times version 2 with other terms."""
    timeline = tuple((number + 1, time) for number, time in enumerate(since))
    program = Program(Address(b""), b"", Amount(0), "", "", 0, 0, timeline)
    return TermsVersions(program, Timestamp(now), {1: TERMS, 2: replace(TERMS, **second)})


def texts(purchase: Purchase, terms: Any = TERMS) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in explain_points(terms, purchase, 0):
        found.setdefault(line.rule, []).append(line.text)
    return found


def test_every_rule_says_what_it_did() -> None:
    assert texts(BOUGHT) == {
        "paid_with_points": ["2000 - 500 paid with points = 1500 cents that earn"],
        "minimum_basket": ["1500 cents reach the 300 that it takes"],
        "rate": ["floor(1500 * 1 / 10) = 150"],
        "rate_per_code": ["bread: 1200 cents, of which floor(1200 * 1500 / 2000) = 900 earn: floor(900 * 1 / 5) = 180"],
        "per_visit": ["a visit of at least 100 cents: 20"],
        "bonus_window": [
            "floor(350 * 3 / 2) = 525",
            "9/1: the time is outside of it, or another one is as good or better",
        ],
        "tier_multiplier": ["floor(525 * 5 / 4) = 656", "2/1 is for tier 2 and above; this is tier 1"],
        "receipt_cap": ["656 is cut to 500"],
        "points": ["500 points"],
    }


def test_what_gives_nothing_is_said_too() -> None:
    small = replace(BOUGHT, net_cents=310, paid_with_points_cents=0, previous_visit=NOON - 10, tier=2)
    found = texts(small)
    assert found["per_visit"] == ["10 s since the visit before are within the cool-down of 3600 s: 0"]
    assert found["rate_per_code"] == [
        "bread: 1200 cents, of which floor(310 * 310 / 310) = 310 earn: floor(310 * 1 / 5) = 62"
    ]
    assert found["receipt_cap"] == ["278 is within 500"]
    assert found["tier_multiplier"][0].startswith("5/4: ")
    below = texts(replace(small, net_cents=299))
    assert below["minimum_basket"] == ["299 cents do not reach the 300 that it takes"]
    assert below["points"] == ["0 points"] and "rate" not in below
    assert "nothing to earn on" in texts(replace(small, net_cents=-5))["paid_with_points"][0]
    visit = make_terms(rules=(PerVisit(Points(20), 1_000, 0),))
    assert texts(small, visit)["per_visit"] == ["310 cents are below the 1000 that a visit takes: 0"]


@given(any_rules(), PURCHASES, OFFSETS)
def test_the_end_of_the_lines_is_what_is_computed(rules: tuple[EarnRule, ...], purchase: Purchase, offset: int) -> None:
    lines = explain_points(replace(TERMS, rules=rules), purchase, offset)
    assert lines[-1].total == points_for(rules, purchase, offset_minutes=offset)
    assert lines[-1].text == f"{lines[-1].total} points"
    assert all(line.text for line in lines)


# --- versions ---------------------------------------------------------------------------------------------------------------------


def test_the_better_of_the_version_named_and_the_one_in_force_comes_first() -> None:
    two = versions_of(0, NOON - 60, rules=(RatePerAmount(Points(1), 1),))
    found = explain_purchase(two, BOUGHT, 1)
    assert [(one.version, one.points, one.is_named, one.is_in_force, one.may_be_named) for one in found] == [
        (2, 1_500, False, True, True),
        (1, 500, True, False, True),
    ]
    shown = explanation_to_mapping(found, BOUGHT, Points(499))
    assert (shown["points"], shown["counted_version"], shown["receipt_points"]) == (1_500, 2, 499)
    assert [version["lines"][-1]["total"] for version in shown["versions"]] == [1_500, 500]
    assert [one.version for one in explain_purchase(two, BOUGHT)] == [2]
    assert owed_points(two, BOUGHT, 1) == (1_500, 2)


def test_a_version_that_may_not_be_named_never_counts() -> None:
    late = versions_of(0, NOON - 4 * 86_400, rules=(RatePerAmount(Points(1), 1_000),))
    found = explain_purchase(late, BOUGHT, 1)
    assert [(one.version, one.may_be_named, one.points) for one in found] == [(2, True, 1), (1, False, 500)]
    assert owed_points(late, BOUGHT, 1) is None
    assert owed_points(late, BOUGHT, 7) is None
    with pytest.raises(WalletError, match="shows no terms 7; it shows 1, 2"):
        explain_purchase(late, BOUGHT, 7)


def test_a_tier_is_named_by_its_name_or_number() -> None:
    assert [find_tier(TERMS, text) for text in ("0", "1", "2", "silver", "gold")] == [0, 1, 2, 1, 2]
    for text in ("3", "-1", "Gold", "", "\u0662", "100000000000"):
        with pytest.raises(WalletError, match="silver, gold"):
            find_tier(TERMS, text)
    with pytest.raises(WalletError, match="none"):
        find_tier(make_terms(), "gold")
