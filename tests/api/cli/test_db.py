"""`fansumer db`, and every command that takes --database: on an SQLite folder and on a PostgreSQL server."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from ledger.params import params_to_mapping
from node.clock import ManualClock
from node.node import Node, NodeConfig
from node.store import postgres as module
from tests.api.cli.conftest import Terminal
from tests.node.stored_chain import MINER
from tests.support.memory_chain import sim_params
from tests.support.shop import FAN
from tests.support.stores import SQLITE, change_store, store_url

PARAMS = sim_params(FAN.address)
NEWEST = "0002"


@pytest.fixture(autouse=True)
def no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is refused its store listens nowhere, so no port is needed here."""
    monkeypatch.setattr("api.cli.up.bind_port", Mock())


@pytest.fixture
def where(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that name a store with three blocks. Its params lie beside it."""
    monkeypatch.setitem(module.WRITER_SETTINGS, "lock_timeout", "200")
    folder, url = tmp_path / "data", None
    options = ["--data-dir", str(folder)]
    folder.mkdir()
    (folder / "params.json").write_text(json.dumps(params_to_mapping(PARAMS)))
    if database != SQLITE:
        url = store_url(folder / "chain.sqlite")
        options += ["--database", url.replace("+psycopg", "")]
    node = Node(NodeConfig(folder, PARAMS, url), ManualClock(PARAMS.genesis_time + 10**6))
    miner = node.start_miner(MINER, workers=0)
    for number in range(3):
        assert miner.mine_one(type(PARAMS.genesis_time)(PARAMS.genesis_time + 60 * number)) is not None
    node.close()
    return options


def chain_path(where: list[str]) -> Path:
    return Path(where[1]) / "chain.sqlite"


def test_a_good_store_is_in_order(terminal: Terminal, where: list[str]) -> None:
    lines = terminal.run("db", "check", *where).splitlines()
    assert lines[0].startswith("store ")
    assert any(line.split() == ["schema", "ok", "version", f"{NEWEST},", "the", "newest"] for line in lines)
    assert lines[-1].startswith("all is in order, ")
    found = terminal.read("db", "check", *where)
    assert found["good"] is True
    assert [entry["name"] for entry in found["checks"]][-1] == "rebuilt"
    assert "height 3, tip " in {entry["name"]: entry["text"] for entry in found["checks"]}["active chain"]
    quick = terminal.read("db", "check", *where, "--quick")
    assert len(quick["checks"]) == len(found["checks"]) - 1


def test_a_damaged_store_is_not(terminal: Terminal, where: list[str]) -> None:
    assert change_store(chain_path(where), "DELETE FROM undo WHERE height = 2") == 1
    lines = terminal.run("db", "check", *where, expect=1).splitlines()
    assert any(line.startswith("undo") and "WRONG" in line for line in lines)
    assert "checks failed" in lines[-2]
    assert lines[-1].startswith("what to do: ")
    result = json.loads(terminal.run("db", "check", *where, "--json", expect=1))
    assert result["good"] is False
    assert {entry["code"] for entry in result["checks"]} == {None, "check.damaged"}


def test_migrating_what_is_current_changes_nothing(terminal: Terminal, where: list[str]) -> None:
    assert terminal.run("db", "migrate", *where).endswith(f": version {NEWEST}, nothing to do\n")
    found = terminal.read("db", "migrate", *where)
    assert (found["from"], found["to"], found["changed"]) == (NEWEST, NEWEST, False)


def test_an_empty_database_gets_its_tables(terminal: Terminal, database: str, tmp_path: Path) -> None:
    if database == SQLITE:
        where = ["--database", f"sqlite:///{tmp_path / 'new.sqlite'}"]
    else:
        where = ["--database", store_url(tmp_path / "new.sqlite")]
    assert "check.no_tables" in terminal.fail("db", "check", *where, expect=2)
    assert terminal.run("db", "migrate", *where).endswith(f": from no tables to version {NEWEST}\n")
    assert "store.empty" in terminal.fail("db", "check", *where, expect=2)


def test_no_command_touches_a_store_in_use(terminal: Terminal, where: list[str]) -> None:
    url = where[3] if len(where) > 2 else None
    node = Node(NodeConfig(Path(where[1]), PARAMS, url))
    message = terminal.fail("db", "migrate", *where)
    assert "code: store.in_use" in message
    if url is not None:
        other = ["--database", url, "--data-dir", str(Path(where[1]).parent / "other")]
        params = ["--params", str(Path(where[1]) / "params.json")]
        for command in (("node", "run"), ("up",)):
            assert "code: store.in_use" in terminal.fail(*command, *other, *params, "--port", 0)
    terminal.run("db", "check", *where)
    terminal.run("audit", "verify", *where)
    node.close()


def test_what_is_not_there_is_named(terminal: Terminal, tmp_path: Path) -> None:
    for command in ("check", "migrate"):
        message = terminal.fail("db", command, "--data-dir", tmp_path / "none", expect=2 if command == "check" else 1)
        assert f"there is no store at {tmp_path / 'none'}" in message
        assert "what to do: " in message
    assert not (tmp_path / "none").exists()
    assert "store.other_chain" in terminal.fail(
        "db", "check", *_made(terminal, tmp_path), "--network", "test", expect=2
    )


def _made(terminal: Terminal, tmp_path: Path) -> list[str]:
    Node(NodeConfig(tmp_path / "made", PARAMS)).close()
    return ["--data-dir", str(tmp_path / "made")]


SECRET = "not-to-be-seen"


@pytest.mark.parametrize("url", [f"postgresql://fan:{SECRET}@127.0.0.1:1/x", f"oracle://fan:{SECRET}@host/x", SECRET])
def test_no_command_prints_a_password(terminal: Terminal, tmp_path: Path, url: str) -> None:
    commands = (
        ("db", "check"),
        ("db", "migrate"),
        ("audit", "verify"),
        ("node", "run", "--port", 0),
        ("up", "--port", 0),
    )
    for command in commands:
        expect = 2 if command[1] in ("check", "verify") else 1
        message = terminal.fail(*command, "--data-dir", tmp_path / "data", "--database", url, expect=expect)
        assert SECRET not in message
        assert "what to do: " in message
        assert "code: store.u" in message


def test_the_demo_has_a_store_of_its_own(terminal: Terminal) -> None:
    for option in ("--demo", "--smoke"):
        assert "store of their own" in terminal.fail("up", option, "--database", "postgresql://fan@host/x", expect=2)


@pytest.mark.parametrize("command", ["migrate", "check"])
def test_help_shows_an_example(terminal: Terminal, command: str) -> None:
    assert f"fansumer db {command} --database postgresql://" in terminal.run("db", command, "--help")
