"""Many blocks in a row, from a file, a store or a peer: while one is applied, other processes verify the signatures of the next.

A thread could not do that: beside a busy thread of Python it starves. Each block is decoded here, once, and only the signatures go
to the processes, which say "all of this block's are good"; where they can't, the chain checks the block itself and names the fault.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import ExitStack
from itertools import chain as joined
from itertools import islice
from multiprocessing.connection import wait
from typing import NamedTuple

from ledger.block import Block
from ledger.errors import LedgerError
from ledger.transaction import Transaction, decode_transaction, signature_checks
from ledger.types import ChainId
from node.chain import Ahead, Chain
from node.collector import paused_collector
from node.signatures import Check, verify_quickly

CHUNK_BYTES = 512 * 1024
"""Blocks that are verified together: enough that the way to a process costs nothing. A few times as much is decoded at once."""
CHUNK_BLOCKS = 256
CHUNK_SIGNATURES_MIN = 128
"""Fewer are verified here: a settled batch has one signature for a thousand entries, and a process takes a second to start."""
CHUNKS_AHEAD_PER_WORKER = 2
WORKERS_MAX = 8
VERDICT_SECONDS_MAX = 60
"""How long a verdict on one chunk is waited for: it takes a fraction of a second, and a few with all of them on one busy core."""


class Decoded(NamedTuple):
    """A block that was read ahead. What can't be read is None: the chain tries again when its turn comes, and names the fault."""

    raw: bytes
    block: Block | None
    transactions: Sequence[Transaction] | None
    checks: Sequence[Check]


def take_in(chain: Chain, raw_blocks: Iterable[bytes]) -> Generator[Block, None, None]:
    """Accept blocks in their order; yields each when the chain has accepted it, and commits many at a time.

    Raises what `Chain.accept_block` raises, for the first bad block; those before it are kept. Few blocks start no process.
    """
    chunks = _chunks(raw_blocks, chain.chain_id)
    first = list(islice(chunks, 2))
    workers = min((os.cpu_count() or 1) - 1, WORKERS_MAX) if len(first) == 2 else 0
    with ExitStack() as stack:
        stack.enter_context(chain.syncing())
        for chunk, good in _verify_ahead(stack, joined(first, chunks), workers):
            for decoded, is_good in zip(chunk, good, strict=True):
                block = decoded.block or Block.decode(decoded.raw)
                chain.accept_block(block, Ahead(decoded.transactions, is_good))
                yield block


def _chunks(raw_blocks: Iterable[bytes], chain_id: ChainId) -> Iterator[list[Decoded]]:
    chunk: list[Decoded] = []
    size = 0
    for raw in raw_blocks:
        chunk.append(_decode(raw, chain_id))
        size += len(raw)
        if size >= CHUNK_BYTES or len(chunk) == CHUNK_BLOCKS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _decode(raw: bytes, chain_id: ChainId) -> Decoded:
    try:
        with paused_collector():
            block = Block.decode(raw)
    except LedgerError:
        return Decoded(raw, None, None, ())
    return read_ahead(block, raw, chain_id)


def read_ahead(block: Block, raw: bytes, chain_id: ChainId) -> Decoded:
    """Read a block's transactions ahead of its turn, with all that is to be verified."""
    try:
        with paused_collector():
            transactions = [decode_transaction(transaction, chain_id) for transaction in block.transactions]
            checks = [check for transaction in transactions for check in signature_checks(transaction, chain_id)]
    except LedgerError:
        return Decoded(raw, block, None, ())
    return Decoded(raw, block, transactions, checks)


def _verify_ahead(
    stack: ExitStack, chunks: Iterator[list[Decoded]], workers: int
) -> Iterator[tuple[list[Decoded], Sequence[bool]]]:
    """Each chunk with a verdict for each of its blocks: True only where all signatures are known to be good."""
    helpers = Helpers(stack, workers)
    ahead: deque[tuple[list[Decoded], Future[list[bool]] | None]] = deque()
    for number, chunk in enumerate(chunks):
        # The first chunk is applied while the processes start.
        ahead.append((chunk, helpers.ask(chunk) if number else None))
        if len(ahead) > CHUNKS_AHEAD_PER_WORKER * workers:
            yield helpers.verdict(*ahead.popleft())
    while ahead:
        yield helpers.verdict(*ahead.popleft())


class Helpers:
    """The processes that verify ahead, started when there is enough to do. They may die, or not answer: the chain verifies then."""

    def __init__(self, stack: ExitStack, workers: int) -> None:
        self._stack, self._workers = stack, workers
        self._pool: ProcessPoolExecutor | None = None
        self._are_lost = False

    def ask(self, chunk: list[Decoded]) -> Future[list[bool]] | None:
        """Begin to verify; None if nobody does."""
        if not self._workers or self._are_lost or sum(len(found.checks) for found in chunk) < CHUNK_SIGNATURES_MIN:
            return None
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, context, initializer=_end_with_parent)
            self._stack.callback(self._close, self._pool)
        try:
            return self._pool.submit(verify_checks, [found.checks for found in chunk])
        except BrokenExecutor:
            return None

    def verdict(self, chunk: list[Decoded], future: Future[list[bool]] | None) -> tuple[list[Decoded], Sequence[bool]]:
        """The chunk with what is known of each block: nothing where there was too little to verify, or a process was killed."""
        if future is not None and not self._are_lost:
            try:
                verdicts = future.result(VERDICT_SECONDS_MAX)
            except BrokenExecutor:
                pass
            except TimeoutError:
                # One that stopped, or the executor (before Python 3.12) forgot what was given to it while a process died.
                self._are_lost = True
            else:
                return chunk, [
                    is_good and found.transactions is not None for found, is_good in zip(chunk, verdicts, strict=True)
                ]
        return chunk, [False] * len(chunk)

    def _close(self, pool: ProcessPoolExecutor) -> None:
        """End the processes: those that don't answer, too, for the executor would wait for them."""
        if self._are_lost:
            for process in list((pool._processes or {}).values()):
                process.kill()
        pool.shutdown(cancel_futures=True)


def verify_checks(checks_of_blocks: Sequence[Sequence[Check]]) -> list[bool]:
    """For each block: whether all of its signatures are good."""
    return [all(verify_quickly(*check) for check in checks) for checks in checks_of_blocks]


def _end_with_parent() -> None:
    """In a worker: leave the keyboard to the parent, and end when it ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
