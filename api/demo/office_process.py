"""The office in a process of its own, which works ahead of the node."""

import multiprocessing
import signal
from concurrent.futures import Future, ProcessPoolExecutor

from api.demo.office import Office
from api.demo.paperwork import Assignment, Overview, Purchases, Week

_office: Office | None = None
"""The one office of a worker process."""


def _start_worker() -> None:
    """Ctrl-C is for the driver, which ends its worker in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _open_office(purchases: Purchases) -> Overview:
    global _office
    _office = Office(purchases)
    return _office.overview


def _opened() -> Office:
    assert _office is not None, "an office is opened first"
    return _office


def _begin(assignment: Assignment) -> None:
    _opened().begin(assignment)


def _prepare_week(index: int) -> Week:
    return _opened().prepare_week(index)


def _close_office() -> None:
    if _office is not None:
        _office.close()


class OfficeProcess:
    """An office in a process of its own, which works ahead."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker)

    def open(self, purchases: Purchases) -> Overview:
        """Load the purchases."""
        return self._pool.submit(_open_office, purchases).result()

    def begin(self, assignment: Assignment) -> None:
        """Open the till."""
        self._pool.submit(_begin, assignment).result()

    def order_week(self, index: int) -> "Future[Week]":
        """Ask for a week's transactions."""
        return self._pool.submit(_prepare_week, index)

    def close(self) -> None:
        """Close the receipts file and end the process."""
        self._pool.submit(_close_office)
        self._pool.shutdown(wait=True)
