"""`GET /v1/finality` on chains with and without attestors."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from api.http.app import create_app
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.api.http.conftest import Story
from tests.support.attested import INTERVAL, KEYS, AttestedBranches, attestors
from tests.support.shop import FAN


@pytest.mark.asyncio
async def test_a_chain_without_attestors_says_so(story: Story, client: httpx2.AsyncClient) -> None:
    found = (await client.get("/v1/finality")).json()
    assert found["attested"] is False
    assert (found["set"], found["final"], found["silent"]) == (None, None, False)
    assert found["interval_blocks"] == 20


@pytest.fixture
def attested(tmp_path: Path) -> Iterator[tuple[AttestedBranches, Node]]:
    made = AttestedBranches()
    node = Node(NodeConfig(tmp_path, made.params), ManualClock(2_000_000_000))
    yield made, node
    node.close()


async def ask(node: Node) -> dict[str, object]:
    transport = httpx2.ASGITransport(app=create_app(node))
    async with httpx2.AsyncClient(transport=transport, base_url="http://node") as client:
        answer = await client.get("/v1/finality")
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.asyncio
async def test_a_chain_with_attestors(attested: tuple[AttestedBranches, Node]) -> None:
    made, node = attested
    made.mine(5)
    made.vote(0, 4, 0, 1, 2)
    made.send("finality.set_attestors", made.choice(attestors(1, 2, 3), 0, 1, 2), author=FAN)
    made.mine(2)
    for twig in made.path[1:]:
        node.accept_block(twig.block)
    node.chain.take_certificate(made.certificate(4, 8, 0, 1, 2))
    found = await ask(node)
    assert found["attested"] is True
    assert found["set"] == {
        "number": 0,
        "weight": 4,
        "quorum_weight": 3,
        "since_height": 0,
        "replaces_silent": False,
        "members": [{"key": key.hex(), "weight": 1} for key in KEYS[:4]],
    }
    shown = [found[name] for name in ("final", "justified", "chain_final", "chain_justified")]
    assert [item["height"] for item in shown if isinstance(item, dict)] == [4, 8, 0, 4]
    assert found["blocks_since_justified"] == 1
    scheduled = found["scheduled"]
    assert isinstance(scheduled, dict)
    assert (scheduled["holder_height"], scheduled["chosen"], found["silent"]) == (8, True, False)
    first = len(made.path)
    made.mine(2 * INTERVAL)
    for twig in made.path[first:]:
        node.accept_block(twig.block)
    assert (await ask(node))["silent"] is True
