"""The operator's cookie: a fresh secret each time, for its owner's eyes, gone at the end."""

import base64
import stat
from pathlib import Path

import pytest

from node.cookie import COOKIE_FILE, Cookie, read_cookie
from node.errors import NodeError


def basic(text: str) -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_it_is_written_for_the_owner_alone_and_removed(tmp_path: Path) -> None:
    cookie = Cookie(tmp_path)
    assert stat.S_IMODE(cookie.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [COOKIE_FILE]
    user, password = read_cookie(tmp_path)
    assert user == "__cookie__" and len(bytes.fromhex(password)) == 32
    assert cookie.admits(basic(f"{user}:{password}")) and cookie.admits(
        basic(f"{user}:{password}").replace("Basic", "basic")
    )
    cookie.remove()
    cookie.remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Bearer abc",
        basic("__cookie__:"),
        basic("__cookie__:" + "0" * 64),
        basic("é:x"),
    ],
)
def test_nothing_else_is_admitted(tmp_path: Path, header: str | None) -> None:
    assert not Cookie(tmp_path).admits(header)


def test_a_killed_nodes_cookie_is_replaced_and_another_nodes_is_left(tmp_path: Path) -> None:
    killed = Cookie(tmp_path)
    killed.path.chmod(0o644)
    running = Cookie(tmp_path)
    assert stat.S_IMODE(running.path.stat().st_mode) == 0o600
    killed.remove()
    user, password = read_cookie(tmp_path)
    assert running.admits(basic(f"{user}:{password}")) and not killed.admits(basic(f"{user}:{password}"))


def test_a_folder_that_takes_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NodeError) as caught:
        Cookie(tmp_path / "missing")
    assert caught.value.code.name == "cookie.not_written"
