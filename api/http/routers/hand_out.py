"""What a program waits for before it hands out what was redeemed: everybody reads it, its owner says it (spec RWD-11)."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.hand_out import ATTESTED_LEVELS, BLOCKS, HandOut
from api.http.deps import IdText, parse_id, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.problems import RequestFault
from api.http.redemptions import show_hand_out
from api.http.rendering import json_response
from api.http.schemas.redemptions import HandOutAnswer, HandOutBody
from api.http.signed_bodies import read_signed
from ledger.domains.loyalty.state import load_program
from ledger.errors import Code
from ledger.state import Overlay
from ledger.types import ProgramId

NOT_OWNER: Final = Code(
    "hand_out.not_owner",
    "only the program's owner may say what it waits for before it hands out",
    "Sign with the owner's account: who hands out must not be able to lower what protects the program.",
)
NO_ATTESTORS: Final = Code(
    "hand_out.no_attestors",
    "this chain's params name no attestors, so nothing on it is ever {level}",
    "Wait for a number of blocks instead: `fansumer brand hand-out PROGRAM 12`.",
)

router = APIRouter(prefix="/v1/programs", tags=["redemptions"])


@router.get("/{program}/hand-out", summary="What a program waits for", responses=answers(HandOutAnswer))
async def read_hand_out(request: Request, program: IdText) -> Response:
    """How deep a redemption must lie before the brand hands it out, unless a till accepts it at the shop's own risk."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
    found = await services.receipts.run(lambda store: store.hand_outs.of(program_id))
    return json_response({"program": program_id.hex(), **show_hand_out(found)})


@router.put(
    "/{program}/hand-out",
    summary="Say what a program waits for",
    responses=answers(HandOutAnswer) | refuses(403, 413, 415, 422),
    openapi_extra={**SIGNED, **signed_body("What to wait for.", HandOutBody)},
)
async def put_hand_out(request: Request, program: IdText) -> Response:
    """From now on every redemption of the program is shown as settled once this is reached, earlier ones too; off the chain.

    Only the owner's signature counts. `justified` and `final` need a chain with attestors.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account, body = await read_signed(request, HandOutBody)
    with services.reader.snapshot() as view:
        owner = load_program(Overlay(view), program_id).owner
    if account != owner:
        raise RequestFault(NOT_OWNER)
    if body.level in ATTESTED_LEVELS and not services.node.chain.finality.is_active:
        raise RequestFault(NO_ATTESTORS, level=body.level)
    chosen = HandOut(body.level, body.blocks if body.level == BLOCKS else 0, services.node.clock.now())
    await services.receipts.run(lambda store: store.hand_outs.put(program_id, chosen))
    return json_response({"program": program_id.hex(), **show_hand_out(chosen)})
