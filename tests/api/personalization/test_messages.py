"""Messages as a fan gets them: what helps, what may be welcome, why, when, and what stops them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from api.http.schemas.personal import FeedbackAnswer, MessagesAnswer, RecommendationsAnswer
from api.personalization import pacing
from ledger.domains.crowdfunding.terms import AT_SETTLEMENT
from ledger.types import Points, Timestamp
from tests.api.personalization.conftest import OpenDesk
from tests.support import live_votes
from tests.support.memory_chain import DAY_SECONDS
from tests.support.offers import issue, make_offer
from tests.support.personal_shop import FEED, PersonalShop, open_personal_shop
from tests.support.shop import FAN, FRIEND

NOON_SECONDS = 12 * 3_600


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    """Nobody is held out here, so that every message is seen."""
    found = open_at_noon(offer_day_max=Points(1_000))
    found.feed()
    return found


def prefer(desk: PersonalShop, **said: Any) -> None:
    """Room for everything, unless a test says otherwise."""
    body = {"program": desk.shop.program.hex(), "quiet_from": 0, "quiet_until": 0, "day_max": 20, "week_max": 100}
    response = desk.put("/v1/me/preferences", {**body, **said})
    assert response.status_code == 200, response.text


def messages(desk: PersonalShop) -> dict[str, Any]:
    """What is shown now, by topic."""
    found = desk.seen("messages", model=MessagesAnswer)["items"]
    return {item["topic"]: item for item in found}


def say(desk: PersonalShop, message: str, kind: str, at: int | None = None) -> str:
    """Feedback on a message; what became of it."""
    event = {"message": message, "kind": kind, "at": desk.now if at is None else at}
    response = desk.put("/v1/me/feedback", {"program": desk.shop.program.hex(), "events": [event]}, method="POST")
    assert response.status_code == 200, response.text
    FeedbackAnswer.model_validate(response.json(), strict=True)
    return response.json()["items"][0]["result"]


def with_product(item: str, **changes: Any) -> list[dict[str, Any]]:
    """The feed with one product changed."""
    return [{**product, **changes} if product["item"] == item else product for product in FEED]


def test_a_fan_with_nothing_is_told_nothing(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    assert messages(desk) == {}
    shown = desk.seen("recommendations", model=RecommendationsAnswer)
    assert shown["discoveries"] == shown["next_basket"] == [] and shown["made_by"]["stage"] == "rules"


def test_a_recall_comes_at_once_whatever_the_hour_and_the_caps(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    prefer(desk, quiet_from=0, quiet_until=1_439, day_max=0, week_max=0)
    assert messages(desk) == {}
    desk.feed(with_product("coffee", recall={"en": "Glass was found.", "ko": "유리가 발견되었습니다."}))
    found = messages(desk)["recall"]
    assert found["text"] == "Recall: please do not use Coffee any more. Glass was found."
    assert found["texts"]["ko"] == "리콜 안내: 커피 사용을 중지해 주세요. 유리가 발견되었습니다."
    assert found["kind"] == "assist" and found["rule"] == {"name": "assist.recall", "version": 1}
    assert [why["rests_on"] for why in found["why"]] == ["said", "said"]
    assert found["consent"] == {"purpose": "personalise", "scopes": ["receipts"]}


def test_a_recall_is_told_to_who_kept_some_of_it(desk: PersonalShop) -> None:
    """One of two came back: the other stands at home."""
    desk.allow("")
    prefer(desk)
    desk.buy("coffee")
    desk.buy("coffee")
    desk.buy("coffee", quantity=-1, cents=-500)
    desk.feed(with_product("coffee", recall={"en": "Glass."}))
    assert "recall" in messages(desk)


def test_a_recall_is_not_told_to_who_brought_it_back_or_never_bought(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("coffee")
    desk.pass_time(days=1)
    desk.buy("coffee", quantity=-1, cents=-500)
    desk.feed(with_product("coffee", recall={"en": "Glass."}))
    assert "recall" not in messages(desk)


def test_the_return_window_and_how_to_use_it(tmp_path: Path) -> None:
    desk = open_personal_shop(tmp_path / "returns", return_window_days=14, activation_delay_days=14, period_days=7)
    try:
        desk.pass_time(seconds=NOON_SECONDS)
        desk.feed()
        check_returns(desk)
    finally:
        desk.close()
        desk.shop.close()


def check_returns(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("mug")
    found = messages(desk)
    assert found["how_to"]["text"] == "How to use Mug: Rinse it first." and "return_window" not in found
    desk.pass_time(days=12)
    found = messages(desk)["return_window"]
    assert found["text"] == "You can bring back what you bought on 2026-01-01 until 2026-01-15."
    assert {why["rests_on"] for why in found["why"]} == {"said", "proved"}
    desk.pass_time(days=2)
    assert "return_window" not in messages(desk)


def test_points_that_were_not_settled_in_time_are_found(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("bread")
    desk.pass_time(days=3)
    assert "unclaimed_points" not in messages(desk), "there is time to settle until the fourth day ends"
    desk.pass_time(days=2)
    found = messages(desk)["unclaimed_points"]
    assert found["action"]["kind"] == "contest" and found["why"][0]["rests_on"] == "proved"


def test_settled_points_are_not_said_to_be_missing(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("bread")
    desk.shop.earn(FAN, 114)
    desk.pass_time(days=5)
    assert "unclaimed_points" not in messages(desk)


def test_a_late_delivery(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    due = Timestamp(desk.now + 10 * DAY_SECONDS)
    campaign = desk.shop.create_campaign(goal=100, days=1, delivery_due=due, milestones=(), reserve=10_000)
    desk.shop.pledge(FAN, campaign, 20_000)
    desk.shop.end_vote(campaign)
    assert messages(desk)["campaign_milestone"]["action"]["campaign"] == campaign.hex()
    desk.pass_time(days=12)
    found = messages(desk)["late_delivery"]
    assert found["text"].startswith("“Lamp” is 3 days late.") and found["why"][0]["rests_on"] == "proved"


def test_points_about_to_expire_and_a_reward_that_is_near(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.shop.earn(FAN, 90)
    reward = desk.shop.list_reward(price=100)
    found = messages(desk)
    assert found["near_reward"]["action"] == {
        "kind": "earn",
        "missing": 10,
        "reward": reward.hex(),
        "gap_is_closed_by": [],
    }
    desk.pass_time(days=25)
    found = messages(desk)["points_expiring"]
    assert found["text"] == "90 points expire on 2026-01-31."
    value = found["value"]
    gain = value["trust"] * value["relevance"] * value["timeliness"] * value["benefit_minutes"]
    assert value["value_minutes"] == pytest.approx(gain - value["effort_minutes"] - value["data_minutes"], abs=0.05)


def test_what_closes_the_gap_is_a_usual_purchase(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("bread", "milk")
    desk.shop.earn(FAN, 90)
    desk.shop.list_reward(price=100)
    assert messages(desk)["near_reward"]["action"]["gap_is_closed_by"] == ["bread", "milk"]


def test_a_tier_that_is_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.0)
    desk = open_personal_shop(tmp_path / "tiers", tiers=(("Silver", 100), ("Gold", 500)), tier_period_days=90)
    try:
        desk.pass_time(seconds=NOON_SECONDS)
        desk.allow("")
        prefer(desk)
        desk.shop.earn(FAN, 85)
        found = messages(desk)["near_tier"]
        assert found["text"] == "15 points more in this period, and you reach Silver."
        shown = desk.seen("profile")["standing"]
        assert shown["tier"] is None and shown["tier_points"] == 85
        assert shown["next_tier"] == {"name": "Silver", "threshold": 100}
    finally:
        desk.close()
        desk.shop.close()


def test_campaigns_votes_and_offers(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.shop.earn(FAN, 500)
    nearly = desk.shop.create_campaign(in_points=True, goal=100, days=30)
    desk.shop.join_alone()
    desk.shop.earn(FRIEND, 500)
    desk.shop.pledge(FRIEND, nearly, 85)
    ending = desk.shop.create_campaign(in_points=True, goal=1_000, days=3)
    proposal = live_votes.ask(desk.shop)
    issue(desk.shop, make_offer(desk.shop))
    found = messages(desk)
    assert found["campaign_nearly"]["subject"] == nearly.hex()
    assert found["campaign_ending"]["subject"] == ending.hex()
    assert found["open_vote"]["subject"] == proposal.hex()
    assert found["offer_waiting"]["why"][0]["rests_on"] == "proved"
    live_votes.cast(desk.shop, proposal, FAN, 1)


def test_a_vote_on_a_milestone_waits_for_backers_alone(desk: PersonalShop) -> None:
    desk.allow("")
    desk.allow("", fan=FRIEND)
    prefer(desk)
    due = Timestamp(desk.now + 40 * DAY_SECONDS)
    campaign = desk.shop.create_campaign(goal=100, days=1, milestones=(("Mould", 10_000, due),))
    desk.shop.pledge(FAN, campaign, 20_000)
    desk.shop.end_vote(campaign)
    desk.shop.submit(campaign)
    found = messages(desk)["milestone_vote"]
    assert found["text"].startswith("Your vote on “Mould” of “Lamp” waits until")
    assert not [one for one in desk.seen("messages", FRIEND)["items"] if one["topic"] == "milestone_vote"]
    assert AT_SETTLEMENT


def test_winning_back_who_grew_silent(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy_each(["bread"], times=4, days=3)
    desk.pass_time(days=60)
    found = messages(desk)["winning_back"]
    assert found["why"][-1]["rests_on"] == "guessed"
    assert desk.seen("profile")["stage"] == "gone" and desk.seen("profile")["leaving"]["probability"] > 0.9


def test_quiet_hours_are_the_shops(desk: PersonalShop) -> None:
    """At noon UTC it is seven in New York: quiet until eight."""
    desk.allow("")
    desk.feed(zone="America/New_York")
    desk.buy("coffee")
    prefer(desk, quiet_from=21 * 60, quiet_until=8 * 60)
    assert messages(desk) == {}
    desk.pass_time(seconds=3_600)
    assert "discovery" in messages(desk)


def test_caps_leave_the_rest_for_other_days(desk: PersonalShop) -> None:
    desk.allow("")
    desk.shop.earn(FAN, 90)
    desk.shop.list_reward(price=100)
    desk.buy("coffee")
    live_votes.ask(desk.shop)
    prefer(desk, day_max=1, week_max=2)
    sold = [one for one in desk.seen("messages")["items"] if one["kind"] == "anticipate"]
    assert len(sold) == 1
    desk.pass_time(days=1)
    assert len([one for one in desk.seen("messages")["items"] if one["kind"] == "anticipate"]) == 2
    desk.pass_time(days=1)
    assert len([one for one in desk.seen("messages")["items"] if one["kind"] == "anticipate"]) == 2, "the week is full"


def test_three_ignored_and_no_fourth(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    told: list[str] = []
    for number in range(6):
        desk.feed([*FEED, {"item": f"soap{number}", "category": "soaps"}])
        desk.put(
            "/v1/me/profile", {"program": desk.shop.program.hex(), "likes": [f"soap{number}"]}
        ) if not told else None
        desk.buy("bread")
        desk.feed([{"item": "bread", "category": "bakery", "pairs_with": [f"roll{number}"]}, {"item": f"roll{number}"}])
        found = messages(desk).get("discovery")
        if found is not None:
            told.append(found["subject"])
        desk.pass_time(days=15)
    assert len(told) == 3


def test_the_switch_and_an_opt_out_stop_a_kind_at_once(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("coffee")
    found = messages(desk)["discovery"]
    assert say(desk, found["id"], "opt_out") == "taken"
    assert "discovery" not in messages(desk)
    assert desk.seen("preferences")["off"] == ["discovery"]


def test_a_message_that_was_dismissed_is_gone(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("coffee")
    assert say(desk, messages(desk)["discovery"]["id"], "dismissed") == "taken"
    assert "discovery" not in messages(desk)


def test_feedback_that_is_forged_repeated_early_or_late(desk: PersonalShop) -> None:
    desk.allow("")
    desk.allow("", fan=FRIEND)
    prefer(desk)
    desk.buy("coffee")
    found = messages(desk)["discovery"]
    assert say(desk, "5f" * 32, "opened") == "unknown"
    body = {"program": desk.shop.program.hex(), "events": [{"message": found["id"], "kind": "opened", "at": desk.now}]}
    forged = desk.put("/v1/me/feedback", body, FRIEND, "POST")
    assert forged.json()["items"][0]["result"] == "unknown"
    assert say(desk, found["id"], "opened") == "taken"
    assert say(desk, found["id"], "opened") == "repeated"
    assert say(desk, found["id"], "clicked", found["ready_at"] - 1) == "early"
    assert say(desk, found["id"], "clicked", desk.now + 601) == "early"
    desk.pass_time(days=46)
    assert say(desk, found["id"], "clicked") == "late"


def test_what_was_held_out_is_not_shown_and_is_no_message_to_speak_of(
    desk: PersonalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 1.0)
    desk.allow("")
    prefer(desk)
    desk.buy("coffee", "mug")
    assert set(messages(desk)) == {"how_to"}, "what helps is never held out"
    kept = asyncio.run(desk.app.state.services.receipts.run(lambda store: store.inbox.all_of(FAN.address)))
    held = next(one for one in kept if one.is_held_out)
    assert say(desk, held.id.hex(), "opened") == "unknown"
    shown = {one["message"]: one["held_out"] for one in desk.ask("/v1/me/export")["messages"]}
    assert shown[held.id.hex()] is True


def test_a_message_goes_with_the_receipt_or_consent_that_it_rests_on(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    bought = desk.buy("mug")
    assert "how_to" in messages(desk)
    desk.ask(f"/v1/receipts/{bought.hex()}/gift", method="PUT")
    assert "how_to" not in messages(desk)
    desk.ask(f"/v1/receipts/{bought.hex()}/gift", method="DELETE")
    assert "how_to" in messages(desk)
    desk.withdraw()
    assert desk.mine("messages").status_code == 403


def test_texts_come_in_the_fans_language(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk, language="ko")
    desk.buy("coffee")
    assert messages(desk)["discovery"]["text"] == "우유 상품은 어떠세요?"


def test_the_same_answer_twice(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy_each(["bread", "coffee"], times=3, days=2)
    assert desk.mine("messages").content == desk.mine("messages").content


def test_a_reset_forgets(desk: PersonalShop) -> None:
    desk.allow("")
    prefer(desk)
    desk.buy("coffee")
    assert messages(desk)
    desk.pass_time(seconds=60)
    path = f"/v1/me/profile?program={desk.shop.program.hex()}"
    assert desk.ask(path, method="DELETE")["deleted"] >= 2
    assert messages(desk) == {}
    shown = desk.seen("profile")
    assert shown["items"] == [] and shown["reset_at"] == desk.now
    assert desk.ask("/v1/me/export")["messages"] == []
    desk.buy("bread")
    assert [one["id"] for one in desk.seen("profile")["items"]] == ["bread"]
