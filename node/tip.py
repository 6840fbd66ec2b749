"""What the chain says of its tip: what became of a block, what changed, and a block that lacks only its work."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ledger.block import Block
from ledger.errors import RuleViolation
from ledger.reward import Payee
from ledger.transaction import Transaction
from ledger.types import Amount, BlockHash, Height, Target

PayeesOf = Callable[[Amount], tuple[Payee, ...]]
"""Who is paid what, given the whole reward."""


TRANSACTIONS_HELD_MAX = 20_000
"""Decoded transactions that one change keeps in memory on each side of the fork (about 5 KB each): two full blocks of transfers."""


@dataclass(frozen=True, slots=True)
class ConnectedBlock:
    """A block that joined the active chain or left it. `held` are its transactions, or how to read them again."""

    hash: BlockHash
    height: Height
    held: tuple[Transaction, ...] | Callable[[], tuple[Transaction, ...]]

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """The block's transactions, decoded. Ask while listening, or under the node's lock: they may come from the store."""
        return self.held() if callable(self.held) else self.held


class ChangedBlocks:
    """The blocks of a deep change: the first ones decoded, the others without their transactions, which are read when asked for.

    So a reorganisation of any depth needs a bounded amount of memory.
    """

    def __init__(self, read: Callable[[BlockHash], tuple[Transaction, ...]]) -> None:
        self._read = read
        self._room = TRANSACTIONS_HELD_MAX
        self._blocks: list[ConnectedBlock] = []

    def add(self, block: ConnectedBlock) -> None:
        """Add the next block."""
        self._room -= len(block.transactions)
        self._blocks.append(block if self._room >= 0 else replace(block, held=partial(self._read, block.hash)))

    @property
    def blocks(self) -> tuple[ConnectedBlock, ...]:
        """All of them, in the order in which they were added."""
        return tuple(self._blocks)


@dataclass(frozen=True, slots=True)
class TipChanged:
    """The active chain changed: blocks taken back (highest first), then blocks connected (lowest first)."""

    connected: tuple[ConnectedBlock, ...]
    disconnected: tuple[ConnectedBlock, ...]


@dataclass(frozen=True, slots=True)
class AcceptedBlock:
    """What became of a block: whether it was new, and whether the active chain ends with it or a descendant."""

    hash: BlockHash
    is_new: bool
    is_tip: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A block that lacks only its work."""

    block: Block
    target: Target
    height: Height
    reward: Amount
    dropped: tuple[tuple[Transaction, RuleViolation], ...]
