"""The window of recent transactions against its plain definition, through growth and taking back."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.types import Height, TxId
from node.window import TransactionWindow


@dataclass(frozen=True)
class Sent:
    """As much of a transaction as the window looks at."""

    once_key: bytes
    txid: TxId


def sent_at(height: int, number: int) -> Any:
    name = f"{height}/{number}".encode()
    return Sent(name, TxId(name * 2))


@given(blocks_max=st.integers(1, 5), steps=st.lists(st.integers(-4, 6), max_size=30))
def test_it_holds_the_last_blocks_and_nothing_else(blocks_max: int, steps: list[int]) -> None:
    window, chain = TransactionWindow(blocks_max), [[sent_at(0, 0)]]
    made = 0
    for step in steps:
        for _ in range(min(-step, len(chain) - 1)):
            height = Height(len(chain) - 1)
            chain.pop()
            returning = window.take_back(height)
            assert (returning is not None) == (height > blocks_max)
            if returning is not None:
                window.restore(returning, chain[returning])
        for _ in range(step):
            made += 1
            block = [sent_at(made, number) for number in range(made % 3)]
            window.extend(Height(len(chain)), block)
            chain.append(block)
        recent = chain[1:][-blocks_max:]
        assert window.txids == {sent.once_key: sent.txid for block in recent for sent in block}
