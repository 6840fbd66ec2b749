"""The Stratum port: thousands of connections in one thread of asyncio (spec MINE-4).

A new tip reaches the miners within 100 ms however busy the node is: the chain's own thread makes a job without transactions
(milliseconds), hands it over, and waits until it was sent. Were it to go on at once, its work would take the interpreter from the
sending thread again after every single send.
"""

import asyncio
import errno
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import structlog
from cachetools import LRUCache

from ledger.address import decode_address
from ledger.errors import Code, LedgerError
from ledger.types import Address, BlockHash, Timestamp
from node.errors import NodeError
from node.stratum.book import MiningBook
from node.stratum.connection import HOST_LINES_A_SECOND, HOST_LINES_AT_ONCE, Connection, LineBudget
from node.stratum.jobs import EXTRANONCE1_BYTES, Job
from node.stratum.pool import Pool
from node.stratum.session import Counted, Session

if TYPE_CHECKING:
    from node.node import Node

log = structlog.get_logger()

PORT_IN_USE = Code(
    "stratum.port_in_use",
    "port {port} of {host} is taken by another program",
    "Stop that program, or name another port with --stratum HOST:PORT (0 takes a free one).",
)
NOT_BOUND = Code(
    "stratum.not_bound",
    "miners can't be listened to on port {port} of {host}: {reason}",
    "Name another HOST:PORT with --stratum.",
)
NOT_STARTED = Code(
    "stratum.not_started", "the port for miners did not open within {seconds} s", "Read the log above, then try again."
)

STOPPED = Code(
    "stratum.stopped",
    "the port for miners closed by itself",
    "Read the log, then start the node again. Nothing is lost.",
)

FRESH_JOB_MS: Final = 25_000
"""A fresh job after so long: some miners idle without one, and it has to be made and sent within 30 s."""
SENT_SECONDS_MAX: Final = 0.1
"""How long the chain waits for the jobs of a new tip to be sent."""
TICK_SECONDS: Final = 1.0
BACKLOG: Final = 1_024
START_SECONDS_MAX: Final = 15
STOP_SECONDS_MAX: Final = 10
EXTRANONCES: Final = 1 << 8 * EXTRANONCE1_BYTES
HOSTS_REMEMBERED_MAX: Final = 16_384
FILES_MORE: Final = 512
"""Descriptors that the rest of the node needs beside the connections."""


@dataclass(frozen=True, slots=True)
class StratumLimits:
    """Connections in all, and of one host: a farm behind one address has many."""

    connections_max: int = 4_096
    connections_of_host_max: int = 2_048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `stratum.port_in_use` or `stratum.not_bound`."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as fault:
        listener.close()
        if isinstance(fault, OSError) and fault.errno == errno.EADDRINUSE:
            raise NodeError(PORT_IN_USE, host=host, port=port) from fault
        reason = (fault.strerror if isinstance(fault, OSError) else None) or "it is refused"
        raise NodeError(NOT_BOUND, host=host, port=port, reason=reason) from fault
    return listener


