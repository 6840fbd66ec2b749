"""Transactions: taking them in, trying them, and saying what became of them."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.http.bodies import read_media_type, unwrap
from api.http.deps import IdText, Services, parse_id, program_test, services_of
from api.http.openapi import TRANSACTION_BODY, answers
from api.http.problems import UNCONFIRMED, RequestFault
from api.http.rendering import json_response, show_hash
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof, prove_transaction
from api.http.schemas.transactions import DryRunAnswer, Submitted, TransactionAnswer
from api.http.worth import in_no_block, marks_of, show_depth, show_nothing_to_reverse, show_reversal
from api.worth_words import speak_worth
from ledger.errors import Code, LedgerError, RuleViolation
from ledger.transaction import Transaction, decode_transaction
from ledger.types import TxId
from node.errors import NodeError
from node.proofs import NO_TRANSACTION
from node.store.extent import BLOCK_NOT_KEPT
from node.store.reader import Snapshot, TransactionPlace

APPLIED_SHOWN: Final = "applied"
"""How the empty result code of an applied entry is shown."""

router = APIRouter(prefix="/v1/transactions", tags=["transactions"])


async def read_transaction_bytes(request: Request) -> bytes:
    """The bytes of the transaction in a request's body. Raises `http.media_type`, `http.body`, `http.body_too_large`."""
    media_type = read_media_type(request)
    return unwrap(await request.body(), media_type, "transaction")


@router.post(
    "",
    status_code=202,
    summary="Send a transaction",
    responses=answers(Submitted, 202),
    openapi_extra=TRANSACTION_BODY,
)
async def submit_transaction(request: Request) -> Response:
    """Check a signed transaction and let it wait for a block. The same bytes twice count once."""
    services = services_of(request)
    raw = await read_transaction_bytes(request)
    transaction = await submit_noted(services, raw)
    answer = {"txid": transaction.txid.hex(), "wtxid": transaction.wtxid.hex(), "status": "unconfirmed"}
    return json_response(answer, 202)


async def submit_noted(services: Services, raw: bytes) -> Transaction:
    """Hand a transaction to the node. A consent that it takes back is noted on disk when this ends, also where the pool refuses it.

    Raises what the node says, or the store's fault where the note could not be written: the same bytes can be sent again.
    """
    try:
        transaction = await services.submissions.submit(raw)
    except LedgerError:
        if services.revocations.is_writing:  # it may have been noted, though there was no room for it
            await services.revocations.saved(decode_transaction(raw, services.chain_id).txid)
        raise
    await services.revocations.saved(transaction.txid)
    return transaction


@router.post(
    "/dry-run",
    summary="Try a transaction without sending it",
    responses=answers(DryRunAnswer),
    openapi_extra=TRANSACTION_BODY,
)
async def dry_run_transaction(request: Request) -> Response:
    """What a signed transaction would do in the next block, after all that waits already. Nothing is kept."""
    services = services_of(request)
    raw = await read_transaction_bytes(request)
    found = await services.submissions.run(lambda: services.node.dry_run(raw))
    with services.reader.snapshot() as view:
        is_program = program_test(view)
        events = [services.renderer.event(event, is_program) for event in found.events]
    transaction = found.transaction
    return json_response(
        {
            "txid": transaction.txid.hex(),
            "wtxid": transaction.wtxid.hex(),
            "kind": transaction.kind.name,
            "weight": transaction.weight,
            "fee": found.fee,
            "codes": show_codes(found.codes),
            "events": events,
        }
    )


@router.get("/dry-run", include_in_schema=False)
async def refuse_reading_dry_run(_: Request) -> Response:
    """Without this, `dry-run` would be taken for the id of a transaction."""
    raise HTTPException(405, headers={"Allow": "POST"})


