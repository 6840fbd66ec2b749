"""The way in: what is taken, what is refused and why, batches, and a writer that fails."""

import asyncio
import base64
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api.http.metrics import HttpMetrics
from api.http.problems import BUSY, RequestFault
from api.http.schemas.transactions import DryRunAnswer, Submitted, TransactionAnswer
from api.http.submission import SubmissionQueue
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.earn import Earn
from ledger.errors import Code, LedgerError, RuleViolation
from ledger.transaction import OwnFee, Transaction
from ledger.types import Amount
from tests.api.http.conftest import open_client
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import FUNDS, Scenario, Signer, sim_params
from tests.support.shop import FAN, FRIEND, STRANGER, TILL

pytestmark = pytest.mark.asyncio

MSGPACK = {"content-type": "application/msgpack"}
TEST_CODE = Code("test.refused", "refused by a test", "Nothing.")


def make_transfer(shop: LiveShop, amount: int, *, author: Signer = FAN, **options: Any) -> Transaction:
    """A transfer from `author` to a friend."""
    payload = Transfer(ToAccount(FRIEND.address), Amount(amount))
    return shop.chain.sign("transfer", payload, author=author, **options)


async def post(client: httpx2.AsyncClient, transaction: Transaction | bytes, path: str = "") -> httpx2.Response:
    """Send canonical bytes."""
    raw = transaction.raw if isinstance(transaction, Transaction) else transaction
    return await client.post(f"/v1/transactions{path}", content=raw, headers=MSGPACK)


def refused(response: httpx2.Response, status: int, code: str) -> dict[str, object]:
    """The problem of a refusal, which has this status and code."""
    found = response.json()
    assert (response.status_code, found["code"]) == (status, code), found
    assert response.headers["content-type"] == "application/problem+json"
    assert found["status"] == status
    assert found["type"] == f"urn:fansumer:problem:{code}"
    assert found["detail"]
    assert found["advice"]
    return found["fields"]


