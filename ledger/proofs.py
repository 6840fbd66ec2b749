"""Proofs that a fan checks offline: that a transaction is in the chain, or that records are in the latest state (spec PRF).

    proof  = [1, chain id, rests on, anchor, trusted, [claim, ...]]
    anchor = [header, coinbase, commitment, [header that follows, ...]]
    claim  = [0, transaction, results, index, path, home] or [1, key, value, slot, path]
    home   = [] where the anchor itself holds the transaction, else [header, coinbase, commitment, work, effective time, path]
    trusted = [height, hash, work, effective time, path]

The claims hang on the anchor's roots; the anchor's history root holds the trusted block; the headers that follow the anchor are
work piled on top of it. `rests on` states the hash of the last of these headers: the block that the whole file hangs on, so that
no byte can be changed, a nonce included, without the file contradicting itself. What remains to be trusted is said in the
report: that this block is on the chain that everybody follows, unless the reader names it as one that it knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ledger import coinbase as coinbase_format
from ledger.block import Commitment, history_leaf, transaction_leaf
from ledger.codec import pack, unpack
from ledger.coinbase import COINBASE_BYTES
from ledger.errors import Code, LedgerError, Malformed, Violation
from ledger.hashing import COMMITMENT, TX, WTX, sha256d
from ledger.header import HEADER_BYTES, Header
from ledger.merkle import verify_inclusion
from ledger.params import EARN_ENTRIES_MAX, TRANSACTION_BYTES_MAX
from ledger.pow import meets_target, target_from_compact, work_of
from ledger.schema import Integer, ListOf, Octets, OneOf, Struct, Text, identifier
from ledger.state import Table, decode_record, record_leaf
from ledger.types import (
    INTEGER_MAX,
    BlockHash,
    ChainId,
    Hash,
    Height,
    RecordKey,
    Slot,
    Timestamp,
    TxId,
    Work,
    WtxId,
)

PROOF_BYTES_MAX = 1_048_576
CLAIMS_MAX = 4
"""What was asked for, and the records that give its names and units."""
PATH = ListOf(identifier(), 0, 64)
HEADERS_ON_TOP_MAX = 1_000
HEADER_SHAPE = Octets(HEADER_BYTES, HEADER_BYTES)
COINBASE_SHAPE = Octets(COINBASE_BYTES, COINBASE_BYTES)
COMMITMENT_SHAPE = Octets(1, 8_192)
TIME = Integer(0, 2**40)

# What the block is that a reader trusts (spec PRF-4).
TRUST_ABOVE = "above"
"""The anchor itself, or a block that follows it: everything in the file is as sure as that block."""
TRUST_HOME = "home"
"""The block that holds the transaction, which is as sure as that block."""
TRUST_BELOW = "below"
"""A block in the anchor's history: what came after it rests on its work."""

NOT_A_PROOF = Code("proof.shape", "this is no proof: {reason}", "Ask a node for the proof again.")
UNTRUSTED = Code(
    "proof.untrusted",
    "nothing in the proof leads to the block {hash} that you trust",
    "Ask a node for a proof that leads to that block, or compare the proof's own block with a source that you trust.",
)
BROKEN = Code("proof.broken", "the proof does not hold: {reason}", "Do not rely on it; ask another node.")


@dataclass(frozen=True, slots=True)
class Anchor:
    """The block whose roots are used, and headers that follow it."""

    header: Annotated[bytes, HEADER_SHAPE]
    coinbase: Annotated[bytes, COINBASE_SHAPE]
    commitment: Annotated[bytes, COMMITMENT_SHAPE]
    following: Annotated[tuple[bytes, ...], ListOf(HEADER_SHAPE, 0, HEADERS_ON_TOP_MAX)]


