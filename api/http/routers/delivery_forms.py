"""Delivery forms: what a backer tells a campaign's creator in private, encrypted, off the chain (spec CRF-12)."""

from base64 import b64encode
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.http.bodies import read_media_type, unwrap
from api.http.deps import IdText, Services, parse_id, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import RequestFault
from api.http.rendering import json_response
from api.http.schemas.delivery_forms import DeliveryFormBody, DeliveryFormDropped, DeliveryFormKept, DeliveryFormsAnswer
from api.http.signatures import authenticate, authenticate_body
from api.receipts.delivery_forms import KeptForm
from api.words import show_time
from ledger.domains.crowdfunding.state import (
    Campaign,
    Pledge,
    campaign_key,
    load_campaign,
    load_campaign_terms,
    pledge_key,
)
from ledger.errors import Code
from ledger.state import Overlay
from ledger.types import Address, CampaignId

NOT_TAKEN = Code(
    "delivery_form.no_key",
    "the campaign's terms name no key for delivery forms",
    "Ask the creator how it wants to learn where to send things; publish no address.",
)
NOT_YOURS = Code(
    "delivery_form.not_yours",
    "only the backer of the pledge and the campaign's creator may do this",
    "Sign with the account that made the pledge, or that made the campaign.",
)
NO_SUCH_PLEDGE = Code(
    "delivery_form.no_pledge",
    "the campaign {campaign} has no pledge {number}",
    "Check the ids; a pledge that was refunded or withdrawn has none any more.",
)
BAD_FORM = Code(
    "delivery_form.shape",
    "a delivery form is 49 to 4049 bytes that begin with 01, not {found} of them",
    "Let the wallet encrypt it: `fansumer wallet send-delivery-form`.",
)
FORM_BYTES_MIN: Final = 49
FORM_BYTES_MAX: Final = 4_049
BODY_BYTES_MAX: Final = 8_192
VERSION: Final = b"\x01"
Number = Annotated[int, Path(description="The number of a pledge, from 0 on.", examples=[0], ge=0, le=2**32 - 1)]

router = APIRouter(tags=["campaigns"])


@router.put(
    "/v1/campaigns/{campaign}/pledges/{number}/delivery-form",
    summary="Tell the creator where to send it",
    responses=answers(DeliveryFormKept) | refuses(403, 409, 413, 415),
    openapi_extra={**SIGNED, **signed_body("The encrypted form's bytes.", DeliveryFormBody)},
)
async def put_form(request: Request, campaign: IdText, number: Number) -> Response:
    """Keep a form of the pledge for the campaign's creator, who alone can read it. A new one takes an earlier one's place.

    Signed by the pledge's backer. The node sees who sent it and how long it is, never what it says.
    """
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    media_type = read_media_type(request)
    account, body = await authenticate_body(request, BODY_BYTES_MAX)
    form = _read_form(body, media_type)
    with services.reader.snapshot() as view:
        pledge: Pledge | None = view.record(pledge_key(campaign_id, number))
        if pledge is None:
            raise RequestFault(NO_SUCH_PLEDGE, campaign=campaign_id, number=number)
        if not load_campaign_terms(Overlay(view), campaign_id).delivery_key:
            raise RequestFault(NOT_TAKEN)
    if pledge.backer != account:
        raise RequestFault(NOT_YOURS)
    kept = KeptForm(campaign_id, number, account, form, services.node.clock.now())
    await services.receipts.run(lambda store: store.delivery_forms.put(kept))
    return json_response({"campaign": campaign_id.hex(), "number": number, "bytes": len(form)})


def _read_form(body: bytes, media_type: str) -> bytes:
    """The bytes of a form in a body. Raises `http.body`, `delivery_form.shape`."""
    form = unwrap(body, media_type, "form")
    if form[:1] != VERSION or not FORM_BYTES_MIN <= len(form) <= FORM_BYTES_MAX:
        raise RequestFault(BAD_FORM, found=len(form))
    return form


@router.get(
    "/v1/campaigns/{campaign}/delivery-forms",
    summary="Read where to send things",
    responses=answers(DeliveryFormsAnswer) | refuses(403),
    openapi_extra=SIGNED,
)
async def list_forms(request: Request, campaign: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """The forms of a campaign's pledges by their numbers, encrypted as they came. Signed by the campaign's creator.

    A form whose pledge has ended is not given any more, and deleted.
    """
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    account = await authenticate(request)
    page = Page("campaign.forms", (campaign_id,), cursor, limit, width=1)
    if _load(services, campaign_id).creator != account:
        raise RequestFault(NOT_YOURS)
    after = None if page.position is None else page.position[0]
    rows = await services.receipts.run(
        lambda store: store.delivery_forms.page(campaign_id, after=after, limit=page.rows_wanted)
    )
    with services.reader.snapshot() as view:
        ended = [row.number for row in rows if view.record(pledge_key(campaign_id, row.number)) is None]
    for number in ended:
        await services.receipts.run(lambda store, gone=number: store.delivery_forms.drop(campaign_id, gone))
    answer = page.answer(rows, lambda row: (row.number,), lambda row: _show(services, row))
    answer["items"] = [item for item in answer["items"] if item["number"] not in ended]
    return json_response(answer)


def _load(services: Services, campaign_id: CampaignId) -> Campaign:
    with services.reader.snapshot() as view:
        return load_campaign(Overlay(view), campaign_id)


def _show(services: Services, row: KeptForm) -> dict[str, Any]:
    return {
        "number": row.number,
        "backer": services.renderer.address(row.member),
        "kept_at": row.kept_at,
        "date": show_time(row.kept_at),
        "form": b64encode(row.form).decode(),
    }


@router.delete(
    "/v1/campaigns/{campaign}/pledges/{number}/delivery-form",
    summary="Delete a delivery form",
    responses=answers(DeliveryFormDropped) | refuses(403),
    openapi_extra=SIGNED,
)
async def drop_form(request: Request, campaign: IdText, number: Number) -> Response:
    """Delete the form of a pledge. Signed by its backer or by the campaign's creator. Harmless a second time."""
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    account = await authenticate(request)
    found = await services.receipts.run(lambda store: store.delivery_forms.find(campaign_id, number))
    if account not in _may_drop(services, campaign_id, number, found):
        raise RequestFault(NOT_YOURS)
    dropped = await services.receipts.run(lambda store: store.delivery_forms.drop(campaign_id, number))
    return json_response({"campaign": campaign_id.hex(), "number": number, "dropped": dropped})


def _may_drop(services: Services, campaign_id: CampaignId, number: int, found: KeptForm | None) -> set[Address]:
    """The campaign's creator, the backer of the pledge, and whoever sent the form that is there."""
    with services.reader.snapshot() as view:
        campaign: Campaign | None = view.record(campaign_key(campaign_id))
        pledge: Pledge | None = view.record(pledge_key(campaign_id, number))
    if campaign is None:
        raise RequestFault(NO_SUCH_PLEDGE, campaign=campaign_id, number=number)
    allowed = {campaign.creator}
    return allowed | ({pledge.backer} if pledge else set()) | ({found.member} if found else set())
