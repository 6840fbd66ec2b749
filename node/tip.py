"""What the chain says of its tip: what became of a block, what changed, and a block that lacks only its work."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.block import Block
from ledger.errors import RuleViolation
from ledger.reward import Payee
from ledger.transaction import Transaction
from ledger.types import Amount, BlockHash, Height, Target

PayeesOf = Callable[[Amount], tuple[Payee, ...]]
"""Who is paid what, given the whole reward."""


@dataclass(frozen=True, slots=True)
class ConnectedBlock:
    """A block that joined the active chain, decoded."""

    hash: BlockHash
    height: Height
    transactions: tuple[Transaction, ...]


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
