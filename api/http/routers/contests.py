"""Contests: what fans say was not settled, and what became of it. Public, so that everybody sees how a program settles."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response, show_day
from api.http.schemas.contests import ContestAnswer, ContestsAnswer
from ledger.domains.loyalty.contests import is_over
from ledger.domains.loyalty.earn_answer_contest import NO_CONTEST
from ledger.domains.loyalty.events import ContestDecided, ContestOpened
from ledger.domains.loyalty.state import OPEN, OUTCOME_NAMES, Contest, contest_key, load_program
from ledger.errors import RuleViolation
from ledger.kinds import Context
from ledger.state import Overlay
from ledger.types import ContestId, Hash, Height, ProgramId
from node.store.reader import ListedRow, Snapshot

CLAIM_NAMES = ("unsettled", "wrong_points")
EVENTS_OF_ONE = 2
"""A contest is opened once and decided once."""

router = APIRouter(tags=["contests"])


@router.get("/v1/programs/{program}/contests", summary="A program's contests", responses=answers(ContestsAnswer))
async def list_program_contests(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every contest of the program's receipts, open ones and decided ones, in the order in which they were filed."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.contests", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        rows = view.listed(program_id, "contest", page.place, page.rows_wanted)
        return json_response(_answer(services, view, page, rows))


@router.get("/v1/accounts/{address}/contests", summary="An account's contests", responses=answers(ContestsAnswer))
async def list_account_contests(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every contest that this account filed."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.contests", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "account_contest", page.place, page.rows_wanted)
        return json_response(_answer(services, view, page, rows))


@router.get("/v1/contests/{contest}", summary="One contest", responses=answers(ContestAnswer))
async def read_contest(request: Request, contest: IdText) -> Response:
    """What is contested, until when the issuer may answer, and what became of it."""
    services = services_of(request)
    contest_id = ContestId(parse_id("contest", contest))
    with services.reader.snapshot() as view:
        return json_response(_show_contest(services, view, contest_id))


def _answer(services: Services, view: Snapshot, page: Page, rows: list[ListedRow]) -> dict[str, Any]:
    return page.answer(rows, lambda row: row.position, lambda row: _show_contest(services, view, ContestId(row.id)))


def _show_contest(services: Services, view: Snapshot, contest_id: ContestId) -> dict[str, Any]:
    """From its events, which stay, and from its record, which goes after the last deadline."""
    events = [row.event for row in view.history(contest_id, None, EVENTS_OF_ONE)]
    opened = next((event for event in events if isinstance(event, ContestOpened)), None)
    if opened is None:
        raise RuleViolation(NO_CONTEST, contest=contest_id)
    decided = next((event for event in events if isinstance(event, ContestDecided)), None)
    record: Contest | None = view.record(contest_key(contest_id))
    credited = 0 if decided is None else decided.credited
    return {
        "id": contest_id.hex(),
        "program": opened.program.hex(),
        "member": services.renderer.address(opened.member),
        "till": services.renderer.address(opened.till),
        "sequence": opened.sequence,
        "claim": CLAIM_NAMES[opened.claim],
        "points": opened.points,
        "receipt": None if record is None else record.receipt.hex(),
        "time": None if record is None else record.time,
        "settle_by": None if record is None else record.settle_by,
        "opened_at": None if record is None else record.opened_at,
        "answer_by": opened.answer_by,
        "answer_height": None if record is None else record.answer_height,
        "can_be_answered": record is not None and _can_be_answered(services, view, record),
        "outcome": OUTCOME_NAMES[OPEN if decided is None else decided.outcome],
        "credited": credited,
        "repaid": 0 if decided is None else decided.repaid,
        "available_on": show_day(decided.available_on) if decided is not None and credited else None,
        "expires_on": show_day(decided.expires_on) if decided is not None and credited else None,
    }


def _can_be_answered(services: Services, view: Snapshot, contest: Contest) -> bool:
    """As a transaction in the next block would find it."""
    tip = view.tip()
    no_root = Hash(bytes(32))  # whether it is over is a matter of time and height
    context = Context(services.node.chain.params, Height(tip.height + 1), tip.header.time, no_root, tip.header.hash)
    return contest.outcome == OPEN and not is_over(contest, context)
