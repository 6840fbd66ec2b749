"""A fan's messages as server-sent events: each new one as its time comes, the same one never twice.

Each event's id is `ready_at:message`; a client that comes back sends the last one, and gets what came after it. The messages are
computed anew whenever the chain changes, and at least every 15 seconds; a consent that was taken back ends the stream.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi.sse import format_sse_event

from api.http.deps import Services
from api.http.event_feed import Listener
from api.http.event_stream import LiveStream
from api.http.problems import RequestFault
from api.personalization.service import PersonalRefused
from ledger.errors import Code
from ledger.types import Address, ProgramId

RETRY_MS: Final = 5_000
POSITION_PARTS: Final = 2
TIME_DIGITS_MAX: Final = 13

BAD_POSITION = Code(
    "messages.position_format",
    "the position is not time:message",
    "Send the id of the last event that was received, as it came.",
)

Position = tuple[int, str]


def read_position(text: str | None) -> Position:
    """The position that an event's id spells; before everything if there is none. Raises `messages.position_format`."""
    if text is None:
        return (-1, "")
    time, _, message = text.partition(":")
    if not (
        time.isascii() and time.isdigit() and len(time) <= TIME_DIGITS_MAX and message.isascii() and message.isalnum()
    ):
        raise RequestFault(BAD_POSITION)
    return int(time), message


class MessageStream(LiveStream):
    """The answer that goes on for one fan and program."""

    def __init__(
        self, services: Services, fan: Address, program: ProgramId, position: Position, listener: Listener
    ) -> None:
        super().__init__(services, listener, self._events())
        self._fan = fan
        self._program = program
        self._position = position

    async def _events(self) -> AsyncIterator[bytes]:
        clock, settings = asyncio.get_running_loop().time, self._services.settings
        ends = clock() + settings.event_stream_seconds_max
        sent: set[str] = set()
        yield format_sse_event(data_str="{}", event="stream.opened", retry=RETRY_MS)
        while not self._services.events.is_closing:
            self._listener.changed.clear()
            try:
                found = await self._services.personal.messages(self._fan, self._program)
            except PersonalRefused:
                yield format_sse_event(data_str="{}", event="consent.ended")
                return
            for message in sorted(found, key=_position_of):
                if _position_of(message) > self._position and message["id"] not in sent:
                    sent.add(message["id"])
                    text = json.dumps(message, separators=(",", ":"))
                    time, name = _position_of(message)
                    yield format_sse_event(data_str=text, event="message", id=f"{time}:{name}")
            if clock() >= ends:
                return
            try:
                async with asyncio.timeout(min(settings.event_silence_seconds_max, ends - clock())):
                    await self._listener.changed.wait()
            except TimeoutError:
                yield format_sse_event(comment="still here")
        yield format_sse_event(comment="the node stops; come back later")


def _position_of(message: dict[str, Any]) -> Position:
    return message["ready_at"], message["id"]
