"""Messages, profile and preferences from a fan's terminal; products and groups from a brand's."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from api.personalization import pacing
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_sharing import Street
from tests.support.personal_shop import FEED
from tests.support.wallet_node import WalletNode


@pytest.fixture
def street(node: WalletNode, terminal_of: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch) -> Street:
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.0)
    return Street(node, terminal_of)


def publish(street: Street, **more: object) -> Path:
    """The brand's product feed, in which what the till sells is called Bread and Coffee."""
    feed = [
        {"item": "Bread", "category": "bakery", "pairs_with": ["milk"]},
        {"item": "Coffee", "category": "drinks"},
        *FEED[2:],
    ]
    file = street.partner.home / "products.json"
    file.write_text(json.dumps({"products": feed, **more}))
    return file


def test_a_fan_reads_why_and_stops_a_kind(street: Street, tmp_path: Path) -> None:
    fan, brand, program = street.fan, street.partner, street.program
    street.buy()
    with street.now():
        assert "personal.not_granted" in fan.fail("wallet", "messages", program)
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    with street.now():
        taken = brand.read("brand", "products", program, publish(street))
        assert taken["products"] == 5
        fan.run("wallet", "preferences", program, "--quiet", "none", "--day-max", "5", "--language", "ko")
        (found,) = fan.read("wallet", "messages", program)
        assert found["topic"] == "discovery" and found["text"] == "우유 상품은 어떠세요?"
        shown = fan.run("wallet", "messages", program, "--why")
        assert (
            "guessed: 좋아하실 것이라는 것은 추측입니다." in shown
            and "--off discovery" in shown
            and "minutes = " in shown
        )
        assert "milk" in fan.run("wallet", "recommendations", program)
        assert fan.read("wallet", "feedback", program, found["id"], "opened")["result"] == "taken"
        assert fan.read("wallet", "feedback", program, found["id"], "opened")["result"] == "repeated"
        assert "unknown" in fan.run("wallet", "feedback", program, "5f" * 32, "opened", expect=1)
        assert fan.read("wallet", "preferences", program, "--off", "discovery")["off"] == ["discovery"]
        assert fan.read("wallet", "messages", program) == []
        assert fan.read("wallet", "preferences", program, "--channel", "stream")["channel"] == "stream"
        assert fan.read("wallet", "preferences", program, "--on", "discovery")["language"] == "ko"
        assert "--quiet" in fan.fail("wallet", "preferences", program, "--quiet", "9-25", expect=2)


def test_a_fan_answers_skips_and_takes_back(street: Street) -> None:
    fan, brand, program = street.fan, street.partner, street.program
    street.buy()
    ask = ("wallet", "questions", program)
    with street.now():
        assert "personal.not_granted" in fan.fail(*ask)
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    with street.now():
        brand.read("brand", "products", program, publish(street))
        fan.run("wallet", "preferences", program, "--quiet", "none", "--day-max", "5")
        (found,) = fan.read(*ask)
        assert found["question"] == "language"
        shown = fan.run(*ask)
        assert "All that you are told comes in that language." in shown and "ko: Korean" in shown
        assert "it would change now: " in shown
        assert "answer.unknown" in fan.fail("wallet", "answer", program, "language", "fr")
        assert "answer.question" in fan.fail("wallet", "answer", program, "weather", "rain")
        assert "ANSWER" in fan.fail("wallet", "answer", program, "language", expect=2)
        assert "ANSWER" in fan.fail("wallet", "answer", program, "language", "ko", "--skip", expect=2)
        assert "QUESTION" in fan.fail("wallet", "answer", program, "language", "--take-back", expect=2)
        assert "QUESTION" in fan.fail("wallet", "answer", program, "lasts:tea", "--skip", expect=2)
        assert fan.read("wallet", "answer", program, "language", "ko")["result"] == "ko"
        assert fan.read("wallet", "messages", program)[0]["text"] == "우유 상품은 어떠세요?"
        assert "language = ko" in fan.run("wallet", "preferences", program)
        assert fan.read("wallet", "preferences", program, "--day-max", "4")["language"] == "ko"
        (second,) = fan.read(*ask)
        assert second["question"] != "language"
        assert fan.read("wallet", "answer", program, second["question"], "--skip")["result"] == "skipped"
        assert fan.read(*ask) == []
        assert fan.read("wallet", "answer", program, "language", "--take-back")["result"] == "taken back"
        assert fan.read("wallet", "preferences", program)["language"] == "en"


def test_a_profile_is_seen_corrected_taken_along_and_reset(street: Street, tmp_path: Path) -> None:
    fan, program = street.fan, street.program
    street.buy()
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    file = tmp_path / "profile.json"
    with street.now():
        fan.run("wallet", "profile", "correct", program, "--like", "tea", "--dislike", "kitchen")
        fan.run("wallet", "profile", "show", program, "--out", file)
        taken = json.loads(file.read_text())
        assert [item["id"] for item in taken["items"]] == ["Bread", "Coffee"] and taken["dislikes"] == ["kitchen"]
        assert fan.read("wallet", "profile", "reset", program, "--yes")["deleted"] >= 1
        assert fan.read("wallet", "profile", "show", program)["dislikes"] == []
        again = fan.read("wallet", "profile", "correct", program, "--from", file, "--wish", "mug")
        assert again["likes"] == ["tea"] and again["wishes"] == ["mug"]
        file.write_text("[]")
        assert "cli.bad_file" in fan.fail("wallet", "profile", "correct", program, "--from", file, expect=2)
        log = fan.read("wallet", "reads", program)
        assert {row["scope"] for row in log} == {"profile"} and log[0]["reader"] == program


def test_a_brand_asks_for_groups_and_is_told_of_none_that_are_small(street: Street) -> None:
    brand, program = street.partner, street.program
    with street.now():
        assert brand.read("brand", "segments", program)["segments"] == []
        assert brand.read("brand", "plan", program, "discovery", "--points", "5", "--budget", "50")["reach"] is None
        assert brand.read("brand", "message-report", program)["topics"] == []
        assert "plan.topic" in brand.fail("brand", "plan", program, "weather")
        wrong = brand.home / "wrong.json"
        wrong.write_text("[1]")
        assert "cli.bad_file" in brand.fail("brand", "products", program, wrong, expect=2)
        assert "product.zone" in brand.fail("brand", "products", program, publish(street, zone="Mars/Base"))
        added = brand.read("brand", "products", program, publish(street, zone="Europe/Berlin"), "--add")
        assert added["zone"] == "Europe/Berlin"
        refused = brand.fail("brand", "webhook", "add", program, "https://127.0.0.1/hook")
        assert "webhook.not_public" in refused
        made = brand.read("brand", "webhook", "add", program, "https://1.1.1.1/hook")
        assert made["secret"].startswith("whsec_")
        assert [one["id"] for one in brand.read("brand", "webhook", "list", program)] == [made["id"]]
        assert brand.read("brand", "webhook", "drop", program, made["id"])["dropped"] is True
        assert "webhook.id_format" in brand.fail("brand", "webhook", "drop", program, "3e", expect=1)
        assert "WEBHOOK" in brand.fail("brand", "webhook", "drop", program, "xyz", expect=2)
        assert "program.not_yours" in street.fan.fail("brand", "segments", program)
