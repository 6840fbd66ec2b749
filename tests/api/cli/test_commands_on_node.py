"""The commands in the order in which a brand and its fan would type them, at a node in this process."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.params import params_to_mapping
from tests.api.cli.conftest import Terminal
from tests.support.market import TERMS_FILE
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


def open_shop(owner: Terminal, till: Terminal) -> str:
    """A program with a filled pool and a till; returns its id."""
    terms = owner.home / "terms.toml"
    terms.write_text(TERMS_FILE)
    program = owner.read("brand", "create-program", terms, "--another")["program"]
    owner.run("brand", "fill-pool", program, 5_000_000)
    (address,) = [row["address"] for row in till.read("wallet", "addresses") if row["account"] == "main 0"]
    owner.run("brand", "grant-issuer", program, address, "--scopes", "till,settle,enrol,fulfil", "--daily-cap", 10**6)
    return program


def enrol(till: Terminal, fan: Terminal, program: str) -> str:
    """By invitation and request, as files; returns the fan's address."""
    invitation, request = till.home / "invitation.json", fan.home / "request.json"
    till.run("brand", "invite", program, "--out", invitation)
    fan.run("wallet", "join", invitation, "--request", request)
    assert till.read("brand", "enrol", program, request)["status"] == "confirmed"
    rows = fan.read("wallet", "addresses", "--program", program)
    return next(row["address"] for row in rows if row["account"] == program)


def buy(till: Terminal, program: str, member: str, cents: int, node: WalletNode) -> Path:
    """A signed receipt in the till's folder."""
    number = len(list((till.home / "receipts").glob("*"))) if (till.home / "receipts").exists() else 0
    file = till.home / "receipts" / f"{number}.bin"
    sign = ("brand", "sign-receipt", program, "--member", member, "--net-cents", cents, "--out", file)
    till.run(*sign, "--time", node.client.chain()["time"])
    return file


