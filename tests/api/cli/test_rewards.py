"""Rewards at the command line: limits and values, parts with voucher codes, refunds, and a shop that accepts at once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


@pytest.fixture
def people(node: WalletNode, terminal_of: Opens) -> tuple[Terminal, Terminal, Terminal, str]:
    """Owner, till and fan with 1,000 points, and the program."""
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    buy(till, program, enrol(till, fan, program), 10_000, node)
    till.run("brand", "settle", program, till.home / "receipts", "--last")
    return owner, till, fan, program


def test_parts_codes_and_refunds(people: tuple[Terminal, Terminal, Terminal, str]) -> None:
    owner, till, fan, program = people
    reward = owner.read("brand", "list-reward", program, "Voucher", "--price", 100, "--stock", 9)["reward"]
    hold = fan.read("wallet", "redeem", program, reward, "--quantity", 3)["hold"]
    (waiting,) = till.read("brand", "redemptions", program, "--open")
    assert (waiting["id"], waiting["held"]) == (hold, 3)
    file = till.home / "vouchers.json"
    fulfil = ("brand", "fulfil", program, hold)
    assert "go together" in till.fail(*fulfil, "--code", "SPRING-7Q2", expect=2)
    assert "either --code or --code-hash" in till.fail(
        *fulfil, "--code", "A", "--vouchers", file, "--code-hash", "c0" * 32, expect=2
    )
    assert "voucher.shape" in till.fail(*fulfil, "--code", "", "--vouchers", file)
    first = till.read(*fulfil, "--code", "SPRING-7Q2", "--code", "SPRING-8R3", "--vouchers", file)["fulfilment"]
    shown = fan.read("wallet", "redemption", hold)
    assert (shown["fulfilled"], shown["held"]) == (2, 1)
    prove = ("wallet", "prove-code")
    rows = fan.read(*prove, file, "--redemption", hold)
    assert [(row["code"], row["proved"]) for row in rows] == [("SPRING-7Q2", True), ("SPRING-8R3", True)]
    assert "SPRING-8R3" in fan.run(*prove, file, "--redemption", hold)
    voucher = json.loads(file.read_text())["vouchers"][0]
    by_hand = (*prove, "--code", "SPRING-7Q2", "--salt", voucher["salt"])
    assert fan.read(*by_hand, "--commitment", voucher["commitment"])[0]["proved"] is True
    assert "voucher.wrong_code" in fan.fail(*by_hand, "--commitment", "c0" * 32)
    assert "voucher.wrong_code" in fan.fail(
        *prove, "--code", "SPRING-7Q3", "--salt", voucher["salt"], "--redemption", hold
    )
    second = till.read(*fulfil)["fulfilment"]
    assert "redeem.quantity_above" in till.fail("brand", "refund", program, second, "--quantity", 2)
    till.run("brand", "refund", program, first, "--quantity", 2)
    assert "redeem.not_refundable" in till.fail("brand", "refund", program, first)
    assert "redeem.unknown" in till.fail(*fulfil)
    (mine,) = fan.read("wallet", "redemptions", program)
    assert (mine["fulfilled"], mine["refunded"], mine["held"]) == (3, 2, 0)
    assert hold in fan.run("wallet", "redemptions", program)
    assert hold in till.run("brand", "redemptions", program)
    for table in (till.run("brand", "redemptions", program), fan.run("wallet", "redemptions", program)):
        assert first in table and second in table, "a refund needs the id of what was handed out"
    assert till.read("brand", "redemptions", program, "--open") == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"vouchers": []}', '{"vouchers": [1]}', '{"vouchers": [{"code": "A", "salt": "zz"}]}']
    + ['{"vouchers": [{"code": "A", "salt": "00"}]}'],
)
@pytest.mark.usefixtures("no_node")
def test_files_that_hold_no_vouchers(terminal: Terminal, tmp_path: Path, content: str) -> None:
    file = tmp_path / "vouchers.json"
    file.write_text(content)
    assert "voucher.bad_file" in terminal.fail("wallet", "prove-code", file, "--commitment", "c0" * 32)


@pytest.mark.usefixtures("no_node")
def test_what_a_proof_of_a_code_needs(terminal: Terminal, tmp_path: Path) -> None:
    prove = ("wallet", "prove-code")
    assert "either FILE" in terminal.fail(*prove, "--commitment", "c0" * 32, expect=2)
    assert "either FILE" in terminal.fail(*prove, "--code", "A", "--commitment", "c0" * 32, expect=2)
    assert "either --redemption" in terminal.fail(*prove, "--code", "A", "--salt", "00" * 32, expect=2)
    assert "cli.bad_id" in terminal.fail(*prove, "--code", "A", "--salt", "00", "--commitment", "c0" * 32, expect=2)


def test_limits_windows_and_the_floor(people: tuple[Terminal, Terminal, Terminal, str], node: WalletNode) -> None:
    owner, _, fan, program = people
    terms = owner.home / "terms.toml"
    terms.write_text(
        terms.read_text().replace("# [terms.floor]", "[terms.floor]").replace("# points = 100 ", "points = 100 ")
    )
    terms.write_text(terms.read_text().replace("# cents = 80", "cents = 80"))
    owner.run("brand", "update", program, terms)
    assert owner.read("chain", "program", program)["terms"]["floor"] == {"points": 100, "cents": 80}
    offer = ("brand", "list-reward", program, "Coffee", "--price", 100)
    assert "reward.below_floor" in owner.fail(*offer, "--value-cents", 79)
    assert "reward.limit" in owner.fail(*offer, "--value-cents", 80, "--limit-count", 1)
    assert "reward.no_such_tier" in owner.fail(*offer, "--value-cents", 80, "--tier-min", 1)
    assert "reward.window" in owner.fail(*offer, "--value-cents", 80, "--opens-at", 9, "--closes-at", 9)
    now = node.client.chain()["time"]
    bounds = ("--limit-total", 3, "--limit-count", 1, "--limit-days", 7, "--closes-at", now + 86_400)
    reward = owner.read(*offer, "--value-cents", 80, *bounds)["reward"]
    hold = fan.read("wallet", "redeem", program, reward)["hold"]
    assert "redeem.limit_reached" in fan.fail("wallet", "redeem", program, reward)
    fan.run("wallet", "cancel", program, hold)
    owner.run("brand", "update-reward", program, reward, "--price", 90)
    shown = node.client.rewards(bytes.fromhex(program))["items"][0]
    assert (shown["price"], shown["closes_at"], shown["announced"]) == (90, now + 86_400, None)
    assert shown["limit"] == {"total": 3, "count": 1, "days": 7}
    owner.run("brand", "update-reward", program, reward, "--limit-total", 0, "--closes-at", 0)
    shown = node.client.rewards(bytes.fromhex(program))["items"][0]
    assert (shown["limit"]["total"], shown["closes_at"]) == (0, None)
    owner.run("brand", "update-reward", program, reward, "--price", 95, "--limit-count", 1, "--limit-days", 30)
    announced = node.client.rewards(bytes.fromhex(program))["items"][0]["announced"]
    assert (announced["price"], announced["limit"]["days"]) == (95, 30)
    assert "wallet.no_reward" in owner.fail("brand", "update-reward", program, "ab" * 32)
    assert "redeem.price_above" in fan.fail("wallet", "redeem", program, reward, "--price-max", 1)


def test_a_shop_accepts_at_once(people: tuple[Terminal, Terminal, Terminal, str], node: WalletNode) -> None:
    owner, till, fan, program = people
    reward = owner.read("brand", "list-reward", program, "Bread", "--price", 100)["reward"]
    sent = fan.read("wallet", "redeem", program, reward, "--no-wait")
    assert (sent["status"], sent["standing"], sent["confirmations"]) == ("unconfirmed", "waiting", 0)
    word = till.home / "acceptance.bin"
    now = node.chain.clock.now()
    by_fan = fan.fail("brand", "accept", sent["txid"], "--time", now)
    assert "acceptance.till_not_granted" in by_fan
    assert "acceptance.wrong_time" in till.fail("brand", "accept", sent["txid"])
    accepted = till.read("brand", "accept", sent["txid"], "--depth", 2, "--time", now, "--out", word)
    assert accepted["standing"] == "accepted by the shop"
    node.mine()
    shown = fan.run("wallet", "redemption", sent["hold"])
    assert "accepted by the shop" in shown and "at its own risk until 2 blocks" in shown
    copy = fan.home / "acceptance.bin"
    fan.run("wallet", "redemption", sent["hold"], "--out", copy)
    assert copy.read_bytes() == word.read_bytes()
    assert "acceptance.nothing_to_bear" in till.fail("brand", "accept", sent["hold"], "--time", now)
    node.mine()
    assert fan.read("wallet", "redemption", sent["txid"])["standing"] == "settled"
    addresses = {
        name: one.read("wallet", "addresses")[0]["address"] for name, one in (("till", till), ("owner", owner))
    }
    check = ("wallet", "check-acceptance", copy)
    chain_id = node.client.chain()["chain_id"]
    offline = (*check, "--chain-id", chain_id, "--prefix", "fsim")
    assert fan.read(*offline, "--till", addresses["till"])["redemption"] == sent["hold"]
    assert fan.read(*check)["till"] == addresses["till"]
    said = fan.fail(*offline, "--till", addresses["owner"])
    assert "acceptance.wrong_till" in said and f"signed by {addresses['till']}, not by {addresses['owner']}" in said
    assert "acceptance.wrong_signature" in fan.fail(*check, "--chain-id", "ab" * 32)
    assert "--prefix" in fan.fail(*check, "--chain-id", chain_id, "--till", addresses["till"], expect=2)
    spoiled = bytearray(copy.read_bytes())
    spoiled[-1] ^= 1
    copy.write_bytes(bytes(spoiled))
    assert "acceptance.wrong_signature" in fan.fail(*check)
    copy.write_bytes(b"nonsense")
    assert "cli.bad_file" in fan.fail(*check)
    settled = fan.read("wallet", "redeem", program, reward, "--until-settled")
    assert (settled["standing"], settled["confirmations"]) == ("settled", 6)
    assert "not accepted" in fan.fail("wallet", "redemption", settled["hold"], "--out", copy, expect=2)
    assert "redemption.unknown" in till.fail("brand", "accept", "ab" * 32)


def test_a_brand_says_what_it_waits_for(people: tuple[Terminal, Terminal, Terminal, str], node: WalletNode) -> None:
    owner, till, fan, program = people
    reward = owner.read("brand", "list-reward", program, "Bread", "--price", 100)["reward"]
    choose = ("brand", "hand-out", program)
    assert (fan.read(*choose)["level"], fan.read(*choose)["blocks"]) == ("blocks", 6)
    for wrong in ("soon", "0", "10001"):
        assert "a number of blocks from 1 to 10,000" in owner.fail(*choose, wrong, expect=2)
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert "hand_out.not_owner" in till.fail(*choose, "pool")
        assert "hand_out.no_attestors" in owner.fail(*choose, "final")
        assert "once 3 blocks stand on it" in owner.run(*choose, "3")
    assert fan.read("chain", "program", program)["hand_out"]["blocks"] == 3
    hold = fan.read("wallet", "redeem", program, reward, "--quantity", 2)["hold"]
    listing, fulfil = ("brand", "redemptions", program), ("brand", "fulfil", program, hold, "--quantity", 1)
    assert till.read(*listing, "--ready") == []
    (waiting,) = till.read(*listing, "--open")
    assert (waiting["standing"], waiting["waits_for"]["blocks"]) == ("waiting", 3)
    assert "1 block deep" in till.run(*listing)
    assert "handed out once 3 blocks stand on it" in till.hear(*listing)
    shown = fan.read("wallet", "redemption", hold)
    assert shown["says"] == "The points are held. It is safe for the shop once 3 blocks stand on it; now 1 does."
    heard = till.hear(*fulfil)
    assert "warning: this is earlier than you said: The points are held. It is safe for the shop once 3 blocks" in heard
    node.mine()
    assert [found["id"] for found in till.read(*listing, "--ready")] == [hold]
    assert "earlier than you said" not in till.hear(*fulfil)
    assert till.read(*listing, "--ready") == [], "nothing of it is held any more"
    settled = fan.read("wallet", "redeem", program, reward, "--until-settled")
    assert (settled["standing"], settled["confirmations"]) == ("settled", 3)


def test_a_brand_that_waits_for_nothing(people: tuple[Terminal, Terminal, Terminal, str], node: WalletNode) -> None:
    owner, _, fan, program = people
    reward = owner.read("brand", "list-reward", program, "Bread", "--price", 100)["reward"]
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert "once it is seen" in owner.run("brand", "hand-out", program, "pool")
    seen = fan.read("wallet", "redeem", program, reward, "--no-wait")
    assert (seen["standing"], seen["status"], seen["confirmations"]) == ("settled", "unconfirmed", 0)
    assert seen["says"] == "The shop hands it out once it is seen; now it is in no block."