def raise_file_limit(wanted: int) -> None:
    """Let this process open so many files, as far as the system lets it. A system without such limits needs nothing."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < wanted:
            log.warning("stratum.few_files", allowed=allowed, wanted=wanted)


class StratumServer:
    """The port of one node; `start` opens it, `close` ends it. Everything that begins with an underscore belongs to its thread."""

    def __init__(
        self,
        node: "Node",
        listener: socket.socket,
        limits: StratumLimits | None = None,
        random_number: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        """Raises `NodeError` store.* where the pool's book can't be used. `listener` is this server's from now on."""
        self._node, self._listener = node, listener
        self._limits = limits or StratumLimits()
        self.host, self.port = listener.getsockname()[:2]
        try:
            self.pool = Pool(node, MiningBook(node.config.data_dir))
        except BaseException:
            listener.close()
            raise
        self._next_extranonce = random_number(EXTRANONCES)
        self._names = count(1)
        self._connections: dict[Connection, Session] = {}
        self._extranonces: set[bytes] = set()
        self._hosts: Counter[str] = Counter()
        self._lines: LRUCache[str, LineBudget] = LRUCache(HOSTS_REMEMBERED_MAX)
        self._miners: dict[Connection, Session] = {}
        self._job: Job | None = None
        self._job_ms = 0
        self._told_behind_ms: int | None = None
        self._tip: BlockHash | None = None
        self._is_building = self._is_build_wanted = self._is_flushing = False
        self._desk = ThreadPoolExecutor(2, thread_name_prefix="stratum-desk")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._fault: BaseException | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stratum", daemon=True)
        self.pool.attach(on_new_tip=self._hand_over, has_miners=lambda: bool(self._miners))

    # --- for the owner, from any thread ---

    def start(self) -> None:
        """Serve; returns when connections are taken. Raises `stratum.not_started`."""
        raise_file_limit(self._limits.connections_max + FILES_MORE)
        self._thread.start()
        if not self._started.wait(START_SECONDS_MAX):
            raise NodeError(NOT_STARTED, seconds=START_SECONDS_MAX)

    @property
    def is_serving(self) -> bool:
        """Whether connections are taken."""
        return self._started.is_set() and self._thread.is_alive()

    def close(self) -> None:
        """Close the port and all connections, and write the book. Harmless a second time."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # it ended by itself meanwhile, and its loop is closed
                loop.call_soon_threadsafe(stop.set)
            self._thread.join(timeout=STOP_SECONDS_MAX)
        self._desk.shutdown()
        self.pool.flush()
        self.pool.book.close()
        self._listener.close()

    # --- the thread ---

    def _run(self) -> None:
        with self._node.health.watching("stratum"):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(self._note_fault)
        self._tip = await self._loop.run_in_executor(self._desk, self.pool.tip)
        server = await self._loop.create_server(lambda: Connection(self), sock=self._listener, backlog=BACKLOG)
        self._started.set()
        try:
            while not self._stop.is_set():
                try:
                    await asyncio.wait_for(self._stop.wait(), TICK_SECONDS)
                except TimeoutError:
                    self._tick()
        finally:
            server.close()
            for connection in list(self._connections):
                connection.end()
            await asyncio.sleep(0)
            self._started.clear()
        if self._fault is not None:
            raise self._fault

    def _note_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback raised: a fault of the network is logged, anything else ends the thread."""
        fault = context.get("exception")
        log.warning("stratum.fault", message=context.get("message"), fault=repr(fault))
        if fault is not None and not isinstance(fault, OSError) and self._stop is not None:
            self._fault = self._fault or fault
            self._stop.set()

    def now_ms(self) -> int:
        """Monotonic milliseconds."""
        return time.monotonic_ns() // 1_000_000

    def wall(self) -> Timestamp:
        """The node's clock."""
        return self._node.clock.now()

    # --- connections ---

    def open_session(self, connection: Connection) -> Session | None:
        """A session for a new connection; None where there is no room."""
        limits = self._limits
        if (
            len(self._connections) >= limits.connections_max
            or self._hosts[connection.host] >= limits.connections_of_host_max
        ):
            self.note_drop(connection, "too many connections")
            return None
        session = Session(
            extranonce1=self._take_extranonce(),
            now_ms=self.now_ms(),
            read_address=self._read_address,
            name_job=lambda: f"{next(self._names) & 0xFFFFFFFF:x}",
        )
        self._connections[connection] = session
        self._hosts[connection.host] += 1
        self.pool.figures.connections = len(self._connections)
        return session

    def lines_of(self, host: str) -> LineBudget:
        """What all connections of a host may send together; kept for a while after the last one has ended."""
        found = self._lines.get(host)
        if found is None:
            found = self._lines[host] = LineBudget(HOST_LINES_AT_ONCE, HOST_LINES_A_SECOND, self.now_ms())
        return found

    def _take_extranonce(self) -> bytes:
        while True:
            found = self._next_extranonce.to_bytes(EXTRANONCE1_BYTES, "big")
            self._next_extranonce = (self._next_extranonce + 1) % EXTRANONCES
            if found not in self._extranonces:
                self._extranonces.add(found)
                return found

    def _read_address(self, text: str) -> Address:
        return decode_address(self._node.chain.params.address_prefix, text)

    def close_session(self, connection: Connection, session: Session) -> None:
        """A connection has ended."""
        del self._connections[connection]
        self._extranonces.discard(session.extranonce1)
        self._hosts[connection.host] -= 1
        if not self._hosts[connection.host]:
            del self._hosts[connection.host]
        for code, number in session.refused.items():
            refused = self.pool.figures.refused
            refused[code] = refused.get(code, 0) + number
        if self._miners.pop(connection, None) is not None:
            self._note_present()
        self.pool.figures.connections = len(self._connections)

    def note_drop(self, connection: Connection, reason: str) -> None:
        """A connection is closed by this side."""
        self.pool.figures.dropped += 1
        log.debug("stratum.dropped", host=connection.host, reason=reason)

    def _note_present(self) -> None:
        self.pool.present = frozenset(
            address for session in self._miners.values() for address, _ in session.users.values()
        )
        self.pool.figures.workers = sum(len(session.users) for session in self._miners.values())

    def after_line(self, connection: Connection, session: Session) -> None:
        """A line was answered: give a miner that has just become ready its job, and take its shares."""
        if session.is_ready and (connection not in self._miners or session.has_new_user):
            session.has_new_user = False
            is_new = connection not in self._miners
            self._miners[connection] = session
            self._note_present()
            behind = self._node.behind.find()
            if is_new and behind is not None:
                session.pause(str(behind))
            elif is_new and self._job is not None:
                session.send_job(self._job)
            if self._job is None or not any(claim.shares or claim.carried > 1 for claim in self._job.window.claims):
                self._want_job()  # nobody has a claim: those who are here share
        for counted in session.take_shares():
            self.pool.count(counted)
            if counted.is_block:
                self._at_desk(self._submit, counted)

    def _submit(self, counted: Counted) -> None:
        try:
            self.pool.submit(counted)
        except LedgerError as fault:
            log.error("stratum.block_lost", code=fault.code.name, reason=str(fault))

    def _at_desk(self, work: Callable[..., None], *arguments: object) -> None:
        """Do what takes the node's lock, or the disk, in another thread."""

        def watched() -> None:
            with self._node.health.watching("stratum desk"):
                work(*arguments)

        self._desk.submit(watched)

    # --- jobs ---

    def _hand_over(self, tip: BlockHash, job: Job | None) -> None:
        """In the chain's thread: a new tip and its first job. Waits until that was sent, at most a tenth of a second."""
        loop, sent = self._loop, threading.Event()
        if loop is None or not self._started.is_set():
            return
        try:
            loop.call_soon_threadsafe(self._take_tip, tip, job, sent)
        except RuntimeError:  # it has closed meanwhile
            return
        if job is not None:
            sent.wait(SENT_SECONDS_MAX)

    def _take_tip(self, tip: BlockHash, job: Job | None, sent: threading.Event) -> None:
        self._tip, self._job = tip, None
        try:
            if job is None:
                for session in self._miners.values():
                    session.drop_jobs()
            else:
                self._send(job)
        finally:
            sent.set()
        self._want_job()

    def _want_job(self) -> None:
        """Have a complete job made, unless nobody needs one, or this node is behind its peers; one at a time."""
        if not self._miners or self._node.behind.find() is not None:
            return
        if self._is_building:
            self._is_build_wanted = True
            return
        self._is_building = True
        self._at_desk(self._build)

    def _build(self) -> None:
        """In a thread of the desk."""
        job, loop = None, self._loop
        assert loop is not None, "the loop is running"
        try:
            job = self.pool.build(complete=True)
        except LedgerError as fault:
            log.warning("stratum.no_job", code=fault.code.name, reason=str(fault))
        finally:
            loop.call_soon_threadsafe(self._take_job, job)

    def _take_job(self, job: Job | None) -> None:
        self._is_building = False
        if job is not None and job.previous == self._tip and self._node.behind.find() is None:
            if self._job is None or not _is_same_work(self._job, job):
                self._send(job)
            else:
                self._job = job
        if self._is_build_wanted:
            self._is_build_wanted = False
            self._want_job()

    def _send(self, job: Job) -> None:
        self._job, self._job_ms = job, self.now_ms()
        for connection, session in list(self._miners.items()):
            session.send_job(job)
            connection.flush()

    # --- the clock ---

    def _tick(self) -> None:
        now_ms = self.now_ms()
        for connection, session in list(self._connections.items()):
            session.look_at_clock(now_ms)
            connection.flush()
        if not self._say_behind(now_ms) and (self._job is None or now_ms - self._job_ms >= FRESH_JOB_MS):
            self._want_job()
        if not self._is_flushing:
            self._is_flushing = True
            self._at_desk(self._flush)

    def _say_behind(self, now_ms: int) -> bool:
        """While this node is behind its peers: take back what was given out, and tell the miners why, now and then."""
        behind = self._node.behind.find()
        if behind is None:
            self._told_behind_ms = None
            return False
        if self._told_behind_ms is None or now_ms - self._told_behind_ms >= FRESH_JOB_MS:
            log.info("stratum.waits", code=behind.code.name, reason=str(behind), miners=len(self._miners))
            self._job, self._told_behind_ms = None, now_ms
            for connection, session in list(self._miners.items()):
                session.pause(str(behind))
                connection.flush()
        return True

    def _flush(self) -> None:
        try:
            self.pool.flush()
        finally:
            self._is_flushing = False


def _is_same_work(sent: Job, fresh: Job) -> bool:
    """Whether a complete job has nothing that the quick one lacks: no transactions, the same payees."""
    return not sent.is_complete and not fresh.template.block.transactions and sent.payees == fresh.payees