def test_brand_and_fan(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    receipt = buy(till, program, member, 4_260, node)
    buy(till, program, member, 1_000, node)
    assert fan.read("wallet", "receipts", "check", receipt)["points"] == 426
    again = ("--member", member, "--net-cents", 1, "--out", receipt)
    assert "never overwritten" in till.fail("brand", "sign-receipt", program, *again, expect=2)
    settled = till.read("brand", "settle", program, till.home / "receipts", "--last")
    assert settled["points"] == 526 and settled["entries"] == 1 and settled["skipped"] == []
    assert till.read("brand", "settle", program, till.home / "receipts", "--last")["entries"] == 0
    (opening,) = Path(settled["openings"]).iterdir()
    assert fan.read("wallet", "receipts", "check", receipt, "--opening", opening)["entry_points"] == 526
    reward = owner.read("brand", "list-reward", program, "Bread", "--price", 100)["reward"]
    hold = fan.read("wallet", "redeem", program, reward)["hold"]
    other = fan.read("wallet", "redeem", program, reward, "--price-max", 100)["hold"]
    till.run("brand", "fulfil", program, hold)
    fan.run("wallet", "cancel", program, other)
    owner.run("brand", "update-reward", program, reward, "--stock-change", -1)
    shown = fan.run("wallet", "balance")
    assert "426" in shown and "Corner Grocer" in shown and "next expiry" in shown
    history = fan.read("wallet", "history", "--program", program)
    assert history["items"][0]["name"] == "redeem.released"
    assert "redeem.released" in fan.run("wallet", "history", "--program", program)
    fan.run("wallet", "leave", program)
    assert "426" in fan.run("chain", "account", member)


def test_refusals_of_the_node_exit_with_one(node: WalletNode, terminal_of: Opens) -> None:
    owner, fan = terminal_of("owner"), terminal_of("fan")
    error = fan.fail("wallet", "leave", "5f" * 32)
    assert "program.unknown" in error and "what to do:" in error
    error = owner.fail("wallet", "send", "fsim1pnonsense", 5_000, expect=2)
    assert "address." in error
    (row,) = fan.read("wallet", "addresses")
    assert "transfer.below_minimum" in owner.fail("wallet", "send", row["address"], 5)
    said = fan.fail("wallet", "send", row["address"], 5_000)
    assert "coin.insufficient" in said and f"and the account {row['address']} can spend 0" in said
    assert "--payout" in said
    owner.run("wallet", "send", row["address"], 6_000)
    fee = int(said.split("needed, ")[1].split()[0])
    assert f"at least {5_000 + fee} coin is needed" in said
    said = fan.fail("wallet", "send", row["address"], 6_000)
    assert f"at least {6_000 + fee} coin is needed" in said and "can spend 6000" in said
    terms = fan.home / "terms.toml"
    terms.write_text(TERMS_FILE)
    said = fan.fail("brand", "create-program", terms)
    assert "coin.insufficient" in said and "can spend 6000" in said


def test_coin_consents_and_campaigns(node: WalletNode, terminal_of: Opens) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    (main,) = [row for row in fan.read("wallet", "addresses") if row["account"] == "main 0"]
    sent = owner.read("wallet", "send", main["address"], 200_000)
    assert node.client.account(main["address"])["coin"] == 200_000
    unsent = owner.read("wallet", "send", main["address"], 1_000, "--no-wait")
    assert unsent["status"] == "unconfirmed"
    node.mine()
    assert owner.read("chain", "tx", unsent["txid"])["status"] == "confirmed"
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise", "--days", 3)
    fan.run("wallet", "consent", "revoke", program, "--purpose", "personalise")
    deadline = "2026-02-01T00:00:00Z"
    make = ("creator", "create-campaign", "A game", "--goal", 10**6, "--deadline", deadline)
    campaign = owner.read(*make, "--tier", "500:10:Early")["campaign"]
    fan.run("wallet", "pledge", campaign, 500, "--tier", 1)
    assert "Early" in fan.run("creator", "status", campaign)
    points = owner.read(*make, "--program", program)["campaign"]
    buy(till, program, member, 9_000, node)
    till.run("brand", "settle", program, till.home / "receipts", "--last")
    fan.run("wallet", "pledge", points, 20)
    assert fan.read("wallet", "pledge", points, 30, "--program", program)["number"] == 1
    assert [row["number"] for row in fan.read("chain", "pledges", points)["items"]] == [0, 1]
    assert "backer" in fan.run("chain", "pledges", points)
    shown = fan.run("wallet", "history", "--program", program)
    assert "data." not in shown and "pledge.made" in shown and "quantity" in shown.splitlines()[0]
    assert fan.read("creator", "status", points)["pledged"] == 50
    check_proofs_of_each_sort(node, fan, (sent["txid"], main["address"], program, member, points))


def check_proofs_of_each_sort(node: WalletNode, fan: Terminal, ids: tuple[str, str, str, str, str]) -> None:
    """Each is fetched, and told in plain words with amounts and units."""
    txid, main, program, member, points = ids
    proof, chain_id = fan.home / "proof", node.client.chain()["chain_id"]
    fan.run("proof", "transaction", txid, "--out", proof)
    report = fan.read("proof", "check", proof, "--chain-id", chain_id)
    assert report["holds"] is True
    assert (report["shows"][0]["txid"], report["shows"][0]["kind"]) == (txid, "transfer")
    assert "200,000 coin" in fan.run("proof", "check", proof)
    fan.run("proof", "account", main, "--out", proof)
    assert f"account {main}" not in fan.run("proof", "check", proof), "a private chain's addresses need its params"
    params = fan.home / "params.json"
    params.write_text(json.dumps(params_to_mapping(node.chain.params)))
    shown = fan.run("proof", "check", proof, "--params", params)
    assert f"account {main}" in shown and "--chain-id" not in shown
    assert "another chain" in fan.fail("proof", "check", proof, "--params", params, "--chain-id", "ab" * 32)
    for sort, named, words in (
        ("program", (program,), ("totals of program", "issued", "redeemed", "fee pool")),
        ("member", (program, member), ("available", "joined", "expires on")),
        ("campaign", (points,), ('campaign "A game"', "in escrow     50 ", "goal          1,000,000 ")),
        ("pledge", (points, 0), ("pledge 0 to the campaign", "backer", "pledged       20 ")),
    ):
        fan.run("proof", sort, *named, "--out", proof, "--trust", node.client.block("1")["hash"])
        shown = fan.run("proof", "check", proof, "--trust", node.client.block("1")["hash"], "--chain-id", chain_id)
        assert shown.startswith("The proof holds. Block ")
        for word in (*words, "Taken for granted", "It descends from block 1,", "Size: "):
            assert word in shown, shown
    assert "proof.no_record" in fan.fail("proof", "pledge", points, 9, "--out", proof)
    assert "campaign.unknown" in fan.fail("proof", "campaign", program, "--out", proof)
    assert "proof.not_my_chain" in fan.fail("proof", "account", main, "--out", proof, "--trust", "ab" * 32)
    assert "proof.untrusted" in fan.fail("proof", "check", proof, "--trust", node.client.block("2")["hash"])
    proof.write_bytes(proof.read_bytes()[:-1] + b"\x00")
    assert "proof.broken" in fan.fail("proof", "check", proof)
    answer = json.loads(fan.run("proof", "check", proof, "--json", expect=1))
    assert (answer["holds"], answer["code"]) == (False, "proof.broken")


def test_chain_commands_print_tables_and_json(node: WalletNode, terminal_of: Opens) -> None:
    owner, till = terminal_of("owner"), terminal_of("till")
    program = open_shop(owner, till)
    info = owner.read("chain", "info")
    assert info["name"] == "test-sim"
    assert "test-sim" in owner.run("chain", "info")
    assert owner.read("chain", "block", 1)["height"] == 1
    assert owner.read("chain", "block", info["tip"])["height"] == info["height"]
    assert "block.unknown" in owner.fail("chain", "block", 9_999)
    assert len(owner.read("chain", "blocks", "--limit", 2)["items"]) == 2
    for command in ("blocks", "programs", "campaigns"):
        assert owner.run("chain", command)
    assert program in owner.run("chain", "programs")
    assert owner.read("chain", "program", program)["liability"]["program"] == program
    assert owner.run("chain", "program", program).count("books.issued ") == 1, "the books stand there once"
    assert "(none)" in owner.run("chain", "rewards", program)
    updated = owner.home / "terms.toml"
    updated.write_text(TERMS_FILE.replace("notice_days = 30", "notice_days = 31"))
    owner.run("brand", "update", program, updated)
    assert owner.read("chain", "program", program)["terms"]["notice_days"] == 31
    (row,) = [row for row in till.read("wallet", "addresses") if row["account"] == "main 0"]
    owner.run("brand", "revoke-issuer", program, row["address"])
    folder = buy(till, program, row["address"], 500, node).parent
    assert "settlement.foreign_receipt" in till.fail("brand", "settle", program, folder)


def test_audit_verifies_the_store(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    from ledger.params import params_to_mapping

    owner, till = terminal_of("owner"), terminal_of("till")
    open_shop(owner, till)
    (tmp_path / "params.json").write_text(json.dumps(params_to_mapping(node.chain.params)))
    verify = ("audit", "verify", "--data-dir", tmp_path / "node", "--params", tmp_path / "params.json")
    report = owner.read(*verify)
    assert report["good"] is True and report["findings"] == []
    assert report["height"] == node.client.chain()["height"]
    shown = owner.run(*verify)
    assert "everything verified" in shown and "coin emitted" in shown


def test_no_output_replaces_a_wallet(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till = terminal_of("owner"), terminal_of("till")
    program = open_shop(owner, till)
    (wallet,) = [path for path in till.home.rglob("*.json") if b"fansumer-keystore" in path.read_bytes()]
    before = wallet.read_bytes()
    assert "never overwritten" in till.fail("brand", "invite", program, "--out", wallet, expect=2)
    assert "never overwritten" in till.fail("proof", "program", program, "--out", wallet, expect=2)
    assert "never overwritten" in till.fail("chain", "dump", wallet, "http://node", expect=2)
    assert wallet.read_bytes() == before


@pytest.mark.usefixtures("no_node")
@pytest.mark.parametrize("option", ["--time", "--sequence"])
def test_a_till_signs_nothing_that_no_receipt_can_hold(terminal: Terminal, tmp_path: Path, option: str) -> None:
    command = ("brand", "sign-receipt", "5f" * 32, "--member", "x", "--net-cents", 100, "--out", tmp_path / "x.bin")
    for number in (2**63, 10**30):
        assert "less than or equal" in terminal.fail(*command, option, number, expect=2)
