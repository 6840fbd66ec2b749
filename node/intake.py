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
from contextlib import ExitStack, suppress
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
    pool = ProcessPoolExecutor(workers, context, initializer=_end_with_parent)
    stack.callback(pool.shutdown, cancel_futures=True)
    ahead: deque[tuple[list[bytes], Future[list[bool]] | None]] = deque()
    for number, chunk in enumerate(chunks):
        future = None
        if number:  # the first is applied while the processes start
            with suppress(BrokenExecutor):
                future = pool.submit(verify_blocks, chain_id, chunk)
        ahead.append((chunk, future))
        if len(ahead) > CHUNKS_AHEAD_PER_WORKER * workers:
            yield _verdict(*ahead.popleft())
    while ahead:
        yield _verdict(*ahead.popleft())


def _verdict(chunk: list[bytes], future: Future[list[bool]] | None) -> tuple[list[bytes], Sequence[bool]]:
    with suppress(BrokenExecutor):
        if future is not None:
            return chunk, future.result()
    return chunk, [False] * len(chunk)  # the first, or a process was killed: the chain verifies them itself


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
