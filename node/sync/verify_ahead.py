"""Signatures of blocks that wait for their turn, verified by other processes while earlier blocks are applied here.

What a process does not answer in time, or is too little to be worth the way, the chain verifies itself when its turn comes.
"""

import os
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor, Future
from contextlib import ExitStack
from dataclasses import dataclass, field

from ledger.block import Block
from ledger.types import BlockHash, ChainId
from node.chain import NOTHING_AHEAD, Ahead
from node.intake import WORKERS_MAX, Decoded, Helpers, read_ahead

SIGNATURES_TOGETHER = 512
"""Of one question to a process: about 50 ms of work."""
WAITING_SECONDS_MAX = 2.0
TRANSACTIONS_MAX = 16_000
"""Decoded ones that wait: about 80 MB, and some blocks of the largest."""
IDLE_SECONDS = 30
"""After so long without a question the processes are ended."""


@dataclass(slots=True)
class Chunk:
    """Blocks that are asked about together. `verdicts` None: not asked, or not answered yet."""

    blocks: list[Decoded] = field(default_factory=list)
    future: Future[list[bool]] | None = None
    signatures: int = 0


class VerifyAhead:
    """For one thread. `workers` None: one less than there are processors."""

    def __init__(self, chain_id: ChainId, workers: int | None = None) -> None:
        self._chain_id = chain_id
        self._workers = min((os.cpu_count() or 1) - 1, WORKERS_MAX) if workers is None else workers
        self._places: dict[BlockHash, tuple[Chunk, int]] = {}
        self._open = Chunk()
        self._stack = ExitStack()
        self._helpers: Helpers | None = None
        self._asked_at = 0.0
        self._transactions = 0

    def __contains__(self, block_hash: BlockHash) -> bool:
        return block_hash in self._places

    @property
    def has_room(self) -> bool:
        """Whether another block can be read ahead."""
        return self._workers > 0 and self._transactions < TRANSACTIONS_MAX

    def put(self, block: Block, block_hash: BlockHash, now: float) -> None:
        """A block waits for its turn from now on."""
        decoded = read_ahead(block, b"", self._chain_id)
        chunk = self._open
        self._places[block_hash] = chunk, len(chunk.blocks)
        self._transactions += len(block.transactions)
        chunk.blocks.append(decoded)
        chunk.signatures += len(decoded.checks)
        if chunk.signatures >= SIGNATURES_TOGETHER:
            self._ask(chunk, now)

    def _ask(self, chunk: Chunk, now: float) -> None:
        if self._helpers is None:
            self._helpers = Helpers(self._stack, self._workers)
        chunk.future = self._helpers.ask(chunk.blocks)
        self._asked_at = now
        self._open = Chunk()

    def take(self, block_hash: BlockHash) -> Ahead:
        """What was done for a block whose turn it is."""
        place = self._places.get(block_hash)
        if place is None:
            return NOTHING_AHEAD
        chunk, index = place
        self.forget((block_hash,))
        if chunk is self._open:
            self._open = Chunk()  # its turn came before there was enough to ask about
        decoded = chunk.blocks[index]
        if decoded.transactions is None or chunk.future is None:
            return Ahead(decoded.transactions)
        try:
            return Ahead(decoded.transactions, chunk.future.result(WAITING_SECONDS_MAX)[index])
        except (BrokenExecutor, TimeoutError):
            return Ahead(decoded.transactions)

    def forget(self, block_hashes: Iterable[BlockHash]) -> None:
        """Blocks that will have no turn."""
        for block_hash in block_hashes:
            place = self._places.pop(block_hash, None)
            if place is not None:
                block = place[0].blocks[place[1]].block
                self._transactions -= 0 if block is None else len(block.transactions)

    def tick(self, now: float) -> None:
        """End the processes when there was nothing to do for them."""
        if self._helpers is not None and not self._places and now - self._asked_at > IDLE_SECONDS:
            self.close()

    def close(self) -> None:
        """End the processes; others are started when there is something to do again."""
        self._helpers = None
        self._stack.close()
