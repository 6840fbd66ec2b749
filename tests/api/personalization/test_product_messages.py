"""What is said of products: what runs out, what is new or cheaper, what the fan never bought; and the feed that it rests on."""

from typing import Any

import pytest

from api.http.schemas.personal import RecommendationsAnswer
from api.http.schemas.products import ProductsDropped
from ledger.types import Points
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import messages, prefer, with_product
from tests.support.personal_shop import FEED, PersonalShop
from tests.support.shop import FAN, OWNER


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    found = open_at_noon(offer_day_max=Points(1_000))
    found.feed()
    return found


def test_replenishment_follows_ones_own_rhythm(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy_each(["milk"], times=4, days=7)
    found = messages(desk)["replenish"]
    assert found["text"] == "Milk: about 7.0 days after the last one you usually buy it again."
    assert found["made_by"] == {"stage": "behaviour", "version": "plain rules 1"}
    shown = desk.seen("recommendations", model=RecommendationsAnswer)
    assert [one["item"] for one in shown["next_basket"]] == ["milk"]
    assert shown["next_basket"][0]["why"][0]["text"] == "You bought Milk 4 times, usually every 7.0 days."


def test_what_one_has_lots_of_is_not_offered_again(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy_each(["milk"], times=3, days=7)
    desk.buy("milk", quantity=4)
    desk.pass_time(days=7)
    assert "replenish" not in messages(desk)
    desk.pass_time(days=20)
    assert "replenish" in messages(desk)


def test_what_lasts_is_never_offered_again(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy_each(["mug"], times=4, days=7)
    assert "replenish" not in messages(desk)
    desk.feed(with_product("mug", price_cents=100))
    assert "price_drop" not in messages(desk)


def test_discovery_is_of_what_was_never_bought(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("coffee")
    found = messages(desk)["discovery"]
    assert found["subject"] == "milk" and found["why"][-1]["rests_on"] == "guessed"
    assert [one["item"] for one in desk.seen("recommendations")["discoveries"]] == ["milk", "mug"]
    desk.buy("milk")
    assert [one["item"] for one in desk.seen("recommendations")["discoveries"]] == ["mug"]
    desk.put("/v1/me/profile", {"program": desk.shop.program.hex(), "dislikes": ["kitchen"]})
    assert desk.seen("recommendations")["discoveries"] == []
    assert "discovery" not in messages(desk), (
        "what was bought or is disliked meanwhile is not shown, though it was decided"
    )


def test_news_of_products_that_are_wished_for(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.put("/v1/me/profile", {"program": desk.shop.program.hex(), "wishes": ["tea", "bread"]})
    desk.feed(with_product("tea", in_stock=False))
    assert messages(desk).keys() <= {"discovery"}
    desk.pass_time(days=8)
    desk.feed(with_product("bread", price_cents=399))
    found = messages(desk)
    assert found["back_in_stock"]["text"] == "Tea is in stock again."
    assert found["price_drop"]["text"] == "Rye bread costs 3.99 now, 4.98 before."


def test_something_new_in_a_category_bought_again_and_again(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.pass_time(days=8)
    desk.buy_each(["bread"], times=3, days=1)
    desk.feed([*FEED, {"item": "rolls", "names": {"en": "Rolls"}, "category": "bakery", "price_cents": 99}])
    assert messages(desk)["new_in_category"]["text"] == "New in bakery, which you buy again and again: Rolls."


def test_a_small_challenge_of_ones_own(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy_each(["bread", "coffee"], times=3, days=2)
    found = messages(desk)["challenge"]
    assert found["action"]["items"] == ["bread", "coffee", "milk"]


@pytest.mark.parametrize("said", [None, {}, {"category": "care", "recall": {"en": "It burns."}}])
def test_a_challenge_asks_for_nothing_that_is_never_offered(desk: PersonalShop, said: dict[str, Any] | None) -> None:
    desk.allow("")
    prefer(desk)
    desk.feed(FEED if said is None else [*FEED, {"item": "soap", **said}])
    desk.buy_each(["soap", "bread", "coffee"], times=3, days=2)
    desk.buy("soap")
    assert messages(desk)["challenge"]["action"]["items"] == ["bread", "coffee", "milk"]


def test_a_product_that_one_helped_to_make(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    campaign = desk.shop.create_campaign(goal=100, days=9)
    desk.shop.pledge(FAN, campaign, 20_000)
    desk.feed([*FEED, {"item": "lamp", "names": {"en": "The lamp"}, "made_from": campaign.hex()}])
    assert messages(desk)["made_with_you"]["text"] == "The lamp is here: you helped to make it."


def test_a_brand_alone_speaks_of_its_products(desk: PersonalShop) -> None:
    path = f"/v1/programs/{desk.shop.program.hex()}/products"
    refused = desk.put(path, {"products": []}, FAN)
    assert (refused.status_code, refused.json()["code"]) == (403, "program.not_yours")
    twice = desk.put(path, {"products": [{"item": "a"}, {"item": "a"}]}, OWNER)
    assert (twice.status_code, twice.json()["code"]) == (400, "product.twice")
    nowhere = desk.put(path, {"products": [], "zone": "Mars/Base"}, OWNER)
    assert (nowhere.status_code, nowhere.json()["code"]) == (400, "product.zone")
    assert desk.http.get(path).json()["items"][0]["item"] == "bread"
    dropped = desk.send(desk.request("DELETE", path, sign=desk.owner(FAN)))
    assert (dropped.status_code, dropped.json()["code"]) == (403, "program.not_yours")


def test_an_empty_feed_takes_nothing_away_and_a_feed_is_taken_down_by_saying_so(desk: PersonalShop) -> None:
    path = f"/v1/programs/{desk.shop.program.hex()}/products"
    before = desk.http.get(path).json()
    refused = desk.put(path, {"products": []}, OWNER)
    assert (refused.status_code, refused.json()["code"]) == (422, "product.none")
    assert desk.http.get(path).json() == before and before["items"]
    assert desk.feed([], whole=False, zone="Asia/Seoul")["products"] == len(FEED), "to name the zone takes nothing away"
    for count in (len(FEED), 0):
        answer = desk.send(desk.request("DELETE", path, sign=desk.owner(OWNER))).json()
        ProductsDropped.model_validate(answer, strict=True)
        assert answer["dropped"] == count
    assert desk.http.get(path).json() == {**before, "items": [], "zone": ""}
    assert desk.feed()["new"] == len(FEED)