@router.get("/{txid}", summary="What became of a transaction", responses=answers(TransactionAnswer))
async def read_transaction(request: Request, txid: IdText) -> Response:
    """Waiting for a block, in one with so many confirmations, or dropped and why; and what reversing it would cost now.

    The cost is an estimate for now: rent of the work of its block and those above it, at this operator's price, and the attestors
    that would have to turn against what they signed. `ledger/spec/finality.md` (FIN-11) has the formula.
    """
    services = services_of(request)
    wanted = TxId(parse_id("txid", txid))
    answer = _show_confirmed(services, wanted)
    if answer is None:
        answer = await services.submissions.run(lambda: _show_waiting(services, wanted))
    if answer is None:  # it may have been taken into a block between the two questions
        answer = _show_confirmed(services, wanted)
    if answer is None:
        raise RuleViolation(NO_TRANSACTION, txid=wanted)
    return json_response({**answer, "says": speak_worth(answer)})


def show_codes(codes: tuple[str, ...]) -> list[str]:
    """Result codes, one for each entry."""
    return [code or APPLIED_SHOWN for code in codes]


def _show_confirmed(services: Services, txid: TxId) -> dict[str, Any] | None:
    with services.reader.snapshot() as view:
        place = view.place_of(txid)
        return None if place is None else _show_place(services, view, txid, place)


def _show_place(services: Services, view: Snapshot, txid: TxId, place: TransactionPlace) -> dict[str, Any]:
    block_hash = view.hash_at(place.height)
    block = None if block_hash is None else view.block(block_hash)
    assert block_hash is not None, "a listed transaction stands in an active block"
    if block is None:
        raise NodeError(BLOCK_NOT_KEPT, height=place.height, bodies_from=services.node.chain.extent.bodies_from)
    transaction = decode_transaction(block.transactions[place.position], services.chain_id)
    marks = marks_of(services, view)
    is_program = program_test(view)
    return {
        "txid": txid.hex(),
        "status": "confirmed",
        "kind": transaction.kind.name,
        "author": services.renderer.address(transaction.author),
        "wtxid": transaction.wtxid.hex(),
        "weight": transaction.weight,
        "height": place.height,
        "block": show_hash(block_hash),
        "time": block.header.time,
        "position": place.position,
        **show_depth(marks.depth_of(place.height)),
        "reversal": show_reversal(services, view, marks, place.height),
        "codes": show_codes(block.results[place.position]),
        "events": [services.renderer.event(event, is_program) for event in view.events_of(place)],
    }


def _show_waiting(services: Services, txid: TxId) -> dict[str, Any] | None:
    """Asked in the writer's thread: the pool is behind the node's lock."""
    with services.node.lock:
        waiting = services.node.mempool.get(txid)
        dropped = services.node.mempool.dropped(txid)
        taken_back = services.node.mempool.taken_back.height_of(txid)
    nowhere = {**show_depth(in_no_block(services)), **({} if taken_back is None else {"taken_back_from": taken_back})}
    if waiting is not None:
        return {
            "txid": txid.hex(),
            "status": "unconfirmed",
            "kind": waiting.kind.name,
            "author": services.renderer.address(waiting.author),
            "wtxid": waiting.wtxid.hex(),
            "weight": waiting.weight,
            **nowhere,
            "reversal": show_nothing_to_reverse(services),
        }
    if dropped is None:
        return None
    code = Code.catalogue.get(dropped.code)
    return {
        "txid": txid.hex(),
        "status": "dropped",
        **nowhere,
        "reversal": None,
        "code": dropped.code,
        "detail": dropped.reason.removeprefix(f"{dropped.code}: "),
        "advice": None if code is None else code.advice,
    }


@router.get(
    "/{txid}/proof",
    response_class=Response,
    summary="Prove a transaction",
    responses=PROOF_ANSWERS,
)
async def read_transaction_proof(request: Request, txid: IdText, trust: Trust = None) -> Response:
    """The transaction with its path to a block's work, as a file; `fansumer proof check` reads it without a network."""
    services = services_of(request)
    wanted = TxId(parse_id("txid", txid))
    waits = await services.submissions.run(lambda: _show_waiting(services, wanted))
    if waits is not None and waits["status"] == "unconfirmed":
        raise RequestFault(UNCONFIRMED, txid=wanted)
    return await answer_proof(services, trust, prove_transaction(services, wanted))
