"""A till's receipts as files: numbers that no fault burns, bad files that hold nobody up, numbers used twice."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli.receipt import read_receipt
from api.till import first_visit
from api.till.symbol import receipt_text
from api.wallet.errors import ClientProblem, Unreachable
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


@pytest.fixture
def shop(node: WalletNode, terminal_of: Opens) -> tuple[Terminal, Terminal, str, str]:
    """Till, fan, program, the fan's address."""
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    return till, fan, program, enrol(till, fan, program)


Shop = tuple[Terminal, Terminal, str, str]


def sign_words(shop: Shop, node: WalletNode, out: Path, cents: int = 1_000) -> tuple[object, ...]:
    _, _, program, member = shop
    sign = ("brand", "sign-receipt", program, "--member", member, "--net-cents", cents, "--out", out)
    return (*sign, "--time", node.client.chain()["time"])


def test_an_out_that_cannot_be_written_burns_no_number(node: WalletNode, shop: Shop, tmp_path: Path) -> None:
    till = shop[0]
    file = tmp_path / "file"
    file.write_text("")
    error = till.fail(*sign_words(shop, node, file / "1.bin"), expect=2)
    assert "cli.receipt_kept" in error and "number 0" in error
    (kept,) = (till.home / "tills").glob("*.receipt")
    assert str(kept) in error and read_receipt(kept).receipt.sequence == 0
    good = till.home / "receipts" / "2.bin"
    assert till.read(*sign_words(shop, node, good))["sequence"] == 1
    kept.rename(good.with_name("1.bin"))
    assert till.read(*sign_words(shop, node, good.with_name("3.bin")))["sequence"] == 2
    assert till.read("brand", "settle", shop[2], good.parent, "--last")["points"] == 300
    assert list((till.home / "tills").glob("*.receipt")) == []


def test_a_bad_file_is_named_and_the_others_are_settled(node: WalletNode, shop: Shop) -> None:
    till, fan, program, member = shop
    receipts = buy(till, program, member, 1_000, node).parent
    buy(till, program, member, 2_000, node)
    (receipts / "9.bin").write_bytes(b"\x93")
    (receipts / "note.txt").write_text("lines of Monday")
    forged = bytearray((receipts / "0.bin").read_bytes())
    forged[-1] ^= 1
    (receipts / "0-forged.bin").write_bytes(forged)
    fan.run(*sign_words(shop, node, receipts / "fans-own.bin", 10**6))
    shown = json.loads(till.run("brand", "settle", program, receipts, "--last", "--json", expect=1))
    assert (shown["points"], shown["entries"]) == (300, 1)
    assert {row["file"]: row["code"] for row in shown["bad_files"]} == {
        "9.bin": "cli.bad_file",
        "note.txt": "cli.bad_file",
        "0-forged.bin": "settlement.foreign_receipt",
        "fans-own.bin": "settlement.foreign_receipt",
    }
    heard = till.fail("brand", "settle", program, receipts, "--last")
    assert "left out: fans-own.bin: " in heard and "(settlement.foreign_receipt)" in heard
    for name in ("9.bin", "note.txt", "0-forged.bin", "fans-own.bin"):
        (receipts / name).unlink()
    assert till.read("brand", "settle", program, receipts, "--last")["bad_files"] == []


def lose_counter(till: Terminal) -> None:
    """As on another computer, or after a restored backup: nothing there knows which numbers are used."""
    (counter,) = till.home.rglob("*.sequence")
    counter.unlink()


