"""The transport of a real node: WebSockets, in a thread of their own with its event loop (spec NET-1).

It reads and writes frames and nothing else. What comes is handed to `Wires.hear` and waits in the inbox; whoever's place there is
full is not read from, so its frames wait in the other side's buffers. What goes out waits here, blocks before transactions.
How much memory strangers can make it use is bounded on each way: by connections, by the size of a frame, by what waits to be sent.
"""

import asyncio
import contextlib
import ssl
import threading
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection as WebSocket
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidURI, WebSocketException

from ledger.errors import Code
from node.errors import NodeError
from node.p2p.address import PeerAddress, make_address
from node.p2p.connection import UNSENT_BYTES_MAX
from node.p2p.messages import (
    FRAME_BYTES_MAX,
    LANES,
    SMALL_FRAME_BYTES_MAX,
    GetBlocks,
    GetBlockTransactions,
    GetCompact,
    WantCompact,
)
from node.p2p.tls import channel_of, client_context, server_context

log = structlog.get_logger()

STRANGER_BYTES_MAX = 65_536
"""The largest frame that is read of somebody who has not shown who it is; what is over HANDSHAKE_BYTES_MAX is an offence."""
ASK_FOR_LARGE = frozenset(message.tag for message in (GetBlocks, GetBlockTransactions, GetCompact, WantCompact))
"""Whoever was sent one of these may send frames of the largest size from then on (spec NET-1)."""
QUEUE_FRAMES = 2
"""Frames that the library reads ahead."""
HALF_OPEN_MAX = 64
HALF_OPEN_PER_HOST_MAX = 8
"""Connections that are more than those which may be taken, as long as nobody knows whose they are."""
CROWDED_BYTES = 65_536
"""Where all together wait for too much, this much of one connection is too much."""
TOO_LARGE = 1_009
"""RFC 6455's code for a frame that is too large."""
OPEN_SECONDS_MAX = 10
CLOSE_SECONDS_MAX = 2
FULL_SECONDS = 0.02
"""How often a reader looks whether there is room again."""
STOP_SECONDS_MAX = 10
OUTBOX_BYTES_MAX = 268_435_456

PORT_TAKEN = Code(
    "p2p.port",
    "the port {port} of {host} can't be listened on: {reason}",
    "Choose another --listen, or stop who uses it.",
)


class Ear(Protocol):
    """Who is told what happens on the wires; called in the transport's thread."""

    def taken(self, address: PeerAddress, channel: bytes, begin: Callable[[int], None]) -> None:
        """Somebody dialled; `begin` is to be called, from any thread, with the link that it gets."""
        ...

    def opened(self, link: int, channel: bytes, begin: Callable[[int], None]) -> None:
        """A dial succeeded."""
        ...

    def failed(self, link: int) -> None:
        """A dial failed."""
        ...

    def heard(self, link: int, frame: bytes) -> None:
        """A frame came."""
        ...

    def is_full(self, link: int) -> bool:
        """Whether nothing more should be read now."""
        ...

    def lost(self, link: int, offence: str) -> None:
        """A connection ended; `offence`: what the other side did that it must not do, or nothing."""
        ...


class Gate:
    """How many connections may be open here at once, in all and from one host, whether they have said anything or not."""

    def __init__(self, total_max: int, per_host_max: int) -> None:
        self._total_max, self._per_host_max = total_max, per_host_max
        self._by_host: Counter[bytes] = Counter()
        self.refused = 0

    def enter(self, host: bytes) -> bool:
        """Whether one more may stay. `leave` is called for it in any case."""
        self._by_host[host] += 1
        is_over = self._by_host.total() > self._total_max or self._by_host[host] > self._per_host_max
        self.refused += is_over
        return not is_over

    def leave(self, host: bytes) -> None:
        """One has gone."""
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]


def gated(gate: Gate) -> type[ServerConnection]:
    """A connection that is cut off at once where there are too many."""

    class GatedConnection(ServerConnection):
        _host = b""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            place = transport.get_extra_info("peername")
            self._host = make_address(place[0], place[1]).host if place else b"?"
            if not gate.enter(self._host):
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            gate.leave(self._host)
            super().connection_lost(exc)

    return GatedConnection


