"""Reading accounts over HTTP: a node's API in one process, its readers in another, keep-alive connections between them.

    python scripts/bench_http.py FOLDER NOW      serves the node in FOLDER at that time, says its URL, ends with its standard input

The readers speak just enough HTTP/1.1 to be faster than what they measure: each connection sends the next request when it has the
whole answer to the one before.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api.http.settings import HttpSettings
from api.service import Service, bind_port
from bench_chain import END_OF_TIME, bench_params, fan
from bench_world import Sizes
from ledger.address import encode_address
from ledger.types import Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig

HOST = "127.0.0.1"
UNREACHED_RATE = "1000000000/minute"
"""Requests are counted as in production, and none is refused."""
CONNECTIONS = (8, 32)
WARM_UP_SECONDS = 1.0
ANSWER_BYTES_MAX = 2**20
ADDRESSES_ASKED_MAX = 50_000
PERCENTILES = 100
HEAD_END = b"\r\n\r\n"
LENGTH_NAME = b"content-length:"
GOOD_STATUS = b"HTTP/1.1 200"


# --- the server --------------------------------------------------------------------------------------------------------------


def serve(folder: Path, now: Timestamp) -> None:
    """Serve the node in `folder` until standard input ends. No miner runs, and its clock stands still."""
    node = Node(NodeConfig(folder, bench_params()), ManualClock(now))
    settings = HttpSettings(read_rate=UNREACHED_RATE, write_rate=UNREACHED_RATE, tip_age_seconds_max=None)
    service = Service(node, bind_port(HOST, 0), settings)
    service.start()
    print(service.url, flush=True)
    sys.stdin.read()
    service.close()
    node.close()


@contextmanager
def started_server(folder: Path, now: int = END_OF_TIME) -> Iterator[str]:
    """The URL of a server process on a store's copy."""
    command = [sys.executable, str(Path(__file__)), str(folder), str(now)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the server did not start, exit status {process.wait()}")
            yield url
        finally:
            process.stdin.close()
            process.wait(timeout=30)


# --- the readers -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Load:
    """What all connections of one run share: what they ask, until when, and how long each answer took, in seconds."""

    requests: list[bytes]
    chance: random.Random
    counted_from: float
    until: float
    latencies: list[float] = field(default_factory=list)


class Reading(asyncio.Protocol):
    """One connection that asks again and again until the time is over. `done` ends then, or with what went wrong."""

    def __init__(self, load: Load) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._buffer = b""
        self._wanted = 0
        self._asked_at = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._buffer, self._wanted = b"", 0
        self._asked_at = time.perf_counter()
        self._transport.write(self._load.chance.choice(self._load.requests))

    def data_received(self, data: bytes) -> None:
        """Collect an answer; when it is whole, note it and ask again."""
        self._buffer += data
        if not self._wanted:
            head, separator, _ = self._buffer.partition(HEAD_END)
            if not separator:
                return
            if not head.startswith(GOOD_STATUS):
                self._fail(f"the server answered {self._buffer[:400]!r}")
                return
            self._wanted = len(head) + len(HEAD_END) + _content_length(head)
        if len(self._buffer) < self._wanted:
            return
        now = time.perf_counter()
        if self._asked_at >= self._load.counted_from and now <= self._load.until:
            self._load.latencies.append(now - self._asked_at)
        if now < self._load.until:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server must not close a connection that is in use."""
        if not self.done.done():
            self._fail(f"the server closed a connection: {exc}")

    def _fail(self, reason: str) -> None:
        self._transport.close()
        self.done.set_exception(RuntimeError(reason))


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(LENGTH_NAME):
            length = int(line[len(LENGTH_NAME) :])
            assert length < ANSWER_BYTES_MAX, "an account's answer is small"
            return length
    raise RuntimeError(f"an answer without a length: {head[:400]!r}")


async def read_accounts(url: str, requests: list[bytes], connections: int, seconds: float) -> list[float]:
    """Ask from so many connections at once; the latencies of what was asked and answered after the warm-up, in seconds."""
    host, port = host_and_port(url)
    begun = time.perf_counter() + WARM_UP_SECONDS
    load = Load(requests, random.Random(connections), begun, begun + seconds)
    loop = asyncio.get_running_loop()
    readings = [(await loop.create_connection(lambda: Reading(load), host, port))[1] for _ in range(connections)]
    await asyncio.gather(*(reading.done for reading in readings))
    return load.latencies


def make_requests(sizes: Sizes) -> list[bytes]:
    """Requests for random accounts, half of them members of the program."""
    chance, prefix = random.Random("http"), bench_params().address_prefix
    count = min(ADDRESSES_ASKED_MAX, sizes.accounts - sizes.members) // 2
    members = chance.choices(range(sizes.members), k=count)
    others = chance.choices(range(sizes.members, sizes.accounts), k=count)
    return [
        f"GET /v1/accounts/{encode_address(prefix, fan(index).address)} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
        for index in (*members, *others)
    ]


def measure_reads(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Requests a second, and the 50th and 99th percentile of the latency in ms, for each number of connections."""
    requests = make_requests(sizes)
    answer: dict[str, Any] = {}
    with started_server(folder) as url:
        for connections in CONNECTIONS:
            latencies = asyncio.run(read_accounts(url, requests, connections, sizes.http_seconds))
            percentiles = statistics.quantiles(latencies, n=PERCENTILES)
            answer[str(connections)] = {
                "requests_per_second": len(latencies) / sizes.http_seconds,
                "p50_ms": percentiles[49] * 1e3,
                "p99_ms": percentiles[98] * 1e3,
            }
        answer["example"] = fetch_one(url, requests[0])
    return answer


def host_and_port(url: str) -> tuple[str, int]:
    """Where a URL of this machine leads."""
    place = urlsplit(url)
    assert place.hostname is not None and place.port is not None, "the server says both"
    return place.hostname, place.port


def fetch_one(url: str, request: bytes) -> Any:
    """One answer's JSON, to show what was read."""

    async def fetch() -> bytes:
        reader, writer = await asyncio.open_connection(*host_and_port(url))
        writer.write(request)
        head = await reader.readuntil(HEAD_END)
        body = await reader.readexactly(_content_length(head))
        writer.close()
        return body

    return json.loads(asyncio.run(fetch()))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Timestamp(int(sys.argv[2])))
