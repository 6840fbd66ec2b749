"""Due work: what blocks do by themselves when a time has come (spec DUE).

An item lives under `Q` + due time + sequence, both 8 bytes, so the queue is walked in key order. A piece of work that is not
finished goes to the back of the queue with a new sequence number, so nobody's thousand refunds delay another's one.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.schema import Integer, Octets, Text
from ledger.state import RuleView, Table
from ledger.supply import next_due_sequence
from ledger.types import INTEGER_MAX, RecordKey, Timestamp


@dataclass(frozen=True, slots=True)
class DueItem:
    """One piece of work: the kind of due work, its subject's id, and a number that the kind reads."""

    kind: Annotated[str, Text(1, 32)]
    subject: Annotated[bytes, Octets(32, 32)]
    number: Annotated[int, Integer(0, INTEGER_MAX)]


DUE = Table(b"Q", DueItem)
QUEUE_START = RecordKey(b"Q")


def schedule(view: RuleView, *, kind: str, subject: bytes, number: int, due: Timestamp) -> None:
    """Put an item into the queue. It is done in the first block whose chain clock is at or after `due`, or later."""
    sequence = next_due_sequence(view)
    key = RecordKey(b"Q" + due.to_bytes(8, "big") + sequence.to_bytes(8, "big"))
    view.put(key, DueItem(kind, subject, number))


def due_time(key: RecordKey) -> Timestamp:
    """When the item under `key` is due."""
    return Timestamp(int.from_bytes(key[1:9], "big"))
