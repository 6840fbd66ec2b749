"""Missions and contributions: what brands asked their fans to help with, who did, and what came of it."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof
from api.http.routers.reviews import texts_here
from api.http.schemas.voice import ContributionAnswer, ContributionsAnswer, MissionsAnswer
from ledger.domains.loyalty.state import load_program
from ledger.domains.voice.contributions import ROLE_NAMES, Contribution, Mission, load_contribution, load_mission
from ledger.state import Overlay
from ledger.types import ContributionId, Hash, MissionId, ProgramId, Timestamp
from node.proofs import make_contribution_proof
from node.store.reader import ListedRow, Snapshot

router = APIRouter(prefix="/v1", tags=["reviews"])


@router.get("/programs/{program}/missions", summary="What a brand asks for", responses=answers(MissionsAnswer))
async def list_missions(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """A program's missions, also those that are over, in the order in which they were made."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.missions", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        state, now = Overlay(view), view.tip().header.time
        load_program(state, program_id)
        rows = view.listed(program_id, "mission", page.place, page.rows_wanted)
        found = {row: load_mission(state, MissionId(row.id)) for row in rows}
    here = await texts_here(services, (mission.text for mission in found.values()))
    return json_response(page.answer(rows, _position, lambda row: _show_mission(row, found[row], here, now)))


def _show_mission(row: ListedRow, mission: Mission, here: set[Hash], now: Timestamp) -> dict[str, Any]:
    is_full = bool(mission.places) and mission.taken >= mission.places
    return {
        "id": row.id.hex(),
        "program": mission.program.hex(),
        "title": mission.title,
        "text": mission.text.hex(),
        "text_here": mission.text in here,
        "until": mission.until,
        "places": mission.places or None,
        "taken": mission.taken,
        "open": now <= mission.until and not is_full,
    }


@router.get("/programs/{program}/contributions", summary="Who helped a brand", responses=answers(ContributionsAnswer))
async def list_program_contributions(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Contributions to a program in the order in which they were recorded."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.contributions", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        rows = view.listed(program_id, "contribution", page.place, page.rows_wanted)
        return json_response(_answer(services, view, page, rows))


@router.get(
    "/accounts/{address}/contributions", summary="What an account helped with", responses=answers(ContributionsAnswer)
)
async def list_account_contributions(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Contributions of this account in the order in which they were recorded."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.contributions", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "account_contribution", page.place, page.rows_wanted)
        return json_response(_answer(services, view, page, rows))


@router.get("/contributions/{contribution}", summary="One contribution", responses=answers(ContributionAnswer))
async def read_contribution(request: Request, contribution: IdText) -> Response:
    """What a fan did, by its own word and the brand's, and what the brand says came of it."""
    services = services_of(request)
    wanted = ContributionId(parse_id("contribution", contribution))
    with services.reader.snapshot() as view:
        return json_response(_show_contribution(services, wanted, load_contribution(Overlay(view), wanted)))


@router.get(
    "/contributions/{contribution}/proof",
    response_class=Response,
    summary="Prove a contribution",
    responses=PROOF_ANSWERS,
)
async def read_contribution_proof(request: Request, contribution: IdText, trust: Trust = None) -> Response:
    """The contribution's record in the latest state; `fansumer proof check` reads it without a network."""
    wanted = ContributionId(parse_id("contribution", contribution))
    return await answer_proof(
        services_of(request), trust, lambda chain, known: make_contribution_proof(chain, wanted, known)
    )


def _answer(services: Services, view: Snapshot, page: Page, rows: list[ListedRow]) -> dict[str, Any]:
    state = Overlay(view)
    return page.answer(
        rows,
        _position,
        lambda row: _show_contribution(
            services, ContributionId(row.id), load_contribution(state, ContributionId(row.id))
        ),
    )


def _position(row: ListedRow) -> tuple[int, int]:
    return row.position


def _show_contribution(services: Services, contribution_id: ContributionId, found: Contribution) -> dict[str, Any]:
    return {
        "id": contribution_id.hex(),
        "program": found.program.hex(),
        "fan": services.renderer.address(found.fan),
        "mission": found.mission.hex() or None,
        "role": ROLE_NAMES[found.role],
        "work": found.work.hex(),
        "issuer": services.renderer.address(found.issuer),
        "worked_at": found.worked_at,
        "recorded_at": found.recorded_at,
        "credited_at": found.credited_at or None,
        "product": found.product.hex() or None,
    }