@dataclass(frozen=True, slots=True)
class Trusted:
    """A block that the reader may know already, such as genesis, and its place in the anchor's history."""

    height: Annotated[Height, Integer(0, 2**32 - 1)]
    hash: Annotated[BlockHash, identifier()]
    work: Annotated[bytes, Octets(32, 32)]
    effective_time: Annotated[Timestamp, TIME]
    path: Annotated[tuple[Hash, ...], PATH]


@dataclass(frozen=True, slots=True)
class Home:
    """The earlier block that holds the transaction, and its place in the anchor's history."""

    header: Annotated[bytes, HEADER_SHAPE]
    coinbase: Annotated[bytes, COINBASE_SHAPE]
    commitment: Annotated[bytes, COMMITMENT_SHAPE]
    work: Annotated[bytes, Octets(32, 32)]
    effective_time: Annotated[Timestamp, TIME]
    path: Annotated[tuple[Hash, ...], PATH]


@dataclass(frozen=True, slots=True)
class TransactionClaim:
    """This transaction is in a block, with these results."""

    tag: ClassVar[int] = 0
    transaction: Annotated[bytes, Octets(1, TRANSACTION_BYTES_MAX)]
    results: Annotated[tuple[str, ...], ListOf(Text(0, 64), 1, EARN_ENTRIES_MAX)]
    index: Annotated[int, Integer(0, 2**32 - 1)]
    path: Annotated[tuple[Hash, ...], PATH]
    home: Annotated[tuple[Home, ...], ListOf(Struct(Home), 0, 1)]


@dataclass(frozen=True, slots=True)
class RecordClaim:
    """This record is in the state after the anchor."""

    tag: ClassVar[int] = 1
    key: Annotated[RecordKey, Octets(1, 128)]
    value: Annotated[bytes, Octets(1, 262_144)]
    slot: Annotated[Slot, Integer(0, INTEGER_MAX)]
    path: Annotated[tuple[Hash, ...], PATH]


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it stands in its file. The first claim is the one that was asked for, those after it give its names and units."""

    version: Annotated[int, Integer(1, 1)]
    chain_id: Annotated[ChainId, identifier()]
    rests_on: Annotated[BlockHash, identifier()]
    anchor: Annotated[Anchor, Struct(Anchor)]
    trusted: Annotated[Trusted, Struct(Trusted)]
    claims: Annotated[
        tuple[TransactionClaim | RecordClaim, ...], ListOf(OneOf(TransactionClaim, RecordClaim), 1, CLAIMS_MAX)
    ]


PROOF = Struct(Proof)


@dataclass(frozen=True, slots=True)
class ShownTransaction:
    """A transaction in the block at `height`, whose header says `time`. `depth` counts blocks from that one through the anchor."""

    txid: TxId
    raw: bytes
    results: tuple[str, ...]
    height: Height
    time: Timestamp
    block_hash: BlockHash
    depth: int


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A record of the state after the anchor. `table` and `record` are None where this version can not read it."""

    key: RecordKey
    table: str | None
    record: Any


@dataclass(frozen=True, slots=True)
class ProofReport:
    """What a proof shows, and what it takes for granted.

    `work_on_top` counts expected hashes of the anchor and the headers that follow it. `trust` says what the block is that the
    reader named as one that it knows: `TRUST_ABOVE`, `TRUST_HOME`, `TRUST_BELOW`, or empty if it named none.
    """

    chain_id: ChainId
    rests_on: BlockHash
    anchor_hash: BlockHash
    anchor_height: Height
    anchor_time: Timestamp
    following: int
    work_on_top: Work
    trusted_height: Height
    trusted_hash: BlockHash
    trusted_work: Work
    trust: str
    shown: tuple[ShownTransaction | ShownRecord, ...]


@dataclass(frozen=True, slots=True)
class OpenedBlock:
    """A block whose work, coinbase and commitment belong together."""

    header: Header
    commitment: Commitment


def encode_proof(proof: Proof) -> bytes:
    """The canonical bytes of a proof file."""
    return pack(PROOF.encode(proof))


