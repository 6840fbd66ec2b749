"""Putting a block together: commitment, coinbase and header around transactions that were executed. Only the work is missing."""

from collections.abc import Iterable, Sequence

from ledger import coinbase as coinbase_format
from ledger.block import Block, Commitment, transaction_leaf, transaction_root
from ledger.difficulty import next_bits
from ledger.errors import RuleViolation
from ledger.hashing import COMMITMENT, sha256d
from ledger.header import VERSION_BASE, Header
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.transition import BlockExecution
from ledger.types import Amount, Hash, Timestamp
from node.store.blocks import KnownHeader


def root_of(transactions: Sequence[Transaction], codes: Sequence[tuple[str, ...]]) -> Hash:
    """The root of transactions with their result codes."""
    leaves = [transaction_leaf(tx.wtxid, code) for tx, code in zip(transactions, codes, strict=True)]
    return transaction_root(leaves)


def choose_valid(
    execution: BlockExecution, transactions: Iterable[Transaction]
) -> tuple[list[Transaction], list[tuple[Transaction, RuleViolation]]]:
    """Add as many transactions to a block as are valid and fit, in their order; those, and the others with why not."""
    kept: list[Transaction] = []
    dropped: list[tuple[Transaction, RuleViolation]] = []
    for transaction in transactions:
        try:
            execution.add(transaction)
            kept.append(transaction)
        except RuleViolation as fault:
            dropped.append((transaction, fault))
    return kept, dropped


def assemble_block(
    params: Params,
    tip: KnownHeader,
    commitment: Commitment,
    transactions: Sequence[Transaction],
    codes: tuple[tuple[str, ...], ...],
    *,
    reward: Amount,
    time: Timestamp,
) -> Block:
    """The block that follows `tip`, its nonce 0; a time that is not after the parent's is moved on."""
    encoded = commitment.encode()
    coinbase = coinbase_format.build(
        height=commitment.height,
        extranonce=coinbase_format.Extranonce(bytes(8)),
        reward=reward,
        magic=coinbase_format.Magic(params.magic),
        commitment=COMMITMENT(encoded),
    )
    bits = next_bits(params.difficulty_eras, tip.difficulty)
    header_time = Timestamp(max(time, tip.header.time + 1))
    header = Header(VERSION_BASE, tip.hash, Hash(sha256d(coinbase)), header_time, bits, 0)
    return Block(header, coinbase, encoded, tuple(tx.raw for tx in transactions), codes)
