"""Nobody is pestered: three ignored and no fourth however many wait, and no word of what one has for good (issue 8, 4 and 5)."""

from itertools import pairwise

import pytest

from api.personalization.catalogue import in_each_language
from api.personalization.predictor import LOTS, has_lots, stocks_by_item
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import prefer, say
from tests.support import live_votes
from tests.support.memory_chain import DAY_SECONDS
from tests.support.personal_shop import PersonalShop
from tests.support.scenes import (
    NOW,
    make_catalogue,
    make_facts,
    make_product,
    make_purchase,
    make_scene,
    topics_in,
)


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    """Nobody is held out, it is noon, and there is room for everything."""
    found = open_at_noon()
    found.allow("")
    prefer(found)
    return found


def feed_rolls(desk: PersonalShop, first: int) -> None:
    """Eight things that go with bread, of which the first ones are sold out."""
    rolls = [f"roll{number}" for number in range(8)]
    products = [{"item": one, "category": one, "in_stock": number >= first} for number, one in enumerate(rolls)]
    desk.feed([{"item": "bread", "pairs_with": rolls}, *products])


def told_of(desk: PersonalShop, topic: str) -> list[str]:
    return [one["subject"] for one in desk.seen("messages")["items"] if one["topic"] == topic]


def watch(desk: PersonalShop, topic: str, days: int) -> list[str]:
    """What a fan is told who looks every noon and does nothing; after the third one something else is found."""
    told: list[str] = []
    for _ in range(days):
        for subject in told_of(desk, topic):
            if subject not in told:
                told.append(subject)
                if len(told) == 3:
                    feed_rolls(desk, 3)
                    desk.seen("messages")
        desk.pass_time(days=1)
    return told


def test_three_are_ignored_and_no_fourth_also_where_many_wait(desk: PersonalShop) -> None:
    """A fourth is not decided before it is known whether the third is ignored."""
    feed_rolls(desk, 0)
    desk.buy("bread")
    assert len(watch(desk, "discovery", 45)) == 3
    prefer(desk, day_max=19)
    assert told_of(desk, "discovery"), "what the fan says anew opens it again"


def test_who_opens_one_of_three_hears_a_fourth(desk: PersonalShop) -> None:
    feed_rolls(desk, 0)
    desk.buy("bread")
    seen: set[str] = set()
    for _ in range(30):
        for one in desk.seen("messages")["items"]:
            if one["id"] not in seen and len(seen) == 2:
                feed_rolls(desk, 3)
                assert say(desk, one["id"], "opened") == "taken"
            seen.add(one["id"])
        desk.pass_time(days=1)
    assert len(seen) >= 4


def test_one_of_a_topic_in_seven_days_counts_from_its_moment(desk: PersonalShop) -> None:
    for _ in range(3):
        live_votes.ask(desk.shop)
    days: list[int] = []
    seen: set[str] = set()
    for day in range(16):
        fresh = set(told_of(desk, "open_vote")) - seen
        assert len(fresh) <= 1
        days += [day] * len(fresh)
        seen |= fresh
        desk.pass_time(days=1)
    assert len(days) >= 2 and all(later - earlier >= 7 for earlier, later in pairwise(days))


def test_what_lasts_and_was_bought_is_no_news_whoever_wished_for_it_or_looked_at_it() -> None:
    fell = make_product("mug", lasts=True, cheaper_at=NOW - DAY_SECONDS, price_before_cents=900)
    wished = {"wishes": ["mug"]}
    assert "price_drop" in topics_in(make_scene(make_facts(said=wished), make_catalogue(fell)))
    assert "price_drop" not in topics_in(
        make_scene(make_facts(make_purchase(2, "mug"), said=wished), make_catalogue(fell))
    )
    back = make_product("mug", lasts=True, restocked_at=NOW - DAY_SECONDS)
    bought = make_facts(make_purchase(2, "mug"), said=wished)
    assert "back_in_stock" not in topics_in(make_scene(bought, make_catalogue(back)))


