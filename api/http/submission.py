"""The way of a transaction from a request to the node: many requests, one writer, batches in between.

The node is one writer behind a lock, and verifies signatures fastest many at a time. So requests leave their bytes here and wait
for a future; a thread of its own hands everything that gathered meanwhile to `node.submit_batch`. The event loop never waits
for the lock.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from api.http.metrics import HttpMetrics
from api.http.problems import BUSY, NOT_READY, RequestFault
from ledger.errors import LedgerError
from ledger.transaction import Transaction

Result = TypeVar("Result")
Taken = Transaction | LedgerError
ACCEPTED = "accepted"


def _stopping() -> RequestFault:
    return RequestFault(NOT_READY, reason="it is stopping")


class Writer(Protocol):
    """What takes transactions in: the node."""

    def submit_batch(self, batch: Sequence[bytes]) -> list[Taken]:
        """One result for each, in order."""
        ...


class SubmissionQueue:
    """Gathers transactions of all requests of one event loop.

    A fault of the writer other than a `LedgerError` goes to everyone whose transaction was in the batch; an `AssertionError` is a
    broken invariant, after which `broken` stays true and nothing more is taken in. Whatever goes wrong, nobody waits for ever: who
    has no answer of its own is given the fault, and after `close` that the node stops.
    """

    def __init__(self, writer: Writer, metrics: HttpMetrics, *, batch_max: int, waiting_max: int) -> None:
        self._writer = writer
        self._metrics = metrics
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._waiting: deque[tuple[bytes, asyncio.Future[Transaction]]] = deque()
        self._is_running = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="submissions")
        self.broken = False

    async def submit(self, raw: bytes) -> Transaction:
        """Hand a transaction in. Raises what the node says against it, or `http.busy`."""
        if self.broken:
            raise RequestFault(NOT_READY, reason="it stopped at a broken invariant")
        if len(self._waiting) >= self._waiting_max:
            raise RequestFault(BUSY, waiting=len(self._waiting))
        done: asyncio.Future[Transaction] = asyncio.get_running_loop().create_future()
        self._waiting.append((raw, done))
        self._metrics.waiting.set(len(self._waiting))
        if not self._is_running:
            self._run_next()
        return await done

    async def run(self, work: Callable[[], Result]) -> Result:
        """Let the writer's thread do something else that takes the node's lock."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _run_next(self) -> None:
        count = min(len(self._waiting), self._batch_max)
        batch = [self._waiting.popleft() for _ in range(count)]
        self._is_running = bool(batch)
        self._metrics.waiting.set(len(self._waiting))
        if not batch:
            return
        self._metrics.batch_size.observe(count)
        raws = [raw for raw, _ in batch]
        waiting = [done for _, done in batch]
        try:
            running = asyncio.get_running_loop().run_in_executor(self._thread, self._writer.submit_batch, raws)
        except RuntimeError:  # the thread was shut down
            self._refuse([*waiting, *(done for _, done in self._waiting)], _stopping())
            self._waiting.clear()
            self._is_running = False
            return
        running.add_done_callback(partial(self._deliver, waiting))

    def _deliver(self, waiting: list[asyncio.Future[Transaction]], finished: asyncio.Future[list[Taken]]) -> None:
        """Answer a batch, and go on with the next: also where answering itself fails."""
        try:
            for done, result in zip(waiting, self._results(finished, len(waiting)), strict=True):
                self._settle(done, result)
        except Exception as fault:
            self._refuse(waiting, fault)
            raise  # for the event loop's log: none of what can go wrong here is a request's fault
        finally:
            self._run_next()

    def _results(self, finished: asyncio.Future[list[Taken]], count: int) -> Sequence[Transaction | BaseException]:
        """What the writer said of each; a fault of its own goes to all."""
        if finished.cancelled():
            return [_stopping()] * count
        fault = finished.exception()
        results = finished.result() if fault is None else []
        if fault is None and len(results) != count:
            fault = AssertionError(f"the writer answered {len(results)} of {count} transactions")
        self.broken = self.broken or isinstance(fault, AssertionError)
        return results if fault is None else [fault] * count

    def _settle(self, done: asyncio.Future[Transaction], result: Transaction | BaseException) -> None:
        name = result.code.name if isinstance(result, LedgerError) else type(result).__name__
        self._metrics.submissions.labels(ACCEPTED if isinstance(result, Transaction) else name).inc()
        if isinstance(result, BaseException):
            self._refuse([done], result)
        elif not done.done():
            done.set_result(result)

    def _refuse(self, waiting: Sequence[asyncio.Future[Transaction]], fault: BaseException) -> None:
        for done in waiting:
            if not done.done():
                done.set_exception(fault)

    def close(self) -> None:
        """Let what is under way finish, and end the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)
