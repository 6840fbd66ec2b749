"""What a node without all blocks or events answers: it says what it lacks, and calls nothing unknown that it can't know."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import delete

from api.http.app import create_app
from api.http.operator import OperatorDesk
from api.http.settings import HttpSettings
from ledger.networks import NETWORKS
from ledger.types import Height
from node.cookie import read_cookie
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.mining.search import search_range
from node.node import Node, NodeConfig
from node.store.extent import Extent, write_extent
from node.store.tables import bodies
from tests.support.shop import FRIEND

PARAMS = NETWORKS["sim"]
GONE, LEFT = Height(4), Height(8)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    found = Node(NodeConfig(tmp_path / "data", PARAMS))
    for _ in range(10):
        template = found.chain.build_template([], pay_all_to(FRIEND.address), PARAMS.genesis_time)
        nonce = search_range(struct_prefix(template), template.target, 0, 100_000)
        assert nonce is not None
        found.accept_block(with_nonce(template, nonce))
    return found


@pytest_asyncio.fixture
async def client(node: Node) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(node, HttpSettings(tip_age_seconds_max=None))
    app.router.routes.extend(OperatorDesk(node, None).routes)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8780") as made:
            yield made
    node.close()


def leave_out(node: Node, extent: Extent) -> None:
    """Let the node's store hold no more than that."""

    def change(connection: object) -> Extent:
        for height in range(1, extent.bodies_from):
            gone = node.chain.header_at(Height(height)).hash
            connection.execute(delete(bodies).where(bodies.c.hash == gone))  # type: ignore[attr-defined] - the chain's
        write_extent(connection, extent)  # type: ignore[arg-type] - the chain's
        return extent

    node.chain.change_store(change)


@pytest.mark.asyncio
async def test_a_whole_node_says_nothing_of_it(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/v1/chain")
    assert "fansumer-history-from" not in answer.headers
    assert (await client.get("/readyz")).json()["verified"] is True
    assert (await client.get(f"/v1/transactions/{'ab' * 32}")).json()["code"] == "transaction.unknown"


@pytest.mark.asyncio
async def test_a_block_that_was_pruned_is_not_unknown(client: httpx2.AsyncClient, node: Node) -> None:
    leave_out(node, Extent(floor=LEFT, bodies_from=GONE))
    for path in ("/v1/blocks/2", f"/v1/blocks/{node.chain.header_at(Height(2)).hash[::-1].hex()}"):
        answer = await client.get(path)
        assert answer.status_code == 404 and answer.json()["code"] == "block.not_kept"
        assert answer.json()["fields"] == {"height": 2, "bodies_from": 4}
    raw = await client.get("/v1/blocks?from=1", headers={"Accept": "application/msgpack"})
    assert raw.status_code == 404 and raw.json()["code"] == "block.not_kept"
    assert (await client.get("/v1/blocks/4")).status_code == 200
    assert (await client.get("/v1/blocks/99")).json()["code"] == "block.unknown"
    assert "fansumer-history-from" not in (await client.get("/v1/chain")).headers


@pytest.mark.asyncio
async def test_a_node_without_the_older_events_says_from_where_it_has_them(
    client: httpx2.AsyncClient, node: Node
) -> None:
    leave_out(node, Extent(floor=LEFT, bodies_from=GONE, history_from=Height(9), snapshot=LEFT))
    answer = await client.get("/v1/blocks")
    assert answer.headers["Fansumer-History-From"] == "9"
    assert {row["height"]: row["transactions"] for row in answer.json()["items"]}[9] == 0
    assert {row["height"]: row["transactions"] for row in answer.json()["items"]}[8] is None
    unknown = await client.get(f"/v1/transactions/{'ab' * 32}")
    assert unknown.status_code == 404 and unknown.json()["code"] == "history.not_here"
    assert unknown.json()["fields"]["history_from"] == 9
    assert (await client.get("/readyz")).json()["verified"] is False
    proof = await client.get(f"/v1/transactions/{'ab' * 32}/proof")
    assert proof.json()["code"] == "history.not_here"


@pytest.mark.asyncio
async def test_the_operator_reads_what_the_node_holds(client: httpx2.AsyncClient, node: Node) -> None:
    cookie = read_cookie(node.config.data_dir)
    whole = (await client.get("/operator/status", auth=cookie)).json()
    assert whole["verified"] == "fully verified" and whole["blocks_from"] == whole["events_from"] == 0
    assert int(whole["work"], 16) == node.chain.tip.work
    leave_out(node, replace(Extent(floor=LEFT, bodies_from=GONE), snapshot=LEFT, history_from=Height(9)))
    found = (await client.get("/operator/status", auth=cookie)).json()
    assert found["verified"] == "the state of block 8 is not yet"
    assert (found["blocks_from"], found["events_from"], found["can_take_back_to"]) == (4, 9, 8)
