"""What a program waits for before it hands out what fans redeemed: its owner's choice, off the chain (spec RWD-11)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.words import counted
from ledger.domains.rewards.acceptance import ACCEPTANCE_DEPTH_MAX, SETTLED_DEPTH

if TYPE_CHECKING:
    from node.depth import Depth

POOL: Final = "pool"
BLOCKS: Final = "blocks"
JUSTIFIED: Final = "justified"
FINAL: Final = "final"
LEVELS: Final = (POOL, BLOCKS, JUSTIFIED, FINAL)
ATTESTED_LEVELS: Final = (JUSTIFIED, FINAL)
"""They never come on a chain without attestors."""
BLOCKS_MAX: Final = ACCEPTANCE_DEPTH_MAX


@dataclass(frozen=True, slots=True)
class HandOut:
    """The choice. `blocks` counts for the level of that name alone, and is 0 elsewhere; `chosen_at` 0: nothing was said.

    Six blocks by default: it is what people know, it is over within minutes, and it stands on chains without attestors too.
    """

    level: str = BLOCKS
    blocks: int = SETTLED_DEPTH
    chosen_at: int = 0

    def is_reached(self, depth: "Depth") -> bool:
        """Whether a redemption at this depth is handed out; it is in a block or waits for one."""
        if self.level == POOL or depth.final:
            return True
        if self.level == BLOCKS:
            return depth.confirmations >= self.blocks
        return self.level == JUSTIFIED and bool(depth.justified)

    @property
    def wanted(self) -> str:
        """What is waited for, as a clause about a redemption: "6 blocks stand on it"."""
        if self.level == BLOCKS:
            return f"{counted(self.blocks, 'block')} {'stands' if self.blocks == 1 else 'stand'} on it"
        return {POOL: "it is seen", JUSTIFIED: "it is justified", FINAL: "it is final"}[self.level]


def read_hand_out(text: str) -> HandOut:
    """The choice that somebody typed: pool, a number of blocks, justified, final. Raises ValueError with what may be typed."""
    level = text.strip().lower()
    if level in LEVELS and level != BLOCKS:
        return HandOut(level, 0)
    if level.isascii() and level.isdigit() and 1 <= int(level) <= BLOCKS_MAX:
        return HandOut(BLOCKS, int(level))
    raise ValueError(f"it is pool, a number of blocks from 1 to {BLOCKS_MAX:,}, justified, or final")
