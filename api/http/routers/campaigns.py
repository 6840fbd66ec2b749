"""Campaigns and the pledges to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.campaigns import show_campaign, show_pledge
from api.http.deps import AddressText, IdText, Services, parse_id, program_test, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response
from api.http.routers.accounts import EVENT_NAME_MAX, show_history_row
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof
from api.http.schemas.accounts import HistoryAnswer
from api.http.schemas.campaigns import AccountPledgesAnswer, CampaignAnswer, CampaignsAnswer, PledgesAnswer
from api.http.worth import marks_of
from ledger.domains.crowdfunding.events import Pledged
from ledger.domains.crowdfunding.state import load_campaign
from ledger.state import Overlay
from ledger.types import CampaignId
from node.proofs import make_campaign_proof, make_pledge_proof
from node.store.reader import ListedRow, Snapshot

PledgeNumber = Annotated[int, Path(description="The number of a pledge, from 0 on.", examples=[0], ge=0, le=2**32 - 1)]

router = APIRouter(tags=["campaigns"])


@router.get("/v1/campaigns", summary="All campaigns", responses=answers(CampaignsAnswer))
async def list_campaigns(request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Campaigns in the order in which they were made."""
    return _list(services_of(request), Page("campaigns", (), cursor, limit, width=2), b"", "campaign")


@router.get("/v1/accounts/{address}/campaigns", summary="A creator's campaigns", responses=answers(CampaignsAnswer))
async def list_account_campaigns(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """What an account promised and what became of it, in the order in which it was promised: kept, late or broken."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.campaigns", (account,), cursor, limit, width=2)
    return _list(services, page, account, "account_campaign")


def _list(services: Services, page: Page, parent: bytes, kind: str) -> Response:
    with services.reader.snapshot() as view:
        rows = view.listed(parent, kind, page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: show_campaign(services, view, CampaignId(row.id)))
        )


@router.get("/v1/campaigns/{campaign}", summary="One campaign", responses=answers(CampaignAnswer))
async def read_campaign(request: Request, campaign: IdText) -> Response:
    """A campaign's terms, which never change, and how it stands: in words, in sums, step by step, with the vote that is open."""
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    with services.reader.snapshot() as view:
        return json_response(show_campaign(services, view, campaign_id))


@router.get("/v1/campaigns/{campaign}/history", summary="What happened in a campaign", responses=answers(HistoryAnswer))
async def read_campaign_history(
    request: Request,
    campaign: IdText,
    event: Annotated[
        str | None,
        Query(
            max_length=EVENT_NAME_MAX,
            pattern="^[a-z_.]+$",
            description="Only events of this name.",
            examples=["campaign.update_posted"],
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_LIMIT,
) -> Response:
    """Events, the newest first: pledges, votes (`milestone.voted`, `milestone.decided`), updates, releases, refunds."""
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    page = Page("campaign.history", (campaign_id, None if event is None else event.encode()), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_campaign(Overlay(view), campaign_id)
        rows = view.history(campaign_id, page.place, page.rows_wanted, page.text_filter(1))
        is_program, marks = program_test(view), marks_of(services, view)
        return json_response(
            page.answer(
                rows,
                lambda row: (row.height, row.sequence),
                lambda row: show_history_row(services, row, is_program, marks),
            )
        )


@router.get("/v1/campaigns/{campaign}/pledges", summary="A campaign's pledges", responses=answers(PledgesAnswer))
async def list_pledges(
    request: Request, campaign: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Pledges by their numbers, those that ended among them, with their votes and what each would get back now."""
    services = services_of(request)
    campaign_id = CampaignId(parse_id("campaign", campaign))
    page = Page("campaign.pledges", (campaign_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_campaign(Overlay(view), campaign_id)
        rows = view.listed(campaign_id, "pledge", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: _show_row(services, view, campaign_id, row))
        )


def _show_row(services: Services, view: Snapshot, campaign_id: CampaignId, row: ListedRow) -> dict[str, Any]:
    event = view.event_at(campaign_id, row.position)
    assert isinstance(event, Pledged), "a listed pledge was made by this event"
    return show_pledge(services, view, campaign_id, event, row.position[0])


@router.get("/v1/accounts/{address}/pledges", summary="A backer's pledges", responses=answers(AccountPledgesAnswer))
async def list_account_pledges(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """What an account backed, in the order in which it did, how each campaign stands, and what would come back now."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.pledges", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "account_pledge", page.place, page.rows_wanted)
        return json_response(page.answer(rows, lambda row: row.position, lambda row: _show_own(services, view, row)))


def _show_own(services: Services, view: Snapshot, row: ListedRow) -> dict[str, Any]:
    campaign_id = CampaignId(row.id[:32])
    campaign = show_campaign(services, view, campaign_id)
    shown = {name: campaign[name] for name in ("title", "status", "says", "unit", "vote")}
    shown["open_vote"] = shown.pop("vote")
    return {"campaign": campaign_id.hex(), **shown, **_show_row(services, view, campaign_id, row)}


@router.get(
    "/v1/campaigns/{campaign}/proof",
    response_class=Response,
    summary="Prove what a campaign collected",
    responses=PROOF_ANSWERS,
)
async def read_campaign_proof(request: Request, campaign: IdText, trust: Trust = None) -> Response:
    """The campaign's record in the latest state with its terms; `fansumer proof check` reads it without a network."""
    wanted = CampaignId(parse_id("campaign", campaign))
    return await answer_proof(
        services_of(request), trust, lambda chain, known: make_campaign_proof(chain, wanted, known)
    )


@router.get(
    "/v1/campaigns/{campaign}/pledges/{number}/proof",
    response_class=Response,
    summary="Prove a pledge",
    responses=PROOF_ANSWERS,
)
async def read_pledge_proof(request: Request, campaign: IdText, number: PledgeNumber, trust: Trust = None) -> Response:
    """The pledge's record in the latest state with its campaign's. A pledge that ended has none any more."""
    wanted = CampaignId(parse_id("campaign", campaign))
    return await answer_proof(
        services_of(request), trust, lambda chain, known: make_pledge_proof(chain, wanted, number, known)
    )
