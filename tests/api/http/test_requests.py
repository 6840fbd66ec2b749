"""Bad input at the door: random, truncated and oversized bodies, wrong ids, limits, cursors, paths and methods."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.http.app import create_app
from api.http.pagination import encode_cursor
from api.http.settings import HttpSettings
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.transaction import Transaction
from ledger.types import Amount
from node.store.engine import open_engine
from node.store.reader import Reader
from tests.api.http.conftest import Story, open_client
from tests.api.http.test_submission import MSGPACK, refused
from tests.support.live_shop import LiveShop
from tests.support.shop import FAN, FRIEND

HEX = "5f" * 32
LISTS = ("/v1/blocks", "/v1/programs", "/v1/campaigns")


def sign_transfer(shop: LiveShop) -> Transaction:
    """A good transaction."""
    return shop.chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)


def post_once(app: FastAPI, body: bytes, path: str = "/v1/transactions/dry-run") -> httpx2.Response:
    """Send a body from a test that is no coroutine. Nothing is kept."""

    async def send() -> httpx2.Response:
        async with open_client(app) as client:
            return await client.post(path, content=body, headers=MSGPACK)

    return asyncio.run(send())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400))
def test_random_bytes_are_malformed(story: Story, body: bytes) -> None:
    response = post_once(story.app, body)
    assert response.status_code == 400
    assert response.json()["code"].partition(".")[0] in ("codec", "envelope", "shape", "witness")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_transaction_is_refused(story: Story, data: st.DataObject) -> None:
    raw = sign_transfer(story.shop).raw
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:place] + bytes((raw[place] ^ data.draw(st.integers(1, 255)),)) + raw[place + 1 :]
    assert post_once(story.app, changed).status_code in (400, 422)


def test_truncated_transactions_are_malformed(story: Story) -> None:
    raw = sign_transfer(story.shop).raw
    for length in range(0, len(raw), 17):
        response = post_once(story.app, raw[:length])
        assert (response.status_code, response.json()["code"]) == (400, "codec.truncated")
    assert post_once(story.app, raw + b"\x00").json()["code"] == "codec.trailing"


@pytest.fixture
def small_app(story: Story) -> Iterator[FastAPI]:
    """Takes bodies of 1,024 bytes."""
    app = create_app(story.shop.node, HttpSettings(body_bytes_max=1_024, rate_limited=False))
    yield app
    app.state.services.close()


@pytest.mark.asyncio
async def test_large_bodies(small_app: FastAPI) -> None:
    received = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal received
        while received < 2**20:
            received += 256
            yield b"\x00" * 256

    async with open_client(small_app) as client:
        announced = await client.post("/v1/transactions", content=b"\x00" * 1_025, headers=MSGPACK)
        assert refused(announced, 413, "http.body_too_large") == {"maximum": 1_024}
        streamed = await client.post("/v1/transactions", content=stream(), headers=MSGPACK)
        refused(streamed, 413, "http.body_too_large")
        just_fits = await client.post("/v1/transactions", content=b"\x00" * 1_024, headers=MSGPACK)
        refused(just_fits, 400, "codec.trailing")
    assert received


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path",
    ["/v1/transactions/{}", "/v1/transactions/{}/proof", "/v1/programs/{}", "/v1/programs/{}/rewards"]
    + [
        "/v1/programs/{}/issuers",
        "/v1/programs/{}/members",
        "/v1/programs/{}/liability",
        "/v1/programs/{}/proof",
        "/v1/campaigns/{}/proof",
        "/v1/campaigns/{}/pledges/0/proof",
        "/v1/campaigns/{}",
        "/v1/campaigns/{}/pledges",
    ],
)
async def test_ids(client: httpx2.AsyncClient, path: str) -> None:
    for text in ("x", HEX[:-1], HEX + "0", HEX[:-2] + "zz", "5f " * 21 + "5", "%00" * 64, "٣" * 64, "-" * 64):
        refused(await client.get(path.format(text)), 400, "id.format")
    response = await client.get(path.format(HEX))
    assert response.status_code == 404
    assert response.json()["code"].endswith(".unknown")


@pytest.mark.asyncio
async def test_addresses(story: Story, client: httpx2.AsyncClient) -> None:
    good = story.text(FAN)
    cases = {
        good[:-1] + ("q" if good[-1] != "q" else "p"): "address.checksum",
        good[:-1] + "Q": "address.mixed_case",
        "x" * 91: "address.too_long",
        "nothing": "address.separator",
        HEX: "address.separator",
    }
    for text, code in cases.items():
        for path in ("", "/history", "/proof"):
            refused(await client.get(f"/v1/accounts/{text}{path}"), 400, code)
    other = story.text(FAN.address).replace("fsim", "fan")
    assert (await client.get(f"/v1/accounts/{other}")).json()["code"] in ("address.checksum", "address.wrong_network")
    empty = story.text(type(FAN.address)(bytes(32)))
    refused(await client.get(f"/v1/accounts/{empty}/proof"), 404, "proof.no_record")
    members = f"/v1/programs/{story.shop.program.hex()}/members"
    refused(await client.get(f"{members}/{empty}/proof"), 404, "member.unknown")
    refused(await client.get(f"{members}/nothing/proof"), 400, "address.separator")


@pytest.mark.asyncio
async def test_what_a_proof_can_not_lead_to(story: Story, client: httpx2.AsyncClient) -> None:
    for path in (
        f"/v1/transactions/{story.earn_txid.hex()}/proof",
        f"/v1/accounts/{story.text(FAN)}/proof",
        f"/v1/programs/{story.shop.program.hex()}/proof",
        f"/v1/programs/{story.shop.program.hex()}/members/{story.text(FAN)}/proof",
        f"/v1/campaigns/{story.funded.hex()}/proof",
    ):
        refused(await client.get(path, params={"trust": "ab" * 32}), 404, "proof.not_my_chain")
        refused(await client.get(path, params={"trust": "x"}), 400, "id.format")
    pledges = f"/v1/campaigns/{story.failed.hex()}/pledges"
    refused(await client.get(f"{pledges}/0/proof"), 404, "proof.no_record")  # it went back
    refused(await client.get(f"{pledges}/7/proof"), 404, "proof.no_record")
    for number in ("-1", "x", str(2**32)):
        refused(await client.get(f"{pledges}/{number}/proof"), 400, "http.parameter")


@pytest.mark.asyncio
async def test_blocks_that_do_not_exist(client: httpx2.AsyncClient) -> None:
    refused(await client.get("/v1/blocks/9999999999"), 404, "block.unknown")
    refused(await client.get(f"/v1/blocks/{HEX}"), 404, "block.unknown")
    for text in ("-1", "1.0", "٣", "99999999999", "tip", "0x1"):
        refused(await client.get(f"/v1/blocks/{text}"), 400, "id.format")
    refused(await client.get(f"/v1/blocks/{HEX}0"), 400, "http.parameter")


@pytest.mark.asyncio
@pytest.mark.parametrize("path", LISTS)
async def test_limits_and_cursors(client: httpx2.AsyncClient, path: str) -> None:
    for limit in ("0", "-1", "201", "1e3", "abc", "", "9" * 40):
        fields = refused(await client.get(path, params={"limit": limit}), 400, "http.parameter")
        assert fields["parameter"] == "limit"
    other = encode_cursor("another.list", (), (5, 5))
    wide = encode_cursor(path.rpartition("/")[2], (), (1,) if path != "/v1/blocks" else (1, 2))
    for cursor in ("x", "!!!", "AAAA", "٣", "lA", other, wide, other + "A", ""):
        refused(await client.get(path, params={"cursor": cursor}), 400, "page.cursor")
    refused(await client.get(path, params={"cursor": "A" * 513}), 400, "http.parameter")


@pytest.mark.asyncio
async def test_cursors_that_were_made_by_hand(story: Story, client: httpx2.AsyncClient) -> None:
    path = f"/v1/accounts/{story.text(FAN)}/history"
    for name in (b"\xff\xfe", b"a\x00b"):
        cursor = encode_cursor("account.history", (FAN.address, name), (5, 5))
        refused(await client.get(path, params={"cursor": cursor}), 400, "page.cursor")
    other = encode_cursor("account.history", (FRIEND.address, b""), (5, 5))
    refused(await client.get(path, params={"cursor": other}), 400, "page.cursor")
    far = encode_cursor("account.history", (FAN.address, b""), (2**63 - 1, 2**63 - 1))
    assert (await client.get(path, params={"cursor": far})).status_code == 200
    refused(await client.get(path, params={"event": "Points; drop"}), 400, "http.parameter")


@pytest.mark.asyncio
async def test_paths_and_methods(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/v1", "/v2/chain", "/v1/accounts", "/v1/chain/", "/%00", "/v1/programs/x/y/z"):
        refused(await client.get(path), 404, "http.not_found")
    for method, path in (("DELETE", "/v1/chain"), ("GET", "/v1/transactions"), ("PUT", f"/v1/programs/{HEX}")):
        response = await client.request(method, path)
        refused(response, 405, "http.method_not_allowed")
        assert response.headers["allow"]
    response = await client.post(f"/v1/accounts/{HEX}")
    refused(response, 405, "http.method_not_allowed")


@pytest.mark.asyncio
async def test_a_store_that_cannot_be_read(shop: LiveShop, live_app: FastAPI, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"this is no database" * 1_000)
    services = live_app.state.services
    reader = Reader(open_engine(f"sqlite:///{damaged}", read_only=True))
    object.__setattr__(services, "reader", reader)
    async with open_client(live_app, raises=False) as client:
        for path in ("/v1/chain", "/v1/programs", f"/v1/transactions/{HEX}"):
            response = await client.get(path)
            refused(response, 503, "store.corrupt")
            assert "retry-after" in response.headers
        refused(await client.get("/readyz"), 503, "http.not_ready")
        assert (await client.get("/healthz")).status_code == 200
    object.__setattr__(services, "reader", shop.node.reader)
    reader.close()


@pytest.mark.asyncio
async def test_a_tip_that_is_too_old(shop: LiveShop, live_app: FastAPI) -> None:
    shop.chain.clock.set(shop.chain.time + 3_601)
    async with open_client(live_app) as client:
        fields = refused(await client.get("/readyz"), 503, "http.not_ready")
    assert fields["tip_age_s"] == 3_601


@pytest.mark.asyncio
async def test_a_fault_that_nobody_expected_tells_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr(story.shop.node.reader, "snapshot", fail)
    async with open_client(story.app, raises=False) as client:
        response = await client.get("/v1/chain")
    refused(response, 500, "http.internal")
    assert "secret" not in response.text
