"""A fan's history at hand for a brand's service staff: what the fan opened, for as long as it did, each look in the fan's log."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.brand_access import require_service
from api.http.deps import IdText, Services, parse_id, program_test, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.problems import RequestFault
from api.http.rendering import json_response
from api.http.routers.partner import show_receipt
from api.http.schemas.service_desk import LookBody, ServiceHistoryAnswer
from api.http.signed_bodies import read_signed
from api.personalization.service_history import (
    CAMPAIGNS,
    MESSAGES,
    NOT_GRANTED,
    RECEIPTS,
    STANDING,
    VOICE,
    Look,
    Section,
    ServiceHistory,
)
from api.receipts.inbox import KeptMessage
from api.words import show_time
from ledger.types import Address, ProgramId
from node.store.reader import HistoryRow

router = APIRouter(prefix="/v1/programs", tags=["programs"])


@router.post(
    "/{program}/service-looks",
    summary="Look at a fan's history, to help it",
    responses=answers(ServiceHistoryAnswer) | refuses(401, 403),
    openapi_extra={**SIGNED, **signed_body("Whose history, who looks, and why.", LookBody)},
)
async def look(request: Request, program: IdText) -> Response:
    """Points, redemptions, receipts, pledges, messages and what the fan said, as far as its consent for `service` goes.

    By the owner's signature, or that of a key that was granted `adjust`. The fan's log says who looked and why, also if it was
    refused. A consent for service ends by itself after 30 days at the latest.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account, body = await read_signed(request, LookBody)
    fan = services.renderer.parse_address(body.member)
    require_service(services, program_id, account)
    found = await services.personal.gate.read_for_service(
        fan, program_id, Look(account, body.staff, body.why, body.limit)
    )
    if found is None:
        raise RequestFault(NOT_GRANTED)
    return json_response(_show_history(services, program_id, fan, found))


def _show_history(services: Services, program: ProgramId, fan: Address, found: ServiceHistory) -> dict[str, Any]:
    with services.reader.snapshot() as view:
        is_program = program_test(view)

        def show_event(row: HistoryRow) -> dict[str, Any]:
            shown = services.renderer.event(row.event, is_program)
            return {"height": row.height, "time": row.time, "date": show_time(row.time), **shown}

        def show(
            part: str, section: Section, show_row: Callable[[Any], dict[str, Any]] = dict
        ) -> dict[str, Any] | None:
            if part not in found.parts:
                return None
            return {"items": [show_row(row) for row in section.rows], "more": section.has_more}

        return {
            "program": program.hex(),
            "member": services.renderer.address(fan),
            "parts": found.parts,
            "standing": found.standing,
            "points": show(STANDING, found.points, show_event),
            "redemptions": show(STANDING, found.redemptions, show_event),
            "receipts": show(RECEIPTS, found.receipts, show_receipt),
            "pledges": show(CAMPAIGNS, found.pledges),
            "messages": show(MESSAGES, found.messages, _show_message),
            "said": show(VOICE, found.said),
        }


def _show_message(message: KeptMessage) -> dict[str, Any]:
    """What was said, not what the fan did with it."""
    shown = {"topic": message.topic, "texts": message.document["texts"], "why": message.document["why"]}
    return {"id": message.id.hex(), "ready_at": message.ready_at, "expires_at": message.expires_at, **shown}
