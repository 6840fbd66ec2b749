"""Receipts and events from a terminal: a till hands over, the fan lists, shows, saves and erases, and anybody watches."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import time_machine

from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


@pytest.fixture(autouse=True)
def the_chains_time(node: WalletNode) -> Iterator[None]:
    """Wallets sign requests by their own clock: here the chain's."""
    with time_machine.travel(node.chain.time + 400, tick=False):
        yield


def test_receipts_of_a_fan(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    lines, file = tmp_path / "lines.json", till.home / "receipts" / "1.bin"
    lines.write_text(json.dumps([["Bread", 2, 498], ["Coffee", 1, 649]]))
    now = node.client.chain()["time"]
    node.chain.clock.set(now)
    with time_machine.travel(now, tick=False):
        sign = ("brand", "sign-receipt", program, "--member", member, "--net-cents", 1_147, "--time", now)
        shown = till.read(*sign, "--out", file, "--lines", lines, "--hand-over")
        assert shown["handed_over"] is True
        assert till.read("brand", "hand-over", file, "--lines", lines) == {"id": shown["receipt"], "is_new": False}
        assert "receipt.wrong_lines" in till.fail("brand", "hand-over", file)
        (item,) = fan.read("wallet", "receipts", "list", program)
        assert (item["id"], item["net_cents"]) == (shown["receipt"], 1_147)
        assert shown["receipt"] in fan.run("wallet", "receipts", "list", program)
        assert fan.read("wallet", "receipts", "list", program, "--period", item["period"] + 1) == []
        saved = fan.home / "receipt.bin"
        one = fan.read("wallet", "receipts", "show", program, item["id"], "--out", saved)
        assert one["lines"] == [["Bread", 2, 498], ["Coffee", 1, 649]] and saved.read_bytes() == file.read_bytes()
        assert "Bread" in fan.run("wallet", "receipts", "show", program, item["id"])
        assert fan.read("wallet", "receipts", "check", saved)["points"] == 114
        assert till.read("wallet", "receipts", "list", program) == []
        assert fan.read("wallet", "receipts", "erase", program, item["id"]) == {"erased": 1}
        assert fan.read("wallet", "receipts", "erase", program, "--all") == {"erased": 0}
        assert "receipt.erased" in till.fail("brand", "hand-over", file, "--lines", lines)
        assert "receipt.unknown" in fan.fail("wallet", "receipts", "show", program, item["id"])
        fan.fail("wallet", "receipts", "erase", program, expect=2)
        fan.fail("wallet", "receipts", "erase", program, item["id"], "--all", expect=2)
    assert till.read("brand", "settle", program, till.home / "receipts", "--last")["points"] == 114


def test_a_wrong_clock_is_explained(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    with time_machine.travel(node.chain.clock.now() + 3_600, tick=False):
        error = fan.fail("wallet", "receipts", "list", program)
    assert "signature.expired" in error and "clock" in error


@pytest.mark.parametrize(("text", "code"), [("{", "cli.bad_file"), ("{}", "cli.bad_file"), ("[1.5]", "cli.bad_file")])
def test_lines_that_are_none(terminal: Terminal, tmp_path: Path, text: str, code: str, no_node: None) -> None:
    file, receipt = tmp_path / "lines.json", tmp_path / "receipt.bin"
    file.write_text(text)
    receipt.write_bytes(b"\x93")
    assert "cli.bad_file" in terminal.fail("brand", "hand-over", receipt, "--lines", file)


def test_a_program_that_does_not_exist_is_no_empty_list(node: WalletNode, terminal_of: Opens) -> None:
    fan = terminal_of("fan")
    for command in (("wallet", "receipts", "list"), ("wallet", "contests")):
        assert "program.unknown" in fan.fail(*command, "5f" * 32)


def test_a_till_is_warned_about_what_nobody_will_settle(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    rows = fan.read("wallet", "addresses", "--program", program)
    (stranger,) = [row["address"] for row in rows if row["account"] == program]
    sign = ("brand", "sign-receipt", program, "--net-cents", 1_000, "--time", node.client.chain()["time"])
    assert f"{stranger} is no member" in till.hear(*sign, "--member", stranger, "--out", tmp_path / "1.bin")
    member = enrol(till, fan, program)
    assert "warning" not in till.hear(*sign, "--member", member, "--out", tmp_path / "2.bin")
    (address,) = [row["address"] for row in till.read("wallet", "addresses") if row["account"] == "main 0"]
    owner.run("brand", "grant-issuer", program, address, "--scopes", "till,enrol", "--daily-cap", 99)
    said = till.hear(*sign, "--member", member, "--out", tmp_path / "3.bin")
    assert f"gives 100 points, and the daily cap of {address} is 99" in said
    fan.run("wallet", "leave", program)
    assert "is no member" in till.hear(*sign, "--member", member, "--out", tmp_path / "4.bin")


def test_watching(node: WalletNode, terminal_of: Opens) -> None:
    owner, till = terminal_of("owner"), terminal_of("till")
    program = open_shop(owner, till)
    start = f"0:{node.client.block('0')['hash']}:0"
    lines = [
        json.loads(line) for line in owner.run("chain", "watch", "--after", start, "--count", 4, "--json").splitlines()
    ]
    assert [line["event"] for line in lines[:2]] == ["block.connected", "program.created"]
    assert lines[1]["data"]["program"] == program
    shown = owner.run("chain", "watch", "--after", start, "--count", 3, "--program", program)
    assert "block.connected" not in shown and "program.created" in shown and len(shown.splitlines()) == 3
    shown = owner.run("chain", "watch", "--after", start, "--count", 3, "--program", program, "--blocks")
    assert "block.connected" in shown and "program.created" in shown and len(shown.splitlines()) == 3
    shown = owner.run("chain", "watch", "--after", start, "--count", 2, "--no-blocks")
    assert "block.connected" not in shown and len(shown.splitlines()) == 2
    rest = owner.run("chain", "watch", "--after", lines[-1]["id"], "--count", 2)
    assert len(rest.splitlines()) == 2
    assert "events.position_format" in owner.fail("chain", "watch", "--after", "nonsense")
