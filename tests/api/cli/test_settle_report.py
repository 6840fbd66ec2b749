"""What `brand settle` says of what it did not settle, and by which exit code a script can tell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]
Shop = tuple[Terminal, Terminal, Terminal, str]


@pytest.fixture
def shop(node: WalletNode, terminal_of: Opens) -> Shop:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    return owner, till, fan, open_shop(owner, till)


def own_address(fan: Terminal, program: str) -> str:
    rows = fan.read("wallet", "addresses", "--program", program)
    return next(row["address"] for row in rows if row["account"] == program)


def test_a_member_who_has_not_joined_is_skipped_and_said(node: WalletNode, shop: Shop) -> None:
    _, till, fan, program = shop
    address = own_address(fan, program)
    receipts = buy(till, program, address, 1_000, node).parent
    settle = ("brand", "settle", program, receipts, "--last")
    said = till.fail(*settle)
    assert f"skipped: 1 receipt (0.bin) of {address}" in said and "the account has not joined (earn.no_member)" in said
    assert "What to do: Let the fan join, then settle again." in said
    (row,) = till.read(*settle, expect=1)["skipped"]
    assert (row["code"], row["files"]) == ("earn.no_member", ["0.bin"]) and "join" in row["what_to_do"]
    table = till.run(*settle, expect=1)
    assert "earn.no_member" in table and "Let the fan join" not in table, "sentences are no columns"
    enrol(till, fan, program)
    assert till.read(*settle)["points"] == 100
    said = till.hear(*settle)
    assert "Nothing was due: of 1 receipt 1 are settled already." in said


def test_what_nobody_can_mend_is_no_failure(node: WalletNode, shop: Shop) -> None:
    _, till, fan, program = shop
    member = enrol(till, fan, program)
    fan.run("wallet", "leave", program)
    node.chain.advance(days=2)
    receipts = buy(till, program, member, 1_000, node).parent
    said = till.hear("brand", "settle", program, receipts, "--last")
    assert "earn.member_left" in said and "take these receipts out of the folder" in said


def test_a_folder_without_a_receipt_is_said(shop: Shop, tmp_path: Path) -> None:
    _, till, _, program = shop
    empty = tmp_path / "empty"
    empty.mkdir()
    said = till.fail("brand", "settle", program, empty)
    assert "cli.no_receipts" in said and str(empty) in said
    assert till.read("brand", "settle", program, empty, "--last")["entries"] == 0, (
        "what is carried may still be flushed"
    )
