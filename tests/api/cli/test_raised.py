"""`fansumer wallet raised`: what a fan's pledges, vote, work and words led to, as a file that anybody checks without a node."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.params import params_to_mapping
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_campaigns import date, pass_decision
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.api.cli.test_reviews import main_address, written
from tests.api.cli.test_votes import ask, pass_days
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


def raise_bread(node: WalletNode, owner: Terminal, till: Terminal, fan: Terminal) -> str:
    """A fan votes for a bread, has an idea, criticises, and backs three ovens, of which one comes; returns the program."""
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    scopes = ("--scopes", "till,settle,enrol,record", "--daily-cap", 10**6)
    owner.run("brand", "grant-issuer", program, main_address(node), *scopes)
    buy(till, program, member, 4_260, node)
    till.run("brand", "settle", program, till.home / "receipts", "--last")
    proposal = ask(owner, program)
    fan.run("wallet", "vote", "cast", proposal, "spelt")
    pass_days(node, 4)
    owner.run("brand", "proposal", "adopt", proposal, "--due", "2026-06-01", "--why", "You asked for it.")
    idea, slip = written(fan, "idea.txt", "Spelt, with seeds."), till.home / "slip.bin"
    till.run("brand", "mission", "slip", program, member, "--role", "idea", "--work", idea, "--out", slip)
    said = fan.hear("wallet", "contribute", slip)
    owner.run("brand", "list-reward", program, "Spelt bread", "--price", 10)
    (reward,) = fan.read("chain", "rewards", program)["items"]
    owner.run("brand", "mission", "credit", said.split("contribution ")[1].split()[0], "--reward", reward["id"])
    fan.run("wallet", "review", "write", program, "--criticise", "--score", 2)
    owner.run("brand", "proposal", "fulfil", proposal, "--evidence", slip)
    return program


def back_ovens(node: WalletNode, creator: Terminal, backer: Terminal) -> list[str]:
    """An oven that comes late, one whose goal is not reached, and one whose pledge its backer takes back."""
    ends = ("--deadline", date(node, 2), "--delivery", date(node, 5), "--reserve", "100", "--silence-approves")
    made = [
        creator.read("creator", "create-campaign", title, "--goal", goal, *ends)["campaign"]
        for title, goal in (("An oven", 500), ("Two ovens", 10_000), ("No oven", 500))
    ]
    for campaign in made:
        backer.run("wallet", "pledge", campaign, 500)
    backer.run("wallet", "cancel-pledge", made[2], 0)
    backer.run("wallet", "pledge", made[2], 600)
    pass_decision(node, made[0])
    node.chain.advance(seconds=4 * 86_400, blocks=2)
    creator.run("creator", "submit", made[0], written(creator, "photo", "An oven."))
    backer.run("wallet", "confirm-delivery", made[0], 0, "--received")
    pass_decision(node, made[0])
    return made


def test_a_fan_proves_what_it_raised(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    assert "No pledge, vote, work or review" in fan.run("wallet", "raised")
    program = raise_bread(node, owner, till, fan)
    found = {fact["what"]: fact for fact in fan.read("wallet", "raised")}
    assert (found["vote"]["chosen"], found["vote"]["answer"]) == (["spelt"], "kept")
    assert "spelt won; adopted and kept" in found["vote"]["led_to"]
    assert (found["work"]["role"], found["work"]["product_title"]) == ("idea", "Spelt bread")
    assert 'It led to "Spelt bread"' in found["work"]["led_to"]
    assert (found["review"]["stance"], found["review"]["score"]) == ("criticise", 2)
    file, stranger = tmp_path / "raised.json", Terminal(tmp_path / "stranger")
    assert str(file) in fan.hear("wallet", "raised", "--program", program, "--out", file)
    params = tmp_path / "params.json"
    params.write_text(json.dumps(params_to_mapping(node.chain.params)))
    own = fan.read("wallet", "raised", "--program", program)
    assert stranger.read("proof", "raised", file, "--params", params) == own
    shown = stranger.run("proof", "raised", file, "--params", params)
    assert found["vote"]["account"] in shown and "3 proofs hold" in shown and "Taken for granted" in shown
    assert fan.read("wallet", "raised", "--program", "5f" * 32) == []


def test_what_became_of_pledges(node: WalletNode, terminal_of: Opens) -> None:
    creator, backer = terminal_of("owner"), terminal_of("till")
    campaigns = back_ovens(node, creator, backer)
    facts = backer.read("wallet", "raised")
    assert [fact["campaign"] for fact in facts] == [*campaigns, campaigns[2]]
    late, failed, ended, _ = facts
    assert (late["status"], late["late_days"], late["quantity"]) == ("done", [late["late_days"][0]], 500)
    assert late["late_days"][0] >= 1 and f"{late['late_days'][0]} day" in late["led_to"]
    assert (failed["status"], failed["led_to"]) == ("failed", "The goal was not reached: everything went back.")
    assert "not shown to be on record any more" in ended["led_to"]
    assert "An oven" in backer.run("wallet", "raised")


def test_who_lost_a_part_can_show_it(node: WalletNode, terminal_of: Opens) -> None:
    creator, backer = terminal_of("owner"), terminal_of("till")
    steps = ("--milestone", "30:now:Start", "--milestone", f"70:{date(node, 20)}:Rest")
    ends = ("--goal", 500, "--deadline", date(node, 2))
    campaign = creator.read("creator", "create-campaign", "A lamp", *ends, *steps)["campaign"]
    backer.run("wallet", "pledge", campaign, 500)
    pass_decision(node, campaign)
    creator.run("creator", "cancel-campaign", campaign)
    node.mine()
    (fact,) = backer.read("wallet", "raised")
    assert (fact["status"], fact["quantity"], fact["came_back"]) == ("cancelled", 500, 350)
    assert "The creator gave up: of 500 pledged 350 went back. Of the pledge 350 coin came back." in fact["led_to"]
    backer.run("wallet", "review", "write", campaign, "--criticise", "--score", 1)
    assert [found["what"] for found in backer.read("wallet", "raised")] == ["pledge", "review"]


def test_a_file_that_was_changed_does_not_hold(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    enrol(till, fan, program)
    fan.run("wallet", "vote", "cast", ask(owner, program), "rye")
    file, wrong = tmp_path / "raised.json", tmp_path / "wrong.json"
    fan.run("wallet", "raised", "--out", file)
    document = json.loads(file.read_bytes())
    (proof,) = (b64decode(text) for text in document["proofs"])
    changed = bytearray(proof)
    changed[-40] ^= 1
    program_proof = tmp_path / "program.proof"
    fan.run("proof", "program", program, "--out", program_proof)
    for content, code in (
        (b"nothing", "raised.file"),
        (b"[]", "raised.file"),
        (json.dumps({"format": document["format"]}).encode(), "raised.file"),
        (json.dumps({**document, "proofs": ["?"]}).encode(), "raised.file"),
        (json.dumps({**document, "proofs": [1]}).encode(), "raised.file"),
        (json.dumps({**document, "proofs": [""] * 2_001}).encode(), "raised.file"),
        (json.dumps({**document, "proofs": [b64encode(changed).decode()]}).encode(), "proof.broken"),
        (json.dumps({**document, "proofs": [b64encode(program_proof.read_bytes()).decode()]}).encode(), "raised.file"),
    ):
        wrong.write_bytes(content)
        assert code in fan.fail("proof", "raised", wrong), content
    assert "about another chain" in fan.fail("proof", "raised", file, "--chain-id", "0f" * 32)
    assert "proof.untrusted" in fan.fail("proof", "raised", file, "--trust", "0f" * 32)
    assert "cli.other_file" in fan.fail("wallet", "raised", "--out", program_proof, expect=2)
    assert "cli.bad_file" in fan.fail("proof", "check", file)


@pytest.mark.parametrize("typed", [("--program", "nonsense"), ("--trust", "nonsense")])
def test_what_is_typed_wrongly_is_named(node: WalletNode, terminal_of: Opens, typed: tuple[str, str]) -> None:
    assert "cli.bad_id" in terminal_of("fan").fail("wallet", "raised", *typed, expect=2)
