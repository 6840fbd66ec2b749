"""Receipts: tills hand them over; the fan, and nobody else, reads and erases its own."""

from base64 import b64encode
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.bodies import JSON, parse_base64, parse_object, read_bounded, read_media_type
from api.http.deps import IdText, Services, parse_id, services_of
from api.http.openapi import SIGNED, answers, receipt_body
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import BAD_BODY, RequestFault
from api.http.rendering import json_response
from api.http.schemas.answer import EXAMPLE_ID, ID_PATTERN
from api.http.schemas.receipts import ErasedAnswer, GiftAnswer, ReceiptAnswer, ReceiptKept, ReceiptsAnswer
from api.http.signatures import authenticate
from api.receipts.admission import admit_receipt
from api.receipts.lines import read_lines
from api.receipts.store import LINES_BYTES_MAX, LINES_MAX, KeptReceipt
from api.words import show_time
from ledger.codec import Value, unpack
from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX, SignedReceipt, decode_receipt, encode_receipt
from ledger.errors import Code
from ledger.policy import address_of_key
from ledger.state import Overlay
from ledger.types import INTEGER_MAX, Address, ProgramId, ReceiptHash

HANDOVER_BYTES_MAX: Final = (RECEIPT_BYTES_MAX + LINES_BYTES_MAX) * 4 // 3 + 4_096
"""The largest receipt with the most lines, in base64 and JSON."""
FIELDS: Final = frozenset({"receipt", "lines"})
FIELDS_NEEDED: Final = frozenset({"receipt"})
PERIOD_BYTES: Final = 8

NO_RECEIPT = Code(
    "receipt.unknown",
    "this account has no receipt {receipt}",
    "List the account's own receipts; another account's are not shown.",
)
PERIOD_ALONE = Code(
    "receipt.period_alone", "a period belongs to a program", "Send `program` with `period`: each counts its own."
)

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])

ProgramFilter = Annotated[
    str | None,
    Query(
        description="Only this program's: 64 hexadecimal digits.",
        examples=[EXAMPLE_ID],
        json_schema_extra={"pattern": ID_PATTERN},
    ),
]


@router.post(
    "",
    status_code=201,
    summary="Hand a receipt over",
    responses=answers(ReceiptKept, 201),
    openapi_extra=receipt_body(),
)
async def hand_receipt_over(request: Request) -> Response:
    """Keep a purchase for its fan. The till's own signature on the receipt is all that is asked for.

    The till must have held a grant when it signed, the member must have joined, the lines must be those that were signed, and the
    time must not be ahead of the node's clock by more than ten minutes, nor 31 days old. The same bytes twice are kept once. What
    is kept here has no effect on points: settling is another act, and works on the shop's own copies.
    """
    services = services_of(request)
    signed, lines = await _read_handover(request)
    with services.reader.snapshot() as view:
        kept = admit_receipt(Overlay(view), signed, lines, chain_id=services.chain_id, now=services.node.clock.now())
    is_new = await services.receipts.run(lambda store: store.add(kept))
    return json_response({"id": kept.id.hex(), "is_new": is_new}, 201)


async def _read_handover(request: Request) -> tuple[SignedReceipt, tuple[Value, ...]]:
    """Receipt and lines of a body. Raises `http.media_type`, `http.body`, `http.body_too_large`, and what is malformed."""
    media_type = read_media_type(request)
    body = await read_bounded(request, HANDOVER_BYTES_MAX)
    if media_type == JSON:
        return _read_json(body)
    found = unpack(body, bytes_max=HANDOVER_BYTES_MAX, items_max=LINES_MAX)
    if not isinstance(found, tuple) or len(found) != 2:
        raise RequestFault(BAD_BODY, reason="it is no array of a receipt's bytes and its lines")
    raw, lines = found
    if not isinstance(raw, bytes):
        raise RequestFault(BAD_BODY, reason="it is no array of a receipt's bytes and its lines")
    return decode_receipt(raw), read_lines(lines)


def _read_json(body: bytes) -> tuple[SignedReceipt, tuple[Value, ...]]:
    found = parse_object(body, FIELDS, FIELDS_NEEDED)
    return decode_receipt(parse_base64(found["receipt"], "receipt")), read_lines(found.get("lines", []))


