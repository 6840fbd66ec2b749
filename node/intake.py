"""Many blocks in a row, from a file, a store or a peer: while one is applied, other processes verify the signatures of the next.

A thread could not do that: beside a busy thread of Python it starves. The processes only say "every signature in this block is
good"; whatever they can't say that of, the chain checks itself, and names the fault.
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

from ledger.block import Block
from ledger.errors import LedgerError
from ledger.transaction import decode_transaction, signature_checks
from ledger.types import ChainId
from node.chain import Chain
from node.signatures import verify_quickly

CHUNK_BYTES = 512 * 1024
"""Blocks that go to a process together: enough that the way there costs nothing."""
CHUNK_BLOCKS = 256
CHUNKS_AHEAD_PER_WORKER = 2
WORKERS_MAX = 8
VERDICT_SECONDS_MAX = 60
"""How long a verdict on one chunk is waited for: it takes a fraction of a second, and a few with all of them on one busy core."""


def take_in(chain: Chain, raw_blocks: Iterable[bytes]) -> Generator[Block, None, None]:
    """Accept blocks in their order; yields each when the chain has accepted it, and commits many at a time.

    Raises what `Chain.accept_block` raises, for the first bad block; those before it are kept. Few blocks start no process.
    """
    chunks = _chunks(raw_blocks)
    first = list(islice(chunks, 2))
    workers = min((os.cpu_count() or 1) - 1, WORKERS_MAX) if len(first) == 2 else 0
    with ExitStack() as stack:
        stack.enter_context(chain.syncing())
        verdicts = _verify_ahead(stack, chain.chain_id, joined(first, chunks), workers)
        for chunk, good in verdicts:
            for raw, is_good in zip(chunk, good, strict=True):
                block = Block.decode(raw)
                chain.accept_block(block, signatures_checked=is_good)
                yield block


def _chunks(raw_blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for raw in raw_blocks:
        chunk.append(raw)
        size += len(raw)
        if size >= CHUNK_BYTES or len(chunk) == CHUNK_BLOCKS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _verify_ahead(
    stack: ExitStack, chain_id: ChainId, chunks: Iterator[list[bytes]], workers: int
) -> Iterator[tuple[list[bytes], Sequence[bool]]]:
    """Each chunk with a verdict for each of its blocks: True only where all signatures are known to be good."""
    if not workers:
        for chunk in chunks:
            yield chunk, [False] * len(chunk)
        return
    context = multiprocessing.get_context("spawn")
    helpers = _Helpers(ProcessPoolExecutor(workers, context, initializer=_end_with_parent))
    stack.callback(helpers.close)
    ahead: deque[tuple[list[bytes], Future[list[bool]] | None]] = deque()
    for number, chunk in enumerate(chunks):
        # The first is applied while the processes start.
        ahead.append((chunk, helpers.ask(chain_id, chunk) if number else None))
        if len(ahead) > CHUNKS_AHEAD_PER_WORKER * workers:
            yield helpers.verdict(*ahead.popleft())
    while ahead:
        yield helpers.verdict(*ahead.popleft())


class _Helpers:
    """The processes that verify ahead. They may die, or not answer: then the chain verifies everything itself."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._are_lost = False

    def ask(self, chain_id: ChainId, chunk: list[bytes]) -> Future[list[bool]] | None:
        """Begin to verify; None if nobody does."""
        if self._are_lost:
            return None
        try:
            return self._pool.submit(verify_blocks, chain_id, chunk)
        except BrokenExecutor:
            return None

    def verdict(self, chunk: list[bytes], future: Future[list[bool]] | None) -> tuple[list[bytes], Sequence[bool]]:
        """The chunk with what is known of each of its blocks."""
        if future is not None and not self._are_lost:
            try:
                return chunk, future.result(VERDICT_SECONDS_MAX)
            except BrokenExecutor:
                pass
            except TimeoutError:
                # One that stopped, or the executor (before Python 3.12) forgot what was given to it while a process died.
                self._are_lost = True
        return chunk, [False] * len(chunk)

    def close(self) -> None:
        """End the processes: those that don't answer, too, for the executor would wait for them."""
        if self._are_lost:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
        self._pool.shutdown(cancel_futures=True)


def verify_blocks(chain_id: ChainId, raw_blocks: Sequence[bytes]) -> list[bool]:
    """Whether each block can be read and all its signatures are good."""
    return [_has_good_signatures(chain_id, raw) for raw in raw_blocks]


def _has_good_signatures(chain_id: ChainId, raw_block: bytes) -> bool:
    try:
        transactions = [decode_transaction(raw, chain_id) for raw in Block.decode(raw_block).transactions]
    except LedgerError:
        return False
    return all(verify_quickly(*check) for tx in transactions for check in signature_checks(tx, chain_id))


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
