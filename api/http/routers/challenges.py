"""Challenges, what is left of their budgets, and who has completed them. Public, so that everybody sees who got what."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response, show_day
from api.http.schemas.challenges import ChallengeAnswer, ChallengesAnswer, CompletionsAnswer
from ledger.domains.challenges.events import ChallengeCompleted, ChallengeReversed
from ledger.domains.challenges.state import NO_CHALLENGE, Challenge, Goal, achievement_id_of, challenge_key
from ledger.domains.loyalty.state import Program, load_program, program_key
from ledger.errors import RuleViolation
from ledger.state import Overlay
from ledger.types import Address, ChallengeId, ProgramId
from node.store.reader import ListedRow, Snapshot

EVENTS_READ = 1_000
"""Of one member and challenge: at most 366 completions, and what was skipped or went back between them."""
ID_BYTES = 32

router = APIRouter(tags=["challenges"])


@router.get("/v1/programs/{program}/challenges", summary="A program's challenges", responses=answers(ChallengesAnswer))
async def list_challenges(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every challenge with what is left of its budget, also those that have ended, in the order in which they were made."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.challenges", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        rows = view.listed(program_id, "challenge", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: _show_challenge(view, ChallengeId(row.id)))
        )


@router.get("/v1/challenges/{challenge}", summary="One challenge", responses=answers(ChallengeAnswer))
async def read_challenge(request: Request, challenge: IdText) -> Response:
    """Its goal, days and reward, and what is left of its budget."""
    services = services_of(request)
    challenge_id = ChallengeId(parse_id("challenge", challenge))
    with services.reader.snapshot() as view:
        return json_response(_show_challenge(view, challenge_id))


@router.get(
    "/v1/challenges/{challenge}/completions",
    summary="Who completed a challenge",
    responses=answers(CompletionsAnswer),
)
async def list_completions(
    request: Request, challenge: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every completion of the challenge, also those that were taken back."""
    services = services_of(request)
    challenge_id = ChallengeId(parse_id("challenge", challenge))
    page = Page("challenge.completions", (challenge_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        _load(view, challenge_id)
        rows = view.listed(challenge_id, "completion", page.place, page.rows_wanted)

        def show(row: ListedRow) -> dict[str, Any]:
            member, number = Address(row.id[:ID_BYTES]), int.from_bytes(row.id[ID_BYTES:], "big")
            return _show_completion(services, view, challenge_id, member, number)

        return json_response(page.answer(rows, lambda row: row.position, show))


@router.get(
    "/v1/accounts/{address}/completions", summary="What an account completed", responses=answers(CompletionsAnswer)
)
async def list_account_completions(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every completion of a challenge by this account, also those that were taken back."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.completions", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "own_completion", page.place, page.rows_wanted)

        def show(row: ListedRow) -> dict[str, Any]:
            challenge_id, number = ChallengeId(row.id[:ID_BYTES]), int.from_bytes(row.id[ID_BYTES:], "big")
            return _show_completion(services, view, challenge_id, account, number)

        return json_response(page.answer(rows, lambda row: row.position, show))


def _load(view: Snapshot, challenge_id: ChallengeId) -> Challenge:
    found: Challenge | None = view.record(challenge_key(challenge_id))
    if found is None:
        raise RuleViolation(NO_CHALLENGE, challenge=challenge_id)
    return found


def _show_challenge(view: Snapshot, challenge_id: ChallengeId) -> dict[str, Any]:
    found = _load(view, challenge_id)
    program: Program = view.record(program_key(found.program))
    last = found.last_occurrence(program)
    return {
        "id": challenge_id.hex(),
        "program": found.program.hex(),
        "name": found.name,
        "goal": _show_goal(found.goal),
        "basket_min_cents": found.basket_min_cents,
        "from_day": show_day(found.from_day),
        "until_day": show_day(last.end_day),
        "begins_at": program.day_start(found.from_day),
        "ends_at": last.ends,
        "days": found.days,
        "occurrences": found.occurrences,
        "times_max": found.times_max,
        "grace_days": found.grace_days,
        "reward": found.reward,
        "budget": found.budget,
        "given": found.given,
        "left": found.left,
        "has_ended": found.has_ended,
        "prepaid": found.prepaid,
    }


def _show_goal(goal: Goal) -> dict[str, Any]:
    """The goal by its name; what other goals have is null."""
    codes = getattr(goal, "codes", None)
    return {
        "type": type(goal).__name__.lower(),
        "count": getattr(goal, "count", None),
        "cents": getattr(goal, "cents", None),
        "codes": None if codes is None else list(codes),
    }


def _show_completion(
    services: Services, view: Snapshot, challenge_id: ChallengeId, member: Address, number: int
) -> dict[str, Any]:
    """From its events, which stay: the newest one says how it is now."""
    rows = [
        (row, row.event)
        for row in view.history(achievement_id_of(challenge_id, member), None, EVENTS_READ)
        if isinstance(row.event, ChallengeCompleted | ChallengeReversed) and row.event.occurrence == number
    ]
    row, last = next((row, event) for row, event in rows if isinstance(event, ChallengeCompleted))
    gone = [event.receipt.hex() for _, event in reversed(rows) if isinstance(event, ChallengeReversed)]
    assert row.txid is not None, "only transactions complete"
    return {
        "program": last.program.hex(),
        "challenge": challenge_id.hex(),
        "member": services.renderer.address(member),
        "occurrence": number,
        "state": "reversed" if isinstance(rows[0][1], ChallengeReversed) else "credited",
        "contested": bool(last.receipts),
        "points": last.points,
        "count": last.count,
        "evidence": last.evidence.hex(),
        "receipts": [found.hex() for found in last.receipts],
        "returned": list(dict.fromkeys(gone)),
        "available_on": show_day(last.available_on),
        "expires_on": show_day(last.expires_on),
        "height": row.height,
        "txid": row.txid.hex(),
    }
