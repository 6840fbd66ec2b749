"""The transport of a real node: WebSockets, in a thread of their own with its event loop (spec NET-1).

It reads and writes frames and nothing else. What comes is handed to `Wires.hear` and waits in the inbox; whoever's place there is
full is not read from, so its frames wait in the other side's buffers. What goes out waits here, blocks before transactions.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection as WebSocket
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException

from ledger.errors import Code
from node.errors import NodeError
from node.p2p.address import PeerAddress, make_address
from node.p2p.messages import FRAME_BYTES_MAX, LANES

log = structlog.get_logger()

STRANGER_BYTES_MAX = 65_536
"""The largest frame that is read of somebody who has not shown who it is; what is over HANDSHAKE_BYTES_MAX is an offence."""
QUEUE_FRAMES = 2
"""Frames that the library reads ahead."""
OPEN_SECONDS_MAX = 10
CLOSE_SECONDS_MAX = 2
FULL_SECONDS = 0.02
"""How often a reader looks whether there is room again."""
STOP_SECONDS_MAX = 10

PORT_TAKEN = Code(
    "p2p.port",
    "the port {port} of {host} can't be listened on: {reason}",
    "Choose another --listen, or stop who uses it.",
)


class Ear(Protocol):
    """Who is told what happens on the wires; called in the transport's thread."""

    def taken(self, address: PeerAddress, begin: Callable[[int], None]) -> None:
        """Somebody dialled; `begin` is to be called, from any thread, with the link that it gets."""
        ...

    def opened(self, link: int, begin: Callable[[int], None]) -> None:
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

    def lost(self, link: int) -> None:
        """A connection ended."""
        ...


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

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
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
        self._ear.taken(make_address(place[0], place[1]), self._resolver(begun, socket))
        await self._carry(await begun)

    async def _dial(self, link: int, address: PeerAddress) -> None:
        try:
            socket = await connect(
                f"ws://{address}/",
                compression=None,
                proxy=None,
                user_agent_header=None,
                open_timeout=OPEN_SECONDS_MAX,
                close_timeout=CLOSE_SECONDS_MAX,
                ping_interval=None,
                max_size=STRANGER_BYTES_MAX,
                max_queue=QUEUE_FRAMES,
            )
        except (OSError, WebSocketException, InvalidURI, TimeoutError) as fault:
            log.debug("p2p.dial_failed", peer=str(address), reason=str(fault))
            self._ear.failed(link)
            return
        begun: asyncio.Future[_Wire] = self._loop.create_future()
        self._ear.opened(link, self._resolver(begun, socket))
        await self._carry(await begun)

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
        try:
            await self._read(wire)
            if wire.is_closing:
                await writer
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            with self._lock:
                was_open = self._wires.pop(wire.link, None) is not None
            await wire.socket.close()
            if was_open:
                self._ear.lost(wire.link)

    async def _read(self, wire: _Wire) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in wire.socket:
                if isinstance(frame, str) or wire.is_closing:
                    return
                self._ear.heard(wire.link, frame)
                # The inbox is emptied in another thread, which knows nothing of this loop: it is looked at now and then.
                while self._ear.is_full(wire.link):  # noqa: ASYNC110 - see above
                    await asyncio.sleep(FULL_SECONDS)

    async def _write(self, wire: _Wire) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = self._next_frame(wire)
                if frame is not None:
                    await wire.socket.send(frame)
                    with self._lock:
                        wire.unsent -= len(frame)
                elif wire.is_closing:
                    break
                else:
                    await wire.wake.wait()
                    wire.wake.clear()
        await wire.socket.close()

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
        self._call(wire.wake.set)

    def unsent_bytes(self, link: int) -> int:
        """What waits in the lanes and in the library."""
        with self._lock:
            wire = self._wires.get(link)
            return 0 if wire is None else wire.unsent

    def welcome(self, link: int) -> None:
        """Large frames are read from now on."""
        with self._lock:
            wire = self._wires.get(link)
        if wire is not None:
            wire.socket.protocol.max_message_size = FRAME_BYTES_MAX

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
