"""Redemptions: what became of them, and shops that accept them at once."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.acceptance_admission import admit_acceptance
from api.http.bodies import read_canonical
from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers, signed_body
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import RequestFault
from api.http.redemptions import (
    SeenRedemption,
    see_fallen_out,
    see_in_chain,
    see_waiting,
    show_redemption,
)
from api.http.rendering import json_response
from api.http.schemas.redemptions import AcceptanceBody, AcceptanceKept, RedemptionAnswer, RedemptionsAnswer
from api.http.worth import marks_of
from ledger.domains.loyalty.state import load_program
from ledger.domains.rewards.acceptance import ACCEPTANCE_BYTES_MAX, SignedAcceptance, decode_acceptance
from ledger.errors import Code
from ledger.hashing import object_id
from ledger.state import Overlay
from ledger.types import HoldId, ProgramId, TxId
from node.store.reader import ListedRow

NO_REDEMPTION = Code(
    "redemption.unknown",
    "no redemption {redemption} is in a block, waits for one, or was accepted by a shop here",
    "Give the id that `redeem` made, or its transaction's.",
)
BODY_BYTES_MAX: Final = ACCEPTANCE_BYTES_MAX * 4 // 3 + 512

router = APIRouter(tags=["redemptions"])


@router.get("/v1/redemptions/{redemption}", summary="One redemption", responses=answers(RedemptionAnswer))
async def read_redemption(request: Request, redemption: IdText) -> Response:
    """By its id (the hold's), or by its transaction's: what became of each unit, and how safe it is.

    `waiting` until what the program waits for is reached (`waits_for`; 6 blocks unless it chose something else); `accepted by the
    shop` where a till of the program signed that it hands the reward out at its own risk, until the depth that it named; then
    `settled`. `borne by the shop`: accepted, and fallen out of the chain.
    """
    services = services_of(request)
    wanted = parse_id("redemption", redemption)
    acceptance = await services.receipts.run(lambda store: store.acceptances.find(wanted))
    seen = await find_redemption(services, wanted, acceptance)
    if seen is None:
        raise RequestFault(NO_REDEMPTION, redemption=wanted)
    program = seen.program
    hand_out = await services.receipts.run(lambda store: store.hand_outs.of(program))
    return json_response(show_redemption(services, seen, acceptance, hand_out))


async def find_redemption(
    services: Services, wanted: bytes, acceptance: SignedAcceptance | None
) -> SeenRedemption | None:
    """In the chain, in the mempool, in the chain again (it may have been taken into a block meanwhile), or fallen out."""
    txid = TxId(wanted) if acceptance is None else acceptance.statement.txid
    candidates = (HoldId(object_id("hold", txid, 0)), HoldId(wanted))
    for is_last in (False, True):
        with services.reader.snapshot() as view:
            marks = marks_of(services, view)
            for hold in candidates:
                seen = see_in_chain(services, view, marks, hold)
                if seen is not None:
                    return seen
        if not is_last:
            seen = await services.submissions.run(lambda: see_waiting(services, txid))
            if seen is not None:
                return seen
    return None if acceptance is None else see_fallen_out(services, acceptance)


@router.get(
    "/v1/accounts/{address}/redemptions",
    summary="An account's redemptions",
    responses=answers(RedemptionsAnswer),
)
async def list_account_redemptions(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Redemptions that stand in a block, open ones and ended ones, in the order in which they were opened."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.redemptions", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "account_hold", page.place, page.rows_wanted)
        seen = _see_all(services, view, rows)
    return await _answer_page(services, page, rows, seen)


@router.get(
    "/v1/programs/{program}/redemptions",
    summary="A program's redemptions",
    responses=answers(RedemptionsAnswer),
)
async def list_program_redemptions(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """What fans redeemed of a program, in the order in which they did; `held` units wait for the shop."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.redemptions", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        rows = view.listed(program_id, "hold", page.place, page.rows_wanted)
        seen = _see_all(services, view, rows)
    return await _answer_page(services, page, rows, seen)


def _see_all(services: Services, view: Any, rows: list[ListedRow]) -> dict[bytes, SeenRedemption]:
    found: dict[bytes, SeenRedemption] = {}
    marks = marks_of(services, view)
    for row in rows:
        seen = see_in_chain(services, view, marks, HoldId(row.id))
        assert seen is not None, "what is listed was opened in a block"
        found[row.id] = seen
    return found


async def _answer_page(
    services: Services, page: Page, rows: list[ListedRow], seen: dict[bytes, SeenRedemption]
) -> Response:
    holds = [HoldId(row.id) for row in rows]
    programs = {found.program for found in seen.values()}
    accepted, hand_outs = await services.receipts.run(
        lambda store: (store.acceptances.of_holds(holds), store.hand_outs.of_programs(programs))
    )
    return json_response(
        page.answer(
            rows,
            lambda row: row.position,
            lambda row: show_redemption(
                services, seen[row.id], accepted.get(HoldId(row.id)), hand_outs[seen[row.id].program]
            ),
        )
    )


@router.post(
    "/v1/acceptances",
    status_code=201,
    summary="Accept a redemption",
    responses=answers(AcceptanceKept, 201),
    openapi_extra=signed_body("The canonical bytes of one signed acceptance.", AcceptanceBody),
)
async def accept_redemption(request: Request) -> Response:
    """Keep a till's word that it hands the reward out now, at the shop's own risk.

    The till's signature is all that is asked for. It must hold the scope to fulfil, or be the program's owner; the redemption
    must be the one that it names, wait for a block or stand in one that is not yet as deep as it says, and be open. The first
    acceptance of a redemption holds; the same bytes again are harmless.
    """
    services = services_of(request)
    signed = decode_acceptance(await read_canonical(request, "acceptance", BODY_BYTES_MAX))
    seen = await find_redemption(services, signed.statement.hold, None)
    now = services.node.clock.now()
    with services.reader.snapshot() as view:
        admit_acceptance(Overlay(view), signed, seen, services, now=now)
    is_new = await services.receipts.run(lambda store: store.acceptances.add(signed, now))
    return json_response({"redemption": signed.statement.hold.hex(), "is_new": is_new}, 201)
