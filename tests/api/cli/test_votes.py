"""Proposals and votes as typed: a brand asks, fans vote openly and under seal, an auditor counts again; and wrong things named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from api.cli.texts import MISSING
from api.wallet.errors import ClientProblem
from api.wallet.review_calls import ReviewCalls
from ledger.params import params_to_mapping
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import enrol, open_shop
from tests.support.memory_chain import DAY_SECONDS
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]
UNTIL = "2026-01-04T00:00:00Z"
REVEAL_UNTIL = "2026-01-05T00:00:00Z"
QUESTION = ("--option", "now", "--option", "later", "--until", UNTIL)
URL = "http://127.0.0.1:8780"


def ask(owner: Terminal, program: str, *more: object) -> str:
    """A question about bread."""
    options = ("--option", "rye", "--option", "spelt", "--until", UNTIL)
    return owner.read("brand", "proposal", "create", program, "Which bread?", *options, *more)["proposal"]


def pass_days(node: WalletNode, days: int) -> None:
    node.chain.advance(seconds=days * DAY_SECONDS, blocks=8)
    node.mine(2)


def test_a_question_from_asking_to_the_kept_promise(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    proposal = ask(owner, program)
    assert fan.read("wallet", "vote", "power", proposal)["power"] == 1
    assert member in fan.run("wallet", "vote", "power", proposal)
    assert "none of the proposal's options" in fan.fail("wallet", "vote", "cast", proposal, "barley")
    assert fan.read("wallet", "vote", "cast", proposal, "spelt")["status"] == "confirmed"
    assert "ballot.already" in fan.fail("wallet", "vote", "cast", proposal, "rye")
    assert [row["choice"] for row in fan.read("chain", "ballots", proposal)["items"]] == [[1]]
    assert member in fan.run("chain", "ballots", proposal)
    pass_days(node, 4)
    assert "spelt" in fan.run("chain", "proposal", proposal)
    assert proposal in fan.run("chain", "proposals") and proposal in fan.run("chain", "proposals", "--program", program)
    assert fan.read("chain", "proposals")["items"][0]["status"] == "ended"
    adopt = ("brand", "proposal", "adopt", proposal, "--due", "2026-02-01", "--why", "You asked for it.")
    assert "obligation.product" in owner.fail(*adopt, "--product", "5f" * 32)
    owner.run(*adopt)
    shown = fan.read("chain", "proposal", proposal)
    assert (shown["says"], shown["reason"]) == ("Which bread?", "You asked for it.")
    assert "You asked for it." in fan.run("chain", "proposal", proposal)
    assert fan.run("chain", "text", shown["why"]) == "You asked for it.\n"
    assert fan.read("chain", "text", shown["text"]) == {"text": shown["text"], "content": "Which bread?"}
    assert "text.missing" in fan.fail("chain", "text", "5f" * 32)
    assert "cli.bad_id" in fan.fail("chain", "text", "nonsense", expect=2)
    assert "proposal.answered" in owner.fail("brand", "proposal", "decline", proposal, "--why", "No.")
    photo = owner.home / "photo"
    photo.write_bytes(b"bread")
    owner.run("brand", "proposal", "fulfil", proposal, "--evidence", photo)
    shown = fan.run("chain", "promises", program)
    assert "Adopted and kept" in shown and "You asked for it." in shown
    (main,) = [row["address"] for row in owner.read("wallet", "addresses") if row["account"] == "main 0"]
    assert fan.read("chain", "promises", main)["counts"] == {"kept": 1}


def test_sealed_votes_are_handed_over_or_kept(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    enrol(till, fan, program)
    first, second = (ask(owner, program, "--reveal-until", REVEAL_UNTIL) for _ in range(2))
    assert "sends it when voting is over" in fan.hear("wallet", "vote", "cast", first, "rye")
    assert not fan.read("wallet", "vote", "hand-over", first, "rye")["is_new"]
    assert "ballot.wrong_opening" in fan.fail("wallet", "vote", "hand-over", first, "spelt")
    assert "vote reveal" in fan.hear("wallet", "vote", "cast", second, "rye", "--keep-secret")
    pass_days(node, 3)
    assert "ballot.wrong_opening" in fan.fail("wallet", "vote", "reveal", second, "spelt")
    fan.run("wallet", "vote", "reveal", second, "rye")
    pass_days(node, 2)
    for proposal in (first, second):
        assert fan.read("chain", "proposal", proposal)["tally"]["counted"] == 1
    folder = node.chain.node.config.data_dir
    (folder / "params.json").write_text(json.dumps(params_to_mapping(node.chain.params)))
    for source in (("--data-dir", folder), (URL,)):
        report = fan.read("audit", "recount", first, *source)
        assert (report["good"], report["compared"], report["winner"], report["counted"]) == (True, True, "rye", 1)
        assert "GOOD: every ballot" in fan.run("audit", "recount", first, *source)
    dump = tmp_path / "chain.dump"
    fan.run("chain", "dump", dump, "--data-dir", folder)
    report = fan.read("audit", "recount", second, dump)
    assert (report["good"], report["compared"]) == (True, False)
    assert "recount.no_proposal" in fan.fail("audit", "recount", "5f" * 32, dump, expect=2)
    assert "cli.bad_id" in fan.fail("audit", "recount", "nonsense", dump, expect=2)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--method", "dice"), "single, approval, ranked"),
        (("--points-cap", 5, "--campaign", "5f" * 32), "--points-cap or --campaign"),
        (("--campaign", "nonsense"), "cli.bad_id"),
        (("--text", "/nowhere/at/all"), "cli.file_failed"),
    ],
)
def test_what_is_typed_wrongly_is_named(
    node: WalletNode, terminal_of: Opens, typed: tuple[object, ...], said: str
) -> None:
    owner = terminal_of("owner")
    question = ("brand", "proposal", "create", "5f" * 32, "Which?", "--option", "a", "--option", "b", "--until", UNTIL)
    assert said in owner.fail(*question, *typed, expect=2)


def test_a_newcomer_can_not_propose_and_a_cap_or_text_may_be_named(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    enrol(till, fan, program)
    question = ("wallet", "vote", "propose", program, "Which?", "--option", "a", "--option", "b", "--until", UNTIL)
    assert "proposal.no_tenure" in fan.fail(*question)
    text = fan.home / "text.md"
    text.write_text("At length.\nAnd in lines.")
    proposal = ask(owner, program, "--points-cap", 50, "--text", text, "--method", "ranked")
    shown = fan.read("chain", "proposal", proposal)
    assert (shown["weight"]["cap"], shown["method"], shown["tally"]["pairwise"]) == (50, "ranked", [[0, 0], [0, 0]])
    assert shown["says"] == "At length. And in lines."
    assert fan.run("chain", "text", shown["text"]) == "At length.\nAnd in lines.\n"
    assert "power.unknown" in fan.fail("wallet", "vote", "cast", proposal, "rye")


def test_a_reason_that_could_not_be_brought_is_brought_later(
    node: WalletNode, terminal_of: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    proposal = ask(owner, program)
    pass_days(node, 4)
    decline = ("brand", "proposal", "decline", proposal, "--why")
    assert "shape.length" in owner.fail(*decline, "  ")
    with monkeypatch.context() as refusing:
        refusing.setattr(ReviewCalls, "keep_text", refuse)
        said = owner.read(*decline, "The oven is too small.")
    assert (said["status"], said["text_at_node"]) == ("confirmed", False)
    assert fan.read("chain", "proposal", proposal)["reason"] == MISSING
    assert MISSING in fan.run("chain", "promises", program)
    assert "text.missing" in fan.fail("chain", "text", said["text"])
    assert owner.read("wallet", "review", "publish", said["text_file"])["is_new"] is True
    assert "The oven is too small." in fan.run("chain", "promises", program)
    assert fan.read("chain", "promises", program)["items"][0]["reason"] == "The oven is too small."
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert fan.read("wallet", "review", "erase-text", program, said["text"]) == {"erased": 0}
        assert owner.read("wallet", "review", "erase-text", program, said["text"]) == {"erased": 1}
    assert fan.read("chain", "proposal", proposal)["reason"] == MISSING
    assert "text.erased" in owner.fail("wallet", "review", "publish", said["text_file"])


def test_who_does_not_wait_is_told_how_to_bring_the_text(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    heard = owner.hear("brand", "proposal", "create", program, "When?", *QUESTION, "--no-wait")
    file = heard.partition("review publish ")[2].split()[0]
    assert "in a block" in heard
    node.mine()
    assert owner.read("wallet", "review", "publish", file)["is_new"] is True
    (proposal,) = fan.read("chain", "proposals")["items"]
    assert fan.read("chain", "proposal", proposal["id"])["says"] == "When?"


def refuse(*_: object) -> None:
    """A node that takes no text."""
    raise ClientProblem("node.busy", "no room", "Try later.", status=503)


def test_a_choice_that_cannot_count_is_never_sealed(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    enrol(till, fan, program)
    proposal = ask(owner, program, "--method", "ranked", "--reveal-until", REVEAL_UNTIL)
    for wrong in (("rye", "rye"), ("0", "1", "0")):
        assert "ballot.choice" in fan.fail("wallet", "vote", "cast", proposal, *wrong)
    assert fan.read("chain", "ballots", proposal)["items"] == [], "a sealed ballot can't be changed: none was sent"
    fan.run("wallet", "vote", "cast", proposal, "spelt", "rye")
    single = ask(owner, program)
    assert "ballot.choice" in fan.fail("wallet", "vote", "cast", single, "rye", "spelt")
    fan.run("wallet", "vote", "cast", single, "rye")
