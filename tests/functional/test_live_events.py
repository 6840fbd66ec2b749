"""The service over real sockets: a client that follows it across a restart, a service that stops while streams are open."""

import threading
import time
from pathlib import Path

import httpx2
import pytest

from api.http.settings import HttpSettings
from api.service import Service, bind_port
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from api.wallet.event_stream import StreamedEvent
from tests.support.live_shop import LiveShop
from tests.support.receipt_shop import ReceiptShop
from tests.support.shop import FAN

SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 3.0


class Follower:
    """Follows a node's events in a thread of its own."""

    def __init__(self, url: str, count: int) -> None:
        self.events: list[StreamedEvent] = []
        self._client = Client(url, attempts_max=20, sleep=lambda _: time.sleep(0.05))
        self._thread = threading.Thread(target=self._follow, args=(count,), daemon=True)
        self._thread.start()

    def _follow(self, count: int) -> None:
        for event in self._client.events(limit=count):
            self.events.append(event)

    def wait_for(self, count: int) -> None:
        """Until so many events have come."""
        ends = time.monotonic() + SECONDS_MAX
        while len(self.events) < count:
            assert time.monotonic() < ends, f"{len(self.events)} of {count} events"
            time.sleep(0.02)

    def close(self) -> None:
        """All events came, and the thread ended by itself."""
        self._thread.join(SECONDS_MAX)
        assert not self._thread.is_alive()
        self._client.close()


def serve(shop: LiveShop, port: int = 0) -> Service:
    service = Service(shop.node, bind_port("127.0.0.1", port), HttpSettings(rate_limited=False))
    service.start()
    return service


def stop(service: Service) -> None:
    started = time.monotonic()
    service.close()
    assert time.monotonic() - started < STOP_SECONDS_MAX, "open streams hold nothing up"


def test_a_follower_misses_nothing_when_the_service_restarts(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "data")
    service = serve(shop)
    port = int(service.url.rpartition(":")[2])
    follower = Follower(service.url, 6)
    deadline = time.monotonic() + SECONDS_MAX
    with Client(service.url) as client:
        while "fansumer_event_streams 1.0" not in client.metrics():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    shop.chain.mine(2)
    follower.wait_for(2)
    stop(service)
    shop.chain.mine(2)
    service = serve(shop, port)
    follower.wait_for(4)
    shop.chain.mine(2)
    follower.close()
    tip = shop.node.chain.tip.height
    assert [event.data["height"] for event in follower.events] == list(range(tip - 5, tip + 1))
    stop(service)
    shop.close()


def test_signed_requests_are_for_the_name_that_the_node_goes_by(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "data")
    shop.join(FAN)
    desk = ReceiptShop(shop)
    wanted = desk.hand_over(desk.sign())
    service = serve(shop)
    with Client(service.url, attempts_max=1) as client:
        assert client.receipt(desk.owner(), wanted)["id"] == wanted.hex()
        assert client.erase_receipt(desk.owner(), wanted)["erased"] == 1
        with pytest.raises(ClientProblem) as fault:
            client.receipts(lambda request: _sign_for_another(desk, request))
        assert fault.value.code == "signature.wrong"
    stop(service)
    desk.close()
    shop.close()


def _sign_for_another(desk: ReceiptShop, request: httpx2.Request) -> None:
    """A request that was signed for another node, which passes it on."""
    passed_on = desk.request(path="http://another.example/v1/receipts?limit=100")
    for name in ("signature", "signature-input"):
        request.headers[name] = passed_on.headers[name]
    request.headers["host"] = "another.example"
