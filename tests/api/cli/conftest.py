"""A person at a terminal: a home folder of its own, a passphrase in the environment, and where wanted a node in this process."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import session
from api.cli.main import app
from api.wallet.client import Client
from api.wallet.keystore import Cost
from tests.support.wallet_node import PHRASES, WalletNode, open_wallet_node

PASSPHRASE = "correct horse battery staple"


class Terminal:
    """Runs `fansumer` with a folder as somebody's home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._runner = CliRunner(env={"FANSUMER_HOME": str(home), "FANSUMER_PASSPHRASE": PASSPHRASE})

    def run(self, *arguments: object, expect: int = 0, **options: Any) -> str:
        """Standard output; the exit code must be `expect`."""
        result = self._runner.invoke(app, [str(argument) for argument in arguments], **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == expect, result.output
        return result.stdout

    def read(self, *arguments: object, expect: int = 0) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*arguments, "--json", expect=expect))

    def fail(self, *arguments: object, expect: int = 1, **options: Any) -> str:
        """Standard error of a command that must fail with the exit code `expect`."""
        result = self._runner.invoke(app, [str(argument) for argument in arguments], **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == expect, result.output
        return result.stderr

    def hear(self, *arguments: object) -> str:
        """What a command that succeeds says on standard error: warnings and notes."""
        return self.fail(*arguments, expect=0)

    def restore(self, name: str) -> None:
        """Make somebody's wallet from its published phrase."""
        file = self.home / "phrase.txt"
        self.home.mkdir(parents=True, exist_ok=True)
        file.write_text(PHRASES[name])
        self.run("wallet", "restore", "--phrase-file", file)


@pytest.fixture(autouse=True)
def cheap_keystores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess need not be costly here."""
    monkeypatch.setattr(session, "KEYSTORE_COST", Cost(memory_kib=8 * 1024, iterations=1, lanes=1))


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "home")


@pytest.fixture
def terminal_of(tmp_path: Path) -> Callable[[str], Terminal]:
    """Somebody's terminal, with its wallet."""

    def open_terminal(name: str) -> Terminal:
        found = Terminal(tmp_path / name)
        found.restore(name)
        return found

    return open_terminal


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WalletNode]:
    """A node that every command reaches, whatever its --url."""
    with open_wallet_node(tmp_path / "node") as found:

        @contextmanager
        def connect(url: str) -> Iterator[Client]:
            yield found.client

        monkeypatch.setattr(session, "connect", connect)
        yield found


@pytest.fixture
def no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any command that asks a node fails the test."""

    def refuse(url: str) -> Any:
        raise AssertionError("an offline command asked a node")

    monkeypatch.setattr(session, "connect", refuse)
