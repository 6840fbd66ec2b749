"""Figures that take longer than a request may wait: they are counted on, and kept for who asks again.

Of a program with few fans they are there at once, and made anew for each request. Otherwise who asks is sent away for a while
(`groups.counting`), the count goes on, and the next one who asks the same is given its figures, once, with the moment they are of.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Final

from ledger.errors import Code, LedgerError

WAIT_SECONDS: Final = 15
"""A request waits so long: less than a client does. As long later it is worth asking again."""
KEPT_SECONDS: Final = 3_600
"""Figures that nobody fetched are forgotten after an hour."""
COUNTS_MAX: Final = 32
"""Different figures that are being counted, or wait to be fetched."""

COUNTING = Code(
    "groups.counting",
    "the program's fans are still being counted; ask again in {retry_seconds} seconds",
    "Ask the same again then: the count goes on, and its figures are kept for an hour.",
)
BUSY = Code(
    "groups.busy",
    "{maximum} other figures are being counted already; ask again in {retry_seconds} seconds",
    "Ask again then; fetch the figures that you asked for before.",
)

Figures = dict[str, Any]


class GroupsRefused(LedgerError):
    """Figures that are not there, or would be of some fans only."""


@dataclass(slots=True)
class Count:
    """A count under way or over, and by which second its figures are forgotten."""

    task: asyncio.Task[Figures]
    until: float = inf


class Counting:
    """The counts of one node. Used in one event loop."""

    def __init__(self) -> None:
        self._counts: dict[object, Count] = {}

    async def ask(self, key: object, count: Callable[[], Coroutine[Any, Any, Figures]]) -> Figures:
        """The figures of a key: of a count that is under way or over, or of a new one.

        Raises GroupsRefused groups.counting, groups.busy; what the count raises.
        """
        self._forget_old()
        found = self._counts.get(key)
        if found is None:
            if len(self._counts) >= COUNTS_MAX:
                raise GroupsRefused(BUSY, maximum=COUNTS_MAX, retry_seconds=WAIT_SECONDS)
            found = self._counts[key] = Count(asyncio.create_task(count()))
            found.task.add_done_callback(lambda _: self._finish(found))
        await asyncio.wait([found.task], timeout=WAIT_SECONDS)
        if not found.task.done():
            raise GroupsRefused(COUNTING, retry_seconds=WAIT_SECONDS)
        if self._counts.get(key) is found:
            del self._counts[key]
        return found.task.result()

    def _finish(self, count: Count) -> None:
        count.until = monotonic() + KEPT_SECONDS
        if not count.task.cancelled():
            count.task.exception()  # whoever asks again is told; if nobody does, nothing is lost

    def _forget_old(self) -> None:
        now = monotonic()
        for key in [key for key, found in self._counts.items() if found.task.done() and found.until < now]:
            del self._counts[key]

    async def close(self) -> None:
        """Stop counting."""
        for found in self._counts.values():
            found.task.cancel()
            with suppress(asyncio.CancelledError, LedgerError, OSError):
                await found.task
        self._counts.clear()
