"""Settling on another computer, or after the book was lost: nothing is credited twice without a word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Shop = tuple[Terminal, Terminal, str, str]


@pytest.fixture
def shop(node: WalletNode, terminal_of: Callable[[str], Terminal]) -> Shop:
    """Owner, till, program, the fan's address."""
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    return owner, till, program, enrol(till, fan, program)


def available(node: WalletNode, member: str) -> int:
    """All the fan's points, be they pending or not."""
    (found,) = node.client.account(member)["programs"]
    return int(found["available"]) + int(found["pending"])


def test_a_lost_book_settles_nothing_until_it_is_back(node: WalletNode, shop: Shop, tmp_path: Path) -> None:
    _, till, program, member = shop
    receipts = buy(till, program, member, 1_000, node).parent
    first = till.read("brand", "settle", program, receipts, "--last")
    assert first["points"] == 100, "a new book of a key that has settled nothing"
    book, backup = Path(first["book"]), tmp_path / "backup.json"
    book.rename(backup)
    for more in ((), ("--last",), ("--book", tmp_path / "none.json")):
        said = till.fail("brand", "settle", program, receipts, *more)
        assert "settlement.no_book" in said and "--new-book" in said and "--book" in said
    assert available(node, member) == 100 and not book.exists()
    buy(till, program, member, 2_000, node)
    again = till.read("brand", "settle", program, receipts, "--last", "--book", backup)
    assert (again["points"], available(node, member)) == (200, 300)
    backup.rename(book)
    assert till.read("brand", "settle", program, receipts, "--last")["entries"] == 0


def test_another_home_is_another_computer(node: WalletNode, shop: Shop, tmp_path: Path) -> None:
    _, till, program, member = shop
    receipts = buy(till, program, member, 1_000, node).parent
    till.run("brand", "settle", program, receipts, "--last")
    other = Terminal(tmp_path / "elsewhere")
    other.restore("till")
    assert "settlement.no_book" in other.fail("brand", "settle", program, receipts, "--last")
    anew = other.read("brand", "settle", program, receipts, "--last", "--new-book")
    assert (anew["points"], available(node, member)) == (100, 200), "on purpose"
    assert other.read("brand", "settle", program, receipts, "--last")["entries"] == 0, "from then on it is its book"


def test_what_is_no_lost_book(node: WalletNode, shop: Shop) -> None:
    owner, till, program, member = shop
    (address,) = [row["address"] for row in till.read("wallet", "addresses") if row["account"] == "main 0"]
    grant = ("brand", "grant-issuer", program, address, "--scopes", "till,settle,enrol", "--daily-cap")
    receipts = buy(till, program, member, 1_000, node).parent
    owner.run(*grant, 1)
    skipped = till.read("brand", "settle", program, receipts, "--last", expect=1)
    assert [row["code"] for row in skipped["skipped"]] == ["earn.daily_cap"]
    owner.run(*grant, 10**6)
    assert till.read("brand", "settle", program, receipts, "--last")["points"] == 100, "a skipped entry settles nothing"
    other = open_shop(owner, till)
    empty = till.home / "empty"
    empty.mkdir()
    assert till.read("brand", "settle", other, empty, "--last")["entries"] == 0, "each program has a book of its own"
