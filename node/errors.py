"""Faults of the machine, as opposed to the law: a store that can't be used, a port that is taken, a pool that is full."""

from ledger.errors import LedgerError


class NodeError(LedgerError):
    """A fault of this node or its surroundings. Says nothing about any transaction or block."""
