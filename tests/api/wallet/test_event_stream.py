"""Server-sent events on the client's side: lines, streams that break, and streams that are none."""

from collections.abc import Callable, Iterator

import httpx2
import pytest
import stamina

from api.wallet.client import Client
from api.wallet.errors import ClientProblem, Unreachable
from api.wallet.event_stream import EVENT_CHARACTERS_MAX, StreamedEvent, read_events

Answering = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def message(number: int, name: str = "coin.moved") -> str:
    return f'event: {name}\ndata: {{"n":{number}}}\nid: 1:aa:{number}\n\n'


OPENED = "event: stream.opened\ndata: {}\nid: 1:aa:0\nretry: 1000\n\n"


class FakeNode:
    """Answers with the streams that it was given, in order; keeps what it was asked."""

    def __init__(self, *answers: str | httpx2.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.pauses: list[float] = []
        http = httpx2.Client(transport=httpx2.MockTransport(self._answer), base_url="http://node")
        self.client = Client("http://node", http=http, attempts_max=3, sleep=self.pauses.append)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(200, text=answer) if isinstance(answer, str) else answer


def test_messages_are_read_and_comments_and_halves_are_not() -> None:
    text = OPENED + ": still here\n\n" + message(1) + "data: {}\nid: x\n\n" + "event: half\ndata: {"
    assert list(read_events(text.split("\n"))) == [
        StreamedEvent("1:aa:0", "stream.opened", {}),
        StreamedEvent("1:aa:1", "coin.moved", {"n": 1}),
        StreamedEvent("x", "message", {}),
    ]


@pytest.mark.parametrize(
    "text", ["data: no\nid: 1\n\n", "data: []\nid: 1\n\n", "data: {}\n\n", "data: " + "x" * (EVENT_CHARACTERS_MAX + 1)]
)
def test_what_is_no_stream_of_ours(text: str) -> None:
    with pytest.raises(Unreachable) as fault:
        list(read_events(text.split("\n")))
    assert fault.value.code == "client.bad_stream"


def test_a_broken_stream_is_taken_up_after_the_last_event() -> None:
    node = FakeNode(OPENED + message(1) + message(2) + "event: half", httpx2.ReadError("cut"), OPENED + message(3))
    found = list(node.client.events(limit=3, account="fan1", program=b"\x5f" * 32, kind="coin.moved"))
    assert [event.data["n"] for event in found] == [1, 2, 3]
    first, second, third = node.requests
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == third.headers["last-event-id"] == "1:aa:2"
    assert dict(first.url.params) == {"account": "fan1", "program": "5f" * 32, "kind": "coin.moved", "limit": "3"}
    assert third.url.params["limit"] == "1"
    assert len(node.pauses) == 2


def test_a_position_of_ones_own() -> None:
    node = FakeNode(OPENED + message(9))
    assert [event.data["n"] for event in node.client.events(after="1:aa:8", limit=1)] == [9]
    assert node.requests[0].headers["last-event-id"] == "1:aa:8"


def test_nobody_there() -> None:
    node = FakeNode(httpx2.ConnectError("nobody"))
    with pytest.raises(Unreachable) as fault:
        list(node.client.events(limit=1))
    assert fault.value.code == "client.unreachable" and len(node.requests) == 3


def test_refusals_are_told_and_a_busy_node_is_asked_again() -> None:
    def problem(status: int, code: str) -> httpx2.Response:
        document = {"code": code, "detail": "no", "advice": "", "fields": {}}
        return httpx2.Response(status, json=document, headers={"retry-after": "7"})

    node = FakeNode(problem(409, "events.position"))
    with pytest.raises(ClientProblem) as fault:
        list(node.client.events(after="1:aa:1", limit=1))
    assert (fault.value.code, fault.value.status) == ("events.position", 409)
    busy = FakeNode(problem(503, "events.busy"), OPENED + message(1))
    assert len(list(busy.client.events(limit=1))) == 1 and busy.pauses == [7.0]
    full = FakeNode(problem(503, "events.busy"))
    with pytest.raises(ClientProblem) as found:
        list(full.client.events(limit=1))
    assert found.value.code == "events.busy"
