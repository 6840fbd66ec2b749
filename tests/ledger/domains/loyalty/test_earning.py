"""The one function that computes points, and the trace of its steps (spec LOY-6)."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domains.loyalty.earning import END, PAID_WITH_POINTS, holds, points_for, trace_points
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.state import (
    NEVER,
    BonusWindow,
    EarnRule,
    MinimumBasket,
    PeriodCap,
    PerVisit,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    TierMultiplier,
)
from ledger.types import INTEGER_MAX, Day, Points, Timestamp

MONDAY = 4
"""1970-01-05."""
NOON = Timestamp(MONDAY * 86_400 + 12 * 3_600)


def rate(points: int, per_cents: int) -> RatePerAmount:
    return RatePerAmount(Points(points), per_cents)


def of_code(code: str, points: int, per_cents: int) -> RatePerCode:
    return RatePerCode(code, Points(points), per_cents)


def visit(points: int, *, cents_min: int = 1, cooldown: int = 0) -> PerVisit:
    return PerVisit(Points(points), cents_min, cooldown)


def window(numerator: int, denominator: int = 1, **changes: int) -> BonusWindow:
    """A window that is always open."""
    found = BonusWindow(Day(0), NEVER, 127, 0, 1_440, numerator, denominator)
    return replace(found, **changes)  # pyright: ignore[reportArgumentType]  # days are integers here


def bought(net: int, with_points: int = 0, **more: object) -> Purchase:
    return replace(Purchase(NOON, net, with_points), **more)  # pyright: ignore[reportArgumentType]  # fields by name


def points(rules: tuple[EarnRule, ...], purchase: Purchase, offset: int = 0) -> int:
    return points_for(rules, purchase, offset_minutes=offset)


@pytest.mark.parametrize(
    ("rules", "net", "with_points", "expected"),
    [
        ((rate(1, 1),), 1, 0, 1),
        ((rate(1, 10),), 99, 0, 9),
        ((rate(1, 10),), 100, 0, 10),
        ((rate(1, 10),), 100, 1, 9),
        ((rate(1, 10),), 100, 100, 0),
        ((rate(1, 10),), 0, 0, 0),
        ((rate(1, 10),), -100, 0, 0),
        ((rate(1, 10), rate(1, 3)), 19, 0, 1 + 6),
        ((rate(1, 10), MinimumBasket(100)), 99, 0, 0),
        ((rate(1, 10), MinimumBasket(100)), 100, 0, 10),
        ((rate(1, 10), MinimumBasket(100)), 101, 2, 0),
        ((rate(1, 10), ReceiptCap(Points(10))), 100, 0, 10),
        ((rate(1, 10), ReceiptCap(Points(10))), 110, 0, 10),
        ((rate(2**31 - 1, 1),), 2**53, 0, INTEGER_MAX),
        ((rate(1, 10), PeriodCap(Points(1), rejects=False)), 100, 0, 10),
        ((visit(20, cents_min=500),), 499, 0, 0),
        ((visit(20, cents_min=500),), 500, 0, 20),
        ((visit(20, cents_min=500),), 500, 1, 0),
        ((rate(1, 10), window(2)), 105, 0, 20),
        ((rate(1, 10), window(3, 2)), 35, 0, 4),
        ((rate(1, 10), window(2), window(3), window(5, 2)), 100, 0, 30),
        ((rate(1, 10), window(2), ReceiptCap(Points(15))), 100, 0, 15),
    ],
)
def test_points_of_a_receipt(rules: tuple[EarnRule, ...], net: int, with_points: int, expected: int) -> None:
    assert points(rules, bought(net, with_points)) == expected
    assert points(tuple(reversed(rules)), bought(net, with_points)) == expected


@pytest.mark.parametrize(
    ("cents", "net", "with_points", "expected"),
    [
        (1_200, 4_300, 0, 240),
        (1_200, 4_300, 1, 239),  # floor(1200 * 4299 / 4300) = 1199
        (1_200, 4_300, 4_299, 0),
        (4_300, 4_300, 2_150, 430),
        (5_000, 4_300, 0, 860),  # more than the net, beside a return: the net counts
        (-5, 4_300, 0, 0),
        (0, 4_300, 0, 0),
        (2**53, 2**53, 1, (2**53 - 1) // 5),
        (2**53 - 1, 2**53, 2**52 + 1, 900_719_925_474_098),  # 53 bits and more: no float
    ],
)
def test_points_of_a_code_are_less_its_share_of_what_points_paid(
    cents: int, net: int, with_points: int, expected: int
) -> None:
    rules = (of_code("bread", 1, 5),)
    assert points(rules, bought(net, with_points, codes=(("bread", cents), ("milk", 700)))) == expected
    assert points(rules, bought(net, with_points, codes=(("milk", 700),))) == 0


def test_codes_count_besides_the_amount() -> None:
    rules = (rate(1, 10), of_code("bread", 1, 5), of_code("milk", 3, 100))
    assert points(rules, bought(1_000, codes=(("bread", 199), ("milk", 250)))) == 100 + 39 + 7


@pytest.mark.parametrize(
    ("previous_visit", "expected"),
    [(0, 20), (NOON - 3_599, 0), (NOON - 3_600, 20), (NOON, 0), (NOON + 10, 0)],
)
def test_a_visit_within_the_cool_down_gives_none(previous_visit: int, expected: int) -> None:
    assert points((visit(20, cooldown=3_600),), bought(100, previous_visit=previous_visit)) == expected


@pytest.mark.parametrize(
    ("changes", "offset", "expected"),
    [
        ({"from_day": MONDAY}, 0, True),
        ({"from_day": MONDAY + 1}, 0, False),
        ({"until_day": MONDAY}, 0, False),
        ({"until_day": MONDAY + 1}, 0, True),
        ({"weekdays": 1}, 0, True),
        ({"weekdays": 2}, 0, False),
        ({"weekdays": 126}, 0, False),
        ({"weekdays": 2}, 720, True),  # noon and twelve hours: Tuesday begins
        ({"weekdays": 1}, 719, True),
        ({"weekdays": 64}, -721, True),  # a minute before Monday
        ({"minute_from": 720}, 0, True),
        ({"minute_from": 721}, 0, False),
        ({"minute_until": 720}, 0, False),
        ({"minute_until": 721}, 0, True),
        ({"minute_from": 60, "minute_until": 61}, -660, True),
    ],
)
def test_a_window_holds_by_the_programs_own_days(changes: dict[str, int], offset: int, expected: bool) -> None:
    assert holds(window(2, **changes), NOON, offset_minutes=offset) is expected
    assert points((rate(1, 10), window(2, **changes)), bought(100), offset) == (20 if expected else 10)


@pytest.mark.parametrize(("tier", "expected"), [(0, 10), (1, 12), (2, 15), (3, 15), (8, 15)])
def test_the_best_multiplier_of_the_tier_and_those_below_counts(tier: int, expected: int) -> None:
    rules = (rate(1, 10), TierMultiplier(2, 3, 2), TierMultiplier(1, 5, 4), TierMultiplier(3, 11, 10))
    assert points(rules, bought(100, tier=tier)) == expected


def test_windows_and_tiers_multiply_one_after_the_other_each_rounded_down() -> None:
    rules = (rate(1, 10), TierMultiplier(1, 3, 2), window(3, 2))
    assert points(rules, bought(33, tier=1)) == 3 * 3 // 2 * 3 // 2 == 6
    assert points(rules, bought(30, tier=1)) == 6


def test_earning_on_the_part_paid_with_points() -> None:
    """Whoever pays with points would otherwise earn points on them again, and again."""
    rules = (
        rate(1, 10),
        of_code("bread", 1, 5),
        visit(20),
        window(2),
        TierMultiplier(1, 2, 1),
        ReceiptCap(Points(10_000)),
    )
    whole = bought(2_000, codes=(("bread", 2_000),), tier=1)
    assert points(rules, whole) == (200 + 400 + 20) * 4
    assert points(rules, replace(whole, paid_with_points_cents=1_000)) == (100 + 200 + 20) * 4
    assert points(rules, replace(whole, paid_with_points_cents=2_000)) == 0
    assert points(rules, replace(whole, paid_with_points_cents=9_999)) == 0


# --- the trace ------------------------------------------------------------------------------------------------------------------


def test_a_trace_says_which_step_did_what() -> None:
    rules = (
        ReceiptCap(Points(300)),
        TierMultiplier(1, 5, 4),
        window(2, weekdays=2),
        window(2),
        visit(20),
        of_code("bread", 1, 5),
        MinimumBasket(500),
        rate(1, 10),
        PeriodCap(Points(5), rejects=True),
    )
    purchase = bought(2_000, 1_000, codes=(("bread", 600),), tier=1)
    assert [tuple(step) for step in trace_points(rules, purchase, offset_minutes=0)] == [
        (PAID_WITH_POINTS, 2_000, 1_000, True, 0),
        (6, 1_000, 1_000, True, 0),
        (4, 1_000, 20, True, 20),
        (5, 300, 60, True, 80),
        (7, 1_000, 100, True, 180),
        (2, 180, 0, False, 180),
        (3, 180, 360, True, 360),
        (1, 360, 450, True, 450),
        (0, 450, 300, True, 300),
        (END, 300, 300, False, 300),
    ]


def test_a_trace_ends_where_nothing_can_be_earned() -> None:
    rules = (rate(1, 10), MinimumBasket(500))
    assert [tuple(step) for step in trace_points(rules, bought(5, 5), offset_minutes=0)] == [
        (PAID_WITH_POINTS, 5, 0, False, 0),
        (END, 0, 0, False, 0),
    ]
    assert [tuple(step) for step in trace_points(rules, bought(499), offset_minutes=0)] == [
        (PAID_WITH_POINTS, 499, 499, True, 0),
        (1, 499, 499, False, 0),
        (END, 0, 0, False, 0),
    ]


# --- properties ----------------------------------------------------------------------------------------------------------------

CODES = st.sampled_from(["a", "b", "c"])
RATIOS = st.tuples(st.integers(1, 1_000), st.integers(1, 1_000)).map(lambda pair: (max(pair), min(pair)))


def any_rules() -> st.SearchStrategy[tuple[EarnRule, ...]]:
    """Rules that terms may have, but for what may stand in them only once."""
    rates = st.builds(rate, st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
    more = st.one_of(
        rates,
        st.builds(of_code, CODES, st.integers(1, 1_000), st.integers(1, 1_000)),
        st.builds(MinimumBasket, st.integers(1, 5_000)),
        st.builds(lambda most: ReceiptCap(Points(most)), st.integers(1, INTEGER_MAX)),
        st.builds(
            lambda value, least, wait: visit(value, cents_min=least, cooldown=wait), *[st.integers(1, 5_000)] * 3
        ),
        st.builds(lambda ratio, days: window(*ratio, weekdays=days), RATIOS, st.integers(1, 127)),
        st.builds(lambda tier, ratio: TierMultiplier(tier, *ratio), st.integers(1, 8), RATIOS),
    )
    return st.lists(more, min_size=1, max_size=16).map(tuple)


PURCHASES = st.builds(
    Purchase,
    st.integers(0, 2**40),
    st.integers(-(2**53), 2**53) | st.integers(-100, 20_000),
    st.integers(0, 2**53) | st.integers(0, 20_000),
    st.dictionaries(CODES, st.integers(-(2**53), 2**53) | st.integers(-100, 20_000)).map(
        lambda found: tuple(sorted(found.items()))
    ),
    st.integers(0, 8),
    st.integers(0, 2**40),
)
OFFSETS = st.integers(-1_439, 1_439)


@given(any_rules(), PURCHASES, OFFSETS)
def test_points_are_never_negative_and_keep_to_caps(
    rules: tuple[EarnRule, ...], purchase: Purchase, offset: int
) -> None:
    found = points(rules, purchase, offset)
    caps = [rule.points for rule in rules if isinstance(rule, ReceiptCap)]
    assert 0 <= found <= min([INTEGER_MAX, *caps])
    if purchase.net_cents <= purchase.paid_with_points_cents:
        assert found == 0


@given(any_rules(), PURCHASES, OFFSETS)
def test_what_is_explained_is_what_is_computed(rules: tuple[EarnRule, ...], purchase: Purchase, offset: int) -> None:
    steps = trace_points(rules, purchase, offset_minutes=offset)
    assert steps[-1].total == points(rules, purchase, offset)
    assert (steps[0].place, steps[-1].place) == (PAID_WITH_POINTS, END)
    named = [step.place for step in steps[1:-1]]
    assert len(set(named)) == len(named)


@given(any_rules(), PURCHASES, OFFSETS, st.randoms())
def test_the_order_of_rules_does_not_matter(
    rules: tuple[EarnRule, ...], purchase: Purchase, offset: int, random: Random
) -> None:
    shuffled = tuple(random.sample(rules, len(rules)))
    assert points(shuffled, purchase, offset) == points(rules, purchase, offset)


@given(any_rules(), PURCHASES, OFFSETS, st.integers(0, 2**53))
def test_paying_more_with_points_never_gives_more(
    rules: tuple[EarnRule, ...], purchase: Purchase, offset: int, more: int
) -> None:
    paid = replace(purchase, paid_with_points_cents=purchase.paid_with_points_cents + more)
    assert points(rules, paid, offset) <= points(rules, purchase, offset)


@given(any_rules(), PURCHASES, OFFSETS, st.integers(0, 8))
def test_a_higher_tier_never_gives_fewer(
    rules: tuple[EarnRule, ...], purchase: Purchase, offset: int, tier: int
) -> None:
    low, high = sorted((tier, purchase.tier))
    less, more = (replace(purchase, tier=found) for found in (low, high))
    assert points(rules, less, offset) <= points(rules, more, offset)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 1_000), st.integers(1, 1_000))
def test_a_higher_net_never_gives_fewer_points(net: int, more: int, value: int, per_cents: int) -> None:
    rules = (rate(value, per_cents), MinimumBasket(500), ReceiptCap(Points(10_000)))
    less = points(rules, bought(net))
    assert less <= points(rules, bought(net + more)) <= 10_000
