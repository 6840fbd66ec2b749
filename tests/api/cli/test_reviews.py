"""Reviews, missions and contributions as a fan and a brand type them, at a node in this process."""

from collections.abc import Callable
from pathlib import Path

import time_machine

from api.cli.texts import MISSING
from ledger.address import encode_address
from ledger.domains.voice.texts import decode_text
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode, main_signer

Opens = Callable[[str], Terminal]


def written(terminal: Terminal, name: str, text: str) -> Path:
    """A file that somebody wrote."""
    path = terminal.home / name
    path.write_text(text)
    return path


def main_address(node: WalletNode) -> str:
    """The till's main account."""
    return encode_address(node.chain.params.address_prefix, main_signer("till").address)


def test_a_brand_that_wants_criticism_gone(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    lamp = written(fan, "lamp.txt", "The lamp flickers.\n")
    member = enrol(till, fan, program)
    assert "review.no_standing" in fan.fail("wallet", "review", "write", program, "--criticise", "--score", 1)
    buy(till, program, member, 4_260, node)
    till.run("brand", "settle", program, till.home / "receipts", "--last")
    said = fan.read("wallet", "review", "write", program, "--criticise", "--score", 2, "--text", lamp)
    assert decode_text(Path(said["text_file"]).read_bytes()).text == "The lamp flickers."
    shown = owner.read("chain", "reviews", program)
    assert shown["scores"] == {"endorsing": [0] * 5, "criticising": [0, 1, 0, 0, 0], "replies": 0}
    (review,) = shown["items"]
    assert (review["says"], review["stance"], review["author"]) == ("The lamp flickers.", "criticise", member)
    table = owner.run("chain", "reviews", program)
    assert "The lamp flickers." in table
    assert "1 x 2" in table
    sorry = written(owner, "sorry.txt", "We replace it.")
    assert "review.not_subject" in till.fail("brand", "reply", program, member, "--text", sorry)
    assert "review.unknown" in owner.fail("brand", "reply", program, main_address(node), "--text", sorry)
    owner.run("brand", "reply", program, member, "--text", sorry)
    good = written(fan, "good.txt", "They replaced it.")
    fan.run("wallet", "review", "write", program, "--endorse", "--score", 4, "--text", good)
    (mine,) = fan.read("wallet", "review", "list", "--program", program)
    assert (mine["says"], mine["answer"], mine["revisions"]) == ("They replaced it.", "We replace it.", 2)
    assert fan.read("wallet", "review", "list") == []
    revisions = node.client.reviews.revisions(bytes.fromhex(program), member)["items"]
    assert [(row["revision"], row["stance"], row["score"]) for row in revisions] == [
        (2, "endorse", 4),
        (1, "criticise", 2),
    ]
    told = owner.read("chain", "reviews", program, "--author", member)
    assert [row["says"] for row in told] == ["They replaced it.", "The lamp flickers."]
    assert "The lamp flickers." in owner.run("chain", "reviews", program, "--author", member)
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert owner.read("wallet", "review", "erase-text", program, mine["text"]) == {"erased": 0}
        assert fan.read("wallet", "review", "erase-text", program, mine["text"]) == {"erased": 1}
    (left,) = owner.read("chain", "reviews", program)["items"]
    assert (left["says"], left["stance"], left["score"]) == (MISSING, "endorse", 4)
    kept = fan.home / "texts" / mine["text"]
    assert "text.erased" in fan.fail("wallet", "review", "publish", kept)
    assert fan.read("wallet", "review", "publish", said["text_file"])["is_new"] is False
    assert "text as it was kept" in fan.fail("wallet", "review", "publish", lamp)


def test_a_contribution_and_what_came_of_it(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    what = written(owner, "what.txt", "Read the label aloud.")
    made = owner.read(
        "brand", "mission", "create", program, "Label", "--text", what, "--until", "2038-01-01", "--places", 1
    )
    (mission,) = fan.read("brand", "mission", "list", program)
    assert (mission["id"], mission["open"], mission["text_here"]) == (made["mission"], True, True)
    assert "Label" in fan.run("brand", "mission", "list", program)
    report, slip = written(fan, "report.txt", "All read."), tmp_path / "slip.bin"
    by_till = ("brand", "mission", "slip", program, member, "--work", report, "--out", slip)
    assert "is none" in till.fail(*by_till, "--role", "sleeping", expect=2)
    assert "scope record" in till.hear(*by_till, "--role", "testing", "--mission", made["mission"])
    assert "contribution.not_an_issuer" in fan.fail("wallet", "contribute", slip)
    key = main_address(node)
    owner.run(
        "brand",
        "grant-issuer",
        program,
        key,
        "--scopes",
        "till,settle,enrol,fulfil,adjust,record",
        "--daily-cap",
        10**6,
    )
    node.mine()
    till.run(*by_till, "--role", "testing", "--mission", made["mission"], "--force")
    assert "slip.not_yours" in owner.fail("wallet", "contribute", slip)
    said = fan.hear("wallet", "contribute", slip)
    contribution = said.split("contribution ")[1].split()[0]
    assert "contribution.recorded" in fan.fail("wallet", "contribute", slip)
    (row,) = fan.read("chain", "contributions", program)
    assert (row["id"], row["fan"], row["role"], row["product"]) == (contribution, member, "testing", None)
    assert "testing" in fan.run("chain", "contributions", program)
    owner.run("brand", "list-reward", program, "Lamp", "--price", 10, "--stock", 5)
    (reward,) = fan.read("chain", "rewards", program)["items"]
    credit = ("brand", "mission", "credit", contribution)
    assert "one of" in owner.fail(*credit, expect=2)
    assert "program.not_owner" in till.fail(*credit, "--reward", reward["id"])
    assert "contribution.no_product" in owner.fail(*credit, "--campaign", "5f" * 32)
    owner.run(*credit, "--reward", reward["id"])
    assert node.client.reviews.contribution(bytes.fromhex(contribution))["product"] == reward["id"]
    said = fan.run("wallet", "review", "write", program, "--endorse", "--score", 5)
    assert "confirmed" in said
    damaged = bytearray(slip.read_bytes())
    damaged[-1] ^= 1
    slip.write_bytes(bytes(damaged))
    assert "slip.not_signed" in fan.fail("wallet", "contribute", slip)
    assert "no slip" in fan.fail("wallet", "contribute", report)
