"""What nodes say to each other (spec NET-1 to NET-3): every message, its bytes, and how many of it a peer may send.

A frame is the canonical array `[tag, field, ...]`. Its length is checked by its tag before anything else in it is read.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ledger import coinbase as coinbase_format
from ledger.block import COMMITMENT_BYTES_MAX
from ledger.codec import pack, unpack
from ledger.errors import Code, Malformed
from ledger.finality.certificates import CERTIFICATE_BYTES_MAX
from ledger.finality.votes import SIGNED_VOTE_BYTES_MAX
from ledger.header import HEADER_BYTES
from ledger.params import BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, EARN_ENTRIES_MAX, TRANSACTION_BYTES_MAX
from ledger.schema import WRONG_LENGTH, Boolean, Integer, ListOf, Octets, OneOf, Row, Text, identifier
from ledger.types import BlockHash, ChainId, Hash, Height, PublicKey, Signature, WtxId
from node.store.pieces import PIECE_BYTES_MAX

FRAME_BYTES_MAX = BLOCK_BYTES_MAX + 65_536
"""The largest frame: a block and what stands around it."""
SMALL_FRAME_BYTES_MAX = 1_310_720
"""The largest frame of who was not asked for blocks: Transactions."""
HANDSHAKE_BYTES_MAX = 1_024
"""The largest frame of somebody who has not shown who it is."""
HEADERS_PER_ANSWER = 2_000
"""160 kB: checked in some hundredths of a second."""
HEADERS_ANNOUNCED_MAX = 8
LOCATOR_HASHES_MAX = 64
BLOCKS_PER_REQUEST = 16
TRANSACTIONS_PER_REQUEST = 128
ADDRESSES_PER_MESSAGE = 250
ADDRESSES_TOLD_MAX = 10
INVENTORY_MAX = 1_000
TRANSACTIONS_BYTES_MAX = 1_048_576
"""Transactions of one answer, together; what does not fit is sent in another."""
SHORT_ID_BYTES = 6
SNAPSHOTS_OFFERED_MAX = 4
PIECES_PER_REQUEST = 16
PATH_HASHES_MAX = 32
VOTES_PER_MESSAGE = 128
CERTIFICATES_PER_MESSAGE = 16
EVIDENCE_PER_MESSAGE = 16

NOT_A_MESSAGE = Code(
    "p2p.message", "these bytes are no message: {reason}", "Check which version of the protocol the peer speaks."
)


class IpOctets(Octets):
    """An IP address: 4 or 16 bytes."""

    def __init__(self) -> None:
        super().__init__(4, 16)

    def decode(self, value: Any, field: str) -> bytes:
        found = super().decode(value, field)
        if len(found) not in (4, 16):
            raise Malformed(WRONG_LENGTH, field=field, expected="4 or 16 bytes", found=len(found))
        return found


ADDRESS_ROW = Row(IpOctets(), Integer(1, 65_535), Integer(0, 2**32 - 1))
POSITION = Integer(0, BLOCK_TRANSACTIONS_MAX - 1)
RAW_TRANSACTION = Octets(1, TRANSACTION_BYTES_MAX)
RESULT_ROW = Row(POSITION, ListOf(Text(0, 64), 1, EARN_ENTRIES_MAX))
TRANSACTION_ROW = Row(POSITION, RAW_TRANSACTION)

BLOCKS, COMPACT, TRANSACTIONS, SNAPSHOTS = 0, 1, 2, 3
"""What is missing."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who I am, which chain and versions I speak, and what you must sign."""

    tag: ClassVar[int] = 0
    version_min: Annotated[int, Integer(1, 65_535)]
    version: Annotated[int, Integer(1, 65_535)]
    chain_id: Annotated[ChainId, identifier()]
    node_key: Annotated[PublicKey, Octets(32, 32)]
    challenge: Annotated[bytes, Octets(32, 32)]
    listen_port: Annotated[int, Integer(0, 65_535)]
    agent: Annotated[str, Text(0, 64)]
    blocks_from: Annotated[int, Integer(0, 2**32 - 1)]


