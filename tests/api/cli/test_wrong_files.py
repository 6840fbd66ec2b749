"""The wrong file: what it is, and what was wanted, instead of the words of a codec; and one rule for exit codes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli.file_kinds import describe_file
from api.cli.output import exit_code_of
from api.wallet.errors import ClientProblem, Unreachable, WalletError
from ledger.domains.challenges.state import NO_CHALLENGE
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


@pytest.fixture
def shop(node: WalletNode, terminal_of: Opens) -> tuple[Terminal, Terminal, str, Path]:
    """Till, fan, the program, and a receipt."""
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    return till, fan, program, buy(till, program, enrol(till, fan, program), 1_000, node)


def test_a_wrong_file_is_named_with_what_was_wanted(shop: tuple[Terminal, Terminal, str, Path]) -> None:
    till, fan, program, receipt = shop
    draft, request = till.home / "draft.bin", fan.home / "request.json"
    till.run("brand", "returns", "draft", receipt, "--out", draft)
    told = [
        fan.fail("wallet", "sign-return", receipt, "--out", fan.home / "x.bin", "--yes"),
        fan.fail("wallet", "receipts", "check", draft),
        fan.fail("wallet", "check-acceptance", receipt),
        fan.fail("wallet", "receipts", "check", request),
        till.fail("brand", "returns", "post", program, draft),
        fan.fail("proof", "check", receipt),
        till.fail("brand", "enrol", program, receipt, expect=2),
        till.fail("brand", "enrol", program, till.home / "invitation.json"),
        till.fail("brand", "rehearse", program, receipt, "--receipts", till.home / "receipts", expect=2),
    ]
    words = [
        "is no draft of a return: it is the receipt ",
        "is no receipt: it is the draft of a return",
        "is no acceptance: it is the receipt ",
        "is no receipt: it is a file of the format fansumer-join-request",
        "is no return that a fan signed: it is the draft of a return",
        "is no proof: it is the receipt ",
        "it is the receipt ",
        "its format is fansumer-invitation, not fansumer-join-request",
        "and a text is wanted here",
    ]
    for said, expected in zip(told, words, strict=True):
        assert expected in said and "codec." not in said and "shape." not in said, said
    signed = fan.home / "return.bin"
    fan.run("wallet", "sign-return", draft, "--out", signed, "--yes")
    assert "it is a return that a fan signed" in fan.fail(
        "wallet", "sign-return", signed, "--out", fan.home / "y", "--yes"
    )
    (till.home / "receipts" / "zz.bin").write_bytes(draft.read_bytes())
    (row,) = till.read("brand", "settle", program, till.home / "receipts", "--last", expect=1)["bad_files"]
    assert row["file"] == "zz.bin" and "it is the draft of a return" in row["reason"]


def test_openings_that_are_none_are_named(shop: tuple[Terminal, Terminal, str, Path]) -> None:
    till, fan, program, _ = shop
    folder = till.home / "odd"
    folder.mkdir()
    (folder / "a.json").write_text((fan.home / "request.json").read_text())
    said = till.fail("brand", "contests", "answer", program, "--openings", folder)
    assert "a.json is no opening of a settled entry: its format is fansumer-join-request, not fansumer-opening" in said


def test_what_a_file_may_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content, words in (
        (b"", "an empty file"),
        (b"fansumer-offer:1:AAAA", "a personal offer"),
        (b"fansumer-receipt-link:1:{}", "the text of a QR code that names a receipt at a node"),
        (b"fansumer-voucher:1:AA", "vouchers for joining"),
        (b"[1]", "a JSON file of another program"),
        (b"hello", "a text"),
        (b"\xff\xfe", "something else"),
    ):
        file.write_bytes(content)
        assert describe_file(file) == words
    assert describe_file(tmp_path / "none") == "No such file or directory"


def test_one_code_has_one_exit_code(node: WalletNode, terminal_of: Opens) -> None:
    fan = terminal_of("fan")
    assert exit_code_of(ClientProblem(NO_CHALLENGE.name, "")) == exit_code_of(WalletError(NO_CHALLENGE)) == 1
    assert exit_code_of(Unreachable("client.unreachable", "")) == 2
    assert "address." in fan.fail("wallet", "send", "nonsense", 5_000, expect=2)
    assert "address." in fan.fail("chain", "account", "nonsense", expect=2)
    assert "Exit codes: 0 done; 1 refused" in fan.run("--help").replace("\n", " ")
