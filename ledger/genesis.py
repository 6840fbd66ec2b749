"""The block that everybody computes and nobody mines (spec GEN)."""

from dataclasses import dataclass

from ledger import coinbase as coinbase_format
from ledger.block import Block, Commitment, transaction_root
from ledger.difficulty import DifficultyState, initial
from ledger.domains.accounts.state import Account, account_key
from ledger.domains.finality.state import FINALITY_KEY, initial_finality
from ledger.hashing import COMMITMENT, sha256d
from ledger.header import VERSION_BASE, Header
from ledger.merkle import root
from ledger.params import Params
from ledger.pow import target_from_compact, work_of
from ledger.registry import check_kinds_known
from ledger.state import SlotContent, encode_record
from ledger.supply import CHAIN_KEY, ChainRecord
from ledger.types import Amount, BlockHash, ChainId, CompactBits, Hash, Height, RecordKey, Slot, Work


@dataclass(frozen=True, slots=True)
class Genesis:
    """The first block, the chain's id (its hash), the first records by slot, and the difficulty state that follows it."""

    block: Block
    chain_id: ChainId
    records: tuple[tuple[Slot, RecordKey, object], ...]
    contents: tuple[tuple[Slot, SlotContent], ...]
    difficulty: DifficultyState
    work: Work


def make_genesis(params: Params) -> Genesis:
    """Compute the genesis block of `params` (spec GEN-1). Raises `Malformed` `params.unknown_kind`.

    Slot 0 holds the chain record, the slots after it the allocations in the order of their addresses; the last one the
    attestors, where there are any. Its header proves no work:
    it is valid because it is computed, and its commitment holds the hash of the params where later ones hold the chain id.
    """
    check_kinds_known(params)
    allocated = params.allocated
    count = 1 + len(params.allocations) + bool(params.attestors)
    chain = ChainRecord(
        slot_count=count,
        free_head=Slot(0),
        due_sequence=0,
        emitted=allocated,
        accounts=allocated,
        pools=Amount(0),
        locked=Amount(0),
        escrow=Amount(0),
        maturing=Amount(0),
        burned=Amount(0),
    )
    records: list[tuple[Slot, RecordKey, object]] = [(Slot(0), CHAIN_KEY, chain)]
    for index, allocation in enumerate(params.allocations):
        account = Account(allocation.amount, Hash(b""), Amount(0))
        records.append((Slot(index + 1), account_key(allocation.address), account))
    if params.attestors:
        records.append((Slot(count - 1), FINALITY_KEY, initial_finality(params)))
    contents = tuple((slot, SlotContent(key, encode_record(key, record), Slot(0))) for slot, key, record in records)
    commitment = Commitment(
        chain_id=ChainId(params.hash),
        height=Height(0),
        transaction_root=transaction_root(()),
        state_root=Hash(root(content.leaf() for _, content in contents)),
        history_root=Hash(root(())),
        transaction_count=0,
        slot_count=count,
        payees=(),
    )
    bits = CompactBits(params.difficulty_eras[0].anchor_bits)
    block = _seal(params, commitment, bits)
    return Genesis(
        block=block,
        chain_id=ChainId(block.hash),
        records=tuple(records),
        contents=contents,
        difficulty=initial(params.difficulty_eras, params.genesis_time),
        work=work_of(target_from_compact(bits)),
    )


def _seal(params: Params, commitment: Commitment, bits: CompactBits) -> Block:
    commitment_bytes = commitment.encode()
    coinbase = coinbase_format.build(
        height=Height(0),
        extranonce=coinbase_format.Extranonce(bytes(8)),
        reward=Amount(0),
        magic=coinbase_format.Magic(params.magic),
        commitment=COMMITMENT(commitment_bytes),
    )
    header = Header(VERSION_BASE, BlockHash(bytes(32)), Hash(sha256d(coinbase)), params.genesis_time, bits, 0)
    return Block(header, coinbase, commitment_bytes, (), ())
