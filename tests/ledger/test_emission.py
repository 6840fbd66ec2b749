"""Emission: halvings, and the closed form against the sum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.emission import TOTAL_MAX, Emission
from ledger.errors import Malformed
from ledger.types import INTEGER_MAX, Amount, Height

schedules = st.builds(Emission, st.integers(0, 10**9).map(Amount), st.integers(1, 50), st.just(0))


def test_boundaries_of_halvings() -> None:
    emission = Emission(Amount(1_001), 10, 100)
    heights = (0, 1, 10, 11, 20, 21, 30)
    assert [emission.subsidy(Height(height)) for height in heights] == [0, 1_001, 1_001, 500, 500, 250, 250]
    totals = [emission.emitted_through(Height(height)) for height in (0, 1, 10, 11, 20)]
    assert totals == [0, 1_001, 10_010, 10_510, 15_010]


def test_nothing_after_63_halvings() -> None:
    emission = Emission(Amount(2**61), 1, 0)
    assert emission.subsidy(Height(62)) == 1
    assert emission.subsidy(Height(63)) == 0
    assert emission.subsidy(Height(64)) == 0
    assert emission.subsidy(Height(2**32 - 1)) == 0
    assert emission.total == emission.emitted_through(Height(2**32 - 1)) == 2**62 - 1 == TOTAL_MAX


def test_chain_without_subsidy() -> None:
    emission = Emission(Amount(0), 1, 0)
    assert emission.subsidy(Height(1)) == emission.total == 0


@pytest.mark.parametrize(
    ("initial", "interval", "maturity", "field"),
    [
        (-1, 1, 0, "initial_subsidy"),
        (INTEGER_MAX + 1, 1, 0, "initial_subsidy"),
        (1, 0, 0, "halving_interval_blocks"),
        (1, INTEGER_MAX + 1, 0, "halving_interval_blocks"),
        (1, 1, -1, "maturity_blocks"),
        (1, 1, INTEGER_MAX + 1, "maturity_blocks"),
        (2**61 + 1, 1, 0, "total"),
        (10**10, 10**9, 0, "total"),
    ],
)
def test_schedules_that_are_refused(initial: int, interval: int, maturity: int, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        Emission(Amount(initial), interval, maturity)
    assert caught.value.code.name == "params.emission"
    assert caught.value.fields["field"] == field


@given(schedules, st.integers(0, 400))
def test_closed_form_is_the_sum(emission: Emission, height: int) -> None:
    assert emission.emitted_through(Height(height)) == sum(emission.subsidy(Height(h)) for h in range(height + 1))


@given(schedules, st.integers(0, 10_000))
def test_each_block_adds_its_subsidy(emission: Emission, height: int) -> None:
    after, before = emission.emitted_through(Height(height + 1)), emission.emitted_through(Height(height))
    assert after - before == emission.subsidy(Height(height + 1)) <= emission.initial_subsidy
    assert after <= emission.total
