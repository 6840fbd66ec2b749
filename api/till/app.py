"""The till's HTTP edge for the POS: on this computer only, with a token."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final

import structlog
from fastapi import FastAPI, Path, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.limits import BodyLimit
from api.http.problems import INTERNAL, NOT_FOUND, REFUSED, RequestFault, problem_response
from api.http.rendering import json_response
from api.receipts.store import LINES_BYTES_MAX
from api.till.clock import TillClock
from api.till.desk import Desk
from api.till.enrolment import Counter
from api.till.errors import BAD_SALE, NO_TOKEN, NOT_SET_ASIDE, SALE_UNKNOWN, STATUS_BY_CODE, TillRefused
from api.till.knowledge import Knowledge
from api.till.member_book import MemberBook
from api.till.outbox import Outbox
from api.till.pruning import Pruning
from api.till.sale import SALE_ID_PATTERN, Sale
from api.till.schedule import SettlementSchedule
from api.till.status import STATES, list_warnings, show_signing, show_status
from api.till.store import KeptSale, TillStore
from api.till.symbol import SymbolForm, draw_symbol, fits_symbol, link_text, receipt_text
from api.till.tier_book import TierBook
from api.till.token import is_token
from api.wallet.enrolment import BAD_REQUEST, NOT_OURS, make_invitation
from api.wallet.receipts import describe_receipt
from ledger.domains.loyalty.receipts import decode_receipt
from ledger.errors import LedgerError
from ledger.types import Address, Height, ProgramId
from node.errors import NodeError

log = structlog.get_logger()

BODY_BYTES_MAX: Final = LINES_BYTES_MAX * 6 + 65_536
"""Lines as JSON, each byte escaped, with the rest of a sale."""
STATUSES: Final = {**STATUS_BY_CODE, BAD_REQUEST: 400, NOT_OURS: 422}
"""Also of what a fan's request to join may have wrong."""
PATHS_OPEN: Final = frozenset({"/healthz", "/readyz"})
"""What a supervisor asks; it says nothing about sales."""

REQUEST_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "The text of the QR code that the fan's wallet shows after it read the invitation.",
    }
}

SaleId = Annotated[str, Path(pattern=SALE_ID_PATTERN, description="The id that the POS gave.")]
Form = Annotated[
    SymbolForm, Query(description="How the QR code is drawn: svg, png (base64), text (for a terminal), or none.")
]


@dataclass(frozen=True, slots=True)
class Till:
    """All parts of a till at work."""

    program: ProgramId
    address: Address
    node_url: str
    token: str
    store: TillStore
    knowledge: Knowledge
    clock: TillClock
    desk: Desk
    tiers: TierBook
    members: MemberBook
    counter: Counter
    outbox: Outbox
    schedule: SettlementSchedule | None
    pruning: Pruning
    on_retry: Callable[[], None]


