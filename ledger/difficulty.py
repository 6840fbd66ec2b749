"""Difficulty: aserti3-2d, fed by effective time, in eras.

The target of the next block follows from how far the chain is ahead of or behind its schedule, and from nothing else:
`drift = effective time - scheduled time`, and the target doubles with every half-life of drift. The arithmetic is aserti3-2d of
Bitcoin Cash (spec DIF-1; https://upgradespecs.bitcoincashnode.org/2020-11-15-asert/), integers only.

Two rules are our own:
- **Effective time** (DIF-2) advances by at most a half-life per block, so that the first block after an outage at most
  doubles the target instead of opening a flood of easy blocks.
- **No wind-up** (DIF-3): drift stops where the target reaches the limit, so that weeks of slow blocks at the limit leave no
  debt of easy blocks to be mined when hash power comes back.

An **era** (DIF-4) is a stretch of heights with one schedule. Its first block is the anchor and has the anchor's bits exactly; its
schedule starts at the effective time of the block before it.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ledger.errors import Code, Malformed
from ledger.pow import compact_from_target, target_from_compact
from ledger.types import CompactBits, Height, Target, Timestamp

PARAMS_ERA: Final = Code(
    "params.era", "an era's {field} is {value}, outside of {minimum}..{maximum}", "correct the era in the params file"
)
PARAMS_ERA_BITS: Final = Code(
    "params.era_bits",
    "an era's {field} {bits:#010x} are not in canonical form",
    "write the bits as compact_from_target gives them",
)
PARAMS_ERA_ANCHOR: Final = Code(
    "params.era_anchor",
    "an era's anchor {anchor_bits:#010x} is easier than its limit {limit_bits:#010x}",
    "choose an anchor target at or below the limit",
)
PARAMS_ERAS: Final = Code(
    "params.eras",
    "era {index} of {count} starts at height {start_height}",
    "give 1 to 16 eras; the first starts at height 0, each later one above the one before it",
)

ERAS_MAX: Final = 16
HALF_LIFE_MAX_S: Final = 65_536
"""One second of drift then moves the exponent by at least one step, so the cap on drift is exact to the second."""

BITS_REMEMBERED: Final = 16_384
"""Drifts whose bits are remembered: about 4 MB."""

_RADIX_BITS: Final = 16
_RADIX: Final = 1 << _RADIX_BITS
_EXPONENT_AT_LIMIT_MAX: Final = 256 << _RADIX_BITS


@dataclass(frozen=True, slots=True)
class Era:
    """A schedule that holds from `start_height` on, until the next era starts. Times are in seconds.

    Without `retarget` (simulated chains) every block has the anchor's bits, and effective time is never cut at the limit.
    The fields below `retarget` are computed: both targets, and the largest drift, at which the target reaches the limit.
    Raises Malformed `params.era`, `params.era_bits`, `params.era_anchor` or `bits.*`.
    """

    start_height: Height
    block_time_s: int
    half_life_s: int
    limit_bits: CompactBits
    anchor_bits: CompactBits
    retarget: bool
    limit_target: Target = field(init=False, repr=False, compare=False)
    anchor_target: Target = field(init=False, repr=False, compare=False)
    drift_max_s: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_era(self)
        limit_target = target_from_compact(self.limit_bits)
        anchor_target = target_from_compact(self.anchor_bits)
        exponent = find_exponent_at_limit(anchor_target, limit_target)
        object.__setattr__(self, "limit_target", limit_target)
        object.__setattr__(self, "anchor_target", anchor_target)
        object.__setattr__(self, "drift_max_s", -(-exponent * self.half_life_s // _RADIX))


Eras = tuple[Era, ...]


@dataclass(frozen=True, slots=True)
class DifficultyState:
    """All that the bits of the next block depend on, after the block at `height`. Times are in seconds.

    `time` is that block's header time; `anchor_parent_time` is the effective time before the first block of its era.
    """

    height: Height
    time: Timestamp
    effective_time: Timestamp
    anchor_parent_time: Timestamp


def check_era(era: Era) -> None:
    """Refuse an era that the arithmetic does not cover. `Era` calls it; the errors are listed there.

    A half-life shorter than the block time would let effective time fall behind an on-time chain for ever.
    """
    _check_range("start_height", era.start_height, 0, (1 << 32) - 1)
    _check_range("block_time_s", era.block_time_s, 1, HALF_LIFE_MAX_S)
    _check_range("half_life_s", era.half_life_s, era.block_time_s, HALF_LIFE_MAX_S)
    for name, bits in (("limit_bits", era.limit_bits), ("anchor_bits", era.anchor_bits)):
        _check_range(name, bits, 0, (1 << 32) - 1)
        if compact_from_target(target_from_compact(bits)) != bits:
            raise Malformed(PARAMS_ERA_BITS, field=name, bits=bits)
    if target_from_compact(era.anchor_bits) > target_from_compact(era.limit_bits):
        raise Malformed(PARAMS_ERA_ANCHOR, anchor_bits=era.anchor_bits, limit_bits=era.limit_bits)


def _check_range(name: str, value: int, minimum: int, maximum: int) -> None:
    if not minimum <= value <= maximum:
        raise Malformed(PARAMS_ERA, field=name, value=value, minimum=minimum, maximum=maximum)


def check_eras(eras: Eras) -> None:
    """Refuse a list of eras that does not cover every height once. Raises Malformed `params.eras`."""
    count = len(eras)
    if not 1 <= count <= ERAS_MAX:
        raise Malformed(PARAMS_ERAS, index=0, count=count, start_height=None)
    for index, era in enumerate(eras):
        in_order = era.start_height > eras[index - 1].start_height if index else era.start_height == 0
        if not in_order:
            raise Malformed(PARAMS_ERAS, index=index, count=count, start_height=era.start_height)


def era_at(eras: Eras, height: Height) -> Era:
    """The era that a height lies in. Eras are few, so the list is walked."""
    found = eras[0]
    for era in eras:
        if era.start_height > height:
            break
        found = era
    return found


def compute_exponent(drift_s: int, half_life_s: int) -> int:
    """Drift in half-lives as a fixed-point number with 16 fractional bits, truncated toward zero as in the reference."""
    scaled = drift_s << _RADIX_BITS
    return scaled // half_life_s if scaled >= 0 else -(-scaled // half_life_s)


def compute_uncapped_target(anchor_target: Target, exponent: int) -> int:
    """anchor * 2**(exponent / 65536) by the reference's cubic, rounded down: may be 0, or more than any limit."""
    fraction = exponent & (_RADIX - 1)
    factor = _RADIX + (
        (195_766_423_245_049 * fraction + 971_821_376 * fraction**2 + 5_127 * fraction**3 + (1 << 47)) >> 48
    )
    shift = (exponent >> _RADIX_BITS) - _RADIX_BITS
    return anchor_target * factor << shift if shift >= 0 else anchor_target * factor >> -shift


