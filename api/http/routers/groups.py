"""What a brand learns of its fans as groups: segments, reach of a plan, reports. Of few fans nothing is told, of one never."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.brand_access import require_brand
from api.http.deps import IdText, parse_id, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.problems import RequestFault
from api.http.rendering import json_response
from api.http.schemas.groups import PlanAnswer, PlanBody, ReportAnswer, SegmentsAnswer
from api.http.signatures import authenticate
from api.http.signed_bodies import read_signed
from api.personalization.figures import DIMENSIONS
from api.personalization.groups import PlanTally, ReportTally, SegmentsTally
from api.personalization.value import BENEFIT_MINUTES
from ledger.errors import Code
from ledger.types import ProgramId

PREFIX: Final = "/v1/programs/{program}"

NO_TOPIC = Code("plan.topic", "there are no messages of the topic {topic}, only of {known}", "Choose one of these.")

router = APIRouter(prefix="/v1/programs", tags=["programs"])


@router.get(
    "/{program}/segments",
    summary="Groups of a program's fans",
    responses=answers(SegmentsAnswer) | refuses(403, 503),
    openapi_extra=SIGNED,
)
async def list_segments(request: Request, program: IdText) -> Response:
    """Segments of at least ten fans who let the program personalise, by the owner's signature; sizes are rounded down to fives.

    Each fan sees in its log that it was counted. Of a large program the first answer may be 503 `groups.counting`: the count
    goes on, and who asks again is given its figures, with the moment they are of.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    require_brand(services, program_id, await authenticate(request))
    found = await services.personal.figures(program_id, "segments", None, lambda _: SegmentsTally())
    return json_response({"program": program_id.hex(), **found})


@router.post(
    "/{program}/plan",
    summary="Whom a plan would reach",
    responses=answers(PlanAnswer) | refuses(401, 403, 503),
    openapi_extra={**SIGNED, **signed_body("The plan.", PlanBody)},
)
async def plan(request: Request, program: IdText) -> Response:
    """Reach and cost of a plan, before anything is sent or promised. Those who switched the topic off are not reached."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account, body = await read_signed(request, PlanBody)
    require_brand(services, program_id, account)
    if body.topic not in BENEFIT_MINUTES:
        raise RequestFault(NO_TOPIC, topic=body.topic, known=", ".join(sorted(BENEFIT_MINUTES)))
    wanted = {name: getattr(body, name) for name in DIMENSIONS}
    asked = (body.topic, body.points_each, body.budget_points, *wanted.items())

    def make(now: int) -> PlanTally:
        return PlanTally(wanted, body.topic, body.points_each, body.budget_points, now)

    found = await services.personal.figures(program_id, "plan", asked, make)
    return json_response({"program": program_id.hex(), "topic": body.topic, **found})


@router.get(
    "/{program}/message-report",
    summary="What messages brought",
    responses=answers(ReportAnswer) | refuses(403, 503),
    openapi_extra=SIGNED,
)
async def report(request: Request, program: IdText) -> Response:
    """By topic: purchases within 14 days after a message, against the holdout, with 95 % intervals; and what opt-outs cost.

    Criticism is counted as a signal about the brand. Topics and arms of fewer than ten fans are left out.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    require_brand(services, program_id, await authenticate(request))
    found = await services.personal.figures(program_id, "report", None, ReportTally)
    return json_response({"program": program_id.hex(), **found})
