"""Texts by the hash that stands on the chain: anybody who has one may bring it, its author alone may erase it here."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.bodies import MSGPACK, parse_object, read_bounded, read_media_type
from api.http.deps import IdText, parse_id, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.problems import BAD_BODY, RequestFault
from api.http.rendering import json_response
from api.http.schemas.voice import TextAnswer, TextBody, TextErased, TextKept
from api.http.signatures import authenticate
from api.receipts.texts import ERASED, TextRefused
from ledger.domains.voice.texts import DOCUMENT, TEXT_BYTES_MAX, TextDocument, decode_text, text_hash
from ledger.errors import Code
from ledger.types import Address, Hash

BODY_BYTES_MAX: Final = TEXT_BYTES_MAX * 6 + 1_024
"""The longest text, each byte of it escaped."""
FIELDS: Final = frozenset({"salt", "content"})

MISSING = Code(
    "text.missing",
    "this node does not have the text {text}",
    "Its hash stands on the chain, so that it is missing can be seen. Ask its author, or another node.",
)
NOT_NAMED = Code(
    "text.not_named",
    "nothing on the chain names the text {text}",
    "Send the transaction that names it first, and bring the text once that is in a block.",
)
WRONG_HASH = Code(
    "text.wrong_hash",
    "salt and content give the hash {found}, not {text}",
    "Bring the text with the salt that it was hashed with.",
)

router = APIRouter(prefix="/v1/texts", tags=["reviews"])


@router.get("/{text}", summary="A text", responses=answers(TextAnswer) | refuses(410))
async def read_text(request: Request, text: IdText) -> Response:
    """With its salt, so that the reader can check it against the chain. One that its author erased here is answered with 410."""
    services = services_of(request)
    wanted = Hash(parse_id("text", text))
    found = await services.receipts.run(lambda store: store.texts.get(wanted))
    if found is not None:
        return json_response({"text": wanted.hex(), "salt": found.salt.hex(), "content": found.text})
    if await services.receipts.run(lambda store: store.texts.was_erased(wanted)):
        raise TextRefused(ERASED, text=wanted)
    raise RequestFault(MISSING, text=wanted)


@router.put(
    "/{text}",
    summary="Bring a text",
    responses=answers(TextKept) | refuses(409, 410, 413, 415),
    openapi_extra=signed_body("The text and its salt, as it was hashed.", TextBody),
)
async def keep_text(request: Request, text: IdText) -> Response:
    """Anybody may bring a text that the chain names, as it was hashed: it is its author's, whoever brings it. Twice is harmless."""
    services = services_of(request)
    wanted = Hash(parse_id("text", text))
    document = await _read_document(request)
    found = text_hash(document)
    if found != wanted:
        raise RequestFault(WRONG_HASH, found=found, text=wanted)
    with services.reader.snapshot() as view:
        rows = view.listed(wanted, "text", None, 1)
    if not rows:
        raise RequestFault(NOT_NAMED, text=wanted)
    author, now = Address(rows[0].id), services.node.clock.now()
    is_new = await services.receipts.run(lambda store: store.texts.add(wanted, author, document, now))
    return json_response({"text": wanted.hex(), "is_new": is_new})


async def _read_document(request: Request) -> TextDocument:
    """The body. Raises `http.media_type`, `http.body`, `http.body_too_large`, and what is malformed."""
    media_type = read_media_type(request)
    body = await read_bounded(request, BODY_BYTES_MAX)
    return decode_text(body) if media_type == MSGPACK else _read_json(body)


def _read_json(body: bytes) -> TextDocument:
    found = parse_object(body, FIELDS)
    try:
        salt = bytes.fromhex(found["salt"])
    except (ValueError, TypeError):
        raise RequestFault(BAD_BODY, reason="`salt` is not hex") from None
    content = found["content"]
    try:
        return DOCUMENT.decode((salt, content), "text")
    except UnicodeEncodeError:
        raise RequestFault(BAD_BODY, reason="`content` is no text that UTF-8 can hold") from None


@router.delete("/{text}", summary="Erase a text", responses=answers(TextErased), openapi_extra=SIGNED)
async def erase_text(request: Request, text: IdText) -> Response:
    """By its author: once this answers, no file of the node holds it, and the node takes it from nobody again. What the chain has
    of it, a salted hash, stays. Harmless a second time.
    """
    services = services_of(request)
    wanted = Hash(parse_id("text", text))
    account = await authenticate(request)
    now = services.node.clock.now()
    return json_response({"erased": await services.receipts.erase_text(account, now, wanted)})
