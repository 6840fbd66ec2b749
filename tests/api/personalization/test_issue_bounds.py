"""Where each topic begins and where it ends: one step inside something is said, one step outside nothing is (issue 8, 3 and 4)."""

from typing import Any

import pytest

from api.personalization.board import ProposalNow, RewardOnOffer
from api.personalization.facts import CAMPAIGNS, RECEIPTS, STANDING, Backing, Behaviour, FanFacts
from api.personalization.profile import find_stage
from api.personalization.rhythm import find_gap_days
from tests.support.memory_chain import DAY_SECONDS
from tests.support.scenes import (
    NOW,
    found_in,
    make_board,
    make_campaign,
    make_catalogue,
    make_facts,
    make_product,
    make_purchase,
    make_scene,
    make_standing,
    topics_in,
)

LASTING = make_catalogue(make_product("mug", lasts=True, how_to={"en": "Rinse it."}), make_product("milk"))


def ahead(days: float) -> int:
    return NOW + int(days * DAY_SECONDS)


@pytest.mark.parametrize(("days", "is_told"), [(0, False), (1, True), (14, True), (14.1, False)])
def test_points_are_said_to_expire_in_their_last_14_days(days: float, is_told: bool) -> None:
    facts = make_facts(standing=make_standing(available=90, expiring=((ahead(days), 90),)))
    assert ("points_expiring" in topics_in(make_scene(facts))) is is_told


@pytest.mark.parametrize(
    ("points", "tier", "is_told"), [(79, 0, False), (80, 0, True), (99, 0, True), (100, 0, False), (90, -1, False)]
)
def test_a_reward_is_near_from_four_fifths_on_for_whom_may_have_it(points: int, tier: int, is_told: bool) -> None:
    board = make_board(rewards=(RewardOnOffer("r1", "Coffee", 100, 0),))
    scene = make_scene(make_facts(standing=make_standing(available=points, tier=tier)), board=board)
    assert ("near_reward" in topics_in(scene)) is is_told


def test_of_rewards_the_next_one_is_told_with_the_purchase_that_closes_the_gap() -> None:
    rewards = [RewardOnOffer("dear", "Lamp", 110, 0), RewardOnOffer("near", "Coffee", 100, 0)]
    purchases = (make_purchase(9, "bread", points=30), make_purchase(5, "milk", "tea", points=20))
    facts = make_facts(*purchases, make_purchase(1, "gum", points=3), standing=make_standing(available=85))
    (found,) = [
        one
        for one in found_in(make_scene(facts, board=make_board(rewards=rewards))).values()
        if one.subject in ("near", "dear")
    ]
    assert found.subject == "near" and found.action["missing"] == 15
    assert found.action["gap_is_closed_by"] == ["milk", "tea"], "the latest that brings enough; three points do not"


@pytest.mark.parametrize(("points", "is_told"), [(79, False), (80, True), (99, True), (100, False)])
def test_a_tier_is_near_from_four_fifths_on(points: int, is_told: bool) -> None:
    facts = make_facts(standing=make_standing(tier_points=points, next_tier=("Silver", 100)))
    assert ("near_tier" in topics_in(make_scene(facts))) is is_told


@pytest.mark.parametrize(
    ("changes", "topic"),
    [
        ({"pledged": 799}, None),
        ({"pledged": 800}, "campaign_nearly"),
        ({"pledged": 999}, "campaign_nearly"),
        ({"pledged": 1_000}, None),
        ({"deadline": ahead(7)}, "campaign_ending"),
        ({"deadline": ahead(7.1)}, None),
        ({"deadline": ahead(0)}, None),
        ({"pledged": 900, "is_open": False}, None),
    ],
)
def test_a_campaign_is_told_of_when_nearly_funded_or_ending(changes: dict[str, Any], topic: str | None) -> None:
    board = make_board(campaigns=[make_campaign(**changes)])
    found = {name for name in topics_in(make_scene(make_facts(), board=board)) if name.startswith("campaign_")}
    assert found == ({topic} if topic else set())
    without = make_facts(scopes=(RECEIPTS, STANDING))
    assert not topics_in(make_scene(without, board=board)), "whether the fan backed it is not known"
    backed = make_facts(backed=(Backing("c1", 0, 1, 0),))
    assert not topics_in(make_scene(backed, board=board)), "who backed it needs no word to back it"


