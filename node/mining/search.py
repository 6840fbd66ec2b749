"""Searching a nonce in worker processes, dropped within a fraction of a second when the tip changes."""

import hashlib
import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from ledger.types import Target

NONCES = 2**32
CHUNK = 20_000
"""Hashes between two looks at the job number: about 20 ms."""
INLINE_HASHES = 2_000
"""Tried without asking a worker: all that a simulated chain ever needs."""


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
    """A worker process: takes jobs from the pipe, answers (job, nonce or None)."""
    while True:
        try:
            job = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        if job is None:
            return
        job_id, prefix, target = job
        nonce, found = number, None
        while found is None and nonce < NONCES and job_now.value == job_id:
            found = search_range(prefix, target, nonce, CHUNK, workers)
            nonce += CHUNK * workers
        pipe.send((job_id, found))


class NonceSearch:
    """Worker processes that search one job at a time."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._job_now: Any = context.Value("Q", 0)
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        for number in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, self._job_now, number, workers), daemon=True, name=f"miner-{number}"
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def search(self, prefix: bytes, target: Target) -> int | None:
        """A nonce that meets `target`, or None if there is none or the job was cancelled."""
        found = search_range(prefix, target, 0, INLINE_HASHES)
        if found is not None or not self._pipes:
            return found
        job_id = self._job_now.value
        for pipe in self._pipes:
            pipe.send((job_id, prefix, target))
        answers: list[int] = []
        for pipe in self._wait_for_all(job_id):
            if pipe is not None:
                answers.append(pipe)
        return min(answers, default=None)

    def _wait_for_all(self, job_id: int) -> list[int | None]:
        """Collect every worker's answer; the first find ends the others' search."""
        waiting = set(self._pipes)
        answers: list[int | None] = []
        while waiting:
            for ready in multiprocessing.connection.wait(list(waiting)):
                assert isinstance(ready, Connection), "only pipes are waited for"
                waiting.discard(ready)
                _, nonce = ready.recv()
                answers.append(nonce)
                if nonce is not None and self._job_now.value == job_id:
                    self.cancel()
        return answers

    def cancel(self) -> None:
        """End the present search: its block is no longer wanted."""
        with self._job_now.get_lock():
            self._job_now.value += 1

    def close(self) -> None:
        """Stop the workers."""
        self.cancel()
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(timeout=5)
            if process.is_alive():
                process.terminate()
        for pipe in self._pipes:
            pipe.close()
