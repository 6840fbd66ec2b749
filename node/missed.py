"""What changed on the active chain while nobody was told: a commit whose outcome was not known, or another writer meanwhile."""

from collections.abc import Callable

from ledger.transaction import Transaction
from ledger.types import BlockHash
from node.store.blocks import BlockStore, KnownHeader
from node.tip import ChangedBlocks, ConnectedBlock, TipChanged


def find_missed_change(
    store: BlockStore, told: KnownHeader, tip: KnownHeader, read: Callable[[BlockHash], tuple[Transaction, ...]]
) -> TipChanged:
    """How the chain came from `told`, the last tip that listeners heard of, to `tip`. Raises `store.corrupt`."""

    def parent_of(known: KnownHeader) -> KnownHeader:
        found = store.header(known.header.previous)
        if found is None:
            raise store.corrupt(f"the header below block {known.height} is missing")
        return found

    gone, new = ChangedBlocks(read), ChangedBlocks(read)
    branch: list[KnownHeader] = []
    while told.hash != tip.hash:
        if told.height >= tip.height:
            gone.add(ConnectedBlock(told.hash, told.height, read(told.hash)))
            told = parent_of(told)
        else:
            branch.append(tip)
            tip = parent_of(tip)
    for known in reversed(branch):
        new.add(ConnectedBlock(known.hash, known.height, read(known.hash)))
    return TipChanged(new.blocks, gone.blocks)
