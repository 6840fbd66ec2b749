"""Tells the operator when nothing is justified any more: after two intervals, and again each time that the gap has doubled."""

import structlog

from node.chain import Chain

log = structlog.get_logger()


def is_silent(tip_height: int, justified_height: int, interval: int) -> bool:
    """Whether two intervals of blocks have come since the last justified checkpoint: one is usual, as votes follow it."""
    return tip_height - justified_height > 2 * interval


class SilenceWatch:
    """Looks at a chain with attestors, under its owner's lock; elsewhere it says nothing."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._told_blocks = 0

    @property
    def blocks_since_justified(self) -> int:
        """How many blocks lie above the highest justified checkpoint; 0 without attestors. Any thread may ask."""
        finality = self._chain.finality
        return max(self._chain.tip.height - finality.known.justified.height, 0) if finality.is_active else 0

    def is_silent(self) -> bool:
        """Whether no checkpoint was justified for two intervals. Any thread may ask."""
        interval = self._chain.params.checkpoint_interval_blocks
        return self._chain.finality.is_active and is_silent(self.blocks_since_justified, 0, interval)

    def look(self) -> bool:
        """Look, and tell the operator if it is time; whether that was so. To be called every second or so."""
        finality = self._chain.finality
        if not finality.is_active:
            return False
        justified, tip = finality.known.justified, self._chain.tip
        missing = tip.height - justified.height
        if not is_silent(tip.height, justified.height, self._chain.params.checkpoint_interval_blocks):
            if self._told_blocks:
                log.info("finality.goes_on", justified=justified.height)
            self._told_blocks = 0
            return False
        if self._told_blocks and missing < 2 * self._told_blocks:
            return False
        self._told_blocks = missing
        log.warning(
            "finality.silent",
            justified=justified.height,
            without_justification_blocks=missing,
            advice="More than a third of the attestors' weight is not heard. Ask them: above that only work decides now.",
        )
        return True
