"""Questions: asked only when the answer would change something, one at a time, skipped, answered, taken back."""

from typing import Any

import pytest

from api.http.schemas.personal import PreferencesAnswer, QuestionsAnswer
from api.personalization.preferences import ANSWERS, change_preferences, with_answers
from api.personalization.texts import TEMPLATES
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import messages, say
from tests.support.personal_shop import PersonalShop
from tests.support.shop import FRIEND

SAID = {"language": "en", "quiet_from": 0, "quiet_until": 0, "day_max": 20, "week_max": 100}


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    """Nobody is held out, and it is noon."""
    found = open_at_noon()
    found.feed()
    return found


def put(desk: PersonalShop, **said: Any) -> Any:
    """Preferences with room for everything; the language is said, the part of the day is answered, unless a test says otherwise."""
    answers = {"part_of_day": "afternoon", **said.pop("answers", {})}
    desk.ask_once(*(name for name in answers if ":" in name))
    body = {"program": desk.shop.program.hex(), **SAID, "answers": answers, **said}
    response = desk.put("/v1/me/preferences", {name: value for name, value in body.items() if value is not None})
    assert response.status_code == 200, response.text
    PreferencesAnswer.model_validate(response.json(), strict=True)
    return response.json()


def asked(desk: PersonalShop) -> dict[str, Any] | None:
    """The question that is open."""
    items = desk.seen("questions", model=QuestionsAnswer)["items"]
    return items[0] if items else None


def name_of(desk: PersonalShop) -> str | None:
    found = asked(desk)
    return None if found is None else found["question"]


def test_without_consent_or_without_anything_to_say_nothing_is_asked(desk: PersonalShop) -> None:
    refused = desk.mine("questions")
    assert (refused.status_code, refused.json()["code"]) == (403, "personal.not_granted")
    desk.allow("")
    assert asked(desk) is None, "there is no text whose language could change"


def test_the_language_is_asked_where_something_is_said(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk, language=None)
    found = asked(desk)
    assert found is not None and found["question"] == "language" and found["consent"]["scopes"] == []
    assert found["what_for"] == "All that you are told comes in that language." and found["texts"]["ko"]
    assert [one["answer"] for one in found["answers"]] == ["en", "ko"]
    first = found["changes"]["first"][0]["with"]
    assert first["en"]["text"] != first["ko"]["text"] and found["changes"]["count"] >= 2
    assert asked(desk) == found, "it stays the one that is open"
    answered = put(desk, language=None, answers={"language": "ko"})
    assert answered["language"] == "ko" and "language" not in answered["said"]
    assert messages(desk)["discovery"]["text"] == "우유 상품은 어떠세요?"
    assert name_of(desk) != "language"
    assert put(desk, language="en", answers={"language": "ko"})["language"] == "en", "what is said outright goes first"
    taken_back = put(desk, language=None)
    assert taken_back["language"] == "en" and "language" not in taken_back["answers"]


def test_answers_that_are_left_out_stay(desk: PersonalShop) -> None:
    put(desk, answers={"lasts:milk": "used_up"})
    body = {"program": desk.shop.program.hex(), "channel": "stream"}
    kept = desk.put("/v1/me/preferences", body).json()
    assert kept["answers"] == {"part_of_day": "afternoon", "lasts:milk": "used_up"} and kept["said"] == ["channel"]
    assert desk.put("/v1/me/preferences", {**body, "answers": {}}).json()["answers"] == {}
    assert desk.seen("preferences", model=PreferencesAnswer)["channel"] == "stream"


def test_when_one_shops_is_asked_until_it_is_known(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk, answers={"part_of_day": "evening", "gift:coffee": "own", "dislike:dairy": "show"})
    (moment,) = {item["ready_at"] for item in desk.seen("messages")["items"]} or {0}
    assert moment == 0, "it is noon: messages wait for the evening"
    desk.pass_time(seconds=5 * 3_600)
    assert "discovery" in messages(desk)


