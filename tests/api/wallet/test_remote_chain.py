"""A node as a source of an audit: one that tells the truth, one that is reorganised meanwhile, and those that lie."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.wallet import remote_chain
from api.wallet.client import Client
from api.wallet.errors import Unreachable
from api.wallet.remote_chain import CHANGED_BRANCH, RemoteChain, fetch_params
from ledger.params import Params
from node.audit import AuditReport, audit_source
from node.errors import NodeError
from node.replay import BAD_BLOCK, OTHER_GENESIS, WRONG_END
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.wallet_node import WalletNode, open_wallet_node

BLOCKS = 23


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletNode]:
    with open_wallet_node(tmp_path_factory.mktemp("node") / "data") as found:
        found.mine(BLOCKS)
        yield found


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_chain, "RAW_LIMIT", 5)


class Liar:
    """A client of a good node whose answers are changed on the way."""

    def __init__(self, client: Client, change: Callable[[int, bytes], bytes | None], chain: Any = None) -> None:
        self.url = client.url
        self._client = client
        self._change = change
        self._chain = chain or {}
        self.asked = 0

    def chain(self) -> dict[str, Any]:
        return {**self._client.chain(), **self._chain}

    def raw_blocks(self, first: int, *, limit: int) -> list[bytes]:
        self.asked += 1
        changed = [
            self._change(first + place, raw) for place, raw in enumerate(self._client.raw_blocks(first, limit=limit))
        ]
        return [raw for raw in changed if raw is not None]


def audit(client: Any, params: Params) -> AuditReport:
    return audit_source(RemoteChain(client), params)


def test_an_honest_node_verifies(node: WalletNode) -> None:
    params = fetch_params(node.client)
    assert params == node.chain.params
    report = audit(node.client, params)
    assert report.is_good
    assert (report.height, report.tip) == (BLOCKS, node.chain.node.chain.tip.hash)


def test_a_node_of_another_chain_is_found(node: WalletNode) -> None:
    (finding,) = audit(node.client, sim_params(name="another")).findings
    assert finding.code == OTHER_GENESIS.name


@pytest.mark.parametrize("height", [1, 6, BLOCKS])
@pytest.mark.parametrize("place", [20, 60, 100, 250])
def test_one_changed_byte_of_a_block_is_found_at_its_height(node: WalletNode, height: int, place: int) -> None:
    def change(at: int, raw: bytes) -> bytes:
        return raw if at != height else raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]

    report = audit(Liar(node.client, change), node.chain.params)
    (finding,) = report.findings
    assert (finding.code, finding.height) == (BAD_BLOCK.name, height)
    assert report.blocks == height - 1


def test_a_node_that_leaves_blocks_out_or_names_another_tip_is_found(node: WalletNode) -> None:
    liar = Liar(node.client, lambda at, raw: raw if at < 12 else None)
    (finding,) = audit(liar, node.chain.params).findings
    assert finding.code == WRONG_END.name and "block 11" in finding.text
    liar = Liar(node.client, lambda at, raw: None if at == 8 else raw)
    (finding,) = audit(liar, node.chain.params).findings
    assert (finding.code, finding.height) == (BAD_BLOCK.name, 8)
    liar = Liar(node.client, lambda at, raw: raw, {"tip": "ab" * 32})
    (finding,) = audit(liar, node.chain.params).findings
    assert finding.code == WRONG_END.name
    liar = Liar(node.client, lambda at, raw: raw, {"height": BLOCKS + 40})
    (finding,) = audit(liar, node.chain.params).findings
    assert finding.code == WRONG_END.name


def test_a_node_that_serves_junk_is_found(node: WalletNode) -> None:
    for junk in (b"\x00", b"\x90", bytes(90), b"\x95\xc4\x50" + bytes(200)):
        liar = Liar(node.client, lambda at, raw, junk=junk: junk if at == 7 else raw)
        (finding,) = audit(liar, node.chain.params).findings
        assert (finding.code, finding.height) == (BAD_BLOCK.name, 7)


def test_answers_that_are_no_chain_are_no_node(node: WalletNode) -> None:
    for answer in ({"height": None}, {"tip": 5}, {"tip": "zz"}):
        with pytest.raises(Unreachable):
            RemoteChain(Liar(node.client, lambda at, raw: raw, answer))  # pyright: ignore[reportArgumentType] - a stand-in


def test_a_node_that_was_reorganised_meanwhile_is_no_liar(node: WalletNode, tmp_path: Path) -> None:
    with open_wallet_node(tmp_path / "other") as other:
        other.chain.mine_block(node.chain.params.genesis_time + 7)
        other.mine(BLOCKS)

        class Turncoat(Liar):
            def raw_blocks(self, first: int, *, limit: int) -> list[bytes]:
                if first >= 11:
                    self._client = other.client
                return super().raw_blocks(first, limit=limit)

        source = RemoteChain(Turncoat(node.client, lambda at, raw: raw))  # pyright: ignore[reportArgumentType] - a stand-in
        with refused(CHANGED_BRANCH, NodeError):
            audit_source(source, node.chain.params)
