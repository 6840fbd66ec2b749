"""What commands say beside their answer: warnings about keys without a grant, why points are carried on, what to type next."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import api.http.problems
from api.cli.output import COMMANDS, report_fault
from api.demo import replay
from api.wallet.client import Client
from api.wallet.errors import ClientProblem, Unreachable
from ledger.errors import Code, all_codes
from ledger.genesis import make_genesis
from ledger.registry import KINDS
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


def main_address(terminal: Terminal) -> str:
    return next(row["address"] for row in terminal.read("wallet", "addresses") if row["account"] == "main 0")


def test_a_key_without_the_scope_is_warned(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    assert "warning" not in till.hear("brand", "invite", program)
    heard = fan.hear("brand", "invite", program)
    assert "scope enrol" in heard and "will not be able to enrol" in heard
    assert f"brand grant-issuer {program} {main_address(fan)} --scopes enrol" in heard
    receipt = fan.home / "own.bin"
    sign = ("brand", "sign-receipt", program, "--member", member, "--net-cents", 1_999, "--out", receipt)
    heard = fan.hear(*sign, "--time", node.client.chain()["time"])
    assert "holds no live grant" in heard and "scope till" in heard
    assert "nobody has to settle" in fan.hear("wallet", "receipts", "check", receipt)
    shown = fan.read("wallet", "receipts", "check", receipt)
    assert shown["till_granted"] is False
    assert (shown["member"], shown["till"]) == (member, main_address(fan))


def test_a_granted_till_is_not_warned_and_a_revoked_one_is(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    receipt = buy(till, program, member, 1_999, node)
    assert fan.read("wallet", "receipts", "check", receipt)["till_granted"] is True
    assert "warning" not in fan.hear("wallet", "receipts", "check", receipt)
    owner.run("brand", "revoke-issuer", program, main_address(till))
    node.mine(3)
    assert "holds no live grant" in till.hear("brand", "invite", program)
    assert fan.read("wallet", "receipts", "check", receipt)["till_granted"] is True, "it held the grant when it signed"
    later = buy(till, program, member, 1_999, node)
    assert fan.read("wallet", "receipts", "check", later)["till_granted"] is False


def test_what_could_not_be_checked_is_said(
    node: WalletNode, terminal_of: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    receipt = buy(till, program, enrol(till, fan, program), 1_999, node)
    chain_id = make_genesis(node.chain.params).chain_id.hex()
    offline = ("wallet", "receipts", "check", receipt, "--chain-id", chain_id)
    assert "Not checked: whether the program lets this till sign" in fan.hear(*offline)
    assert fan.read(*offline)["till_granted"] is None
    assert len(fan.read(*offline)["member"]) == 64
    assert fan.read(*offline, "--prefix", "fsim")["member"].startswith("fsim1")

    def fail(*_: object, **__: object) -> None:
        raise Unreachable("client.unreachable", "no node answers")

    monkeypatch.setattr(Client, "issuers", fail)
    heard = till.hear("brand", "invite", program)
    assert "could not be checked: no node answers" in heard
    assert "could not be checked: no node answers" in fan.hear("wallet", "receipts", "check", receipt)
    assert fan.read("wallet", "receipts", "check", receipt)["till_granted"] is None


def test_carried_points_are_explained_where_they_are_missed(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    assert "carried" not in fan.hear("wallet", "balance")
    member = enrol(till, fan, program)
    receipt = buy(till, program, member, 1_999, node)
    assert "carried to a later entry" in fan.hear("wallet", "receipts", "check", receipt)
    settled = till.read("brand", "settle", program, till.home / "receipts")
    (opening,) = Path(settled["openings"]).iterdir()
    shown = fan.read("wallet", "receipts", "check", receipt, "--opening", opening)
    assert shown["points"] == shown["entry_receipt_points"] == shown["entry_points"] + shown["carried_after"]
    assert f"= {settled['points']};" in shown["explanation"]
    assert "explanation" in fan.run("wallet", "receipts", "check", receipt, "--opening", opening)
    assert "Nothing is lost" in fan.hear("wallet", "balance")
    assert "Nothing is lost" in fan.hear("wallet", "history", "--program", program)
    assert "Nothing is lost" not in fan.hear("wallet", "history")
    assert "learns that they belong together" in " ".join(fan.run("wallet", "balance", "--help").split())


def test_refusals_name_accounts_as_people_write_them(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    (row,) = [row for row in fan.read("wallet", "addresses") if row["account"] == program]
    error = fan.fail("wallet", "leave", program)
    assert "member.unknown" in error and row["address"] in error
    error = owner.fail("brand", "revoke-issuer", program, main_address(owner))
    assert "issuer.not_granted" in error and main_address(owner) in error
    error = owner.fail("wallet", "send", row["address"], 5)
    assert "transfer.below_minimum" in error and row["address"] in error


def test_advice_at_a_terminal_names_commands(node: WalletNode, terminal_of: Opens) -> None:
    owner = terminal_of("owner")
    assert "`fansumer chain programs` lists them" in owner.fail("chain", "program", "5f" * 32)
    assert "`fansumer chain campaigns` lists them" in owner.fail("creator", "status", "5f" * 32)
    assert "`fansumer chain blocks` lists them" in owner.fail("chain", "block", "77")


@pytest.mark.parametrize("code", [code for code in all_codes() if "/v1/" in code.advice], ids=lambda code: code.name)
def test_no_advice_at_a_terminal_is_a_request(code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    assert api.http.problems.NO_BLOCK.name in Code.catalogue
    report_fault(ClientProblem(code.name, "as the node said", code.advice))
    assert "/v1/" not in capsys.readouterr().err


def test_a_replay_goes_to_the_folder_of_the_persons_data(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    class Recorder:
        def __init__(self, folder: Path, *_: object) -> None:
            folders.append(folder)

        def run(self) -> None:
            raise replay.ReplayError(replay.FOLDER_IN_USE, folder="seen")

    monkeypatch.setattr(replay, "Driver", Recorder)
    terminal.fail("demo", "replay", "--weeks", 1, "--as-of", "2026-01-07")
    terminal.fail("demo", "replay", "--weeks", 1, "--as-of", "2026-01-07", "--folder", tmp_path / "named")
    assert folders == [terminal.home / "replay-1767744000", tmp_path / "named"]


def test_advice_names_no_field_since_nothing_fills_it_in() -> None:
    assert [code.name for code in all_codes() if re.search(r"\{\w+(:\w+)?\}", code.advice)] == []


def test_every_transaction_that_advice_names_has_a_command() -> None:
    named = {word for code in all_codes() for word in re.findall(r"`([a-z_.]+)`", code.advice)} & set(KINDS)
    assert named - set(COMMANDS) == set()


def test_a_noun_behind_a_number_is_named_in_the_singular() -> None:
    plural = [code.name for code in all_codes() if re.search(r"\{\w+:(?!time)\w+s\}", code.text)]
    assert plural == [], "the message adds the s itself"
