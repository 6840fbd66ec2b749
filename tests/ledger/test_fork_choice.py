"""Fork choice: most work, ties by a key that differs from node to node."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.fork_choice import Branch, TieKey, accumulate_work, choose, is_better
from ledger.types import BlockHash, Work

branches = st.builds(Branch, st.binary(min_size=32, max_size=32).map(BlockHash), st.integers(0, 3).map(Work))
KEY = TieKey(b"k" * 32)


def branch(name: int, work: int) -> Branch:
    return Branch(BlockHash(bytes([name]) * 32), Work(work))


def test_most_work_wins_whatever_the_key() -> None:
    heavy, light = branch(1, 2**300), branch(2, 2**300 - 1)
    for key in range(50):
        tie_key = TieKey(bytes([key]))
        assert choose([light, heavy], tie_key) == heavy
        assert is_better(heavy, light, tie_key)
        assert not is_better(light, heavy, tie_key)


def test_ties_fall_both_ways_over_keys() -> None:
    first, second = branch(1, 7), branch(2, 7)
    wins = sum(choose([first, second], TieKey(key.to_bytes(4, "big"))) == first for key in range(1_000))
    assert 400 < wins < 600


def test_a_branch_is_not_better_than_itself() -> None:
    assert not is_better(branch(1, 1), branch(1, 1), KEY)


def test_there_must_be_a_branch() -> None:
    with pytest.raises(ValueError):
        choose([], KEY)


@given(st.lists(branches, min_size=1, max_size=4), st.binary(max_size=32).map(TieKey))
def test_choice_ignores_order_and_beats_all(found: list[Branch], tie_key: TieKey) -> None:
    chosen = {choose(order, tie_key) for order in permutations(found)}
    assert len(chosen) == 1
    assert not any(is_better(other, best, tie_key) for best in chosen for other in found)


def test_accumulated_work() -> None:
    assert list(accumulate_work(Work(10), [Work(1), Work(2), Work(3)])) == [11, 13, 16]
    assert list(accumulate_work(Work(10), [])) == []
