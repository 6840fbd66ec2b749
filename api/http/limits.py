"""What a client may send: so many bytes in a body, so many requests in a while. Pure ASGI, in front of everything else.

Limits are announced in the headers of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "read";q=6000;w=60` and
`RateLimit: "read";r=5999;t=60`, and a refusal has `Retry-After`. A client is an IPv4 address, or an IPv6 network of 64 bits.
"""

import time
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from cachetools import LRUCache
from limits import RateLimitItem, parse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import BODY_TOO_LARGE, RATE_LIMITED, RequestFault, problem_response
from api.http.settings import HttpSettings

PATHS_UNLIMITED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Probes of the operator's own machines."""
METHODS_WRITING = frozenset({"POST", "PUT", "DELETE"})
CLIENTS_REMEMBERED = 4_096
"""Addresses whose text was read lately."""
WINDOWS_MAX = 65_536
"""Clients that are counted at a time, about 10 MB; beyond, those that were silent longest are forgotten."""


class BodyLimit:
    """Refuses a body that is announced as too large at once, and one that grows too large while it streams."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that counts."""
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > self._bytes_max:
            fault = RequestFault(BODY_TOO_LARGE, maximum=self._bytes_max)
            response = problem_response(fault, method=scope["method"], path=scope["path"])
            await response(scope, receive, send)
            return
        counted = 0

        async def receive_counted() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > self._bytes_max:
                raise RequestFault(BODY_TOO_LARGE, maximum=self._bytes_max)
            return message

        await self._app(scope, receive_counted, send)


class Windows:
    """Counts clients in fixed windows, in memory, for one event loop.

    The stores of the library `limits` start a thread every few milliseconds or make several calls for one count; this is one look
    at one table. An old window is replaced when its client comes again, or gives way when there are too many.
    """

    def __init__(self, item: RateLimitItem) -> None:
        self.requests_max = item.amount
        self.seconds: int = item.get_expiry()
        self._windows: LRUCache[str, tuple[int, float]] = LRUCache(WINDOWS_MAX)

    def count(self, client: str) -> tuple[int, float]:
        """Count a request: how many it is in the client's window, and when that ends, in seconds since 1970."""
        now = time.time()
        count, ends = self._windows.get(client, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + self.seconds
        self._windows[client] = (count + 1, ends)
        return count + 1, ends


class RateLimit:
    """Counts requests of each client in fixed windows: one quota for reading, one for writing."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._loopback_exempt = settings.loopback_exempt
        self._read = Windows(parse(settings.read_rate))
        self._write = Windows(parse(settings.write_rate))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, then pass the request on or refuse it."""
        if scope["type"] != "http" or scope["path"] in PATHS_UNLIMITED:
            await self._app(scope, receive, send)
            return
        client, is_loopback = client_of(scope["client"][0] if scope.get("client") else "")
        if is_loopback and self._loopback_exempt:
            await self._app(scope, receive, send)
            return
        name, windows = ("write", self._write) if scope["method"] in METHODS_WRITING else ("read", self._read)
        count, ends = windows.count(client)
        seconds = max(int(ends - time.time()) + 1, 1)
        headers = {
            "RateLimit-Policy": f'"{name}";q={windows.requests_max};w={windows.seconds}',
            "RateLimit": f'"{name}";r={max(windows.requests_max - count, 0)};t={seconds}',
        }
        if count > windows.requests_max:
            fault = RequestFault(RATE_LIMITED, quota=windows.requests_max, window=windows.seconds)
            headers["Retry-After"] = str(seconds)
            response = problem_response(fault, method=scope["method"], path=scope["path"], headers=headers)
            await response(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


@lru_cache(CLIENTS_REMEMBERED)
def client_of(host: str) -> tuple[str, bool]:
    """Whom a request is counted for, and whether it is this computer itself. A Unix socket has no address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "local", not host
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        if mapped is not None:
            return str(mapped), mapped.is_loopback
        return str(ip_network((address, 64), strict=False)), address.is_loopback
    return str(address), address.is_loopback
