"""`fansumer attest`: what init makes and never overwrites, and what run and status say without a record or a node."""

import json

from node.attest.disk import FileLock
from tests.api.cli.conftest import Terminal

NOWHERE = "ftp://node.example"


def test_init_makes_a_keystore_and_a_record(terminal: Terminal) -> None:
    made = terminal.read("attest", "init")
    assert len(made["phrase"].split()) == 24
    record = json.loads((terminal.home / "attest" / f"{made['key']}.json").read_text())
    assert (record["key"], record["chains"]) == (made["key"], {})
    assert (terminal.home / "attestor.json").stat().st_mode & 0o777 == 0o600
    assert "code: attest.record_exists" in terminal.fail("attest", "init")


def test_init_takes_a_keystore_that_is_there_and_another_key_of_its_words(terminal: Terminal) -> None:
    terminal.restore("fan")
    wallet = terminal.home / "wallet.json"
    one = terminal.read("attest", "init", "--keystore", wallet)
    other = terminal.read("attest", "init", "--keystore", wallet, "--index", 1)
    assert one["phrase"] is None
    assert one["key"] != other["key"]
    main = terminal.read("wallet", "public-key")["public_key"]
    assert main not in (one["key"], other["key"]), "an attestor's key is none that holds coin"


def test_init_for_people_says_the_words_and_the_key(terminal: Terminal) -> None:
    shown = terminal.run("attest", "init").splitlines()
    assert len(shown[0].split()) == 24
    assert len(bytes.fromhex(shown[1])) == 32


def test_without_a_record_nothing_is_signed(terminal: Terminal) -> None:
    terminal.restore("fan")
    for command in ("run", "status"):
        said = terminal.fail("attest", command, "--keystore", terminal.home / "wallet.json", "--url", NOWHERE)
        assert "code: attest.no_record" in said
        assert "fansumer attest init" in said


def test_without_a_keystore_it_says_so(terminal: Terminal) -> None:
    assert "code: keystore.missing" in terminal.fail("attest", "run")


def test_run_without_a_node_ends_with_2(terminal: Terminal) -> None:
    terminal.run("attest", "init")
    assert "code: client.unreachable" in terminal.fail("attest", "run", "--url", NOWHERE, expect=2)


def test_status_without_a_node_shows_the_record(terminal: Terminal) -> None:
    key = terminal.read("attest", "init")["key"]
    found = terminal.read("attest", "status", "--url", NOWHERE)
    assert (found["key"], found["chains"], found["node"]["code"]) == (key, [], "client.unreachable")
    assert key in terminal.run("attest", "status", "--url", NOWHERE)


def test_a_key_that_is_in_use_is_refused(terminal: Terminal) -> None:
    terminal.run("attest", "init")
    lock = FileLock((terminal.home / "attestor.json").resolve())
    assert "code: attest.in_use" in terminal.fail("attest", "run", "--url", NOWHERE)
    lock.release()


def test_a_damaged_record_is_told_as_such(terminal: Terminal) -> None:
    key = terminal.read("attest", "init")["key"]
    place = terminal.home / "attest" / f"{key}.json"
    place.write_text(place.read_text().replace('"chains": {}', '"chains": {"a": 1}'))
    assert "code: attest.record_damaged" in terminal.fail("attest", "run", "--url", NOWHERE)
