"""What helps and what is anticipated, topic by topic: that it comes, to whom it does not come, and when it is over."""

import pytest

from api.personalization import board, chain_facts
from ledger.types import Timestamp
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import messages, prefer, with_product
from tests.support import live_votes
from tests.support.memory_chain import DAY_SECONDS
from tests.support.personal_shop import FEED, PersonalShop
from tests.support.shop import FAN, FRIEND
from tests.support.spoken import speak


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    """Nobody is held out; it is noon; both fans let the program personalise, and FAN takes all messages."""
    found = open_at_noon()
    found.feed()
    found.allow("")
    found.allow("", fan=FRIEND)
    prefer(found)
    return found


def topics(desk: PersonalShop) -> set[str]:
    """What FRIEND, who has done nothing, is told."""
    return {item["topic"] for item in desk.seen("messages", FRIEND)["items"]}


def test_a_late_delivery_is_told_to_backers_and_what_they_may_do(desk: PersonalShop) -> None:
    due = Timestamp(desk.now + 10 * DAY_SECONDS)
    campaign = desk.shop.create_campaign(goal=100, days=1, delivery_due=due, milestones=(), reserve=10_000)
    desk.shop.pledge(FAN, campaign, 20_000)
    desk.shop.end_vote(campaign)
    desk.pass_time(days=12)
    found = messages(desk)["late_delivery"]
    assert found["kind"] == "assist" and found["action"]["campaign"] == campaign.hex()
    assert "You may ask its creator, and criticise" in found["text"] and "goes back to you by itself" in found["text"]
    assert found["expires_at"] > desk.now and "late_delivery" not in topics(desk)


def test_a_campaign_at_its_next_step_is_told_to_backers_alone(desk: PersonalShop) -> None:
    due = Timestamp(desk.now + 40 * DAY_SECONDS)
    campaign = desk.shop.create_campaign(goal=100, days=1, milestones=(("Mould", 10_000, due),))
    desk.shop.pledge(FAN, campaign, 20_000)
    assert "campaign_milestone" not in messages(desk)
    desk.shop.end_vote(campaign)
    found = messages(desk)["campaign_milestone"]
    assert "Next step: Mould, due 2026-02-10." in found["text"] and found["why"][0]["rests_on"] == "proved"
    assert "campaign_milestone" not in topics(desk)


def test_a_vote_on_a_milestone_waits_no_more_once_it_is_given(desk: PersonalShop) -> None:
    due = Timestamp(desk.now + 40 * DAY_SECONDS)
    campaign = desk.shop.create_campaign(goal=100, days=1, milestones=(("Mould", 10_000, due),))
    desk.shop.pledge(FAN, campaign, 20_000)
    desk.shop.end_vote(campaign)
    desk.shop.submit(campaign)
    assert "milestone_vote" in messages(desk)
    desk.shop.vote(FAN, campaign, 0, approves=True)
    assert "milestone_vote" not in messages(desk)


def test_a_vote_waits_no_more_once_it_is_given_or_over(desk: PersonalShop) -> None:
    proposal = live_votes.ask(desk.shop)
    assert messages(desk)["open_vote"]["subject"] == proposal.hex() and "open_vote" in topics(desk)
    live_votes.cast(desk.shop, proposal, FAN, 1)
    assert "open_vote" not in messages(desk) and "open_vote" in topics(desk)
    desk.pass_time(days=31)
    assert "open_vote" not in topics(desk)


