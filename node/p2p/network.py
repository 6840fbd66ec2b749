"""A running node's network: the real transport, a thread for the network code, and what is kept over a restart."""

import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import structlog

from ledger import keys
from ledger.types import PublicKey, Work
from node.errors import NodeError
from node.node import Node
from node.p2p.address import PeerAddress, PeerName, make_address
from node.p2p.addresses import AddressBook
from node.p2p.connection import Purpose
from node.p2p.counts import PeerCounts
from node.p2p.dialling import ANCHORS_MAX, USUAL_LIMITS, DialLimits
from node.p2p.effects import Effects
from node.p2p.handshake import Identity
from node.p2p.host import Host
from node.p2p.memory import PeerMemory, read_memory, read_node_key, write_memory
from node.p2p.peers import Peers, PeerSettings
from node.p2p.scores import Ban
from node.p2p.snapshot_files import BEGINNING, USUAL_HEIGHTS, SnapshotFiles, SnapshotHeights
from node.p2p.websocket import HALF_OPEN_MAX, HALF_OPEN_PER_HOST_MAX, OUTBOX_BYTES_MAX, Gate, WebSocketTransport
from node.sync.header_tree import NO_WORK
from node.sync.lag import describe_lag
from node.sync.verify_ahead import VerifyAhead
from node.tip import TipChanged

log = structlog.get_logger()

TICK_SECONDS = 1.0
KEEP_SECONDS = 600
"""How often what is known of others is written down."""
RESOLVE_SECONDS = 60
"""How often the name of a peer is looked up again."""
STOP_SECONDS_MAX = 30
FIND_SECONDS = 5
"""So long after its start a node that was told of peers and reached none takes itself for one that is behind them."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What the operator chose. `listen`: host and port, or None. `tls`: files of the port's certificate and of its key.

    `memory_bytes`: what may wait of what others sent and of what is sent to them, together.
    """

    listen: tuple[str, int] | None = None
    named: tuple[PeerName, ...] = ()
    agent: str = "fansumer"
    minimum_work: Work = NO_WORK
    begins_with_snapshot: bool = False
    snapshots: SnapshotHeights = USUAL_HEIGHTS
    limits: DialLimits = USUAL_LIMITS
    tls: tuple[Path, Path] | None = None
    memory_bytes: int = 2 * OUTBOX_BYTES_MAX


@dataclass(frozen=True, slots=True)
class PeerReport:
    """One connection, for people."""

    address: str
    purpose: str
    is_ready: bool
    is_encrypted: bool
    agent: str
    key: str
    seconds: float
    ping_seconds: float | None
    bytes_received: int
    bytes_sent: int
    height: int | None
    points: float


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """The network as this node sees it."""

    peers: tuple[PeerReport, ...] = ()
    missing_blocks: int = 0
    known_addresses: int = 0
    bans: Mapping[bytes, Ban] = field(default_factory=dict)
    tried_addresses: int = 0
    is_syncing: bool = False
    header_height: int = 0
    inbox_frames: int = 0
    inbox_bytes: int = 0
    outbox_bytes: int = 0
    arrived_bytes: int = 0
    wanted_transactions: int = 0
    gate_refused: int = 0
    counts: PeerCounts = field(default_factory=PeerCounts)
    sync: str = ""
    history: str = ""


class Monotonic:
    """The computer's stopwatch."""

    def seconds(self) -> float:
        """Now."""
        return time.monotonic()


