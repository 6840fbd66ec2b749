"""Vouchers and collateral at the command line: printed in batches, used once; and what is taken after a program has closed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ledger.params import WIND_DOWN_DAYS_MIN
from ledger.types import ProgramId
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, open_shop
from tests.support.market import TERMS_FILE
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]
UNTIL = "2199-12-31"


@pytest.fixture
def until(node: WalletNode) -> str:
    """A day within the 400 days before which a voucher can't be used, and ahead of the clock on the wall."""
    return datetime.fromtimestamp(node.chain.time + 390 * 86_400, UTC).strftime("%Y-%m-%d")


def test_a_batch_is_printed_and_each_counts_once(node: WalletNode, terminal_of: Opens, until: str) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    file, sheet = till.home / "vouchers.txt", till.home / "vouchers.html"
    made = till.read("brand", "vouchers", program, "--until", until, "--count", 3, "--out", file, "--sheet", sheet)
    assert (made["vouchers"], made["until"][:10]) == (3, until)
    lines = file.read_text().split()
    assert len(set(lines)) == 3
    assert sheet.read_text().count("<svg") == 3
    assert "3 vouchers" in fan.fail("wallet", "join", "--voucher", file, expect=2)
    assert "one of them" in fan.fail("wallet", "join", expect=2)
    assert "one of them" in fan.fail("wallet", "join", program, "--voucher", lines[0], expect=2)
    assert "voucher.bad_text" in fan.fail("wallet", "join", "--voucher", lines[0][:-3])
    assert "by which its shops know you: fsim1" in fan.hear("wallet", "join", "--voucher", lines[0])
    other = Terminal(fan.home.parent / "other")
    other.run("wallet", "create", "--json")
    assert "voucher.used" in other.fail("wallet", "join", lines[0])
    one = other.home / "one.txt"
    one.write_text(lines[1] + "\n")
    assert other.read("wallet", "join", "--voucher", one)["status"] == "confirmed"
    assert "member.already" in other.fail("wallet", "join", "--voucher", lines[2])
    assert "enrol" in fan.hear("brand", "vouchers", program, "--until", until, "--out", fan.home / "mine.txt")
    worthless = (fan.home / "mine.txt").read_text().strip()
    third = Terminal(other.home.parent / "third")
    third.run("wallet", "create", "--json")
    assert "fee.not_sponsored" in third.fail("wallet", "join", worthless)


@pytest.mark.usefixtures("no_node")
def test_vouchers_are_not_lost_under_others(terminal_of: Opens) -> None:
    till = terminal_of("till")
    file, sheet = till.home / "vouchers.txt", till.home / "vouchers.html"
    offline = ("brand", "vouchers", "5f" * 32, "--chain-id", "00" * 32, "--until", UNTIL)
    till.run(*offline, "--out", file)
    before = file.read_text()
    refused = till.fail(*offline, "--out", file, expect=2)
    assert "cli.file_exists" in refused and "stay valid" in refused and "--force" in refused
    sheet.write_text("something that was printed")
    other = till.home / "other.txt"
    assert "cli.file_exists" in till.fail(*offline, "--out", other, "--sheet", sheet, expect=2)
    assert (file.read_text(), sheet.read_text(), other.exists()) == (before, "something that was printed", False)
    till.run(*offline, "--out", file, "--sheet", sheet, "--force")
    assert file.read_text() != before and "<svg" in sheet.read_text()
    wallet = till.home / "wallet.json"
    assert "never overwritten" in till.fail(*offline, "--out", wallet, "--force", expect=2)


@pytest.mark.usefixtures("no_node")
def test_vouchers_need_no_node(terminal_of: Opens) -> None:
    till = terminal_of("till")
    program, chain = "5f" * 32, "00" * 32
    file = till.home / "vouchers.txt"
    offline = ("brand", "vouchers", program, "--out", file, "--chain-id", chain)
    made = till.read(*offline, "--until", UNTIL)
    file.unlink()
    assert (made["vouchers"], made["program"]) == (1, program)
    assert "must lie ahead" in till.fail(*offline, "--until", "1999-12-31", expect=2)
    assert till.fail(*offline, "--until", UNTIL, "--count", 0, expect=2)
    assert till.fail("brand", "vouchers", program, "--out", file, "--chain-id", "xyz", "--until", UNTIL, expect=2)


