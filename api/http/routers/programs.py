"""Programs: their terms, rewards, members, and what they owe."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.redemptions import show_hand_out
from api.http.rendering import json_response, show_day
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof
from api.http.schemas.programs import (
    IssuersAnswer,
    LiabilityAnswer,
    MembersAnswer,
    ProgramAnswer,
    ProgramsAnswer,
    RewardsAnswer,
    TermsAnswer,
)
from api.http.standing import show_standing, show_sunset
from ledger.domains.loyalty.books import THOUSAND, security
from ledger.domains.loyalty.state import (
    DAYS,
    SCOPE_NAMES,
    TIME_END,
    Books,
    Grant,
    Program,
    days_key,
    grant_key,
    load_books,
    load_member,
    load_program,
    load_terms,
)
from ledger.domains.rewards.floor import price_of
from ledger.domains.rewards.state import UNLIMITED, Reward, Window, load_reward
from ledger.domains.rewards.state import Limit as RewardLimit
from ledger.invariants import POINT_TOTALS
from ledger.state import Overlay
from ledger.types import Address, Day, ProgramId, RewardId, Timestamp
from node.proofs import make_member_proof, make_program_proof
from node.store.reader import DAYS_MAX, ListedRow, Snapshot

OUTSTANDING = ("pending", "available", "held", "escrowed")
"""Totals that a member can still claim."""
CONTEST_TOTALS = (
    "contest_points",
    "contest_points_locked",
    "contest_points_credited",
    "contest_coin",
    "contests_open",
)
"""What contests are paid from, and how many are open."""
CHALLENGE_TOTALS = ("challenge_points", "challenge_points_reversed")
"""What is set aside for challenges, and what was taken back of their rewards."""
PARTS_PER_MILLION = 1_000_000

router = APIRouter(prefix="/v1/programs", tags=["programs"])


@router.get("", summary="All programs", responses=answers(ProgramsAnswer))
async def list_programs(request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Programs in the order in which they were made."""
    services = services_of(request)
    page = Page("programs", (), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows, now = view.listed(b"", "program", page.place, page.rows_wanted), view.tip().header.time
        return json_response(
            page.answer(rows, _position, lambda row: _show_program(services, Overlay(view), ProgramId(row.id), now))
        )


def _position(row: ListedRow) -> tuple[int, int]:
    return row.position


def _show_program(services: Services, state: Overlay, program_id: ProgramId, now: Timestamp) -> dict[str, Any]:
    program = load_program(state, program_id)
    return {
        "id": program_id.hex(),
        "owner": services.renderer.address(program.owner),
        "name": program.name,
        "unit": program.unit,
        "decimals": program.decimals,
        "offset_minutes": program.offset_minutes,
        "members": load_books(state, program_id).members,
        "sunset": show_sunset(program, now),
    }


@router.get("/{program}", summary="One program", responses=answers(ProgramAnswer))
async def read_program(request: Request, program: IdText) -> Response:
    """A program, the terms in force and those announced, where its points are, and what it waits for before it hands out."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    with services.reader.snapshot() as view:
        state, now = Overlay(view), view.tip().header.time
        found = load_program(state, program_id)
        announced = found.pending_version(now)
        shown = {
            **_show_program(services, state, program_id, now),
            "terms": _show_terms(services, state, program_id, found, found.version_at(now)),
            "announced": (None if announced is None else _show_terms(services, state, program_id, found, announced)),
            "books": _show_books(load_books(state, program_id)),
        }
    hand_out = await services.receipts.run(lambda store: store.hand_outs.of(program_id))
    return json_response({**shown, "hand_out": show_hand_out(hand_out)})


@router.get("/{program}/terms", summary="All versions of a program's terms", responses=answers(TermsAnswer))
async def list_terms(request: Request, program: IdText) -> Response:
    """Every version that a receipt may still name, by the time from which it is in force; what is announced included."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    with services.reader.snapshot() as view:
        state = Overlay(view)
        found = load_program(state, program_id)
        return json_response(
            {
                "offset_minutes": found.offset_minutes,
                "time": view.tip().header.time,
                "items": [_show_terms(services, state, program_id, found, version) for version, _ in found.versions],
            }
        )


def _show_terms(
    services: Services, state: Overlay, program_id: ProgramId, program: Program, version: int
) -> dict[str, Any]:
    since = dict(program.versions)[version]
    terms = load_terms(state, program_id, version)
    tiers = [{"name": name, "threshold": threshold} for name, threshold in terms.tiers]
    return {"version": version, "effective_from": since, **services.renderer.plain(terms), "tiers": tiers}


def _show_books(books: Books) -> dict[str, Any]:
    shown = (
        "pool",
        "issued",
        "restored",
        *POINT_TOTALS,
        "members",
        *CONTEST_TOTALS,
        "adjusted",
        *CHALLENGE_TOTALS,
        "offered",
    )
    rate = books.reversed * PARTS_PER_MILLION // books.issued if books.issued else 0
    return {
        **{name: getattr(books, name) for name in shown},
        "reversed_ppm": rate,
        "security": security(books),
        "collateral": books.backing // THOUSAND,
        "burned": books.burned,
        "collateral_paid": books.collateral_paid,
    }


@router.get("/{program}/rewards", summary="What a program's points buy", responses=answers(RewardsAnswer))
async def list_rewards(request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Rewards in the order in which they were listed, as they are at the chain's time."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.rewards", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        state, now = Overlay(view), view.tip().header.time
        load_program(state, program_id)
        rows = view.listed(program_id, "reward", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, _position, lambda row: _show_reward(services, state, program_id, RewardId(row.id), now))
        )


def _show_reward(
    services: Services, state: Overlay, program_id: ProgramId, reward_id: RewardId, now: Timestamp
) -> dict[str, Any]:
    reward: Reward = load_reward(state, program_id, reward_id, now)
    program = load_program(state, program_id)
    floor = load_terms(state, program_id, program.version_at(now)).floor
    announced = None
    for change in reward.announced:
        announced = {
            "effective_from": change.effective_from,
            "price": change.price,
            "stock_change": change.stock_change,
            "listed": change.listed,
            **_show_bounds(services, change.limit, change.window),
            "tier_min": change.tier_min,
        }
    return {
        "id": reward_id.hex(),
        "name": reward.name,
        "price": price_of(reward, floor),
        "stock": None if reward.stock == UNLIMITED else reward.stock,
        "listed": reward.listed,
        "value_cents": reward.value_cents or None,
        **_show_bounds(services, reward.limit, reward.window),
        "tier_min": reward.tier_min,
        "announced": announced,
    }


def _show_bounds(services: Services, limit: RewardLimit, window: Window) -> dict[str, Any]:
    return {
        "limit": None if limit.bounds_nothing else services.renderer.plain(limit),
        "opens_at": window.opens_at or None,
        "closes_at": None if window.closes_at == TIME_END else window.closes_at,
    }


@router.get("/{program}/members", summary="A program's members", responses=answers(MembersAnswer))
async def list_members(request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Members in the order in which they first joined, with their points."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.members", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        found, now = load_program(Overlay(view), program_id), view.tip().header.time
        rows = view.listed(program_id, "member", page.place, page.rows_wanted)
        return json_response(
            page.answer(
                rows, _position, lambda row: _show_member(services, view, program_id, found, Address(row.id), now)
            )
        )


def _show_member(
    services: Services, view: Snapshot, program_id: ProgramId, program: Program, address: Address, now: Timestamp
) -> dict[str, Any]:
    member = load_member(Overlay(view), program_id, address)
    held = sum(hold.points for _, hold in view.open_holds(address) if hold.program == program_id)
    shown = show_standing(view, program_id, program, member, now, held)
    return {"address": services.renderer.address(address), **shown}


@router.get("/{program}/issuers", summary="Who may act for a program", responses=answers(IssuersAnswer))
async def list_issuers(request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Tills and settlement keys in the order in which they were first granted, the revoked ones included."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.issuers", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        rows = view.listed(program_id, "issuer", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, _position, lambda row: _show_issuer(services, view, program_id, Address(row.id)))
        )


def _show_issuer(services: Services, view: Snapshot, program_id: ProgramId, address: Address) -> dict[str, Any]:
    grant: Grant = view.record(grant_key(program_id, address))
    return {
        "address": services.renderer.address(address),
        "scopes": [name for scope, name in SCOPE_NAMES.items() if grant.scopes & scope],
        "daily_cap": grant.daily_cap,
        "granted_at": grant.granted_at,
        "revoked_at": grant.revoked_at or None,
        "earlier": [
            {
                "from": begun,
                "until": until,
                "scopes": [name for scope, name in SCOPE_NAMES.items() if scopes & scope],
                "daily_cap": daily_cap,
            }
            for begun, until, scopes, daily_cap in grant.earlier
        ],
    }


@router.get("/{program}/liability", summary="What a program owes its members", responses=answers(LiabilityAnswer))
async def read_liability(request: Request, program: IdText) -> Response:
    """The totals of the program's books, and on which days points become available or expire."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    with services.reader.snapshot() as view:
        state, tip = Overlay(view), view.tip()
        found = load_program(state, program_id)
        books = load_books(state, program_id)
        days = view.records_after(DAYS.prefix + program_id, DAYS_MAX)
    prefix_length = len(days_key(program_id, Day(0))) - 4
    return json_response(
        {
            "program": program_id.hex(),
            "height": tip.height,
            "time": tip.header.time,
            "today": show_day(found.day_at(tip.header.time)),
            "outstanding": sum(getattr(books, name) for name in OUTSTANDING),
            "books": _show_books(books),
            "days": [
                {
                    **(show_day(int.from_bytes(key[prefix_length:], "big")) or {}),
                    "activating": totals.activating,
                    "expiring": totals.expiring,
                }
                for key, totals in days.items()
            ],
            "days_complete": len(days) < DAYS_MAX,
        }
    )


@router.get(
    "/{program}/proof",
    response_class=Response,
    summary="Prove a program's totals",
    responses=PROOF_ANSWERS,
)
async def read_program_proof(request: Request, program: IdText, trust: Trust = None) -> Response:
    """The program's books in the latest state, with its name and unit; `fansumer proof check` reads it without a network."""
    wanted = ProgramId(parse_id("program", program))
    return await answer_proof(
        services_of(request), trust, lambda chain, known: make_program_proof(chain, wanted, known)
    )


@router.get(
    "/{program}/members/{address}/proof",
    response_class=Response,
    summary="Prove a member's points",
    responses=PROOF_ANSWERS,
)
async def read_member_proof(request: Request, program: IdText, address: AddressText, trust: Trust = None) -> Response:
    """The member's record in the latest state: its points, lot by lot; `fansumer proof check` reads it without a network."""
    services = services_of(request)
    wanted, member = ProgramId(parse_id("program", program)), services.renderer.parse_address(address)
    return await answer_proof(services, trust, lambda chain, known: make_member_proof(chain, wanted, member, known))
