"""Records in numbered slots, and the overlay in which a block is applied (spec STA).

A record lives under a key (one table byte, then fixed-width parts) and in a slot. The state root is the RFC 9162 root over the
slots. Rules see records only: `Overlay.get`, `put`, `delete`. Slots are given out at the end of each phase of a block, from the
phase's net effect, in an order that every node computes alike.

An overlay lies over a `StateView` (the store or a dictionary, never another overlay), collects writes, events and postings, and
can roll a transaction back: `mark()` before, `roll_back(mark)` on a violation.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from ledger.codec import pack, pack_shaped
from ledger.events import Event
from ledger.hashing import FREE_SLOT
from ledger.merkle import leaf_hash
from ledger.schema import Struct
from ledger.types import Hash, RecordKey, Slot

RecordType = TypeVar("RecordType")

FREE_SLOT_MARK = FREE_SLOT(b"")
"""First item of a free slot's leaf: no record key is this long, so a free slot can't be taken for a record."""

NO_SLOT = Slot(0)
"""End of the free list. Slot 0 always holds the chain record, so it is never free."""


class Table(Generic[RecordType]):
    """One kind of record: its table byte and its shape. Each domain declares its own tables in its `state.py`."""

    catalogue: ClassVar[dict[int, "Table[Any]"]] = {}
    __slots__ = ("name", "prefix", "shape")

    def __init__(self, prefix: bytes, cls: type[RecordType]) -> None:
        assert len(prefix) == 1, "a table has one prefix byte"
        self.prefix = prefix
        self.name = cls.__name__
        self.shape = Struct(cls)
        earlier = Table.catalogue.setdefault(prefix[0], self)
        assert earlier.name == self.name, f"tables {earlier.name} and {self.name} share the prefix {prefix!r}"

    def key(self, *parts: bytes) -> RecordKey:
        """The key of the record that `parts` name; their widths are fixed by the table."""
        return RecordKey(b"".join((self.prefix, *parts)))


def encode_record(key: RecordKey, record: Any) -> bytes:
    """The canonical bytes of a record's value."""
    return pack_shaped(Table.catalogue[key[0]].shape.encode(record))


def decode_record(key: RecordKey, value: Any) -> Any:
    """The record whose unpacked value is given."""
    table = Table.catalogue[key[0]]
    return table.shape.decode(value, table.name)


def record_leaf(key: RecordKey, value_bytes: bytes) -> Hash:
    """Leaf hash of an occupied slot: RFC 9162 leaf of the canonical [key, value] (spec STA-3)."""
    return Hash(leaf_hash(b"\x92" + pack_shaped(key) + value_bytes))


