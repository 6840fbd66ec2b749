"""Messages, profile and preferences from a fan's terminal; products and groups from a brand's."""

import json
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli import insights
from api.cli.fan_words import WORDS
from api.personalization import groups, offer_plans, offer_report, pacing
from api.wallet import personal_calls
from api.words import show_time
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_sharing import Street
from tests.support.market import TERMS_FILE
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
            "추정: 좋아하실 것이라는 것은 추측입니다." in shown
            and "--off discovery" in shown
            and "분의 가치 = " in shown
            and "    trust 0.8, relevance " in shown
            and "  할 수 있는 일: look, item milk\n" in shown
        )
        assert "what you can do" not in shown and "to stop this kind" not in shown
        assert "milk" in fan.run("wallet", "recommendations", program)
        assert fan.read("wallet", "feedback", program, found["id"], "opened")["result"] == "taken"
        assert fan.read("wallet", "feedback", program, found["id"], "opened")["result"] == "repeated"
        assert "unknown" in fan.run("wallet", "feedback", program, "5f" * 32, "opened", expect=1)
        assert fan.read("wallet", "preferences", program, "--off", "discovery")["off"] == ["discovery"]
        assert fan.read("wallet", "messages", program) == []
        assert "지금은 안내가 없습니다." in fan.hear("wallet", "messages", program)
        assert "21:30-07:05" in fan.run("wallet", "preferences", program, "--quiet", "21:30-7:05")
        assert "preference.topic" in fan.fail("wallet", "preferences", program, "--off", "recal")
        assert "--purpose contact" in fan.hear("wallet", "preferences", program, "--channel", "webhook")
        assert fan.read("wallet", "preferences", program, "--channel", "stream")["channel"] == "stream"
        assert fan.read("wallet", "preferences", program, "--on", "discovery")["language"] == "ko"
        assert "--quiet" in fan.fail("wallet", "preferences", program, "--quiet", "9-25", expect=2)


def test_all_that_a_fan_reads_around_it_is_in_both_languages() -> None:
    for name, (english, korean) in WORDS.items():
        assert english.isascii() and any("가" <= letter <= "힣" for letter in korean), name
        fields = [field for _, field, _, _ in string.Formatter().parse(english) if field]
        assert fields == [field for _, field, _, _ in string.Formatter().parse(korean) if field], name


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
        assert "profile reset" in fan.fail("wallet", "profile", "correct", program, expect=2)
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
        assert "fewer than 10 fans" in brand.hear("brand", "plan", program, "discovery")
        assert brand.read("brand", "plan", program, "discovery", "--points", "5", "--budget", "50")["reach"] is None
        assert brand.read("brand", "message-report", program)["topics"] == []
        assert "plan.topic" in brand.fail("brand", "plan", program, "weather")
        wrong = brand.home / "wrong.json"
        wrong.write_text("[1]")
        assert "cli.bad_file" in brand.fail("brand", "products", program, wrong, expect=2)
        assert "product.zone" in brand.fail("brand", "products", program, publish(street, zone="Mars/Base"))
        empty = street.till.home / "empty.json"
        empty.write_text('{"products": []}')
        refused = brand.fail("brand", "products", program, empty)
        assert "product.none" in refused and "fansumer brand drop-products" in refused
        added = brand.read("brand", "products", program, publish(street, zone="Europe/Berlin"), "--add")
        assert added["zone"] == "Europe/Berlin"
        refused = brand.fail("brand", "webhook", "add", program, "https://127.0.0.1/hook")
        assert "webhook.not_public" in refused
        made = brand.read("brand", "webhook", "add", program, "https://1.1.1.1/hook")
        assert made["secret"].startswith("whsec_")
        assert [one["id"] for one in brand.read("brand", "webhook", "list", program)] == [made["id"]]
        assert brand.read("brand", "webhook", "drop", program, made["id"])["dropped"] is True
        assert "webhook.id_format" in brand.fail("brand", "webhook", "drop", program, "3e", expect=2)
        assert "WEBHOOK" in brand.fail("brand", "webhook", "drop", program, "xyz", expect=2)
        assert "program.not_yours" in street.fan.fail("brand", "segments", program)


