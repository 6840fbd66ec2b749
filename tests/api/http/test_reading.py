"""Reads over a shop's history: every endpoint says what the ledger's records say, in the form that its schema promises."""

from itertools import pairwise
from typing import Any

import httpx2
import pytest

from api.http.schemas.accounts import AccountAnswer, HistoryAnswer
from api.http.schemas.answer import Answer
from api.http.schemas.campaigns import AccountPledgesAnswer, CampaignAnswer, CampaignsAnswer, PledgesAnswer
from api.http.schemas.chain import BlockAnswer, BlocksAnswer, ChainAnswer
from api.http.schemas.programs import (
    LiabilityAnswer,
    MembersAnswer,
    ProgramAnswer,
    ProgramsAnswer,
    RewardsAnswer,
    TermsAnswer,
)
from api.http.schemas.service import HealthAnswer, ReadyAnswer
from api.http.schemas.transactions import TransactionAnswer
from ledger.proofs import TRUST_BELOW, ShownRecord, check_proof, read_proof
from ledger.types import Address, Height
from tests.api.http.conftest import Story
from tests.support.live_shop import MINER
from tests.support.memory_chain import GENESIS_DAY
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL

pytestmark = pytest.mark.asyncio


async def read(client: httpx2.AsyncClient, path: str, model: type[Answer], **parameters: Any) -> dict[str, Any]:
    """An answer that has exactly the form of `model`."""
    response = await client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    model.model_validate(response.json(), strict=True)
    return response.json()


