"""The client against a fake node: what it asks, what it sends again, and what it makes of refusals."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import stamina

from api.wallet import client as client_module
from api.wallet.client import Client
from api.wallet.errors import ClientProblem, Unreachable, WalletError
from ledger.types import TxId

TXID = TxId(bytes(range(32)))
PROGRAM = b"\x5f" * 32
Answering = Callable[[httpx2.Request], httpx2.Response]


class FakeNode:
    """Gives the answers that it was told, in order; the last one again and again. Keeps what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception | Answering) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.seconds = 0.0
        transport = httpx2.MockTransport(self._answer)
        self.http = httpx2.Client(transport=transport, base_url="http://node")
        self.client = Client("http://node/", http=self.http, sleep=self._pass, clock=lambda: self.seconds)

    def _pass(self, seconds: float) -> None:
        self.seconds += seconds

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx2.Response):
            return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)

    @property
    def paths(self) -> list[str]:
        """Method and path of each request."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]


def good(**answer: Any) -> httpx2.Response:
    return httpx2.Response(200, json=answer)


def refusal(status: int, code: str = "points.insufficient", **headers: str) -> httpx2.Response:
    document = {
        "type": f"urn:fansumer:problem:{code}",
        "title": "refused",
        "status": status,
        "detail": "100 points are needed and 20 are available",
        "code": code,
        "advice": "Wait.",
        "fields": {"needed": 100, "available": 20},
    }
    return httpx2.Response(status, json=document, headers=headers)


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    """Retries happen, at once; never more than the client allows."""
    with stamina.set_testing(True, attempts=client_module.ATTEMPTS_MAX, cap=True):
        yield


def test_each_endpoint_is_asked_at_its_place() -> None:
    node = FakeNode(lambda request: good(items=[], path=request.url.path))
    client = node.client
    client.submit(b"tx")
    client.dry_run(b"tx")
    client.transaction(TXID)
    client.transaction_proof(TXID)
    client.chain()
    client.blocks(limit=5)
    client.block("12")
    client.account("dfan1abc")
    client.account_history("dfan1abc", cursor="next", limit=7)
    client.account_proof("dfan1abc")
    client.account_proof("dfan1abc", trust="ab")
    client.program_proof(PROGRAM)
    client.member_proof(PROGRAM, "dfan1abc")
    client.campaign_proof(PROGRAM)
    client.pledge_proof(PROGRAM, 3, trust="ab")
    client.programs()
    client.program(PROGRAM)
    client.rewards(PROGRAM)
    client.members(PROGRAM)
    client.liability(PROGRAM)
    client.campaigns()
    client.campaign(PROGRAM)
    client.pledges(PROGRAM, cursor="c")
    client.metrics()
    assert client.is_alive()
    assert client.is_ready()
    program, txid = PROGRAM.hex(), TXID.hex()
    assert node.paths == [
        "POST /v1/transactions",
        "POST /v1/transactions/dry-run",
        f"GET /v1/transactions/{txid}",
        f"GET /v1/transactions/{txid}/proof",
        "GET /v1/chain",
        "GET /v1/blocks?limit=5",
        "GET /v1/blocks/12",
        "GET /v1/accounts/dfan1abc",
        "GET /v1/accounts/dfan1abc/history?limit=7&cursor=next",
        "GET /v1/accounts/dfan1abc/proof",
        "GET /v1/accounts/dfan1abc/proof?trust=ab",
        f"GET /v1/programs/{program}/proof",
        f"GET /v1/programs/{program}/members/dfan1abc/proof",
        f"GET /v1/campaigns/{program}/proof",
        f"GET /v1/campaigns/{program}/pledges/3/proof?trust=ab",
        "GET /v1/programs?limit=100",
        f"GET /v1/programs/{program}",
        f"GET /v1/programs/{program}/rewards?limit=100",
        f"GET /v1/programs/{program}/members?limit=100",
        f"GET /v1/programs/{program}/liability",
        "GET /v1/campaigns?limit=100",
        f"GET /v1/campaigns/{program}",
        f"GET /v1/campaigns/{program}/pledges?limit=100&cursor=c",
        "GET /metrics",
        "GET /healthz",
        "GET /readyz",
    ]
    first = node.requests[0]
    assert (first.content, first.headers["content-type"]) == (b"tx", "application/msgpack")


def test_what_was_typed_stays_one_segment() -> None:
    node = FakeNode(good())
    node.client.account("../chain?x=1#y")
    node.client.block("")
    assert node.paths == ["GET /v1/accounts/---chain-x-1-y", "GET /v1/blocks/-"]


def test_refusal_carries_the_ledgers_code_and_advice() -> None:
    node = FakeNode(refusal(422))
    with pytest.raises(ClientProblem) as fault:
        node.client.submit(b"tx")
    problem = fault.value
    assert (problem.code, problem.status, problem.advice) == ("points.insufficient", 422, "Wait.")
    assert problem.fields == {"needed": 100, "available": 20}
    assert str(problem) == "points.insufficient: 100 points are needed and 20 are available"
    assert not isinstance(problem, Unreachable)
    assert len(node.requests) == 1


@pytest.mark.parametrize(
    "first", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("late"), refusal(503), refusal(429)]
)
def test_the_same_bytes_are_sent_again(first: Any) -> None:
    node = FakeNode(first, first, good(txid=TXID.hex(), status="unconfirmed"))
    assert node.client.submit(b"tx")["status"] == "unconfirmed"
    assert [request.content for request in node.requests] == [b"tx"] * 3


def test_after_enough_attempts_the_last_word_counts() -> None:
    silent = FakeNode(httpx2.ConnectError("nobody there"))
    with pytest.raises(Unreachable) as fault:
        silent.client.chain()
    assert fault.value.code == "client.unreachable"
    assert "http://node" in fault.value.detail and "nobody there" in fault.value.detail
    assert len(silent.requests) == client_module.ATTEMPTS_MAX
    for late, code in ((httpx2.ReadTimeout, "client.timed_out"), (httpx2.ConnectTimeout, "client.unreachable")):
        with pytest.raises(Unreachable) as waited:
            FakeNode(late("late")).client.chain()
        assert waited.value.code == code
    busy = FakeNode(refusal(503, "mempool.full"))
    with pytest.raises(ClientProblem) as full:
        busy.client.submit(b"tx")
    assert (full.value.code, full.value.status) == ("mempool.full", 503)


def test_the_nodes_own_pause_is_kept() -> None:
    pause = client_module._pause_before_retry
    assert pause(client_module._Busy(refusal(429, **{"retry-after": "3"}))) == 3.0
    assert pause(client_module._Busy(refusal(429, **{"retry-after": "999"}))) == client_module.RETRY_SECONDS_MAX
    for header in ("soon", "-1", "1e9", ""):
        assert pause(client_module._Busy(refusal(503, **{"retry-after": header}))) is True
    assert pause(httpx2.ConnectError("x")) is True
    assert pause(httpx2.UnsupportedProtocol("x")) is False
    assert pause(ValueError("x")) is False


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json=[1]),
        httpx2.Response(404, text="<html>"),
        httpx2.Response(500, json={"detail": "no code"}),
        httpx2.Response(302, headers={"location": "http://elsewhere"}),
    ],
)
def test_answers_of_other_servers_are_not_taken(answer: httpx2.Response) -> None:
    with pytest.raises(Unreachable) as fault:
        FakeNode(answer).client.chain()
    assert fault.value.code == "client.bad_answer"


def test_health_is_asked_once() -> None:
    for status, expected in ((200, True), (503, False)):
        node = FakeNode(httpx2.Response(status, json={}))
        assert node.client.is_ready() is expected
        assert node.client.is_alive() is expected
        assert len(node.requests) == 2
    with pytest.raises(Unreachable):
        FakeNode(httpx2.ConnectError("x")).client.is_ready()


def test_bad_url_is_reported() -> None:
    with pytest.raises(Unreachable) as fault:
        Client("http://\x00")
    assert fault.value.code == "client.unreachable"


def test_waits_for_confirmations() -> None:
    node = FakeNode(
        good(status="unconfirmed"),
        good(status="confirmed", confirmations=1),
        good(status="confirmed", confirmations=3),
    )
    assert node.client.wait_for(TXID, confirmations=2)["confirmations"] == 3
    assert len(node.requests) == 3


def test_waiting_ends() -> None:
    node = FakeNode(good(status="unconfirmed"))
    with pytest.raises(ClientProblem) as fault:
        node.client.wait_for(TXID, seconds_max=3)
    assert fault.value.code == "client.waited_too_long"
    assert TXID.hex() in fault.value.detail
    assert len(node.requests) == 1 + 3 / client_module.POLL_SECONDS


def test_waits_until_a_redemption_is_settled() -> None:
    node = FakeNode(good(standing="waiting"), good(standing="accepted by the shop"), good(standing="settled", held=1))
    assert node.client.redemptions.wait_settled(TXID, seconds_max=60)["held"] == 1
    assert len(node.requests) == 3
    fallen_out = FakeNode(good(standing="accepted by the shop"), good(standing="borne by the shop"))
    assert fallen_out.client.redemptions.wait_settled(TXID, seconds_max=60)["standing"] == "borne by the shop"
    with pytest.raises(WalletError) as fault:
        FakeNode(good(standing="waiting")).client.redemptions.wait_settled(TXID, seconds_max=3)
    assert fault.value.code.name == "redemption.not_settled"
    assert "still waiting after 3 seconds" in str(fault.value)


def test_dropped_transaction_says_why() -> None:
    dropped = good(status="dropped", code="envelope.expired", detail="valid until height 9", advice="Sign it again.")
    with pytest.raises(ClientProblem) as fault:
        FakeNode(dropped).client.wait_for(TXID)
    assert (fault.value.code, fault.value.detail) == ("envelope.expired", "valid until height 9")
    assert fault.value.advice == "Sign it again."
    with pytest.raises(ClientProblem) as silent:
        FakeNode(good(status="dropped")).client.wait_for(TXID)
    assert silent.value.code == "client.dropped"
    with pytest.raises(ClientProblem) as known:
        FakeNode(good(status="dropped", code="envelope.expired")).client.wait_for(TXID)
    assert known.value.advice == "Sign it again."


def test_pages_are_followed_by_their_cursors() -> None:
    node = FakeNode(good(items=[{"n": 1}, {"n": 2}], next_cursor="two"), good(items=[{"n": 3}], next_cursor=None))
    found = list(node.client.every(node.client.rewards, PROGRAM))
    assert [item["n"] for item in found] == [1, 2, 3]
    assert node.requests[1].url.params["cursor"] == "two"


def test_pages_without_end_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAGES_MAX", 3)
    node = FakeNode(good(items=[{"n": 1}], next_cursor="again"))
    assert len(list(node.client.every(node.client.programs))) == 3


def test_client_closes_its_connection() -> None:
    node = FakeNode(good())
    with node.client as client:
        client.chain()
    assert node.http.is_closed
