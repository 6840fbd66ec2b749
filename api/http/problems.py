"""Refusals as RFC 9457 problems: one table from the ledger's codes to HTTP's statuses, and nowhere else a status.

A problem carries `type` (urn:fansumer:problem:<code>), `title`, `status`, `detail`, `instance`, and of ours `code`, `advice` and
`fields`. Codes are stable; texts may change.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DatabaseError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from api.http.history_notice import without_guessing
from api.http.korean import prefers_korean, say_in_korean
from api.named_accounts import name_addresses
from api.request_signature import ACCEPT_SIGNATURE
from ledger.errors import Code, LedgerError, Malformed
from node import proofs
from node.errors import NodeError
from node.store.engine import STORE_REFUSED, STORE_UNREACHABLE, explain_fault

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:fansumer:problem:"
RETRY_SECONDS: Final = 1
"""What a client is told to wait where nothing better is known."""
READING_METHODS: Final = frozenset({"GET", "HEAD"})

NOT_FOUND = Code("http.not_found", "there is nothing at {path}", "Look at /docs for the paths that exist.")
METHOD = Code(
    "http.method_not_allowed", "{method} is not allowed at {path}", "The Allow header names the methods that are."
)
REFUSED = Code("http.refused", "the request was refused: {reason}", "Correct the request.")
PARAMETER = Code(
    "http.parameter", "the parameter {parameter} is not valid: {reason}", "Correct it; /docs has examples."
)
MEDIA = Code(
    "http.media_type",
    "a body of the type {found} is not taken here",
    "Send application/msgpack, or application/json as /docs shows it.",
)
BAD_BODY = Code("http.body", "the body is not usable: {reason}", "Send it as /docs shows it.")
BODY_TOO_LARGE = Code(
    "http.body_too_large",
    "the body has more than {maximum} bytes",
    "Send less at a time; of entries, fewer in one transaction.",
)
RATE_LIMITED = Code(
    "http.rate_limited",
    "more than {quota} requests in {window} seconds",
    "Wait as long as the Retry-After header says.",
)
BUSY = Code("http.busy", "{waiting} transactions are waiting to be checked", "Send it again in a moment.")
NOT_READY = Code("http.not_ready", "the node is not ready: {reason}", "Wait, or look at the node's log.")
INTERNAL = Code(
    "http.internal", "something broke in the node", "Nothing is lost; tell the operator the time and the path."
)
BAD_ID = Code("id.format", "{parameter} is 64 hexadecimal digits", "Copy the whole id again.")
UNCONFIRMED = Code(
    "transaction.unconfirmed", "the transaction {txid} is in no block yet", "Ask again after the next block."
)
NO_BLOCK = Code("block.unknown", "there is no block {block}", "`GET /v1/blocks` lists them.")

STATUS_BY_CODE: Final[Mapping[str, int]] = {
    NOT_FOUND.name: 404,
    METHOD.name: 405,
    MEDIA.name: 415,
    BODY_TOO_LARGE.name: 413,
    RATE_LIMITED.name: 429,
    BUSY.name: 503,
    NOT_READY.name: 503,
    INTERNAL.name: 500,
    UNCONFIRMED.name: 409,
    proofs.NO_RECORD.name: 404,
    proofs.NO_BLOCK.name: 409,
    proofs.NOT_MY_CHAIN.name: 404,
    "envelope.repeated": 409,
    "envelope.salt_used": 409,
    "mempool.full": 503,
    "mempool.author_limit": 429,
    "mempool.replacement_fee": 409,
    "redemption.unknown": 404,
    "power.voting_over": 409,
    "acceptance.already": 409,
    "acceptance.settled": 409,
    "acceptance.not_open": 409,
    "receipt.unknown": 404,
    "receipt.conflict": 409,
    "receipt.erased": 410,
    "review.no_subject": 404,
    "text.missing": 404,
    "text.erased": 410,
    "text.not_named": 409,
    "signature.missing": 401,
    "signature.expired": 401,
    "signature.wrong": 401,
    "signature.coverage": 401,
    "signature.foreign_key": 401,
    "signature.threshold": 401,
    "signature.replayed": 401,
    "partner.not_granted": 403,
    "service.not_granted": 403,
    "service.not_yours": 403,
    "groups.too_long": 503,
    "groups.counting": 503,
    "groups.busy": 503,
    "answer.question": 400,
    "answer.unknown": 400,
    "answer.not_asked": 409,
    "personal.not_granted": 403,
    "personal.no_behaviour": 403,
    "program.not_yours": 403,
    "plan.unknown": 404,
    "plan.too_few": 409,
    "plan.too_many": 409,
    "hand_out.not_owner": 403,
    "hand_out.no_attestors": 422,
    "delivery_form.not_yours": 403,
    "delivery_form.no_key": 409,
    "delivery_form.no_pledge": 404,
    "partner.too_many_reads": 429,
    "me.busy": 503,
    "attest.no_attestors": 404,
    "events.position": 409,
    "events.busy": 503,
    "operator.cookie": 401,
    "operator.no_network": 409,
    "operator.no_ban": 404,
    "block.not_kept": 404,
    "history.not_here": 404,
    "proposal.pruned": 409,
}
STATUS_OF_STORE: Final = 503
STATUS_UNSIGNED: Final = 401
RETRY_STATUSES: Final = frozenset({429, 503})


class RequestFault(LedgerError):
    """A fault of the request, before the ledger was asked."""


def status_of(fault: LedgerError, method: str) -> int:
    """HTTP's status for a fault: by code first, then by class."""
    name = fault.code.name
    if name in STATUS_BY_CODE:
        return STATUS_BY_CODE[name]
    if name.endswith(".unknown") and method in READING_METHODS:
        return 404
    if isinstance(fault, NodeError):
        return STATUS_OF_STORE
    return 400 if isinstance(fault, Malformed | RequestFault) else 422


