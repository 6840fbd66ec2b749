"""Tells the operator when no block comes, or when blocks come and none is made final; and again each time that it has doubled.

Nothing is wrong with the node then, but with the chain: its hash power has gone, and nobody's transactions are taken in; or a third
of its attestors are silent, and what is in blocks rests on work alone.
"""

import threading
from typing import Final

import structlog

from ledger.domains.finality.state import FINALITY_KEY, Finality
from ledger.types import Height, Timestamp
from node.chain import Chain
from node.clock import Clock
from node.tip import TipChanged

log = structlog.get_logger()

STALL_BLOCK_TIMES: Final = 10
"""Of blocks that come by chance, one gap in 22,000 is so long by itself: once in two weeks with T = 60 s."""

SILENT_INTERVALS: Final = 2
"""Of checkpoints without a justification. Votes for one are in a block long before the next, so that even one is rare."""


class StallWatch:
    """Counts from the last block, or from this node's start if that was later. Any thread may ask; one looks."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain, self._clock = chain, clock
        self._lock = threading.Lock()
        self._since: Timestamp = clock.now()
        self._told_s = 0
        chain.subscribe(self._follow)

    def _follow(self, changed: TipChanged) -> None:
        with self._lock:
            waited_s, was_told = self._waited_s(), self._told_s > 0
            self._since, self._told_s = self._clock.now(), 0
        if was_told:
            log.info("chain.goes_on", height=self._chain.tip.height, without_block_s=waited_s)

    def _waited_s(self) -> int:
        return max(self._clock.now() - self._since, 0)

    @property
    def limit_s(self) -> int:
        """So many seconds without a block are a stall."""
        return STALL_BLOCK_TIMES * self._chain.params.era_at(self._chain.next_context().height).block_time_s

    def is_stalled(self) -> bool:
        """Whether no block has come for ten times the block time."""
        return self._waited_s() >= self.limit_s

    def look(self) -> bool:
        """Look at the clock, and tell the operator if it is time; whether that was so. To be called every second or so."""
        with self._lock:
            waited_s = self._waited_s()
            if waited_s < max(self.limit_s, 2 * self._told_s):
                return False
            self._told_s = waited_s
        log.warning(
            "chain.stalled",
            height=self._chain.tip.height,
            without_block_s=waited_s,
            advice="No hash power works on this chain. Let a miner work here (node run --payout, --stratum), or ask those who did.",
        )
        return True


class SilenceWatch:
    """Counts the blocks since the chain last held a checkpoint justified. Any thread may ask; one looks. Idle without attestors."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._lock = threading.Lock()
        self._blocks = 0
        self._told_blocks = 0
        self._final_height = Height(0)
        self._has_attestors = bool(chain.params.attestors)
        self._count()
        chain.subscribe(self._follow)

    def _count(self) -> None:
        """How many blocks lie above the one that held the last justification. In the writer's thread."""
        stored = self._chain.state.stored(FINALITY_KEY) if self._has_attestors else None
        if stored is not None:
            record: Finality = stored.record
            self._blocks = max(self._chain.tip.height - record.silent_since_height, 0)
            self._final_height = record.justified[0].height if record.justified else Height(0)

    def _follow(self, _: TipChanged) -> None:
        with self._lock:
            blocks, was_told = self._blocks, self._told_blocks > 0
            self._count()
            is_over = was_told and self._blocks < blocks
            if is_over:
                self._told_blocks = 0
        if is_over:
            log.info("finality.goes_on", height=self._chain.tip.height, without_justification_blocks=blocks)

    @property
    def limit_blocks(self) -> int:
        """So many blocks without a justification are an alarm."""
        return SILENT_INTERVALS * self._chain.params.checkpoint_interval_blocks

    @property
    def blocks(self) -> int:
        """How many blocks there are since the last justification."""
        return self._blocks

    def is_stalled(self) -> bool:
        """Whether no checkpoint was justified for two intervals."""
        return self._has_attestors and self._blocks >= self.limit_blocks

    def look(self) -> bool:
        """Tell the operator if it is time; whether that was so. To be called every second or so."""
        with self._lock:
            blocks = self._blocks
            if not self.is_stalled() or blocks < 2 * self._told_blocks:
                return False
            self._told_blocks = blocks
        log.warning(
            "finality.stalled",
            height=self._chain.tip.height,
            without_justification_blocks=blocks,
            final_height=self._final_height,
            advice="More than a third of the attestors' weight does not vote here. Ask them; until then blocks rest on work alone.",
        )
        return True
