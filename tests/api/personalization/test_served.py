"""The whole way: receipts, the gate, an export, training, a node that answers by it; and what a revocation does to each."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.http.schemas.personal import MessagesAnswer, ProfileAnswer
from api.personalization import pacing
from api.personalization.export import number_fan
from api.personalization.model_predictor import ModelPredictor
from api.personalization.models import encode_models
from tests.support.memory_chain import DAY_SECONDS
from tests.support.served_shop import CROWD, PRODUCTS, ServedShop
from tests.support.shop import FAN, FRIEND


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedShop]:
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.0)
    found = ServedShop(tmp_path, monkeypatch)
    yield found
    found.close()


def items_of(world: ServedShop, what: str = "discoveries", fan: Any = FAN) -> list[str]:
    return [one["item"] for one in world.desk.seen("recommendations", fan, limit=50)[what]]


def reads_of(world: ServedShop, fan: Any = FAN) -> dict[str, int]:
    """What the fan's log says of reads: how often by what for."""
    return {row["scope"]: row["times"] for row in world.desk.seen("access-log", fan)["items"]}


def test_receipts_become_models_that_answer_their_fans(world: ServedShop) -> None:
    world.live_weeks()
    assert world.made_by() == ("behaviour", "plain rules 1")
    said = json.loads(world.export("--json"))
    assert (said["fans"], said["zone"], said["files_deleted"]) == (1 + len(CROWD), "Asia/Seoul", 0)
    assert reads_of(world)["export"] == reads_of(world, FRIEND)["export"] == 1
    models = world.train()
    assert models.program == world.desk.shop.program.hex() and len(models.households) == 1 + len(CROWD)
    world.serve(models)
    name = f"model {models.version} of {models.as_of}"
    assert world.made_by() == ("prediction", name)
    assert all(world.made_by(fan) == ("prediction", name) for fan in CROWD)
    assert world.made_by(FRIEND) == ("rules", f"plain rules 1, popularity by {name}")

    shown = world.desk.seen("recommendations", limit=50)
    bought = {"bread", "milk", "rare"}
    assert {one["item"] for one in shown["discoveries"]} == {one["item"] for one in PRODUCTS} - bought
    scores = [one["score"] for one in shown["discoveries"]]
    assert scores == sorted(scores, reverse=True) and scores[0] == 1 and min(scores) >= 0
    reasons = [why for one in shown["discoveries"] for why in one["why"]]
    assert {"version": name} in [why["source"] for why in reasons if why["rests_on"] == "guessed"]
    assert any("came to buy" in why["text"] for why in reasons)
    due = {one["item"]: one["score"] for one in shown["next_basket"]}
    assert due["bread"] >= 0.8 and due["milk"] >= 0.8, "every week"
    assert due["rare"] == 1, "what has no category no model knows: the fan's own interval answers"
    profile = world.desk.seen("profile", model=ProfileAnswer)
    assert profile["made_by"] == {"stage": "prediction", "version": name, "trained": True}
    assert profile["leaving"]["probability"] == pytest.approx(models.churn(number_fan(FAN.address)), abs=0.002)
    messages = world.desk.seen("messages", model=MessagesAnswer)["items"]
    assert {"replenish", "discovery"} & {one["topic"] for one in messages}
    assert {one["made_by"]["version"] for one in messages} == {name}

    for_friend = world.desk.seen("recommendations", FRIEND, limit=50)["discoveries"]
    assert for_friend and all(one["score"] <= 0.3 for one in for_friend)
    assert "begun to buy" in for_friend[0]["why"][0]["text"]
    segments = world.desk.app.state.services.personal
    assert isinstance(segments.predictor, ModelPredictor)


def test_catalogue_dislikes_and_what_was_bought_since_count_at_once(world: ServedShop) -> None:
    world.live_weeks()
    world.export()
    world.serve(world.train())
    desk = world.desk
    first = items_of(world)[0]
    changes: dict[str, dict[str, Any]] = {
        "milk": {"lasts": True},
        first: {"in_stock": False},
        "tea": {"recall": {"en": "Glass."}},
    }
    desk.feed([{**one, **changes.get(one["item"], {})} for one in PRODUCTS], zone="Asia/Seoul")
    left = items_of(world)
    assert not {first, "tea"} & set(left) and "milk" not in items_of(world, "next_basket")
    said = {"program": desk.shop.program.hex(), "likes": [], "dislikes": [left[0], "shelf b"], "wishes": []}
    assert desk.put("/v1/me/profile", said).status_code == 200
    assert left[0] not in items_of(world) and "bread" not in items_of(world, "next_basket")
    assert desk.put("/v1/me/profile", {**said, "dislikes": []}).status_code == 200
    world.buy(FAN, left[1], "bread")
    assert world.made_by()[0] == "prediction", "what came after the export breaks nothing"
    assert left[1] not in items_of(world)
    assert "bread" not in items_of(world, "next_basket"), "it was bought a moment ago"
    assert world.desk.seen("profile")["leaving"]["probability"] == 0, "who came again did not leave"


