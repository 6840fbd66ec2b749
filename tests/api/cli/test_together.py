"""An account of several people: files that are passed round, and every way in which that goes wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.cli.texts import MISSING
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_advice import main_address
from tests.support.market import TERMS_FILE
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


class Board:
    """Three people with a wallet each, and an account that two of them govern."""

    def __init__(self, folder: Path, terminal_of: Opens) -> None:
        self.owner = terminal_of("owner")
        self.people = (self.owner, terminal_of("till"), terminal_of("fan"))
        self.stranger = Terminal(folder / "stranger")
        self.stranger.run("wallet", "create")
        keys = [person.read("wallet", "public-key")["public_key"] for person in self.people]
        self.file = folder / "treasury.json"
        made = self.owner.read("wallet", "treasury", "create", *keys, "--threshold", 2, "--out", self.file)
        self.address = made["address"]

    def draft(self, *command: object) -> dict[str, Any]:
        """What a command writes instead of sending."""
        return self.owner.read(*command, "--wallet", self.file)

    def pass_round(self, *command: object) -> dict[str, Any]:
        """Two sign, a third one sends."""
        drafted = self.draft(*command)
        for person in self.people[:2]:
            person.run("wallet", "together", "sign", drafted["file"])
        return {**drafted, **self.people[2].read("wallet", "together", "submit", drafted["file"])}


@pytest.fixture
def board(node: WalletNode, tmp_path: Path, terminal_of: Opens) -> Board:
    found = Board(tmp_path, terminal_of)
    found.owner.run("wallet", "send", found.address, 20_000_000)
    return found


def test_two_of_three_move_coin(node: WalletNode, board: Board) -> None:
    to = main_address(board.people[2])
    drafted = board.draft("wallet", "send", to, 300_000)
    assert (drafted["status"], drafted["signatures"]) == ("unsigned", 2)
    file = drafted["file"]
    shown = board.stranger.read("wallet", "together", "show", file)
    assert (shown["kind"], shown["  amount"], shown["  recipient.address"]) == ("transfer", "300,000 coin", to)
    assert [row["signed"] for row in shown["signers"]] == [False, False, False]
    refusal = board.owner.fail("wallet", "together", "submit", file)
    assert "together.too_few" in refusal and "0 of the 2" in refusal
    refusal = board.stranger.fail("wallet", "together", "sign", file)
    assert "together.not_a_signer" in refusal and "public-key" in refusal
    heard = board.people[0].hear("wallet", "together", "sign", file)
    assert "1 more must sign" in heard
    assert "together.signed_already" in board.people[0].fail("wallet", "together", "sign", file)
    assert "1 of the 2" in board.owner.fail("wallet", "together", "submit", file)
    assert "All have signed" in board.people[2].hear("wallet", "together", "sign", file)
    assert "together.enough" in board.people[1].fail("wallet", "together", "sign", file)
    assert board.stranger.read("wallet", "together", "submit", file)["status"] == "confirmed"
    assert node.client.account(to)["coin"] == 300_000
    assert board.stranger.read("wallet", "together", "submit", file)["status"] == "confirmed", "twice is harmless"
    shown = board.owner.read("wallet", "treasury", "show", board.file)
    assert shown["address"] == board.address and shown["coin"] < 20_000_000 - 300_000


def test_a_brand_of_several_people(node: WalletNode, board: Board, tmp_path: Path) -> None:
    terms = tmp_path / "terms.toml"
    terms.write_text(TERMS_FILE)
    program = board.pass_round("brand", "create-program", terms)["program"]
    assert node.client.program(bytes.fromhex(program))["owner"] == board.address
    board.pass_round("brand", "fill-pool", program, 3_000_000)
    till = main_address(board.people[1])
    board.pass_round("brand", "grant-issuer", program, till, "--scopes", "till,enrol", "--daily-cap", 1_000)
    reward = board.pass_round("brand", "list-reward", program, "Bread", "--price", 100)["reward"]
    board.pass_round("brand", "update-reward", program, reward, "--price", 90)
    board.pass_round("brand", "revoke-issuer", program, till)
    assert [row["price"] for row in node.client.rewards(bytes.fromhex(program))["items"]] == [90]
    refusal = board.owner.fail(
        "brand",
        "sign-receipt",
        program,
        "--member",
        till,
        "--net-cents",
        5,
        "--out",
        tmp_path / "x",
        "--wallet",
        board.file,
    )
    assert "treasury.no_key_here" in refusal


def test_what_several_people_say_is_brought_when_all_have_signed(
    node: WalletNode, board: Board, tmp_path: Path
) -> None:
    made = board.pass_round("creator", "create-campaign", "A lamp", "--goal", 10, "--deadline", "2026-01-20")
    news = tmp_path / "news.txt"
    news.write_text("The mould is ordered.")
    post = ("creator", "post-update", made["campaign"], news, "--wallet", board.file)
    assert "wallet review publish" in board.owner.hear(*post)
    posted = board.pass_round(*post[:-2])
    assert (posted["text_at_node"], posted["text_file"] != posted["file"]) == (False, True)
    (update,) = board.stranger.read("chain", "updates", made["campaign"])
    assert (update["text"], update["says"]) == (posted["text"], MISSING)
    board.owner.run("wallet", "review", "publish", posted["text_file"])
    assert board.stranger.read("chain", "updates", made["campaign"])[0]["says"] == "The mould is ordered."


def test_copies_that_were_signed_at_once_are_joined(node: WalletNode, board: Board, tmp_path: Path) -> None:
    file = board.draft("wallet", "send", main_address(board.owner), 5_000)["file"]
    copies = [tmp_path / f"{number}.json" for number in range(3)]
    for person, copy in zip(board.people, copies, strict=True):
        person.run("wallet", "together", "sign", file, "--out", copy)
    signed = tmp_path / "signed.json"
    assert board.owner.read("wallet", "together", "join", *copies, "--out", signed)["missing"] == 0
    other = board.draft("wallet", "send", main_address(board.owner), 5_001)["file"]
    refusal = board.owner.fail("wallet", "together", "join", copies[0], other, "--out", signed)
    assert "together.not_the_same" in refusal
    board.owner.run("wallet", "together", "submit", signed)


def test_what_came_too_late_is_said(node: WalletNode, board: Board) -> None:
    file = board.draft("wallet", "send", main_address(board.owner), 5_000)["file"]
    board.people[0].run("wallet", "together", "sign", file)
    node.mine(node.chain.params.validity_blocks_max + 1)
    refusal = board.people[1].fail("wallet", "together", "sign", file)
    assert "together.expired" in refusal and "Build it again" in refusal
    board.people[1].run("wallet", "together", "sign", file, "--offline")
    assert "together.expired" in board.owner.fail("wallet", "together", "submit", file)


def test_spoiled_files_are_refused(node: WalletNode, board: Board, tmp_path: Path) -> None:
    file = Path(board.draft("wallet", "send", main_address(board.owner), 5_000)["file"])
    board.people[0].run("wallet", "together", "sign", file)
    good = json.loads(file.read_text())
    party = good["parties"][0]
    ((index, signature),) = party["signatures"].items()
    spoiled: list[tuple[str, Any]] = [
        ("together.bad_signature", {**good, "parties": [{**party, "signatures": {index: "00" * 64}}]}),
        (
            "together.bad_signature",
            {**good, "parties": [{**party, "signatures": {"2" if index != "2" else "1": signature}}]},
        ),
        ("together.bad_file", {**good, "parties": []}),
        ("together.bad_file", {**good, "parties": [{**party, "address": "00" * 32}]}),
        ("together.bad_file", {**good, "parties": [{**party, "threshold": 9}]}),
        ("witness.policy", {**good, "parties": [{**party, "keys": list(reversed(party["keys"])), "signatures": {}}]}),
        ("together.bad_file", {**good, "body": good["body"][:-8]}),
        ("together.bad_file", {**good, "body": 5}),
        ("together.bad_file", {**good, "chain_id": "00" * 32}),
        ("together.bad_file", {**good, "chain_id": "00"}),
        ("together.bad_file", {**good, "address_prefix": "B d"}),
        ("together.bad_file", {**good, "version": 2}),
        ("together.bad_file", {**good, "format": "other"}),
        ("together.bad_file", {**good, "parties": [{**party, "signatures": {index: "00"}}]}),
        ("together.bad_file", []),
    ]
    for code, document in spoiled:
        (tmp_path / "spoiled.json").write_text(json.dumps(document))
        assert code in board.owner.fail("wallet", "together", "show", tmp_path / "spoiled.json"), document
    (tmp_path / "spoiled.json").write_text("no json")
    assert "together.bad_file" in board.owner.fail("wallet", "together", "show", tmp_path / "spoiled.json")
    (tmp_path / "spoiled.json").write_text(" " * 600_000)
    assert "together.bad_file" in board.owner.fail("wallet", "together", "show", tmp_path / "spoiled.json")


def test_an_account_of_one_becomes_one_of_several_and_changes_again(
    node: WalletNode, board: Board, tmp_path: Path
) -> None:
    owner, address = board.owner, main_address(board.owner)
    mine = tmp_path / "mine.json"
    owner.run("wallet", "set-policy", board.file, "--out", mine)
    assert json.loads(mine.read_text())["keys"] == json.loads(board.file.read_text())["keys"]
    assert "wallet.keys_changed" in owner.fail("wallet", "send", board.address, 5_000)
    drafted = owner.read("wallet", "send", board.address, 5_000, "--wallet", mine)
    for person in board.people[1:]:
        person.run("wallet", "together", "sign", drafted["file"])
    owner.run("wallet", "together", "submit", drafted["file"])
    keys = [board.stranger.read("wallet", "public-key")["public_key"]]
    alone, later = tmp_path / "alone.json", tmp_path / "later.json"
    owner.run("wallet", "treasury", "create", *keys, "--threshold", 1, "--out", alone, "--prefix", "fsim")
    drafted = owner.read("wallet", "set-policy", alone, "--out", later, "--wallet", mine)
    for person in board.people[:2]:
        person.run("wallet", "together", "sign", drafted["file"])
    owner.run("wallet", "together", "submit", drafted["file"])
    assert "treasury.stale" in owner.fail("wallet", "send", board.address, 5_000, "--wallet", mine)
    assert "treasury.stale" in owner.fail("wallet", "treasury", "show", mine)
    assert [row["address"] for row in board.stranger.read("wallet", "find-keys")] == [address]
    board.stranger.run("wallet", "send", board.address, 5_000)


def test_treasuries_that_are_none(node: WalletNode, board: Board, tmp_path: Path) -> None:
    owner, out = board.owner, tmp_path / "out.json"
    key = owner.read("wallet", "public-key")["public_key"]
    create = ("wallet", "treasury", "create")
    assert "treasury.bad_file" in owner.fail(*create, key, "--threshold", 2, "--out", out)
    assert "treasury.bad_file" in owner.fail(*create, key, key, "--threshold", 1, "--out", out)
    assert "cli.bad_id" in owner.fail(*create, "8a", "--threshold", 1, "--out", out, expect=2)
    good = json.loads(board.file.read_text())
    for document in (
        {**good, "version": 2},
        {**good, "threshold": True},
        {**good, "threshold": 4},
        {**good, "keys": ["00"]},
        {**good, "keys": "zz"},
        {**good, "address": None},
        {**good, "address": "zz" * 32},
        [],
    ):
        out.write_text(json.dumps(document))
        assert "treasury.bad_file" in owner.fail("wallet", "treasury", "show", out), document
    out.write_text("{")
    assert "treasury.bad_file" in owner.fail("wallet", "treasury", "show", out)
    out.write_text(" " * 9_000)
    assert "treasury.bad_file" in owner.fail("wallet", "treasury", "show", out)
    for command in (("public-key",), ("rotate-key",), ("find-keys",)):
        assert "treasury.no_key_here" in owner.fail("wallet", *command, "--wallet", board.file)
    program = "5f" * 32
    refusal = owner.fail("wallet", "reads", program, "--wallet", board.file)
    assert "treasury.no_key_here" in refusal