@pytest.mark.parametrize(("joined", "is_told"), [(100, True), (101, False)])
def test_a_vote_waits_for_whom_it_counts(joined: int, is_told: bool) -> None:
    from dataclasses import replace

    board = make_board(votes=[ProposalNow("v1", "Rye?", ahead(9), 100, "")])
    facts = replace(make_facts(), joined_at=joined)
    assert ("open_vote" in topics_in(make_scene(facts, board=board))) is is_told
    assert "open_vote" not in topics_in(make_scene(replace(facts, scopes=frozenset({CAMPAIGNS})), board=board))
    of_backers = make_board(votes=[ProposalNow("v1", "Rye?", ahead(9), 10**10, "c1")])
    assert "open_vote" not in topics_in(make_scene(facts, board=of_backers))
    assert "open_vote" in topics_in(make_scene(replace(facts, backed=(Backing("c1", 0, 1, 0),)), board=of_backers))


@pytest.mark.parametrize(("days_ago", "is_told"), [(10.9, False), (11.1, True), (13.9, True), (14.1, False)])
def test_a_return_window_is_told_of_in_its_last_three_days(days_ago: float, is_told: bool) -> None:
    standing = make_standing(return_window_days=14)
    facts = make_facts(make_purchase(days_ago, "mug"), standing=standing)
    assert ("return_window" in topics_in(make_scene(facts, LASTING))) is is_told
    used_up = make_facts(make_purchase(days_ago, "milk"), standing=standing)
    assert "return_window" not in topics_in(make_scene(used_up, LASTING)), "nobody brings milk back"


@pytest.mark.parametrize(("days_ago", "earlier", "is_told"), [(6.9, 0, True), (7.1, 0, False), (1, 100, False)])
def test_how_to_use_it_is_told_for_a_week_and_not_to_who_had_it_before(
    days_ago: float, earlier: int, is_told: bool
) -> None:
    before = (make_purchase(earlier, "mug"),) if earlier else ()
    assert ("how_to" in topics_in(make_scene(make_facts(make_purchase(days_ago, "mug"), *before), LASTING))) is is_told


@pytest.mark.parametrize(("days_ago", "is_told"), [(3 * 366 - 1, True), (3 * 366 + 1, False)])
def test_a_recall_reaches_three_years_back(days_ago: int, is_told: bool) -> None:
    catalogue = make_catalogue(make_product("mug", recall={"en": "Glass."}))
    assert ("recall" in topics_in(make_scene(make_facts(make_purchase(days_ago, "mug")), catalogue))) is is_told


def test_a_late_delivery_is_told_of_once_a_week() -> None:
    def occasion(days: float) -> str | None:
        late = make_campaign(is_open=False, is_funded=True, due_at=NOW - int(days * DAY_SECONDS), step_title="Delivery")
        facts = make_facts(backed=(Backing("c1", 0, 1, 0),))
        found = found_in(make_scene(facts, board=make_board(campaigns=[late]))).get("late_delivery c1")
        return None if found is None else found.occasion

    assert occasion(0.9) is None
    assert occasion(1) == occasion(6.9) != occasion(7) == occasion(13)


@pytest.mark.parametrize(("days", "is_told"), [(6.9, True), (7.1, False)])
@pytest.mark.parametrize("what", ["back_in_stock", "price_drop", "new_in_category"])
def test_news_is_news_for_a_week(what: str, days: float, is_told: bool) -> None:
    at = NOW - int(days * DAY_SECONDS)
    changes: dict[str, dict[str, Any]] = {
        "back_in_stock": {"restocked_at": at},
        "price_drop": {"cheaper_at": at, "price_before_cents": 200},
        "new_in_category": {"first_at": at, "category": "of milk"},
    }
    item = "oat milk" if what == "new_in_category" else "milk"
    catalogue = make_catalogue(make_product(item, **changes[what]))
    purchases = [make_purchase(days_ago, "milk") for days_ago in (60, 40, 20)]
    assert (what in topics_in(make_scene(make_facts(*purchases), catalogue))) is is_told
    assert what not in topics_in(make_scene(make_facts(*purchases[:2]), catalogue)), "twice is not again and again"
    for said in (["of milk"], [item]):
        assert what not in topics_in(make_scene(make_facts(*purchases, said={"dislikes": said}), catalogue))
    recalled = make_catalogue(make_product(item, **{**changes[what], "recall": {"en": "Glass."}}))
    assert what not in topics_in(make_scene(make_facts(*purchases), recalled))
    away = make_catalogue(make_product(item, **{**changes[what], "in_stock": False}))
    assert what not in topics_in(make_scene(make_facts(*purchases), away))