def free_leaf(next_free: Slot) -> Hash:
    """Leaf hash of a free slot: RFC 9162 leaf of the canonical [mark, next free slot] (spec STA-4)."""
    return Hash(leaf_hash(pack((FREE_SLOT_MARK, next_free))))


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it stands under a root: its slot, its canonical value bytes, and the record itself."""

    slot: Slot
    value_bytes: bytes
    record: Any


class StateView(Protocol):
    """What the ledger needs to read. The store, a snapshot and a plain dictionary can all be one."""

    def stored(self, key: RecordKey) -> Stored | None:
        """The record under `key` with its slot, or None."""
        ...

    def next_free(self, slot: Slot) -> Slot:
        """The free slot that follows the free slot `slot` in the free list."""
        ...

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        """The smallest key of the table `prefix` that is greater than `after`."""
        ...


class RuleView(Protocol):
    """What a rule may do: read, write and delete records, and say what happened."""

    def get(self, key: RecordKey) -> Any:
        """The record under `key`, or None."""
        ...

    def put(self, key: RecordKey, record: Any) -> None:
        """Make or replace the record under `key`."""
        ...

    def delete(self, key: RecordKey) -> None:
        """Delete the record under `key`, which exists."""
        ...

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        """The smallest key of the table `prefix` that is greater than `after`."""
        ...

    def emit(self, event: Event) -> None:
        """Say what happened."""
        ...

    def post(self, bucket: str, amount: int) -> None:
        """Book `amount` (signed) of coin to `bucket`: accounts, pools, locked, escrow, maturing, burned, fees."""
        ...


class Mark(NamedTuple):
    """A point to which an overlay can be rolled back."""

    journal: int
    events: int
    postings: dict[str, int]


_ABSENT: Any = object()


class Overlay:
    """Writes of a block (or of the mempool) over a base that stays untouched."""

    __slots__ = ("_base", "_journal", "_ordered", "_phase", "_stored", "events", "postings", "records")

    ORDERED_TABLE: ClassVar[int] = ord("Q")
    """The one table whose keys are walked in order: due work."""

    def __init__(self, base: StateView) -> None:
        self._base = base
        self._stored = base.stored
        self.records: dict[RecordKey, Any] = {}
        self.events: list[Event] = []
        self.postings: dict[str, int] = {}
        self._journal: list[tuple[RecordKey, Any]] = []
        self._phase: dict[RecordKey, bool] = {}
        self._ordered: list[RecordKey] = []

    def get(self, key: RecordKey) -> Any:
        """The record under `key`, or None."""
        found = self.records.get(key, _ABSENT)
        if found is not _ABSENT:
            return found
        stored = self._stored(key)
        return None if stored is None else stored.record

    def put(self, key: RecordKey, record: Any) -> None:
        """Make or replace the record under `key`."""
        previous = self.records.get(key, _ABSENT)
        if key not in self._phase:
            # The base may fail here, as a disk does: nothing is noted before, so that a roll-back finds what it expects.
            self._phase[key] = self._stored(key) is not None if previous is _ABSENT else previous is not None
        self._journal.append((key, previous))
        if previous is _ABSENT and key[0] == self.ORDERED_TABLE:
            insort(self._ordered, key)
        self.records[key] = record

    def delete(self, key: RecordKey) -> None:
        """Delete the record under `key`, which exists."""
        assert self.get(key) is not None, f"deleting the missing record {key.hex()}"
        self.put(key, None)

    def emit(self, event: Event) -> None:
        """Say what happened."""
        self.events.append(event)

    def post(self, bucket: str, amount: int) -> None:
        """Book `amount` (signed) of coin to `bucket`."""
        self.postings[bucket] = self.postings.get(bucket, 0) + amount

    def mark(self) -> Mark:
        """The present point, for `roll_back`."""
        return Mark(len(self._journal), len(self.events), dict(self.postings))

    def roll_back(self, mark: Mark) -> None:
        """Undo every write, event and posting since `mark`."""
        for key, previous in reversed(self._journal[mark.journal :]):
            if previous is _ABSENT:
                del self.records[key]
                if key[0] == self.ORDERED_TABLE:
                    del self._ordered[bisect_left(self._ordered, key)]
            else:
                self.records[key] = previous
        del self._journal[mark.journal :]
        del self.events[mark.events :]
        self.postings = dict(mark.postings)

    def stored(self, key: RecordKey) -> Stored | None:
        """The base's record with its slot: what the key held before this overlay."""
        return self._stored(key)

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        """The smallest live key of the ordered table that is greater than `after`."""
        assert prefix[0] == self.ORDERED_TABLE, "only due work is walked in order"
        below = self._base.first_key(prefix, after)
        while below is not None and self.records.get(below, _ABSENT) is None:
            below = self._base.first_key(prefix, below)
        start = bisect_left(self._ordered, after + b"\x00")
        above = next((key for key in self._ordered[start:] if self.records[key] is not None), None)
        candidates = [key for key in (below, above) if key is not None]
        return min(candidates, default=None)

    def end_phase(self) -> tuple[list[RecordKey], list[RecordKey]]:
        """Close a phase of the block: its net deletions and net creations, each sorted by key (spec STA-5)."""
        records = self.records
        deleted = sorted(key for key, existed in self._phase.items() if existed and records.get(key, _ABSENT) is None)
        created = sorted(key for key, existed in self._phase.items() if not existed and records.get(key) is not None)
        self._phase.clear()
        self._journal.clear()
        return deleted, created


@dataclass(frozen=True, slots=True)
class SlotContent:
    """What a slot holds: a record's key and value bytes, or, with an empty key, the next free slot."""

    key: RecordKey
    value_bytes: bytes
    next_free: Slot

    def leaf(self) -> Hash:
        """The slot's leaf hash."""
        return record_leaf(self.key, self.value_bytes) if self.key else free_leaf(self.next_free)


class SlotAllocator:
    """Gives slots to created records and takes them from deleted ones, newest free slot first (spec STA-5)."""

    __slots__ = ("_contents_free", "_next_free", "_slot_of", "count", "head", "placed", "stored")

    def __init__(
        self,
        *,
        count: int,
        head: Slot,
        stored: Callable[[RecordKey], Stored | None],
        next_free: Callable[[Slot], Slot],
    ) -> None:
        self.count = count
        self.head = head
        self.stored = stored
        self._next_free = next_free
        self._contents_free: dict[Slot, Slot] = {}
        self._slot_of: dict[RecordKey, Slot | None] = {}
        self.placed: dict[Slot, RecordKey | None] = {}

    def slot_of(self, key: RecordKey) -> Slot | None:
        """Where `key` lives now, or None."""
        if key in self._slot_of:
            return self._slot_of[key]
        stored = self.stored(key)
        return None if stored is None else stored.slot

    def apply(self, deleted: Iterable[RecordKey], created: Iterable[RecordKey]) -> None:
        """Free the slots of `deleted`, then place `created`, both in the order given."""
        for key in deleted:
            slot = self.slot_of(key)
            assert slot is not None, f"freeing the slot of a missing record {key.hex()}"
            self._contents_free[slot] = self.head
            self.head = slot
            self._slot_of[key] = None
            self.placed[slot] = None
        for key in created:
            slot = self.head
            if slot != NO_SLOT:
                self.head = self._contents_free.pop(slot) if slot in self._contents_free else self._next_free(slot)
            else:
                slot = Slot(self.count)
                self.count += 1
            self._slot_of[key] = slot
            self.placed[slot] = key

    def free_next(self, slot: Slot) -> Slot:
        """The next free slot after the slot `slot`, which this block freed."""
        return self._contents_free[slot]
