"""Returns: what was taken back of points, public for everybody, so that a program's reversals can be counted."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response
from api.http.schemas.returns import ReturnsAnswer
from ledger.domains.loyalty.events import PointsReversed
from ledger.domains.loyalty.returns import Returned, return_key
from ledger.domains.loyalty.state import load_program
from ledger.domains.offers.events import OfferReversed
from ledger.state import Overlay
from ledger.types import Hash, ProgramId
from node.store.reader import Snapshot

REVERSALS_SHOWN = 50
"""Of one return: it counts once for each entry that it takes points of, which are few."""

router = APIRouter(tags=["programs"])


@router.get("/v1/programs/{program}/returns", summary="A program's returns", responses=answers(ReturnsAnswer))
async def list_returns(request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Every return for which points were taken back, in the order in which it first was, with each reversal."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.returns", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        rows = view.listed(program_id, "return", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: _show_return(services, view, Hash(row.id)))
        )


def _show_return(services: Services, view: Snapshot, return_id: Hash) -> dict[str, Any]:
    """From its events, which stay, and from its record, which goes when the return is too old to count."""
    rows = [
        (row, row.event)
        for row in view.history(return_id, None, REVERSALS_SHOWN)
        if isinstance(row.event, PointsReversed | OfferReversed)
    ]
    first, record = rows[-1][1], view.record(return_key(return_id))
    returned: Returned | None = record
    return {
        "id": return_id.hex(),
        "member": services.renderer.address(first.member),
        "receipt": first.receipt.hex(),
        "points": None if returned is None else returned.points,
        "reversed": sum(event.points for _, event in rows),
        "reversals": [
            {**_show_source(event), "points": event.points, "height": row.height} for row, event in reversed(rows)
        ],
    }


def _show_source(event: PointsReversed | OfferReversed) -> dict[str, Any]:
    """Of what points were taken back."""
    if isinstance(event, OfferReversed):
        return {"batch": None, "index": None, "offer": event.offer.hex()}
    return {"batch": event.batch.hex(), "index": event.index, "offer": None}
