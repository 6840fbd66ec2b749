"""Whom a plan of offers chooses, without a shop: its budget, a fan's cap, and segments that would tell few fans apart."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from api.personalization.board import Board
from api.personalization.candidates import ANTICIPATE, Candidate, Words
from api.personalization.catalogue import Catalogue
from api.personalization.groups import GROUP_MIN, Fan
from api.personalization.offer_plans import (
    EQUAL_OFFER,
    FAN_CAP,
    LEFT_OUT,
    Crowd,
    Judged,
    OfferWish,
    choose,
    refuse_more,
    tells_few_apart,
)
from api.personalization.predictor import PlainRules
from tests.api.personalization.test_groups import make_whole

WISH = OfferWish("winning_back", 20, 400, 20, 14, 0, {})
CANDIDATE = Candidate("winning_back", ANTICIPATE, "fan", "", Words("winning_back"), (), 1.0, frozenset(), {})


def crowd_of(fans: Sequence[Fan]) -> Crowd:
    """Only what choosing looks at."""
    board: Board = None  # type: ignore[assignment] - choosing reads no board
    return Crowd(fans, board, Catalogue(), PlainRules(), 0)


@given(
    st.integers(1, 200),
    st.integers(0, 5_000),
    st.lists(st.tuples(st.floats(0.1, 50), st.sampled_from(("", *LEFT_OUT)), st.booleans()), max_size=60),
)
def test_no_choice_passes_its_budget_or_takes_who_is_left_out(
    points: int, budget: int, drawn: list[tuple[float, str, bool]]
) -> None:
    wish = replace(WISH, points_each=points, budget_points=budget, fan_points_max=points)
    judged = [
        Judged(make_whole(number), CANDIDATE, minutes, why_not, held)
        for number, (minutes, why_not, held) in enumerate(drawn)
    ]
    choice = choose(crowd_of([one.fan for one in judged]), judged, wish)
    assert len(choice.offered) * points <= budget
    assert not any(one.why_not or one.is_held_out for one in choice.offered)
    assert all(one.is_held_out and not one.why_not for one in choice.held_out)
    assert choice.is_too_small == (len(choice.offered) < GROUP_MIN)
    rest = [one for one in judged if not one.why_not and one not in (*choice.offered, *choice.held_out)]
    worst = min((one.minutes for one in (*choice.offered, *choice.held_out)), default=0)
    assert all(one.minutes <= worst for one in rest) or not choice.offered


@given(
    st.integers(1, 100),
    st.integers(1, 300),
    st.lists(st.tuples(st.sampled_from(("", "discovery")), st.integers(1, 99))),
)
def test_no_fan_is_promised_more_than_it_may(points: int, cap: int, are_open: list[tuple[str, int]]) -> None:
    wish = replace(WISH, points_each=points, fan_points_max=cap)
    refused = refuse_more(wish, are_open)
    if not refused:
        assert sum(each for _, each in are_open) + points <= cap
    assert (refused == EQUAL_OFFER) == any(not goal and each == points for goal, each in are_open)
    assert refuse_more(wish, [("winning_back", 1)]) == EQUAL_OFFER
    assert refuse_more(replace(wish, fan_points_max=points), [("discovery", 1)]) == FAN_CAP


def test_segments_that_differ_by_few_tell_nobody_apart() -> None:
    new, gone = (
        [make_whole(number, 1) for number in range(12)],
        [make_whole(number, 200, 180) for number in range(12, 24)],
    )
    stages = {fan.profile.stage for fan in (*new, *gone)}
    assert len(stages) == 2
    wish = replace(WISH, segment={"stage": gone[0].profile.stage})
    assert not tells_few_apart([*new, *gone], wish), "twelve on each side"
    assert tells_few_apart([*new[:9], *gone], wish)
    assert not tells_few_apart(gone, wish) and not tells_few_apart([*new[:9], *gone], WISH)
    both = replace(WISH, segment={**wish.segment, "language": "en"})
    assert tells_few_apart([*new[:9], *gone], both) and not tells_few_apart([*new, *gone], both)