class TokenGate:
    """Lets only those in who have the token. Pure ASGI, in front of everything else."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in PATHS_OPEN:
            header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            if not is_token(header.decode("latin-1"), self._token):
                response = _problem(TillRefused(NO_TOKEN), scope["method"], scope["path"])
                response.headers["www-authenticate"] = "Bearer"
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


def create_app(till: Till) -> FastAPI:
    """The edge of a till, which stays its caller's to close."""

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        yield
        till.desk.close()

    app = FastAPI(
        title="fansumer till",
        summary="A shop's POS sends sales and has signed receipts back.",
        version="1",
        middleware=[Middleware(TokenGate, till.token), Middleware(BodyLimit, BODY_BYTES_MAX)],
        lifespan=live,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_handlers(app)
    _add_sales(app, till)
    _add_service(app, till)
    return app


# --- sales ----------------------------------------------------------------------------------------------------------------


def _add_sales(app: FastAPI, till: Till) -> None:
    @app.post("/sales", summary="Sign a sale", openapi_extra={"x-example": Sale.EXAMPLE})
    async def sell(sale: Sale, qr: Form = "svg") -> Response:
        """The signed receipt of a sale, on disk before it is answered: 201, or 200 and the same bytes where it was sent before.

        `warnings` say what a person must mend, each with a code: `till.no_member` where the receipt gives no points, for its member
        has not joined. `is_member` is null where the till cannot know: without its node.
        """
        if sale.tier is None and till.tiers.is_needed():
            await asyncio.to_thread(till.tiers.look_up, sale.member)
        if till.members.is_needed(sale.member):
            await asyncio.to_thread(till.members.look_up, sale.member)
        kept = await till.desk.sell(sale)
        return json_response(await _show_drawn(till, kept, qr), 201 if kept.is_new else 200)

    @app.get("/sales/{sale}", summary="A sale that was signed")
    async def read_sale(sale: SaleId, qr: Form = "svg") -> Response:
        """As POST answered it, with what has become of its receipt since."""
        return json_response(await _show_drawn(till, _find(till, sale), qr))

    @app.post("/sales/{sale}/retry", summary="Hand a receipt over again that was set aside")
    async def retry(sale: SaleId) -> Response:
        """For when what the node refused has been put in order."""
        found = _find(till, sale)
        if not till.store.retry(sale):
            raise TillRefused(NOT_SET_ASIDE, sale=sale)
        till.on_retry()
        return json_response({"sale": sale, "number": found.number, "hand_over": "waiting"})


def _find(till: Till, sale: str) -> KeptSale:
    found = till.store.find(sale)
    if found is None:
        raise TillRefused(SALE_UNKNOWN, sale=sale)
    return found


async def _show_drawn(till: Till, kept: KeptSale, form: SymbolForm) -> dict[str, Any]:
    """A sale with its QR code; drawing takes many times as long as all the rest, and others need not wait for it."""
    if form == "none":
        return _show_sale(till, kept, form)
    return await asyncio.to_thread(_show_sale, till, kept, form)


def _show_sale(till: Till, kept: KeptSale, form: SymbolForm) -> dict[str, Any]:
    contact = till.knowledge.contact
    prefix = None if contact is None else contact.facts.address_prefix
    return {
        "sale": kept.sale,
        "is_new": kept.is_new,
        "number": kept.number,
        "receipt_id": kept.receipt.hex(),
        "receipt": b64encode(kept.signed).decode(),
        "view": describe_receipt(decode_receipt(kept.signed), prefix),
        "qr": _show_symbol(till, kept, form),
        "signed_at": kept.signed_at,
        "hand_over": STATES[kept.hand_over],
        "hand_over_code": kept.code,
        "is_settled": kept.is_settled,
        "is_member": till.members.is_member(kept),
        "warnings": [*list_warnings(till.knowledge, till.clock), *till.members.list_warnings(kept)],
    }


def _show_symbol(till: Till, kept: KeptSale, form: SymbolForm) -> dict[str, Any]:
    """The receipt itself in a QR code; where it is too large, what the fan asks the node for."""
    text = receipt_text(kept.signed)
    if fits_symbol(text):
        return {"holds": "receipt", "text": text, "note": None, **draw_symbol(text, form)}
    link = link_text(till.node_url, till.program.hex(), kept.receipt.hex())
    note = (
        f"The receipt has {len(kept.signed)} bytes, too many for a QR code: the code names it, and the fan's wallet fetches it "
        "from the node once it is handed over. `receipt` holds all of it."
    )
    return {"holds": "link", "text": link, "note": note, **draw_symbol(link, form)}


# --- the till itself ------------------------------------------------------------------------------------------------------


def _add_service(app: FastAPI, till: Till) -> None:
    @app.get("/status", summary="How the till is")
    async def read_status() -> Response:
        """What it knows and since when, what is on its way, what needs a person."""
        about = {"program": till.program.hex(), "till": _own_address(till), "node_url": till.node_url}
        found = show_status(till.store, till.knowledge, till.clock, till.outbox, till.schedule, about)
        return json_response({**found, "kept": till.pruning.show()})

    @app.get("/invitation", summary="A QR code with which a fan asks to join")
    async def read_invitation(qr: Form = "svg") -> Response:
        """The invitation as text and as a QR code. It is good for the chain's longest validity from the last contact on."""
        contact = till.knowledge.known()
        till.knowledge.check_granted(contact, "enrol")
        height = Height(int(contact.chain["next_height"]))
        invitation = make_invitation(contact.facts, till.program, till.address, valid_from=height)
        text = invitation.to_json()
        block_seconds = int(contact.chain["block_time_s"])
        good_until = contact.known_at + (invitation.valid_until - height) * block_seconds
        return json_response(
            {
                "invitation": json.loads(text),
                "good_until_about": good_until,
                "qr": {"holds": "invitation", "text": text, **draw_symbol(text, qr)},
            }
        )

    @app.post("/enrolments", summary="Enrol a fan at the counter", openapi_extra=REQUEST_BODY)
    async def enrol(request: Request) -> Response:
        """Counter-sign a fan's request to join, as its phone shows it, and send it: 201, or 200 where the node has it already.

        Sent again it is the same: `status` says when it is in a block.
        """
        text = (await request.body()).decode("utf-8", "replace")
        found = await asyncio.to_thread(till.counter.enrol, text)
        till.members.note_enrolled(found.member)
        return json_response(found.show(), 201 if found.is_new else 200)

    @app.get("/healthz", summary="Is the process alive")
    async def read_health() -> Response:
        """Answers as long as the process does."""
        return json_response({"status": "ok"})

    @app.get("/readyz", summary="Would a sale be signed")
    async def read_readiness() -> Response:
        """200, or 503 with the code of what speaks against it."""
        signing = show_signing(till.knowledge)
        return json_response(
            {"status": "ready" if signing["signs"] else "refuses", **signing}, 200 if signing["signs"] else 503
        )


def _own_address(till: Till) -> str:
    from ledger.address import encode_address

    contact = till.knowledge.contact
    return till.address.hex() if contact is None else encode_address(contact.facts.address_prefix, till.address)


Handler = Callable[[Request, Exception], Awaitable[Response]]


# --- faults ---------------------------------------------------------------------------------------------------------------


def _problem(fault: LedgerError, method: str, path: str, status: int | None = None) -> Response:
    found = STATUSES.get(fault.code, 503 if isinstance(fault, NodeError) else None) if status is None else status
    return problem_response(fault, method=method, path=path, status=found)


def _add_handlers(app: FastAPI) -> None:
    """Let every fault be answered with a problem (RFC 9457)."""

    def handler(explain: Callable[[Request, Any], tuple[LedgerError, int | None]]) -> Handler:
        async def respond(request: Request, fault: Exception) -> Response:
            found, status = explain(request, fault)
            return _problem(found, request.method, request.url.path, status)

        return respond

    app.add_exception_handler(LedgerError, handler(lambda _, fault: (fault, None)))
    app.add_exception_handler(RequestValidationError, handler(lambda _, fault: (_explain_body(fault), None)))
    app.add_exception_handler(HTTPException, handler(_explain_http))
    app.add_exception_handler(Exception, handler(_explain_anything_else))


def _explain_body(fault: RequestValidationError) -> TillRefused:
    first = fault.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    return TillRefused(BAD_SALE, field=field[:100], reason=str(first["msg"])[:300])


def _explain_http(request: Request, fault: HTTPException) -> tuple[LedgerError, int | None]:
    if fault.status_code == 404:
        return RequestFault(NOT_FOUND, path=request.url.path), 404
    if fault.status_code == 400:
        return TillRefused(BAD_SALE, field="the body", reason="it is no JSON"), None
    return RequestFault(REFUSED, reason=str(fault.detail)), fault.status_code


def _explain_anything_else(request: Request, fault: Exception) -> tuple[LedgerError, int | None]:
    log.error("till.internal", path=request.url.path, fault=repr(fault))
    return RequestFault(INTERNAL), 500