def test_a_number_used_twice_is_noticed_when_the_first_receipt_is_long_gone(
    node: WalletNode, shop: Shop, tmp_path: Path
) -> None:
    till, _, program, _ = shop
    folder = till.home / "receipts"
    till.run(*sign_words(shop, node, folder / "a.bin"), "--sequence", 7)
    assert till.read("brand", "settle", program, folder, "--last")["points"] == 100
    (folder / "a.bin").rename(tmp_path / "archive.bin")
    assert "sequence.taken" in till.fail(*sign_words(shop, node, folder / "b.bin", 2_000), "--sequence", 7)
    assert not (folder / "b.bin").exists()
    lose_counter(till)
    till.run(*sign_words(shop, node, folder / "b.bin", 2_000), "--sequence", 7)
    till.run(*sign_words(shop, node, folder / "c.bin", 3_000), "--sequence", 8)
    heard = till.fail("brand", "settle", program, folder, "--last")
    assert "left out: b.bin" in heard and "settlement.number_used" in heard
    (tmp_path / "archive.bin").rename(folder / "a.bin")
    heard = till.fail("brand", "settle", program, folder, "--last")
    assert "a.bin" not in heard and "b.bin" in heard
    till.run(*sign_words(shop, node, folder / "d.bin", 4_000), "--sequence", 9)
    lose_counter(till)
    till.run(*sign_words(shop, node, folder / "e.bin", 5_000), "--sequence", 9)
    heard = till.fail("brand", "settle", program, folder, "--last")
    assert "d.bin" in heard and "e.bin" in heard, "nobody knows yet which of them counts"
    (folder / "e.bin").unlink()
    (folder / "b.bin").unlink()
    assert till.read("brand", "settle", program, folder, "--last")["points"] == 400


def test_a_receipt_is_read_from_the_text_of_its_code(node: WalletNode, shop: Shop, tmp_path: Path) -> None:
    till, fan, program, member = shop
    receipt = buy(till, program, member, 4_260, node)
    scanned = tmp_path / "scanned.txt"
    scanned.write_text(receipt_text(receipt.read_bytes()) + "\n")
    assert fan.read("wallet", "receipts", "check", scanned) == fan.read("wallet", "receipts", "check", receipt)
    scanned.write_text(receipt_text(b"\x93"))
    assert "cli.bad_file" in fan.fail("wallet", "receipts", "check", scanned)


@pytest.mark.usefixtures("no_node")
def test_what_till_serve_and_export_refuse(terminal_of: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def visit(*_: object) -> object:
        raise Unreachable("client.unreachable", "no node answers")

    monkeypatch.setattr(first_visit, "visit_node", visit)
    till = terminal_of("till")
    serve = ("till", "serve", "--program")
    assert "64" in till.fail(*serve, "abc", expect=2)
    assert "--settle" in till.fail(*serve, "5f" * 32, "--settle-account", 1, expect=2)
    said = till.fail(*serve, "5f" * 32, "--host", "0.0.0.0")
    assert "till.not_loopback" in said and "could not be checked" in said

    def unknown(*_: object) -> object:
        raise ClientProblem("program.unknown", "there is no program", status=404)

    monkeypatch.setattr(first_visit, "visit_node", unknown)
    assert "program.unknown" in till.fail(*serve, "5f" * 32)
    assert not (till.home / "tills").exists(), "a till that does not start takes no numbers over"
    assert "cli.file_failed" in till.fail("till", "export", tmp_path, "--data-dir", tmp_path, expect=2)


def test_a_visit_that_the_fans_receipts_contradict(node: WalletNode, shop: Shop, tmp_path: Path) -> None:
    till, fan, _, _ = shop
    folder = tmp_path / "mine"
    now = int(node.client.chain()["time"])
    till.run(*sign_words(shop, node, folder / "a.bin"))
    till.run(*sign_words(shop, node, folder / "b.bin", 2_000), "--previous-visit", now)
    check = ("wallet", "receipts", "check", folder / "b.bin", "--receipts", folder)
    assert fan.read(*check)["visit_contradicted"] is False
    (folder / "note.txt").write_text("lines of Monday")
    till.run(*sign_words(shop, node, folder / "c.bin", 3_000), "--previous-visit", now - 60)
    answer = fan.run("wallet", "receipts", "check", folder / "c.bin", "--receipts", folder, "--json")
    assert json.loads(answer)["visit_contradicted"] is True
    assert "cli.file_failed" in fan.fail(*check[:-1], tmp_path / "nowhere", expect=2)
