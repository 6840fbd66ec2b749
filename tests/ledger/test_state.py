"""The overlay and the slots: rolling back, phases, the free list, and undo as if the block had never been."""

from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import pack
from ledger.domains.accounts.state import Account, account_key
from ledger.due import DueItem
from ledger.events import Event
from ledger.hashing import FREE_SLOT
from ledger.merkle import leaf_hash
from ledger.schema import Integer
from ledger.state import (
    FREE_SLOT_MARK,
    NO_SLOT,
    Overlay,
    SlotAllocator,
    SlotContent,
    Stored,
    Table,
    decode_record,
    encode_record,
    free_leaf,
    record_leaf,
)
from ledger.types import Address, Amount, Hash, RecordKey, Slot
from tests.support.memory_chain import MemoryState, describe_overlay

NOTHING = Hash(b"")


def account(balance: int) -> Account:
    return Account(Amount(balance), NOTHING, Amount(0))


def key_of(number: int) -> RecordKey:
    return account_key(Address(bytes([number]) * 32))


def due_key(number: int) -> RecordKey:
    return RecordKey(b"Q" + number.to_bytes(16, "big"))


def content(key: RecordKey, record: object) -> SlotContent:
    return SlotContent(key, encode_record(key, record), NO_SLOT)


def state_of(*records: tuple[RecordKey, object]) -> MemoryState:
    return MemoryState([(Slot(index), content(key, record)) for index, (key, record) in enumerate(records)])


ITEM = DueItem("toy", bytes(32), 0)


# --- records and leaves -------------------------------------------------------------------------------------------------


def test_a_record_survives_a_round_trip() -> None:
    value = encode_record(key_of(1), account(5))
    assert value == pack((5, b"", 0, False))
    assert decode_record(key_of(1), (5, b"", 0, False)) == account(5)


def test_leaves_are_of_the_canonical_pairs() -> None:
    value = pack((5, b"", 0, False))
    assert record_leaf(key_of(1), value) == leaf_hash(pack((key_of(1), (5, b"", 0, False))))
    assert free_leaf(Slot(7)) == leaf_hash(pack((FREE_SLOT(b""), 7)))
    assert content(key_of(1), account(5)).leaf() == record_leaf(key_of(1), value)
    assert SlotContent(RecordKey(b""), b"", Slot(7)).leaf() == free_leaf(Slot(7))


def test_no_key_can_pass_for_a_free_slot() -> None:
    assert all(len(key) != len(FREE_SLOT_MARK) for key in (key_of(1), due_key(1)))


def test_a_prefix_is_one_byte_and_belongs_to_one_table() -> None:
    @dataclass(frozen=True, slots=True)
    class Other:
        number: Annotated[int, Integer(0, 1)]

    with pytest.raises(AssertionError, match="one prefix byte"):
        Table(b"AA", Other)
    with pytest.raises(AssertionError, match="tables Account and Other share the prefix"):
        Table(b"A", Other)


# --- overlay ------------------------------------------------------------------------------------------------------------


def test_an_overlay_reads_through_and_leaves_the_base_alone() -> None:
    base = state_of((key_of(1), account(1)))
    view = Overlay(base)
    assert view.get(key_of(1)) == account(1)
    assert view.get(key_of(2)) is None
    view.put(key_of(1), account(10))
    view.put(key_of(2), account(20))
    assert (view.get(key_of(1)), view.get(key_of(2))) == (account(10), account(20))
    view.delete(key_of(1))
    assert view.get(key_of(1)) is None
    assert base.record(key_of(1)) == account(1)
    assert view.stored(key_of(1)) == Stored(Slot(0), pack((1, b"", 0, False)), account(1))


def test_deleting_what_is_not_there_is_a_broken_invariant() -> None:
    with pytest.raises(AssertionError, match="deleting the missing record"):
        Overlay(state_of()).delete(key_of(1))


def test_postings_add_up() -> None:
    view = Overlay(state_of())
    view.post("fees", 5)
    view.post("fees", -2)
    assert view.postings == {"fees": 3}


class FailingState(MemoryState):
    """A base that can't be read any more once `is_broken`."""

    is_broken = False

    def stored(self, key: RecordKey) -> Stored | None:
        if self.is_broken:
            raise OSError("the disk failed")
        return super().stored(key)


def test_a_base_that_fails_within_a_write_leaves_nothing_to_trip_over() -> None:
    base = FailingState(list(state_of((key_of(1), account(1))).contents.items()))
    view = Overlay(base)
    view.put(key_of(2), account(2))
    before, mark = describe_overlay(view), view.mark()
    view.put(key_of(3), account(3))
    base.is_broken = True
    with pytest.raises(OSError, match="disk"):
        view.put(key_of(4), account(4))
    view.roll_back(mark)
    assert describe_overlay(view) == before


