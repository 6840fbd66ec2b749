"""A snapshot's pieces: 64 slots each, a subtree of the state's tree that is held against the state root by itself (spec NET-17)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.codec import pack_shaped, unpack
from ledger.errors import Code, Malformed
from ledger.merkle import root as root_of
from ledger.merkle import verify_inclusion
from ledger.schema import Integer, ListOf, Octets, Row
from ledger.state import SlotContent, Table, decode_record
from ledger.types import INTEGER_MAX, BlockHash, Hash, Height, RecordKey, Slot

BAD_PIECE: Final = Code(
    "snapshot.piece", "piece {number} of a snapshot is not what the state root covers: {reason}", "Ask another node."
)

KEY_BYTES_MAX: Final = 128
PIECE_SLOTS: Final = 64
"""A power of two, so that a piece is a subtree; 64 of the largest transactions' worth of records fit into a frame."""
PIECE_BYTES_MAX: Final = 16_777_216
SLOT_ROW: Final = Row(Octets(0, KEY_BYTES_MAX), Octets(0, PIECE_BYTES_MAX), Integer(0, INTEGER_MAX))
PIECE_SHAPE: Final = ListOf(SLOT_ROW, 1, PIECE_SLOTS)


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """The state after a block: what the block commits to."""

    height: Height
    hash: BlockHash
    root: Hash
    slot_count: int

    @property
    def piece_count(self) -> int:
        """In how many pieces it travels."""
        return -(-self.slot_count // PIECE_SLOTS)

    def slots_of(self, number: int) -> int:
        """How many slots a piece has: 64, the last one what is left."""
        return min(PIECE_SLOTS, self.slot_count - number * PIECE_SLOTS)


def encode_piece(contents: Iterable[SlotContent]) -> bytes:
    """The bytes of some slots in a row."""
    return pack_shaped(tuple((content.key, content.value_bytes, content.next_free) for content in contents))


def decode_piece(data: bytes) -> tuple[SlotContent, ...]:
    """Read what `encode_piece` wrote. Raises `Malformed`."""
    rows = PIECE_SHAPE.decode(unpack(data, bytes_max=PIECE_BYTES_MAX), "piece")
    return tuple(SlotContent(RecordKey(key), value, Slot(free)) for key, value, free in rows)


def piece_root(contents: Iterable[SlotContent]) -> Hash:
    """The root of a piece's subtree."""
    return root_of(content.leaf() for content in contents)


def check_piece(
    snapshot: StateSnapshot, number: int, data: bytes, path: Sequence[Hash]
) -> tuple[Hash, tuple[SlotContent, ...]]:
    """Root and slots of a piece that is part of a snapshot. Raises `Malformed` for one that is not."""
    contents = decode_piece(data)
    if len(contents) != snapshot.slots_of(number):
        raise Malformed(BAD_PIECE, number=number, reason=f"it has {len(contents)} slots")
    if any(content.next_free if content.key else content.value_bytes for content in contents):
        raise Malformed(BAD_PIECE, number=number, reason="it says more than a leaf covers")
    found = piece_root(contents)
    if not verify_inclusion(snapshot.root, found, number, snapshot.piece_count, path):
        raise Malformed(BAD_PIECE, number=number, reason="it does not lead to the state root")
    return found, contents


def are_records(contents: Iterable[SlotContent]) -> bool:
    """Whether these are records of tables that are known here; a state that was applied by the rules has no others."""
    try:
        for content in contents:
            if content.key:
                if content.key[0] not in Table.catalogue:
                    return False
                decode_record(content.key, unpack(content.value_bytes))
    except Malformed:
        return False
    return True
