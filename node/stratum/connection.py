"""One miner's socket: cuts lines, holds a flood back, drops who does not read (spec MINE-4)."""

import asyncio
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from node.stratum.messages import LINE_BYTES_MAX, show_message
from node.stratum.session import Session

if TYPE_CHECKING:
    from node.stratum.server import StratumServer

UNREAD_BYTES_MAX: Final = 65_536
"""What a miner may leave unread: a hundred jobs."""
LINES_AT_ONCE: Final = 500
LINES_A_SECOND: Final = 100
HOST_LINES_AT_ONCE: Final = 10_000
HOST_LINES_A_SECOND: Final = 1_000
"""Two thousand miners behind one address send two hundred."""
HELD_BACK_SECONDS: Final = 0.5
MS: Final = 1_000


class LineBudget:
    """So many lines at once, then so many a second."""

    def __init__(self, at_once: int, a_second: int, now_ms: int) -> None:
        self._at_once, self._a_second = at_once, a_second
        self._left, self._counted_ms = float(at_once), now_ms

    def take(self, now_ms: int) -> bool:
        """Whether one more is allowed; if so, it is counted."""
        self._left = min(self._left + (now_ms - self._counted_ms) * self._a_second / MS, self._at_once)
        self._counted_ms = now_ms
        if self._left < 1:
            return False
        self._left -= 1
        return True


def host_of(peer: object) -> str:
    """For whom a connection is counted: an IPv4 address, or an IPv6 network of 64 bits."""
    text = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return str(address)


class Connection(asyncio.Protocol):
    """Belongs to the server's thread."""

    def __init__(self, server: "StratumServer") -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._resuming: asyncio.TimerHandle | None = None
        self.host = ""
        self.session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, if there is room."""
        assert isinstance(transport, asyncio.Transport), "a stream of bytes"
        self._transport = transport
        self.host = host_of(transport.get_extra_info("peername"))
        self._lines = LineBudget(LINES_AT_ONCE, LINES_A_SECOND, self._server.now_ms())
        self.session = self._server.open_session(self)
        if self.session is None:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the room back."""
        if self._resuming is not None:
            self._resuming.cancel()
        if self.session is not None:
            self._server.close_session(self, self.session)
        self._transport = self.session = None

    def data_received(self, data: bytes) -> None:
        """Answer each whole line."""
        self._buffer += data
        self._work()

    def _work(self) -> None:
        self._resuming = None
        session, start = self.session, 0
        if session is None:
            return
        now_ms, wall = self._server.now_ms(), self._server.wall()
        of_host = self._server.lines_of(self.host)
        while session.fault is None:
            end = self._buffer.find(b"\n", start)
            if (len(self._buffer) if end < 0 else end) - start > LINE_BYTES_MAX:
                session.fault = "a line is too long"
                break
            if end < 0:
                break
            if not (of_host.take(now_ms) and self._lines.take(now_ms)):
                self._hold_back()
                break
            session.receive(bytes(self._buffer[start:end]).removesuffix(b"\r"), now_ms, wall)
            start = end + 1
            self._server.after_line(self, session)
        del self._buffer[:start]
        self.flush()

    def _hold_back(self) -> None:
        """Read on when the miner may send lines again; until then they stay with the sender."""
        assert self._transport is not None, "a session has a transport"
        self._transport.pause_reading()
        self._resuming = asyncio.get_running_loop().call_later(HELD_BACK_SECONDS, self._read_on)

    def _read_on(self) -> None:
        self._work()
        if self._resuming is None and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def flush(self) -> None:
        """Write what the session has to say; close it where it is at fault, or the other side takes nothing."""
        session, transport = self.session, self._transport
        if session is None or transport is None or transport.is_closing():
            return
        output = session.take_output()
        if session.fault is not None:
            output += show_message(f"closed: {session.fault}")
        if output:
            transport.write(output)
        unread = transport.get_write_buffer_size()
        if unread > UNREAD_BYTES_MAX:
            session.fault = session.fault or "it does not read"
        if session.fault is not None:
            self._server.note_drop(self, session.fault)
            if unread:
                transport.abort()
            else:
                transport.close()

    def end(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()
