"""Server-sent events: the active chain as a stream that can be broken off and taken up again anywhere.

Nothing is queued for anybody. A stream is a position in the chain, which it moves on by reading the committed read model, as fast
as its client takes what it is sent: a slow client costs no memory, and one that takes nothing for a while is dropped and resumes
later, with nothing lost. The position stands in each message's id, `height:hash:sequence`: 0 is the block's own announcement, 1
and up are its events, 2147483647 says that the whole block was told. When the block of a position is no longer on the active
chain, the client is first told what was taken back, block by block down to the fork (`chain.reorganised`, `block.disconnected`):
whatever it had heard of these blocks is void. That holds while it listens, and the same after days away.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from api.http.deps import Services, program_test
from api.http.event_feed import Listener
from api.http.problems import RequestFault
from api.http.rendering import show_hash
from api.words import show_time
from ledger.errors import Code
from ledger.events import Event
from ledger.types import BlockHash, Height
from node.store.reader import BlockRow, Snapshot

WHOLE_BLOCK: Final = 2**31 - 1
"""The sequence number of a position after everything in its block."""
MESSAGES_MAX: Final = 256
"""Messages read at once: bounds the time that one stream may hold the event loop."""
BLOCKS_MAX: Final = 64
"""Blocks walked at once, where a filter leaves little of them."""
DISCONNECTED_MAX: Final = 2_000
"""Blocks that one announcement takes back; a deeper reorganisation is announced in several."""
RETRY_MS: Final = 1_000
POSITION_PARTS: Final = 3
HEIGHT_DIGITS_MAX: Final = 10

BAD_POSITION = Code(
    "events.position_format",
    "the position is not height:hash:sequence",
    "Send the id of the last message that was received, as it came.",
)
UNKNOWN_POSITION = Code(
    "events.position",
    "this node has never seen the block {block} at height {height}",
    "Begin without a position; what happened before stands in the histories of accounts.",
)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a client was told the chain."""

    height: Height
    hash: BlockHash
    sequence: int

    def __str__(self) -> str:
        return f"{self.height}:{show_hash(self.hash)}:{self.sequence}"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, and where the client stands once it has it."""

    id: Position
    name: str
    data: dict[str, Any]

    def encode(self) -> bytes:
        """As it travels: ASCII only, so that nobody takes a character of a title for the end of a line."""
        text = json.dumps(self.data, separators=(",", ":"))
        return format_sse_event(data_str=text, event=self.name, id=str(self.id))


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events a client wants; blocks are always told."""

    account: bytes | None = None
    program: bytes | None = None
    kind: str | None = None

    def admit(self, event: Event) -> bool:
        """Whether the client wants this event. The account was chosen by the query."""
        if self.kind is not None and event.name != self.kind:
            return False
        return self.program is None or self.program in (*event.subjects(), getattr(event, "program", None))


def parse_position(text: str) -> Position:
    """The position that a message's id spells. Raises `events.position_format`."""
    parts = text.split(":")
    if len(parts) != POSITION_PARTS or not all(part.isascii() and part.isalnum() for part in parts):
        raise RequestFault(BAD_POSITION)
    height, block, sequence = parts
    try:
        found = bytes.fromhex(block)
    except ValueError:
        raise RequestFault(BAD_POSITION) from None
    numbers_fit = all(part.isdigit() and len(part) <= HEIGHT_DIGITS_MAX for part in (height, sequence))
    if not numbers_fit or len(found) != 32 or int(sequence) > WHOLE_BLOCK:
        raise RequestFault(BAD_POSITION)
    return Position(Height(int(height)), BlockHash(found[::-1]), int(sequence))


def begin_at(view: Snapshot, text: str | None) -> Position:
    """The position that was named, if this node knows its block; else the tip. Raises `events.position`."""
    if text is None:
        tip = view.tip()
        return Position(tip.height, tip.hash, WHOLE_BLOCK)
    position = parse_position(text)
    found = view.header(position.hash)
    if found is None or found.height != position.height or found.invalid_code:
        raise RequestFault(UNKNOWN_POSITION, block=show_hash(position.hash), height=position.height)
    return position


