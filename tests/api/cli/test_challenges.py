"""Challenges, as a brand and its fans type it, at a node in this process."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


def date_after(node: WalletNode, days: int, program: str) -> str:
    """A date so many of the program's days from today."""
    offset = node.client.program(bytes.fromhex(program))["offset_minutes"]
    now = datetime.fromtimestamp(int(node.client.chain()["time"]) + 60 * offset, UTC)
    return (now + timedelta(days=days)).date().isoformat()


def create(owner: Terminal, node: WalletNode, program: str, *goal: object, days: int = 7, **options: object) -> str:
    """A challenge of a week that begins today; returns its id."""
    given = {"reward": 100, "budget": 1_000, "basket-min-cents": 500, "grace-days": 2, **options}
    named = [item for name, value in given.items() for item in (f"--{name.replace('_', '-')}", value)]
    until = ("--from", date_after(node, 0, program), "--until", date_after(node, days - 1, program))
    return owner.read("brand", "challenge", "create", program, "A goal", *goal, *named, *until)["challenge"]


@pytest.fixture
def people(terminal_of: Opens) -> tuple[Terminal, Terminal, Terminal]:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    return owner, till, fan


def test_the_shop_finds_who_has_reached_what(node: WalletNode, people: tuple[Terminal, Terminal, Terminal]) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    which = create(owner, node, program, "--visits", 2)
    buy(till, program, member, 1_000, node)
    buy(till, program, member, 499, node)
    receipts = till.home / "receipts"
    (row,) = fan.read("wallet", "challenges", "--program", program, "--receipts", receipts)
    assert (row["progress"], row["missing"], row["state"]) == ("1 of 2", "1", "under way")
    nothing = till.read("brand", "challenge", "complete", program, receipts)
    assert (nothing["completed"], nothing["points"], nothing["entries"]) == (0, 0, [])
    buy(till, program, member, 700, node)
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert (row["progress"], row["missing"], row["state"]) == ("2 of 2", "", "reached: the shop completes it")
    tried = till.read("brand", "challenge", "complete", program, receipts, "--dry-run")
    assert [entry["code"] for entry in tried["entries"]] == ["dry run"]
    done = till.read("brand", "challenge", "complete", program, receipts, "--challenge", which)
    assert (done["completed"], done["points"]) == (1, 100)
    assert (done["entries"][0]["member"], done["entries"][0]["code"]) == (member, "completed")
    assert till.read("brand", "challenge", "complete", program, receipts)["completed"] == 0
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert row["state"] == "credited" and row["available_on"] >= date_after(node, 0, program)
    (listed,) = owner.read("brand", "challenge", "list", program)
    assert (listed["left"], listed["given"]) == (900, 100)
    shown = owner.run("brand", "challenge", "list", program)
    assert "2 visits, each of at least 5.00" in shown and "900" in shown
    assert "credited" in fan.run("wallet", "challenges", "--receipts", receipts)
    assert "already" in fan.fail("wallet", "challenges", "contest", which, "--receipts", receipts, "--yes")


def test_a_fan_contests_what_the_shop_forgot(node: WalletNode, people: tuple[Terminal, Terminal, Terminal]) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    which = create(owner, node, program, "--spend-cents", 3_000)
    receipts = till.home / "receipts"
    receipts.mkdir(parents=True)
    none = fan.fail("wallet", "challenges", "contest", which, "--receipts", receipts, "--yes")
    assert "challenge.not_reached_yet" in none and "0 of 3000" in none
    for cents in (1_000, 1_500, 600):
        buy(till, program, member, cents, node)
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert (row["progress"], row["done"], row["wanted"]) == ("31.00 of 30.00", 3_100, 3_000)
    early = fan.fail("wallet", "challenges", "contest", which, "--receipts", receipts, "--yes")
    assert "challenge.too_early" in early and "the shop has until 2026-" in early
    node.chain.advance(days=10)
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert row["state"] == "reached: contest it"
    said = fan.fail("wallet", "challenges", "contest", which, "--receipts", receipts, input="n\n")
    assert "public for ever" in said and "15.00, 0.00 of it with points" in said
    sent = fan.read("wallet", "challenges", "contest", which, "--receipts", receipts, "--yes")
    assert (sent["state"], sent["points"], sent["occurrence"]) == ("credited", 100, 0)
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert row["state"] == "contested and credited"
    again = fan.fail("wallet", "challenges", "contest", which, "--receipts", receipts, "--occurrence", 0, "--yes")
    assert "challenge.completed" in again


def test_goods_that_went_back(node: WalletNode, people: tuple[Terminal, Terminal, Terminal], tmp_path: Path) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    create(owner, node, program, "--visits", 2)
    first, second = (buy(till, program, member, cents, node) for cents in (1_000, 2_000))
    receipts = till.home / "receipts"
    assert till.read("brand", "challenge", "complete", program, receipts)["completed"] == 1
    draft, back = till.home / "draft.bin", tmp_path / "return.bin"
    till.run("brand", "returns", "draft", second, "--out", draft)
    fan.run("wallet", "sign-return", draft, "--out", back, "--yes")
    other = till.fail("brand", "challenge", "reverse", program, back, "--evidence", tmp_path / "nowhere")
    assert "challenge.no_completion" in other
    taken = till.read("brand", "challenge", "reverse", program, back)
    assert (taken["reversed"], taken["completions"][0]["points"]) == (1, 100)
    assert "challenge.no_completion" in till.fail("brand", "challenge", "reverse", program, back)
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert (row["progress"], row["state"]) == ("1 of 2", "taken back, and under way")
    assert till.read("brand", "challenge", "complete", program, receipts)["completed"] == 0
    buy(till, program, member, 900, node)
    assert till.read("brand", "challenge", "complete", program, receipts)["completed"] == 1
    assert first.exists()


