"""Blocks of another law: others found them with real work, and this node must refuse them (spec NET-23).

One such block may be somebody's mistake or attack, and costs whoever made it a block's work. A branch of them that gets more work
than the chain here means that most hash power follows rules that this program does not know: it is time for a new version.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.errors import Code
from ledger.pow import target_from_compact, work_of
from ledger.types import Height, Work
from node.errors import NodeError
from node.store.blocks import KnownHeader

log = structlog.get_logger()

OTHER_LAW = Code(
    "law.other",
    "others follow another law since height {height}: {blocks} blocks with real work are refused here ({reason})",
    "Look for a new version of this program and install it; until then do not trust what this node says after that height.",
)
LEAD_BLOCKS: Final = 6
"""So much ahead of this node's chain is no attack any more, and no luck."""
Tip = Callable[[], KnownHeader]


@dataclass(frozen=True, slots=True)
class Branch:
    """A refused block and what was built on it. `height`: of the refused one."""

    height: Height
    reason: str
    work: Work
    blocks: int


class OtherLaw:
    """Remembers the refused branch with the most work. Any thread may ask."""

    def __init__(self, tip: Tip) -> None:
        self._tip = tip
        self._lock = threading.Lock()
        self._branch: Branch | None = None

    def note(self, height: Height, reason: str, work: Work, blocks: int) -> None:
        """A branch of `blocks` blocks whose lowest, at `height`, was refused for `reason`; `work`: of the chain up to its end."""
        with self._lock:
            known = self._branch
            if known is not None and known.work >= work:
                return
            lowest = known if known is not None and known.height <= height else None
            height, reason = (height, reason) if lowest is None else (lowest.height, lowest.reason)
            self._branch = Branch(height, reason, work, max(blocks, 1 if known is None else known.blocks + 1))
            is_first = known is None
        fault = self.fault()
        if fault is not None and (is_first or self.is_leading):
            log.warning("law.other", height=height, reason=reason, leads=self.is_leading, advice=OTHER_LAW.advice)

    @property
    def _lead(self) -> Work:
        """By how much the branch must be ahead, or behind, until it is beyond doubt: some blocks as difficult as the last one."""
        return Work(LEAD_BLOCKS * work_of(target_from_compact(self._tip().header.bits)))

    @property
    def is_leading(self) -> bool:
        """Whether others have clearly more work than this node's chain."""
        with self._lock:
            branch = self._branch
        return branch is not None and branch.work >= self._tip().work + self._lead

    def fault(self) -> NodeError | None:
        """What the operator must hear of; None where there is nothing, or the chain here has left it behind."""
        with self._lock:
            branch = self._branch
            if branch is not None and branch.work + self._lead <= self._tip().work:
                self._branch = branch = None
        if branch is None:
            return None
        return NodeError(OTHER_LAW, height=branch.height, blocks=branch.blocks, reason=branch.reason)

    @property
    def blocks(self) -> int:
        """How many blocks of another law are known; 0 when all is well."""
        return 0 if self.fault() is None or self._branch is None else self._branch.blocks
