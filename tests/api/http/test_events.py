"""The stream of events: resumed anywhere, across restarts and reorganisations; slow clients, floods, limits, and its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.http.app import create_app
from api.http.event_stream import WHOLE_BLOCK, EventReader, Filters, begin_at, parse_position
from api.http.rendering import show_hash
from api.http.settings import HttpSettings
from api.wallet.event_stream import StreamedEvent, read_events
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Amount, Height, Timestamp
from node.node import Node
from tests.api.http.test_submission import refused
from tests.support.live_shop import LiveChain, LiveShop
from tests.support.shop import FAN, FRIEND, STRANGER

SECONDS_MAX = 20.0
QUICK = HttpSettings(rate_limited=False, event_silence_seconds_max=0.05)


class Listening:
    """One client of `/v1/events` without a socket. `takes` is cleared while it takes nothing."""

    def __init__(
        self, app: FastAPI, query: str = "", *, last_event_id: str | None = None, host: str = "192.0.2.1"
    ) -> None:
        self.takes = asyncio.Event()
        self.takes.set()
        self.status = 0
        self.text = ""
        self._gone = asyncio.Event()
        self._arrived = asyncio.Event()
        headers = [(b"host", b"node"), (b"accept", b"text/event-stream")]
        if last_event_id is not None:
            headers.append((b"last-event-id", last_event_id.encode()))
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/v1/events",
            "raw_path": b"/v1/events",
            "query_string": query.encode(),
            "headers": headers,
            "client": (host, 5_000),
            "server": ("node", 80),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.takes.wait()
        self.status = message.get("status", self.status)
        self.text += message.get("body", b"").decode("ascii")
        self._arrived.set()

    @property
    def events(self) -> list[StreamedEvent]:
        """What arrived whole, without the opening."""
        lines = self.text[: self.text.rfind("\n\n") + 2].split("\n")
        return [event for event in read_events(lines) if event.name != "stream.opened"]

    async def wait_for(self, count: int) -> list[StreamedEvent]:
        """The first `count` events, once they are there."""
        async with asyncio.timeout(SECONDS_MAX):
            while len(self.events) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.events[:count]

    async def wait_until(self, tip: str) -> list[StreamedEvent]:
        """All events, once the block `tip` was announced and everything sent after it arrived."""
        async with asyncio.timeout(SECONDS_MAX):
            while not any(event.data.get("hash") == tip and event.name == "block.connected" for event in self.events):
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.sleep(0.1)
        return self.events

    async def leave(self) -> None:
        """Hang up."""
        self._gone.set()
        async with asyncio.timeout(SECONDS_MAX):
            await self.task

    async def end(self) -> None:
        """Wait until the node ends it."""
        async with asyncio.timeout(SECONDS_MAX):
            await self.task


@asynccontextmanager
async def listening(app: FastAPI, query: str = "", **options: Any) -> AsyncIterator[Listening]:
    """A client that hangs up at the end."""
    found = Listening(app, query, **options)
    try:
        yield found
    finally:
        found.takes.set()
        await found.leave()


@pytest.fixture
def app(shop: LiveShop) -> Iterator[FastAPI]:
    """The API over `shop`, with short silences."""
    found = create_app(shop.node, QUICK)
    yield found
    found.state.services.close()


def genesis_position(node: Node) -> str:
    """Before the first block."""
    return f"0:{show_hash(node.chain.header_at(Height(0)).hash)}:{WHOLE_BLOCK}"


def tip_of(node: Node) -> str:
    return show_hash(node.chain.tip.hash)


def pay(shop: LiveShop | LiveChain, amount: int = 5_000) -> None:
    chain = shop.chain if isinstance(shop, LiveShop) else shop
    chain.send("transfer", Transfer(ToAccount(FRIEND.address), Amount(amount)), author=FAN)


def branch_off(shop: LiveShop, folder: Path, keep: int) -> LiveChain:
    """Another node that knows the first `keep` blocks of the shop's chain."""
    other = LiveChain(folder, shop.chain.params)
    for height in range(1, keep + 1):
        block = shop.node.chain.block_at(Height(height))
        assert block is not None
        other.clock.set(block.header.time)
        other.node.chain.accept_block(block)
        other.time = block.header.time
    return other