def test_what_is_new_is_seen_behind_a_long_list(desk: PersonalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many votes and campaigns the last ones are looked at, not the first; a vote that was given is not asked for."""
    monkeypatch.setattr(board, "LISTED_MAX", 2)
    monkeypatch.setattr(chain_facts, "LISTED_MAX", 2)
    for _ in range(3):
        proposal = live_votes.ask(desk.shop)
        live_votes.cast(desk.shop, proposal, FAN, 1)
    assert "open_vote" not in messages(desk)
    for days in (1, 2, 3):
        campaign = desk.shop.create_campaign(goal=100, days=20 + days)
    desk.shop.pledge(FRIEND, campaign, 90)
    assert messages(desk)["campaign_nearly"]["subject"] == campaign.hex()


def test_who_joined_after_a_vote_was_called_is_not_asked_for_it(desk: PersonalShop) -> None:
    from tests.support.memory_chain import Signer

    live_votes.ask(desk.shop)
    late = Signer.named("late")
    desk.pass_time(days=1)
    desk.shop.join(late)
    desk.allow("", fan=late, payment=desk.shop.sponsored)
    assert "open_vote" not in {item["topic"] for item in desk.seen("messages", late)["items"]}


@pytest.mark.parametrize("how", ["backed", "voted", "contributed"])
def test_a_product_that_one_helped_to_make_is_here(desk: PersonalShop, how: str) -> None:
    if how == "backed":
        came_of = desk.shop.create_campaign(goal=100, days=9)
        desk.shop.pledge(FAN, came_of, 20_000)
    elif how == "voted":
        came_of = live_votes.ask(desk.shop)
        live_votes.cast(desk.shop, came_of, FAN, 1)
    else:
        desk.shop.earn(FAN, 500)
        came_of = speak(desk.shop).contribution
    made = {"item": "lamp", "names": {"en": "The lamp"}, "made_from": came_of.hex()}
    desk.feed([*FEED, {**made, "in_stock": False}])
    assert "made_with_you" not in messages(desk), "it is not here yet"
    desk.feed([*FEED, made])
    assert messages(desk)["made_with_you"]["text"] == "The lamp is here: you helped to make it."
    assert "made_with_you" not in topics(desk)


def test_back_in_stock_and_price_drop_of_what_is_usual(desk: PersonalShop) -> None:
    desk.buy_each(["bread"], times=3, days=3)
    desk.buy("tea")
    desk.feed(with_product("bread", in_stock=False))
    assert "back_in_stock" not in messages(desk)
    desk.feed()
    found = messages(desk)["back_in_stock"]
    assert found["subject"] == "bread" and found["why"][0]["rests_on"] == "said"
    desk.pass_time(days=8)
    assert "back_in_stock" not in messages(desk), "after a week it is no news"
    desk.feed(with_product("bread", price_cents=399))
    assert messages(desk)["price_drop"]["subject"] == "bread"
    desk.feed(with_product("tea", price_cents=199))
    assert {item["subject"] for item in desk.seen("messages")["items"] if item["topic"] == "price_drop"} <= {"bread"}
    assert not topics(desk) & {"back_in_stock", "price_drop"}


def test_a_price_that_rose_again_is_no_drop(desk: PersonalShop) -> None:
    desk.put("/v1/me/profile", {"program": desk.shop.program.hex(), "wishes": ["bread"]})
    desk.feed(with_product("bread", price_cents=399))
    assert "price_drop" in messages(desk)
    desk.feed()
    assert "price_drop" not in messages(desk)


def test_what_is_new_is_told_to_whom_buys_there_and_only_while_it_is_new(desk: PersonalShop) -> None:
    desk.pass_time(days=8)
    desk.buy_each(["bread"], times=3, days=1)
    desk.feed([*FEED, {"item": "rolls", "category": "bakery"}, {"item": "soap", "category": "soaps"}])
    assert messages(desk)["new_in_category"]["subject"] == "rolls" and "new_in_category" not in topics(desk)
    desk.buy("rolls")
    assert "new_in_category" not in messages(desk)


def test_points_that_were_found_are_claimed_by_a_contest_and_then_no_more(desk: PersonalShop) -> None:
    desk.buy("bread")
    desk.pass_time(days=5)
    found = messages(desk)["unclaimed_points"]
    assert (
        found["kind"] == "assist"
        and set(found["action"]) == {"kind", "receipt"}
        and "unclaimed_points" not in topics(desk)
    )
    desk.pass_time(days=61)
    assert "unclaimed_points" not in messages(desk), "it is too late to contest"


def test_winning_back_ends_with_the_next_visit(desk: PersonalShop) -> None:
    desk.buy_each(["bread"], times=4, days=3)
    desk.pass_time(days=60)
    found = messages(desk)["winning_back"]
    assert found["action"] == {"kind": "tell_us"} and [why["rests_on"] for why in found["why"]] == ["said", "guessed"]
    assert "winning_back" not in topics(desk), "who never bought is not won back"
    desk.buy("bread")
    assert "winning_back" not in messages(desk)


def test_what_is_needed_now_is_in_stock_wanted_and_used_up(desk: PersonalShop) -> None:
    desk.buy_each(["milk", "mug", "tea"], times=4, days=7)
    shown = [one["item"] for one in desk.seen("recommendations")["next_basket"]]
    assert shown == ["milk", "tea"], "a mug lasts"
    desk.put("/v1/me/profile", {"program": desk.shop.program.hex(), "dislikes": ["dairy"]})
    desk.feed(with_product("tea", in_stock=False))
    assert desk.seen("recommendations")["next_basket"] == [] and "replenish" not in messages(desk)
