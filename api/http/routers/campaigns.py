"""Campaigns and the pledges to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response, show_time
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof
from api.http.schemas.campaigns import CampaignAnswer, CampaignsAnswer, PledgesAnswer
from ledger.domains.crowdfunding.pledge import Pledged
from ledger.domains.crowdfunding.state import FAILED, STATUS_NAMES, Campaign, PointsUnit, load_campaign
from ledger.state import Overlay
from ledger.types import CampaignId
from node.proofs import make_campaign_proof, make_pledge_proof
from node.store.reader import ListedRow, Snapshot

PledgeNumber = Annotated[int, Path(description="The number of a pledge, from 0 on.", examples=[0], ge=0, le=2**32 - 1)]

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])


@router.get("", summary="All campaigns", responses=answers(CampaignsAnswer))
async def list_campaigns(request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Campaigns in the order in which they were made."""
    services = services_of(request)
    page = Page("campaigns", (), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(b"", "campaign", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: _show_campaign(services, view, CampaignId(row.id)))
        )


@router.get("/{campaign}", summary="One campaign", responses=answers(CampaignAnswer))
async def read_campaign(request: Request, campaign: IdText) -> Response:
    """A campaign's terms, what was pledged so far, and what became of it."""
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    with services.reader.snapshot() as view:
        return json_response(_show_campaign(services, view, campaign_id))


def _show_campaign(services: Services, view: Snapshot, campaign_id: CampaignId) -> dict[str, Any]:
    campaign: Campaign = load_campaign(Overlay(view), campaign_id)
    in_points = isinstance(campaign.unit, PointsUnit)
    return {
        "id": campaign_id.hex(),
        "creator": services.renderer.address(campaign.creator),
        "title": campaign.title,
        "unit": {
            "type": "points" if in_points else "coin",
            "program": campaign.unit.program.hex() if isinstance(campaign.unit, PointsUnit) else None,
        },
        "goal": campaign.goal,
        "deadline": campaign.deadline,
        "deadline_date": show_time(campaign.deadline),
        "deadline_height": campaign.deadline_height,
        "status": STATUS_NAMES[campaign.status],
        "pledged": campaign.pledged,
        "pledges": campaign.pledges,
        "refunded": campaign.refunded,
        "escrowed": campaign.escrowed,
        "tiers": [
            {"number": number, "title": title, "least": least, "limit": limit or None, "taken": taken}
            for number, ((title, least, limit), taken) in enumerate(
                zip(campaign.tiers, campaign.taken, strict=True), start=1
            )
        ],
    }


@router.get("/{campaign}/pledges", summary="A campaign's pledges", responses=answers(PledgesAnswer))
async def list_pledges(
    request: Request, campaign: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Pledges by their numbers, and whether a failed campaign has given them back already."""
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    page = Page("campaign.pledges", (campaign_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        found: Campaign = load_campaign(Overlay(view), campaign_id)
        rows = view.listed(campaign_id, "pledge", page.place, page.rows_wanted)
        return json_response(
            page.answer(
                rows,
                lambda row: row.position,
                lambda row: _show_pledge(services, view, campaign_id, found, row),
            )
        )


def _show_pledge(
    services: Services, view: Snapshot, campaign_id: CampaignId, campaign: Campaign, row: ListedRow
) -> dict[str, Any]:
    """From the event: the record of a pledge that went back is deleted."""
    event = view.event_at(campaign_id, row.position)
    assert isinstance(event, Pledged), "a listed pledge was made by this event"
    return {
        "number": event.number,
        "backer": services.renderer.address(event.backer),
        "quantity": event.quantity,
        "tier": event.tier or None,
        "height": row.position[0],
        "refunded": campaign.status == FAILED and event.number < campaign.refunded,
    }


@router.get(
    "/{campaign}/proof",
    response_class=Response,
    summary="Prove what a campaign collected",
    responses=PROOF_ANSWERS,
)
async def read_campaign_proof(request: Request, campaign: IdText, trust: Trust = None) -> Response:
    """The campaign's record in the latest state: goal, pledged, escrow; `fansumer proof check` reads it without a network."""
    wanted = CampaignId(parse_id("campaign", campaign))
    return await answer_proof(
        services_of(request), trust, lambda chain, known: make_campaign_proof(chain, wanted, known)
    )


@router.get(
    "/{campaign}/pledges/{number}/proof",
    response_class=Response,
    summary="Prove a pledge",
    responses=PROOF_ANSWERS,
)
async def read_pledge_proof(request: Request, campaign: IdText, number: PledgeNumber, trust: Trust = None) -> Response:
    """The pledge's record in the latest state with its campaign's. A pledge that went back has none any more."""
    wanted = CampaignId(parse_id("campaign", campaign))
    return await answer_proof(
        services_of(request), trust, lambda chain, known: make_pledge_proof(chain, wanted, number, known)
    )
