"""Blocks in their own bytes: ranges, bounds, and what is refused."""

from typing import Any

import httpx2
import pytest

from api.http.routers import chain as chain_router
from api.http.schemas.chain import ParamsAnswer
from ledger.block import Block
from ledger.codec import unpack
from ledger.genesis import make_genesis
from ledger.params import params_from_mapping
from ledger.types import Height
from tests.api.http.conftest import Story

pytestmark = pytest.mark.asyncio
MSGPACK = {"accept": "application/msgpack"}


async def fetch(client: httpx2.AsyncClient, first: int | None, limit: int = 50) -> list[bytes]:
    parameters = {"limit": limit} if first is None else {"from": first, "limit": limit}
    response = await client.get("/v1/blocks", params=parameters, headers=MSGPACK)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/msgpack"
    assert response.headers["vary"] == "Accept"
    found: Any = unpack(response.content)
    return list(found)


async def test_a_chain_is_fetched_range_by_range(story: Story, client: httpx2.AsyncClient) -> None:
    chain = story.shop.node.chain
    expected = [chain.block_at(Height(height)) for height in range(chain.tip.height + 1)]
    found: list[bytes] = []
    while batch := await fetch(client, len(found), 7):
        assert len(batch) <= 7
        found += batch
    assert [Block.decode(raw) for raw in found] == expected
    assert await fetch(client, None, 3) == found[:3]
    assert await fetch(client, chain.tip.height) == found[-1:]
    assert await fetch(client, chain.tip.height + 1) == await fetch(client, 2**32 - 1) == []


async def test_an_answer_is_bounded_by_bytes_and_holds_one_block_at_least(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await fetch(client, 0)
    monkeypatch.setattr(chain_router, "RAW_BYTES_MAX", len(whole[0]) + len(whole[1]))
    assert await fetch(client, 0) == whole[:2]
    monkeypatch.setattr(chain_router, "RAW_BYTES_MAX", 1)
    assert await fetch(client, 3) == whole[3:4]


async def test_one_block_by_height_or_hash(story: Story, client: httpx2.AsyncClient) -> None:
    tip = story.shop.node.chain.tip
    for name in ("3", tip.hash[::-1].hex()):
        response = await client.get(f"/v1/blocks/{name}", headers=MSGPACK)
        assert response.headers["content-type"] == "application/msgpack"
        block = Block.decode(response.content)
        assert block == story.shop.node.chain.block(block.hash)
    assert (await client.get("/v1/blocks/99999", headers=MSGPACK)).json()["code"] == "block.unknown"


async def test_parameters_that_belong_to_the_other_form_are_refused(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/v1/blocks", params={"limit": 1})).json()
    cases = (
        ({"from": -1}, {}, "from"),
        ({"cursor": page["next_cursor"]}, MSGPACK, "cursor"),
        ({"from": -1}, MSGPACK, "from"),
        ({"from": 2**32}, MSGPACK, "from"),
        ({"from": "x"}, MSGPACK, "from"),
        ({"limit": 201}, MSGPACK, "limit"),
    )
    for parameters, headers, parameter in cases:
        response = await client.get("/v1/blocks", params=parameters, headers=headers)
        assert response.status_code == 400
        assert response.json()["code"] == "http.parameter"
        assert response.json()["fields"]["parameter"] == parameter


async def test_the_list_goes_down_from_a_height(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/v1/blocks", params={"from": 7, "limit": 3})).json()
    assert [item["height"] for item in page["items"]] == [7, 6, 5]
    after = (await client.get("/v1/blocks", params={"cursor": page["next_cursor"], "limit": 2, "from": 9})).json()
    assert [item["height"] for item in after["items"]] == [4, 3]


async def test_params_give_the_chain_id(story: Story, client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/chain/params")
    ParamsAnswer.model_validate(response.json(), strict=True)
    params = params_from_mapping(response.json())
    assert params == story.shop.chain.params
    assert make_genesis(params).chain_id == story.shop.node.chain.chain_id
