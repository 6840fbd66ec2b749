"""Server-sent events on the client's side: lines in, events out (the format of the HTML standard, section 9.2)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from api.wallet.errors import Unreachable
from ledger.errors import Code

EVENT_CHARACTERS_MAX: Final = 2**20
"""Of one event: far above what a node sends."""

BAD_STREAM = Code(
    "client.bad_stream",
    "the stream of events is not from a fansumer node: {reason}",
    "Check the URL; it must be the node's API.",
)


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """Something that happened. `id` is where to go on from; `name` what it is (`block.connected`, `points.earned`)."""

    id: str
    name: str
    data: dict[str, Any]


def read_events(lines: Iterable[str]) -> Iterator[StreamedEvent]:
    """The events of a stream, until it ends; one that is not finished is left out. Raises Unreachable client.bad_stream."""
    fields: dict[str, str] = {}
    length = 0
    for line in lines:
        length += len(line)
        if length > EVENT_CHARACTERS_MAX:
            raise Unreachable.of_code(BAD_STREAM, reason="an event without an end")
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield _event_of(fields)
        fields, length = {}, 0


def _event_of(fields: dict[str, str]) -> StreamedEvent:
    try:
        data = json.loads(fields["data"])
    except (ValueError, RecursionError):
        raise Unreachable.of_code(BAD_STREAM, reason="it is not JSON") from None
    if not isinstance(data, dict) or "id" not in fields:
        raise Unreachable.of_code(BAD_STREAM, reason="an event without an id, or no JSON object")
    return StreamedEvent(fields["id"], fields.get("event", "message"), data)
