"""From a plan to offers: whom a brand would reach at which cost, what it signs, what came of it; and a fan's own offers."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.http.brand_access import require_brand
from api.http.deps import IdText, Services, parse_id, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import RequestFault
from api.http.rendering import json_response
from api.http.routers.personal import OfProgram, require_member
from api.http.schemas.offer_plans import (
    EXAMPLE_PLAN,
    OfferEntriesAnswer,
    OfferPlanBody,
    OfferPlanDrawn,
    OfferPlanMade,
    OfferPlanReport,
    OfferPlansAnswer,
    OwnOffersAnswer,
)
from api.http.signatures import authenticate
from api.http.signed_bodies import read_signed
from api.personalization.figures import DIMENSIONS
from api.personalization.offer_desk import OfferDesk, read_own_offers
from api.personalization.offer_plans import OfferWish
from api.personalization.offer_report import Outcome
from api.receipts.offer_plans import DrawnOffer
from api.wallet.offers import offer_text
from ledger.domains.offers.offer_issue import OfferEntry
from ledger.domains.offers.terms import decode_offer
from ledger.errors import Code
from ledger.types import ProgramId

PLANS: Final = "/v1/programs/{program}/offer-plans"
PLAN_HEX: Final = 32

BAD_PLAN = Code("plan.id_format", "a plan's id is 32 hexadecimal digits", "Copy the whole id again.")
BAD_BUDGET = Code(
    "plan.budget", "the budget is given in points or in cents: one of the two", "Name one budget that is above 0."
)

PlanText = Annotated[
    str,
    Path(
        description="A plan's id: 32 hexadecimal digits.",
        examples=[EXAMPLE_PLAN],
        json_schema_extra={"pattern": "^[0-9a-fA-F]{32}$"},
    ),
]

router = APIRouter()


@router.post(
    PLANS,
    status_code=201,
    tags=["programs"],
    summary="Plan offers",
    responses=answers(OfferPlanMade, 201) | refuses(401, 403),
    openapi_extra={**SIGNED, **signed_body("The plan.", OfferPlanBody)},
)
async def make_plan(request: Request, program: IdText) -> Response:
    """Keep a plan, and say whom it would reach at which cost. Nothing is promised, and nobody is named.

    A budget in cents counts a point at what the program's dearest reward, or its floor, makes it cost.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account, body = await read_signed(request, OfferPlanBody)
    require_brand(services, program_id, account)
    if bool(body.budget_points) == bool(body.budget_cents):
        raise RequestFault(BAD_BUDGET)
    wish = OfferWish(
        goal=body.goal,
        points_each=body.points_each,
        budget_points=body.budget_points,
        fan_points_max=body.fan_points_max or body.points_each,
        days=body.days,
        net_cents_min=body.net_cents_min,
        segment={name: value for name in DIMENSIONS if (value := getattr(body, name)) is not None},
    )
    return json_response(await desk_of(services).make(program_id, wish, body.budget_cents), 201)


