"""Searching a nonce in worker processes, dropped within a fraction of a second when the tip changes."""

import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

import structlog

from ledger.types import Target
from node.mining.engine import (
    HASHLIB,
    KERNEL,
    NONCES,
    SECOND_VERSION_BIT,
    Engine,
    HashlibEngine,
    choose_engine,
    search_range,
)

log = structlog.get_logger()

INLINE_HASHES = 2_000
"""Tried without asking a worker: all that a simulated chain ever needs."""
JOIN_SECONDS = 5
"""How long a worker may take to end before it is killed; it looks up after each slice."""

NOT_CHOSEN, USES_HASHLIB, USES_KERNEL = 0, 1, 2
ENGINE_NAMES: Final = {
    NOT_CHOSEN: f"{HASHLIB}, until the {KERNEL} is ready",
    USES_HASHLIB: HASHLIB,
    USES_KERNEL: KERNEL,
}
CRASHES: Final = frozenset({-signal.SIGILL, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS})
"""Exit codes of a worker whose compiled code this processor does not take."""


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """`hashes` in all since the start, and what each worker hashes with now."""

    hashes: int
    engines: tuple[str, ...]


class EngineInUse:
    """A worker's engine: hashlib at once; the kernel as soon as a thread has compiled it, for that takes seconds."""

    def __init__(self, states: Any, number: int, *, wants_kernel: bool) -> None:
        self.engine: Engine = HashlibEngine()
        self._states, self._number = states, number
        if wants_kernel:
            threading.Thread(target=self._choose, name="kernel", daemon=True).start()
        else:
            states[number] = USES_HASHLIB

    def _choose(self) -> None:
        engine, reason = choose_engine()
        if reason and not self._number:
            log.warning("miner.without_kernel", reason=reason)
        self.engine = engine
        self._states[self._number] = USES_KERNEL if engine.name == KERNEL else USES_HASHLIB


