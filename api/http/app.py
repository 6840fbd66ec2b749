"""The application: routers, limits and problems around one node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from api.consent.gate import ConsentGate
from api.consent.revocations import Revocations
from api.http.block_calls import RPC_ROUTE
from api.http.deps import Services
from api.http.event_feed import EventFeed
from api.http.export_desk import ExportDesk
from api.http.history_notice import HistoryNotice
from api.http.limits import BodyLimit, RateLimit
from api.http.metrics import CountRequests, HttpMetrics
from api.http.openapi import DESCRIPTION, SUMMARY, TITLE, make_document
from api.http.private_answers import PrivateAnswers
from api.http.problems import add_handlers
from api.http.receipt_desk import ReceiptDesk
from api.http.rendering import Renderer
from api.http.routers import (
    accounts,
    attesting,
    campaigns,
    chain,
    challenges,
    contests,
    contributions,
    delivery_forms,
    events,
    finality,
    groups,
    hand_out,
    mining,
    offer_plans,
    offers,
    own_data,
    partner,
    personal,
    products,
    programs,
    proposals,
    receipts,
    redemptions,
    returns,
    reviews,
    service,
    service_desk,
    texts,
    transactions,
    webhooks,
)
from api.http.settings import HttpSettings
from api.http.submission import SubmissionQueue
from api.personalization.consent_gate import PersonalGate
from api.personalization.model_keeper import ModelKeeper
from api.personalization.outreach import Outreach
from api.personalization.service import Personalization
from api.receipts.store import MIGRATIONS, VERSION_TABLE, ReceiptStore
from api.voice.openings import KeptOpenings
from ledger.errors import LedgerError
from node.cookie import Cookie
from node.metrics import ChainMetrics
from node.mining.block_templates import BlockTemplates
from node.node import Node
from node.store.engine import read_url
from node.store.migrate import refuse_newer

log = structlog.get_logger()

RECEIPTS_FILE = "receipts.sqlite"
VERSION = "1"
"""Of the API: the v1 in its paths."""

ROUTERS = (
    accounts,
    transactions,
    chain,
    personal,
    programs,
    products,
    groups,
    offer_plans,
    service_desk,
    webhooks,
    redemptions,
    hand_out,
    returns,
    challenges,
    contests,
    delivery_forms,
    offers,
    campaigns,
    proposals,
    reviews,
    contributions,
    texts,
    receipts,
    own_data,
    partner,
    events,
    mining,
    attesting,
    service,
    finality,
)
"""In the order in which paths are tried: what is asked most comes first."""


@asynccontextmanager
async def live(app: FastAPI) -> AsyncIterator[None]:
    """Take up what waited for this start, serve and send out, and close."""
    services: Services = app.state.services
    await take_up_revocations(services)
    await take_up_openings(services)
    running = [asyncio.create_task(services.outreach.run())]
    if services.models is not None:
        running.append(asyncio.create_task(services.models.run()))
    yield
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await services.personal.close()
    services.close()


def create_app(
    node: Node, settings: HttpSettings | None = None, *, registry: CollectorRegistry | None = None
) -> FastAPI:
    """The HTTP edge of an open node, which stays its caller's to close. `registry` takes the figures of /metrics.

    Raises NodeError store.newer where a newer program has migrated the receipts.
    """
    chosen = settings or HttpSettings()
    metrics = HttpMetrics(registry or CollectorRegistry())
    ChainMetrics(node, metrics.registry)
    submissions = SubmissionQueue(
        node, metrics, batch_max=chosen.submissions_batch_max, waiting_max=chosen.submissions_waiting_max
    )

    receipts_url = chosen.receipts_url or f"sqlite:///{node.config.data_dir / RECEIPTS_FILE}"
    receipts_store = ReceiptStore(receipts_url)
    if path := read_url(receipts_url).database:  # one that can't read revocations or erase must not serve fans
        refuse_newer(Path(path), MIGRATIONS, VERSION_TABLE)

    middleware = [Middleware(CountRequests, metrics), Middleware(PrivateAnswers), Middleware(HistoryNotice, node)]
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
    renderer, desk = Renderer(node.chain.params.address_prefix), ReceiptDesk(receipts_store)
    revocations = Revocations(node, desk)
    consents = ConsentGate(revocations, node.clock)
    personal = Personalization(node.reader, PersonalGate(node.reader, consents, desk, node.clock), desk, node.clock)
    app.state.services = Services(
        node=node,
        reader=node.reader,
        params=node.chain.params,
        chain_id=node.chain.chain_id,
        settings=chosen,
        renderer=renderer,
        submissions=submissions,
        receipts=desk,
        revocations=revocations,
        openings=KeptOpenings(node, desk),
        consents=consents,
        personal=personal,
        models=None if chosen.models is None else ModelKeeper(chosen.models, personal, node.clock),
        outreach=Outreach(personal, node.reader, consents, desk, node.clock, named_hosts=chosen.webhook_hosts),
        exports=ExportDesk(node, node.reader, renderer),
        events=EventFeed(
            node,
            metrics.streams,
            streams_max=chosen.event_streams_max,
            streams_of_client_max=chosen.event_streams_of_client_max,
        ),
        metrics=metrics,
        cookie=Cookie(node.config.data_dir),
        templates=BlockTemplates(node),
    )
    add_handlers(app)
    app.router.routes[:0] = accounts.PLAIN_ROUTES
    for module in ROUTERS:
        app.router.routes.extend(module.router.routes)  # flat: an included router is searched far more slowly
    app.router.routes.append(RPC_ROUTE)
    app.openapi = partial(make_document, app, node.chain.params.address_prefix)
    return app


async def take_up_revocations(services: Services) -> None:
    """Read the revocations that were received before the last stop, and send those again that are in no block.

    Where they can't be read, the node runs on: who asks what is consented to is refused until they can.
    """
    try:
        await services.revocations.load()
        await services.submissions.run(services.revocations.send_waiting)
    except (LedgerError, OSError) as fault:
        log.warning("revocations.unread", reason=str(fault))


async def take_up_openings(services: Services) -> None:
    """Read the openings that voters had handed over before the last stop, and send those whose time has come."""
    try:
        await services.openings.load()
        await services.submissions.run(services.openings.send_waiting)
    except (LedgerError, OSError) as fault:
        log.warning("openings.unread", reason=str(fault))
