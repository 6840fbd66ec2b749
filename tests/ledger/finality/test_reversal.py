"""What reversing would cost: the rent of work, and who would have to turn (spec FIN-11)."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.finality.attestors import AttestorSet
from ledger.finality.reversal import RENT_PRICE_CENTS_MAX, Turning, least_turning, rent_of
from ledger.params import Attestor
from ledger.types import INTEGER_MAX, PublicKey, Work

DAY_OF_A_PETAHASH = Work(86_400 * 10**15)
WORKS = st.integers(0, 2**200)
PRICES = st.integers(1, RENT_PRICE_CENTS_MAX)


def members(*weights: int) -> AttestorSet:
    """A set with these weights."""
    return AttestorSet(
        0, tuple(Attestor(PublicKey(bytes([place]) * 32), weight) for place, weight in enumerate(weights))
    )


@pytest.mark.parametrize(
    ("work", "cents", "expected"),
    [
        (DAY_OF_A_PETAHASH, 5_000, 5_000 * 10**6),
        (0, 5_000, 0),
        (17_279_999_999, 5_000, 0),  # one hash below a microcent
        (17_280_000_000, 5_000, 1),
        (100_000_000_000_000, 5_000, 5_787),
        (100_000_000_000_000, 1, 1),
        (2**256, RENT_PRICE_CENTS_MAX, INTEGER_MAX),
    ],
)
def test_the_rent_of_some_work(work: int, cents: int, expected: int) -> None:
    assert rent_of(Work(work), price_cents=cents) == expected


@given(WORKS, WORKS, PRICES)
def test_more_work_never_costs_less(work: int, more: int, cents: int) -> None:
    assert rent_of(Work(0), price_cents=cents) == 0
    assert rent_of(Work(work), price_cents=cents) <= rent_of(Work(work + more), price_cents=cents)


@given(WORKS, PRICES, PRICES)
def test_a_higher_price_never_costs_less(work: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert rent_of(Work(work), price_cents=low) <= rent_of(Work(work), price_cents=high)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((1,), Turning(1, 1)),
        ((1, 1), Turning(2, 2)),
        ((1, 1, 1), Turning(3, 3)),  # exactly two thirds are no quorum, so all three are needed for each
        ((1, 1, 1, 1), Turning(2, 2)),
        ((5, 1, 1), Turning(3, 1)),
        ((2**32 - 1,) * 128, Turning(183_251_937_922, 43)),
    ],
)
def test_who_would_have_to_turn(weights: tuple[int, ...], expected: Turning) -> None:
    assert least_turning(members(*weights)) == expected


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_no_two_quorums_share_less(weights: list[int]) -> None:
    attestors = members(*weights)
    keys = [member.key for member in attestors.members]
    quorums = [
        set(chosen)
        for count in range(len(keys) + 1)
        for chosen in combinations(keys, count)
        if attestors.is_quorum(chosen)
    ]
    found = least_turning(attestors)
    shared = [one & other for one in quorums for other in quorums]
    assert min(attestors.weight_of(keys) for keys in shared) >= found.weight_min
    assert min(map(len, shared)) >= found.members_min
    assert 3 * found.weight_min > attestors.weight
    assert found.weight_min <= attestors.weight
