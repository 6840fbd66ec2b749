"""What the operator sees over HTTP, and nobody else: the cookie, the figures, bans that are written wrongly."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.http.app import create_app
from api.http.operator import OperatorDesk
from ledger.networks import NETWORKS
from ledger.types import Timestamp
from node.cookie import read_cookie
from node.node import Node, NodeConfig
from node.p2p.address import PeerAddress
from node.p2p.network import NetworkReport, PeerReport
from node.p2p.scores import Ban, Scores


@dataclass
class FakePeers:
    """What the desk orders."""

    scores: Scores = field(default_factory=Scores)
    banned: list[tuple[PeerAddress, int]] = field(default_factory=list)

    def ban(self, address: PeerAddress, seconds: int, reason: str) -> None:
        self.banned.append((address, seconds))
        self.scores.ban(address, Timestamp(seconds), reason)


class FakeNetwork:
    """A network without sockets."""

    key, port = b"k" * 32, 8_790

    def __init__(self) -> None:
        self.peers = FakePeers()

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self.peers)

    def report(self) -> NetworkReport:
        peer = PeerReport("203.0.113.9:8790", "dialled", True, False, "other", "00", 5.0, None, 10, 20, 3, 0.0)
        bans = {bytes([203, 0, 113, 7]): Ban(Timestamp(1_800_000_000), "garbage"), bytes(8): Ban(Timestamp(1), "why")}
        return NetworkReport((peer,), 2, 40, bans, header_height=5)


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest_asyncio.fixture
async def client(tmp_path: Path, network: FakeNetwork) -> AsyncIterator[httpx2.AsyncClient]:
    node = Node(NodeConfig(tmp_path / "data", NETWORKS["sim"]))
    desk = OperatorDesk(node, network)  # type: ignore[arg-type] - it has what the desk uses
    app = create_app(node)
    app.router.routes.extend(desk.routes)
    transport = httpx2.ASGITransport(app=app)
    credentials = read_cookie(node.config.data_dir)
    async with httpx2.AsyncClient(transport=transport, base_url="http://node", auth=credentials) as made:
        yield made
    app.state.services.close()
    node.close()


@pytest.mark.asyncio
async def test_only_the_operator_is_answered(client: httpx2.AsyncClient) -> None:
    for method, path in (
        ("GET", "status"),
        ("GET", "peers"),
        ("POST", "bans"),
        ("DELETE", "bans/203.0.113.7"),
    ):
        for shown in (b"", b"Basic wrong", b"Basic X19jb29raWVfXzp3cm9uZw==", b"Bearer \xff"):
            answer = await client.request(
                method, f"/operator/{path}", headers={b"Authorization": shown}, auth=httpx2.Auth()
            )
            assert (answer.status_code, answer.json()["code"]) == (401, "operator.cookie")


@pytest.mark.asyncio
async def test_the_figures_are_those_of_node_and_network(client: httpx2.AsyncClient) -> None:
    status = (await client.get("/operator/status")).json()
    assert (status["network"], status["height"]) == ("sim", 0) and status["is_mining"] is False
    assert (status["peers"], status["missing_blocks"], status["known_addresses"], status["bans"]) == (1, 2, 40, 2)
    assert (status["node_key"], status["listens_on"]) == (b"k".hex() * 32, 8_790)
    found = (await client.get("/operator/peers")).json()
    assert [peer["address"] for peer in found["peers"]] == ["203.0.113.9:8790"]
    assert found["bans"][0] == {
        "host": "203.0.113.7",
        "until": 1_800_000_000,
        "until_time": "2027-01-15T08:00:00Z",
        "reason": "garbage",
    }
    assert found["bans"][1]["host"] == "::"


@pytest.mark.asyncio
async def test_bans_are_ordered_and_lifted(client: httpx2.AsyncClient, network: FakeNetwork) -> None:
    answer = await client.post("/operator/bans", json={"host": "203.0.113.7"})
    assert answer.json() == {"host": "203.0.113.7", "seconds": 86_400}
    answer = await client.post("/operator/bans", json={"host": "2001:db8:1:2:3::4", "seconds": 60})
    assert answer.json() == {"host": "2001:db8:1:2::", "seconds": 60}
    assert [seconds for _, seconds in network.peers.banned] == [86_400, 60]
    assert (await client.delete("/operator/bans/2001:db8:1:2::9")).status_code == 200
    answer = await client.delete("/operator/bans/2001:db8:1:2::9")
    assert (answer.status_code, answer.json()["code"]) == (404, "operator.no_ban")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"x", "http.body"),
        (b"[]", "http.body"),
        (b'{"host": 1}', "http.body"),
        (b'{"host": "::1", "more": 1}', "http.body"),
        (b'{"host": "::1", "seconds": 0}', "http.body"),
        (b'{"host": "::1", "seconds": true}', "http.body"),
        (b'{"host": "somewhere"}', "operator.host"),
        (b" " * 5_000, "http.body_too_large"),
    ],
)
@pytest.mark.asyncio
async def test_orders_that_are_written_wrongly_are_refused(client: httpx2.AsyncClient, body: bytes, code: str) -> None:
    answer = await client.post("/operator/bans", content=body)
    assert answer.json()["code"] == code
    assert answer.status_code == (413 if "large" in code else 400)


@pytest.mark.asyncio
async def test_the_public_document_does_not_name_it(client: httpx2.AsyncClient) -> None:
    assert not [path for path in (await client.get("/openapi.json")).json()["paths"] if "operator" in path]