@dataclass(frozen=True, slots=True)
class Proof:
    """That I hold the key that I named."""

    tag: ClassVar[int] = 1
    signature: Annotated[Signature, Octets(64, 64)]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Why I close."""

    tag: ClassVar[int] = 2
    code: Annotated[str, Text(1, 64)]


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""

    tag: ClassVar[int] = 3
    nonce: Annotated[bytes, Octets(8, 8)]


@dataclass(frozen=True, slots=True)
class Pong:
    """I am here."""

    tag: ClassVar[int] = 4
    nonce: Annotated[bytes, Octets(8, 8)]


@dataclass(frozen=True, slots=True)
class GetAddresses:
    """Whom do you know?"""

    tag: ClassVar[int] = 5


@dataclass(frozen=True, slots=True)
class Addresses:
    """Whom I know: (ip, port, when it was seen)."""

    tag: ClassVar[int] = 6
    addresses: Annotated[tuple[tuple[bytes, int, int], ...], ListOf(ADDRESS_ROW, 0, ADDRESSES_PER_MESSAGE)]


@dataclass(frozen=True, slots=True)
class GetHeaders:
    """What follows the first of these that you have?"""

    tag: ClassVar[int] = 7
    locator: Annotated[tuple[BlockHash, ...], ListOf(identifier(), 1, LOCATOR_HASHES_MAX)]


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers in a row, 80 bytes each; unasked ones announce new blocks."""

    tag: ClassVar[int] = 8
    is_answer: Annotated[bool, Boolean()]
    raw: Annotated[bytes, Octets(0, HEADERS_PER_ANSWER * HEADER_BYTES)]


@dataclass(frozen=True, slots=True)
class GetBlocks:
    """Send me these blocks."""

    tag: ClassVar[int] = 9
    hashes: Annotated[tuple[BlockHash, ...], ListOf(identifier(), 1, BLOCKS_PER_REQUEST)]


