"""Every row of the store that holds an account's address, whatever wrote it: found by looking at all rows, not by knowing where.

So it misses nothing when the ledger learns new kinds, records or events. It costs a pass over each table, seconds on a chain of a
year: for rare questions, such as what a node holds on somebody.
"""

from dataclasses import dataclass
from typing import Any

from ledger.codec import unpack
from ledger.events import Event, event_shape
from ledger.state import SlotContent, Table, decode_record
from ledger.transition import Undo
from ledger.types import Address, BlockHash, Height, RecordKey, Slot
from node.store.queries import Queries


@dataclass(frozen=True, slots=True)
class BlockMention:
    """A block, of the active chain or of another branch, that holds the address."""

    hash: BlockHash
    height: Height
    is_active: bool


@dataclass(frozen=True, slots=True)
class RecordMention:
    """A record as it is now, or, where `undo_height` is set, as it was before the block at that height."""

    table: str
    slot: Slot
    key: RecordKey
    value_bytes: bytes
    record: Any
    undo_height: Height | None = None


@dataclass(frozen=True, slots=True)
class EventMention:
    """A row of the read model's histories."""

    height: Height
    sequence: int
    subject: bytes
    event: Event


@dataclass(frozen=True, slots=True)
class ListMention:
    """A row of the read model's lists."""

    parent: bytes
    kind: str
    id: bytes
    height: Height
    sequence: int


class Mentions:
    """Where an address stands in one snapshot of the store."""

    def __init__(self, cursor: Any, queries: Queries, account: Address) -> None:
        self._cursor = cursor
        self._queries = queries
        self._account = account

    def blocks(self) -> list[BlockMention]:
        """Blocks by height."""
        rows = self._queries.blocks_holding.rows(self._cursor, self._account)
        return [
            BlockMention(BlockHash(block_hash), Height(height), active is not None)
            for block_hash, height, active in rows
        ]

    def records(self) -> list[RecordMention]:
        """Records by key."""
        rows = self._queries.records_holding.rows(self._cursor, self._account)
        return [_record_of(Slot(slot), RecordKey(key), value) for slot, key, value in rows]

    def earlier_records(self) -> list[RecordMention]:
        """What records were before the blocks that can be taken back, by height."""
        found: list[RecordMention] = []
        for height, data in self._queries.undo_holding.rows(self._cursor, self._account):
            for slot, content in Undo.decode(data).contents:
                if content is not None and content.key and self._is_in(content):
                    found.append(_record_of(slot, content.key, content.value_bytes, Height(height)))
        return found

    def _is_in(self, content: SlotContent) -> bool:
        return self._account in content.key or self._account in content.value_bytes

    def events(self) -> list[EventMention]:
        """Rows of histories, by place."""
        rows = self._queries.history_holding.rows(self._cursor, self._account)
        return [
            EventMention(Height(height), sequence, subject, event_shape(name).decode(unpack(data), name))
            for height, sequence, subject, name, data in rows
        ]

    def lists(self) -> list[ListMention]:
        """Rows of lists, by list."""
        rows = self._queries.listing_holding.rows(self._cursor, self._account)
        return [
            ListMention(parent, kind, found, Height(height), sequence) for parent, kind, found, height, sequence in rows
        ]


def _record_of(slot: Slot, key: RecordKey, value: bytes, undo_height: Height | None = None) -> RecordMention:
    table = Table.catalogue[key[0]].name
    return RecordMention(table, slot, key, value, decode_record(key, unpack(value)), undo_height)
