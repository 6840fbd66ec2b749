"""Points besides purchases, as a brand and its fans type it, at a node in this process."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.cli.points import tell_sunset
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.market import TERMS_FILE
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]

BETTER = (
    TERMS_FILE.replace("adjust_day_max = 0 ", "adjust_day_max = 500 ")
    .replace("transfer_day_max = 0 ", "transfer_day_max = 40 ")
    .replace("# [terms.referral] ", "[terms.referral] ")
    .replace("# referrer = 100 ", "referrer = 100 ")
    .replace("# joiner = 50 ", "joiner = 50 ")
)


def open_new(home: Path) -> Terminal:
    """Somebody with a wallet of words that nobody knows."""
    found = Terminal(home)
    home.mkdir(parents=True)
    found.run("wallet", "create")
    return found


def improve(owner: Terminal, program: str) -> None:
    """Terms that allow to adjust, to give points on, and that pay for referrals."""
    terms = owner.home / "better.toml"
    terms.write_text(BETTER)
    owner.run("brand", "update", program, terms)


def test_a_purchase_comes_back(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    friend = open_new(tmp_path / "friend")
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    receipt = buy(till, program, member, 4_260, node)
    till.run("brand", "settle", program, till.home / "receipts", "--last")
    draft, back = tmp_path / "draft.bin", tmp_path / "returns" / "back.bin"
    assert "426 points" in till.fail("brand", "returns", "draft", receipt, "--points", 427, "--out", draft)
    shown = till.read("brand", "returns", "draft", receipt, "--points", 400, "--out", draft)
    assert (shown["points"], shown["member"]) == (400, member)
    assert "returns.not_yours" in friend.fail("wallet", "sign-return", draft, "--out", back, "--yes")
    assert "everybody can see it" in fan.fail("wallet", "sign-return", draft, "--out", back, input="n\n")
    assert not back.exists()
    assert fan.read("wallet", "sign-return", draft, "--out", back, "--yes")["return"] == shown["return"]
    assert "no return" in till.fail("brand", "returns", "post", program, draft)
    assert "another program" in till.fail("brand", "returns", "post", "5f" * 32, back, expect=2)
    till.run("brand", "returns", "post", program, back, "--points", 150)
    till.run("brand", "returns", "post", program, back, "--points", 250)
    assert "return.used" in till.fail("brand", "returns", "post", program, back, "--points", 1)
    assert "reverse.above_entry" in till.fail("brand", "returns", "post", program, back)
    (listed,) = owner.read("brand", "returns", "list", program)
    assert (listed["points"], listed["reversed"]) == (400, 400)
    assert "400" in owner.run("brand", "returns", "list", program)
    assert node.client.account(member)["programs"][0]["available"] == 26
    till.run("brand", "returns", "draft", receipt, "--out", draft)
    damaged = bytearray(draft.read_bytes())
    damaged[-1] ^= 1
    draft.write_bytes(bytes(damaged))
    assert "returns.not_signed" in fan.fail("wallet", "sign-return", draft, "--out", back, "--yes")


def test_a_return_answers_a_contest(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    receipt = buy(till, program, member, 1_000, node)
    draft, folder = tmp_path / "draft.bin", tmp_path / "returns"
    till.run("brand", "returns", "draft", receipt, "--out", draft)
    fan.run("wallet", "sign-return", draft, "--out", folder / "back.bin", "--yes")
    node.chain.advance(days=12)
    fan.run("wallet", "contest", receipt, "--yes")
    answered = till.read("brand", "contests", "answer", program, "--returns", folder)
    assert [row["outcome"] for row in answered["contests"]] == ["returned"]
    nothing = buy(till, program, member, 1, node)
    assert "gave no points" in till.fail("brand", "returns", "draft", nothing, "--out", draft, expect=2)


def test_points_are_given_and_given_on(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    friend = open_new(tmp_path / "friend")
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    adjust = ("brand", "adjust", program, member, 100, "--reason", "apology.late")
    assert "adjust.day_cap" in owner.fail(*adjust)
    improve(owner, program)
    owner.run(*adjust)
    assert "issuer.no_scope" in till.fail(*adjust)
    invitation, request = till.home / "again.json", friend.home / "request.json"
    till.run("brand", "invite", program, "--out", invitation)
    assert "address." in friend.fail("wallet", "join", invitation, "--referrer", "nobody", expect=2)
    joining = ("wallet", "join", invitation, "--referrer", member, "--give-back-from-all", "--request", request)
    friend.run(*joining)
    till.run("brand", "enrol", program, request)
    rows = friend.read("wallet", "addresses", "--program", program)
    other = next(row["address"] for row in rows if row["account"] == program)
    assert node.client.account(other)["programs"][0]["gives_back_from_all"]
    assert "points.transfer_limit" in fan.fail("wallet", "give", program, other, 41)
    fan.run("wallet", "give", program, other, 40)
    assert "points.to_oneself" in fan.fail("wallet", "give", program, member, 1)
    available = [node.client.account(found)["programs"][0]["available"] for found in (member, other)]
    assert available == [60, 40]


def test_the_end_of_a_program(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    buy(till, program, member, 4_260, node)
    till.run("brand", "settle", program, till.home / "receipts")
    day = datetime.fromtimestamp(node.client.chain()["time"] + 32 * 86_400, UTC).strftime("%Y-%m-%d")
    assert "program.sunset_too_early" in owner.fail("brand", "sunset", program, "--at", "2026-01-03", "--yes")
    said = owner.fail("brand", "sunset", program, "--at", "2020-01-01", "--yes")
    assert "cli.past_date" in said and "2020-01-01 00:00 UTC, and that is past; the earliest is 2026-0" in said
    assert "program.not_owner" in till.fail("brand", "sunset", program, "--at", day, "--yes")
    assert "1970" in owner.fail("brand", "sunset", program, "--at", "1960-01-01", "--yes", expect=2)
    said = owner.fail("brand", "sunset", program, "--at", day, input="n\n")
    assert "cannot be taken back" in said and f"ends on {day} 00:00 UTC" in said and "redeeming ends on 2026-" in said
    assert owner.read("brand", "sunset", program, "--at", day, "--yes")["state"] == "announced"
    again = owner.fail("brand", "sunset", program, "--at", day, "--yes")
    assert "program.sunset_announced" in again and f"{day}T00:00:00Z" in again
    assert "ends on" in fan.hear("wallet", "balance")
    assert "announced" in fan.run("chain", "programs")
    node.chain.advance(days=33)
    assert "ended on" in fan.hear("wallet", "balance")
    till.run("brand", "settle", program, till.home / "receipts")
    account = node.client.account(member)["programs"][0]
    assert account["available"] == 426, "what was carried came with the last entry, without --last"
    node.chain.advance(days=31)
    assert "has ended" in fan.hear("wallet", "balance")


@pytest.mark.parametrize("state", ["announced", "winding_down", "closed"])
def test_an_end_beyond_any_calendar_can_be_told(state: str) -> None:
    shown = {"state": state, "sunset_at": 2**40 - 1, "closes_at": 2**40}
    assert "9999-12-31" in tell_sunset("Shop", shown)