@dataclass(frozen=True, slots=True)
class BlockBody:
    """A whole block."""

    tag: ClassVar[int] = 10
    block: Annotated[bytes, Octets(1, BLOCK_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class Missing:
    """What you asked for is not here."""

    tag: ClassVar[int] = 11
    of: Annotated[int, Integer(0, 3)]
    ids: Annotated[tuple[bytes, ...], ListOf(identifier(), 1, TRANSACTIONS_PER_REQUEST)]


@dataclass(frozen=True, slots=True)
class WantCompact:
    """Whether new blocks are to be sent as compact ones, unasked."""

    tag: ClassVar[int] = 12
    is_wanted: Annotated[bool, Boolean()]


@dataclass(frozen=True, slots=True)
class GetCompact:
    """Send me this block, compact."""

    tag: ClassVar[int] = 13
    hash: Annotated[BlockHash, identifier()]


@dataclass(frozen=True, slots=True)
class CompactBlock:
    """A block whose transactions are named by short ids (spec NET-9)."""

    tag: ClassVar[int] = 14
    header: Annotated[bytes, Octets(HEADER_BYTES, HEADER_BYTES)]
    coinbase: Annotated[bytes, Octets(coinbase_format.COINBASE_BYTES, coinbase_format.COINBASE_BYTES)]
    commitment: Annotated[bytes, Octets(1, COMMITMENT_BYTES_MAX)]
    salt: Annotated[bytes, Octets(8, 8)]
    short_ids: Annotated[bytes, Octets(0, SHORT_ID_BYTES * BLOCK_TRANSACTIONS_MAX)]
    results: Annotated[tuple[tuple[int, tuple[str, ...]], ...], ListOf(RESULT_ROW, 0, BLOCK_TRANSACTIONS_MAX)]
    transactions: Annotated[tuple[tuple[int, bytes], ...], ListOf(TRANSACTION_ROW, 0, BLOCK_TRANSACTIONS_MAX)]


@dataclass(frozen=True, slots=True)
class GetBlockTransactions:
    """Send me the transactions of this block that I lack."""

    tag: ClassVar[int] = 15
    hash: Annotated[BlockHash, identifier()]
    positions: Annotated[tuple[int, ...], ListOf(POSITION, 1, BLOCK_TRANSACTIONS_MAX)]


@dataclass(frozen=True, slots=True)
class BlockTransactions:
    """The transactions of a block that were asked for, in that order."""

    tag: ClassVar[int] = 16
    hash: Annotated[BlockHash, identifier()]
    transactions: Annotated[tuple[bytes, ...], ListOf(RAW_TRANSACTION, 1, BLOCK_TRANSACTIONS_MAX)]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Transactions that I have."""

    tag: ClassVar[int] = 17
    wtxids: Annotated[tuple[WtxId, ...], ListOf(identifier(), 1, INVENTORY_MAX)]


@dataclass(frozen=True, slots=True)
class GetTransactions:
    """Send me these transactions."""

    tag: ClassVar[int] = 18
    wtxids: Annotated[tuple[WtxId, ...], ListOf(identifier(), 1, TRANSACTIONS_PER_REQUEST)]


@dataclass(frozen=True, slots=True)
class Transactions:
    """Transactions that were asked for."""

    tag: ClassVar[int] = 19
    transactions: Annotated[tuple[bytes, ...], ListOf(RAW_TRANSACTION, 1, TRANSACTIONS_PER_REQUEST)]


@dataclass(frozen=True, slots=True)
class GetSnapshots:
    """Of which states do you have a snapshot?"""

    tag: ClassVar[int] = 20


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The snapshots that I have: (height, hash of the block)."""

    tag: ClassVar[int] = 21
    offered: Annotated[
        tuple[tuple[int, BlockHash], ...],
        ListOf(Row(Integer(0, 2**32 - 1), identifier()), 0, SNAPSHOTS_OFFERED_MAX),
    ]


@dataclass(frozen=True, slots=True)
class GetSnapshotPieces:
    """Send me these pieces of this snapshot."""

    tag: ClassVar[int] = 22
    hash: Annotated[BlockHash, identifier()]
    numbers: Annotated[tuple[int, ...], ListOf(Integer(0, 2**32 - 1), 1, PIECES_PER_REQUEST)]


@dataclass(frozen=True, slots=True)
class SnapshotPiece:
    """Slots in a row, and the path from their subtree to the state root."""

    tag: ClassVar[int] = 23
    hash: Annotated[BlockHash, identifier()]
    number: Annotated[int, Integer(0, 2**32 - 1)]
    slots: Annotated[bytes, Octets(1, PIECE_BYTES_MAX)]
    path: Annotated[tuple[Hash, ...], ListOf(identifier(), 0, PATH_HASHES_MAX)]


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes of attestors (spec NET-20)."""

    tag: ClassVar[int] = 24
    votes: Annotated[tuple[bytes, ...], ListOf(Octets(1, SIGNED_VOTE_BYTES_MAX), 1, VOTES_PER_MESSAGE)]


@dataclass(frozen=True, slots=True)
class GetCertificates:
    """Which checkpoints above this height are certified?"""

    tag: ClassVar[int] = 25
    above: Annotated[Height, Integer(0, 2**32 - 1)]


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates, ascending by the height of their targets; unasked ones are new."""

    tag: ClassVar[int] = 26
    is_answer: Annotated[bool, Boolean()]
    certificates: Annotated[tuple[bytes, ...], ListOf(Octets(1, CERTIFICATE_BYTES_MAX), 0, CERTIFICATES_PER_MESSAGE)]


@dataclass(frozen=True, slots=True)
class Lies:
    """Evidence that attestors signed votes that conflict."""

    tag: ClassVar[int] = 27
    evidence: Annotated[tuple[bytes, ...], ListOf(Octets(1, 2 * SIGNED_VOTE_BYTES_MAX), 1, EVIDENCE_PER_MESSAGE)]


Message = (
    Hello
    | Proof
    | Goodbye
    | Ping
    | Pong
    | GetAddresses
    | Addresses
    | GetHeaders
    | Headers
    | GetBlocks
    | BlockBody
    | Missing
    | WantCompact
    | GetCompact
    | CompactBlock
    | GetBlockTransactions
    | BlockTransactions
    | Inventory
    | GetTransactions
    | Transactions
    | GetSnapshots
    | Snapshots
    | GetSnapshotPieces
    | SnapshotPiece
    | Votes
    | GetCertificates
    | Certificates
    | Lies
)


@dataclass(frozen=True, slots=True)
class MessageLimit:
    """What one peer may send of one message: bytes of each, how many a minute and at once (None: only as an answer), its lane."""

    message: type[Message]
    bytes_max: int
    per_minute: int | None
    at_once: int
    lane: int = 0


BLOCK_LANE, TRANSACTION_LANE = 0, 1
LANES = (BLOCK_LANE, TRANSACTION_LANE)

LIMITS: dict[int, MessageLimit] = {
    limit.message.tag: limit
    for limit in (
        MessageLimit(Hello, 512, 0, 1),
        MessageLimit(Proof, 512, 0, 1),
        MessageLimit(Goodbye, 128, 0, 1),
        MessageLimit(Ping, 32, 30, 10),
        MessageLimit(Pong, 32, None, 0),
        MessageLimit(GetAddresses, 32, 0, 1, TRANSACTION_LANE),
        MessageLimit(Addresses, 16_384, 10, 10, TRANSACTION_LANE),
        MessageLimit(GetHeaders, 4_096, 600, 600),
        MessageLimit(Headers, 160_016, 120, 60),
        MessageLimit(GetBlocks, 1_024, 1_200, 600),
        MessageLimit(BlockBody, BLOCK_BYTES_MAX + 16, None, 0),
        MessageLimit(Missing, 8_192, None, 0),
        MessageLimit(WantCompact, 32, 10, 10),
        MessageLimit(GetCompact, 64, 60, 60),
        MessageLimit(CompactBlock, 4_194_304, 60, 30),
        MessageLimit(GetBlockTransactions, 262_144, 60, 60),
        MessageLimit(BlockTransactions, FRAME_BYTES_MAX, None, 0),
        MessageLimit(Inventory, 65_536, 600, 300, TRANSACTION_LANE),
        MessageLimit(GetTransactions, 8_192, 1_200, 600, TRANSACTION_LANE),
        MessageLimit(Transactions, 1_310_720, None, 0, TRANSACTION_LANE),
        MessageLimit(GetSnapshots, 32, 10, 10, TRANSACTION_LANE),
        MessageLimit(Snapshots, 512, None, 0, TRANSACTION_LANE),
        MessageLimit(GetSnapshotPieces, 1_024, 1_200, 600, TRANSACTION_LANE),
        MessageLimit(SnapshotPiece, FRAME_BYTES_MAX, None, 0, TRANSACTION_LANE),
        MessageLimit(Votes, 40_960, 300, 300),
        MessageLimit(GetCertificates, 32, 600, 300),
        MessageLimit(Certificates, 286_720, 60, 60),
        MessageLimit(Lies, 16_384, 30, 30),
    )
}
"""By tag (spec NET-3)."""

MESSAGES = OneOf(*(limit.message for limit in LIMITS.values()))
SHORT_ARRAY, SHORT_ARRAY_MASK = 0x90, 0xF0


def encode_message(message: Message) -> bytes:
    """The frame of a message."""
    return pack(MESSAGES.encode(message))


def lane_of(frame: bytes) -> int:
    """In which lane a frame travels; what is no message is dealt with at once."""
    limit = LIMITS.get(frame[1]) if len(frame) >= 2 else None
    return BLOCK_LANE if limit is None else limit.lane


def decode_message(frame: bytes) -> Message:
    """Read a frame. Raises `Malformed`: its first two bytes say what it is, and how long it may be, before the rest is read."""
    if len(frame) < 2 or frame[0] & SHORT_ARRAY_MASK != SHORT_ARRAY or frame[1] not in LIMITS:
        raise Malformed(NOT_A_MESSAGE, reason="it begins with no known tag")
    limit = LIMITS[frame[1]]
    if len(frame) > limit.bytes_max:
        reason = f"{limit.message.__name__} has at most {limit.bytes_max} bytes, not {len(frame)}"
        raise Malformed(NOT_A_MESSAGE, reason=reason)
    return MESSAGES.decode(unpack(frame, bytes_max=limit.bytes_max), "message")