def test_what_was_looked_at_counts_as_wished_for() -> None:
    catalogue = make_catalogue(make_product("lamp", restocked_at=NOW - DAY_SECONDS))
    looked = make_facts(behaviour=(Behaviour("viewed", "lamp", 9, NOW - DAY_SECONDS),))
    assert {"back_in_stock", "discovery"} <= topics_in(make_scene(looked, catalogue))
    assert not topics_in(make_scene(make_facts(), catalogue))


def test_what_is_not_wanted_not_there_or_recalled_is_no_discovery() -> None:
    def finds(said: Any = None, **changes: Any) -> bool:
        catalogue = make_catalogue(make_product("coffee", pairs_with=("mug",)), make_product("mug", **changes))
        return "discovery mug" in found_in(make_scene(make_facts(make_purchase(3, "coffee"), said=said), catalogue))

    assert finds() and not finds(in_stock=False) and not finds(recall={"en": "Glass."})
    assert not finds({"dislikes": ["mug"]}) and not finds({"dislikes": ["of mug"]})


def test_winning_back_is_for_whom_is_as_likely_gone_as_not() -> None:
    def told(days_ago: float) -> bool:
        facts = make_facts(*(make_purchase(days_ago + 10 * number, "bread") for number in range(4)))
        return "winning_back" in topics_in(make_scene(facts))

    # 1 - exp(-(r - 1) / 3) = 1/2 at r = 1 + 3 ln 2, in gaps of ten days
    assert not told(30.5) and told(31)


STAGES = [
    ([], "new"),
    ([1], "new"),
    ([41, 50], "new"),
    ([43, 60], "cooling"),
    ([43, 50], "gone"),
    ([1, 8, 15], "growing"),
    ([14, 21, 28], "growing"),
    ([18, 25, 32], "cooling"),
    ([43, 50, 57], "gone"),
    ([14 + 9 * number for number in range(10)], "loyal"),
    ([10 + 8 * number for number in range(9)], "growing"),
    ([1 + 8 * number for number in range(10)], "growing"),
]


@pytest.mark.parametrize(("days_ago", "stage"), STAGES)
def test_each_stage_begins_where_it_is_said_to(days_ago: list[int], stage: str) -> None:
    times = [purchase.time for purchase in facts_of(days_ago).purchases]
    assert find_stage(times, find_gap_days(times), NOW) == stage


def facts_of(days_ago: list[int]) -> FanFacts:
    return make_facts(*(make_purchase(days, "bread") for days in days_ago))


@pytest.mark.parametrize(
    ("discount", "shown"), [(0, "low"), (26, "low"), (27, "medium"), (124, "medium"), (125, "high")]
)
def test_sensitivity_is_the_share_that_was_taken_off(discount: int, shown: str) -> None:
    assert make_scene(make_facts(make_purchase(3, "bread", discount=discount))).profile.sensitivity == shown
    assert make_scene(make_facts()).profile.sensitivity == "unknown"


def test_taste_halves_in_ninety_days_and_counts_linked_programs() -> None:
    facts = make_facts(make_purchase(90, "bread"), make_purchase(0, "milk"))
    weights = {one.name: one.weight for one in make_scene(facts).profile.items}
    assert weights == {"milk": 1.0, "bread": 0.5}
    linked = make_scene(facts, linked=[make_facts(make_purchase(0, "tea"))]).profile
    assert {one.name for one in linked.items} == {"milk", "bread", "tea"}
    assert linked.rhythm.visits == 2 and linked.basket_cents == 500, "taste alone"


def test_the_rhythm_is_that_of_the_shops_clock() -> None:
    purchases = [make_purchase(7 * number, "bread") for number in range(5)]
    seoul = make_scene(make_facts(*purchases), make_catalogue(zone="Asia/Seoul")).profile.rhythm
    utc = make_scene(make_facts(*purchases), make_catalogue(zone="UTC")).profile.rhythm
    assert (utc.part, seoul.part) == ("afternoon", "late")
