"""The coinbase: a valid Bitcoin transaction of one fixed form that carries a block's commitment to miners.

Exactly 122 bytes. Only height, extranonce, value, magic and commitment vary (spec POW-3):

    offset  size  content
         0     4  version 1
         4     1  one input
         5    36  no previous output: 32 zero bytes, ffffffff
        41     1  script length 14
        42     6  04, height u32, 08
        48     8  extranonce
        56     4  sequence ffffffff
        60     1  two outputs
        61     8  value u64: min(reward, 21 * 10**14); for display only
        69     2  script: length 1, OP_RETURN
        71     8  value 0
        79     3  script: length 38, OP_RETURN, push of 36 bytes
        82     4  magic of the network, never aa21a9ed
        86    32  commitment
       118     4  lock time 0

Old miners take it as opaque bytes, newer ones parse it, so it has to be one complete and short transaction. The header's
merkle root is its double SHA-256: one leaf, so neither CVE-2012-2459 nor a 64-byte inner node can be played.
"""

import struct
from dataclasses import dataclass
from typing import Final, NewType

from ledger.errors import Code, Malformed
from ledger.hashing import sha256d
from ledger.types import Amount, Hash, Height

COINBASE_LENGTH: Final = Code(
    "coinbase.length",
    "a coinbase has {expected} bytes, these are {length}",
    "build it from the block template unchanged",
)
COINBASE_GRAMMAR: Final = Code(
    "coinbase.grammar",
    "the coinbase departs from the fixed form at byte {offset}",
    "change nothing in the coinbase but the extranonce",
)
COINBASE_REWARD: Final = Code(
    "coinbase.reward", "the coinbase shows a value of {reward}, over {maximum}", "show min(reward, 21 * 10**14)"
)
COINBASE_MAGIC: Final = Code(
    "coinbase.magic",
    "the coinbase's magic {magic} is reserved",
    "choose four bytes that are not Bitcoin's witness commitment",
)

Extranonce = NewType("Extranonce", bytes)  # 8 bytes that a miner varies
Magic = NewType("Magic", bytes)  # 4 bytes that name the network

COINBASE_BYTES: Final = 122
EXTRANONCE_START: Final = 48
EXTRANONCE_BYTES: Final = 8
EXTRANONCE_END: Final = EXTRANONCE_START + EXTRANONCE_BYTES
MAGIC_BYTES: Final = 4
COMMITMENT_BYTES: Final = 32
REWARD_SHOWN_MAX: Final = 21 * 10**14  # Bitcoin's MAX_MONEY: parsers refuse outputs above it
MAGIC_RESERVED: Final = bytes.fromhex("aa21a9ed")  # BIP 141: a parser would take our commitment for a witness root

# The constant bytes between the parts that vary; each part's offset is in the table above.
_BEFORE_HEIGHT: Final = bytes.fromhex("0100000001" + "00" * 32 + "ffffffff0e04")
_BEFORE_EXTRANONCE: Final = b"\x08"
_BEFORE_REWARD: Final = bytes.fromhex("ffffffff02")
_BEFORE_MAGIC: Final = bytes.fromhex("016a" + "00" * 8 + "266a24")
_AFTER_COMMITMENT: Final = bytes(4)
_LAYOUT: Final = struct.Struct("<43sI1s8s5sQ13s4s32s4s")
assert _LAYOUT.size == COINBASE_BYTES


@dataclass(frozen=True, slots=True)
class Coinbase:
    """What varies in a coinbase. `reward` is the value shown, at most 21 * 10**14, not the amount that the ledger credits."""

    height: Height
    extranonce: Extranonce
    reward: Amount
    magic: Magic
    commitment: Hash


def check_magic(magic: Magic) -> None:
    """Refuse a network's magic that other software would misread. Raises Malformed `coinbase.magic`."""
    if magic == MAGIC_RESERVED:
        raise Malformed(COINBASE_MAGIC, magic=magic)


def build(*, height: Height, extranonce: Extranonce, reward: Amount, magic: Magic, commitment: Hash) -> bytes:
    """The 122 bytes of a coinbase; the value shown is cut at 21 * 10**14. Raises Malformed `coinbase.magic`."""
    assert len(extranonce) == EXTRANONCE_BYTES, "an extranonce has 8 bytes"
    assert len(magic) == MAGIC_BYTES, "a magic has 4 bytes"
    assert len(commitment) == COMMITMENT_BYTES, "a commitment has 32 bytes"
    check_magic(magic)
    return _LAYOUT.pack(
        _BEFORE_HEIGHT,
        height,
        _BEFORE_EXTRANONCE,
        extranonce,
        _BEFORE_REWARD,
        min(reward, REWARD_SHOWN_MAX),
        _BEFORE_MAGIC,
        magic,
        commitment,
        _AFTER_COMMITMENT,
    )


def parse(data: bytes) -> Coinbase:
    """Read a coinbase; whatever it accepts, `build` gives back byte for byte.

    Raises Malformed `coinbase.length`, `coinbase.grammar` (with the offset of the first byte that differs),
    `coinbase.reward`, `coinbase.magic`, in this order.
    """
    if len(data) != COINBASE_BYTES:
        raise Malformed(COINBASE_LENGTH, expected=COINBASE_BYTES, length=len(data))
    _, height, _, extranonce, _, reward, _, magic, commitment, _ = _LAYOUT.unpack(data)
    expected = _LAYOUT.pack(
        _BEFORE_HEIGHT,
        height,
        _BEFORE_EXTRANONCE,
        extranonce,
        _BEFORE_REWARD,
        reward,
        _BEFORE_MAGIC,
        magic,
        commitment,
        _AFTER_COMMITMENT,
    )
    if data != expected:
        raise Malformed(COINBASE_GRAMMAR, offset=_first_difference(data, expected))
    if reward > REWARD_SHOWN_MAX:
        raise Malformed(COINBASE_REWARD, reward=reward, maximum=REWARD_SHOWN_MAX)
    check_magic(magic)
    return Coinbase(height, extranonce, reward, magic, commitment)


def _first_difference(data: bytes, expected: bytes) -> int:
    """The first offset at which two strings of one length, known to differ, do so."""
    return next(offset for offset, pair in enumerate(zip(data, expected, strict=True)) if pair[0] != pair[1])


def compute_merkle_root(coinbase: bytes) -> Hash:
    """The header's merkle root: the double SHA-256 of the coinbase, which is the only leaf."""
    return Hash(sha256d(coinbase))


def split_for_stratum(coinbase: bytes) -> tuple[bytes, bytes]:
    """The bytes before and after the extranonce: what Stratum calls coinb1 (0..47) and coinb2 (56..121)."""
    assert len(coinbase) == COINBASE_BYTES, "a coinbase has 122 bytes"
    return coinbase[:EXTRANONCE_START], coinbase[EXTRANONCE_END:]
