"""What `fansumer up` does to folders and ports before a node runs."""

import errno
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from rich.console import Console

from api.cli import up
from api.cli.up import list_engines
from api.service import bind_port
from ledger.networks import NETWORKS
from ledger.params import params_to_mapping
from node.errors import NodeError
from node.health import Health
from node.mining.miner import MinerFigures
from node.store.engine import StoreLock
from tests.api.cli.conftest import Terminal

QUIET = Console(quiet=True)


def code_of(action: Any, *arguments: Any) -> str:
    with pytest.raises(NodeError) as caught:
        action(*arguments)
    return caught.value.code.name


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every folder in which a replay was begun; a folder called `broken` breaks it off."""
    found: list[Path] = []

    def replay(options: Any, console: Console) -> Any:
        found.append(options.folder)
        (options.folder / "chain.sqlite").write_text("demo")
        if options.folder.name == "broken" and len(found) == 1:
            raise KeyboardInterrupt
        return SimpleNamespace(to_mapping=lambda: {"weeks": 4})

    monkeypatch.setattr(up, "run_replay", replay)
    return found


def test_the_demo_is_made_once(replays: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "demo"
    up.prepare_demo(folder, QUIET)
    up.prepare_demo(folder, QUIET)
    assert replays == [folder]
    assert sorted(path.name for path in folder.iterdir()) == ["chain.sqlite", "lock", "replay.json"]


def test_a_replay_that_was_broken_off_is_made_anew(replays: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        up.prepare_demo(folder, QUIET)
    left = [folder / name for name in ("chain.sqlite-wal", "receipts.sqlite", "receipts.sqlite-wal")]
    for path in left:
        path.write_text("left behind")
    up.prepare_demo(folder, QUIET)
    assert len(replays) == 2
    assert [path for path in left if path.exists()] == []


def test_the_demo_never_deletes_another_chain(replays: list[Path], tmp_path: Path) -> None:
    store = tmp_path / "chain.sqlite"
    store.write_text("somebody's chain")
    assert code_of(up.prepare_demo, tmp_path, QUIET) == "demo.folder_in_use"
    assert store.read_text() == "somebody's chain"
    assert replays == []


def test_two_demos_are_not_made_in_one_folder_at_once(replays: list[Path], tmp_path: Path) -> None:
    lock = StoreLock(tmp_path)
    try:
        assert code_of(up.prepare_demo, tmp_path, QUIET) == "store.in_use"
    finally:
        lock.release()
    assert replays == []


def test_a_demo_whose_fan_is_told_nothing_is_no_good() -> None:
    report = {"program": "5f" * 32, "shown_fans": {"agreeing": 2, "refusing": 12}}
    client = Mock()
    client.chain.return_value = {"address_prefix": "dfan"}
    client.personal.messages.return_value = {"items": [{"text": "You might like it."}, {"text": "Later."}]}
    assert up.read_message(client, report) == "You might like it."
    client.personal.messages.return_value = {"items": []}
    assert code_of(up.read_message, client, report) == "smoke.failed"
    nobody = report | {"shown_fans": {"agreeing": None, "refusing": 12}}
    assert code_of(up.read_message, client, nobody) == "smoke.failed"


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [(("up", "--demo"), "demo"), (("up",), "dev"), (("node", "run", "--network", "sim"), "sim")],
)
def test_each_chain_has_a_folder_of_its_own(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], folder: str
) -> None:
    seen: list[up.UpOptions] = []
    for name in ("run_demo", "run_up"):
        monkeypatch.setattr(up, name, lambda options, console: seen.append(options))
    terminal.run(*arguments)
    assert [options.data_dir for options in seen] == [terminal.home / folder]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.0.0.0:3333", ("0.0.0.0", 3333)),
        ("[::]:1", ("::", 1)),
        ("[2001:db8::1]:0", ("2001:db8::1", 0)),
        ("pool.example:65535", ("pool.example", 65_535)),
    ],
)
def test_where_miners_are_taken(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, text: str, found: tuple[str, int]
) -> None:
    seen: list[up.UpOptions] = []
    monkeypatch.setattr(up, "run_up", lambda options, console: seen.append(options))
    terminal.run("node", "run", "--stratum", text)
    terminal.run("up", "--stratum", text)
    terminal.run("up")
    assert [options.stratum for options in seen] == [found, found, None]


@pytest.mark.parametrize(
    "text", ["", "3333", ":3333", "host", "host:", "host:99999", "::1:3333", "[::1]", "http://host:1", "a b:1"]
)
def test_what_is_no_place_for_miners(terminal: Terminal, text: str) -> None:
    assert "HOST:PORT" in terminal.fail("node", "run", "--stratum", text, expect=2)


@pytest.mark.parametrize(
    ("engines", "said"),
    [
        (("kernel",), "kernel, in 1 process"),
        (("kernel", "kernel"), "kernel, in 2 processes"),
        (("hashlib", "kernel", "hashlib"), "hashlib, in 2 processes; kernel, in 1 process"),
    ],
)
def test_what_the_miner_hashes_with_is_said(engines: tuple[str, ...], said: str) -> None:
    figures = MinerFigures(hashes=0, blocks=0, engines=engines, is_settled=True)
    assert list_engines(figures) == said


def test_params_are_kept_beside_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = tmp_path / "private.json", tmp_path / "chain"
    file.write_text(json.dumps(params_to_mapping(NETWORKS["sim"]) | {"name": "private"}))
    listener = Mock(getsockname=lambda: ("127.0.0.1", 1))
    monkeypatch.setattr(up, "bind_port", lambda host, port: listener)
    monkeypatch.setattr(up, "_serve", lambda running, console, hints: running.close())
    up.run_up(up.UpOptions(data_dir=folder, port=0, params_file=file), QUIET)
    assert up.find_params(up.UpOptions(), folder).name == "private"
    up.run_up(up.UpOptions(data_dir=folder, port=0), QUIET)  # the same chain, without being told


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EADDRINUSE, "api.port_in_use"),
        (errno.EACCES, "api.not_bound"),
        (errno.EADDRNOTAVAIL, "api.not_bound"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_told_apart_from_a_taken_port(
    monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    listener = Mock()
    listener.bind.side_effect = OSError(number, "refused")
    monkeypatch.setattr(socket, "socket", lambda *_: listener)
    assert code_of(bind_port, "203.0.113.1", 80) == code
    listener.close.assert_called_once()


def test_a_node_at_a_broken_invariant_closes_itself_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Mock(url="http://node", service=Mock(is_serving=True))
    running.node.health, running.node.stratum = Health(), None
    running.check = lambda: up.Running.check(running)
    monkeypatch.setattr(up.signal, "signal", lambda *_: None)  # Ctrl-C stays the test run's
    with pytest.raises(AssertionError), running.node.health.writing():
        raise AssertionError("points do not add up")
    assert code_of(up._serve, running, QUIET, lambda _: []) == "node.broken"
    running.close.assert_called_once()
    running.node.health = Health()
    running.service.is_serving = False
    assert code_of(up._serve, running, QUIET, lambda _: []) == "api.stopped"
