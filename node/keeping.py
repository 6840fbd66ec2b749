"""How much of the past a node keeps that was told to prune (spec NET-16)."""

from typing import Final

PRUNE_KEEP_MIN: Final = 288
"""What a pruning node keeps at least to go back by: far more than any reorganisation that comes by chance."""
PRUNE_STEP_BLOCKS: Final = 16
PRUNE_BLOCKS_AT_ONCE: Final = 2_000
"""How many blocks may go before any goes, and how many go in one database transaction."""
CERTIFICATES_KEPT_INTERVALS: Final = 26_280
"""So many checkpoints below its last final one, and below its floor, a node that prunes keeps certificates: a year of the main
network, 131 MB with 100 attestors. Whoever starts with a trusted checkpoint that is no older asks for none of those before.
"""
