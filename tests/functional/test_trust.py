"""`fansumer node run --trust HEIGHT:HASH`: at the first start, to settle a conflict, and what is typed wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from api.cli import up
from ledger.params import Params, params_to_mapping
from ledger.types import Height
from node.chain import Chain
from node.node import Node, NodeConfig
from tests.api.cli.conftest import Terminal
from tests.node.attest.attested_node import AttestedNode
from tests.support.attested import attested_params
from tests.support.memory_chain import sim_params

HASH = "5f" * 32


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "home")


def write_params(folder: Path, params: Params) -> Path:
    file = folder / "params.json"
    file.write_text(json.dumps(params_to_mapping(params)))
    return file


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Chain]:
    """Instead of running a node: the chains that were opened."""
    found: list[Chain] = []

    def serve(running: up.Running, *_: object) -> None:
        found.append(running.node.chain)
        running.close()

    monkeypatch.setattr(up, "_serve", serve)
    return found


def run(terminal: Terminal, folder: Path, params: Path, *more: object) -> tuple[object, ...]:
    return ("node", "run", "--data-dir", folder, "--params", params, "--port", 0, *more)


def test_a_checkpoint_is_taken_at_the_first_start_and_remembered(
    terminal: Terminal, tmp_path: Path, opened: list[Chain]
) -> None:
    params = write_params(tmp_path, attested_params(0, 1, 2, 3))
    for more in (("--trust", f"40:{HASH}"), ()):
        terminal.run(*run(terminal, tmp_path / "node", params, *more))
        pinned = opened[-1].finality.pinned
        assert pinned is not None and (pinned.height, pinned.hash[::-1].hex()) == (40, HASH)


def test_a_block_of_the_chain_that_is_here(terminal: Terminal, tmp_path: Path, opened: list[Chain]) -> None:
    made = AttestedNode(tmp_path / "node")
    made.mine_to(12)
    shown = made.checkpoint(8).hash[::-1].hex()
    made.close()
    params = write_params(tmp_path, made.params)
    terminal.run(*run(terminal, tmp_path / "node", params, "--trust", f"8:{shown.upper()}"))
    assert opened[-1].finality.anchor.height == Height(8)
    said = terminal.fail(*run(terminal, tmp_path / "node", params, "--trust", f"4:{HASH}"))
    assert "finality.not_trusted" in said and "empty data folder" in said
    terminal.run(*run(terminal, tmp_path / "node", params))
    assert opened[-1].finality.anchor.height == Height(8), "what was refused changed nothing"


@pytest.mark.parametrize(
    "text", ["8", f"8:{HASH[:-1]}", f":{HASH}", f"x:{HASH}", f"-8:{HASH}", f"{2**32}:{HASH}", f"8;{HASH}"]
)
def test_what_is_no_checkpoint(terminal: Terminal, tmp_path: Path, text: str) -> None:
    params = write_params(tmp_path, attested_params(0, 1, 2, 3))
    said = terminal.fail(*run(terminal, tmp_path / "node", params, "--trust", text), expect=2)
    assert "64 hex digits" in said and "Traceback" not in said
    assert not (tmp_path / "node").exists()


def test_a_height_between_two_checkpoints(terminal: Terminal, tmp_path: Path, opened: list[Chain]) -> None:
    params = write_params(tmp_path, attested_params(0, 1, 2, 3))
    said = terminal.fail(*run(terminal, tmp_path / "node", params, "--trust", f"7:{HASH}"))
    assert "finality.no_checkpoint" in said and "every 4 blocks" in said and "chain finality" in said


def test_a_chain_without_attestors(terminal: Terminal, tmp_path: Path, opened: list[Chain]) -> None:
    params = write_params(tmp_path, sim_params())
    said = terminal.fail(*run(terminal, tmp_path / "node", params, "--trust", f"8:{HASH}"))
    assert "finality.no_attestors" in said and "Leave --trust out" in said


def test_the_params_may_name_one(tmp_path: Path) -> None:
    params = replace(attested_params(0, 1, 2, 3), trusted=((Height(8), bytes.fromhex(HASH)),))  # type: ignore[arg-type]  # a hash
    node = Node(NodeConfig(tmp_path, params))
    pinned = node.chain.finality.pinned
    node.close()
    assert pinned is not None and pinned.height == 8
