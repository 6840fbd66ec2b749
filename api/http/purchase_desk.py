"""What `fansumer personalize export` reads of a node that runs: purchases, through the consent gate, for the operator alone.

The node reads them itself: it knows the revocations that are in no block yet, and no second process holds the receipt store open,
which would keep erased bytes in its log. Each fan that is read has a row in its log of reads, `export`.
"""

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.bodies import parse_object, read_bounded
from api.http.deps import parse_id, services_of
from api.http.operator_cookie import check_operator
from api.http.problems import BAD_BODY, RequestFault
from api.http.rendering import json_response
from api.personalization.group_reading import Bought
from ledger.types import Address, ProgramId
from node.store.reader import Position

FANS_PER_PAGE: Final = 1_000
FANS_AT_ONCE_MAX: Final = 20
"""Whose purchases are given in one answer: some 30,000 lines."""
BODY_BYTES_MAX: Final = 8_192
WHAT_FOR: Final = "export"


async def list_buyers(request: Request) -> Response:
    """Members who let the program read receipts, a page of them, with the clock and the zone of the program."""
    check_operator(request)
    services = services_of(request)
    program = ProgramId(parse_id("program", request.path_params["program"]))
    after = _read_position(request.query_params.get("after"))
    with services.reader.snapshot() as view:
        board = services.personal.boards.read(view, program)
    gate, read_at = services.personal.gate, services.node.clock.now()
    catalogue = await services.receipts.run(lambda store: gate.catalogues.read(store, program))
    fans, position = await gate.list_buyers(program, after, FANS_PER_PAGE)
    return json_response(
        {
            "program": program.hex(),
            "zone": catalogue.zone,
            "offset_minutes": board.offset_minutes,
            "read_at": read_at,
            "fans": [fan.hex() for fan in fans],
            "next": None if position is None else f"{position[0]}:{position[1]}",
        }
    )


async def read_purchases(request: Request) -> Response:
    """What some fans bought, as far as each grants it now; who grants nothing is not in the answer."""
    check_operator(request)
    services = services_of(request)
    program = ProgramId(parse_id("program", request.path_params["program"]))
    fans, received_before = _read_wanted(await read_bounded(request, BODY_BYTES_MAX))
    found = await services.personal.gate.read_purchases(fans, program, WHAT_FOR)
    return await run_in_threadpool(lambda: json_response({"fans": [_show(one, received_before) for one in found]}))


PURCHASE_ROUTES: Final = (
    Route("/operator/programs/{program}/buyers", list_buyers, methods=["GET"]),
    Route("/operator/programs/{program}/purchases", read_purchases, methods=["POST"]),
)


def _show(found: Bought, received_before: int) -> dict[str, Any]:
    return {
        "fan": found.fan.hex(),
        "purchases": [
            [
                one.receipt,
                one.time,
                [[line.item, line.category, line.quantity, line.cents, line.discount_cents] for line in one.lines],
            ]
            for one in found.purchases or ()
            if one.received_at < received_before
        ],
    }


def _read_position(text: str | None) -> Position | None:
    if text is None:
        return None
    height, _, sequence = text.partition(":")
    if not (height.isascii() and height.isdecimal() and sequence.isascii() and sequence.isdecimal()):
        raise RequestFault(BAD_BODY, reason="`after` is no position")
    return int(height), int(sequence)


def _read_wanted(body: bytes) -> tuple[list[Address], int]:
    found = parse_object(body, frozenset({"fans", "received_before"}))
    listed, before = found["fans"], found["received_before"]
    if not isinstance(listed, list) or not 0 < len(listed) <= FANS_AT_ONCE_MAX:
        raise RequestFault(BAD_BODY, reason=f"`fans` is no list of 1 to {FANS_AT_ONCE_MAX}")
    if type(before) is not int or not 0 <= before < 2**63:
        raise RequestFault(BAD_BODY, reason="`received_before` is no time")
    return [Address(parse_id("fans", fan if isinstance(fan, str) else "")) for fan in listed], before
