"""/readyz says what is wrong with the node, with the code of what it is."""

import pytest
from fastapi import FastAPI

from ledger.pow import target_from_compact, work_of
from ledger.types import Height, Work
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


async def test_blocks_of_another_law_are_an_alarm_and_beyond_doubt_no_readiness(
    shop: LiveShop, live_app: FastAPI
) -> None:
    tip = shop.node.chain.tip
    own = work_of(target_from_compact(tip.header.bits))
    shop.node.other_law.note(Height(5), "the kind toy.wave is unknown", Work(tip.work + own), 1)
    async with open_client(live_app, raises=False) as client:
        answer = await client.get("/readyz")
        assert "fansumer_other_law_blocks 1.0" in (await client.get("/metrics")).text
    alarm = answer.json()["alarm"]
    assert (answer.status_code, alarm["code"]) == (200, "law.other")
    assert "toy.wave" in alarm["detail"] and "new version" in alarm["advice"]
    shop.node.other_law.note(Height(5), "the kind toy.wave is unknown", Work(tip.work + 6 * own), 6)
    assert await code_of_readiness(live_app) == "law.other"