def read_proof(data: bytes) -> Proof:
    """Read a proof file. Raises `Malformed`."""
    return PROOF.decode(unpack(data, bytes_max=PROOF_BYTES_MAX), "proof")


def check_proof(proof: Proof, chain_id: ChainId | None = None, *, trust: BlockHash | None = None) -> ProofReport:
    """Check a proof without any node. Raises `Violation` (`proof.broken`, `proof.untrusted`) or `Malformed`.

    `chain_id`, where it is known, must be the proof's; without it the report says which chain the proof speaks of. `trust` is a
    block that the reader knows from a source of its own: the proof must hang on it, or lead to it.
    """
    _hold(chain_id in (None, proof.chain_id), "it is about another chain")
    anchor = _open_block(proof.anchor.header, proof.anchor.coinbase, proof.anchor.commitment, proof.chain_id)
    work, hashes = _check_following(anchor.header, proof.anchor.following)
    _hold(proof.rests_on == hashes[-1], "it does not rest on the block that it names")
    _check_trusted(proof.trusted, anchor.commitment, proof.chain_id)
    shown = tuple(_check_claim(claim, anchor, proof.chain_id) for claim in proof.claims)
    return ProofReport(
        chain_id=proof.chain_id,
        rests_on=proof.rests_on,
        anchor_hash=hashes[0],
        anchor_height=anchor.commitment.height,
        anchor_time=anchor.header.time,
        following=len(proof.anchor.following),
        work_on_top=work,
        trusted_height=proof.trusted.height,
        trusted_hash=proof.trusted.hash,
        trusted_work=_work(proof.trusted.work),
        trust="" if trust is None else _find_trust(trust, hashes, proof.trusted.hash, shown[0]),
        shown=shown,
    )


def measure_proof(proof: Proof) -> dict[str, int]:
    """Bytes of the whole file and of its parts (spec PRF-5); what is left are the ids and the marks between the parts."""
    anchor, trusted = pack(Struct(Anchor).encode(proof.anchor)), pack(Struct(Trusted).encode(proof.trusted))
    claims = pack(PROOF.encode(proof)[-1])
    return {"all": len(encode_proof(proof)), "block": len(anchor), "trusted": len(trusted), "claims": len(claims)}


def _hold(condition: bool, reason: str) -> None:
    if not condition:
        raise Violation(BROKEN, reason=reason)


def _work(data: bytes) -> Work:
    return Work(int.from_bytes(data, "big"))


def _open_block(header_bytes: bytes, coinbase_bytes: bytes, commitment_bytes: bytes, chain_id: ChainId) -> OpenedBlock:
    header = Header.decode(header_bytes)
    try:
        target = target_from_compact(header.bits)
        coinbase = coinbase_format.parse(coinbase_bytes)
    except LedgerError as fault:
        raise Malformed(NOT_A_PROOF, reason=fault.code.name) from fault
    _hold(meets_target(header.hash, target), "a header does not prove its work")
    _hold(sha256d(coinbase_bytes) == header.merkle_root, "a coinbase is not its header's")
    _hold(COMMITMENT(commitment_bytes) == coinbase.commitment, "a commitment is not its coinbase's")
    commitment = Commitment.decode(commitment_bytes)
    _hold(commitment.chain_id == chain_id, "a block belongs to another chain")
    return OpenedBlock(header, commitment)


def _check_following(header: Header, following: Sequence[bytes]) -> tuple[Work, list[BlockHash]]:
    """Work of the anchor and the headers on it, and the hashes of all of them."""
    work = work_of(target_from_compact(header.bits))
    hashes = [header.hash]
    for data in following:
        current = Header.decode(data)
        target = target_from_compact(current.bits)
        _hold(current.previous == hashes[-1], "a header that should follow does not")
        _hold(meets_target(current.hash, target), "a header that follows does not prove its work")
        work = Work(work + work_of(target))
        hashes.append(current.hash)
    return work, hashes


