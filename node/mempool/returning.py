"""What a change of the tip gives back to the pool: transactions of blocks that were taken back and are not in others.

Only what could stand in the next block comes back. Blocks older than a transaction can live are not even read for that, and of the
expired no more are named than the pool remembers, so that the depth of a reorganisation costs time and no memory.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from ledger.errors import LedgerError
from ledger.params import Params
from ledger.transaction import Transaction, decode_transaction
from ledger.types import Height, TxId
from node.chain import Chain
from node.tip import ConnectedBlock, TipChanged

PUT_BACK_MAX = 20_000
"""Transactions of stale blocks that are read at a start: a pool holds no more small ones."""


@dataclass(frozen=True, slots=True)
class Returned:
    """`confirmed`: the known ones that stand in connected blocks. `expired`: taken back too late to be mined, oldest first."""

    confirmed: set[TxId]
    expired: list[Transaction]


class TakenBack:
    """Where transactions stood whose block the chain has left: the last `count_max` of them (spec FIN-11).

    Ask for those that are in no block now: what was mined again meanwhile is not taken out.
    """

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._heights: dict[TxId, Height] = {}

    def note(self, changed: TipChanged) -> None:
        """Follow a change of the tip. Of more than can be remembered the highest blocks count, and no others are read."""
        found = (
            (transaction.txid, block.height) for block in changed.disconnected for transaction in block.transactions
        )
        for txid, height in islice(found, self._count_max):
            self._heights.pop(txid, None)
            self._heights[txid] = height
        while len(self._heights) > self._count_max:
            del self._heights[next(iter(self._heights))]

    def height_of(self, txid: TxId) -> Height | None:
        """The height of the block that held it last; None where none did, as far as is remembered."""
        return self._heights.get(txid)


def sort_out(
    changed: TipChanged, known: tuple[Container[TxId], ...], next_height: Height, expired_max: int
) -> Returned:
    """Read the blocks of a change once: what was known here and is mined now, and what was mined and has expired."""
    expired: dict[TxId, Transaction] = {}
    for block in changed.disconnected:
        for transaction in block.transactions:
            if transaction.body.valid_until < next_height and len(expired) < expired_max:
                expired[transaction.txid] = transaction
        if len(expired) >= expired_max:
            break
    confirmed: set[TxId] = set()
    for block in changed.connected:
        for transaction in block.transactions:
            expired.pop(transaction.txid, None)
            if any(transaction.txid in place for place in known):
                confirmed.add(transaction.txid)
    return Returned(confirmed, list(expired.values())[::-1])


def still_possible(
    changed: TipChanged, window: Mapping[bytes, TxId], params: Params, next_height: Height
) -> Iterator[Transaction]:
    """What was taken back, has not expired and is in no block now, in the order in which it was mined."""
    for block in reversed(changed.disconnected):
        if _can_hold_living(block, params, next_height):
            for transaction in block.transactions:
                is_mined = window.get(transaction.once_key) == transaction.txid
                if transaction.body.valid_until >= next_height and not is_mined:
                    yield transaction


def read_stale(chain: Chain) -> list[Transaction]:
    """What stands in blocks that are in the store, not in the active chain, and young enough to hold what can still be mined.

    Each once, the lowest block first. Bytes that are no transaction are left out: such a block was never connected.
    """
    first = Height(max(1, chain.tip.height + 2 - chain.params.validity_blocks_max))
    found: dict[TxId, Transaction] = {}
    raws = (raw for block in chain.blocks.stale_blocks(first) for raw in block.transactions)
    for raw in islice(raws, PUT_BACK_MAX):
        try:
            transaction = decode_transaction(raw, chain.chain_id)
        except LedgerError:
            continue
        found.setdefault(transaction.txid, transaction)
    return list(found.values())


def _can_hold_living(block: ConnectedBlock, params: Params, next_height: Height) -> bool:
    """A transaction is valid for `validity_blocks_max` heights at most, its block's among them (spec ENV-5)."""
    return block.height > next_height - params.validity_blocks_max
