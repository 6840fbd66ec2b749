"""For those who run the node: is it alive, is it ready, what does it count."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DatabaseError
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import services_of
from api.http.openapi import answers
from api.http.problems import NOT_READY, RequestFault
from api.http.rendering import json_response, show_alarm
from api.http.schemas.service import HealthAnswer, ReadyAnswer
from node.errors import NodeError
from node.store.reader import Reader, Tip

METRICS_EXAMPLE = 'fansumer_http_requests_total{method="GET",route="/v1/chain",status="200"} 7.0'

router = APIRouter(tags=["service"])


@router.get("/healthz", summary="Is the process alive", responses=answers(HealthAnswer))
async def read_health(request: Request) -> Response:
    """Answers as long as the process does; says nothing about the chain."""
    return json_response({"status": "ok"})


@router.get("/readyz", summary="Is the node ready", responses=answers(ReadyAnswer))
async def read_readiness(request: Request) -> Response:
    """Whether the store can be read and written, transactions are taken in, the miner lives, and the tip is fresh.

    `stalled` is no fault of the node: nobody has found a block for ten times the chain's block time. Nor is `finality_stalled`: no
    checkpoint was justified for two intervals, so that more than a third of the attestors' weight is silent.
    `verified` is false as long as a node that began with a snapshot has not itself applied every block that led to it.
    `alarm` tells of blocks of another law (`law.other`), which this node refuses; once they have clearly more work than its chain,
    that is a problem with 503.
    A problem with 503 says what is wrong: `sync.beginning` (the snapshot is still being fetched), `chain.fork_too_deep`,
    `node.broken`, `node.thread_died`, what the store said when a block was to be written
    (`store.full`), or `http.not_ready`.
    """
    services = services_of(request)
    tip = _read_tip(services.reader)
    age_s = max(services.node.clock.now() - tip.header.time, 0)
    maximum = services.settings.tip_age_seconds_max
    services.node.health.check()
    other_law = services.node.other_law
    alarm = other_law.fault()
    if alarm is not None and other_law.is_leading:
        raise alarm
    if services.submissions.broken:
        raise RequestFault(NOT_READY, reason="it stopped at a broken invariant")
    if maximum is not None and age_s > maximum:
        raise RequestFault(NOT_READY, reason=f"the tip is {age_s} seconds old", tip_age_s=age_s, height=tip.height)
    return json_response(
        {
            "status": "ready",
            "height": tip.height,
            "tip_age_s": age_s,
            "stalled": services.node.stall.is_stalled(),
            "verified": services.node.chain.extent.is_verified,
            "finality_stalled": services.node.silence.is_stalled(),
            "alarm": show_alarm(alarm),
        }
    )


def _read_tip(reader: Reader) -> Tip:
    try:
        with reader.snapshot() as view:
            return view.tip()
    except (DatabaseError, NodeError) as fault:
        raise RequestFault(NOT_READY, reason="the store cannot be read") from fault


@router.get(
    "/metrics",
    response_class=Response,
    summary="Figures for Prometheus",
    responses={
        200: {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS_EXAMPLE}},
        }
    },
)
async def read_metrics(request: Request) -> Response:
    """Requests, times, submissions, the tip."""
    services = services_of(request)
    with services.reader.snapshot() as view:
        tip = view.tip()
    services.metrics.height.set(tip.height)
    services.metrics.tip_age_s.set(max(services.node.clock.now() - tip.header.time, 0))
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