def test_the_part_of_the_day_changes_moments(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    answers = {"dislike:dairy": "show", "dislike:kitchen": "show", "gift:coffee": "own"}
    desk.ask_once(*answers)
    desk.put("/v1/me/preferences", {"program": desk.shop.program.hex(), **SAID, "answers": answers})
    found = asked(desk)
    assert found is not None and found["question"] == "part_of_day"
    moments = {one["ready_at"] for one in found["changes"]["first"][0]["with"].values()}
    assert len(moments) == len(ANSWERS["part_of_day"])


def test_what_lasts_is_asked_where_it_decides_on_a_reminder(desk: PersonalShop) -> None:
    desk.allow("")
    put(desk)
    desk.feed([{"item": "filter", "names": {"en": "Filter"}, "category": "kitchen"}])
    desk.buy_each(["filter"], times=3, days=7)
    found = asked(desk)
    assert found is not None and found["question"] == "lasts:filter" and "receipts" in found["consent"]["scopes"]
    assert any(one["with"]["lasts"] is None and one["with"]["used_up"] for one in found["changes"]["first"])
    put(desk, answers={"lasts:filter": "lasts"})
    assert "replenish" not in messages(desk) and desk.seen("recommendations")["next_basket"] == []
    put(desk, answers={"lasts:filter": "used_up"})
    assert "replenish" in messages(desk) and name_of(desk) is None
    desk.feed([{"item": "filter", "lasts": True}])
    assert "replenish" in messages(desk), "the fan knows better than the feed"
    put(desk)
    assert "replenish" not in messages(desk)


def test_what_is_used_up_without_doubt_is_not_asked(desk: PersonalShop) -> None:
    desk.allow("")
    put(desk)
    desk.buy_each(["bread"], times=5, days=7)
    assert name_of(desk) is None


def test_a_gift_stays_out_of_taste(desk: PersonalShop) -> None:
    desk.allow("")
    put(desk, answers={"dislike:dairy": "show", "dislike:kitchen": "show"})
    desk.buy("coffee", "bread")
    found = asked(desk)
    assert found is not None and found["question"] == "gift:coffee"
    assert [one["item"] for one in desk.seen("recommendations")["discoveries"]] == ["milk", "mug"]
    put(desk, answers={"gift:coffee": "gift"})
    assert desk.seen("recommendations")["discoveries"] == []
    shown = desk.seen("profile")
    assert [one["id"] for one in shown["items"]] == ["bread"]
    assert shown["price"]["median_basket_cents"] == 500 and shown["rhythm"]["visits"] == 1
    put(desk)
    assert [one["id"] for one in desk.seen("profile")["items"]] == ["bread", "coffee"]


def test_a_category_that_is_not_wanted_is_never_shown(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk, answers={"gift:coffee": "own"})
    found = asked(desk)
    assert found is not None and found["question"].startswith("dislike:")
    assert found["text"].startswith("May we show you products of ")
    put(desk, answers={"gift:coffee": "own", "dislike:dairy": "never"})
    assert [one["item"] for one in desk.seen("recommendations")["discoveries"]] == ["mug"]
    assert desk.seen("profile")["dislikes"] == ["dairy"]


def test_one_at_a_time_and_a_skipped_one_is_left_alone(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk)
    first = asked(desk)
    assert first is not None
    assert say(desk, first["id"], "dismissed") == "taken"
    assert asked(desk) is None, "after a skip there is a week without questions"
    desk.pass_time(days=7)
    second = asked(desk)
    assert second is not None and second["question"] != first["question"]
    kind, _, _ = second["question"].partition(":")
    put(desk, answers={second["question"]: ANSWERS[kind][0]})
    third = asked(desk)
    assert third is None or third["question"] not in (first["question"], second["question"])


def test_three_ignored_and_no_fourth(desk: PersonalShop) -> None:
    desk.allow("")
    put(desk)
    names: list[str | None] = []
    for number in range(6):
        item = f"roll{number}"
        desk.feed([{"item": "bread", "pairs_with": [item]}, {"item": item, "category": f"rolls{number}"}])
        desk.buy("bread")
        names.append(name_of(desk))
        desk.pass_time(days=15)
    assert all(names[:3]) and names[3:] == [None] * 3
    put(desk, language="ko")
    assert asked(desk) is not None, "what the fan says anew opens it again"


def test_questions_can_be_switched_off(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk)
    found = asked(desk)
    assert found is not None and found["switch"] == {"off": "question"}
    assert say(desk, found["id"], "opt_out") == "taken"
    assert asked(desk) is None and desk.seen("preferences")["off"] == ["question"]


def test_an_answer_that_no_longer_matters_closes_the_question(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk, answers={"dislike:dairy": "show", "dislike:kitchen": "show"})
    assert name_of(desk) == "gift:coffee"
    desk.feed([{"item": "coffee"}])
    assert asked(desk) is None


def test_a_question_takes_no_room_of_messages_and_is_no_message(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk, day_max=1, week_max=1)
    assert asked(desk) is not None
    assert set(messages(desk)) == {"discovery"}


def test_what_was_not_granted_is_not_asked_about(desk: PersonalShop) -> None:
    desk.allow("standing")
    desk.buy("coffee")
    put(desk)
    assert asked(desk) is None
    rows = {row["scope"] for row in desk.seen("access-log")["items"]}
    assert "questions" in rows


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"weather": "rain"}, "answer.question"),
        ({"lasts": "lasts"}, "answer.question"),
        ({"lasts:": "lasts"}, "answer.question"),
        ({"language:en": "en"}, "answer.question"),
        ({"lasts:" + "x" * 65: "lasts"}, "answer.question"),
        ({"language": "fr"}, "answer.unknown"),
        ({"gift:mug": "maybe"}, "answer.unknown"),
        ({"gift:mug": 7}, "http.body"),
        ({f"gift:{number}": "own" for number in range(201)}, "http.body"),
    ],
)
def test_answers_to_what_nobody_asks_are_refused(desk: PersonalShop, answers: dict[str, Any], code: str) -> None:
    response = desk.put("/v1/me/preferences", {"program": desk.shop.program.hex(), "answers": answers})
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert desk.seen("preferences")["answers"] == {}


