"""The application: routers, limits and problems around one node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from api.http.deps import Services
from api.http.event_feed import EventFeed
from api.http.limits import BodyLimit, RateLimit
from api.http.metrics import CountRequests, HttpMetrics
from api.http.openapi import DESCRIPTION, SUMMARY, TITLE, make_document
from api.http.problems import add_handlers
from api.http.receipt_desk import ReceiptDesk
from api.http.rendering import Renderer
from api.http.routers import (
    accounts,
    campaigns,
    chain,
    contests,
    events,
    programs,
    receipts,
    redemptions,
    service,
    transactions,
)
from api.http.settings import HttpSettings
from api.http.submission import SubmissionQueue
from api.receipts.store import ReceiptStore
from node.metrics import ChainMetrics
from node.node import Node

RECEIPTS_FILE = "receipts.sqlite"
VERSION = "1"
"""Of the API: the v1 in its paths."""

ROUTERS = (accounts, transactions, chain, programs, redemptions, contests, campaigns, receipts, events, service)
"""In the order in which paths are tried: what is asked most comes first."""


def create_app(
    node: Node, settings: HttpSettings | None = None, *, registry: CollectorRegistry | None = None
) -> FastAPI:
    """The HTTP edge of an open node, which stays its caller's to close. `registry` takes the figures of /metrics."""
    chosen = settings or HttpSettings()
    metrics = HttpMetrics(registry or CollectorRegistry())
    ChainMetrics(node, metrics.registry)
    submissions = SubmissionQueue(
        node, metrics, batch_max=chosen.submissions_batch_max, waiting_max=chosen.submissions_waiting_max
    )

    receipts_url = chosen.receipts_url or f"sqlite:///{node.config.data_dir / RECEIPTS_FILE}"

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.services.close()

    middleware = [Middleware(CountRequests, metrics)]
    if chosen.rate_limited:
        middleware.append(Middleware(RateLimit, chosen))
    middleware.append(Middleware(BodyLimit, chosen.body_bytes_max))
    app = FastAPI(
        title=TITLE,
        summary=SUMMARY,
        description=DESCRIPTION,
        version=VERSION,
        middleware=middleware,
        lifespan=live,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = Services(
        node=node,
        reader=node.reader,
        params=node.chain.params,
        chain_id=node.chain.chain_id,
        settings=chosen,
        renderer=Renderer(node.chain.params.address_prefix),
        submissions=submissions,
        receipts=ReceiptDesk(ReceiptStore(receipts_url)),
        events=EventFeed(
            node,
            metrics.streams,
            streams_max=chosen.event_streams_max,
            streams_of_client_max=chosen.event_streams_of_client_max,
        ),
        metrics=metrics,
    )
    add_handlers(app)
    app.router.routes[:0] = accounts.PLAIN_ROUTES
    for module in ROUTERS:
        app.router.routes.extend(module.router.routes)  # flat: an included router is searched far more slowly
    app.openapi = partial(make_document, app, node.chain.params.address_prefix)
    return app
