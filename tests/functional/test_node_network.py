"""Two nodes as people start them, in processes of their own: `--listen`, `--peer`, and what their operators ask and order."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledger.address import encode_address
from node.cookie import read_cookie
from tests.node.watching import wait_until
from tests.support.memory_chain import Signer
from tests.support.processes import child, environment_of_child

PAYOUT = encode_address("dfan", Signer.named("miner").address)
FANSUMER = [sys.executable, "-m", "api.cli.main"]


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A node of the dev network that answers, and its URL."""
    command = [*FANSUMER, "node", "run", "--network", "dev", "--port", "0", "--data-dir", str(folder), *options]
    with child(command, "the address of a node, and its end") as process:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found is not None
        yield process, found.group()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def ask(*arguments: str, expect: int = 0) -> str:
    """What a command of the operator says: on standard output, or where it is refused, on standard error."""
    done = subprocess.run(
        [*FANSUMER, "node", *arguments],
        capture_output=True,
        text=True,
        env=environment_of_child(),
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stderr if expect else done.stdout


def read(command: str, folder: Path) -> dict[str, Any]:
    return json.loads(ask(command, "--data-dir", str(folder), "--json"))


@pytest.mark.slow
def test_two_nodes_find_one_chain_and_obey_their_operators(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with running(one, "--listen", "127.0.0.1:0", "--payout", PAYOUT) as (_, first):
        wait_until(lambda: httpx2.get(f"{first}/v1/chain").json()["height"] >= 2, 60)
        status = read("status", one)
        assert status["peers"] == 0 and status["is_mining"] and status["height"] >= 2
        named = f"127.0.0.1:{status['listens_on']}"
        with running(two, "--peer", named) as (_, second):
            wait_until(lambda: httpx2.get(f"{second}/v1/chain").json()["height"] >= 2, 30)
            height = httpx2.get(f"{first}/v1/chain").json()["height"]
            wait_until(lambda: httpx2.get(f"{second}/v1/chain").json()["height"] > height, 60)
            (peer,) = read("peers", two)["peers"]
            assert (peer["address"], peer["purpose"], peer["is_ready"]) == (named, "named", True)
            assert peer["key"] == status["node_key"]
            shown = ask("peers", "--data-dir", str(two))
            assert f" {named} " in shown, "the address is whole: `node ban` wants it"
            assert 'fansumer_peers{direction="dialled"} 1.0' in httpx2.get(f"{second}/metrics").text
            assert (
                ask("ban", "127.0.0.1", "--seconds", "60", "--data-dir", str(one)) == "127.0.0.1 is banned for 60 s.\n"
            )
            wait_until(lambda: read("status", one)["peers"] == 0, 20)
            (ban,) = read("peers", one)["bans"]
            assert (ban["host"], ban["reason"]) == ("127.0.0.1", "the operator")
            assert ask("unban", "127.0.0.1", "--data-dir", str(one)) == "127.0.0.1 is welcome again.\n"
            assert "operator.no_ban" in ask("unban", "127.0.0.1", "--data-dir", str(one), expect=1)
            assert "operator.host" in ask("ban", "somewhere", "--data-dir", str(one), expect=1)
            wait_until(lambda: read("status", one)["peers"] == 1, 60)
        _check_cookie(one, first)
    assert "operator.not_running" in ask("status", "--data-dir", str(one), expect=1)
    assert not (one / "api.url").exists() and not (one / ".cookie").exists()


def _check_cookie(folder: Path, url: str) -> None:
    path = folder / ".cookie"
    assert path.stat().st_mode & 0o777 == 0o600
    for shown in (b"", b"Basic wrong", b"Bearer \xe9"):
        answer = httpx2.get(f"{url}/operator/status", headers={b"Authorization": shown})
        assert (answer.status_code, answer.json()["code"]) == (401, "operator.cookie")
    assert "/operator/status" not in httpx2.get(f"{url}/openapi.json").json()["paths"]
    credentials = read_cookie(folder)
    for body in ("x", "[]", '{"host": 1}', '{"host": "::1", "seconds": 0}', '{"host": "::1", "more": 1}'):
        answer = httpx2.post(f"{url}/operator/bans", content=body, auth=credentials)
        assert (answer.status_code, answer.json()["code"]) == (400, "http.body")


@pytest.mark.slow
def test_a_node_without_a_network_says_so(tmp_path: Path) -> None:
    with running(tmp_path):
        assert "runs without a network" in ask("status", "--data-dir", str(tmp_path))
        assert "operator.no_network" in ask("peers", "--data-dir", str(tmp_path), expect=1)
