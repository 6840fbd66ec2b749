"""Proof of work: compact bits, targets, work, and the one comparison that a miner must win.

A header is proved when its double SHA-256, read as a little-endian integer, is at most its target. The target stands in the
header as compact bits ("nBits"). The form is Bitcoin's, bit for bit (spec POW-4; Bitcoin Core `arith_uint256::SetCompact`).

Bits in a header are never judged by what they decode to: they must *equal* the bits that the chain expects at that height, and
those come from `compact_from_target`. So a second spelling of the same target never matches.
"""

from typing import Final

from ledger.errors import Code, Malformed
from ledger.types import BlockHash, CompactBits, Target, Work

BITS_NEGATIVE: Final = Code(
    "bits.negative",
    "compact bits {bits:#010x} encode a negative target",
    "take the bits from the chain's block template",
)
BITS_OVERFLOW: Final = Code(
    "bits.overflow",
    "compact bits {bits:#010x} encode a target over 256 bits",
    "take the bits from the chain's block template",
)
BITS_ZERO: Final = Code(
    "bits.zero", "compact bits {bits:#010x} encode the target zero", "take the bits from the chain's block template"
)

TARGET_BITS: Final = 256
_MANTISSA_MASK: Final = 0x007FFFFF
_SIGN_BIT: Final = 0x00800000
_ALL_HASHES: Final = 1 << TARGET_BITS


def target_from_compact(bits: CompactBits) -> Target:
    """The target that compact bits stand for: mantissa * 256**(size - 3), in 1..2**256-1.

    Accepts spellings that are not canonical, as Bitcoin does (see the module's text). Raises Malformed `bits.negative`,
    `bits.overflow` or `bits.zero`, in this order.
    """
    assert 0 <= bits < 1 << 32, "compact bits are 32 bits"
    size = bits >> 24
    mantissa = bits & _MANTISSA_MASK
    if size <= 3:
        mantissa >>= 8 * (3 - size)
        target = mantissa
    else:
        target = mantissa << 8 * (size - 3)
    if mantissa and bits & _SIGN_BIT:
        raise Malformed(BITS_NEGATIVE, bits=bits)
    if target >= _ALL_HASHES:
        raise Malformed(BITS_OVERFLOW, bits=bits)
    if target == 0:
        raise Malformed(BITS_ZERO, bits=bits)
    return Target(target)


def compact_from_target(target: Target) -> CompactBits:
    """The canonical compact bits of a target in 0..2**256-1. Low bits that do not fit in the mantissa are cut off."""
    assert 0 <= target < _ALL_HASHES, "a target has 256 bits"
    size = (target.bit_length() + 7) >> 3
    mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if mantissa & _SIGN_BIT:
        mantissa >>= 8
        size += 1
    return CompactBits(size << 24 | mantissa)


def work_of(target: Target) -> Work:
    """How many hashes are expected until one meets the target: 2**256 // (target + 1)."""
    return Work(_ALL_HASHES // (target + 1))


def meets_target(block_hash: BlockHash, target: Target) -> bool:
    """Whether a header's hash, in header byte order, is at most the target."""
    return int.from_bytes(block_hash, "little") <= target