@router.get(
    "",
    summary="The receipts of the account that asks",
    responses=answers(ReceiptsAnswer),
    openapi_extra=SIGNED,
)
async def list_receipts(
    request: Request,
    program: ProgramFilter = None,
    period: Annotated[
        int | None,
        Query(ge=0, le=INTEGER_MAX, description="Only this period of the program.", examples=[20_758]),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_LIMIT,
) -> Response:
    """The one that came last first, without their lines. Signed by the account's keys (RFC 9421), page by page."""
    services = services_of(request)
    wanted = None if program is None else parse_id("program", program)
    if period is not None and wanted is None:
        raise RequestFault(PERIOD_ALONE)
    account = await authenticate(request)
    asked = None if period is None else period.to_bytes(PERIOD_BYTES, "big")
    page = Page("receipts", (account, wanted, asked), cursor, limit, width=1)
    chosen_program = ProgramId(page.filters[1]) if page.filters[1] else None
    chosen_period = int.from_bytes(page.filters[2], "big") if page.filters[2] else None
    before = None if page.position is None else page.position[0]
    rows = await services.receipts.run(
        lambda store: store.page(
            account, program=chosen_program, period=chosen_period, before=before, limit=page.rows_wanted
        )
    )
    return json_response(page.answer(rows, lambda row: (row.number,), lambda row: show_receipt(services, row)))


@router.get("/{receipt}", summary="One receipt", responses=answers(ReceiptAnswer), openapi_extra=SIGNED)
async def read_receipt(request: Request, receipt: IdText) -> Response:
    """With its lines, and its bytes as the till signed them: from these the wallet checks everything itself."""
    services = services_of(request)
    wanted = ReceiptHash(parse_id("receipt", receipt))
    account = await authenticate(request)
    kept = await services.receipts.run(lambda store: store.get(account, wanted))
    if kept is None:
        raise RequestFault(NO_RECEIPT, receipt=wanted)
    return json_response(show_whole_receipt(services, kept))


@router.put("/{receipt}/gift", summary="Mark a gift", responses=answers(GiftAnswer), openapi_extra=SIGNED)
async def mark_gift(request: Request, receipt: IdText) -> Response:
    """Bought for somebody else: it stays out of profiles, and no partner is shown it that was not granted gifts by that name.

    The mark is kept beside the receipt and goes with it. Points are not touched. Marking twice is harmless.
    """
    return await _mark(request, receipt, is_gift=True)


@router.delete("/{receipt}/gift", summary="Take the mark off", responses=answers(GiftAnswer), openapi_extra=SIGNED)
async def unmark_gift(request: Request, receipt: IdText) -> Response:
    """It was no gift after all. Harmless where it was not marked."""
    return await _mark(request, receipt, is_gift=False)


async def _mark(request: Request, receipt: str, *, is_gift: bool) -> Response:
    services = services_of(request)
    wanted = ReceiptHash(parse_id("receipt", receipt))
    account = await authenticate(request)
    now = services.node.clock.now()
    if not await services.receipts.run(lambda store: store.gifts.mark(account, wanted, now, is_gift=is_gift)):
        raise RequestFault(NO_RECEIPT, receipt=wanted)
    return json_response({"id": wanted.hex(), "gift": is_gift})


@router.delete("", summary="Erase all receipts", responses=answers(ErasedAnswer), openapi_extra=SIGNED)
async def erase_receipts(request: Request, program: ProgramFilter = None) -> Response:
    """All receipts of the account that asks, or those of one program. Points are not touched: the shop's copies settle."""
    wanted = None if program is None else ProgramId(parse_id("program", program))
    account = await authenticate(request)
    return await _erase(services_of(request), account, program=wanted)


@router.delete("/{receipt}", summary="Erase one receipt", responses=answers(ErasedAnswer), openapi_extra=SIGNED)
async def erase_receipt(request: Request, receipt: IdText) -> Response:
    """Once this answers, no file of the node holds a line or a salt of it; only the receipt hash, which says nothing, is kept, so
    that it is not handed over again. Erasing twice is harmless. Points are not touched: the shop's copies settle.
    """
    services = services_of(request)
    wanted = ReceiptHash(parse_id("receipt", receipt))
    account = await authenticate(request)
    is_known = await services.receipts.run(
        lambda store: store.get(account, wanted) is not None or store.was_erased(wanted)
    )
    if not is_known:
        raise RequestFault(NO_RECEIPT, receipt=wanted)
    return await _erase(services, account, wanted=wanted)


async def _erase(
    services: Services, account: Address, *, wanted: ReceiptHash | None = None, program: ProgramId | None = None
) -> Response:
    now = services.node.clock.now()
    return json_response({"erased": await services.receipts.erase(account, now, wanted=wanted, program=program)})


def show_receipt(services: Services, kept: KeptReceipt) -> dict[str, Any]:
    """A receipt in short."""
    receipt = kept.signed.receipt
    return {
        "id": kept.id.hex(),
        "program": receipt.program.hex(),
        "member": services.renderer.address(receipt.member),
        "till": services.renderer.address(address_of_key(receipt.till)),
        "sequence": receipt.sequence,
        "period": kept.period,
        "time": receipt.time,
        "date": show_time(receipt.time),
        "received_at": kept.received_at,
        "terms_version": receipt.terms_version,
        "net_cents": receipt.net_cents,
        "paid_with_points_cents": receipt.paid_with_points_cents,
        "points": receipt.points,
        "line_count": len(kept.lines),
        "gift": kept.is_gift,
    }


def show_whole_receipt(services: Services, kept: KeptReceipt) -> dict[str, Any]:
    """A receipt with all that its points rest on, its lines and bytes."""
    return {
        **show_receipt(services, kept),
        "codes": [[code, cents] for code, cents in kept.signed.receipt.codes],
        "tier": kept.signed.receipt.tier,
        "previous_visit": kept.signed.receipt.previous_visit or None,
        "offer": kept.signed.receipt.offer.hex() or None,
        "lines": kept.lines,
        "signed": b64encode(encode_receipt(kept.signed)).decode(),
    }