def test_a_purchase_that_was_returned_on_the_chain_counts_no_more(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], tmp_path: Path
) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    which = create(owner, node, program, "--visits", 2)
    second = [buy(till, program, member, cents, node) for cents in (1_000, 2_000)][1]
    receipts = till.home / "receipts"
    till.run("brand", "settle", program, receipts, "--last")
    draft, back = till.home / "draft.bin", tmp_path / "return.bin"
    till.run("brand", "returns", "draft", second, "--out", draft)
    fan.run("wallet", "sign-return", draft, "--out", back, "--yes")
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert row["progress"] == "2 of 2", "a return that was not posted is not known to others"
    till.run("brand", "returns", "post", program, back)
    (row,) = fan.read("wallet", "challenges", "--receipts", receipts)
    assert (row["progress"], row["missing"], row["state"]) == ("1 of 2", "1", "under way")
    done = till.read("brand", "challenge", "complete", program, receipts)
    assert (done["completed"], done["entries"], done["returned"]) == (0, [], 1)
    contest = fan.fail("wallet", "challenges", "contest", which, "--receipts", receipts, "--yes")
    assert "challenge.not_reached_yet" in contest and "1 of 2" in contest
    buy(till, program, member, 900, node)
    assert till.read("brand", "challenge", "complete", program, receipts)["completed"] == 1


def test_a_challenge_that_has_not_begun(node: WalletNode, people: tuple[Terminal, Terminal, Terminal]) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    enrol(till, fan, program)
    days = ("--from", date_after(node, 3, program), "--until", date_after(node, 16, program), "--every-days", 7)
    gives = ("--reward", 5, "--budget", 50, "--visits", 1, "--times", 1)
    owner.run("brand", "challenge", "create", program, "Soon", *gives, *days)
    (row,) = fan.read("wallet", "challenges", "--receipts", fan.home)
    assert (row["state"], row["occurrence"], row["missing"]) == ("has not begun", 0, "1")
    node.chain.advance(days=40)
    (row,) = fan.read("wallet", "challenges", "--receipts", fan.home)
    assert (row["state"], row["occurrence"]) == ("not reached", 1)
    node.chain.advance(days=20)
    (row,) = fan.read("wallet", "challenges", "--receipts", fan.home)
    assert row["state"] == "over"
    assert "challenge.unknown" in till.fail(
        "brand", "challenge", "complete", program, fan.home, "--challenge", "5f" * 32
    )


def test_progress_without_a_node(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    create(owner, node, program, "--code", "milk", "--code", "bread")
    buy(till, program, member, 1_000, node)
    listed, mine = fan.home / "challenges.json", fan.home / "receipts"
    listed.write_text(json.dumps(owner.read("brand", "challenge", "list", program)))
    copytree(till.home / "receipts", mine)
    monkeypatch.setattr("api.cli.session.connect", None)
    (row,) = fan.read("wallet", "challenges", "--receipts", mine, "--offline", listed)
    assert (row["progress"], row["missing"], row["state"]) == ("0 of 2", "bread, milk", "not reached")
    assert "--receipts" in fan.fail("wallet", "challenges", "--offline", listed, expect=2)
    listed.write_text("[{}]")
    assert "cli.bad_file" in fan.fail("wallet", "challenges", "--receipts", mine, "--offline", listed)


@pytest.mark.usefixtures("no_node")
def test_what_is_typed_wrong(terminal: Terminal) -> None:
    days = ("--from", "2027-01-04", "--until", "2027-01-10")
    gives = ("--reward", 1, "--budget", 10)
    make = ("brand", "challenge", "create", "5f" * 32, "x")
    assert "one goal" in terminal.fail(*make, *gives, *days, expect=2)
    assert "one goal" in terminal.fail(*make, *gives, *days, "--visits", 1, "--code", "a", expect=2)
    assert "1 to 32 bytes" in terminal.fail(*make, *gives, *days, "--code", "x" * 33, expect=2)
    assert "3 earlier or 1 later" in terminal.fail(*make, *gives, *days, "--visits", 1, "--every-days", 4, expect=2)
    back = ("--from", "2027-01-04", "--until", "2027-01-03")
    assert "before --from" in terminal.fail(*make, *gives, *back, "--visits", 1, expect=2)
    year = ("--from", "2027-01-04", "--until", "2027-12-31")
    assert "--every-days" in terminal.fail(*make, *gives, *year, "--visits", 1, expect=2)
    long = ("--from", "2027-01-04", "--until", "2037-01-03")
    assert "1098" in terminal.fail(*make, *gives, *long, "--visits", 1, expect=2)
    early = ("--from", "1969-12-31", "--until", "1970-01-03")
    assert "1970" in terminal.fail(*make, *gives, *early, "--visits", 1, expect=2)