def test_rolling_back_restores_everything_since_the_mark() -> None:
    base = state_of((key_of(1), account(1)), (due_key(5), ITEM))
    view = Overlay(base)
    view.put(key_of(2), account(2))
    view.put(due_key(3), ITEM)
    view.post("fees", 1)
    before, mark = describe_overlay(view), view.mark()
    view.put(key_of(2), account(3))
    view.put(key_of(1), account(9))
    view.put(key_of(1), account(10))
    view.delete(key_of(1))
    view.delete(due_key(5))
    view.put(due_key(4), ITEM)
    view.delete(due_key(3))
    view.emit(Event())
    view.post("fees", 1)
    view.post("locked", 1)
    view.roll_back(mark)
    assert describe_overlay(view) == before
    assert view.first_key(b"Q", RecordKey(b"Q")) == due_key(3)
    assert view.first_key(b"Q", due_key(3)) == due_key(5)
    assert view.end_phase() == ([], [key_of(2), due_key(3)])


def test_due_work_is_walked_in_order_over_base_and_overlay() -> None:
    view = Overlay(state_of((due_key(2), ITEM), (due_key(4), ITEM), (key_of(1), account(1))))
    view.put(due_key(3), ITEM)
    view.put(due_key(1), ITEM)
    view.put(due_key(9), ITEM)
    view.delete(due_key(4))
    view.delete(due_key(9))
    view.put(due_key(3), ITEM)
    found: list[RecordKey] = []
    after: RecordKey | None = RecordKey(b"Q")
    while (after := view.first_key(b"Q", after)) is not None:
        found.append(after)
    assert found == [due_key(1), due_key(2), due_key(3)]
    with pytest.raises(AssertionError, match="only due work"):
        view.first_key(b"A", RecordKey(b"A"))


def test_a_phase_gives_its_net_effect_in_the_order_of_keys() -> None:
    view = Overlay(state_of(*((key_of(number), account(number)) for number in (1, 2, 3))))
    view.delete(key_of(3))
    view.delete(key_of(1))
    view.put(key_of(1), account(9))
    view.put(key_of(7), account(7))
    view.put(key_of(5), account(5))
    view.put(key_of(6), account(6))
    view.delete(key_of(6))
    view.put(key_of(2), account(8))
    assert view.end_phase() == ([key_of(3)], [key_of(5), key_of(7)])
    view.delete(key_of(5))
    view.put(key_of(3), account(1))
    assert view.end_phase() == ([key_of(5)], [key_of(3)])
    assert view.end_phase() == ([], [])


def test_what_was_rolled_back_takes_no_part_in_its_phase() -> None:
    view = Overlay(state_of((key_of(1), account(1))))
    mark = view.mark()
    view.delete(key_of(1))
    view.put(key_of(2), account(2))
    view.roll_back(mark)
    assert view.end_phase() == ([], [])


# --- slots --------------------------------------------------------------------------------------------------------------


def allocate(state: MemoryState, *, count: int, head: int = 0) -> SlotAllocator:
    return SlotAllocator(count=count, head=Slot(head), stored=state.stored, next_free=state.next_free)


def test_the_newest_free_slot_is_given_out_first() -> None:
    state = state_of(*((key_of(number), account(number)) for number in range(1, 5)))
    allocator = allocate(state, count=4)
    allocator.apply([key_of(2), key_of(4)], [key_of(8), key_of(7), key_of(9)])
    assert allocator.placed == {3: key_of(8), 1: key_of(7), 4: key_of(9)}
    assert (allocator.head, allocator.count) == (NO_SLOT, 5)
    assert allocator.slot_of(key_of(2)) is None
    assert allocator.slot_of(key_of(8)) == 3
    assert allocator.slot_of(key_of(1)) == 0
    assert allocator.slot_of(key_of(99)) is None


def test_freed_slots_point_to_the_next_and_the_base_gives_the_rest() -> None:
    free = SlotContent(RecordKey(b""), b"", NO_SLOT)
    state = MemoryState(
        [(Slot(0), content(key_of(1), account(1))), (Slot(1), free), (Slot(2), content(key_of(3), account(3)))]
    )
    allocator = allocate(state, count=3, head=1)
    allocator.apply([key_of(3)], [])
    assert (allocator.head, allocator.free_next(Slot(2)), allocator.placed) == (2, 1, {2: None})
    allocator.apply([], [key_of(4), key_of(5), key_of(6)])
    assert allocator.placed == {2: key_of(4), 1: key_of(5), 3: key_of(6)}


def test_freeing_what_has_no_slot_is_a_broken_invariant() -> None:
    allocator = allocate(state_of(), count=1)
    with pytest.raises(AssertionError, match="freeing the slot of a missing record"):
        allocator.apply([key_of(1)], [])


@given(st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=8), max_size=6))
def test_slots_and_keys_match_and_the_free_list_holds_the_rest(phases: list[list[tuple[bool, int]]]) -> None:
    state = state_of((key_of(200), account(1)))
    allocator = allocate(state, count=1)
    live: dict[RecordKey, None] = {key_of(200): None}
    for phase in phases:
        deleted = sorted({key_of(number) for make, number in phase if not make} & live.keys())
        created = sorted({key_of(number) for make, number in phase if make} - live.keys())
        allocator.apply(deleted, created)
        live = {key: None for key in [*live, *created] if key not in deleted}
        slots = {allocator.slot_of(key) for key in live}
        assert len(slots) == len(live) and None not in slots
        free: set[Slot | None] = set()
        slot = allocator.head
        while slot != NO_SLOT:
            assert slot not in free
            free.add(slot)
            slot = allocator.free_next(slot)
        assert slots | free == set(range(allocator.count))
        assert not slots & free
