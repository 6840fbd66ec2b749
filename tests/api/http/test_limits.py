"""How often a client may ask, and whom it is counted for."""

from collections.abc import Callable, Iterator

import httpx2
import pytest
import time_machine
from fastapi import FastAPI
from limits import parse
from pydantic import ValidationError

from api.http.app import create_app
from api.http.limits import Windows, client_of
from api.http.settings import HttpSettings
from tests.api.http.conftest import BASE_URL, Story
from tests.api.http.test_submission import MSGPACK, refused

FEW = HttpSettings(read_rate="3/minute", write_rate="2/hour")
MakeApp = Callable[[HttpSettings], FastAPI]


@pytest.fixture
def make_app(story: Story) -> Iterator[MakeApp]:
    """Applications with other settings over the same node."""
    made: list[FastAPI] = []

    def make(settings: HttpSettings) -> FastAPI:
        made.append(create_app(story.shop.node, settings))
        return made[-1]

    yield make
    for app in made:
        app.state.services.close()


def client_from(app: FastAPI, host: str) -> httpx2.AsyncClient:
    """A client whose address is `host`."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=(host, 5_000)), base_url=BASE_URL)


@pytest.mark.asyncio
async def test_reads_and_writes_are_counted_apart(make_app: MakeApp) -> None:
    async with client_from(make_app(FEW), "192.0.2.7") as client:
        for left in (2, 1, 0):
            response = await client.get("/v1/chain")
            assert response.status_code == 200
            assert response.headers["ratelimit-policy"] == '"read";q=3;w=60'
            assert response.headers["ratelimit"].startswith(f'"read";r={left};t=')
        response = await client.get("/v1/chain")
        assert refused(response, 429, "http.rate_limited") == {"quota": 3, "window": 60}
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert response.headers["ratelimit"].startswith('"read";r=0;t=')
        for _ in range(2):
            response = await client.post("/v1/transactions", content=b"\x00", headers=MSGPACK)
            assert response.status_code == 400
            assert response.headers["ratelimit-policy"] == '"write";q=2;w=3600'
        refused(await client.post("/v1/transactions", content=b"\x00", headers=MSGPACK), 429, "http.rate_limited")
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.asyncio
async def test_clients_are_counted_apart(make_app: MakeApp) -> None:
    app = make_app(FEW)
    for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        async with client_from(app, host) as client:
            assert [(await client.get("/v1/chain")).status_code for _ in range(4)] == [200, 200, 200, 429]
    async with client_from(app, "2001:db8::2") as neighbour:
        assert (await neighbour.get("/v1/chain")).status_code == 429
        figures = (await neighbour.get("/metrics")).text
        assert 'route="refused",status="429"' in figures and 'route="unmatched"' not in figures, (
            "it asked for a path that exists"
        )


@pytest.mark.asyncio
async def test_this_computer_can_be_exempt(make_app: MakeApp) -> None:
    app = make_app(HttpSettings(read_rate="1/minute", loopback_exempt=True))
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        async with client_from(app, host) as client:
            for _ in range(3):
                response = await client.get("/v1/chain")
                assert response.status_code == 200
                assert "ratelimit" not in response.headers
    async with client_from(app, "192.0.2.1") as client:
        assert [(await client.get("/v1/chain")).status_code for _ in range(2)] == [200, 429]


def test_whom_a_request_is_counted_for() -> None:
    assert client_of("192.0.2.7") == ("192.0.2.7", False)
    assert client_of("127.9.9.9") == ("127.9.9.9", True)
    assert client_of("::ffff:192.0.2.7") == ("192.0.2.7", False)
    assert client_of("2001:db8:1:2:3::4") == ("2001:db8:1:2::/64", False)
    assert client_of("fe80::1%eth0") == ("fe80::/64", False)
    assert client_of("") == ("local", True)
    assert client_of("testclient") == ("local", False)


@pytest.mark.parametrize(
    "wrong",
    [{"read_rate": "many"}, {"body_bytes_max": 0}, {"submissions_batch_max": 0}, {"unknown": 1}, {"write_rate": ""}],
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpSettings.model_validate(wrong)


def test_a_window_ends_and_another_begins() -> None:
    with time_machine.travel(1_000, tick=False) as clock:
        windows = Windows(parse("2/minute"))
        assert (windows.requests_max, windows.seconds) == (2, 60)
        assert [windows.count("a"), windows.count("a"), windows.count("b")] == [(1, 1_060), (2, 1_060), (1, 1_060)]
        clock.move_to(1_059)
        assert windows.count("a") == (3, 1_060)
        clock.move_to(1_060)
        assert windows.count("a") == (1, 1_120)
