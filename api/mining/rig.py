"""One connection to a Stratum port and the processes that hash for it: two threads, one that reads and one that searches."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from api.mining.protocol import LINE_BYTES_MAX, REFUSED, MinerProtocol, Tally
from ledger.errors import LedgerError
from ledger.types import Target
from node.errors import NodeError
from node.mining.search import NonceSearch

CONNECT_SECONDS_MAX: Final = 10
SILENCE_SECONDS_MAX: Final = 90
"""A server sends a job at least every 30 s; one that is silent for longer is gone."""
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 1.0, 30.0
"""Between two attempts to connect, doubled each time."""
WORK_SECONDS_MAX: Final = 60
"""After so long the same job is searched with another extranonce: its nonces may be used up."""


@dataclass(frozen=True, slots=True)
class RigFigures:
    """What a rig has done since its start. `fault` is what keeps it from working now, or empty."""

    hashes: int
    engines: tuple[str, ...]
    tally: Tally
    is_connected: bool
    share_difficulty: Decimal | None
    block_target: Target | None
    told: str
    fault: str


class Rig:
    """Mines for `user` at a Stratum port until it is closed; a connection that breaks is opened again."""

    def __init__(self, host: str, port: int, user: str, search: NonceSearch) -> None:
        self._host, self._port, self._user, self._search = host, port, user, search
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._protocol = MinerProtocol(user)
        self._socket: socket.socket | None = None
        self._earlier = Tally()
        self._fault = ""
        self.refused: NodeError | None = None
        """Set where the server does not take this user at all: then it is pointless to go on."""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._mine)]

    def start(self) -> None:
        """Connect and mine."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Hang up, and end the processes."""
        self._stop.set()
        with self._lock:
            self._lock.notify_all()
        self._hang_up()
        self._search.cancel()
        for thread in self._threads:
            thread.join(timeout=CONNECT_SECONDS_MAX + 2)
        self._search.close()

    @property
    def figures(self) -> RigFigures:
        """As of now; from any thread."""
        search = self._search.figures
        with self._lock:
            protocol = self._protocol
            return RigFigures(
                hashes=search.hashes,
                engines=search.engines,
                tally=_sum(self._earlier, protocol.tally),
                is_connected=self._socket is not None,
                share_difficulty=protocol.difficulty,
                block_target=protocol.block_target,
                told=protocol.told,
                fault=self._fault,
            )

    # --- the thread that reads ---

    def _listen(self) -> None:
        pause = PAUSE_SECONDS_MIN
        while not self._stop.is_set() and self.refused is None:
            began = time.monotonic()
            try:
                self._serve_one_connection()
            except (OSError, LedgerError) as fault:
                if isinstance(fault, NodeError) and fault.code is REFUSED:
                    self.refused = fault
                self._note(str(fault) or type(fault).__name__)
            finally:
                self._hang_up()
                self._search.cancel()
            pause = PAUSE_SECONDS_MIN if time.monotonic() - began > PAUSE_SECONDS_MAX else pause
            self._stop.wait(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    def _serve_one_connection(self) -> None:
        opened = socket.create_connection((self._host, self._port), timeout=CONNECT_SECONDS_MAX)
        opened.settimeout(SILENCE_SECONDS_MAX)
        with self._lock:
            self._earlier = _sum(self._earlier, self._protocol.tally)
            self._protocol, self._socket = MinerProtocol(self._user), opened
            greeting = self._protocol.greet()
        opened.sendall(greeting)
        with opened.makefile("rb") as lines:
            while line := lines.readline(LINE_BYTES_MAX):
                if not line.endswith(b"\n"):
                    raise OSError("the connection broke within a line")
                self._take_line(line)
        if not self._stop.is_set():
            with self._lock:
                told = self._protocol.told
            raise OSError(f"the server hung up{': ' + told if told else ''}")

    def _take_line(self, line: bytes) -> None:
        with self._lock:
            has_job = self._protocol.receive(line)
            self._fault = ""
            self._lock.notify_all()
        if has_job:
            self._search.cancel()

    def _hang_up(self) -> None:
        with self._lock:
            opened, self._socket = self._socket, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _note(self, fault: str) -> None:
        if not self._stop.is_set():
            with self._lock:
                self._fault = fault

    # --- the thread that searches ---

    def _mine(self) -> None:
        while not self._stop.is_set():
            search_id = self._search.present_job()
            with self._lock:
                work = self._protocol.next_work() if self._socket is not None else None
                protocol, opened = self._protocol, self._socket
                if work is None:
                    self._lock.wait(1)
                    continue
            header = self._search.search(
                work.prefix, work.share_target, search_id, version_bit=work.version_bit, seconds_max=WORK_SECONDS_MAX
            )
            if header is None or opened is None:
                continue
            with self._lock:
                line = protocol.submit(work, header)
            try:
                opened.sendall(line)
            except OSError as fault:
                self._note(str(fault))


def _sum(one: Tally, two: Tally) -> Tally:
    return Tally(one.accepted + two.accepted, one.stale + two.stale, one.refused + two.refused, one.blocks + two.blocks)