def follow(shop: LiveShop, other: LiveChain, first: int) -> None:
    """Give the shop's node the other's blocks from the height `first` on."""
    shop.chain.clock.set(max(shop.chain.clock.now(), other.clock.now()))
    for height in range(first, other.node.chain.tip.height + 1):
        block = other.node.chain.block_at(Height(height))
        assert block is not None
        with shop.node.lock:
            shop.node.chain.accept_block(block)


def mirror(events: list[StreamedEvent], known: list[str] | None = None) -> list[str]:
    """The chain of hashes that a client has who believes the stream; asserts that each message fits."""
    chain = list(known or [])
    for event in events:
        if event.name == "block.connected":
            assert not chain or event.data["previous"] == chain[-1]
            chain.append(event.data["hash"])
        elif event.name == "block.disconnected":
            assert chain.pop() == event.data["hash"]
        elif event.name != "chain.reorganised":
            assert event.data["block"] == chain[-1]
    return chain


@pytest.mark.asyncio
async def test_what_happens_is_told_as_it_happens(shop: LiveShop, app: FastAPI) -> None:
    async with listening(app) as client:
        await asyncio.sleep(0.02)
        await asyncio.to_thread(pay, shop)
        events = await client.wait_until(tip_of(shop.node))
        assert [event.name for event in events[:2]] == ["block.connected", "coin.moved"]
        assert events[0].data["height"] == shop.node.chain.tip.height and events[0].data["transactions"] == 1
        assert events[1].data["txid"] == shop.chain.last_txid.hex()
        assert events[1].data["data"]["amount"] == 5_000
        assert client.status == 200 and client.text.startswith("event: stream.opened\n")
        await asyncio.sleep(0.1)
        assert ": still here\n\n" in client.text


@pytest.mark.asyncio
async def test_a_stream_is_taken_up_after_any_message(shop: LiveShop, app: FastAPI) -> None:
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 70)
    start, tip = genesis_position(shop.node), tip_of(shop.node)
    async with listening(app, last_event_id=start) as client:
        whole = await client.wait_until(tip)
    assert len({event.id for event in whole}) == len(whole) > 10
    mirror(whole)
    for place, event in enumerate(whole[:-1]):
        options = {"query": f"after={event.id}"} if place % 2 else {"last_event_id": event.id}
        async with listening(app, **options) as client:
            assert await client.wait_for(len(whole) - place - 1) == whole[place + 1 :]


@pytest.mark.asyncio
async def test_a_stream_is_taken_up_after_a_restart(shop: LiveShop, tmp_path: Path) -> None:
    chain = LiveChain(tmp_path / "node", shop.chain.params)
    pay(chain)
    app = create_app(chain.node, QUICK)
    async with listening(app, last_event_id=genesis_position(chain.node)) as client:
        first = await client.wait_until(tip_of(chain.node))
    app.state.services.close()
    pay(chain)
    chain.node.close()
    node = Node(chain.node.config, chain.clock)
    again = create_app(node, QUICK)
    async with listening(again, last_event_id=first[-1].id) as client:
        rest = await client.wait_until(tip_of(node))
    assert len(mirror(first + rest)) == node.chain.tip.height == 2
    again.state.services.close()
    node.close()