def _check_trusted(trusted: Trusted, anchor: Commitment, chain_id: ChainId) -> None:
    _hold(trusted.height > 0 or trusted.hash == chain_id, "the trusted block is not this chain's genesis")
    leaf = history_leaf(trusted.hash, _work(trusted.work), trusted.effective_time)
    holds = verify_inclusion(anchor.history_root, leaf, trusted.height, anchor.height, trusted.path)
    _hold(holds, "the trusted block is not in the anchor's history")


def _check_claim(
    claim: TransactionClaim | RecordClaim, anchor: OpenedBlock, chain_id: ChainId
) -> ShownTransaction | ShownRecord:
    if isinstance(claim, RecordClaim):
        return _check_record(claim, anchor.commitment)
    return _check_transaction(claim, anchor, chain_id)


def _check_record(claim: RecordClaim, anchor: Commitment) -> ShownRecord:
    leaf = record_leaf(claim.key, claim.value)
    holds = verify_inclusion(anchor.state_root, leaf, claim.slot, anchor.slot_count, claim.path)
    _hold(holds, "a record is not in the anchor's state")
    value = unpack(claim.value, bytes_max=PROOF_BYTES_MAX)
    if type(value) is not tuple:
        raise Malformed(NOT_A_PROOF, reason="a record is no array")
    table = Table.catalogue.get(claim.key[0])
    if table is None:
        return ShownRecord(claim.key, None, None)
    try:
        return ShownRecord(claim.key, table.name, decode_record(claim.key, value))
    except Malformed:  # of a later version of the law; that it is in the state holds all the same
        return ShownRecord(claim.key, None, None)


def _check_transaction(claim: TransactionClaim, anchor: OpenedBlock, chain_id: ChainId) -> ShownTransaction:
    home = _check_home(claim, anchor, chain_id)
    leaf = transaction_leaf(WtxId(WTX(claim.transaction)), claim.results)
    committed = home.commitment
    holds = verify_inclusion(committed.transaction_root, leaf, claim.index, committed.transaction_count, claim.path)
    _hold(holds, "a transaction is not in its block")
    outer = unpack(claim.transaction, bytes_max=TRANSACTION_BYTES_MAX)
    if type(outer) is not tuple or len(outer) != 2 or type(outer[0]) is not bytes:
        raise Malformed(NOT_A_PROOF, reason="the transaction is none")
    return ShownTransaction(
        txid=TxId(TX(outer[0])),
        raw=claim.transaction,
        results=claim.results,
        height=committed.height,
        time=home.header.time,
        block_hash=home.header.hash,
        depth=anchor.commitment.height - committed.height + 1,
    )


def _check_home(claim: TransactionClaim, anchor: OpenedBlock, chain_id: ChainId) -> OpenedBlock:
    """The block that holds the transaction: the anchor, or one in its history."""
    if not claim.home:
        return anchor
    home = claim.home[0]
    opened = _open_block(home.header, home.coinbase, home.commitment, chain_id)
    leaf = history_leaf(opened.header.hash, _work(home.work), home.effective_time)
    height, size = opened.commitment.height, anchor.commitment.height
    holds = verify_inclusion(anchor.commitment.history_root, leaf, height, size, home.path)
    _hold(holds, "a transaction's block is not in the anchor's history")
    return opened


def _find_trust(
    trust: BlockHash, hashes: Sequence[BlockHash], below: BlockHash, first: ShownTransaction | ShownRecord
) -> str:
    """What the block that the reader knows is in this proof. Raises `proof.untrusted`."""
    if trust in hashes:
        return TRUST_ABOVE
    if isinstance(first, ShownTransaction) and trust == first.block_hash:
        return TRUST_HOME
    if trust == below:
        return TRUST_BELOW
    raise Violation(UNTRUSTED, hash=trust[::-1].hex())
