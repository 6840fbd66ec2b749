"""Who listens to the chain: a bounded number of streams, woken by every new tip, all ended at once when the service stops."""

import asyncio
import threading
from collections import Counter

from prometheus_client import Gauge

from api.http.problems import RequestFault
from ledger.errors import Code
from node.node import Node
from node.tip import TipChanged

TOO_MANY_STREAMS = Code(
    "events.busy",
    "{count} streams of events are open, as many as are allowed{whom}",
    "Close one that is not read, or come back later.",
)


class Listener:
    """One stream's ear: set when the chain has changed, or when the stream has to end."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Let the stream look again; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.changed.set)


class EventFeed:
    """The open streams of one application. `streams_max` in all, `streams_of_client_max` of one client."""

    def __init__(self, node: Node, streams: Gauge, *, streams_max: int, streams_of_client_max: int) -> None:
        self._streams_max = streams_max
        self._streams_of_client_max = streams_of_client_max
        self._listeners: set[Listener] = set()
        self._hosts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._gauge = streams
        self.is_closing = False
        with node.lock:
            node.chain.subscribe(self._on_change)

    def _on_change(self, _: TipChanged) -> None:
        self._wake_all()

    def _wake_all(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.wake()

    def listen(self, host: str) -> Listener:
        """A place for one more stream of the client `host`, until `leave`. Raises `events.busy`."""
        with self._lock:
            if len(self._listeners) >= self._streams_max:
                raise RequestFault(TOO_MANY_STREAMS, count=len(self._listeners), whom="")
            if self._hosts[host] >= self._streams_of_client_max:
                raise RequestFault(TOO_MANY_STREAMS, count=self._hosts[host], whom=" for one client")
            listener = Listener(host)
            self._listeners.add(listener)
            self._hosts[host] += 1
            self._gauge.set(len(self._listeners))
        return listener

    def leave(self, listener: Listener) -> None:
        """Give the place back; harmless a second time."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self._hosts[listener.host] -= 1
                self._hosts += Counter()  # forgets who has none left
                self._gauge.set(len(self._listeners))

    def close(self) -> None:
        """Let every stream end; from any thread."""
        self.is_closing = True
        self._wake_all()
