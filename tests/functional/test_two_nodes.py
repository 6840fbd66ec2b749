"""Two nodes on one folder, started as a person starts them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.support.processes import child, environment_of_child


def command(folder: Path) -> list[str]:
    options = ["--network", "sim", "--port", "0", "--data-dir", str(folder)]
    return [sys.executable, "-m", "api.cli.main", "node", "run", *options]


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A node that answers, and its URL."""
    with child(command(folder), "the address of a node, and its end") as process:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found is not None
        yield process, found.group()


def test_the_second_is_refused_in_words_and_the_first_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder) as (first, url):
        second = subprocess.run(
            command(folder), capture_output=True, text=True, env=environment_of_child(), timeout=60, check=False
        )
        assert second.returncode == 1
        assert second.stdout == ""
        assert second.stderr.splitlines() == [
            f"error: another process uses the store {folder}",
            second.stderr.splitlines()[1],
            "code: store.in_use",
        ]
        assert second.stderr.splitlines()[1].startswith("what to do: Stop the other node")
        assert httpx2.get(f"{url}/readyz").status_code == 200
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0
    with running(folder) as (third, _):
        third.kill()  # a lock does not outlive its process
        third.wait(30)
    with running(folder) as (fourth, url):
        assert httpx2.get(f"{url}/v1/chain").json()["height"] == 0
        fourth.send_signal(signal.SIGINT)
        assert fourth.wait(30) == 0
