"""Tells the operator when no block comes: at ten times the chain's block time, and again each time that it has doubled.

Nothing is wrong with the node then, but with the chain: its hash power has gone, and nobody's transactions are taken in.
"""

import threading
from typing import Final

import structlog

from ledger.types import Timestamp
from node.chain import Chain
from node.clock import Clock
from node.tip import TipChanged

log = structlog.get_logger()

STALL_BLOCK_TIMES: Final = 10
"""Of blocks that come by chance, one gap in 22,000 is so long by itself: once in two weeks with T = 60 s."""


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