class EventReader:
    """Reads messages from the store, from a position on."""

    def __init__(self, services: Services, filters: Filters) -> None:
        self._services = services
        self._filters = filters

    def read(self, position: Position) -> tuple[list[Message], Position]:
        """The next messages and where they lead; the same position if there is nothing new."""
        with self._services.reader.snapshot() as view:
            found = view.header(position.hash)
            assert found is not None, "a position's block was known, and headers stay"
            if not found.is_active:
                return self._take_back(view, position)
            return self._go_on(view, position)

    def _take_back(self, view: Snapshot, position: Position) -> tuple[list[Message], Position]:
        messages: list[Message] = []
        at, tip = position, view.tip()
        for _ in range(DISCONNECTED_MAX):
            gone = view.header(at.hash)
            assert gone is not None, "the ancestors of a known block are known"
            if gone.is_active:
                break
            at = Position(Height(at.height - 1), gone.header.previous, WHOLE_BLOCK)
            shown = {"height": gone.height, "hash": show_hash(gone.hash), "previous": show_hash(at.hash)}
            messages.append(Message(at, "block.disconnected", shown))
        announced = {
            "height": tip.height,
            "tip": show_hash(tip.hash),
            "disconnected": len(messages),
            "back_to_height": at.height,
            "back_to": show_hash(at.hash),
        }
        return [Message(position, "chain.reorganised", announced), *messages], at

    def _go_on(self, view: Snapshot, position: Position) -> tuple[list[Message], Position]:
        messages: list[Message] = []
        is_program = program_test(view)
        here = view.blocks_below(position.height + 1, 1)[0]
        for _ in range(BLOCKS_MAX):
            wanted = MESSAGES_MAX - len(messages)
            if position.sequence < WHOLE_BLOCK:
                rows = view.block_events(here.height, position.sequence, wanted, self._filters.account)
                for row in rows:
                    position = Position(here.height, here.hash, row.sequence + 1)
                    if self._filters.admit(row.event):
                        shown = self._services.renderer.event(row.event, is_program)
                        messages.append(
                            Message(position, row.event.name, _show_event(here, row.sequence, row.txid, shown))
                        )
                if len(rows) == wanted:
                    break
                position = Position(here.height, here.hash, WHOLE_BLOCK)
            above = view.blocks_below(here.height + 2, 1)[0]
            if above.height == here.height:
                break
            here = above
            position = Position(here.height, here.hash, 0)
            messages.append(Message(position, "block.connected", _show_block(here)))
        return messages, position


def _show_event(block: BlockRow, sequence: int, txid: bytes | None, shown: dict[str, Any]) -> dict[str, Any]:
    return {
        "height": block.height,
        "block": show_hash(block.hash),
        "sequence": sequence,
        "time": block.header.time,
        "date": show_time(block.header.time),
        "txid": None if txid is None else txid.hex(),
        **shown,
    }


def _show_block(block: BlockRow) -> dict[str, Any]:
    return {
        "height": block.height,
        "hash": show_hash(block.hash),
        "previous": show_hash(block.header.previous),
        "time": block.header.time,
        "date": show_time(block.header.time),
        "transactions": block.transactions,
    }


class LiveStream(EventSourceResponse):
    """An answer that goes on, to a client for whom `listener` waits at the feed."""

    def __init__(self, services: Services, listener: Listener, messages: AsyncIterator[bytes]) -> None:
        super().__init__(messages, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._services = services
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client leaves, takes nothing for too long, or the stream ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._services.events.leave(self._listener)

    async def stream_response(self, send: Send) -> None:
        """As the base class does, but never waiting for a client without end."""
        seconds_max = self._services.settings.event_send_seconds_max

        async def send_in_time(message: AsgiMessage) -> None:
            async with asyncio.timeout(seconds_max):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            self._services.metrics.slow_streams.inc()  # the server closes a connection whose answer stays unfinished


class EventStream(LiveStream):
    """The answer that goes on: messages from `position` on, `limit` of them or without end."""

    def __init__(
        self, services: Services, reader: EventReader, position: Position, listener: Listener, limit: int | None
    ) -> None:
        super().__init__(services, listener, self._messages())
        self._reader = reader
        self._position = position
        self._left = limit

    async def _messages(self) -> AsyncIterator[bytes]:
        clock, settings = asyncio.get_running_loop().time, self._services.settings
        ends = clock() + settings.event_stream_seconds_max
        opened = format_sse_event(data_str="{}", event="stream.opened", id=str(self._position), retry=RETRY_MS)
        yield opened
        while not self._services.events.is_closing:
            self._listener.changed.clear()
            messages, position = self._reader.read(self._position)
            for message in messages if self._left is None else messages[: self._left]:
                yield message.encode()
            if self._left is not None:
                self._left -= len(messages)
                if self._left <= 0:
                    return
            if clock() >= ends:
                return
            if position != self._position:
                self._position = position
                await asyncio.sleep(0)  # others' turn
                continue
            try:
                async with asyncio.timeout(min(settings.event_silence_seconds_max, ends - clock())):
                    await self._listener.changed.wait()
            except TimeoutError:
                yield format_sse_event(comment="still here")
        yield format_sse_event(comment="the node stops; come back later")
