"""The block header: 80 bytes in Bitcoin's layout, so that any SHA-256d miner can work on it.

    offset  size  field
         0     4  version      u32, 0x20000000 outside of the version-rolling mask
         4    32  previous     hash of the parent header, zero bytes in the genesis header
        36    32  merkle_root  double SHA-256 of the coinbase transaction
        68     4  time         u32, seconds since 1970-01-01
        72     4  bits         u32, compact target
        76     4  nonce        u32

All integers are little-endian (spec POW-1).
"""

import struct
from dataclasses import dataclass
from typing import Final

from ledger.errors import Code, Malformed
from ledger.hashing import sha256d
from ledger.types import BlockHash, CompactBits, Hash, Timestamp

HEADER_LENGTH: Final = Code(
    "header.length", "a header has {expected} bytes, these are {length}", "send the 80 bytes of one header"
)

HEADER_BYTES: Final = 80
HEADER_LAYOUT: Final = struct.Struct("<I32s32sIII")
assert HEADER_LAYOUT.size == HEADER_BYTES

VERSION_BASE: Final = 0x20000000
VERSION_ROLLING_MASK: Final = 0x1FFFE000  # BIP 320: bits that miners may change freely
VERSION_FIXED_MASK: Final = 0xFFFFFFFF ^ VERSION_ROLLING_MASK


@dataclass(frozen=True, slots=True)
class Header:
    """One block header. `version` and `nonce` are 32-bit; `time` is in seconds and fits in 32 bits."""

    version: int
    previous: BlockHash
    merkle_root: Hash
    time: Timestamp
    bits: CompactBits
    nonce: int

    def encode(self) -> bytes:
        """The 80 bytes that are hashed. A field that does not fit its width is a fault of the caller."""
        assert len(self.previous) == 32 and len(self.merkle_root) == 32, "hashes in a header have 32 bytes"
        return HEADER_LAYOUT.pack(self.version, self.previous, self.merkle_root, self.time, self.bits, self.nonce)

    @staticmethod
    def decode(data: bytes) -> "Header":
        """Read one header. Raises Malformed `header.length`; any 80 bytes are a header, valid or not."""
        if len(data) != HEADER_BYTES:
            raise Malformed(HEADER_LENGTH, expected=HEADER_BYTES, length=len(data))
        version, previous, merkle_root, time, bits, nonce = HEADER_LAYOUT.unpack(data)
        return Header(version, previous, merkle_root, time, bits, nonce)

    @property
    def hash(self) -> BlockHash:
        """The double SHA-256 of the header, in header byte order (people are shown it reversed)."""
        return BlockHash(sha256d(self.encode()))


def version_is_valid(version: int) -> bool:
    """Whether a version is 0x20000000 outside of the bits that miners may roll (spec POW-2)."""
    return version & VERSION_FIXED_MASK == VERSION_BASE
