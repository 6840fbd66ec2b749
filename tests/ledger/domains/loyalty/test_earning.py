"""The one function that computes points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.state import EarnRule, MinimumBasket, RatePerAmount, ReceiptCap
from ledger.types import INTEGER_MAX, Points


def rate(points: int, per_cents: int) -> RatePerAmount:
    return RatePerAmount(Points(points), per_cents)


@pytest.mark.parametrize(
    ("rules", "net", "with_points", "expected"),
    [
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
    ],
)
def test_points_of_a_receipt(rules: tuple[EarnRule, ...], net: int, with_points: int, expected: int) -> None:
    assert points_for(rules, net_cents=net, paid_with_points_cents=with_points) == expected


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 1_000), st.integers(1, 1_000))
def test_a_higher_net_never_gives_fewer_points(net: int, more: int, points: int, per_cents: int) -> None:
    rules = (rate(points, per_cents), MinimumBasket(500), ReceiptCap(Points(10_000)))
    less = points_for(rules, net_cents=net, paid_with_points_cents=0)
    assert less <= points_for(rules, net_cents=net + more, paid_with_points_cents=0) <= 10_000