def test_an_answer_to_what_this_fan_was_not_asked_is_refused_and_nothing_of_it_counts(desk: PersonalShop) -> None:
    """Spec PER-7: never bought, never asked, or asked of somebody else; in the language that is accepted."""
    desk.allow("")
    desk.buy("coffee")
    desk.ask_once("gift:tea", fan=FRIEND)
    before = put(desk)
    for name, answer in (
        ("gift:piano", "gift"),
        ("gift:tea", "own"),
        ("lasts:coffee", "lasts"),
        ("dislike:x", "never"),
    ):
        body = {"program": desk.shop.program.hex(), "channel": "stream", "answers": {"language": "ko", name: answer}}
        refused = desk.put("/v1/me/preferences", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "answer.not_asked") and name in refused.text
        assert desk.seen("preferences") == before


def test_an_answer_counts_also_late_again_and_changed(desk: PersonalShop) -> None:
    desk.allow("")
    put(desk, answers={"dislike:dairy": "show", "dislike:kitchen": "show"})
    desk.buy("coffee", "bread")
    assert name_of(desk) == "gift:coffee"
    desk.pass_time(days=40)
    for answer, items in (("gift", ["bread"]), ("gift", ["bread"]), ("own", ["bread", "coffee"])):
        body = {"program": desk.shop.program.hex(), **SAID, "answers": {"gift:coffee": answer}}
        assert desk.put("/v1/me/preferences", body).json()["answers"] == {"gift:coffee": answer}
        assert [one["id"] for one in desk.seen("profile")["items"]] == items
    desk.ask(f"/v1/me/profile?program={desk.shop.program.hex()}", method="DELETE")
    refused = desk.put("/v1/me/preferences", {**body, "answers": {"gift:coffee": "gift"}})
    assert refused.json()["code"] == "answer.not_asked", "the reset forgot that it was asked"


def test_a_reset_and_an_export_know_of_questions(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("coffee")
    put(desk)
    found = asked(desk)
    assert found is not None
    assert found["id"] in {one["message"] for one in desk.ask("/v1/me/export")["messages"]}
    desk.pass_time(seconds=60)
    desk.ask(f"/v1/me/profile?program={desk.shop.program.hex()}", method="DELETE")
    assert desk.seen("preferences")["answers"] == {} and asked(desk) is None


def test_answers_are_applied_to_a_document_and_corrections_stay() -> None:
    document = {"dislikes": ["pets"], "day_max": 2, "answers": {"dislike:dairy": "never", "dislike:tea": "show"}}
    assert with_answers(document)["dislikes"] == ["dairy", "pets"]
    changed = change_preferences(document, {"channel": "stream", "answers": None})
    assert changed == {"dislikes": ["pets"], "channel": "stream", "answers": document["answers"]}


def test_every_answer_has_its_text() -> None:
    for kind, answers in ANSWERS.items():
        assert {f"ask_{kind}", f"ask_{kind}_for", *(f"ask_{kind}_{answer}" for answer in answers)} <= set(TEMPLATES)
