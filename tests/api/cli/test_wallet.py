import json
from pathlib import Path

import pytest

from api.wallet.builder import Signer
from api.wallet.derivation import derive_main_seed, derive_program_seed
from api.wallet.mnemonic import derive_master_seed
from ledger.address import encode_address
from ledger.types import ProgramId
from tests.api.cli.conftest import Terminal
from tests.support.wallet_node import PHRASES

pytestmark = pytest.mark.usefixtures("no_node")
PROGRAM = "5f" * 32


def test_new_wallet_shows_its_words_once_and_restores_from_them(terminal: Terminal, tmp_path: Path) -> None:
    made = terminal.read("wallet", "create")
    assert len(made["phrase"].split()) == 24
    assert Path(made["wallet"]) == terminal.home / "wallet.json"
    assert Path(made["wallet"]).stat().st_mode & 0o077 == 0
    main = terminal.read("wallet", "addresses", "--prefix", "dfan")
    assert made["addresses"]["dev"] == main[0]["address"] and list(made["addresses"]) == ["main", "test", "dev"]
    other = Terminal(tmp_path / "other")
    (tmp_path / "words").write_text(made["phrase"].upper() + "\n")
    other.run("wallet", "restore", "--phrase-file", tmp_path / "words")
    assert other.read("wallet", "addresses", "--prefix", "dfan") == main


def test_words_are_data_and_the_rest_is_talk(terminal: Terminal) -> None:
    assert len(terminal.run("wallet", "create").split()) == 24


def test_a_new_wallet_says_its_address_without_a_node(terminal: Terminal) -> None:
    said = terminal.hear("wallet", "create", "--prefix", "corner")
    (row,) = terminal.read("wallet", "addresses", "--prefix", "corner")
    assert f"Your main address on corner: {row['address']}" in said and "dfan" not in said


def test_words_may_be_typed(terminal: Terminal) -> None:
    terminal.run("wallet", "restore", input=PHRASES["fan"] + "\n")
    master = derive_master_seed(PHRASES["fan"])
    main, second = (Signer.of_seed(derive_main_seed(master, index)).address for index in (0, 1))
    program = Signer.of_seed(derive_program_seed(master, ProgramId(bytes.fromhex(PROGRAM)))).address
    assert terminal.read("wallet", "addresses", "--prefix", "dfan", "--program", PROGRAM) == [
        {"account": "main 0", "address": encode_address("dfan", main)},
        {"account": PROGRAM, "address": encode_address("dfan", program)},
    ]
    shown = terminal.run("wallet", "addresses", "--prefix", "dfan", "--account", 1)
    assert encode_address("dfan", second) in shown


def test_a_wallet_is_never_overwritten(terminal: Terminal) -> None:
    terminal.restore("fan")
    before = (terminal.home / "wallet.json").read_bytes()
    error = terminal.fail("wallet", "create")
    assert "keystore.already_there" in error
    terminal.fail("wallet", "restore", "--phrase-file", terminal.home / "phrase.txt")
    assert (terminal.home / "wallet.json").read_bytes() == before


def test_passphrase_is_asked_where_the_environment_has_none(terminal: Terminal) -> None:
    env = {"FANSUMER_PASSPHRASE": None, "FANSUMER_HOME": str(terminal.home)}
    terminal.run("wallet", "create", input="one two\none two\n", env=env)
    shown = terminal.run("wallet", "addresses", "--prefix", "dfan", "--json", input="one two\n", env=env)
    assert "dfan1" in shown
    error = terminal.fail("wallet", "addresses", "--prefix", "dfan", input="one\n", env=env)
    assert "keystore.wrong_passphrase" in error


def test_faults_of_words_and_files_say_what_to_do(terminal: Terminal) -> None:
    assert "keystore.missing" in terminal.fail("wallet", "addresses", "--prefix", "dfan")
    assert "mnemonic.word_count" in terminal.fail("wallet", "restore", input="abandon ability\n")
    error = terminal.fail("wallet", "restore", "--phrase-file", terminal.home / "none", expect=2)
    assert "cli.file_failed" in error and "what to do:" in error
    assert "cli.bad_id" in terminal.fail("wallet", "leave", "5f5f", expect=2)
    assert "cli.bad_id" in terminal.fail("wallet", "leave", "zz" * 32, expect=2)


def test_joining_by_an_invitation_needs_no_node(terminal: Terminal) -> None:
    terminal.restore("fan")
    invitation = {
        "format": "fansumer-invitation",
        "version": 1,
        "name": "dev",
        "chain_id": "0c" * 32,
        "address_prefix": "dfan",
        "fee_rate_min": 1,
        "record_deposit": 1_000,
        "account_minimum": 1_000,
        "validity_blocks_max": 1_440,
        "program": PROGRAM,
        "issuer": "1a" * 32,
        "valid_from": 7,
        "valid_until": 99,
    }
    file, request = terminal.home / "invitation.json", terminal.home / "request.json"
    file.write_text(json.dumps(invitation))
    said = terminal.hear("wallet", "join", file, "--request", request)
    _, row = terminal.read("wallet", "addresses", "--prefix", "dfan", "--program", PROGRAM)
    assert f"by which its shops know you: {row['address']}" in said
    assert json.loads(request.read_text())["format"] == "fansumer-join-request"
    typed = terminal.run("wallet", "join", json.dumps(invitation))
    assert json.loads(typed)["format"] == "fansumer-join-request"
    file.write_text("{}")
    assert "enrolment.bad_invitation" in terminal.fail("wallet", "join", file)
    assert "cli.file_failed" in terminal.fail("wallet", "join", terminal.home / "none", expect=2)


def test_purposes_are_named(terminal: Terminal) -> None:
    error = terminal.fail("wallet", "consent", "grant", PROGRAM, "--purpose", "sell", expect=2)
    assert "personalise" in error
