"""When receipts reach a goal."""

from typing import Any

import pytest

from ledger.domains.challenges.goals import Basket, evidence_leaves, evidence_of, is_reached, missing_codes, progress
from ledger.domains.challenges.state import Codes, Spend, Visits
from ledger.merkle import inclusion_path, verify_inclusion
from ledger.types import ReceiptHash

BREAD, MILK = ("bread", 300), ("milk", 100)


@pytest.mark.parametrize(
    ("goal", "baskets", "found"),
    [
        (Visits(2), [Basket(500, 0, ())], (1, 2)),
        (Visits(2), [Basket(500, 0, ()), Basket(500, 0, ())], (2, 2)),
        (Spend(1_000), [Basket(700, 1, ()), Basket(300, 0, ())], (999, 1_000)),
        (Spend(1_000), [Basket(700, 0, ()), Basket(500, 200, ())], (1_000, 1_000)),
        (Codes(("bread", "milk")), [Basket(400, 0, (BREAD,)), Basket(500, 0, (BREAD, ("milk", 0)))], (1, 2)),
        (Codes(("bread", "milk")), [Basket(400, 0, (BREAD,)), Basket(500, 0, (MILK,))], (2, 2)),
        (Codes(("bread",)), [], (0, 1)),
    ],
)
def test_how_far_and_whether(goal: Any, baskets: list[Basket], found: tuple[int, int]) -> None:
    assert progress(goal, baskets) == found
    assert is_reached(goal, baskets) == (found[0] >= found[1])


def test_what_is_missing() -> None:
    goal = Codes(("bread", "milk"))
    assert missing_codes(goal, [Basket(400, 0, (MILK, ("bread", -300)))]) == ("bread",)
    assert missing_codes(goal, [Basket(400, 0, (BREAD, MILK))]) == ()


def test_an_evidence_holds_each_of_its_receipts() -> None:
    receipts = [ReceiptHash(bytes([number]) * 32) for number in range(5)]
    leaves = evidence_leaves(receipts)
    for index, leaf in enumerate(leaves):
        assert verify_inclusion(evidence_of(receipts), leaf, index, 5, inclusion_path(leaves, index))
