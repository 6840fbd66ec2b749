"""What changed on the active chain while nobody was told: a commit whose outcome was not known, or another writer meanwhile."""

from collections.abc import Callable

from ledger.block import Block
from ledger.transaction import Transaction
from node.store.blocks import BlockStore, KnownHeader
from node.tip import ConnectedBlock, TipChanged


def find_missed_change(
    store: BlockStore, told: KnownHeader, tip: KnownHeader, decode: Callable[[Block], list[Transaction]]
) -> TipChanged:
    """How the chain came from `told`, the last tip that listeners heard of, to `tip`. Raises `store.corrupt`."""

    def parent_of(known: KnownHeader) -> KnownHeader:
        found = store.header(known.header.previous)
        if found is None:
            raise store.corrupt(f"the header below block {known.height} is missing")
        return found

    def connected(known: KnownHeader) -> ConnectedBlock:
        block = store.body(known.hash)
        if block is None:
            raise store.corrupt(f"the body of block {known.height} is missing")
        return ConnectedBlock(known.hash, known.height, tuple(decode(block)))

    gone: list[KnownHeader] = []
    new: list[KnownHeader] = []
    while told.hash != tip.hash:
        if told.height >= tip.height:
            gone.append(told)
            told = parent_of(told)
        else:
            new.append(tip)
            tip = parent_of(tip)
    return TipChanged(tuple(connected(known) for known in reversed(new)), tuple(connected(known) for known in gone))
