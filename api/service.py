"""The HTTP API of one node on one port, in a thread of its own."""

import errno
import socket
import threading
import time
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry

from api.http.app import create_app
from api.http.operator import OperatorDesk
from api.http.settings import HttpSettings
from ledger.errors import Code
from node.errors import NodeError
from node.node import Node

PORT_IN_USE = Code(
    "api.port_in_use",
    "port {port} of {host} is taken by another program",
    "Stop that program, or choose another port with --port (0 takes a free one).",
)
NOT_BOUND = Code(
    "api.not_bound", "the API cannot listen on port {port} of {host}: {reason}", "Choose another --host or --port."
)
STOPPED = Code("api.stopped", "the API ended by itself", "Read the log, then start the node again. Nothing is lost.")
NOT_STARTED = Code("api.not_started", "the API did not start within {seconds} s", "Read the log above, then try again.")

START_SECONDS_MAX = 15
STOP_SECONDS_MAX = 10
BACKLOG = 1_024
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1"})
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What a node that only this computer reaches is called."""


def bind_port(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `api.port_in_use` or `api.not_bound`."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as fault:
        listener.close()
        if fault.errno == errno.EADDRINUSE:
            raise NodeError(PORT_IN_USE, host=host, port=port) from fault
        raise NodeError(NOT_BOUND, host=host, port=port, reason=fault.strerror or "it is refused") from fault
    listener.listen(BACKLOG)
    return listener


def url_of(listener: socket.socket) -> str:
    """What a client on this machine calls the API."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Service:
    """Serves a node's API until it is closed. The node itself belongs to the caller."""

    def __init__(
        self,
        node: Node,
        listener: socket.socket,
        settings: HttpSettings,
        *,
        registry: CollectorRegistry | None = None,
        operator: OperatorDesk | None = None,
    ) -> None:
        host, port = listener.getsockname()[:2]
        self.url = url_of(listener)
        self._listener = listener
        if not settings.origins and host in LOOPBACK_HOSTS:
            named = tuple(f"http://{name}:{port}" for name in LOOPBACK_NAMES)
            settings = settings.model_copy(update={"origins": named})
        self._app = create_app(node, settings, registry=registry)
        if operator is not None:
            self._app.router.routes.extend(operator.routes)
        config = uvicorn.Config(
            self._app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS_MAX // 2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])

    def start(self) -> None:
        """Serve; returns when requests are answered. Raises `api.not_started`."""
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise NodeError(NOT_STARTED, seconds=START_SECONDS_MAX)
            time.sleep(0.01)

    @property
    def cookie_path(self) -> Path:
        """The file with which the operator's own programs show who they are."""
        return self._app.state.services.cookie.path

    @property
    def is_serving(self) -> bool:
        """Whether the API answers still."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Finish what is being answered and stop listening."""
        self._app.state.services.cookie.remove()  # also where the app was never started
        self._app.state.services.events.close()  # streams have no end of their own for the server to wait for
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=STOP_SECONDS_MAX)
        self._listener.close()
