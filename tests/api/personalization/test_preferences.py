"""What a fan says of how to be spoken to outlives a reset; what can't be meant is refused; a feed that adds keeps the zone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.schemas.personal import PreferencesAnswer
from api.personalization import pacing
from api.personalization.preferences import DEFAULTS, after_reset
from tests.api.personalization.conftest import OpenDesk
from tests.support.personal_shop import FEED, PersonalShop

SAID = {"language": "ko", "channel": "stream", "quiet_from": 60, "quiet_until": 120, "day_max": 2, "week_max": 5}
OFF = ["discovery", "question"]


@pytest.fixture
def desk(open_desk: OpenDesk) -> PersonalShop:
    return open_desk()


def test_a_reset_keeps_how_a_fan_wants_to_be_spoken_to(desk: PersonalShop) -> None:
    program = desk.shop.program.hex()
    desk.allow("")
    answers = {"lasts:mug": "lasts"}
    desk.ask_once(*answers)
    assert desk.put("/v1/me/preferences", {"program": program, **SAID, "off": OFF, "answers": answers}).is_success
    assert desk.put("/v1/me/profile", {"program": program, "likes": ["tea"], "wishes": ["mug"]}).is_success
    desk.ask(f"/v1/me/profile?program={program}", method="DELETE")
    found = desk.seen("preferences", model=PreferencesAnswer)
    assert found == {"program": program, **SAID, "off": OFF, "answers": {}, "said": sorted([*SAID, "off"])}
    profile = desk.seen("profile")
    assert profile["likes"] == profile["wishes"] == [] and profile["reset_at"] == desk.now
    desk.ask(f"/v1/me/profile?program={program}", method="DELETE")
    assert desk.seen("preferences") == found, "a second reset finds nothing more"


@given(st.dictionaries(st.sampled_from([*DEFAULTS, "likes", "dislikes", "wishes"]), st.integers()))
def test_what_a_reset_leaves_are_preferences_without_answers(document: dict[str, int]) -> None:
    left = after_reset(document)
    assert left == {name: value for name, value in document.items() if name in DEFAULTS and name != "answers"}
    assert after_reset(left) == left


def test_a_topic_that_there_is_none_of_is_refused_and_nothing_is_changed(desk: PersonalShop) -> None:
    body = {"program": desk.shop.program.hex(), "day_max": 2}
    before = desk.seen("preferences")
    refused = desk.put("/v1/me/preferences", {**body, "off": ["discovery", "winning_bak"]})
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (400, "preference.topic")
    assert problem["fields"]["topic"] == "winning_bak" and "winning_back" in problem["fields"]["known"]
    assert desk.seen("preferences") == before
    for topic in problem["fields"]["known"].split(", "):
        assert desk.put("/v1/me/preferences", {**body, "off": [topic]}).json()["off"] == [topic]


def test_who_granted_something_else_is_told_what_behaviour_wants(desk: PersonalShop) -> None:
    body = {"program": desk.shop.program.hex(), "events": [{"kind": "viewed", "item": "tea", "at": desk.now}]}
    desk.allow("receipts")
    refused = desk.put("/v1/me/behaviour", body, method="POST")
    assert (refused.status_code, refused.json()["code"]) == (403, "personal.no_behaviour")
    assert "--scope behaviour" in refused.json()["advice"]
    desk.allow("behaviour")
    assert desk.put("/v1/me/behaviour", body, method="POST").json()["kept"] == 1


def test_a_feed_that_adds_keeps_the_zone_and_a_whole_one_says_it_anew(desk: PersonalShop) -> None:
    seoul = "Asia/Seoul"
    assert desk.feed(zone=seoul)["zone"] == seoul
    assert desk.feed([{"item": "kettle"}], whole=False)["zone"] == seoul
    assert desk.feed([{"item": "pan"}], whole=False, zone="Europe/Berlin")["zone"] == "Europe/Berlin"
    path = f"/v1/programs/{desk.shop.program.hex()}/products"
    assert desk.http.get(path).json()["zone"] == "Europe/Berlin"
    assert desk.feed(FEED)["zone"] == "" and desk.http.get(path).json()["zone"] == ""


def test_new_hours_move_what_was_to_come_by_the_old_ones(desk: PersonalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said already stays as it was said."""
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.0)
    program = desk.shop.program.hex()
    desk.feed()
    desk.allow("")
    minute = desk.now % 86_400 // 60  # the program's clock is UTC's
    hours = {"quiet_from": (minute - 60) % 1_440, "quiet_until": (minute + 120) % 1_440}
    assert desk.put("/v1/me/preferences", {"program": program, **hours}).is_success
    desk.buy("mug")
    assert desk.seen("messages")["items"] == [], "it waits for the end of the quiet hours"
    assert desk.put("/v1/me/preferences", {"program": program, "quiet_from": 0, "quiet_until": 0}).is_success
    found = desk.seen("messages")["items"]
    assert [one["topic"] for one in found] == ["how_to"] and found[0]["ready_at"] == desk.now
    assert desk.put("/v1/me/preferences", {"program": program, **hours}).is_success
    assert [one["id"] for one in desk.seen("messages")["items"]] == [found[0]["id"]]
