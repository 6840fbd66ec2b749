"""The transactions of a block: of one from outside, and of one that was good when it was kept."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from ledger.block import Block
from ledger.errors import BlockViolation, LedgerError
from ledger.transaction import Transaction, decode_transaction
from ledger.types import ChainId
from node.refusals import BAD_TRANSACTION
from node.store.engine import corrupt_store

Read = TypeVar("Read")


def decode_transactions(block: Block, chain_id: ChainId) -> list[Transaction]:
    """A block's transactions, in order. Raises `block.transaction` for the first that can't be read."""
    found: list[Transaction] = []
    for position, raw in enumerate(block.transactions):
        try:
            found.append(decode_transaction(raw, chain_id))
        except LedgerError as fault:
            raise BlockViolation(BAD_TRANSACTION, position=position, reason=str(fault)) from fault
    return found


def read_kept(connection: Connection, block: Block, read: Callable[[bytes], Read]) -> list[Read]:
    """What `read` makes of the transactions of a block that was good when it was kept. Raises `store.corrupt`."""
    try:
        return [read(raw) for raw in block.transactions]
    except LedgerError as fault:
        raise corrupt_store(connection, f"a transaction of block {block.hash.hex()}: {fault}") from fault
