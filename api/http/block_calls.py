"""getblocktemplate and submitblock as JSON-RPC over HTTP, for the operator's own miners (spec MINE-8).

They stand here, not in `node/`: HTTP, its limits, its figures and its one port are the API's, and the node knows no web framework.
They are no part of the OpenAPI document: one path takes every call, and says what was wrong as Bitcoin's tools expect it.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.deps import Services, services_of
from api.http.limits import client_of
from api.http.rendering import show_hash
from ledger.coinbase import REWARD_SHOWN_MAX
from ledger.errors import LedgerError
from ledger.hashing import sha256d
from ledger.header import VERSION_BASE
from ledger.types import Address
from node.mining.block_templates import GivenTemplate

RPC_PATH: Final = "/rpc"
LONG_POLL_SECONDS_MAX: Final = 60.0
"""Then the answer comes all the same, with the present time and what waits."""
EXPIRES_SECONDS: Final = 120
BYTES_MAX: Final = 2**20
HEX_DIGITS_MAX: Final = 2_048

NOT_JSON: Final = -32_700
NOT_A_CALL: Final = -32_600
NO_METHOD: Final = -32_601
WRONG_PARAMETERS: Final = -32_602
NOT_TAKEN: Final = -8
NOT_A_BLOCK: Final = -22
NOT_NOW: Final = -10
ANYTHING_ELSE: Final = -1

LONG_POLL_ID_SEPARATOR: Final = ":"


class CallFault(Exception):
    """A call that is answered with an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


async def answer_call(request: Request) -> Response:
    """One JSON-RPC call."""
    services = services_of(request)
    if not services.cookie.admits(request.headers.get("authorization")):
        text = "send the cookie of the node's data folder: user __cookie__ and its password"
        return _respond(None, fault=CallFault(ANYTHING_ELSE, text), status=401)
    asked_id: Any = None
    try:
        asked_id, method, params = _read_call(await request.body())
        result = await METHODS[method](services, request, params)
    except CallFault as fault:
        return _respond(asked_id, fault=fault)
    except LedgerError as fault:
        return _respond(asked_id, fault=CallFault(NOT_NOW, str(fault)))
    return _respond(asked_id, result=result)


RPC_ROUTE: Final = Route(RPC_PATH, answer_call, methods=["POST"], include_in_schema=False)


def _respond(asked_id: Any, *, result: Any = None, fault: CallFault | None = None, status: int = 200) -> Response:
    error = None if fault is None else {"code": fault.code, "message": fault.text}
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="node"'
    body = json.dumps({"result": result, "error": error, "id": asked_id}).encode()
    return Response(body, status, media_type="application/json", headers=headers)


def _read_call(body: bytes) -> tuple[Any, str, list[Any]]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise CallFault(NOT_JSON, "this is no JSON") from None
    match found:
        case {"method": str() as method}:
            asked_id, params = found.get("id"), found.get("params")
        case _:
            raise CallFault(NOT_A_CALL, "one call a request: {id, method, params}")
    if method not in METHODS:
        raise CallFault(NO_METHOD, f"there are {' and '.join(METHODS)}")
    params = [] if params is None else params
    if not isinstance(params, list):
        raise CallFault(WRONG_PARAMETERS, "params is an array")
    return asked_id if isinstance(asked_id, str | int | None) else None, method, params


# --- the methods -------------------------------------------------------------------------------------------------------------


async def _get_block_template(services: Services, request: Request, params: list[Any]) -> Any:
    asked: Any = params[0] if params else {}
    if len(params) > 1 or not isinstance(asked, dict):
        raise CallFault(WRONG_PARAMETERS, "getblocktemplate takes one object")
    if asked.get("mode", "template") != "template":
        raise CallFault(NOT_TAKEN, "only the mode template is known here")
    payout = _payout(services, request)
    services.templates.check()
    waited_for = asked.get("longpollid")
    if waited_for is not None:
        if not isinstance(waited_for, str):
            raise CallFault(WRONG_PARAMETERS, "longpollid is a text")
        await _wait_for_tip(services, request, waited_for)
    return _show_template(await services.submissions.run(partial(services.templates.make, payout)))


