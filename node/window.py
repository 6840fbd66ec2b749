"""The transactions of the last blocks: what may not stand in the next one again (spec ENV-5)."""

from collections.abc import Iterable

from ledger.transaction import Identity, Transaction
from ledger.types import Height, TxId


class TransactionWindow:
    """Author and salt of each transaction in the last `blocks_max` active blocks, and its txid."""

    def __init__(self, blocks_max: int) -> None:
        self.txids: dict[bytes, TxId] = {}
        self._blocks_max = blocks_max
        self._keys_by_height: dict[int, list[bytes]] = {}

    def extend(self, height: Height, transactions: Iterable[Transaction | Identity]) -> None:
        """The block at `height` was connected; the one that it pushes out leaves."""
        self._put(height, transactions)
        self._drop(height - self._blocks_max)

    def take_back(self, height: Height) -> Height | None:
        """The block at `height` was taken back: the height of the block that must be given to `restore`, if there is one."""
        self._drop(height)
        returning = Height(height - self._blocks_max)
        return returning if returning > 0 and returning not in self._keys_by_height else None

    def restore(self, height: Height, transactions: Iterable[Transaction | Identity]) -> None:
        """The block at `height` had been pushed out and is one of the last again."""
        self._put(height, transactions)

    def _put(self, height: int, transactions: Iterable[Transaction | Identity]) -> None:
        added = {transaction.once_key: transaction.txid for transaction in transactions}
        self._keys_by_height[height] = list(added)
        self.txids.update(added)

    def _drop(self, height: int) -> None:
        for key in self._keys_by_height.pop(height, ()):
            del self.txids[key]
