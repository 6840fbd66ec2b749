"""Stratum: how long until a thousand connected miners have their job on a new tip, and how many shares are checked in a second.

    python scripts/bench_stratum.py HOST PORT COUNT USER     so many miners, which say when the last one had each clean job

Node and port are in one process, the miners in another; both read the machine's one monotonic clock. The time begins where the
chain has committed the block and tells its listeners, and ends where the last miner has the whole line.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any, Final

from bench_chain import bench_params
from ledger.address import decode_address, encode_address
from ledger.block import Block
from ledger.hashing import sha256d
from ledger.types import Address, Amount, Timestamp
from node.clock import ManualClock
from node.mining.engine import search_range
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.node import Node, NodeConfig
from node.stratum.jobs import EXTRANONCE2_BYTES, Job
from node.stratum.payout import Claim, Window
from node.stratum.server import StratumLimits, StratumServer, listen
from node.stratum.session import HEADERS_REMEMBERED_MAX, Session
from node.stratum.shares import ShareBook
from node.tip import TipChanged

MINERS_FULL, MINERS_QUICK = 1_000, 50
ROUNDS_FULL, ROUNDS_QUICK = 15, 3
SHARES_FULL, SHARES_QUICK = HEADERS_REMEMBERED_MAX, 1_000
PAYOUT: Final = Address(b"m" * 32)
CONNECTING_AT_ONCE: Final = 100
LOGIN: Final = (
    b'{"id":1,"method":"mining.subscribe","params":[]}\n{"id":2,"method":"mining.authorize","params":["%s","x"]}\n'
)


# --- the miners, in a process of their own -----------------------------------------------------------------------------------


class Watch(asyncio.Protocol):
    """One miner, which only looks at its jobs. `arrived` is shared by all: how many have a job for each parent."""

    def __init__(self, user: str, total: int, arrived: dict[str, int]) -> None:
        self._login, self._total, self._arrived = LOGIN % user.encode(), total, arrived
        self._rest = b""
        self._parent = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Log in."""
        assert isinstance(transport, asyncio.Transport), "a stream"
        transport.write(self._login)

    def data_received(self, data: bytes) -> None:
        """Note each clean job."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if b'"mining.notify"' in line and line.endswith(b",true]}"):
                self._note(json.loads(line)["params"][1])

    def _note(self, parent: str) -> None:
        if parent != self._parent:
            self._parent = parent
            self._arrived[parent] = self._arrived.get(parent, 0) + 1
            if self._arrived[parent] == self._total:
                print(time.monotonic(), flush=True)


async def watch_jobs(host: str, port: int, total: int, user: str) -> None:
    """Connect so many miners, and go on until standard input ends."""
    arrived: dict[str, int] = {}
    loop = asyncio.get_running_loop()
    for begin in range(0, total, CONNECTING_AT_ONCE):
        some = range(begin, min(begin + CONNECTING_AT_ONCE, total))
        await asyncio.gather(*(loop.create_connection(lambda: Watch(user, total, arrived), host, port) for _ in some))
    await loop.run_in_executor(None, sys.stdin.read)


# --- the node ----------------------------------------------------------------------------------------------------------------


def mine(node: Node, time_s: int) -> Block:
    """A worked block on the tip."""
    template = node.chain.build_template((), pay_all_to(PAYOUT), Timestamp(time_s))
    nonce = search_range(struct_prefix(template), template.target, 0, 100_000)
    assert nonce is not None, "the work is trivial"
    return with_nonce(template, nonce)


def measure_jobs(miners: int, rounds: int) -> dict[str, Any]:
    """Milliseconds from each new tip until the last miner had its job."""
    with tempfile.TemporaryDirectory(prefix="fansumer-bench-") as folder:
        params = bench_params()
        clock = ManualClock(params.genesis_time)
        node = Node(NodeConfig(Path(folder), params), clock)
        try:
            limits = StratumLimits(connections_max=miners + 10, connections_of_host_max=miners + 10)
            server = node.stratum = StratumServer(node, listen("127.0.0.1", 0), limits)
            server.start()
            user = encode_address(params.address_prefix, PAYOUT)
            command = [sys.executable, __file__, "127.0.0.1", str(server.port), str(miners), user]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            try:
                return _take_times(node, clock, child, rounds)
            finally:
                child.communicate(timeout=30)
        finally:
            node.close()


def _take_times(node: Node, clock: ManualClock, child: "subprocess.Popen[str]", rounds: int) -> dict[str, Any]:
    told: list[float] = []

    def note(_: TipChanged) -> None:
        told.append(time.monotonic())

    node.chain.subscribe(note, first=True)
    assert child.stdout is not None, "it is a pipe"
    child.stdout.readline()  # all have their first job
    waited: list[float] = []
    for _ in range(rounds):
        clock.set(clock.now() + 60)
        node.accept_block(mine(node, clock.now()))
        waited.append((float(child.stdout.readline()) - told[-1]) * 1e3)
        time.sleep(0.05)
    return {"median_ms": statistics.median(waited), "worst_ms": max(waited)}


def measure_shares(shares: int) -> dict[str, Any]:
    """Shares checked and counted by one thread, from the line to the answer; the processor's time, not the wall's."""
    with tempfile.TemporaryDirectory(prefix="fansumer-bench-") as folder:
        params = bench_params()
        node = Node(NodeConfig(Path(folder), params), ManualClock(params.genesis_time + 60))
        try:
            job = _make_job(node)
        finally:
            node.close()
    names, book, wall = count(1), ShareBook(), Timestamp(job.template.block.header.time)
    session = Session(
        extranonce1=bytes(4),
        now_ms=0,
        read_address=lambda text: decode_address(params.address_prefix, text),
        name_job=lambda: f"{next(names):x}",
    )
    user = encode_address(params.address_prefix, PAYOUT)
    session.receive(b'{"id":1,"method":"mining.subscribe","params":[]}', 0, wall)
    session.receive(json.dumps({"id": 2, "method": "mining.authorize", "params": [user]}).encode(), 0, wall)
    session.send_job(job)
    session.take_output()
    lines = _make_lines(job, user, shares)
    started = time.process_time()
    for line in lines:
        session.receive(line, 0, wall)
        for found in session.take_shares():
            book.add(time=wall, address=found.address, worker=found.worker, weight=found.weight, header=found.header)
        session.take_output()
    spent = time.process_time() - started
    assert book.last == shares, "all of them are good"
    return {"shares": shares, "seconds": spent}


def _make_job(node: Node) -> Job:
    template = node.chain.build_template((), pay_all_to(PAYOUT), node.clock.now())
    claims = (Claim(PAYOUT, 0, 0, 1),)
    payees = pay_all_to(PAYOUT)(Amount(template.reward))
    return Job(template, Window(0, 0, claims), payees, Timestamp(node.chain.tip.header.time + 1), 60, is_complete=True)


def _make_lines(job: Job, user: str, wanted: int) -> list[bytes]:
    """Submissions of good shares; on this chain every other hash is one."""
    found: list[bytes] = []
    moment = job.template.block.header.time
    for number in count():
        extranonce = bytes(4) + number.to_bytes(EXTRANONCE2_BYTES, "big")
        prefix = job.template.block.header.encode()[:36] + sha256d(job.coinbase(extranonce))
        prefix += moment.to_bytes(4, "little") + job.template.block.header.bits.to_bytes(4, "little")
        nonce = search_range(prefix, job.template.target, 0, 100_000)
        assert nonce is not None, "the work is trivial"
        params = [user, "1", extranonce[4:].hex(), f"{moment:08x}", f"{nonce:08x}"]
        found.append(json.dumps({"id": 4, "method": "mining.submit", "params": params}).encode())
        if len(found) == wanted:
            return found
    raise AssertionError("numbers do not end")


def measure_stratum(*, is_full: bool) -> dict[str, Any]:
    """Both."""
    miners = MINERS_FULL if is_full else MINERS_QUICK
    jobs = measure_jobs(miners, ROUNDS_FULL if is_full else ROUNDS_QUICK)
    return {"miners": miners, **jobs, **measure_shares(SHARES_FULL if is_full else SHARES_QUICK)}


if __name__ == "__main__":
    asyncio.run(watch_jobs(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