@lru_cache(maxsize=64)
def find_exponent_at_limit(anchor_target: Target, limit_target: Target) -> int:
    """The least exponent whose uncapped target reaches the limit, for an anchor at or below it; 0 or more.

    The uncapped target never falls as the exponent rises, so the search is binary.
    """
    low, high = 0, _EXPONENT_AT_LIMIT_MAX
    while low < high:
        middle = (low + high) // 2
        if compute_uncapped_target(anchor_target, middle) >= limit_target:
            high = middle
        else:
            low = middle + 1
    assert compute_uncapped_target(anchor_target, low) >= limit_target
    assert compute_uncapped_target(anchor_target, low - 1) < limit_target
    return low


def next_target(*, anchor_target: Target, limit_target: Target, half_life_s: int, drift_s: int) -> Target:
    """The target of aserti3-2d at a drift, in 1..limit: `0 -> 1`, then capped.

    drift = time of the last block - time of the anchor's parent - T * (height of the last block - height of the anchor + 1).
    """
    exponent = compute_exponent(drift_s, half_life_s)
    if exponent > _EXPONENT_AT_LIMIT_MAX:
        return limit_target
    return Target(min(compute_uncapped_target(anchor_target, exponent) or 1, limit_target))


@lru_cache(maxsize=BITS_REMEMBERED)
def compute_bits_at_drift(anchor_target: Target, limit_target: Target, half_life_s: int, drift_s: int) -> CompactBits:
    """`next_target` as compact bits, remembered: a chain near its schedule sees the same few drifts again and again."""
    return compact_from_target(
        next_target(anchor_target=anchor_target, limit_target=limit_target, half_life_s=half_life_s, drift_s=drift_s)
    )


def compute_bits(era: Era, height: int, effective_time: int, anchor_parent_time: int) -> CompactBits:
    """The bits of the block at `height` in its era; both times are those after its parent.

    This and `compute_effective_time` are the whole rule, on plain integers for the sake of `header_chain`.
    """
    blocks_before = height - era.start_height
    if blocks_before == 0 or not era.retarget:
        return era.anchor_bits
    drift_s = effective_time - anchor_parent_time - era.block_time_s * blocks_before
    return compute_bits_at_drift(era.anchor_target, era.limit_target, era.half_life_s, drift_s)


def compute_effective_time(era: Era, height: int, effective_time: int, anchor_parent_time: int, elapsed_s: int) -> int:
    """The effective time after the block at `height`, `elapsed_s` after its parent: DIF-2, then DIF-3."""
    if elapsed_s > era.half_life_s:
        elapsed_s = era.half_life_s
    effective_time += elapsed_s if elapsed_s > 1 else 1
    if era.retarget:
        latest = anchor_parent_time + era.block_time_s * (height - era.start_height + 1) + era.drift_max_s
        if effective_time > latest:
            return latest
    return effective_time


def initial(eras: Eras, genesis_time: Timestamp) -> DifficultyState:
    """The state after the genesis block, as if a parent had stood one block time before it."""
    anchor_parent_time = Timestamp(genesis_time - eras[0].block_time_s)
    return DifficultyState(Height(0), genesis_time, genesis_time, anchor_parent_time)


def next_bits(eras: Eras, state: DifficultyState) -> CompactBits:
    """The bits that the header after `state` must have, exactly."""
    height = Height(state.height + 1)
    return compute_bits(era_at(eras, height), height, state.effective_time, state.anchor_parent_time)


def advance(eras: Eras, state: DifficultyState, time: Timestamp) -> DifficultyState:
    """The state after one more block with this header time. The clamp and the cap are those of that block's era."""
    height = Height(state.height + 1)
    era = era_at(eras, height)
    parent_time = state.effective_time if height == era.start_height else state.anchor_parent_time
    effective_time = compute_effective_time(era, height, state.effective_time, parent_time, time - state.time)
    return DifficultyState(height, time, Timestamp(effective_time), parent_time)