def detail_of(fault: LedgerError) -> str:
    """The fault's message without its code."""
    return str(fault).removeprefix(f"{fault.code.name}: ")


def plain_fields(fault: LedgerError) -> dict[str, Any]:
    """The fields that explain the case; bytes as hex."""
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in fault.fields.items()}


def problem_of(fault: LedgerError, status: int, path: str, said: tuple[str, str] | None = None) -> dict[str, Any]:
    """The problem that a fault is (RFC 9457). `said` is what was wrong and what to do, in another language."""
    detail, advice = (detail_of(fault), fault.advice) if said is None else said
    return {
        "type": TYPE_PREFIX + fault.code.name,
        "title": fault.code.name.replace(".", ": ").replace("_", " "),
        "status": status,
        "detail": detail,
        "instance": path,
        "code": fault.code.name,
        "advice": advice,
        "fields": plain_fields(fault),
    }


def problem_response(
    fault: LedgerError,
    *,
    method: str,
    path: str,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    accepted: str = "",
) -> Response:
    """The answer that says what was wrong, to who accepts these languages."""
    found = status_of(fault, method) if status is None else status
    said = say_in_korean(fault) if prefers_korean(accepted) else None
    document, sent = problem_of(fault, found, path, said), dict(headers or {})
    if said is not None:
        sent["Content-Language"] = "ko"
    if found in RETRY_STATUSES:
        sent.setdefault("Retry-After", str(fault.fields.get("retry_seconds", RETRY_SECONDS)))
    if found == STATUS_UNSIGNED:
        sent.update({"WWW-Authenticate": "Signature", "Accept-Signature": ACCEPT_SIGNATURE})
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(body, found, headers=sent, media_type=MEDIA_TYPE)


def _respond(request: Request, fault: LedgerError, **more: Any) -> Response:
    shown = name_addresses(fault, request.app.state.services.renderer.address)
    accepted = request.headers.get("accept-language", "")
    return problem_response(shown, method=request.method, path=request.url.path, accepted=accepted, **more)


def without_whereabouts(fault: LedgerError) -> LedgerError:
    """A fault of the store without the path, server and user that it names: those are for the node's log."""
    if not isinstance(fault, NodeError) or not fault.code.name.startswith("store."):
        return fault
    hidden = {"path": "of this node"}
    if fault.code in (STORE_UNREACHABLE, STORE_REFUSED):
        hidden["reason"] = "the node's log says why"
    return NodeError(fault.code, **{name: hidden.get(name, value) for name, value in fault.fields.items()})


async def _on_ledger_error(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, LedgerError), "registered for this class"
    shown = without_whereabouts(fault)
    if shown is fault:
        shown = without_guessing(fault, request.app.state.services.node)
    else:
        log.error("http.store", path=request.url.path, code=fault.code.name, reason=str(fault))
    return _respond(request, shown)


async def _on_database_error(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, DatabaseError), "registered for this class"
    explained = explain_fault(fault, "of this node")
    log.error("http.store", path=request.url.path, code=explained.code.name, reason=str(fault.orig))
    return _respond(request, without_whereabouts(explained))


def allowed_methods(request: Request) -> list[str]:
    """All documented methods of the path that was asked for; a route itself knows of its own only."""
    routes = [route for route in request.app.router.routes if isinstance(route, Route)]
    here = next((route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE), None)
    return sorted(
        {name for route in routes if route.path == here and route.include_in_schema for name in route.methods or ()}
    )


async def _on_http_exception(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException), "registered for this class"
    path, headers = request.url.path, dict(fault.headers or {})
    if fault.status_code == 404:
        found = RequestFault(NOT_FOUND, path=path)
    elif fault.status_code == 405:
        found = RequestFault(METHOD, method=request.method, path=path)
        headers["Allow"] = ", ".join(allowed_methods(request))
    else:
        found = RequestFault(REFUSED, reason=str(fault.detail))
    return _respond(request, found, status=fault.status_code, headers=headers)


async def _on_validation_error(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError), "registered for this class"
    first = fault.errors()[0]
    parameter = str(first["loc"][-1])
    return _respond(request, RequestFault(PARAMETER, parameter=parameter, reason=str(first["msg"])))


async def _on_anything_else(request: Request, fault: Exception) -> Response:
    log.error("http.internal", path=request.url.path, fault=repr(fault))  # the server itself logs the traceback
    return _respond(request, RequestFault(INTERNAL))


def add_handlers(app: FastAPI) -> None:
    """Let `app` answer every fault with a problem."""
    app.add_exception_handler(LedgerError, _on_ledger_error)
    app.add_exception_handler(DatabaseError, _on_database_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_anything_else)
