"""/readyz says what is wrong with the node, with the code of what it is."""

import pytest
from fastapi import FastAPI

from node.errors import NodeError
from node.store.engine import STORE_FULL
from tests.api.http.conftest import open_client
from tests.support.live_shop import LiveShop

pytestmark = pytest.mark.asyncio


async def code_of_readiness(app: FastAPI) -> str | None:
    """None: ready."""
    async with open_client(app, raises=False) as client:
        answer = await client.get("/readyz")
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/v1/chain")).status_code == 200
    if answer.status_code == 200:
        return None
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    return answer.json()["code"]


async def test_a_dead_miner_and_a_broken_invariant(shop: LiveShop, live_app: FastAPI) -> None:
    health = shop.node.health
    assert await code_of_readiness(live_app) is None
    with pytest.raises(RuntimeError), health.watching("miner"):
        raise RuntimeError("no memory")
    assert await code_of_readiness(live_app) == "node.thread_died"
    with pytest.raises(AssertionError), health.writing():
        raise AssertionError("points do not add up")
    assert await code_of_readiness(live_app) == "node.broken"
    async with open_client(live_app, raises=False) as client:
        answer = await client.post("/v1/transactions", content=b"x", headers={"content-type": "application/msgpack"})
    assert (answer.status_code, answer.json()["code"]) == (503, "node.broken")


async def test_a_store_that_takes_no_block(shop: LiveShop, live_app: FastAPI) -> None:
    shop.node.health.note_store(NodeError(STORE_FULL, path="store"))
    assert await code_of_readiness(live_app) == "store.full"
    shop.node.health.note_store(None)
    assert await code_of_readiness(live_app) is None
