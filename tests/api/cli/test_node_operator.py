"""What the operator's commands say where they can't do what was asked: no node there, addresses that are none."""

import json

import pytest

from api.operator_cookie import COOKIE_FILE, make_cookie, read_cookie, remove_cookie
from tests.api.cli.conftest import Terminal


@pytest.mark.parametrize("command", [("status",), ("peers",), ("ban", "203.0.113.7"), ("unban", "203.0.113.7")])
def test_without_a_node_that_runs_every_command_says_so(terminal: Terminal, command: tuple[str, ...]) -> None:
    said = terminal.fail("node", *command, "--network", "sim")
    assert "code: operator.not_running" in said
    assert "there is no operator.json" in said


@pytest.mark.parametrize("option", ["--listen", "--peer"])
@pytest.mark.parametrize("wrong", ["host:99999", ":8790", "[::1", "host:8x"])
def test_what_is_no_address_is_refused_before_anything_starts(terminal: Terminal, option: str, wrong: str) -> None:
    said = terminal.fail("node", "run", "--network", "sim", option, wrong, "--data-dir", terminal.home / "node")
    assert "code: p2p.address" in said
    assert not (terminal.home / "node").exists()


def test_port_0_is_for_listening_only(terminal: Terminal) -> None:
    said = terminal.fail("node", "run", "--network", "sim", "--peer", "host:0", "--data-dir", terminal.home / "node")
    assert "1 to 65535" in said


def test_a_cookie_is_for_its_owner_and_goes_with_the_node(terminal: Terminal) -> None:
    folder = terminal.home / "node"
    folder.mkdir(parents=True)
    made = make_cookie(folder, "http://127.0.0.1:1")
    assert (folder / COOKIE_FILE).stat().st_mode & 0o777 == 0o600
    assert read_cookie(folder) == made
    assert made.secret not in repr(made)
    assert make_cookie(folder, "http://127.0.0.1:1").secret != made.secret
    remove_cookie(folder)
    remove_cookie(folder)
    for text in ("", "{", "[]", json.dumps({"url": "x"})):
        (folder / COOKIE_FILE).write_text(text)
        said = terminal.fail("node", "status", "--data-dir", folder)
        assert "code: operator.not_running" in said