async def read_all(client: httpx2.AsyncClient, path: str, model: type[Answer], limit: int) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = None
    for _ in range(1_000):
        page = await read(client, path, model, limit=limit, **({} if cursor is None else {"cursor": cursor}))
        assert len(page["items"]) <= limit
        items.extend(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return items
    raise AssertionError("the list does not end")


async def test_chain(story: Story, client: httpx2.AsyncClient) -> None:
    found = await read(client, "/v1/chain", ChainAnswer)
    chain, params = story.shop.node.chain, story.shop.chain.params
    assert found["chain_id"] == chain.chain_id.hex()
    assert found["tip"] == chain.tip.hash[::-1].hex()
    assert found["height"] == chain.tip.height == found["next_height"] - 1
    assert found["time"] == chain.tip.header.time
    assert found["block_time_s"] == 60
    assert found["kinds"] == list(params.kinds)
    assert found["address_prefix"] == "fsim"


async def test_blocks_come_newest_first_and_whole(story: Story, client: httpx2.AsyncClient) -> None:
    items = await read_all(client, "/v1/blocks", BlocksAnswer, limit=5)
    heights = [item["height"] for item in items]
    assert heights == list(range(story.shop.node.chain.tip.height, -1, -1))
    for newer, older in pairwise(items):
        assert newer["previous"] == older["hash"]
    assert items[0]["transactions"] == 1
    assert items[-1]["transactions"] == 0


async def test_block_by_height_and_hash(story: Story, client: httpx2.AsyncClient) -> None:
    by_height = await read(client, "/v1/blocks/1", BlockAnswer)
    assert by_height == await read(client, f"/v1/blocks/{by_height['hash']}", BlockAnswer)
    assert by_height["confirmations"] == story.shop.node.chain.tip.height
    assert [payee["address"] for payee in by_height["payees"]] == [story.text(MINER)]
    assert len(by_height["txids"]) == by_height["transactions"] == 1
    genesis = await read(client, "/v1/blocks/0", BlockAnswer)
    assert genesis["payees"] == []
    assert bytes.fromhex(genesis["hash"])[::-1] == story.shop.node.chain.chain_id


async def test_account_of_a_fan(story: Story, client: httpx2.AsyncClient) -> None:
    found = await read(client, f"/v1/accounts/{story.text(FAN)}", AccountAnswer)
    assert found["address"] == story.text(FAN)
    assert found["coin"] == story.shop.coin_of(FAN)
    (standing,) = found["programs"]
    assert standing["program"] == story.shop.program.hex()
    assert standing["name"] == "Corner Shop"
    # 500 earned, 100 held twice of which one hold timed out and came back, 150 went to a funded campaign.
    assert (standing["available"], standing["held"], standing["pending"]) == (250, 100, 0)
    assert standing["available"] == story.shop.points_of(FAN)
    assert standing["next_expiry"] == {"day": GENESIS_DAY + 30, "date": "2026-01-31", "points": 250}
    assert standing["tier"] is None
    assert sum(lot["points"] for lot in standing["lots"]) == 250


async def test_account_in_upper_case_is_the_same(story: Story, client: httpx2.AsyncClient) -> None:
    lower = await client.get(f"/v1/accounts/{story.text(FAN)}")
    upper = await client.get(f"/v1/accounts/{story.text(FAN).upper()}")
    assert lower.json() == upper.json()


async def test_account_that_nobody_used_is_empty(story: Story, client: httpx2.AsyncClient) -> None:
    nobody = Address(bytes(31) + b"\x01")
    found = await read(client, f"/v1/accounts/{story.text(nobody)}", AccountAnswer)
    assert (found["coin"], found["programs"], found["policy_hash"]) == (0, [], None)


async def test_history_of_an_account(story: Story, client: httpx2.AsyncClient) -> None:
    path = f"/v1/accounts/{story.text(FAN)}/history"
    items = await read_all(client, path, HistoryAnswer, limit=3)
    names = [item["name"] for item in items]
    assert names == [
        "redeem.opened",
        "pledge.refunded",
        "redeem.released",
        "pledge.made",
        "pledge.made",
        "redeem.opened",
        "points.earned",
        "consent.granted",
        "member.joined",
    ]
    assert [item["height"] for item in items] == sorted((item["height"] for item in items), reverse=True)
    by_name = {item["name"]: item for item in items}
    assert by_name["points.earned"]["txid"] == story.earn_txid.hex()
    assert by_name["points.earned"]["data"]["member"] == story.text(FAN)
    assert by_name["points.earned"]["data"]["points"] == 500
    assert by_name["pledge.refunded"]["txid"] is None
    assert by_name["consent.granted"]["data"]["grantee"] == story.shop.program.hex()


async def test_history_by_name_goes_on_with_the_filter_in_the_cursor(story: Story, client: httpx2.AsyncClient) -> None:
    path = f"/v1/accounts/{story.text(FAN)}/history"
    first = await read(client, path, HistoryAnswer, event="pledge.made", limit=1)
    second = await read(client, path, HistoryAnswer, cursor=first["next_cursor"], limit=1)
    assert [first["items"][0]["name"], second["items"][0]["name"]] == ["pledge.made", "pledge.made"]
    assert first["items"] != second["items"]
    assert second["next_cursor"] is None
    refused = await client.get(path, params={"event": "points.earned", "cursor": first["next_cursor"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "page.cursor")


async def test_history_shows_recipients_as_what_they_are(story: Story, client: httpx2.AsyncClient) -> None:
    path = f"/v1/accounts/{story.text(OWNER)}/history"
    found = await read(client, path, HistoryAnswer, event="coin.moved")
    assert found["items"][-1]["data"]["recipient"] == story.shop.program.hex()


async def test_programs(story: Story, client: httpx2.AsyncClient) -> None:
    (item,) = await read_all(client, "/v1/programs", ProgramsAnswer, limit=1)
    assert item["id"] == story.shop.program.hex()
    assert item["owner"] == story.text(OWNER)
    assert item["members"] == 2


async def test_program_with_terms_and_books(story: Story, client: httpx2.AsyncClient) -> None:
    found = await read(client, f"/v1/programs/{story.shop.program.hex()}", ProgramAnswer)
    assert found["terms"]["version"] == 1
    assert found["terms"]["rules"] == [{"type": "rate_per_amount", "points": 1, "per_cents": 10}]
    assert found["terms"]["expiry"] == {"type": "rolling_expiry", "days": 30}
    assert found["announced"] is None
    books = story.shop.books
    computed = {"reversed_ppm": 0, "security": 0, "collateral": 0}
    assert all(found["books"][name] == computed.get(name, getattr(books, name, None)) for name in found["books"])
    assert (books.issued, books.redeemed, books.held) == (570, 150, 100)


async def test_every_version_of_the_terms(story: Story, client: httpx2.AsyncClient) -> None:
    found = await read(client, f"/v1/programs/{story.shop.program.hex()}/terms", TermsAnswer)
    assert [item["version"] for item in found["items"]] == [1]
    assert (found["offset_minutes"], found["items"][0]["tiers"]) == (0, [])
    program = await read(client, f"/v1/programs/{story.shop.program.hex()}", ProgramAnswer)
    assert found["items"][0] == program["terms"]


async def test_rewards(story: Story, client: httpx2.AsyncClient) -> None:
    path = f"/v1/programs/{story.shop.program.hex()}/rewards"
    (item,) = await read_all(client, path, RewardsAnswer, limit=10)
    assert item == {
        "id": story.reward.hex(),
        "name": "Coffee",
        "price": 100,
        "stock": 9,
        "listed": True,
        "value_cents": None,
        "limit": None,
        "opens_at": None,
        "closes_at": None,
        "tier_min": 0,
        "announced": None,
    }


async def test_members(story: Story, client: httpx2.AsyncClient) -> None:
    path = f"/v1/programs/{story.shop.program.hex()}/members"
    items = await read_all(client, path, MembersAnswer, limit=1)
    assert [item["address"] for item in items] == [story.text(FAN), story.text(FRIEND)]
    assert [(item["available"], item["held"]) for item in items] == [(250, 100), (70, 0)]


async def test_liability(story: Story, client: httpx2.AsyncClient) -> None:
    found = await read(client, f"/v1/programs/{story.shop.program.hex()}/liability", LiabilityAnswer)
    assert found["outstanding"] == 250 + 70 + 100
    day = {"day": GENESIS_DAY + 30, "date": "2026-01-31", "activating": 0, "expiring": 320}
    assert found["days"] == [day]
    assert found["days_complete"] is True


async def test_campaigns(story: Story, client: httpx2.AsyncClient) -> None:
    items = await read_all(client, "/v1/campaigns", CampaignsAnswer, limit=1)
    assert [(item["id"], item["status"]) for item in items] == [
        (story.funded.hex(), "done"),
        (story.failed.hex(), "failed"),
    ]
    funded = await read(client, f"/v1/campaigns/{story.funded.hex()}", CampaignAnswer)
    assert funded == items[0]
    assert funded["unit"] == {"type": "points", "program": story.shop.program.hex(), "licensor": None}
    assert funded["tiers"] == [{"number": 1, "title": "Signed", "least": 50, "limit": 5, "taken": 1}]
    assert (items[1]["returned"], items[1]["pledges"], items[1]["weight"]) == (50_000, 2, 0)
    owners = await read_all(client, f"/v1/accounts/{story.text(OWNER)}/campaigns", CampaignsAnswer, limit=1)
    assert owners == [funded]


async def test_pledges_are_shown_after_their_refund(story: Story, client: httpx2.AsyncClient) -> None:
    failed = await read_all(client, f"/v1/campaigns/{story.failed.hex()}/pledges", PledgesAnswer, limit=1)
    assert [(item["number"], item["backer"], item["quantity"], item["ended"]) for item in failed] == [
        (0, story.text(FAN), 20_000, True),
        (1, story.text(OWNER), 30_000, True),
    ]
    (funded,) = await read_all(client, f"/v1/campaigns/{story.funded.hex()}/pledges", PledgesAnswer, limit=1)
    assert (funded["tier"], funded["ended"], funded["would_get_back"]) == (1, False, 0)
    own = await read_all(client, f"/v1/accounts/{story.text(FAN)}/pledges", AccountPledgesAnswer, limit=1)
    assert [(item["status"], item["quantity"], item["ended"]) for item in own] == [
        ("done", 150, False),
        ("failed", 20_000, True),
    ]


async def test_transaction_in_a_block(story: Story, client: httpx2.AsyncClient) -> None:
    found = await read(client, f"/v1/transactions/{story.earn_txid.hex()}", TransactionAnswer)
    assert (found["status"], found["kind"], found["codes"]) == ("confirmed", "earn", ["applied"])
    assert found["author"] == story.text(TILL)
    assert found["confirmations"] == story.shop.node.chain.tip.height - found["height"] + 1
    assert [event["name"] for event in found["events"]] == ["points.earned", "earn.settled"]
    block = await read(client, f"/v1/blocks/{found['block']}", BlockAnswer)
    assert block["txids"][found["position"]] == story.earn_txid.hex()


async def test_proofs_are_canonical_bytes(story: Story, client: httpx2.AsyncClient) -> None:
    chain = story.shop.node.chain
    program, campaign = story.shop.program.hex(), story.funded.hex()
    trust = chain.header_at(Height(1)).hash
    sorts = {
        f"/v1/transactions/{story.earn_txid.hex()}/proof": None,
        f"/v1/accounts/{story.text(FAN)}/proof": "Account",
        f"/v1/programs/{program}/proof": "Books",
        f"/v1/programs/{program}/members/{story.text(FAN)}/proof": "Member",
        f"/v1/campaigns/{campaign}/proof": "Campaign",
        f"/v1/campaigns/{campaign}/pledges/0/proof": "Pledge",
    }
    for path, table in sorts.items():
        response = await client.get(path)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/msgpack"
        shown = check_proof(read_proof(response.content), chain.chain_id).shown[0]
        assert (shown.table if isinstance(shown, ShownRecord) else None) == table
        response = await client.get(path, params={"trust": trust[::-1].hex()})
        assert response.status_code == 200, response.text
        assert check_proof(read_proof(response.content), trust=trust).trust == TRUST_BELOW


async def test_health_readiness_and_metrics(story: Story, client: httpx2.AsyncClient) -> None:
    await read(client, "/healthz", HealthAnswer)
    ready = await read(client, "/readyz", ReadyAnswer)
    assert ready["tip_age_s"] == 0
    await client.get("/v1/chain")
    metrics = await client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'fansumer_http_requests_total{method="GET",route="/v1/chain",status="200"}' in metrics.text
    assert f"fansumer_tip_height {float(story.shop.node.chain.tip.height)}" in metrics.text


async def test_a_stranger_owns_what_genesis_gave(story: Story, client: httpx2.AsyncClient) -> None:
    found = await read(client, f"/v1/accounts/{story.text(STRANGER)}", AccountAnswer)
    assert found["coin"] == story.shop.coin_of(STRANGER) > 0
