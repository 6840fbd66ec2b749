"""What the operator's commands say where they can't do what was asked: no node there, addresses that are none."""

import pytest

from api.node_place import URL_FILE, read_place, remove_url, write_url
from node.cookie import COOKIE_FILE, Cookie
from tests.api.cli.conftest import Terminal


@pytest.mark.parametrize("command", [("status",), ("peers",), ("ban", "203.0.113.7"), ("unban", "203.0.113.7")])
def test_without_a_node_that_runs_every_command_says_so(terminal: Terminal, command: tuple[str, ...]) -> None:
    said = terminal.fail("node", *command, "--network", "sim")
    assert "code: operator.not_running" in said
    assert "there is no api.url" in said


@pytest.mark.parametrize("option", ["--listen", "--peer", "--stratum"])
@pytest.mark.parametrize("wrong", ["host:99999", ":8790", "[::1", "host:8x"])
def test_what_is_no_address_is_refused_before_anything_starts(terminal: Terminal, option: str, wrong: str) -> None:
    said = terminal.fail(
        "node", "run", "--network", "sim", option, wrong, "--data-dir", terminal.home / "node", expect=2
    )
    assert f"{option} in the command line is '{wrong}'" in said and "code: settings.value" in said
    assert not (terminal.home / "node").exists()


def test_port_0_is_for_listening_only(terminal: Terminal) -> None:
    said = terminal.fail(
        "node", "run", "--network", "sim", "--peer", "host:0", "--data-dir", terminal.home / "node", expect=2
    )
    assert "1 to 65535" in said


def test_the_place_of_a_node_goes_with_it(terminal: Terminal) -> None:
    folder = terminal.home / "node"
    folder.mkdir(parents=True)
    cookie = Cookie(folder)
    write_url(folder, "http://127.0.0.1:1")
    url, (user, password) = read_place(folder)
    assert (url, user, len(password)) == ("http://127.0.0.1:1", "__cookie__", 64)
    cookie.remove()
    assert "there is no .cookie" in terminal.fail("node", "status", "--data-dir", folder)
    remove_url(folder)
    remove_url(folder)


@pytest.mark.parametrize(
    ("url", "cookie"), [("", "a:b"), ("{", "a:b"), ("http://127.0.0.1:1", "ab"), ("http://\xe9", "a:b")]
)
def test_damaged_files_are_told_as_such(terminal: Terminal, url: str, cookie: str) -> None:
    folder = terminal.home / "node"
    folder.mkdir(parents=True)
    (folder / URL_FILE).write_text(url, encoding="latin-1")
    (folder / COOKIE_FILE).write_text(cookie)
    assert "code: operator.not_running" in terminal.fail("node", "status", "--data-dir", folder)
