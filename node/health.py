"""What an operator must hear of: a broken invariant, a thread that ended by itself, a store that takes nothing.

A broken invariant is never survived: whoever meets it raises on, nothing is written after it, and whoever runs the node closes it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from ledger.errors import Code
from node.errors import NodeError

log = structlog.get_logger()

BROKEN = Code(
    "node.broken",
    "it stopped at a broken invariant: {reason}",
    "Keep the log and a copy of the data folder for those who mend the program. What was committed is safe.",
)
THREAD_DIED = Code(
    "node.thread_died",
    "its {thread} ended by itself: {reason}",
    "Read the log, then start the node again. What was committed is safe.",
)


class Health:
    """What is wrong with a node, if anything. Any thread may tell and ask."""

    def __init__(self) -> None:
        self.is_broken = threading.Event()
        self._broken: NodeError | None = None
        self._dead: NodeError | None = None
        self._failing: NodeError | None = None
        self._sources: list[Callable[[], NodeError | None]] = []

    def ask_also(self, source: Callable[[], NodeError | None]) -> None:
        """Let `source` say what is wrong, if anything, whenever somebody asks; a node goes on with it."""
        self._sources.append(source)

    def check(self) -> None:
        """Raise the gravest of what is wrong now: `node.broken`, `node.thread_died` or what the store said."""
        _raise_again(self._broken or self._dead or self._failing)
        for source in self._sources:
            _raise_again(source())

    def check_unbroken(self) -> None:
        """Raise `node.broken` once an invariant was found broken."""
        _raise_again(self._broken)

    def note_fatal(self, fault: NodeError) -> None:
        """Nothing that this node says is to be believed any more: whoever runs it closes it."""
        if self._broken is None:
            self._broken = fault
            log.critical("node.stopped", code=fault.code.name, reason=str(fault))
        self.is_broken.set()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around everything that changes the node. Raises `node.broken` where something was found broken before."""
        self.check_unbroken()
        try:
            yield
        except AssertionError as fault:
            self._note_broken(fault)
            raise

    @contextmanager
    def watching(self, thread: str) -> Iterator[None]:
        """Around all that a thread does; it is not to end with an exception."""
        try:
            yield
        except AssertionError as fault:
            self._note_broken(fault)
            raise
        except BaseException as fault:
            self._dead = self._dead or NodeError(THREAD_DIED, thread=thread, reason=repr(fault))
            log.critical("node.thread_died", thread=thread, fault=repr(fault))
            raise

    def note_store(self, fault: NodeError | None) -> None:
        """The last attempt to write failed so, or went well."""
        self._failing = fault

    def _note_broken(self, fault: AssertionError) -> None:
        if self._broken is None:
            self._broken = NodeError(BROKEN, reason=str(fault) or "an assertion without words")
            log.critical("node.broken", fault=repr(fault))
        self.is_broken.set()


def _raise_again(fault: NodeError | None) -> None:
    if fault is not None:
        raise NodeError(fault.code, **fault.fields)  # a new one: the first keeps its own traceback