@pytest.mark.asyncio
async def test_reorganisations_are_announced_to_who_listens_and_to_who_comes_back(
    shop: LiveShop, app: FastAPI, tmp_path: Path
) -> None:
    trunk = shop.node.chain.tip.height
    pay(shop, 6_000)
    pay(shop, 7_000)
    old_tip, height = tip_of(shop.node), shop.node.chain.tip.height
    other = branch_off(shop, tmp_path / "other", trunk)
    for amount in (8_000, 9_000, 10_000):
        other.time = Timestamp(other.time + 7)
        pay(other, amount)
    async with listening(app, last_event_id=genesis_position(shop.node)) as client:
        before = list(await client.wait_until(old_tip))
        await asyncio.to_thread(follow, shop, other, trunk + 1)
        told = await client.wait_until(tip_of(other.node))
    live = told[len(before) :]
    assert [event.name for event in live[:3]] == ["chain.reorganised", "block.disconnected", "block.disconnected"]
    assert live[0].data["disconnected"] == 2
    assert live[0].data["back_to_height"] == trunk
    assert live[0].data["back_to"] == show_hash(shop.node.chain.header_at(Height(trunk)).hash)
    assert live[0].data["height"] >= height, "of two branches of the same length, a node may follow either"
    assert [event.data["height"] for event in live[1:3]] == [height, height - 1]
    assert mirror(told)[-1] == tip_of(shop.node) == tip_of(other.node)
    for place, event in enumerate(told):  # whoever left at any of these messages comes back and is told the truth
        async with listening(app, last_event_id=event.id) as client:
            rest = await client.wait_until(tip_of(other.node)) if place < len(told) - 2 else client.events
        assert mirror([*told[: place + 1], *rest])[: trunk + 1] == mirror(told)[: trunk + 1]
        if place < len(told) - 2:
            assert mirror([*told[: place + 1], *rest]) == mirror(told)
    other.node.close()


@pytest.mark.asyncio
async def test_filters_narrow_events_and_blocks_are_always_told(shop: LiveShop, app: FastAPI) -> None:
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 70)
    shop.earn(FRIEND, 30)
    pay(shop)
    start, tip = genesis_position(shop.node), tip_of(shop.node)
    fan = app.state.services.renderer.address(FAN.address)

    async def names(query: str) -> list[str]:
        async with listening(app, query, last_event_id=start) as client:
            events = await client.wait_until(tip)
        assert sum(event.name == "block.connected" for event in events) == shop.node.chain.tip.height
        return [event.name for event in events if event.name != "block.connected"]

    assert await names("kind=points.earned") == ["points.earned"] * 2
    assert await names(f"kind=points.earned&account={fan}") == ["points.earned"]
    of_program = await names(f"program={shop.program.hex()}")
    assert of_program.count("points.earned") == 2 and of_program.count("member.joined") == 2
    assert of_program.count("coin.moved") == 1, "what fills the pool is the program's, what fans send each other is not"
    assert await names(f"program={'00' * 32}") == []


@pytest.mark.asyncio
async def test_a_slow_client_is_dropped_and_loses_nothing(shop: LiveShop) -> None:
    app = create_app(shop.node, QUICK.model_copy(update={"event_send_seconds_max": 0.1}))
    services = app.state.services
    slow = Listening(app, last_event_id=genesis_position(shop.node))
    got = await slow.wait_for(2)
    slow.takes.clear()
    await asyncio.to_thread(pay, shop)
    await slow.end()
    assert services.metrics.slow_streams._value.get() == 1
    assert services.metrics.streams._value.get() == 0
    got = slow.events
    async with listening(app, last_event_id=got[-1].id) as client:
        rest = await client.wait_until(tip_of(shop.node))
    assert len(mirror([*got, *rest])) == shop.node.chain.tip.height
    services.close()


