"""What the chain did, as fields in the log: each new tip, and what was taken back for it."""

import structlog

from node.chain import Chain
from node.tip import TipChanged

log = structlog.get_logger()


class TipLog:
    """One line for each change of the tip; while many blocks come in a row, one for all that were committed together."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        chain.subscribe(self._follow)

    def _follow(self, changed: TipChanged) -> None:
        tip, gone = self._chain.tip, changed.disconnected
        shown = {"height": tip.height, "tip": tip.hash[::-1].hex(), "blocks": len(changed.connected)}
        if gone:
            left, fork = gone[0].hash[::-1].hex(), gone[-1].height - 1
            log.warning("tip.reorganised", **shown, depth=len(gone), left=left, fork_height=fork)
        else:
            transactions = sum(len(block.transactions) for block in changed.connected)
            log.info("tip.changed", **shown, transactions=transactions)
