"""The stream of what happens."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import parse_id, services_of
from api.http.event_stream import EventReader, EventStream, Filters, begin_at
from api.http.limits import client_of
from api.http.openapi import answers_events, refuses
from api.http.schemas.answer import ADDRESS_PATTERN, EXAMPLE_ADDRESS, EXAMPLE_HASH, EXAMPLE_ID, ID_PATTERN

POSITION_LENGTH_MAX: Final = 96
EVENT_NAME_MAX: Final = 32
LIMIT_MAX: Final = 1_000_000
EXAMPLE_POSITION: Final = f"1439:{EXAMPLE_HASH}:13"

router = APIRouter(prefix="/v1", tags=["events"])


@router.get(
    "/events", response_class=Response, summary="What happens, as it happens", responses=answers_events() | refuses(409)
)
async def stream_events(
    request: Request,
    account: Annotated[
        str | None,
        Query(
            description="Only events of this account.",
            examples=[EXAMPLE_ADDRESS],
            json_schema_extra={"pattern": ADDRESS_PATTERN},
        ),
    ] = None,
    program: Annotated[
        str | None,
        Query(
            description="Only events of this program.",
            examples=[EXAMPLE_ID],
            json_schema_extra={"pattern": ID_PATTERN},
        ),
    ] = None,
    kind: Annotated[
        str | None,
        Query(
            max_length=EVENT_NAME_MAX,
            pattern="^[a-z_.]+$",
            description="Only events of this name.",
            examples=["points.earned"],
        ),
    ] = None,
    limit: Annotated[
        int | None, Query(ge=1, le=LIMIT_MAX, description="End after so many messages.", examples=[10])
    ] = None,
    after: Annotated[
        str | None,
        Query(
            max_length=POSITION_LENGTH_MAX,
            description="Begin after the message with this id, where the header Last-Event-ID cannot be sent.",
            examples=[EXAMPLE_POSITION],
        ),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(
            max_length=POSITION_LENGTH_MAX,
            description="Begin after the message with this id. Without it the stream begins at the tip.",
            examples=[EXAMPLE_POSITION],
        ),
    ] = None,
) -> Response:
    """Server-sent events, each with an id to resume from. Blocks are always told, filters narrow the events within them.

    `block.connected` comes first, then what happened in it, under the names of the history. Where blocks were taken back,
    `chain.reorganised` says how many, and one `block.disconnected` for each makes void what was told of it; this holds for
    a client that comes back later, too. Nothing is queued: a client reads as fast as it likes, one that takes nothing for 30
    seconds is dropped and resumes. After an hour the stream ends; a browser's EventSource, and our client, resume by themselves.
    """
    services = services_of(request)
    filters = Filters(
        account=None if account is None else services.renderer.parse_address(account),
        program=None if program is None else parse_id("program", program),
        kind=kind,
    )
    with services.reader.snapshot() as view:
        position = begin_at(view, last_event_id or after)
    host, _ = client_of(request.client.host if request.client else "")
    listener = services.events.listen(host)
    return EventStream(services, EventReader(services, filters), position, listener, limit)
