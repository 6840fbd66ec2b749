"""A lost phone, a stolen one, guardians, and keys that are changed: as people type it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from api.wallet import custody
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_advice import main_address
from tests.api.cli.test_commands_on_node import enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]
BLOCKS = 145


@pytest.fixture
def new_phone(tmp_path: Path) -> Terminal:
    """A wallet with words of its own, which are in `words` beside it."""
    found = Terminal(tmp_path / "new phone")
    (tmp_path / "words").write_text(found.read("wallet", "create")["phrase"])
    return found


@pytest.fixture
def people(terminal_of: Opens) -> tuple[Terminal, Terminal, Terminal]:
    """Two guardians with coin, and a fan."""
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    return owner, till, fan


def guard(people: tuple[Terminal, Terminal, Terminal], *options: object) -> str:
    """The fan gets coin and names the two; returns its address."""
    owner, till, fan = people
    lost = main_address(fan)
    owner.run("wallet", "send", lost, 500_000)
    fan.run("wallet", "guardians", "set", main_address(owner), main_address(till), "--delay-days", 1, *options)
    return lost


def test_a_lost_phone(node: WalletNode, people: tuple[Terminal, Terminal, Terminal], new_phone: Terminal) -> None:
    owner, till, fan = people
    lost, new = guard(people), main_address(new_phone)
    shown = fan.read("wallet", "guardians", "show")["guardians"]
    assert (shown["threshold"], len(shown["addresses"]), shown["delay_days"]) == (2, 2, 1)
    said = owner.run("wallet", "recover", "start", lost, new)
    assert "recovery" not in said and new in said
    assert "recovery.approved_already" in owner.fail("wallet", "recover", "start", lost, new)
    heard = till.hear("wallet", "recover", "start", lost, new)
    assert "recover cancel" in heard and new in heard
    status = fan.read("wallet", "recover", "status", lost)["recovery"]
    assert (status["phase"], status["new_address"]) == ("waiting", new)
    refusal = fan.fail("wallet", "send", new, 5_000)
    assert "account.recovering" in refusal and "recover cancel" in refusal
    assert "wallet.still_waiting" in new_phone.fail("wallet", "recover", "finish", lost)
    assert "wallet.other_keys" in new_phone.fail("wallet", "recover", "finish", lost, "--account", 1)
    node.chain.advance(days=1, blocks=BLOCKS)
    assert "recover finish" in new_phone.hear("wallet", "recover", "status", lost)
    owner.run("wallet", "send", new, 9_000)
    assert "is not empty" in new_phone.hear("wallet", "recover", "finish", lost)
    assert main_address(new_phone) == lost
    assert fan.read("wallet", "recover", "status", lost)["recovery"] is None
    new_phone.run("wallet", "send", main_address(owner), 5_000)
    assert "wallet.keys_changed" in fan.fail("wallet", "send", main_address(owner), 5_000)


def test_the_words_of_the_new_phone_find_the_recovered_account(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], new_phone: Terminal, tmp_path: Path
) -> None:
    owner, till, _ = people
    lost, new = guard(people), main_address(new_phone)
    for guardian in (owner, till):
        guardian.run("wallet", "recover", "start", lost, new)
    node.chain.advance(days=1, blocks=BLOCKS)
    again = Terminal(tmp_path / "again")
    again.run("wallet", "restore", "--phrase-file", tmp_path / "words")
    (row,) = again.read("wallet", "find-keys")
    assert row == {"place": "main/0", "address": lost, "key": 0, "adopted": True}
    again.run("wallet", "send", main_address(owner), 5_000)
    assert again.read("wallet", "find-keys") == []
    again.run("wallet", "rotate-key")
    third = Terminal(tmp_path / "third")
    third.run("wallet", "restore", "--phrase-file", tmp_path / "words")
    assert third.read("wallet", "find-keys") == [{"place": "main/0", "address": lost, "key": 1, "adopted": True}]
    third.run("wallet", "send", main_address(owner), 5_000)


def test_an_owner_says_no(node: WalletNode, people: tuple[Terminal, Terminal, Terminal], new_phone: Terminal) -> None:
    owner, till, fan = people
    lost, new = guard(people), main_address(new_phone)
    assert "wallet.no_recovery" in fan.fail("wallet", "recover", "cancel")
    for guardian in (owner, till):
        guardian.run("wallet", "recover", "start", lost, new)
    assert "account.recovering" in fan.fail("wallet", "guardians", "remove")
    assert fan.read("wallet", "recover", "cancel")["status"] == "confirmed"
    refusal = till.fail("wallet", "recover", "start", lost, new)
    assert "recovery.cool_down" in refusal and "what to do" in refusal
    assert fan.read("wallet", "guardians", "show")["guardians"]["not_before_date"] is not None
    fan.run("wallet", "send", new, 5_000)
    fan.run("wallet", "guardians", "remove")
    assert "nobody can bring it back" in fan.hear("wallet", "guardians", "show")
    assert "guardians.none" in till.fail("wallet", "recover", "start", lost, new)


def test_the_account_for_a_program_is_recovered_at_the_pools_cost(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], new_phone: Terminal
) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    lost = enrol(till, fan, program)
    rows = new_phone.read("wallet", "addresses", "--program", program)
    new = next(row["address"] for row in rows if row["account"] == program)
    named = (main_address(owner), main_address(till))
    fan.run("wallet", "guardians", "set", *named, "--threshold", 1, "--delay-days", 1, "--program", program)
    assert fan.read("wallet", "guardians", "show", "--program", program)["address"] == lost
    till.run("wallet", "recover", "start", lost, new)
    node.chain.advance(days=1, blocks=BLOCKS)
    assert "wallet.other_keys" in new_phone.fail("wallet", "recover", "finish", lost)
    new_phone.run("wallet", "recover", "finish", lost, "--program", program)
    new_phone.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    assert new_phone.read("wallet", "balance")[1]["address"] == lost
    new_phone.run("wallet", "leave", program)


def test_an_account_of_many_people_pays_for_its_no(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], tmp_path: Path
) -> None:
    owner, till, _ = people
    phones = [Terminal(tmp_path / f"phone {number}") for number in range(3)]
    for phone in phones:
        phone.run("wallet", "create")
    keys = [phone.read("wallet", "public-key")["public_key"] for phone in phones]
    board = tmp_path / "board.json"
    address = owner.read("wallet", "treasury", "create", *keys, "--threshold", 3, "--out", board)["address"]
    owner.run("wallet", "send", address, 1_000_000)

    def together(*command: object) -> None:
        file = owner.read("wallet", *command, "--wallet", board)["file"]
        for phone in phones:
            phone.run("wallet", "together", "sign", file)
        owner.run("wallet", "together", "submit", file)

    together("guardians", "set", main_address(owner), main_address(till), "--threshold", 1)
    till.run("wallet", "recover", "start", address, main_address(till))
    together("recover", "cancel")
    assert node.client.account(address)["guardians"]["failures"] == 1


def test_keys_that_nobody_used_in_time(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], new_phone: Terminal
) -> None:
    owner, till, fan = people
    lost, new = guard(people), main_address(new_phone)
    for guardian in (owner, till):
        guardian.run("wallet", "recover", "start", lost, new)
    node.chain.advance(days=1, blocks=BLOCKS)
    node.chain.advance(days=30, blocks=BLOCKS)
    assert "wallet.recovery_lapsed" in new_phone.fail("wallet", "recover", "finish", lost)
    fan.run("wallet", "send", main_address(owner), 5_000)


def test_mistakes_are_said(node: WalletNode, people: tuple[Terminal, Terminal, Terminal], new_phone: Terminal) -> None:
    owner, till, fan = people
    lost = guard(people, "--threshold", 1)
    refusal = new_phone.fail("wallet", "recover", "start", lost, main_address(new_phone))
    assert "coin.insufficient" in refusal or "guardians.not_one" in refusal
    assert "recovery.same_policy" in till.fail("wallet", "recover", "start", lost, lost)
    assert "guardians.none" in till.fail("wallet", "recover", "start", main_address(owner), lost)
    assert "guardians.own_account" in fan.fail("wallet", "guardians", "set", lost)
    assert "guardians.invalid" in fan.fail("wallet", "guardians", "set", main_address(owner), "--threshold", 2)
    fan.fail("wallet", "guardians", "set", main_address(owner), "--delay-days", 0, expect=2)
    assert "address." in fan.fail("wallet", "guardians", "set", "fsim1pnonsense", expect=2)
    assert "address." in fan.fail("wallet", "recover", "status", "nonsense", expect=2)
    assert "wallet.no_recovery" in new_phone.fail("wallet", "recover", "finish", lost)
    assert "wallet.keys_changed" in new_phone.fail("wallet", "recover", "finish", main_address(owner))


def test_a_key_is_changed_and_the_words_find_it(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], tmp_path: Path
) -> None:
    owner, till, fan = people
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    fan.run("wallet", "rotate-key", "--program", program)
    fan.run("wallet", "rotate-key", "--program", program)
    assert node.client.account(member)["policy_hash"] is not None
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert fan.read("wallet", "receipts", "list", program) == []
    restored = Terminal(tmp_path / "restored")
    restored.restore("fan")
    restored.run("wallet", "consent", "revoke", program, "--purpose", "personalise")
    (row,) = restored.read("wallet", "find-keys")
    assert row == {"place": f"program/{program}", "address": member, "key": 2, "adopted": False}
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert restored.read("wallet", "receipts", "list", program) == []


def test_an_account_moves_to_new_words(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], new_phone: Terminal
) -> None:
    owner, _, _ = people
    address = main_address(owner)
    key = new_phone.read("wallet", "public-key")["public_key"]
    assert new_phone.run("wallet", "public-key").strip() == key
    assert "find-keys" in owner.hear("wallet", "rotate-key", "--to-key", key)
    assert [row["address"] for row in new_phone.read("wallet", "find-keys")] == [address]
    new_phone.run("wallet", "send", address, 5_000)
    assert "wallet.keys_changed" in owner.fail("wallet", "rotate-key")
    assert "cli.bad_id" in new_phone.fail("wallet", "rotate-key", "--to-key", "8a", expect=2)


def test_words_run_out_of_keys(
    node: WalletNode, people: tuple[Terminal, Terminal, Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, _, _ = people
    monkeypatch.setattr(custody, "ROTATIONS_MAX", 1)
    owner.run("wallet", "rotate-key")
    assert "wallet.no_keys_left" in owner.fail("wallet", "rotate-key")