async def _submit_block(services: Services, request: Request, params: list[Any]) -> str | None:
    match params:
        case [str() as text]:
            workid = None
        case [str() as text, {"workid": str() as workid}]:
            pass
        case [str() as text, dict()]:
            workid = None
        case _:
            raise CallFault(WRONG_PARAMETERS, "submitblock takes the block in hex, and an object with its workid")
    try:
        raw = bytes.fromhex(text) if len(text) <= HEX_DIGITS_MAX and text.isalnum() else b""
    except ValueError:
        raw = b""
    try:
        return await services.submissions.run(partial(services.templates.submit, raw, workid))
    except LedgerError as fault:
        is_form = fault.code.name == "template.submission"
        raise CallFault(NOT_A_BLOCK if is_form else NOT_NOW, str(fault)) from fault


METHODS: Final[dict[str, Callable[[Services, Request, list[Any]], Awaitable[Any]]]] = {
    "getblocktemplate": _get_block_template,
    "submitblock": _submit_block,
}


def _payout(services: Services, request: Request) -> Address:
    """Who is paid: `?payout=` of the URL, else whom the node pays."""
    text = request.query_params.get("payout")
    if text is None:
        if services.node.payout is None:
            raise CallFault(
                NOT_TAKEN, f"nobody to pay: ask at {RPC_PATH}?payout=ADDRESS, or start the node with --payout ADDRESS"
            )
        return services.node.payout
    try:
        return services.renderer.parse_address(text)
    except LedgerError as fault:
        raise CallFault(NOT_TAKEN, f"payout: {fault}") from fault


async def _wait_for_tip(services: Services, request: Request, waited_for: str) -> None:
    """Return when the tip is another one than `waited_for` names, or after a while. Raises `events.busy`."""
    known = waited_for.partition(LONG_POLL_ID_SEPARATOR)[0]
    host, _ = client_of(request.client.host if request.client is not None else "")
    listener = services.events.listen(host)
    deadline = time.monotonic() + LONG_POLL_SECONDS_MAX
    try:
        while (
            not services.events.is_closing
            and show_hash(await services.submissions.run(services.templates.tip)) == known
        ):
            left = deadline - time.monotonic()
            if left <= 0 or await request.is_disconnected():
                return
            try:
                await asyncio.wait_for(listener.changed.wait(), left)
            except TimeoutError:
                return
            listener.changed.clear()
    finally:
        services.events.leave(listener)


def _show_template(given: GivenTemplate) -> dict[str, Any]:
    """The fields of BIP 22 and BIP 23 that miners need, and none that make them expect more."""
    header, template = given.template.block.header, given.template
    coinbase_id = sha256d(given.coinbase)[::-1].hex()
    return {
        "capabilities": ["coinbasetxn", "workid", "longpoll"],
        "version": VERSION_BASE,
        "previousblockhash": show_hash(header.previous),
        "transactions": [],
        "coinbasetxn": {"data": given.coinbase.hex(), "txid": coinbase_id, "hash": coinbase_id},
        "coinbasevalue": min(template.reward, REWARD_SHOWN_MAX),
        "longpollid": f"{show_hash(header.previous)}{LONG_POLL_ID_SEPARATOR}{given.workid}",
        "workid": given.workid,
        "target": f"{template.target:064x}",
        "bits": f"{header.bits:08x}",
        "height": template.height,
        "curtime": header.time,
        "mintime": given.time_min,
        "maxtime": given.time_max,
        "mutable": ["time"],
        "noncerange": "00000000ffffffff",
        "expires": EXPIRES_SECONDS,
        "sizelimit": BYTES_MAX,
        "sigoplimit": BYTES_MAX,
    }
