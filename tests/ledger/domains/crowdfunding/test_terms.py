"""What a campaign may promise: shares that are a whole, goals that ascend, due times in their order."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.crowdfunding.terms import (
    BAD_DUE_TIMES,
    BAD_LATE_UNTIL,
    BAD_SHARES,
    BAD_STRETCH,
    CampaignTerms,
    CoinUnit,
    check_terms,
)
from ledger.errors import Malformed
from ledger.types import Timestamp
from tests.support.refusal import refused

DEADLINE = 1_000
PLAIN = CampaignTerms("Lamp", CoinUnit(), 100, Timestamp(DEADLINE))
THREE = replace(
    PLAIN,
    milestones=(("Start", 3_000, 0), ("Mould", 3_000, DEADLINE + 10), ("Series", 2_000, DEADLINE + 10)),
    reserve=2_000,
    delivery_due=Timestamp(DEADLINE + 20),
)


@pytest.mark.parametrize(
    "terms",
    [
        PLAIN,
        THREE,
        replace(THREE, milestones=(), reserve=10_000),
        replace(THREE, milestones=(("All", 10_000, DEADLINE + 1),), reserve=0, delivery_due=Timestamp(0)),
        replace(THREE, milestones=(("All", 10_000, 0),), reserve=0, delivery_due=Timestamp(DEADLINE + 1)),
        replace(THREE, delivery_due=Timestamp(DEADLINE + 10), late_until=Timestamp(DEADLINE + 10)),
        replace(THREE, stretch=((101, "Two colours"), (102, "Three"))),
        replace(THREE, delivery_key=bytes(32), late_until=Timestamp(DEADLINE + 1)),
    ],
)
def test_terms_that_hold_together(terms: CampaignTerms) -> None:
    check_terms(terms)


@pytest.mark.parametrize(("reserve", "found"), [(1_999, 9_999), (2_001, 10_001)])
def test_shares_are_a_whole(reserve: int, found: int) -> None:
    with refused(BAD_SHARES, Malformed, found=found, expected=10_000):
        check_terms(replace(THREE, reserve=reserve))


@pytest.mark.parametrize("amounts", [(100,), (99,), (101, 101), (103, 102)])
def test_stretch_goals_ascend_from_the_goal(amounts: tuple[int, ...]) -> None:
    with refused(BAD_STRETCH, Malformed):
        check_terms(replace(PLAIN, stretch=tuple((amount, "More") for amount in amounts)))


@pytest.mark.parametrize(
    "changes",
    [
        {"milestones": (("A", 5_000, DEADLINE), ("B", 3_000, DEADLINE + 1))},
        {"milestones": (("A", 5_000, 0), ("B", 3_000, 0))},
        {"milestones": (("A", 5_000, DEADLINE + 2), ("B", 3_000, DEADLINE + 1))},
        {"delivery_due": DEADLINE + 9},
        {"milestones": (("A", 8_000, 0),), "delivery_due": DEADLINE},
        {"delivery_due": 0},
        {"delivery_due": 0, "reserve": 0, "milestones": (("A", 10_000, 0),), "delivery_key": bytes(32)},
    ],
)
def test_due_times_follow_each_other(changes: dict[str, Any]) -> None:
    with refused(BAD_DUE_TIMES, Malformed):
        check_terms(replace(THREE, **changes))


def test_a_campaign_promises_something() -> None:
    """Shares that sum to a whole without milestones are all reserve, and a reserve waits for a delivery."""
    with refused(BAD_DUE_TIMES, Malformed):
        check_terms(replace(PLAIN, milestones=(), reserve=10_000))


@pytest.mark.parametrize(("terms", "late_until"), [(THREE, DEADLINE), (THREE, DEADLINE + 21), (PLAIN, DEADLINE + 1)])
def test_late_pledges_lie_between_the_deadline_and_the_last_due_time(terms: CampaignTerms, late_until: int) -> None:
    with refused(BAD_LATE_UNTIL, Malformed, late_until=late_until, last=terms.last_due):
        check_terms(replace(terms, late_until=Timestamp(late_until)))


def test_late_pledges_without_a_delivery_end_with_the_last_milestone() -> None:
    terms = replace(PLAIN, milestones=(("A", 10_000, DEADLINE + 5),), late_until=Timestamp(DEADLINE + 5))
    check_terms(terms)
    with refused(BAD_LATE_UNTIL, Malformed):
        check_terms(replace(terms, late_until=Timestamp(DEADLINE + 6)))


def test_a_malformed_payload_is_no_transaction(shop: Any) -> None:
    with refused(BAD_SHARES, Malformed):
        shop.create_campaign(reserve=1)


def test_steps_shares_and_due_times_by_number() -> None:
    assert (PLAIN.steps, THREE.steps) == (1, 4)
    assert [THREE.share(step) for step in range(4)] == [3_000, 3_000, 2_000, 2_000]
    assert [THREE.due_time(step) for step in range(4)] == [0, DEADLINE + 10, DEADLINE + 10, DEADLINE + 20]
    stretched = replace(THREE, stretch=((101, "Two colours"), (103, "Three")))
    assert [stretched.stretch_reached(pledged) for pledged in (100, 101, 102, 103)] == [0, 1, 1, 2]