def test_a_brand_plans_offers_and_its_fan_fetches_them(
    street: Street, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Groups of one are told here, so that one fan at its terminal is enough."""
    for module in (groups, offer_plans, offer_report):
        monkeypatch.setattr(module, "GROUP_MIN", 1)
    monkeypatch.setattr(groups, "GROUP_STEP", 1)
    brand, fan, program = street.partner, street.fan, street.program
    terms = brand.home / "better.toml"
    terms.write_text(TERMS_FILE.replace("offer_day_max = 0 ", "offer_day_max = 30 "))
    brand.run("brand", "update", program, terms)
    street.buy()
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    plan = ("brand", "offers", "plan", program)
    with street.now():
        brand.read("brand", "products", program, publish(street))
        assert "one budget" in brand.fail(*plan, "discovery", "--points", "20", expect=2)
        assert "weather" in brand.fail(*plan, "weather", "--points", "20", "--budget", "100", expect=2)
        assert "plan.fan_cap" in brand.fail(*plan, "discovery", "--points", "20", "--budget", "100", "--fan-max", "9")
        assert "plan.no_point_value" in brand.fail(*plan, "discovery", "--points", "20", "--budget-cents", "100")
        assert "program.not_yours" in fan.fail(*plan, "discovery", "--points", "20", "--budget", "100")
        made = brand.read(*plan, "discovery", "--points", "20", "--budget", "100", "--days", "3")
        assert (made["reach"], made["promised_points"], made["segment_fans"]) == (1, 20, 1)
        assert fan.read("wallet", "offers", "fetch", program, "--out", tmp_path / "none") == []
        assert "no open offers" in fan.hear("wallet", "offers", "fetch", program, "--out", tmp_path / "none")
        issued = brand.read("brand", "offers", "issue-plan", program, made["plan"])
        assert (issued["proposed"], issued["issued"], issued["points"], issued["skipped"]) == (1, 1, 20, [])
    with street.now():
        again = brand.read("brand", "offers", "issue-plan", program, made["plan"])
        assert (again["proposed"], again["issued"]) == (1, 0), "nothing is promised twice"
        (row,) = fan.read("wallet", "offers", "fetch", program, "--out", tmp_path / "offers")
        assert row["goal"] == "discovery" and "with something of: dairy" in row["asks_for"]
        assert "Milk" in row["says"] and "Milk" in fan.run("wallet", "messages", program, "--why")
        shown = fan.read("wallet", "offers", "show", row["file"])
        assert (shown["status"], shown["is_yours"]) == ("open", True)
        report = brand.read("brand", "offers", "report", program, made["plan"])
        assert (report["issued"], report["cited"], report["promised_points"]) == (1, 0, 20)
        assert "discovery" in brand.run("brand", "offers", "plans", program)
        second = brand.read(*plan, "discovery", "--points", "20", "--budget", "100", "--fan-max", "40")
        assert second["left_out"]["equal_offer"] == 1 and second["reach"] is None
        assert "plan.unknown" in brand.fail("brand", "offers", "report", program, "ab" * 16)
        assert "plan.id_format" in brand.fail("brand", "offers", "issue-plan", program, "../..", expect=2)


def test_what_a_days_budget_refuses_is_said_and_left_for_later(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (groups, offer_plans, offer_report):
        monkeypatch.setattr(module, "GROUP_MIN", 1)
    monkeypatch.setattr(groups, "GROUP_STEP", 1)
    brand, fan, program = street.partner, street.fan, street.program
    street.buy()
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    with street.now():
        brand.read("brand", "products", program, publish(street))
        made = brand.read("brand", "offers", "plan", program, "discovery", "--points", "20", "--budget", "100")
        left = brand.read("brand", "offers", "issue-plan", program, made["plan"], expect=1)
        assert (left["proposed"], left["issued"]) == (1, 0)
        assert [row["code"] for row in left["skipped"]] == ["offer.day_cap"]
        assert "1 of 1 offers were not issued" in brand.fail("brand", "offers", "issue-plan", program, made["plan"])


def test_a_long_feed_goes_in_parts_and_is_counted_whole(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_calls, "FEED_MAX", 2)
    brand, program = street.partner, street.program
    with street.now():
        taken = brand.read("brand", "products", program, publish(street, zone="Asia/Seoul"))
        assert (taken["products"], taken["new"], taken["zone"]) == (5, 5, "Asia/Seoul")
        monkeypatch.setattr(insights, "FEED_BYTES_MAX", 20)
        assert "cli.file_too_large" in brand.fail("brand", "products", program, publish(street), expect=2)


def test_a_feed_is_taken_down_only_if_that_is_meant(street: Street) -> None:
    brand, drop = street.partner, ("brand", "drop-products", street.program)
    with street.now():
        brand.read("brand", "products", street.program, publish(street))
        brand.run(*drop, input="n\n", expect=1)
        assert brand.read(*drop, "--yes")["dropped"] == 5
        assert brand.read(*drop, "--yes")["dropped"] == 0


def test_what_a_brand_types_wrong_is_said_before_its_node_is_asked(street: Street) -> None:
    brand, program = street.partner, street.program
    with street.now():
        assert "'growing'" in brand.fail("brand", "plan", program, "discovery", "--stage", "growin", expect=2)
        offers = ("brand", "offers", "plan", program, "discovery", "--points", "5", "--budget", "50")
        assert "'ko'" in brand.fail(*offers, "--language", "fr", expect=2)
        assert "https://" in brand.fail("brand", "webhook", "add", program, "shop.example", expect=2)
        assert "webhook.not_public" in brand.fail("brand", "webhook", "add", program, "http://10.0.0.1/")
        assert "webhook.id_format" in brand.fail("brand", "webhook", "drop", program, "ab", expect=2)
        assert show_time(street.node.chain.clock.now()) in brand.run("brand", "segments", program)
