"""The chain record in slot 0: where every coin is, the free list of slots, and the count of due items (spec STA-2).

`emitted = accounts + pools + locked + escrow + maturing + burned` after every block (spec INV-2).
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.evolve import replace
from ledger.schema import Integer
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Amount, RecordKey, Slot

BUCKETS = ("accounts", "pools", "locked", "escrow", "maturing", "burned")
"""Where coin can be between blocks; what is burned stays so. Within a block there is also `fees`; the reward phase empties it."""

COIN = Integer(0, INTEGER_MAX)


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """Totals of the whole chain. `free_head` 0 ends the free list; `due_sequence` numbers due items."""

    slot_count: Annotated[int, Integer(1, INTEGER_MAX)]
    free_head: Annotated[Slot, Integer(0, INTEGER_MAX)]
    due_sequence: Annotated[int, Integer(0, INTEGER_MAX)]
    emitted: Annotated[Amount, COIN]
    accounts: Annotated[Amount, COIN]
    pools: Annotated[Amount, COIN]
    locked: Annotated[Amount, COIN]
    escrow: Annotated[Amount, COIN]
    maturing: Annotated[Amount, COIN]
    burned: Annotated[Amount, COIN]


CHAIN = Table(b"0", ChainRecord)
CHAIN_KEY: RecordKey = CHAIN.key()


def load_chain_record(view: RuleView) -> ChainRecord:
    """The chain record, which always exists."""
    found: ChainRecord | None = view.get(CHAIN_KEY)
    assert found is not None, "the state has no chain record"
    return found


def next_due_sequence(view: RuleView) -> int:
    """A number that no due item has had."""
    record = load_chain_record(view)
    view.put(CHAIN_KEY, replace(record, due_sequence=record.due_sequence + 1))
    return record.due_sequence
