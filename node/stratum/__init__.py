"""Stratum v1 for ordinary mining hardware: jobs, shares, and how a block's reward is shared (spec MINE)."""
