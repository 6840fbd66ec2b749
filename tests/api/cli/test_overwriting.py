"""What a command writes never takes the place of somebody's other file, unless --force says so; of a wallet never."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from api.cli.file_kinds import DUMP, PROOF, REPORT, UNKNOWN, kind_of_file
from api.cli.session import write_file
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]
NOTES = b"what I must not forget\n"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Somebody's own file."""
    path = tmp_path / "notes.txt"
    path.write_bytes(NOTES)
    return path


def test_outputs_refuse_a_file_of_another_kind(node: WalletNode, terminal_of: Opens, notes: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots of the report are an extra")
    owner = terminal_of("owner")
    (row,) = owner.read("wallet", "addresses")
    node.mine()
    commands: list[tuple[tuple[object, ...], str]] = [
        (("proof", "account", row["address"], "--out"), PROOF),
        (("chain", "dump"), DUMP),
        (("audit", "verify", "http://node", "--html"), REPORT),
    ]
    for command, kind in commands:
        source = ("http://node",) if command == ("chain", "dump") else ()
        error = owner.fail(*command, notes, *source, expect=2)
        assert "cli.other_file" in error and "something else" in error and kind in error
        assert notes.read_bytes() == NOTES
        owner.run(*command, notes, *source, "--force")
        assert kind_of_file(notes) == kind
        owner.run(*command, notes, *source)  # one of its own kind is simply renewed
        notes.write_bytes(b"")
        owner.run(*command, notes, *source)
        notes.write_bytes(NOTES)


def test_compressed_dumps_are_dumps(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner = terminal_of("owner")
    for name in ("chain.dump", "chain.dump.gz", "chain.dump.xz"):
        for _ in range(2):
            owner.run("chain", "dump", tmp_path / name, "http://node")
        assert kind_of_file(tmp_path / name) == DUMP


def test_requests_invitations_and_receipts(node: WalletNode, terminal_of: Opens, notes: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    with time_machine.travel(node.chain.time + 400, tick=False):
        program = open_shop(owner, till)
        member = enrol(till, fan, program)
        invitation, request = till.home / "invitation.json", fan.home / "request.json"
        assert "fansumer-invitation" in fan.fail("wallet", "join", invitation, "--request", invitation, expect=2)
        assert "cli.other_file" in till.fail("brand", "invite", program, "--out", request, expect=2)
        assert "cli.other_file" in till.fail("brand", "invite", program, "--out", notes, expect=2)
        till.run("brand", "invite", program, "--out", notes, "--force")
        assert b"fansumer-invitation" in notes.read_bytes()
        till.run("brand", "invite", program, "--out", invitation)
        fan.run("wallet", "join", invitation, "--request", request)
        answer = fan.home / "answer.json"
        answer.write_text(
            json.dumps({"invitation": json.loads(invitation.read_text()), "qr": {"svg": "<svg>" + "x" * 20_000}})
        )
        of_answer = fan.home / "request_of_answer.json"
        fan.run("wallet", "join", answer, "--request", of_answer)
        assert b"fansumer-join-request" in of_answer.read_bytes(), "the till's whole answer is an invitation, too"
        answer.write_text(json.dumps({"invitation": "none"}))
        assert "enrolment.bad_invitation" in fan.fail("wallet", "join", answer)
        fan.run("wallet", "join", invitation, "--request", notes, "--force")
        now = node.client.chain()["time"]
        node.chain.clock.set(now)
        with time_machine.travel(now, tick=False):
            sign = ("brand", "sign-receipt", program, "--member", member, "--time", now, "--hand-over")
            till.run(*sign, "--net-cents", 1_000, "--out", till.home / "1.bin")
            till.run(*sign, "--net-cents", 2_000, "--out", till.home / "2.bin")
            saved = fan.home / "receipt.bin"
            first, second = (item["id"] for item in fan.read("wallet", "receipts", "list", program))
            show = ("wallet", "receipts", "show", program)
            fan.run(*show, first, "--out", saved)
            fan.run(*show, first, "--out", saved)
            error = fan.fail(*show, second, "--out", saved, expect=2)
            assert f"it is the receipt {first}, not the receipt {second}" in error
            fan.run(*show, second, "--out", saved, "--force")


def test_a_wallet_stays_whatever_is_forced(node: WalletNode, terminal_of: Opens) -> None:
    till = terminal_of("till")
    (row,) = till.read("wallet", "addresses")
    wallet = till.home / "wallet.json"
    before = wallet.read_bytes()
    for command in (("proof", "account", row["address"], "--out", wallet), ("chain", "dump", wallet, "http://node")):
        assert "never overwritten" in till.fail(*command, "--force", expect=2)
    assert wallet.read_bytes() == before


@pytest.mark.parametrize("data", [b"{", b"[1]", b'{"format": 7}', b'{"format": "other"}', b"<!DOCTYPE html><title>x"])
def test_what_is_not_ours_is_something_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert kind_of_file(path) == UNKNOWN


def test_a_folder_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"cli\.file_failed"):
        write_file(tmp_path, b"data")