@router.get(
    PLANS,
    tags=["programs"],
    summary="A program's plans of offers",
    responses=answers(OfferPlansAnswer) | refuses(401, 403),
    openapi_extra=SIGNED,
)
async def list_plans(request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """What was planned, the latest first."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    require_brand(services, program_id, await authenticate(request))
    page = Page("program.offer_plans", (program_id,), cursor, limit, width=1)
    first = 0 if page.position is None else page.position[0]
    found = await desk_of(services).plans(program_id, first, page.rows_wanted)
    return json_response(page.answer(found, lambda row: (row[0],), lambda row: row[1]))


@router.put(
    PLANS + "/{plan}/draw",
    tags=["programs"],
    summary="Draw a plan's fans",
    responses=answers(OfferPlanDrawn) | refuses(403, 409),
    openapi_extra=SIGNED,
)
async def draw_plan(request: Request, program: IdText, plan: PlanText) -> Response:
    """Draw whom the plan reaches now, within its budget, and write their offers: once, whatever is asked again.

    Each fan sees in its log that it was read. Of a plan that would reach fewer than ten nobody is drawn.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    require_brand(services, program_id, await authenticate(request))
    return json_response(await desk_of(services).draw(program_id, parse_plan(plan)))


@router.get(
    PLANS + "/{plan}/entries",
    tags=["programs"],
    summary="What the brand is to sign",
    responses=answers(OfferEntriesAnswer) | refuses(401, 403),
    openapi_extra=SIGNED,
)
async def list_entries(
    request: Request, program: IdText, plan: PlanText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Entries for `offer.issue`, for the brand's own key to sign. What stands on the chain already is left out, and so is a fan who
    took its consent back since, or for whom another plan of the same goal has given an entry that is not over.
    """
    services = services_of(request)
    program_id, plan_id = ProgramId(parse_id("program", program)), parse_plan(plan)
    require_brand(services, program_id, await authenticate(request))
    page = Page("plan.entries", (program_id, plan_id), cursor, limit, width=1)
    after = 0 if page.position is None else page.position[0]
    found = await desk_of(services).entries(program_id, plan_id, after, limit)

    def show(row: tuple[int, OfferEntry | None]) -> dict[str, Any] | None:
        return None if row[1] is None else _show_entry(services, row[1])

    answer = page.answer(found, lambda row: (row[0],), show)
    return json_response({**answer, "items": [item for item in answer["items"] if item is not None]})


@router.get(
    PLANS + "/{plan}",
    tags=["programs"],
    summary="What became of a plan",
    responses=answers(OfferPlanReport) | refuses(401, 403),
    openapi_extra=SIGNED,
)
async def report_plan(request: Request, program: IdText, plan: PlanText) -> Response:
    """Issued, cited, cost; and purchases in the plan's days against fans who were held out, with a 95 % interval."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    require_brand(services, program_id, await authenticate(request))
    return json_response(await desk_of(services).report(program_id, parse_plan(plan)))


@router.get(
    "/v1/me/offers",
    tags=["personal"],
    summary="What the account was offered",
    responses=answers(OwnOffersAnswer) | refuses(401),
    openapi_extra=SIGNED,
)
async def list_own_offers(request: Request, program: OfProgram) -> Response:
    """Offers that a program's plans made to the account and that stand on the chain, with what each asks for.

    They are promises: they are given whatever consents were taken back since.
    """
    services = services_of(request)
    account = await authenticate(request)
    program_id = require_member(services, account, program)
    drawn = await services.receipts.run(lambda store: store.offer_plans.of_member(account, program_id))
    with services.reader.snapshot() as view:
        items = read_own_offers(view, drawn, _show_own)
    return json_response({"program": program_id.hex(), "items": items})


def desk_of(services: Services) -> OfferDesk:
    """Plans of offers at this node."""
    return OfferDesk(services.personal, services.reader, services.receipts, services.node.clock)


def parse_plan(text: str) -> bytes:
    """The 16 bytes of a plan's id. Raises `plan.id_format`."""
    try:
        found = bytes.fromhex(text) if len(text) == PLAN_HEX and text.isalnum() else b""
    except ValueError:
        found = b""
    if not found:
        raise RequestFault(BAD_PLAN)
    return found


def _show_entry(services: Services, entry: OfferEntry) -> dict[str, Any]:
    return {
        "member": services.renderer.address(entry.member),
        "terms": entry.terms.hex(),
        "points": entry.points,
        "expires_at": entry.expires_at,
    }


def _show_own(drawn: DrawnOffer, outcome: Outcome) -> dict[str, Any]:
    offer = decode_offer(drawn.sealed)
    return {
        "offer": drawn.offer.hex(),
        "program": drawn.program.hex(),
        "goal": drawn.document["goal"],
        "status": "cited" if outcome.is_cited else "open" if outcome.is_open else "expired",
        "points": offer.points,
        "from_time": offer.terms.from_time,
        "expires_at": offer.expires_at,
        "net_cents_min": offer.terms.net_cents_min,
        "codes": list(offer.terms.codes),
        "needs_all": offer.terms.needs_all,
        "says": offer.terms.text,
        "text": offer_text(offer),
    }