def test_what_was_erased_is_gone_from_answers_files_features_and_models(world: ServedShop) -> None:
    world.live_weeks()
    desk = world.desk
    secret = world.buy(FAN, "soap", quantity=77)
    desk.pass_time(days=1)
    world.export()
    assert ("soap", 77) in world.exported()
    before = world.train()
    world.serve(before)
    assert world.made_by()[0] == "prediction" and "soap" not in items_of(world)

    desk.ask(f"/v1/receipts/{secret}", method="DELETE")
    assert world.made_by() == ("behaviour", "plain rules 1"), "at the very next read"
    world.review()
    served = world.keeper.report()["served"][0]
    assert (served["fans"], served["taken_out"]) == (len(CROWD), 1)
    assert world.made_by(CROWD[0])[0] == "prediction"

    desk.pass_time(seconds=1)
    world.export()
    assert ("soap", 77) not in world.exported() and len(world.exported()) == 30
    after = world.train()
    world.serve(after)
    assert world.made_by() == ("prediction", f"model {after.version} of {after.as_of}")
    assert after.basis(number_fan(FAN.address)) != before.basis(number_fan(FAN.address))
    assert secret not in json.dumps(desk.seen("messages")) + json.dumps(desk.seen("recommendations"))

    kept = desk.ask(f"/v1/receipts/{world.buy(FAN, 'bread')}")  # what came after the export
    assert kept is not None and world.made_by()[0] == "prediction"
    desk.ask("/v1/me", method="DELETE")
    assert world.made_by()[0] == "rules"
    world.export()
    assert world.exported() == [] and number_fan(FAN.address) not in world.train().households


def test_who_takes_consent_back_is_gone_at_once_and_for_everybody_at_the_next_review(world: ServedShop) -> None:
    world.live_weeks()
    desk, gone = world.desk, CROWD[1]
    world.export()
    models = world.train()
    world.serve(models)
    world.review()
    assert world.keeper.report()["served"][0]["taken_out"] == 0 and reads_of(world)["models"] == 1
    desk.withdraw(fan=FAN)
    assert world.refusal("recommendations") == "personal.not_granted"
    desk.allow("standing", fan=FAN)
    assert world.made_by() == ("rules", f"plain rules 1, popularity by model {models.version} of {models.as_of}")
    desk.withdraw(fan=gone)
    world.review()
    assert world.keeper.report()["served"][0]["taken_out"] == 0, "it was looked at a moment ago"
    desk.pass_time(seconds=6 * 3_600)
    world.review()
    assert world.keeper.report()["served"][0]["taken_out"] == 2
    predictor = desk.app.state.services.personal.predictor
    (left,) = predictor._models.values()
    assert number_fan(gone.address) not in left.households and number_fan(FAN.address) not in left.households
    said = json.loads(world.export("--json"))
    assert said["fans"] == len(CROWD) - 1 and world.exported(gone) == [] == world.exported()
    assert [number_fan(one.address) in world.train().households for one in (gone, FAN)] == [False, False]
    desk.allow("receipts/shelf b", fan=FAN)
    world.export()
    assert {product for product, _ in world.exported()} == {"bread"}, "of one category only its lines"


def test_a_gift_and_a_narrower_consent_are_answered_by_rules(world: ServedShop) -> None:
    world.live_weeks(weeks=4)
    desk, receipt = world.desk, world.buy(FAN, "bread")
    desk.pass_time(days=1)
    world.export()
    world.serve(world.train())
    assert world.made_by()[0] == "prediction"
    desk.ask(f"/v1/receipts/{receipt}/gift", method="PUT")
    assert world.made_by()[0] == "behaviour"
    desk.ask(f"/v1/receipts/{receipt}/gift", method="DELETE")
    assert world.made_by()[0] == "prediction"
    desk.allow("receipts/shelf b", fan=FAN)
    assert world.made_by()[0] == "prediction"
    desk.withdraw(fan=FAN)
    assert world.made_by()[0] == "behaviour", "the model knows more than bread"
    assert items_of(world, "next_basket") in (["bread"], [])


def test_what_was_not_granted_changes_no_byte_also_by_models(world: ServedShop) -> None:
    """Everything that is not granted is changed, exported and trained anew: models and every output stay byte-identical."""
    desk = world.desk
    world.live_weeks(mine="receipts/shelf b", friends="standing")
    clock, now = desk.app.state.services.node.clock, desk.now
    world.export()
    first = world.train()
    world.serve(first)
    fans = (FAN, FRIEND, *CROWD[:2])
    before = world.outputs(fans)
    assert world.made_by()[0] == "prediction" and world.made_by(FRIEND)[0] == "rules"
    clock.set(now - DAY_SECONDS)
    gift = world.buy(FAN, "bread", "tea")
    desk.ask(f"/v1/receipts/{gift}/gift", method="PUT")
    world.buy(FAN, "tea", "soap", quantity=9)
    for item in ("bread", "jam", "rare"):
        world.buy(FRIEND, item, quantity=5)
    clock.set(now)
    world.export()
    again = world.train()
    assert encode_models(again) == encode_models(first)
    world.serve(again, "again.models")
    assert world.outputs(fans) == before
