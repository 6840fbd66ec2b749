"""Proofs that a fan checks offline: that a transaction is in the chain, or that a record is in the latest state (spec PRF).

    proof  = [1, chain id, anchor, trusted, claim]
    anchor = [header, coinbase, commitment, [header that follows, ...]]
    claim  = [0, transaction, results, index, path, home] or [1, key, value, slot, path]
    home   = [] where the anchor itself holds the transaction, else [header, coinbase, commitment, work, effective time, path]
    trusted = [height, hash, work, effective time, path]

The claim hangs on the anchor's roots; the anchor's history root holds the trusted block; the headers that follow the anchor are
work piled on top of it. What remains to be trusted is said in the report: that the anchor is on the chain that everybody follows.
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
PATH = ListOf(identifier(), 0, 64)
HEADERS_ON_TOP_MAX = 1_000
HEADER_SHAPE = Octets(HEADER_BYTES, HEADER_BYTES)
COINBASE_SHAPE = Octets(COINBASE_BYTES, COINBASE_BYTES)
COMMITMENT_SHAPE = Octets(1, 8_192)
TIME = Integer(0, 2**40)

NOT_A_PROOF = Code("proof.shape", "this is no proof: {reason}", "Ask a node for the proof again.")
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
    """A block that the reader knows already, such as genesis, and its place in the anchor's history."""

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
    """A proof as it stands in its file."""

    version: Annotated[int, Integer(1, 1)]
    chain_id: Annotated[ChainId, identifier()]
    anchor: Annotated[Anchor, Struct(Anchor)]
    trusted: Annotated[Trusted, Struct(Trusted)]
    claim: Annotated[TransactionClaim | RecordClaim, OneOf(TransactionClaim, RecordClaim)]


PROOF = Struct(Proof)


@dataclass(frozen=True, slots=True)
class ProofReport:
    """What a proof shows, and what it takes for granted.

    `txid` or `record` is what was proved. `work_on_top` counts expected hashes of the anchor and the headers that follow it.
    """

    chain_id: ChainId
    anchor_hash: BlockHash
    anchor_height: Height
    anchor_time: Timestamp
    following: int
    work_on_top: Work
    trusted_height: Height
    trusted_hash: BlockHash
    txid: TxId | None
    home_height: Height | None
    results: tuple[str, ...]
    table: str | None
    record: Any


def encode_proof(proof: Proof) -> bytes:
    """The canonical bytes of a proof file."""
    return pack(PROOF.encode(proof))


def read_proof(data: bytes) -> Proof:
    """Read a proof file. Raises `Malformed`."""
    return PROOF.decode(unpack(data, bytes_max=PROOF_BYTES_MAX), "proof")


def check_proof(proof: Proof, chain_id: ChainId | None = None) -> ProofReport:
    """Check a proof without any node. Raises `Violation` (`proof.broken`) or `Malformed`.

    `chain_id`, where it is known, must be the proof's; without it the report says which chain the proof speaks of.
    """
    _hold(chain_id in (None, proof.chain_id), "it is about another chain")
    anchor = proof.anchor
    header, commitment = _open_block(anchor.header, anchor.coinbase, anchor.commitment, proof.chain_id)
    work = _check_following(header, anchor.following)
    trusted = proof.trusted
    _hold(trusted.height > 0 or trusted.hash == proof.chain_id, "the trusted block is not this chain's genesis")
    leaf = history_leaf(trusted.hash, _work(trusted.work), trusted.effective_time)
    holds = verify_inclusion(commitment.history_root, leaf, trusted.height, commitment.height, trusted.path)
    _hold(holds, "the trusted block is not in the anchor's history")
    report = _check_claim(proof, header, commitment)
    return ProofReport(
        chain_id=proof.chain_id,
        anchor_hash=header.hash,
        anchor_height=commitment.height,
        anchor_time=header.time,
        following=len(anchor.following),
        work_on_top=work,
        trusted_height=trusted.height,
        trusted_hash=trusted.hash,
        **report,
    )


def _hold(condition: bool, reason: str) -> None:
    if not condition:
        raise Violation(BROKEN, reason=reason)


def _work(data: bytes) -> Work:
    return Work(int.from_bytes(data, "big"))


def _open_block(
    header_bytes: bytes, coinbase: bytes, commitment_bytes: bytes, chain_id: ChainId
) -> tuple[Header, Commitment]:
    """Header and commitment of a block whose work, coinbase and commitment belong together."""
    header = Header.decode(header_bytes)
    try:
        target = target_from_compact(header.bits)
        committed = coinbase_format.parse(coinbase).commitment
    except LedgerError as fault:
        raise Malformed(NOT_A_PROOF, reason=fault.code.name) from fault
    _hold(meets_target(header.hash, target), "a header does not prove its work")
    _hold(sha256d(coinbase) == header.merkle_root, "a coinbase is not its header's")
    _hold(COMMITMENT(commitment_bytes) == committed, "a commitment is not its coinbase's")
    commitment = Commitment.decode(commitment_bytes)
    _hold(commitment.chain_id == chain_id, "a block belongs to another chain")
    return header, commitment


def _check_following(header: Header, following: Sequence[bytes]) -> Work:
    work = work_of(target_from_compact(header.bits))
    previous = header
    for data in following:
        current = Header.decode(data)
        target = target_from_compact(current.bits)
        _hold(current.previous == previous.hash, "a header that should follow does not")
        _hold(meets_target(current.hash, target), "a header that follows does not prove its work")
        work = Work(work + work_of(target))
        previous = current
    return work


def _check_claim(proof: Proof, header: Header, commitment: Commitment) -> dict[str, Any]:
    claim = proof.claim
    if isinstance(claim, RecordClaim):
        leaf = record_leaf(claim.key, claim.value)
        holds = verify_inclusion(commitment.state_root, leaf, claim.slot, commitment.slot_count, claim.path)
        _hold(holds, "the record is not in the anchor's state")
        table = Table.catalogue.get(claim.key[0])
        if table is None:
            raise Violation(BROKEN, reason="the key belongs to no table")
        record = decode_record(claim.key, unpack(claim.value, bytes_max=PROOF_BYTES_MAX))
        return {"txid": None, "home_height": None, "results": (), "table": table.name, "record": record}
    home = _check_home(claim, commitment, proof.chain_id)
    leaf = transaction_leaf(WtxId(WTX(claim.transaction)), claim.results)
    holds = verify_inclusion(home.transaction_root, leaf, claim.index, home.transaction_count, claim.path)
    _hold(holds, "the transaction is not in its block")
    outer = unpack(claim.transaction, bytes_max=TRANSACTION_BYTES_MAX)
    if type(outer) is not tuple or len(outer) != 2 or type(outer[0]) is not bytes:
        raise Malformed(NOT_A_PROOF, reason="the transaction is none")
    txid = TxId(TX(outer[0]))
    return {"txid": txid, "home_height": home.height, "results": claim.results, "table": None, "record": None}


def _check_home(claim: TransactionClaim, anchor: Commitment, chain_id: ChainId) -> Commitment:
    """The commitment of the block that holds the transaction: the anchor's, or that of a block in its history."""
    if not claim.home:
        return anchor
    home = claim.home[0]
    header, commitment = _open_block(home.header, home.coinbase, home.commitment, chain_id)
    leaf = history_leaf(header.hash, _work(home.work), home.effective_time)
    holds = verify_inclusion(anchor.history_root, leaf, commitment.height, anchor.height, home.path)
    _hold(holds, "the transaction's block is not in the anchor's history")
    return commitment