@pytest.mark.parametrize("changes", [{"recall": {"en": "Fire."}}, {"in_stock": False}])
def test_what_one_helped_to_make_is_not_praised_once_it_is_bought_recalled_or_unwanted(
    changes: dict[str, object],
) -> None:
    lamp = make_product("lamp", made_from="v1")
    plain = make_facts(voted=frozenset({"v1"}))
    assert "made_with_you" in topics_in(make_scene(plain, make_catalogue(lamp)))
    assert "made_with_you" not in topics_in(
        make_scene(plain, make_catalogue(make_product("lamp", made_from="v1", **changes)))
    )
    bought = make_facts(make_purchase(1, "lamp"), voted=frozenset({"v1"}))
    unwanted = make_facts(voted=frozenset({"v1"}), said={"dislikes": ["lamp"]})
    for facts in (bought, unwanted):
        assert "made_with_you" not in topics_in(make_scene(facts, make_catalogue(lamp)))


@pytest.mark.parametrize(
    ("bought", "back", "is_told"), [((1, 1), 1, True), ((3,), 1, True), ((1,), 1, False), ((2, 1), 3, False)]
)
def test_a_recall_is_told_while_one_of_it_is_at_home(bought: tuple[int, ...], back: int, is_told: bool) -> None:
    catalogue = make_catalogue(make_product("coffee", recall={"en": "Glass."}))
    purchases = [make_purchase(9 - place, "coffee", quantity=count) for place, count in enumerate(bought)]
    facts = make_facts(*purchases, make_purchase(1, "coffee", quantity=-back))
    assert ("recall" in topics_in(make_scene(facts, catalogue))) is is_told


def test_silence_protects_nobody_from_a_recall(desk: PersonalShop) -> None:
    """No number of ignored recalls stops the next one."""
    items = [f"toy{number}" for number in range(5)]
    for item in items:
        desk.buy(item)
        desk.feed([{"item": item, "recall": {"en": "Glass."}}])
        assert item in told_of(desk, "recall")
        desk.pass_time(days=5)


def test_who_has_lots_of_something_is_not_told_to_buy_more_whenever_that_was_bought() -> None:
    """Ten yesterday and one today are eleven at home; at one a week nothing is due for weeks, and no news either."""
    weekly = [make_purchase(days, "tea") for days in (36, 29, 22, 15, 8)]
    product = make_product("tea", restocked_at=NOW - DAY_SECONDS)
    catalogue = make_catalogue(product)
    again = make_scene(make_facts(*weekly), catalogue)
    assert {"replenish", "back_in_stock"} <= topics_in(again)
    lots = make_facts(*weekly, make_purchase(1, "tea", quantity=10), make_purchase(0.01, "tea"))
    assert not {"replenish", "back_in_stock"} & topics_in(make_scene(lots, catalogue))


def test_a_stock_is_used_up_at_ones_own_pace() -> None:
    gap = 7
    for count in (1, 2, 5):
        bought = [make_purchase(days, "tea") for days in range(28 + 7 * gap, 28, -gap)]
        facts = make_facts(*bought, make_purchase(28, "tea", quantity=count))
        assert stocks_by_item(facts)["tea"] == pytest.approx(count)
        assert has_lots("tea", facts, NOW - 28 * DAY_SECONDS) is (count > LOTS)
        assert not has_lots("tea", facts, NOW + (count * gap) * DAY_SECONDS)


def test_lines_of_one_receipt_are_one_quantity() -> None:
    """Two cartons that were scanned one by one, week after week, are no growing stock."""
    weekly = [make_purchase(days, "milk", "milk") for days in range(71, 0, -7)]
    facts = make_facts(*weekly)
    assert stocks_by_item(facts)["milk"] == pytest.approx(1)
    assert "replenish" in topics_in(make_scene(facts, make_catalogue(make_product("milk")), now=NOW + 6 * DAY_SECONDS))


def test_a_text_in_one_language_stands_for_both() -> None:
    """A recall is not silent in English since the brand wrote it in Korean only."""
    assert in_each_language({"ko": "유리"}) == {"en": "유리", "ko": "유리"}
    assert in_each_language({"en": "Glass"}) == {"en": "Glass", "ko": "Glass"}
    assert in_each_language({}) == {"en": "", "ko": ""}
