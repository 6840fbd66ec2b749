"""The state at the tip, read from the `records` table and kept decoded in memory as far as there is room."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ledger.codec import unpack
from ledger.errors import Malformed
from ledger.merkle import IncrementalTree
from ledger.state import SlotContent, Stored, decode_record
from ledger.transition import Transition, Undo
from ledger.types import Hash, RecordKey, Slot
from node.store.damage import check_types, present
from node.store.engine import Bulk, ManyKeys, corrupt_store, read
from node.store.tables import records

RECORDS_REMEMBERED = 400_000
"""Decoded records kept in memory: about 300 MB at worst; the oldest half is dropped when it is full."""
KEYS_PER_QUERY = 500
"""Keys of one prefetch query: below SQLite's and PostgreSQL's limits on parameters."""
SLOTS_PER_QUERY = 32
"""Slots whose keys are read at once when a block is taken back; most blocks change a few, and unused places cost time too."""
_UNKNOWN: Any = object()


class StoreState:
    """A `StateView` over the database; the one writer's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[RecordKey, Stored | None] = {}
        self._first: dict[RecordKey, RecordKey | None] = {}
        self._by_key = select(records.c.slot, records.c.value).where(records.c.key == bindparam("wanted"))
        self._free = select(records.c.next_free).where(records.c.slot == bindparam("wanted"))
        columns = select(records.c.key, records.c.slot, records.c.value)
        self._many = ManyKeys(connection, columns, records.c.key, KEYS_PER_QUERY)
        at_slots = select(records.c.slot, records.c.key)
        self._slots = ManyKeys(connection, at_slots, records.c.slot, SLOTS_PER_QUERY)
        self._update = Bulk(
            connection,
            update(records).where(records.c.slot == bindparam("at")).values(value=bindparam("new_value")),
            ("new_value", "at"),
        )
        self._insert = Bulk(connection, insert(records), ("slot", "key", "value", "next_free"))
        self._delete = Bulk(connection, delete(records).where(records.c.slot == bindparam("at")), ("at",))

    def stored(self, key: RecordKey) -> Stored | None:
        """The record under `key` with its slot, or None."""
        found = self._known.get(key, _UNKNOWN)
        if found is not _UNKNOWN:
            return found
        row = read(self._connection, self._by_key, {"wanted": key}).first()
        return self._remember(key, row)

    def _remember(self, key: RecordKey, row: Any) -> Stored | None:
        """Decode what the database gave. Raises `store.corrupt`, never what would blame a block."""
        if len(self._known) >= RECORDS_REMEMBERED:
            for old in list(self._known)[: RECORDS_REMEMBERED // 2]:
                del self._known[old]
        try:
            found = None if row is None else Stored(Slot(row[0]), row[1], decode_record(key, unpack(row[1])))
        except (Malformed, TypeError) as fault:
            raise corrupt_store(self._connection, f"record {key.hex()}: {fault}") from fault
        self._known[key] = found
        return found

    def prefetch(self, keys: Iterable[RecordKey]) -> None:
        """Read many records in few queries, so that a block's rules find them in memory."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self._known]
        found = {row[0]: row[1:] for row in self._many.rows(wanted)}
        for key in wanted:
            self._remember(key, found.get(key))

    def next_free(self, slot: Slot) -> Slot:
        """The free slot that follows the free slot `slot`."""
        found = read(self._connection, self._free, {"wanted": slot}).scalar()
        return Slot(present(self._connection, found, f"slot {slot}"))

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        """The smallest key of a table that is greater than `after`. Remembered: every block asks for the next due work."""
        if after in self._first:
            return self._first[after]
        end = bytes((prefix[0] + 1,))
        query = select(records.c.key).where(records.c.key > after, records.c.key < end).order_by(records.c.key).limit(1)
        found = read(self._connection, query).scalar()
        first = None if found is None else RecordKey(found)
        if after == RecordKey(prefix):  # only the start of a table, so that there is nothing to bound
            self._first[after] = first
        return first

    def content(self, slot: Slot) -> SlotContent | None:
        """What a slot holds now; None if it does not exist."""
        row = read(self._connection, select(records).where(records.c.slot == slot)).first()
        if row is None:
            return None
        return SlotContent(RecordKey(row.key or b""), row.value, Slot(row.next_free))

    def write_genesis(self, contents: Sequence[tuple[Slot, SlotContent]]) -> None:
        """Write the first records; the database transaction is the caller's."""
        self._replace((), contents)

    def write(self, transition: Transition) -> None:
        """Write a block's records; the database transaction is the caller's."""
        if not self._first.keys().isdisjoint({RecordKey(key[:1]) for key in transition.records}):
            self._first.clear()
        before = dict(transition.undo.contents)
        updated: list[tuple[bytes, int]] = []
        replaced: list[tuple[int, SlotContent]] = []
        for slot, content in transition.contents:
            old = before[slot]
            if old is not None and old.key == content.key and content.key:
                updated.append((content.value_bytes, slot))
            else:
                replaced.append((slot, content))
        self._replace([slot for slot, _ in replaced if before[Slot(slot)] is not None], replaced)
        self._update.run(updated)
        for key, record in transition.records.items():
            if record is None:
                self._known[key] = None
        for slot, content in transition.contents:
            if content.key:
                self._known[content.key] = Stored(slot, content.value_bytes, transition.records[content.key])

    def _replace(self, gone: Sequence[int], rows: Sequence[tuple[int, SlotContent]]) -> None:
        self._delete.run([(slot,) for slot in gone])
        self._insert.run(
            [(slot, content.key or None, content.value_bytes, content.next_free) for slot, content in rows]
        )

    def take_back(self, undo: Undo) -> None:
        """Restore what the slots held before a block."""
        self._first.clear()
        slots: Any = [slot for slot, _ in undo.contents]
        found = dict(map(tuple, self._slots.rows(slots)))
        for slot, _ in undo.contents:
            if slot not in found:
                raise corrupt_store(self._connection, f"slot {slot} is missing")
            self._known.pop(RecordKey(found[slot] or b""), None)
        for _, old in undo.contents:
            if old is not None:
                self._known.pop(old.key, None)
        self._replace(
            [slot for slot, _ in undo.contents],
            [(slot, content) for slot, content in undo.contents if content is not None],
        )

    def forget(self) -> None:
        """Drop what is remembered: the database transaction was rolled back."""
        self._known.clear()
        self._first.clear()


class StateTree:
    """The state root's tree in memory: a cache that is rebuilt from the records when it may not match them."""

    def __init__(self) -> None:
        self.tree = IncrementalTree()
        self._root: Hash | None = None

    def root(self) -> Hash:
        """The root as it is now, remembered until something changes."""
        if self._root is None:
            self._root = self.tree.root()
        return self._root

    def rebuild(self, connection: Connection) -> None:
        """Read every slot in order. Raises `store.corrupt`."""
        check_types(connection)
        query = select(records.c.slot, records.c.key, records.c.value, records.c.next_free).order_by(records.c.slot)
        rows = connection.execute(query, execution_options={"yield_per": 10_000})
        self.tree = IncrementalTree(
            SlotContent(RecordKey(key or b""), value, Slot(free)).leaf() for _, key, value, free in rows
        )
        self._root = None

    def apply(self, transition: Transition) -> Hash:
        """The root after a block."""
        size = len(self.tree)
        changed = [(slot, content.leaf()) for slot, content in transition.contents]
        self.tree.update([item for item in changed if item[0] < size])
        self.tree.extend([leaf for slot, leaf in changed if slot >= size])
        assert len(self.tree) == transition.slot_count, "the tree and the slots differ in number"
        self._root = self.tree.root()
        return self._root

    def preview(self, transition: Transition) -> Hash:
        """The root that a block would have; the tree stays as it is."""
        before, after = self.root(), self.apply(transition)
        self.take_back(transition.undo)
        self._root = before
        return after

    def take_back(self, undo: Undo) -> None:
        """The tree as it was before a block."""
        self._root = None
        self.tree.truncate(undo.slot_count)
        self.tree.update([(slot, content.leaf()) for slot, content in undo.contents if content is not None])
