"""Accounts: what a fan has, and how it came."""

from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.account_keys import show_keys
from api.http.deps import AddressText, Services, program_test, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import Renderer, json_response
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof
from api.http.schemas.accounts import AccountAnswer, HistoryAnswer
from api.http.standing import show_standing, show_sunset
from api.http.worth import marks_of, show_depth
from api.words import show_time
from ledger.domains.accounts.state import NO_ACCOUNT, Account, account_key
from ledger.types import Address, Timestamp
from node.depth import Marks
from node.proofs import make_account_proof
from node.store.reader import HistoryRow, Membership, Snapshot

PROGRAMS_MAX = 256
"""Programs shown of one account: a fan has one account for each program, unless it links them."""
EVENT_NAME_MAX = 32

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


@router.get("/{address}", summary="What an account has", responses=answers(AccountAnswer))
async def read_account(request: Request, address: AddressText) -> Response:
    """Coin, and for each program that it joined: points pending, available and held, the next expiry, and the lots.

    And whose keys sign for it: `policy_hash` is that of the policy in force for the next block, also where guardians have
    recovered the account; `guardians` are those who may, with what they have said so far; `recovery` is one that waits, is in
    force, or has lapsed.

    An account that nobody has used is empty, not unknown.
    """
    return _answer_account(request, address)


async def read_account_at_once(request: Request) -> Response:
    """The same without what FastAPI does for parameters, which takes as long as the answer."""
    request.scope["route"] = ACCOUNT_ROUTE  # FastAPI's own routes note themselves, for the metrics' labels
    return _answer_account(request, request.path_params["address"])


ACCOUNT_ROUTE = Route("/v1/accounts/{address}", read_account_at_once, methods=["GET"])
PLAIN_ROUTES = (ACCOUNT_ROUTE,)
"""Tried before all others: wallets ask for their account more often than for everything else together."""


def _answer_account(request: Request, text: str) -> Response:
    services = services_of(request)
    address = services.renderer.parse_address(text)
    with services.reader.snapshot() as view:
        return json_response(_show_account(services.renderer, view, address, text.lower()))


def _show_account(renderer: Renderer, view: Snapshot, address: Address, text: str) -> dict[str, Any]:
    """`text` is the address as it was asked for: writing it anew would take longer than all the rest."""
    tip = view.tip()
    account: Account = view.record(account_key(address)) or NO_ACCOUNT
    memberships = view.memberships(address, PROGRAMS_MAX + 1)
    held: dict[bytes, int] = defaultdict(int)
    if memberships:
        for _, hold in view.open_holds(address):
            held[hold.program] += hold.points
    return {
        "address": text,
        "height": tip.height,
        "coin": account.balance,
        **show_keys(renderer, view, address, account, tip),
        "programs": [
            _show_membership(view, found, tip.header.time, held[found.program_id])
            for found in memberships[:PROGRAMS_MAX]
        ],
        "programs_complete": len(memberships) <= PROGRAMS_MAX,
    }


def _show_membership(view: Snapshot, found: Membership, now: Timestamp, held: int) -> dict[str, Any]:
    program = found.program
    return {
        "program": found.program_id.hex(),
        "name": program.name,
        "unit": program.unit,
        "decimals": program.decimals,
        "sunset": show_sunset(program, now),
        **show_standing(view, found.program_id, program, found.member, now, held),
    }


@router.get("/{address}/history", summary="What happened to an account", responses=answers(HistoryAnswer))
async def read_history(
    request: Request,
    address: AddressText,
    event: Annotated[
        str | None,
        Query(
            max_length=EVENT_NAME_MAX,
            pattern="^[a-z_.]+$",
            description="Only events of this name.",
            examples=["points.earned"],
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_LIMIT,
) -> Response:
    """Events, the newest first. Each names the transaction that caused it; null for what a block did by itself."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    asked = None if event is None else event.encode()
    page = Page("account.history", (account, asked), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.history(account, page.place, page.rows_wanted, page.text_filter(1))
        is_program, marks = program_test(view), marks_of(services, view)
        return json_response(
            page.answer(
                rows,
                lambda row: (row.height, row.sequence),
                lambda row: show_history_row(services, row, is_program, marks),
            )
        )


def show_history_row(services: Services, row: HistoryRow, is_program: Any, marks: Marks) -> dict[str, Any]:
    """An event with its place in the chain, and how deep that is."""
    return {
        "height": row.height,
        "sequence": row.sequence,
        "time": row.time,
        "date": show_time(row.time),
        "txid": None if row.txid is None else row.txid.hex(),
        **show_depth(marks.depth_of(row.height)),
        **services.renderer.event(row.event, is_program),
    }


@router.get(
    "/{address}/proof",
    response_class=Response,
    summary="Prove what an account has",
    responses=PROOF_ANSWERS,
)
async def read_account_proof(request: Request, address: AddressText, trust: Trust = None) -> Response:
    """The account's record in the latest state with the path to its block's work; `fansumer proof check` reads it.

    It shows coin, and who may recover the account.
    An account's points are with its program: `/v1/programs/{program}/members/{address}/proof`.
    """
    services = services_of(request)
    account = services.renderer.parse_address(address)
    return await answer_proof(services, trust, lambda chain, known: make_account_proof(chain, account, known))
