"""What an operator watches, in Prometheus' form. The registry is passed in, so that node and tests have their own."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
UNMATCHED = "unmatched"
"""The route of a path that does not exist: paths are not made labels."""
REFUSED = "refused"
"""The route of a request that was refused before anybody looked for its route: too many of them, or too large a body."""
STATUSES_REFUSED = frozenset({413, 429})


class HttpMetrics:
    """The figures of the HTTP edge."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        labels = ("method", "route", "status")
        self.requests = Counter("fansumer_http_requests", "Answered requests.", labels, registry=registry)
        self.seconds = Histogram(
            "fansumer_http_request_seconds",
            "Time from the request to the end of its answer.",
            ("route",),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.submissions = Counter(
            "fansumer_submissions", "Transactions sent here, by result.", ("result",), registry=registry
        )
        self.batch_size = Histogram(
            "fansumer_submission_batch", "Transactions taken in at once.", buckets=BATCH_BUCKETS, registry=registry
        )
        self.waiting = Gauge("fansumer_submissions_waiting", "Transactions waiting to be checked.", registry=registry)
        self.streams = Gauge("fansumer_event_streams", "Open streams of events.", registry=registry)
        self.slow_streams = Counter(
            "fansumer_event_streams_dropped", "Streams whose client took nothing for too long.", registry=registry
        )
        self.height = Gauge("fansumer_tip_height", "Height of the tip.", registry=registry)
        self.tip_age_s = Gauge("fansumer_tip_age_seconds", "Age of the tip by the node's clock.", registry=registry)
        self._by_route: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. The labelled figures are looked up once for each combination."""
        key = (method, route, status)
        found = self._by_route.get(key)
        if found is None:
            found = self.requests.labels(method, route, str(status)), self.seconds.labels(route)
            self._by_route[key] = found
        found[0].inc()
        found[1].observe(seconds)


class CountRequests:
    """Measures every request. Pure ASGI."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note status and time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            unrouted = REFUSED if status in STATUSES_REFUSED else UNMATCHED
            route = getattr(scope.get("route"), "path", unrouted)
            self._metrics.count(method, route, status, time.perf_counter() - started)
