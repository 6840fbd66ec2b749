"""Who hears of a new tip, and what happens when one of them fails.

A listener is called exactly once for each change, after it was committed, in the writer's thread, in the order of subscription.
The chain is ahead of it already, so its failing takes nothing back: it is logged and counted, the others hear all the same, and
whoever gave the block is told that it was accepted. A broken invariant alone is raised, once everybody has heard: it is never
caught. A listener that keeps something of its own must find back by itself (the mempool does, see `Mempool.catch_up`).
"""

from collections.abc import Callable

import structlog

from node.tip import TipChanged

log = structlog.get_logger()

Listener = Callable[[TipChanged], None]


class Listeners:
    """Those who hear of changes of the tip."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self.failures = 0

    def subscribe(self, listener: Listener, *, first: bool = False) -> None:
        """Call `listener` after every change; `first`: before those that take their time."""
        self._listeners.insert(0 if first else len(self._listeners), listener)

    def announce(self, changed: TipChanged) -> None:
        """Tell everybody. Raises the first broken invariant, after all have heard."""
        broken: AssertionError | None = None
        for listener in tuple(self._listeners):
            try:
                listener(changed)
            except AssertionError as fault:
                broken = broken or fault
            except Exception:
                self.failures += 1
                log.exception("listener.failed", listener=getattr(listener, "__qualname__", repr(listener)))
        if broken is not None:
            raise broken