@dataclass(eq=False, slots=True)
class _Wire:
    """One open connection. `lanes` and `unsent` are guarded by the transport's lock."""

    link: int
    socket: WebSocket
    lanes: tuple[deque[bytes], ...] = field(default_factory=lambda: tuple(deque[bytes]() for _ in LANES))
    unsent: int = 0
    is_closing: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class WebSocketTransport:
    """A `Transport` over WebSockets. Its methods may be called from any thread and never wait."""

    def __init__(
        self,
        ear: Ear,
        *,
        tls: tuple[Path, Path] | None = None,
        gate: Gate | None = None,
        outbox_bytes: int = OUTBOX_BYTES_MAX,
    ) -> None:
        """`tls`: certificate and key of the port. `outbox_bytes`: what may wait to be sent, in all. Raises `p2p.tls`."""
        self._ear = ear
        self.gate = gate or Gate(HALF_OPEN_MAX, HALF_OPEN_MAX)
        self._outbox_bytes = outbox_bytes
        self.unsent = 0
        self._server_context, self._channel = (None, b"") if tls is None else server_context(*tls)
        self._client_context = client_context()
        self.only_tls: set[PeerAddress] = set()
        self._lock = threading.Lock()
        self._wires: dict[int, _Wire] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="p2p-wires", daemon=True)
        self._server: Server | None = None

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def start(self) -> None:
        """Begin to work."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def listen(self, host: str, port: int) -> int:
        """Take connections; the port that was bound. Raises `p2p.port`."""
        try:
            return asyncio.run_coroutine_threadsafe(self._listen(host, port), self._loop).result(OPEN_SECONDS_MAX)
        except OSError as fault:
            raise NodeError(PORT_TAKEN, host=host, port=port, reason=fault.strerror or str(fault)) from fault

    async def _listen(self, host: str, port: int) -> int:
        # No web page may speak to a node: browsers name their origin, nodes name none.
        self._server = await serve(
            self._serve,
            host,
            port,
            ssl=self._server_context,
            create_connection=gated(self.gate),
            origins=[None],
            compression=None,
            server_header=None,
            open_timeout=OPEN_SECONDS_MAX,
            close_timeout=CLOSE_SECONDS_MAX,
            ping_interval=None,
            max_size=STRANGER_BYTES_MAX,
            max_queue=QUEUE_FRAMES,
        )
        return next(iter(self._server.sockets)).getsockname()[1]

    # --- connections ---

    async def _serve(self, socket: ServerConnection) -> None:
        place = socket.remote_address
        begun: asyncio.Future[_Wire] = self._loop.create_future()
        self._ear.taken(make_address(place[0], place[1]), self._channel, self._resolver(begun, socket))
        await self._carry(await begun)

    async def _dial(self, link: int, address: PeerAddress) -> None:
        try:
            socket = await self._connect(address)
        except (OSError, WebSocketException, InvalidURI, TimeoutError) as fault:
            log.debug("p2p.dial_failed", peer=str(address), reason=str(fault))
            self._ear.failed(link)
            return
        spoken = socket.transport.get_extra_info("ssl_object")
        channel = b"" if spoken is None else channel_of(spoken.getpeercert(binary_form=True))
        begun: asyncio.Future[_Wire] = self._loop.create_future()
        self._ear.opened(link, channel, self._resolver(begun, socket))
        await self._carry(await begun)

    async def _connect(self, address: PeerAddress) -> WebSocket:
        """With TLS where it was asked for; else as this node itself listens, and then the other way (spec NET-22)."""
        ways = [True] if address in self.only_tls else [self._server_context is not None, self._server_context is None]
        for is_tls in ways[:-1]:
            with contextlib.suppress(ssl.SSLError, InvalidMessage, ConnectionResetError):
                return await self._connect_by(address, is_tls=is_tls)
        return await self._connect_by(address, is_tls=ways[-1])

    async def _connect_by(self, address: PeerAddress, *, is_tls: bool) -> WebSocket:
        return await connect(
            f"{'wss' if is_tls else 'ws'}://{address}/",
            ssl=self._client_context if is_tls else None,
            compression=None,
            proxy=None,
            user_agent_header=None,
            open_timeout=OPEN_SECONDS_MAX,
            close_timeout=CLOSE_SECONDS_MAX,
            ping_interval=None,
            max_size=STRANGER_BYTES_MAX,
            max_queue=QUEUE_FRAMES,
        )

    def _resolver(self, begun: "asyncio.Future[_Wire]", socket: WebSocket) -> Callable[[int], None]:
        """What the ear calls with the link, before it sends anything on it."""

        def begin(link: int) -> None:
            wire = _Wire(link, socket)
            with self._lock:
                self._wires[link] = wire
            self._call(lambda: begun.done() or begun.set_result(wire))

        return begin

    async def _carry(self, wire: _Wire) -> None:
        """Read and write until one side ends it."""
        writer = asyncio.ensure_future(self._write(wire))
        offence = ""
        try:
            offence = await self._read(wire)
            if wire.is_closing:
                await writer
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            with self._lock:
                was_open = self._wires.pop(wire.link, None) is not None
                self._give_back(wire)
            if was_open:
                self._ear.lost(wire.link, offence)
            await wire.socket.close()

    async def _read(self, wire: _Wire) -> str:
        """Hand on what comes until the end; what the other side did wrong, if it did."""
        try:
            while not wire.is_closing:
                frame = await wire.socket.recv()
                if isinstance(frame, str):
                    return "text instead of bytes"
                self._ear.heard(wire.link, frame)
                # The inbox is emptied in another thread, which knows nothing of this loop: it is looked at now and then.
                while self._ear.is_full(wire.link):  # noqa: ASYNC110 - see above
                    await asyncio.sleep(FULL_SECONDS)
        except ConnectionClosed as fault:
            if fault.sent is not None and fault.sent.code == TOO_LARGE and not fault.rcvd_then_sent:
                return "a frame that is too large"
        return ""

    async def _write(self, wire: _Wire) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = self._next_frame(wire)
                if frame is not None:
                    await wire.socket.send(frame)
                    with self._lock:
                        wire.unsent -= len(frame)
                        self.unsent -= len(frame)
                elif wire.is_closing:
                    break
                else:
                    await wire.wake.wait()
                    wire.wake.clear()
        await wire.socket.close()

    def _give_back(self, wire: _Wire) -> None:
        """What waited on a connection that has ended waits no more. To be called with the lock."""
        self.unsent -= wire.unsent
        wire.unsent = 0
        for lane in wire.lanes:
            lane.clear()

    def _next_frame(self, wire: _Wire) -> bytes | None:
        """What is sent next; of who is being left, only what is in the first lane."""
        with self._lock:
            for lane in wire.lanes[:1] if wire.is_closing else wire.lanes:
                if lane:
                    return lane.popleft()
        return None

    # --- the transport ---

    def _call(self, do: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the node stops
            self._loop.call_soon_threadsafe(do)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def dial(self, link: int, address: PeerAddress) -> None:
        """Begin to connect."""
        self._call(lambda: self._begin(self._dial(link, address)))

    def send(self, link: int, frame: bytes, lane: int) -> None:
        """Put a frame into its lane."""
        with self._lock:
            wire = self._wires.get(link)
            if wire is None:
                return
            wire.lanes[lane].append(frame)
            wire.unsent += len(frame)
            self.unsent += len(frame)
        if frame[1] in ASK_FOR_LARGE:
            wire.socket.protocol.max_message_size = FRAME_BYTES_MAX
        self._call(wire.wake.set)

    def unsent_bytes(self, link: int) -> int:
        """What waits in the lanes and in the library; too much also where it is not little and all together are over the limit."""
        with self._lock:
            wire = self._wires.get(link)
            if wire is None:
                return 0
            is_crowded = self.unsent >= self._outbox_bytes and wire.unsent >= CROWDED_BYTES
            return max(wire.unsent, UNSENT_BYTES_MAX) if is_crowded else wire.unsent

    def welcome(self, link: int) -> None:
        """Frames of nodes are read from now on, large ones only when they were asked for."""
        with self._lock:
            wire = self._wires.get(link)
        if wire is not None:
            wire.socket.protocol.max_message_size = SMALL_FRAME_BYTES_MAX

    def close(self, link: int) -> None:
        """Say what waits in the first lane, then end."""
        with self._lock:
            wire = self._wires.pop(link, None)
        if wire is not None:
            wire.is_closing = True
            self._call(lambda: (wire.wake.set(), self._loop.call_later(CLOSE_SECONDS_MAX, self._end, wire)))

    def _end(self, wire: _Wire) -> None:
        """Whoever does not take the last words goes without them."""
        wire.socket.transport.abort()

    def call_later(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine in the loop after a while."""
        self._call(lambda: self._loop.call_later(seconds, lambda: self._begin(work())))

    async def find_addresses(self, host: str, port: int) -> list[PeerAddress]:
        """What a host name stands for; nothing where it is not known now."""
        try:
            found = await self._loop.getaddrinfo(host, port, type=1)
        except OSError as fault:
            log.warning("p2p.name", host=host, reason=str(fault))
            return []
        return list(dict.fromkeys(make_address(str(place[4][0]), port) for place in found))

    def stop(self) -> None:
        """End all connections and the thread. Harmless a second time."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(STOP_SECONDS_MAX)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS_MAX)

    async def _stop(self) -> None:
        with self._lock:
            wires = list(self._wires.values())
            self._wires.clear()
        for wire in wires:
            wire.is_closing = True
            wire.wake.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
