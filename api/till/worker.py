"""Work in the background: done again and again, each time after as many seconds as it asked for, until it is told to stop."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from node.errors import NodeError

log = structlog.get_logger()

STORE_TROUBLE_SECONDS: Final = 5.0
"""After a fault of the till's own store, such as a full disk."""


class Stopped(Exception):
    """The worker is to end: what it waits for in the middle of its work is given up."""


class Worker:
    """A thread that calls `work`. What `work` waits for by `sleep` ends when the worker is stopped."""

    def __init__(self, name: str, work: Callable[[], float]) -> None:
        self.name = name
        self.fault: BaseException | None = None
        self._work = work
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Work now, whatever pause was asked for."""
        self._bell.set()

    def sleep(self, seconds: float) -> None:
        """Wait within the work. Raises Stopped."""
        if self._stop.wait(seconds):
            raise Stopped

    def stop(self, seconds_max: float) -> None:
        """End after what is being done, or be left behind after `seconds_max`: everything is made to be cut off anywhere."""
        self._stop.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(seconds_max)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                pause = self._pause()
                self._bell.wait(pause)
                self._bell.clear()
        except Stopped:
            return
        except BaseException as fault:  # the service ends with it: `TillService.check` raises it in words
            self.fault = fault
            raise

    def _pause(self) -> float:
        try:
            return self._work()
        except NodeError as fault:
            log.error("till.store", part=self.name, code=fault.code.name, reason=str(fault))
            return STORE_TROUBLE_SECONDS
