"""`fansumer mine` at a node of its own: a table, lines, JSON, and what is typed wrong."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from api.cli import mine_view, session
from api.cli.up import Running, UpOptions
from api.wallet.keystore import Cost
from ledger.address import encode_address
from tests.api.cli.conftest import Terminal
from tests.support.processes import SECONDS_MAX, environment_of_child
from tests.support.stratum_world import ALICE, HARDER_PARAMS, name_of

ADDRESS = encode_address(HARDER_PARAMS.address_prefix, ALICE.address)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr(session, "KEYSTORE_COST", Cost(memory_kib=8 * 1024, iterations=1, lanes=1))
    return Terminal(tmp_path / "home")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A node with a port for miners, by the real clock."""
    options = UpOptions(port=0, miner_workers=0, stratum=("127.0.0.1", 0))
    found = Running(options, tmp_path / "node", HARDER_PARAMS, None)
    found.start()
    yield found
    found.close()


def test_as_objects_for_programs(terminal: Terminal, running: Running) -> None:
    said = terminal.run(
        "mine", "--payout", ADDRESS, "--url", running.url, "--seconds", 3, "--every", 1, "--json", "--worker", "lap"
    )
    objects = [json.loads(line) for line in said.splitlines() if line.startswith("{")]  # the node logs here too
    last = objects[-1]
    assert len(objects) >= 2
    assert last["shares"]["accepted"] >= 1 and last["hashes"] > 0 and last["hash_rate"] >= 0
    assert last["blocks"]["found"] >= 1 and last["blocks"]["in_chain"] >= 1
    assert last["earned"] >= HARDER_PARAMS.subsidy_initial
    assert float(last["difficulty"]["block"]) > 0 and last["difficulty"]["share"] is not None
    assert last["is_connected"] is True and last["fault"] is None
    assert last["blocks"]["found"] <= last["shares"]["accepted"]
    shares = terminal.read("chain", "shares", "--url", running.url)["items"]
    assert {(share["address"], share["worker"]) for share in shares} == {(ADDRESS, "lap")}


def test_as_lines_for_people_and_with_the_wallets_own_address(terminal: Terminal, running: Running) -> None:
    terminal.restore("fan")
    (own,) = terminal.read("wallet", "addresses", "--prefix", HARDER_PARAMS.address_prefix)[:1]
    said = terminal.run("mine", "--url", running.url, "--seconds", 2, "--hashlib")
    assert "hash rate: " in said and "1 x hashlib" in said and "earned: " in said and "of 0 fans" in said
    claims = terminal.read("chain", "miners", "--url", running.url)["claims"]
    assert [claim["address"] for claim in claims] == [own["address"]]


def test_what_is_typed_wrong(terminal: Terminal, running: Running) -> None:
    there = ("--url", running.url, "--payout", ADDRESS)
    assert "A-Z a-z 0-9" in terminal.fail("mine", *there, "--worker", "a b", expect=2)
    assert "HOST:PORT" in terminal.fail("mine", *there, "--stratum", "nowhere", expect=2)
    assert "address." in terminal.fail("mine", "--url", running.url, "--payout", "dfan1p", expect=2)
    assert "keystore.missing" in terminal.fail("mine", "--url", running.url)
    other = name_of(ALICE, prefix="other")
    assert "address.wrong_network" in terminal.fail("mine", "--url", running.url, "--payout", other, expect=2)
    for option in (("--seconds", 0), ("--workers", 0), ("--every", 0)):
        terminal.fail("mine", *there, *option, expect=2)


def test_a_node_that_takes_no_miners(terminal: Terminal, tmp_path: Path) -> None:
    found = Running(UpOptions(port=0, miner_workers=0), tmp_path / "node", HARDER_PARAMS, None)
    found.start()
    try:
        said = terminal.fail("mine", "--url", found.url, "--payout", ADDRESS, expect=2)
        assert "mining.port_closed" in said and "--stratum" in said
    finally:
        found.close()
    assert "client.unreachable" in terminal.fail("mine", "--url", found.url, "--payout", ADDRESS, expect=2)


def test_a_port_that_nobody_listens_at_is_said_and_tried_again(terminal: Terminal, running: Running) -> None:
    line = terminal.run(
        "mine", "--url", running.url, "--payout", ADDRESS, "--stratum", "127.0.0.1:1", "--seconds", 2, "--hashlib"
    )
    assert "not connected" in line and "refused" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_it_is_told_to(running: Running, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "api.cli.main", "mine", "--payout", ADDRESS, "--url", running.url, "--every", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment_of_child())
    assert process.stdout is not None
    try:
        assert "hash rate" in process.stdout.readline()
        process.send_signal(number)
        said, _ = process.communicate(timeout=SECONDS_MAX)
        assert process.returncode == 0 and "accepted" in said
    finally:
        process.kill()


def test_a_terminal_gets_a_table_that_renews_itself(
    terminal: Terminal, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    consoles: list[Console] = []

    def make() -> Console:
        consoles.append(Console(force_terminal=True, width=100, record=True))
        return consoles[-1]

    monkeypatch.setattr(mine_view, "Console", make)
    terminal.run("mine", "--payout", ADDRESS, "--url", running.url, "--seconds", 1, "--hashlib")
    shown = consoles[0].export_text()
    assert "hash rate" in shown and "working for" in shown
