"""Checking headers in a row: each fits its parent, its time rises, its bits are the expected ones, and its hash proves the work.

This is the only check of a header, for one that was just mined and for a hundred thousand in a first sync alike. It needs no
block body and no store: the state after the parent is enough. It is written for speed: one loop over raw bytes and plain
integers, and no object per header.

Whether a time is too far ahead of the clock is not decided here: the ledger has no clock (spec POW-6: that is the node's).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ledger.difficulty import BITS_REMEMBERED, DifficultyState, Eras, compute_bits, compute_effective_time, era_at
from ledger.errors import Code, HeaderViolation, Malformed
from ledger.header import HEADER_BYTES, HEADER_LAYOUT, VERSION_BASE, VERSION_FIXED_MASK, Header
from ledger.pow import target_from_compact, work_of
from ledger.types import BlockHash, CompactBits, Height, Target, Timestamp, Work

HEADERS_LENGTH: Final = Code(
    "headers.length", "{length} bytes are not 1 to {maximum} headers of 80 bytes", "send whole headers, fewer at a time"
)
HEADERS_UNLINKED: Final = Code(
    "headers.unlinked",
    "header {index} does not follow the one before it: it names {previous}, expected {expected}",
    "send headers in the order of one chain, starting after the parent that was named",
)
HEADER_VERSION: Final = Code(
    "header.version",
    "version {version:#010x} is not 0x20000000 outside of the rolling mask 0x1fffe000",
    "roll only the bits of the mask",
)
HEADER_TIME: Final = Code(
    "header.time",
    "time {time} is not later than the parent's {parent_time}",
    "use a time of at least the parent's plus 1",
)
HEADER_BITS: Final = Code(
    "header.bits", "bits {bits:#010x} are not the expected {expected:#010x}", "take the bits from the block template"
)
HEADER_WORK: Final = Code(
    "header.work",
    "hash {hash} is above the target of bits {bits:#010x}",
    "go on searching: this header proves too little work",
)

HEADERS_MAX: Final = 65_536
"""Headers in one call: 5 MiB, under a second of work."""


@dataclass(frozen=True, slots=True)
class CheckedHeaders:
    """What is known of valid headers in a row, in their order, one item per header.

    `works` are each header's own; add them up with `fork_choice.accumulate_work`. `state_after` puts the difficulty state of
    one of them together; columns are kept because an object per header would cost as much as the check itself.
    """

    parent_height: Height
    hashes: tuple[BlockHash, ...]
    works: tuple[Work, ...]
    times: tuple[Timestamp, ...]
    effective_times: tuple[Timestamp, ...]
    anchor_parent_times: tuple[Timestamp, ...]

    def state_after(self, index: int) -> DifficultyState:
        """The difficulty state after a header; the first has index 0, the last also -1."""
        return DifficultyState(
            Height(self.parent_height + 1 + range(len(self.hashes))[index]),
            self.times[index],
            self.effective_times[index],
            self.anchor_parent_times[index],
        )


def check_header(eras: Eras, parent: DifficultyState, parent_hash: BlockHash, header: Header) -> DifficultyState:
    """The state after one header, or the errors of `check_headers`."""
    return check_headers(eras, parent, parent_hash, header.encode()).state_after(0)


def check_headers(eras: Eras, parent: DifficultyState, parent_hash: BlockHash, raw: bytes) -> CheckedHeaders:
    """Check raw headers of 80 bytes each that follow a valid parent (spec POW-5).

    For each header in turn, cheapest first: version, link, time, bits, work. Raises Malformed `headers.length` or
    `headers.unlinked` (says nothing about the block), HeaderViolation `header.version`, `header.time`, `header.bits` or
    `header.work`. The error's `index` says which header it is, so those before it are good.
    """
    count, rest = divmod(len(raw), HEADER_BYTES)
    if rest or not 1 <= count <= HEADERS_MAX:
        raise Malformed(HEADERS_LENGTH, length=len(raw), maximum=HEADERS_MAX)
    hashes, works, times, effective_times, anchor_parent_times = zip(
        *_check_each(eras, parent, parent_hash, raw), strict=True
    )
    return CheckedHeaders(parent.height, hashes, works, times, effective_times, anchor_parent_times)


def _check_each(
    eras: Eras, parent: DifficultyState, block_hash: bytes, raw: bytes
) -> Iterator[tuple[bytes, Work, int, int, int]]:
    """Yield hash, work, time, effective time and anchor parent's time of each header; the loop of `check_headers`."""
    sha256 = hashlib.sha256
    eras_by_start = {int(era.start_height): era for era in eras}
    era = era_at(eras, parent.height)
    height, parent_time = int(parent.height), int(parent.time)
    effective_time, anchor_parent_time = int(parent.effective_time), int(parent.anchor_parent_time)
    for index, (version, previous, _, time, bits, _) in enumerate(HEADER_LAYOUT.iter_unpack(raw)):
        height += 1
        if height in eras_by_start:
            era, anchor_parent_time = eras_by_start[height], effective_time
        if version & VERSION_FIXED_MASK != VERSION_BASE:
            raise HeaderViolation(HEADER_VERSION, index=index, version=version)
        if previous != block_hash:
            raise Malformed(HEADERS_UNLINKED, index=index, previous=previous, expected=block_hash)
        if time <= parent_time:
            raise HeaderViolation(HEADER_TIME, index=index, time=time, parent_time=parent_time)
        expected = compute_bits(era, height, effective_time, anchor_parent_time)
        if bits != expected:
            raise HeaderViolation(HEADER_BITS, index=index, bits=bits, expected=expected)
        target, work = _measure_bits(expected)
        start = index * HEADER_BYTES
        block_hash = sha256(sha256(raw[start : start + HEADER_BYTES]).digest()).digest()
        if int.from_bytes(block_hash, "little") > target:
            raise HeaderViolation(HEADER_WORK, index=index, hash=block_hash, bits=bits)
        effective_time = compute_effective_time(era, height, effective_time, anchor_parent_time, time - parent_time)
        parent_time = time
        yield block_hash, work, time, effective_time, anchor_parent_time


@lru_cache(maxsize=BITS_REMEMBERED)
def _measure_bits(bits: CompactBits) -> tuple[Target, Work]:
    """Target and work of expected bits, remembered as these are."""
    target = target_from_compact(bits)
    return target, work_of(target)
