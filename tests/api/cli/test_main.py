import subprocess
import sys
from typing import Any

import httpx2
import pytest
import typer
from typer.main import get_command

from api.cli.main import app
from tests.api.cli.conftest import Terminal


def every_command(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        return [(path, command)]
    return [found for name, child in children.items() for found in every_command(child, (*path, name))]


COMMANDS = every_command(get_command(app))


def test_groups_of_the_issue_are_there() -> None:
    found = {" ".join(path) for path, _ in COMMANDS}
    assert len(found) == len(COMMANDS) > 40
    assert {
        "up",
        "node run",
        "wallet create",
        "wallet restore",
        "wallet addresses",
        "wallet balance",
        "wallet join",
        "wallet leave",
        "wallet redeem",
        "wallet cancel",
        "wallet pledge",
        "wallet send",
        "wallet consent grant",
        "wallet consent revoke",
        "wallet consent list",
        "wallet history",
        "wallet receipts check",
        "brand create-program",
        "brand example-terms",
        "brand update",
        "brand grant-issuer",
        "brand revoke-issuer",
        "brand list-reward",
        "brand update-reward",
        "brand explain-earn",
        "brand rehearse",
        "brand invite",
        "brand enrol",
        "brand sign-receipt",
        "brand settle",
        "brand fulfil",
        "brand fill-pool",
        "creator create-campaign",
        "creator status",
        "chain info",
        "chain blocks",
        "chain block",
        "chain tx",
        "chain params",
        "proof check",
        "audit verify",
        "demo replay",
    } <= found


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_each_command_helps_with_an_example(terminal: Terminal, path: tuple[str, ...], command: Any) -> None:
    shown = terminal.run(*path, "--help")
    assert "Example" in shown
    assert f"fansumer {' '.join(path)}" in shown
    examples = [line for line in shown.splitlines() if line.strip().startswith("fansumer ")]
    assert all(line == line.rstrip() and len(line) <= 120 for line in examples)


def test_help_comes_without_heavy_imports() -> None:
    heavy = "{'httpx2', 'stamina', 'sqlalchemy', 'fastapi', 'pyarrow', 'mnemonic', 'pydantic', 'uvicorn', 'rich'}"
    code = f"import sys, api.cli.main; print(', '.join(sorted({heavy} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_unknown_commands_and_options_are_bad_usage(terminal: Terminal) -> None:
    assert "No such command" in terminal.fail("walet", expect=2)
    assert "No such option" in terminal.fail("chain", "info", "--sideways", expect=2)
    assert "64" in terminal.fail("chain", "tx", "abc", expect=2)
    assert "--demo or --smoke" in terminal.fail("up", "--demo", "--smoke", expect=2)


def test_no_node_is_exit_code_two_and_says_what_to_do(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise httpx2.ConnectError("connection refused")

    monkeypatch.setattr(httpx2.Client, "send", refuse)
    error = terminal.fail("chain", "info", "--url", "http://127.0.0.1:1", expect=2)
    assert "no node answers at http://127.0.0.1:1" in error
    assert "fansumer up" in error
    assert "client.unreachable" in error


def test_app_is_typer() -> None:
    assert isinstance(app, typer.Typer)
