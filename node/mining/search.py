"""Searching a nonce in worker processes, dropped within a fraction of a second when the tip changes."""

import hashlib
import multiprocessing
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ledger.types import Target

NONCES = 2**32
CHUNK = 20_000
"""Hashes between two looks at the job number: about 20 ms."""
INLINE_HASHES = 2_000
"""Tried without asking a worker: all that a simulated chain ever needs."""
JOIN_SECONDS = 5
"""How long a worker may take to end before it is killed; it looks up after each chunk."""


def search_range(prefix: bytes, target: Target, start: int, count: int, stride: int = 1) -> int | None:
    """The first nonce in `count` steps of `stride` from `start` that meets `target`; `prefix` is the header's first 76 bytes."""
    sha256 = hashlib.sha256
    half = sha256(prefix)
    limit = target.to_bytes(32, "big")
    for nonce in range(start, min(start + count * stride, NONCES), stride):
        one = half.copy()
        one.update(nonce.to_bytes(4, "little"))
        if sha256(one.digest()).digest()[::-1] <= limit:
            return nonce
    return None


def _work(pipe: Connection, job_now: Any, number: int, workers: int) -> None:
    """A worker process: takes jobs from the pipe, answers (job, nonce or None), and ends with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the node stops its workers itself
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is started by a node"
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        if job is None:
            return
        job_id, prefix, target = job
        nonce, found = number, None
        while found is None and nonce < NONCES and job_now.value == job_id:
            if not parent.is_alive():
                return
            found = search_range(prefix, target, nonce, CHUNK, workers)
            nonce += CHUNK * workers
        pipe.send((job_id, found))


class NonceSearch:
    """Worker processes that search one job at a time, for one caller at a time; `cancel` may come from any thread."""

    def __init__(self, workers: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._workers = workers
        # Without a lock that processes share: a worker that is killed while it holds one would never give it back. Only this
        # process writes the number, and eight bytes in their place are read at once.
        self._job_now: Any = self._context.RawValue("Q", 0)
        self._writing = threading.Lock()
        self._processes: dict[Connection, tuple[int, BaseProcess]] = {}
        for number in range(workers):
            self._start_worker(number)

    def _start_worker(self, number: int) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(theirs, self._job_now, number, self._workers), daemon=True, name=f"miner-{number}"
        )
        process.start()
        theirs.close()
        self._processes[ours] = (number, process)

    def present_job(self) -> int:
        """The number that the next search has. Take it before the work is made: a `cancel` in between is then not lost."""
        return self._job_now.value

    def search(self, prefix: bytes, target: Target, job_id: int) -> int | None:
        """A nonce that meets `target`, or None if there is none or the job was cancelled."""
        found = search_range(prefix, target, 0, INLINE_HASHES)
        if found is not None or not self._processes or self._job_now.value != job_id:
            return found
        waiting: set[Connection] = set()
        for pipe in list(self._processes):
            try:
                pipe.send((job_id, prefix, target))
                waiting.add(pipe)
            except OSError:
                self._replace_worker(pipe)
        return min(self._collect(waiting, job_id), default=None)

    def _collect(self, waiting: set[Connection], job_id: int) -> list[int]:
        """Wait for every worker's answer; the first find ends the others' search."""
        found: list[int] = []
        while waiting:
            for ready in wait(list(waiting)):
                assert isinstance(ready, Connection), "only pipes are waited for"
                waiting.discard(ready)
                try:
                    _, nonce = ready.recv()
                except (EOFError, OSError):
                    self._replace_worker(ready)
                    continue
                if nonce is not None:
                    found.append(nonce)
                    self._end_job(job_id)
        return found

    def _replace_worker(self, pipe: Connection) -> None:
        """A worker that died (killed, out of memory) is started again; its part of this job is left out."""
        number, process = self._processes.pop(pipe)
        pipe.close()
        process.join(timeout=JOIN_SECONDS)
        self._start_worker(number)

    def _end_job(self, job_id: int) -> None:
        with self._writing:
            if self._job_now.value == job_id:
                self._job_now.value += 1

    def cancel(self) -> None:
        """End the present search: its block is no longer wanted."""
        with self._writing:
            self._job_now.value += 1

    def close(self) -> None:
        """Stop the workers; nobody may be searching. Harmless a second time."""
        self.cancel()
        for pipe in self._processes:
            with suppress(OSError):
                pipe.send(None)
        for pipe, (_, process) in self._processes.items():
            process.join(timeout=JOIN_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            pipe.close()
        self._processes.clear()