def test_what_stands_behind_points_is_shown_and_claimed(node: WalletNode, terminal_of: Opens, until: str) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    terms = owner.home / "terms.toml"
    text = TERMS_FILE.replace("# collateral = 2500 ", "collateral = 2500 ").replace(
        "notice_days = 30 ", "notice_days = 0 "
    )
    terms.write_text(text.replace("issuance_cap = 1000000000", "issuance_cap = 1000000"))
    program = owner.read("brand", "create-program", terms)["program"]
    owner.run("brand", "fill-pool", program, 5_000_000)
    (address,) = [row["address"] for row in till.read("wallet", "addresses") if row["account"] == "main 0"]
    owner.run("brand", "grant-issuer", program, address, "--scopes", "till,settle,enrol", "--daily-cap", 10**6)
    file = till.home / "voucher.txt"
    till.run("brand", "vouchers", program, "--until", until, "--out", file)
    fan.run("wallet", "join", "--voucher", file)
    member = next(
        row["address"] for row in fan.read("wallet", "addresses", "--program", program) if row["account"] == program
    )
    buy(till, program, member, 20_000, node)
    till.run("brand", "settle", program, till.home / "receipts", "--last")
    books = node.client.program(ProgramId(bytes.fromhex(program)))["books"]
    assert (books["collateral"], books["security"]) == (5_000, 250_000 + 5_000)
    shown = next(found for found in fan.read("wallet", "balance")[1]["programs"])
    assert (shown["available"], shown["collateral"]) == (2_000, 5_000)
    assert "5000 coin stand behind your points" in fan.hear("wallet", "balance")
    assert "collateral.not_closed" in fan.fail("wallet", "claim-collateral", program, "--yes")
    ends = datetime.fromtimestamp(node.chain.time + 86_400, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    owner.run("brand", "sunset", program, "--at", ends, "--yes")
    node.chain.advance(days=WIND_DOWN_DAYS_MIN + 2)
    node.mine(2)
    assert "claim-collateral" in fan.hear("wallet", "balance")
    assert fan.fail("wallet", "claim-collateral", program, input="n\n")
    assert fan.read("wallet", "claim-collateral", program, "--yes")["status"] == "confirmed"
    assert node.client.account(member)["coin"] == 5_000 - 2_400
    assert "collateral.nothing" in fan.fail("wallet", "claim-collateral", program, "--yes")


def test_a_key_that_is_granted_again_revives_its_vouchers_and_the_brand_is_told(
    node: WalletNode, terminal_of: Opens, until: str
) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program, file = open_shop(owner, till), till.home / "vouchers.txt"
    till.run("brand", "vouchers", program, "--until", until, "--out", file)
    (address,) = [row["address"] for row in till.read("wallet", "addresses") if row["account"] == "main 0"]
    owner.run("brand", "revoke-issuer", program, address)
    assert "fee.not_sponsored" in fan.fail("wallet", "join", "--voucher", file)
    grant = ("brand", "grant-issuer", program, address, "--scopes")
    assert "warning" not in owner.hear(*grant, "fulfil")
    assert "vouchers that it printed then, or while it was revoked, are good again" in owner.hear(*grant, "enrol")
    assert fan.read("wallet", "join", "--voucher", file)["status"] == "confirmed", "as JOIN-2 says"
    assert "warning" not in owner.hear(*grant, "enrol,fulfil")
    heard = owner.hear("brand", "vouchers", program, "--until", until, "--out", owner.home / "mine.txt")
    assert "holds no live grant of this program, and so not the scope enrol" in heard
    heard = till.hear(
        "brand", "sign-receipt", program, "--member", address, "--net-cents", 1, "--out", till.home / "1.bin"
    )
    assert "holds a grant of this program (enrol, fulfil), without the scope till" in heard
    assert f"{address} --scopes enrol,fulfil,till --daily-cap POINTS" in heard