def _work(pipe: Connection, shared: "Shared", number: int, workers: int, *, wants_kernel: bool) -> None:
    """A worker process: takes jobs from the pipe, answers (job, header or None), and ends with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the node stops its workers itself
    _take_jobs(pipe, shared, number, workers, EngineInUse(shared.engines, number, wants_kernel=wants_kernel))
    os._exit(0)  # at once, also where the kernel is still being compiled: there is nothing to save


def _take_jobs(pipe: Connection, shared: "Shared", number: int, workers: int, in_use: EngineInUse) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is started by a node"
    start, end = NONCES * number // workers, NONCES * (number + 1) // workers
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        if job is None:
            return
        job_id, prefix, target, version_bit = job
        nonce, found = start, None
        while found is None and nonce < end and shared.job_now.value == job_id:
            if not parent.is_alive():
                return
            engine = in_use.engine
            scanned = engine.scan(prefix, target, nonce, min(engine.slice_nonces, end - nonce), version_bit)
            shared.hashes[number] += scanned.hashes
            nonce, found = scanned.next, scanned.headers[0] if scanned.headers else None
        try:
            pipe.send((job_id, found))
        except OSError:
            return


class Shared:
    """Memory that the node and its workers share.

    Without locks: a worker that is killed while it holds one would never give it back. Each number has one writer, and eight bytes
    in their place are read at once. Only the node writes the job's number.
    """

    def __init__(self, context: Any, workers: int) -> None:
        self.job_now: Any = context.RawValue("Q", 0)
        self.hashes: Any = context.RawArray("Q", max(workers, 1))
        self.engines: Any = context.RawArray("B", max(workers, 1))


class NonceSearch:
    """Worker processes that search one job at a time, for one caller at a time; `cancel` may come from any thread.

    `wants_kernel` False: they hash with hashlib, whatever is installed.
    """

    def __init__(self, workers: int, *, wants_kernel: bool = True) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._workers = workers
        self._wants_kernel = wants_kernel
        self._shared = Shared(self._context, workers)
        self._inline_hashes = 0
        self._writing = threading.Lock()
        self._processes: dict[Connection, tuple[int, BaseProcess]] = {}
        for number in range(workers):
            self._start_worker(number)

    def _start_worker(self, number: int) -> None:
        ours, theirs = self._context.Pipe()
        self._shared.engines[number] = NOT_CHOSEN
        process = self._context.Process(
            target=_work,
            args=(theirs, self._shared, number, self._workers),
            kwargs={"wants_kernel": self._wants_kernel},
            daemon=True,
            name=f"miner-{number}",
        )
        process.start()
        theirs.close()
        self._processes[ours] = (number, process)

    @property
    def figures(self) -> SearchFigures:
        """What was done so far; from any thread."""
        engines = tuple(ENGINE_NAMES[state] for state in self._shared.engines[: self._workers])
        return SearchFigures(self._inline_hashes + sum(self._shared.hashes), engines or (HASHLIB,))

    @property
    def is_settled(self) -> bool:
        """Whether every worker has the engine that it stays with."""
        return NOT_CHOSEN not in self._shared.engines[: self._workers]

    def present_job(self) -> int:
        """The number that the next search has. Take it before the work is made: a `cancel` in between is then not lost."""
        return self._shared.job_now.value

    def search(
        self,
        prefix: bytes,
        target: Target,
        job_id: int,
        *,
        version_bit: int = SECOND_VERSION_BIT,
        seconds_max: float | None = None,
    ) -> bytes | None:
        """A header that meets `target`, or None if there is none, the job was cancelled, or the time is up.

        `prefix` is its first 76 bytes; the bits `version_bit` of its version may be the other way round.
        """
        nonce = search_range(prefix, target, 0, INLINE_HASHES)
        self._inline_hashes += INLINE_HASHES if nonce is None else nonce + 1
        if nonce is not None:
            return prefix + nonce.to_bytes(4, "little")
        if not self._processes or self._shared.job_now.value != job_id:
            return None
        waiting: set[Connection] = set()
        for pipe in list(self._processes):
            try:
                pipe.send((job_id, prefix, target, version_bit))
                waiting.add(pipe)
            except OSError:
                self._replace_worker(pipe)
        return min(self._collect(waiting, job_id, seconds_max), default=None)

    def _collect(self, waiting: set[Connection], job_id: int, seconds_max: float | None) -> list[bytes]:
        """Wait for every worker's answer; the first find ends the others' search, and so does the time."""
        found: list[bytes] = []
        deadline = None if seconds_max is None else time.monotonic() + seconds_max
        while waiting:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            arrived = wait(list(waiting), left)
            if not arrived:
                deadline = None
                self._end_job(job_id)
            for ready in arrived:
                assert isinstance(ready, Connection), "only pipes are waited for"
                waiting.discard(ready)
                try:
                    _, header = ready.recv()
                except (EOFError, OSError):
                    self._replace_worker(ready)
                    continue
                if header is not None:
                    found.append(header)
                    self._end_job(job_id)
        return found

    def _replace_worker(self, pipe: Connection) -> None:
        """A worker that died (killed, out of memory) is started again; its part of this job is left out.

        From one that died of its kernel, or while it got it, on, workers are started without.
        """
        number, process = self._processes.pop(pipe)
        pipe.close()
        process.join(timeout=JOIN_SECONDS)
        if self._wants_kernel and (process.exitcode in CRASHES or self._shared.engines[number] == NOT_CHOSEN):
            log.warning("miner.kernel_crashed", exit_code=process.exitcode)
            self._wants_kernel = False
        self._start_worker(number)

    def _end_job(self, job_id: int) -> None:
        with self._writing:
            if self._shared.job_now.value == job_id:
                self._shared.job_now.value += 1

    def cancel(self) -> None:
        """End the present search: its block is no longer wanted."""
        with self._writing:
            self._shared.job_now.value += 1

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
