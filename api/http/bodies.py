"""Bodies of requests: what is signed comes as its canonical bytes, or in JSON as base64 in the one field that names it."""

import json
from base64 import b64decode
from binascii import Error
from typing import Any, Final

from starlette.requests import Request

from api.http.problems import BAD_BODY, BODY_TOO_LARGE, MEDIA, RequestFault

MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"


def read_media_type(request: Request) -> str:
    """`MSGPACK` or `JSON`, as the request announces its body. Raises `http.media_type`."""
    announced = request.headers.get("content-type", "")
    media_type = announced.partition(";")[0].strip().lower()
    if media_type not in (MSGPACK, JSON):
        raise RequestFault(MEDIA, found=announced[:100] or "none")
    return media_type


async def read_bounded(request: Request, bytes_max: int) -> bytes:
    """The body. Raises `http.body_too_large` as soon as it is longer than `bytes_max`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise RequestFault(BODY_TOO_LARGE, maximum=bytes_max)
    return body


def parse_object(body: bytes, fields: frozenset[str], needed: frozenset[str] | None = None) -> dict[str, Any]:
    """The JSON object of a body that has no fields but `fields`, and all of `needed` (None: of `fields`). Raises `http.body`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestFault(BAD_BODY, reason="it is not JSON") from None
    if not isinstance(found, dict) or found.keys() - fields or (fields if needed is None else needed) - found.keys():
        names = " and ".join(f"`{field}`" for field in sorted(fields))
        raise RequestFault(BAD_BODY, reason=f"it is not an object with {names}")
    return found


def parse_base64(found: object, field: str) -> bytes:
    """The bytes of a field in base64. Raises `http.body`."""
    try:
        if isinstance(found, str):
            return b64decode(found, validate=True)
    except (Error, ValueError):
        pass
    raise RequestFault(BAD_BODY, reason=f"`{field}` is not base64")


def unwrap(body: bytes, media_type: str, field: str) -> bytes:
    """The canonical bytes in a body that is them, or the JSON object whose one field holds them. Raises `http.body`."""
    if media_type == MSGPACK:
        return body
    return parse_base64(parse_object(body, frozenset({field}))[field], field)


async def read_canonical(request: Request, field: str, bytes_max: int) -> bytes:
    """The canonical bytes that a request brings. Raises `http.media_type`, `http.body`, `http.body_too_large`."""
    media_type = read_media_type(request)
    return unwrap(await read_bounded(request, bytes_max), media_type, field)
