"""A fan's messages from a warm server over HTTP, and how soon a purchase or a revocation counts.

Client and server are two processes (`bench_http` serves). One connection asks one thing after the other. Requests are signed before
the clock runs; a time is from the first byte that is sent to the last one that comes. The node's clock stands still, so that what a
fan is told does not change while it is measured.
"""

import gc
import json
import socket
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx2

from api.wallet.builder import Signer
from api.wallet.request_signing import AccountSigner
from bench_chain import bench_params, fan
from bench_fans import RECALLED, WEEKS, Prepared, prepare_fans
from bench_http import HEAD_END, host_and_port, started_server
from ledger.address import encode_address
from ledger.policy import single_key_policy
from ledger.types import Timestamp

WARM_ROUNDS: Final = 2
ANSWERS_MAX: Final = 5
"""Within so many answers something new must have shown; it is to be the first one."""
PERCENTILES: Final = 100


class Line:
    """One connection that is kept open, and just enough HTTP/1.1 to be faster than what it measures."""

    def __init__(self, url: str) -> None:
        self._socket = socket.create_connection(host_and_port(url))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[int, bytes, float]:
        """Status and body of the answer, and how many seconds it took."""
        began = time.perf_counter()
        self._socket.sendall(request)
        data = b""
        while HEAD_END not in data:
            data += self._receive()
        head, _, body = data.partition(HEAD_END)
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self._receive()
        return int(head.split(b" ", 2)[1]), body, time.perf_counter() - began

    def _receive(self) -> bytes:
        found = self._socket.recv(2**18)
        if not found:
            raise RuntimeError("the server closed the connection")
        return found

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def write_request(method: str, url: str, body: bytes = b"", kind: str = "") -> bytes:
    """An unsigned request as it goes over the line."""
    request = httpx2.Request(method, url, content=body, headers={"content-type": kind} if kind else {})
    return _to_bytes(request, body)


def sign_request(index: int, url: str, now: Timestamp) -> bytes:
    """A GET of a fan's own, as it goes over the line."""
    owner = fan(index)
    text = encode_address(bench_params().address_prefix, owner.address)
    signer = AccountSigner(
        Signer.of_policy(single_key_policy(owner.key), (owner.seed,), owner.address), text, lambda: float(now)
    )
    request = httpx2.Request("GET", url)
    signer(request)
    return _to_bytes(request, b"")


def _to_bytes(request: httpx2.Request, body: bytes) -> bytes:
    path = request.url.raw_path.decode()
    lines = [f"{request.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\r\n".join(lines).encode() + HEAD_END + body


def time_messages(line: Line, url: str, prepared: Prepared, fans: int, rounds: int) -> tuple[list[float], int]:
    """Seconds of each answer after the warm-up, and how many messages all fans were shown in a round."""
    seconds: list[float] = []
    shown = 0
    for number in range(WARM_ROUNDS + rounds):
        requests = [sign_request(index, url, prepared.now) for index in range(fans)]
        gc.collect()
        answers = [line.ask(request) for request in requests]
        assert all(status == 200 for status, _, _ in answers), "each fan has agreed"
        if number >= WARM_ROUNDS:
            seconds += [took for _, _, took in answers]
        shown = sum(len(json.loads(body)["items"]) for _, body, _ in answers)
    return seconds, shown


def time_change(line: Line, change: bytes, asks: Sequence[bytes], shows: Any, good: int) -> tuple[float, int]:
    """Seconds from the answer to a change to the first answer that shows it, and which one that is."""
    status, body, _ = line.ask(change)
    if status != good:
        raise RuntimeError(f"the server answered {status}: {body[:400]!r}")
    began = time.perf_counter()
    for number, request in enumerate(asks, 1):
        if shows(*line.ask(request)[:2]):
            return time.perf_counter() - began, number
    raise RuntimeError("a change did not count within the next answers")


def is_told_of_recall(status: int, body: bytes) -> bool:
    """Whether an answer shows that the purchase was read."""
    items = json.loads(body)["items"] if status == 200 else []
    return any((one["topic"], one["subject"]) == ("recall", RECALLED) for one in items)


def is_refused(status: int, body: bytes) -> bool:
    """Whether an answer shows that nothing is granted any more."""
    return status == 403 and json.loads(body)["code"] == "personal.not_granted"


def measure_messages(folder: Path, fans: int, rounds: int) -> dict[str, Any]:
    """Percentiles in ms: of answers, and from a purchase or a revocation until one shows it; and which one that was at most."""
    prepared = prepare_fans(folder, fans)
    with started_server(folder, prepared.now) as base:
        url = f"{base}/v1/me/messages?program={prepared.program.hex()}"
        line = Line(base)
        seconds, shown = time_messages(line, url, prepared, fans, rounds)
        purchases, revocations = list[tuple[float, int]](), list[tuple[float, int]]()
        for index in range(fans):
            asks = [sign_request(index, url, prepared.now) for _ in range(ANSWERS_MAX)]
            purchase = write_request("POST", f"{base}/v1/receipts", prepared.receipts[index], "application/json")
            purchases.append(time_change(line, purchase, asks, is_told_of_recall, 201))
        for index in range(fans):
            asks = [sign_request(index, url, prepared.now) for _ in range(ANSWERS_MAX)]
            raw, kind = prepared.revocations[index], "application/msgpack"
            revocation = write_request("POST", f"{base}/v1/transactions", raw, kind)
            revocations.append(time_change(line, revocation, asks, is_refused, 202))
        line.close()
    return {
        "fans": fans,
        "receipts": WEEKS,
        "shown": shown / fans,
        "messages": _percentiles(seconds),
        "purchase": _percentiles([took for took, _ in purchases]),
        "purchase_answers": max(number for _, number in purchases),
        "revocation": _percentiles([took for took, _ in revocations]),
        "revocation_answers": max(number for _, number in revocations),
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    found = statistics.quantiles(seconds, n=PERCENTILES)
    return {"p50_ms": found[49] * 1e3, "p99_ms": found[98] * 1e3}
