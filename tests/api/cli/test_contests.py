"""Contesting and answering, as a fan and a brand type it, at a node in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


def test_a_fan_contests_and_the_brand_answers(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    settled, left_out = buy(till, program, member, 4_260, node), buy(till, program, member, 1_000, node)
    aside = left_out.rename(till.home / "left-out.bin")
    node.chain.advance(days=1)
    till.run("brand", "settle", program, till.home / "receipts")
    early = fan.fail("wallet", "contest", settled, "--yes")
    assert "too_early" in early and "the shop has until 2026-" in early
    node.chain.advance(days=12)
    said = fan.fail("wallet", "contest", settled, input="n\n")
    assert "public for ever" in said and "the shop settled purchases of this receipt's period on 2026-" in said
    assert "--opening" in said
    assert "settled purchases" not in fan.fail("wallet", "contest", settled, "--wrong-points", input="n\n")
    assert fan.read("wallet", "contests", program) == []
    for file in (settled, aside):
        assert fan.read("wallet", "contest", file, "--yes")["outcome"] == "open"
    assert "already" in fan.fail("wallet", "contest", settled, "--yes")
    assert len(owner.read("brand", "contests", "list", program, "--open")) == 2
    assert "426" in owner.run("brand", "contests", "list", program)
    answered = till.read("brand", "contests", "answer", program)
    assert answered["answered"] == 1
    assert sorted(row["why"] for row in answered["contests"]) == ["answered", "contest.no_opening"]
    (late,) = [row["contest"] for row in answered["contests"] if row["txid"] is None]
    aside.rename(till.home / "receipts" / "left-out.bin")
    till.run("brand", "settle", program, till.home / "receipts")
    assert till.read("brand", "contests", "answer", program, "--contest", late)["answered"] == 1
    assert till.read("brand", "contests", "answer", program)["answered"] == 0
    assert "contest.not_open" in till.fail("brand", "contests", "answer", program, "--contest", late)
    outcomes = {row["outcome"] for row in fan.read("wallet", "contests", program)}
    assert outcomes == {"settled_in_time", "settled_late"}
    shown = fan.run("wallet", "contests", program)
    assert "settled_late" in shown and "receipt number" in shown
    assert str(fan.read("wallet", "contests", program)[0]["answer_by"]) not in shown
    assert owner.read("brand", "contests", "list", program, "--open") == []


def test_damaged_openings_and_tills_without_a_cap(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till = terminal_of("owner"), terminal_of("till")
    program = open_shop(owner, till)
    folder = tmp_path / "openings"
    assert "no folder" in till.fail("brand", "contests", "answer", program, "--openings", folder, expect=2)
    folder.mkdir()
    assert till.read("brand", "contests", "answer", program, "--openings", folder) == {"answered": 0, "contests": []}
    (folder / "week.json").write_text("{")
    assert "not JSON" in till.fail("brand", "contests", "answer", program, "--openings", folder)


@pytest.mark.usefixtures("no_node")
def test_a_till_needs_a_cap(terminal: Terminal) -> None:
    said = terminal.fail("brand", "grant-issuer", "5f" * 32, "x", "--scopes", "till", expect=2)
    assert "--daily-cap" in said
