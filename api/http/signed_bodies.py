"""Bodies of signed requests that are objects: JSON, or the same object in MessagePack, checked against a model."""

import json
from typing import Final, TypeVar

import msgpack
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from api.http.bodies import JSON, read_media_type
from api.http.problems import BAD_BODY, RequestFault
from api.http.signatures import authenticate_body
from ledger.types import Address

BODY_BYTES_MAX: Final = 65_536
REASON_CHARACTERS_MAX: Final = 200

Model = TypeVar("Model", bound=BaseModel)


async def read_signed(
    request: Request, model: type[Model], *, bytes_max: int = BODY_BYTES_MAX
) -> tuple[Address, Model]:
    """Who signed the request, and its body. Raises signature.*, `http.media_type`, `http.body`, `http.body_too_large`."""
    media_type = read_media_type(request)
    account, body = await authenticate_body(request, bytes_max)
    return account, read_object(body, model, is_json=media_type == JSON)


def read_object(body: bytes, model: type[Model], *, is_json: bool) -> Model:
    """The object in a body. Raises `http.body`."""
    try:
        found = json.loads(body) if is_json else msgpack.unpackb(body, strict_map_key=True)
    except (ValueError, RecursionError, msgpack.UnpackException):
        raise RequestFault(BAD_BODY, reason=f"it is not {'JSON' if is_json else 'MessagePack'}") from None
    try:
        return model.model_validate(found)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise RequestFault(BAD_BODY, reason=f"{place}: {first['msg']}"[:REASON_CHARACTERS_MAX]) from None