async def test_from_waiting_to_confirmed(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    transaction = make_transfer(shop, 5_000)
    response = await post(live_client, transaction)
    assert response.status_code == 202
    Submitted.model_validate(response.json(), strict=True)
    assert response.json() == {
        "txid": transaction.txid.hex(),
        "wtxid": transaction.wtxid.hex(),
        "status": "unconfirmed",
    }
    path = f"/v1/transactions/{transaction.txid.hex()}"
    waiting = await live_client.get(path)
    TransactionAnswer.model_validate(waiting.json(), strict=True)
    assert (waiting.json()["status"], waiting.json()["confirmations"]) == ("unconfirmed", 0)
    refused(await live_client.get(f"{path}/proof"), 409, "transaction.unconfirmed")
    shop.chain.mine(2)
    confirmed = (await live_client.get(path)).json()
    assert (confirmed["status"], confirmed["confirmations"]) == ("confirmed", 2)
    assert [event["name"] for event in confirmed["events"]] == ["coin.moved"]
    refused(await post(live_client, transaction), 409, "envelope.repeated")


async def test_the_same_bytes_twice_are_one(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    transaction = make_transfer(shop, 5_000)
    first, second = await post(live_client, transaction), await post(live_client, transaction)
    assert first.json() == second.json()
    assert len(shop.node.mempool) == 1


async def test_json_with_base64(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    transaction = make_transfer(shop, 5_000)
    body = {"transaction": base64.b64encode(transaction.raw).decode()}
    response = await live_client.post("/v1/transactions", json=body)
    assert (response.status_code, response.json()["txid"]) == (202, transaction.txid.hex())


async def test_dry_run_keeps_nothing(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    transaction = make_transfer(shop, 5_000)
    response = await post(live_client, transaction, "/dry-run")
    DryRunAnswer.model_validate(response.json(), strict=True)
    found = response.json()
    assert (found["codes"], found["kind"], found["weight"]) == (["applied"], "transfer", transaction.weight)
    assert found["fee"] == transaction.weight * shop.chain.params.fee_rate_min
    assert found["events"][0]["data"]["amount"] == 5_000
    assert len(shop.node.mempool) == 0
    refused(await live_client.get(f"/v1/transactions/{transaction.txid.hex()}"), 404, "transaction.unknown")


async def test_rules_are_refused_with_the_ledgers_code(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    fields = refused(await post(live_client, make_transfer(shop, FUNDS)), 422, "coin.insufficient")
    assert fields["needed"] == FUNDS
    refused(await post(live_client, make_transfer(shop, FUNDS), "/dry-run"), 422, "coin.insufficient")
    cheap = make_transfer(shop, 5_000, payment=OwnFee(Amount(1)))
    refused(await post(live_client, cheap), 422, "fee.too_low")
    other = Scenario(params=sim_params(FAN.address))
    payload = Transfer(ToAccount(FRIEND.address), Amount(5_000))
    refused(await post(live_client, other.sign("transfer", payload, author=FAN)), 422, "envelope.wrong_chain")
    early = make_transfer(shop, 5_000, valid_from=500, valid_until=510)
    refused(await post(live_client, early), 422, "envelope.early")
    expired = make_transfer(shop, 5_000, valid_from=1, valid_until=1)
    refused(await post(live_client, expired), 422, "envelope.expired")


async def test_two_that_overspend_together(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    most = shop.coin_of(STRANGER) * 2 // 3
    answers = await asyncio.gather(*(post(live_client, make_transfer(shop, most, author=STRANGER)) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [202, 422]
    (loser,) = (answer for answer in answers if answer.status_code == 422)
    refused(loser, 422, "coin.insufficient")


async def test_a_dropped_transaction_says_why(
    shop: LiveShop, live_client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = make_transfer(shop, 5_000, valid_from=shop.chain.height, valid_until=shop.chain.height)
    assert (await post(live_client, short)).status_code == 202
    with monkeypatch.context() as patch:
        patch.setattr(shop.node.mempool, "select", lambda weight_max: [])
        shop.chain.mine()
    found = (await live_client.get(f"/v1/transactions/{short.txid.hex()}")).json()
    TransactionAnswer.model_validate(found, strict=True)
    assert (found["status"], found["code"]) == ("dropped", "envelope.expired")
    assert found["detail"]
    assert found["advice"]


async def test_a_batch_with_a_fault_of_state_shows_the_code_of_each_entry(
    shop: LiveShop, live_client: httpx2.AsyncClient
) -> None:
    shop.join(FAN)
    entries = (shop.entry(FAN, 10), shop.entry(STRANGER, 20))
    transaction = shop.chain.sign("earn", Earn(shop.program, entries), author=TILL)
    assert (await post(live_client, transaction)).status_code == 202
    shop.chain.mine()
    found = (await live_client.get(f"/v1/transactions/{transaction.txid.hex()}")).json()
    assert found["codes"] == ["applied", "earn.no_member"]


async def test_many_at_once_are_taken_in_few_batches(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    transactions = [make_transfer(shop, 5_000 + number) for number in range(40)]
    answers = await asyncio.gather(*(post(live_client, transaction) for transaction in transactions))
    assert {answer.status_code for answer in answers} == {202}
    metrics = (await live_client.get("/metrics")).text
    assert 'fansumer_submissions_total{result="accepted"} 40.0' in metrics
    batches = next(line for line in metrics.splitlines() if line.startswith("fansumer_submission_batch_count"))
    assert float(batches.split()[1]) < 20


class SlowWriter:
    """A writer that refuses everything, counts, and can be made to break."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.fault: Exception | None = None

    def submit_batch(self, batch: Sequence[bytes]) -> list[Transaction | LedgerError]:
        self.batches.append(len(batch))
        if self.fault is not None:
            raise self.fault
        return [RuleViolation(TEST_CODE) for _ in batch]


def make_queue(writer: SlowWriter, *, batch_max: int = 4, waiting_max: int = 6) -> SubmissionQueue:
    """A queue of its own."""
    return SubmissionQueue(writer, HttpMetrics(CollectorRegistry()), batch_max=batch_max, waiting_max=waiting_max)


async def test_batches_are_bounded_and_a_full_queue_refuses() -> None:
    writer = SlowWriter()
    queue = make_queue(writer)
    results = await asyncio.gather(*(queue.submit(b"x") for _ in range(9)), return_exceptions=True)
    queue.close()
    codes = [result.code.name for result in results if isinstance(result, LedgerError)]
    assert codes.count("test.refused") == 7
    assert codes.count(BUSY.name) == 2
    assert writer.batches == [1, 4, 2]


async def test_a_request_that_is_gone_delays_nobody() -> None:
    queue = make_queue(SlowWriter())
    gone = asyncio.ensure_future(queue.submit(b"x"))
    other = asyncio.ensure_future(queue.submit(b"y"))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(RuleViolation):
        await other
    queue.close()


async def test_a_fault_of_the_store_reaches_all_and_passes() -> None:
    writer = SlowWriter()
    queue = make_queue(writer)
    writer.fault = OSError("no space left")
    results = await asyncio.gather(*(queue.submit(b"x") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, OSError) for result in results)
    assert not queue.broken
    writer.fault = None
    with pytest.raises(RuleViolation):
        await queue.submit(b"x")
    queue.close()


async def test_nothing_is_taken_after_a_broken_invariant() -> None:
    writer = SlowWriter()
    queue = make_queue(writer)
    writer.fault = AssertionError("points do not add up")
    with pytest.raises(AssertionError):
        await queue.submit(b"x")
    assert queue.broken
    with pytest.raises(RequestFault, match=r"http\.not_ready"):
        await queue.submit(b"x")
    queue.close()


async def test_a_writer_that_answers_too_few_leaves_nobody_waiting() -> None:
    writer = SlowWriter()
    queue = make_queue(writer)
    writer.submit_batch = lambda batch: []  # pyright: ignore[reportAttributeAccessIssue]  # a writer that forgets
    waiting = [asyncio.ensure_future(queue.submit(b"x")) for _ in range(5)]
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert {type(result) for result in results} == {AssertionError} and queue.broken
    queue.close()


async def test_a_fault_while_answering_reaches_all_and_the_next_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, faults = make_queue(SlowWriter()), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    calls: list[str] = []

    def count(name: str) -> None:
        calls.append(name)
        if len(calls) == 2:
            raise OSError("the metrics broke")

    labels = queue._metrics.submissions.labels
    monkeypatch.setattr(queue._metrics.submissions, "labels", lambda name: count(name) or labels(name))
    waiting = [asyncio.ensure_future(queue.submit(b"x")) for _ in range(6)]
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [type(result) for result in results] == [RuleViolation, *[OSError] * 4, RuleViolation]
    assert [type(context["exception"]) for context in faults] == [OSError], "it is in the log of the event loop"
    queue.close()


async def test_who_waits_when_the_service_ends_is_told() -> None:
    writer, begun, go_on = SlowWriter(), threading.Event(), threading.Event()
    inner = writer.submit_batch

    def wait(batch: Sequence[bytes]) -> list[Transaction | LedgerError]:
        begun.set()
        go_on.wait(5)
        return inner(batch)

    writer.submit_batch = wait  # pyright: ignore[reportAttributeAccessIssue]  # one that takes its time
    queue = make_queue(writer)
    waiting = [asyncio.ensure_future(queue.submit(b"x")) for _ in range(3)]
    await asyncio.to_thread(begun.wait, 5)
    go_on.set()
    queue.close()
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    codes = [result.code.name for result in results if isinstance(result, LedgerError)]
    assert codes == ["test.refused", "http.not_ready", "http.not_ready"]
    with pytest.raises(RequestFault, match=r"http\.not_ready"):
        await asyncio.wait_for(queue.submit(b"x"), 5)


async def test_a_broken_node_is_not_ready(shop: LiveShop, live_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_invariant(batch: Sequence[bytes]) -> list[Transaction | LedgerError]:
        raise AssertionError("points do not add up")

    monkeypatch.setattr(shop.node, "submit_batch", break_invariant)
    async with open_client(live_app, raises=False) as client:
        assert (await client.get("/readyz")).status_code == 200
        refused(await post(client, make_transfer(shop, 5_000)), 500, "http.internal")
        refused(await post(client, make_transfer(shop, 5_000)), 503, "http.not_ready")
        refused(await client.get("/readyz"), 503, "http.not_ready")
        assert (await client.get("/v1/chain")).status_code == 200


async def test_a_full_pool_says_when_to_come_back(
    shop: LiveShop, live_client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    mempool = shop.node.mempool
    limits = mempool._limits
    monkeypatch.setattr(mempool, "_limits", replace(limits, weight_max=1))
    response = await post(live_client, make_transfer(shop, 5_000))
    refused(response, 503, "mempool.full")
    assert int(response.headers["retry-after"]) >= 1
    monkeypatch.setattr(mempool, "_limits", replace(limits, author_count_max=0))
    response = await post(live_client, make_transfer(shop, 5_000))
    refused(response, 429, "mempool.author_limit")
    assert int(response.headers["retry-after"]) >= 1


async def test_bodies_of_the_wrong_form(live_client: httpx2.AsyncClient) -> None:
    for content_type in ("text/plain", "application/octet-stream", "", "application/msgpack+x", "multipart/form-data"):
        response = await live_client.post(
            "/v1/transactions", content=b"\x90", headers={"content-type": content_type} if content_type else {}
        )
        refused(response, 415, "http.media_type")
    for body in (b"", b"{", b"[]", b"1", b'{"transaction": 1}', b'{"transaction": "!"}', b'{"x": ""}', b"\xff\xfe"):
        headers = {"content-type": "application/json; charset=utf-8"}
        refused(await live_client.post("/v1/transactions", content=body, headers=headers), 400, "http.body")
    deep = b'{"transaction": ' + b"[" * 100_000
    response = await live_client.post("/v1/transactions", content=deep, headers={"content-type": "application/json"})
    refused(response, 400, "http.body")
    double = json.dumps({"transaction": "", "more": 1})
    response = await live_client.post("/v1/transactions", content=double, headers={"content-type": "application/json"})
    refused(response, 400, "http.body")
