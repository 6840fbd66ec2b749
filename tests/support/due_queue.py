"""What waits in the queue of due work, for tests that say when and with which number something comes."""

from ledger.due import DUE, due_time
from ledger.types import Timestamp
from tests.support.memory_chain import Scenario


def queued(chain: Scenario, kind: str) -> list[tuple[Timestamp, bytes, int]]:
    """(when it is due, its subject, its number) of each item of this kind, in the order of the queue."""
    items = chain.state.table(DUE.prefix).items()
    return [(due_time(key), item.subject, item.number) for key, item in items if item.kind == kind]