@pytest.mark.asyncio
async def test_a_flood_is_read_at_the_clients_pace(
    shop: LiveShop, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    original = EventReader.read

    def counted(reader: EventReader, position: Any) -> Any:
        messages, moved = original(reader, position)
        reads.append(len(messages))
        return messages, moved

    monkeypatch.setattr(EventReader, "read", counted)
    monkeypatch.setattr("api.http.event_stream.MESSAGES_MAX", 16)
    async with listening(app) as client:
        await asyncio.sleep(0.05)
        client.takes.clear()
        before = len(reads)
        for _ in range(60):
            await asyncio.to_thread(pay, shop)
        await asyncio.sleep(0.05)
        assert sum(reads[before:]) <= 32, "what nobody takes is not read"
        client.takes.set()
        events = await client.wait_until(tip_of(shop.node))
    assert sum(event.name == "coin.moved" for event in events) == 60
    assert len({event.id for event in events}) == len(events)
    assert max(reads) <= 17
    mirror(events)


@pytest.mark.asyncio
async def test_streams_are_counted_in_all_and_for_each_client(shop: LiveShop) -> None:
    app = create_app(shop.node, QUICK.model_copy(update={"event_streams_max": 3, "event_streams_of_client_max": 2}))
    ones = [Listening(app, host="192.0.2.1") for _ in range(2)]
    await asyncio.sleep(0.05)
    third = Listening(app, host="192.0.2.1")
    await third.end()
    assert (third.status, json.loads(third.text)["code"]) == (503, "events.busy")
    assert "for one client" in json.loads(third.text)["detail"]
    other = Listening(app, host="192.0.2.2")
    await asyncio.sleep(0.05)
    late = Listening(app, host="192.0.2.3")
    await late.end()
    assert (late.status, json.loads(late.text)["fields"]["count"]) == (503, 3)
    await ones[0].leave()
    async with listening(app, host="192.0.2.1") as again:
        await asyncio.sleep(0.05)
        assert again.status == 200
    await ones[1].leave()
    await other.leave()
    app.state.services.close()


@pytest.mark.asyncio
async def test_the_end_of_the_service_ends_all_streams_at_once(shop: LiveShop) -> None:
    app = create_app(shop.node, HttpSettings(rate_limited=False))
    clients = [Listening(app) for _ in range(5)]
    await asyncio.sleep(0.05)
    started = asyncio.get_running_loop().time()
    await asyncio.to_thread(app.state.services.events.close)
    for client in clients:
        await client.end()
        assert client.text.endswith(": the node stops; come back later\n\n")
    assert asyncio.get_running_loop().time() - started < 2
    app.state.services.close()


@pytest.mark.asyncio
async def test_a_limit_ends_the_stream(shop: LiveShop, app: FastAPI) -> None:
    client = Listening(app, "limit=3", last_event_id=genesis_position(shop.node))
    await client.end()
    assert len(client.events) == 3


@pytest.mark.asyncio
async def test_positions_that_are_none(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    tip = tip_of(shop.node)
    for wrong in (
        "",
        "1",
        "1:2",
        f"x:{tip}:0",
        f"1:{tip[:-1]}:0",
        f"1:{tip}:-1",
        f"1:{tip}:{2**31}",
        f"1:{'zz' * 32}:0",
        "é:é:é",
    ):
        response = await live_client.get("/v1/events", params={"after": wrong})
        if wrong:
            refused(response, 400, "events.position_format")
    for unknown in (f"1:{'5f' * 32}:0", f"{shop.node.chain.tip.height + 1}:{tip}:0"):
        refused(await live_client.get("/v1/events", headers={"last-event-id": unknown}), 409, "events.position")
    refused(await live_client.get("/v1/events", params={"limit": 0}), 400, "http.parameter")
    refused(await live_client.get("/v1/events", params={"program": "5f"}), 400, "id.format")


def test_a_deep_reorganisation_is_announced_in_parts(
    shop: LiveShop, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.event_stream.DISCONNECTED_MAX", 2)
    trunk = shop.node.chain.tip.height
    shop.chain.mine(5)
    other = branch_off(shop, tmp_path / "other", trunk)
    other.time = Timestamp(other.time + 7)
    other.mine(6)
    services = app.state.services
    with services.reader.snapshot() as view:
        position = begin_at(view, None)
    follow(shop, other, trunk + 1)
    reader = EventReader(services, Filters())
    names: list[str] = []
    for _ in range(10):
        messages, position = reader.read(position)
        names += [message.name for message in messages]
        assert all(parse_position(str(message.id)) == message.id for message in messages)
    assert names[:8] == [
        *("chain.reorganised", "block.disconnected", "block.disconnected") * 2,
        "chain.reorganised",
        "block.disconnected",
    ]
    assert names.count("block.connected") == 6 and position.hash == other.node.chain.tip.hash
    other.node.close()


@pytest.mark.asyncio
async def test_account_reads_have_their_own_label(live_client: httpx2.AsyncClient, live_app: FastAPI) -> None:
    address = live_app.state.services.renderer.address(STRANGER.address)
    assert (await live_client.get(f"/v1/accounts/{address}")).status_code == 200
    figures = (await live_client.get("/metrics")).text
    assert 'fansumer_http_requests_total{method="GET",route="/v1/accounts/{address}",status="200"} 1.0' in figures
    assert 'route="unmatched"' not in figures