class Network:
    """The network of one open node. Everything that changes it happens in its own thread."""

    def __init__(self, node: Node, settings: NetworkSettings) -> None:
        self._node, self._settings = node, settings
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._folder = node.config.data_dir
        self._memory = read_memory(self._folder)
        self._seed = read_node_key(self._folder)
        limits = settings.limits
        gate = Gate(limits.taken_max + HALF_OPEN_MAX, limits.taken_per_host_max + HALF_OPEN_PER_HOST_MAX)
        half = settings.memory_bytes // 2
        self.transport = WebSocketTransport(self, tls=settings.tls, gate=gate, outbox_bytes=half)
        self._thread = threading.Thread(target=self._run, name="p2p", daemon=True)
        self.port: int | None = None
        self._is_beginning = settings.begins_with_snapshot and node.chain.tip.height == 0
        self._report = NetworkReport()
        self._ahead = VerifyAhead(node.chain.chain_id)
        self._snapshots = SnapshotFiles(node, settings.snapshots, is_wanted=settings.begins_with_snapshot)
        self._lag = "starting" if self._is_beginning else "looking for its peers" if settings.named else ""
        node.health.ask_also(self._find_beginning)
        node.behind.follow(lambda: self._lag)

    @property
    def is_beginning(self) -> bool:
        """Whether the chain is to begin with a snapshot that is not here yet."""
        return self._is_beginning

    def _find_beginning(self) -> NodeError | None:
        return NodeError(BEGINNING, progress=self._report.sync or "starting") if self._is_beginning else None

    def start(self) -> None:
        """Listen and dial. Raises `p2p.port`."""
        self.transport.start()
        try:
            if self._settings.listen is not None:
                self.port = self.transport.listen(*self._settings.listen)
        except BaseException:
            self.transport.stop()
            raise
        self._peers = self._make_peers()
        with self._node.lock:
            self._node.chain.subscribe(self._note_change)
            self._node.mempool.follow_arrivals(lambda _: self._wake.set())
            if self._node.desk is not None:
                self._node.desk.subscribe(self._wake.set)
        for name in self._settings.named:
            self._name(name)
        self._thread.start()

    def _make_peers(self) -> Peers:
        rng = random.SystemRandom()
        host = Host.of_node(self._node)
        book = AddressBook(self._memory.book_key, rng)
        book.restore(self._memory.rows)
        identity = Identity(self._seed, host.chain_id, self.port or 0, self._settings.agent)
        settings = PeerSettings(
            self._settings.minimum_work,
            self._settings.limits,
            self._snapshots.settings,
            self._ahead,
            inbox_bytes=self._settings.memory_bytes // 2,
        )
        peers = Peers(host, identity, Effects(self.transport, Monotonic(), rng), book, settings)
        peers.scores.restore(dict(self._memory.bans))
        peers.dialler.anchors = list(self._memory.anchors)
        return peers

    def _note_change(self, _: TipChanged) -> None:
        self._wake.set()

    def _name(self, name: PeerName) -> None:
        """Let a peer be dialled always; a host's name is looked up now and then."""
        try:
            address = make_address(name.host, name.port)
        except ValueError:
            self.transport.call_later(0, lambda: self._resolve(name))
            return
        self._call(lambda: self._take_name(name, address))

    async def _resolve(self, name: PeerName) -> None:
        for address in (await self.transport.find_addresses(name.host, name.port))[:1]:
            self._call(lambda address=address: self._take_name(name, address))
        self.transport.call_later(RESOLVE_SECONDS, lambda: self._resolve(name))

    def _take_name(self, name: PeerName, address: PeerAddress) -> None:
        if name.is_tls:
            self.transport.only_tls.add(address)
        self._peers.dialler.name(address, name.key)

    # --- the thread ---

    def _call(self, do: Callable[[], object]) -> None:
        self._calls.put(do)
        self._wake.set()

    def ask(self, question: Callable[[Peers], Answer]) -> Answer:
        """Ask or change something in the network's thread. Raises TimeoutError where it does not answer."""
        answer: Future[Answer] = Future()

        def do() -> None:
            answer.set_result(question(self._peers))

        self._call(do)
        return answer.result(STOP_SECONDS_MAX)

    def _run(self) -> None:
        with self._node.health.watching("network"):
            began = time.monotonic()
            tick_at, keep_at = 0.0, began + KEEP_SECONDS
            while not (self._stop.is_set() or self._node.health.is_broken.is_set()):
                self._wake.clear()
                self._do_calls()
                has_worked = self._peers.work()
                now = time.monotonic()
                if now >= tick_at:
                    tick_at = now + TICK_SECONDS
                    self._peers.tick()
                    self._report = self._make_report()
                    self._is_beginning = self._peers.states.is_beginning
                    self._lag = self._describe_lag(now - began)
                if now >= keep_at:
                    keep_at = now + KEEP_SECONDS
                    self._keep()
                if not has_worked:
                    self._wake.wait(max(0.0, tick_at - now))

    def _describe_lag(self, seconds: float) -> str:
        """What this node lacks of what its peers have. `seconds`: since it started."""
        peers = self._peers
        lag = describe_lag(self._node.chain.tip.height, peers.states, peers.headers, peers.bodies)
        is_alone = bool(self._settings.named) and not peers.ready and seconds < FIND_SECONDS
        return lag or ("looking for its peers" if is_alone else "")

    def _do_calls(self) -> None:
        while True:
            try:
                do = self._calls.get_nowait()
            except queue.Empty:
                return
            do()

    # --- what the transport tells, in its thread ---

    def taken(self, address: PeerAddress, channel: bytes, begin: Callable[[int], None]) -> None:
        def take() -> None:
            link = self._peers.new_link()
            begin(link)
            self._peers.taken(link, address, channel)

        self._call(take)

    def opened(self, link: int, channel: bytes, begin: Callable[[int], None]) -> None:
        def open_link() -> None:
            begin(link)
            self._peers.opened(link, channel)

        self._call(open_link)

    def failed(self, link: int) -> None:
        self._call(lambda: self._peers.failed(link))

    def heard(self, link: int, frame: bytes) -> None:
        self._peers.received(link, frame)
        self._wake.set()

    def is_full(self, link: int) -> bool:
        return self._peers.inbox.is_full(link)

    def lost(self, link: int, offence: str) -> None:
        self._call(lambda: self._peers.closed(link, offence))

    # --- what people see ---

    @property
    def key(self) -> PublicKey:
        """This node's key."""
        return keys.public_key_of(self._seed)

    def report(self) -> NetworkReport:
        """How it was a second ago at most; never waits."""
        return self._report

    def _make_report(self) -> NetworkReport:
        peers = self._peers
        now = time.monotonic()
        best = peers.tree.best()
        counts = replace(peers.counts)
        for peer in peers.connections.values():
            counts.add(peer)
        return NetworkReport(
            peers=tuple(
                PeerReport(
                    address=str(peer.address),
                    purpose=peer.purpose.name.lower(),
                    is_ready=peer.is_ready,
                    is_encrypted=peer.is_encrypted,
                    agent=peer.hello.agent if peer.is_ready else "",
                    key="" if peer.key is None else peer.key.hex(),
                    seconds=now - peer.opened_at,
                    ping_seconds=peer.ping_seconds,
                    bytes_received=peer.bytes_received,
                    bytes_sent=peer.bytes_sent,
                    height=None if (best := peers.headers.best_of(peer)) is None else best.height,
                    points=peers.scores.points(peer.address, now),
                )
                for peer in peers.connections.values()
            ),
            missing_blocks=peers.bodies.missing,
            known_addresses=len(peers.book),
            bans=peers.scores.bans(self._node.clock.now()),
            sync=peers.states.fetching.progress,
            history=peers.states.history.progress,
            tried_addresses=peers.book.tried_count,
            is_syncing=peers.bodies.is_syncing,
            header_height=max(self._node.chain.tip.height, 0 if best is None else best.height),
            inbox_frames=peers.inbox.frames,
            inbox_bytes=peers.inbox.bytes,
            outbox_bytes=self.transport.unsent,
            arrived_bytes=peers.bodies.arrived_bytes,
            wanted_transactions=peers.relay.wanted,
            gate_refused=self.transport.gate.refused,
            counts=counts,
        )

    # --- the end ---

    def _keep(self) -> None:
        peers = self._peers
        anchors = [peer.address for peer in peers.ready if peer.purpose is Purpose.DIALLED][:ANCHORS_MAX]
        bans = peers.scores.bans(self._node.clock.now())
        try:
            write_memory(self._folder, PeerMemory(peers.book.key, peers.book.rows(), anchors, bans))
        except OSError as fault:
            log.warning("p2p.not_kept", reason=str(fault))  # it is only a help

    def close(self) -> None:
        """Stop everything; what is known of others is kept. Harmless a second time."""
        if self._stop.is_set() or not self._thread.is_alive():
            self._stop.set()
            self.transport.stop()
            self._snapshots.close()
            return
        self._stop.set()
        self._wake.set()
        self._lag = ""
        self._thread.join(STOP_SECONDS_MAX)
        self._keep()
        self.transport.stop()
        self._peers.states.history.close()
        self._snapshots.close()
        self._ahead.close()
