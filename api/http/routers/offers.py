"""Personal offers as the chain holds them: to whom, how much, until when, what became of them. What they ask for is not here."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response, show_day
from api.http.schemas.offers import OfferAnswer, OffersAnswer
from ledger.domains.loyalty.state import load_program
from ledger.domains.offers.events import OfferCredited, OfferExpired, OfferIssued, OfferNotCredited, OfferReversed
from ledger.domains.offers.state import NO_OFFER, Offer, last_to_ask, offer_key
from ledger.errors import RuleViolation
from ledger.state import Overlay
from ledger.types import Hash, ProgramId
from node.store.reader import ListedRow, Snapshot

EVENTS_SHOWN = 100
"""Of one offer: issued, credited, ended, reversed in a few parts; and citations that brought nothing, of them the last."""
USELESS_SHOWN = 20

router = APIRouter(tags=["offers"])


@router.get("/v1/programs/{program}/offers", summary="A program's offers", responses=answers(OffersAnswer))
async def list_program_offers(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every personal offer that the program made, in the order in which they were issued."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.offers", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        rows = view.listed(program_id, "offer", page.place, page.rows_wanted)
        return json_response(_answer(services, view, page, rows))


@router.get("/v1/accounts/{address}/offers", summary="An account's offers", responses=answers(OffersAnswer))
async def list_account_offers(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every personal offer that was made to this account."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.offers", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "account_offer", page.place, page.rows_wanted)
        return json_response(_answer(services, view, page, rows))


@router.get("/v1/offers/{offer}", summary="One offer", responses=answers(OfferAnswer))
async def read_offer(request: Request, offer: IdText) -> Response:
    """What was promised, until when, and what became of it."""
    services = services_of(request)
    offer_id = Hash(parse_id("offer", offer))
    with services.reader.snapshot() as view:
        return json_response(_show_offer(services, view, offer_id))


def _answer(services: Services, view: Snapshot, page: Page, rows: list[ListedRow]) -> dict[str, Any]:
    return page.answer(rows, lambda row: row.position, lambda row: _show_offer(services, view, Hash(row.id)))


def _show_offer(services: Services, view: Snapshot, offer_id: Hash) -> dict[str, Any]:
    """From its events, which stay, and from its record, which goes when nobody can ask for it any more.

    The same offer can be issued again once its record is gone: then the latest issue counts.
    """
    rows = list(view.history(offer_id, None, EVENTS_SHOWN))
    found = [(place, row.event) for place, row in enumerate(rows) if isinstance(row.event, OfferIssued)]
    record: Offer | None = view.record(offer_key(offer_id))
    if not found:
        raise RuleViolation(NO_OFFER, offer=offer_id)
    first, issued = found[0]
    since = rows[: first + 1]
    credited = next((row.event for row in since if isinstance(row.event, OfferCredited)), None)
    is_expired = any(isinstance(row.event, OfferExpired) for row in since)
    useless = [(row.height, row.event) for row in since if isinstance(row.event, OfferNotCredited)]
    return {
        "id": offer_id.hex(),
        "program": issued.program.hex(),
        "member": services.renderer.address(issued.member),
        "terms": issued.terms.hex(),
        "points": issued.points,
        "issued_at": None if record is None else record.issued_at,
        "expires_at": issued.expires_at,
        "asked_until": None if record is None else _asked_until(view, record),
        "status": "expired" if is_expired else "open" if credited is None else "cited",
        "receipt": None if credited is None else credited.receipt.hex(),
        "contested": credited is not None and credited.contested,
        "credited": 0 if credited is None else credited.points,
        "reversed": sum(row.event.points for row in since if isinstance(row.event, OfferReversed)),
        "available_on": None if credited is None else show_day(credited.available_on),
        "expires_on": None if credited is None else show_day(credited.expires_on),
        "not_credited": [
            {"receipt": event.receipt.hex(), "code": event.code, "height": height}
            for height, event in useless[:USELESS_SHOWN]
        ],
    }


def _asked_until(view: Snapshot, record: Offer) -> int | None:
    """When the last receipt can be contested; known once the offer has expired."""
    if view.tip().header.time <= record.expires_at:
        return None
    overlay = Overlay(view)
    return last_to_ask(overlay, load_program(overlay, record.program), record)
