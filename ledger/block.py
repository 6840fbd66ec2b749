"""A block on the wire, and the commitment that its header carries (spec BLK).

    block      = [header: 80 bytes, coinbase: 122 bytes, commitment: bytes, [transaction: bytes, ...], [results, ...]]
    commitment = [chain id, height, transaction root, state root, history root, transaction count, slot count,
                  [[address, amount], ...]]

`header.merkle_root = sha256d(coinbase)`, and the coinbase holds `COMMITMENT(commitment)`. The genesis commitment holds the hash of
the params where later ones hold the chain id. `results` are the result codes of each transaction, one per entry: with them a body
can be held against its commitment before anything in it is applied, so that a spoiled body never condemns a good header.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from ledger import coinbase as coinbase_format
from ledger.codec import pack, unpack
from ledger.errors import BlockViolation, Code, Malformed
from ledger.hashing import COMMITMENT, RESULTS, WTX, sha256d
from ledger.header import HEADER_BYTES, Header
from ledger.kinds import APPLIED
from ledger.merkle import leaf_hash, root
from ledger.params import BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, EARN_ENTRIES_MAX, TRANSACTION_BYTES_MAX, Params
from ledger.reward import PAYEES, Payee
from ledger.schema import Integer, ListOf, Octets, Struct, Text, identifier
from ledger.types import INTEGER_MAX, BlockHash, ChainId, Hash, Height, Timestamp, Work, WtxId

NOT_A_BLOCK = Code("block.shape", "these bytes are no block: {reason}", "Fetch the block from another peer.")
BODY_MISMATCH = Code(
    "block.body_mismatch",
    "the body does not belong to this header: {reason}",
    "Fetch the body from another peer; the header is not to blame.",
)


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a block's work stands for: the roots, and the sizes of the trees that they are over (the history's is the height)."""

    chain_id: Annotated[ChainId, identifier()]
    height: Annotated[Height, Integer(0, 2**32 - 1)]
    transaction_root: Annotated[Hash, identifier()]
    state_root: Annotated[Hash, identifier()]
    history_root: Annotated[Hash, identifier()]
    transaction_count: Annotated[int, Integer(0, BLOCK_TRANSACTIONS_MAX)]
    slot_count: Annotated[int, Integer(1, INTEGER_MAX)]
    payees: Annotated[tuple[Payee, ...], PAYEES]

    def encode(self) -> bytes:
        """The canonical bytes."""
        return pack(COMMITMENT_SHAPE.encode(self))

    @staticmethod
    def decode(data: bytes) -> "Commitment":
        """Read canonical bytes. Raises `Malformed`."""
        return COMMITMENT_SHAPE.decode(unpack(data, bytes_max=COMMITMENT_BYTES_MAX), "commitment")


COMMITMENT_SHAPE = Struct(Commitment)
COMMITMENT_BYTES_MAX = 8_192
TRANSACTIONS = ListOf(Octets(1, TRANSACTION_BYTES_MAX), 0, BLOCK_TRANSACTIONS_MAX)
RESULTS_SHAPE = ListOf(ListOf(Text(0, 64), 1, EARN_ENTRIES_MAX), 0, BLOCK_TRANSACTIONS_MAX)


@dataclass(frozen=True, slots=True)
class Block:
    """A header with its body, in bytes that were split but not yet read further."""

    header: Header
    coinbase: bytes
    commitment_bytes: bytes
    transactions: tuple[bytes, ...]
    results: tuple[tuple[str, ...], ...]

    @property
    def hash(self) -> BlockHash:
        """The header's hash."""
        return self.header.hash

    def encode(self) -> bytes:
        """The canonical bytes."""
        return pack((self.header.encode(), self.coinbase, self.commitment_bytes, self.transactions, self.results))

    @staticmethod
    def decode(data: bytes) -> "Block":
        """Split the bytes of a block. Raises `Malformed`."""
        array = unpack(data, bytes_max=BLOCK_BYTES_MAX, items_max=BLOCK_TRANSACTIONS_MAX)
        if type(array) is not tuple or len(array) != 5:
            raise Malformed(NOT_A_BLOCK, reason="it is not [header, coinbase, commitment, transactions, results]")
        header = Octets(HEADER_BYTES, HEADER_BYTES).decode(array[0], "header")
        coinbase = Octets(coinbase_format.COINBASE_BYTES, coinbase_format.COINBASE_BYTES).decode(array[1], "coinbase")
        commitment = Octets(1, COMMITMENT_BYTES_MAX).decode(array[2], "commitment")
        transactions = TRANSACTIONS.decode(array[3], "transactions")
        results = RESULTS_SHAPE.decode(array[4], "results")
        return Block(Header.decode(header), coinbase, commitment, transactions, results)


def check_body_belongs(block: Block, params: Params) -> Commitment:
    """The block's commitment, if coinbase and commitment are the ones that its header stands for.

    Raises `block.body_mismatch`, which never condemns the header, or `BlockViolation` where the header itself commits to
    something that no good block has.
    """
    if sha256d(block.coinbase) != block.header.merkle_root:
        raise BlockViolation(BODY_MISMATCH, reason="its coinbase is not the one in the header's merkle root")
    coinbase = coinbase_format.parse(block.coinbase)
    if COMMITMENT(block.commitment_bytes) != coinbase.commitment:
        raise BlockViolation(BODY_MISMATCH, reason="its commitment is not the one in the coinbase")
    commitment = Commitment.decode(block.commitment_bytes)
    if coinbase.magic != params.magic:
        raise BlockViolation(COMMITTED_WRONG, what="magic")
    if coinbase.height != commitment.height:
        raise BlockViolation(COMMITTED_WRONG, what="height in the coinbase")
    if coinbase.reward != min(sum(amount for _, amount in commitment.payees), coinbase_format.REWARD_SHOWN_MAX):
        raise BlockViolation(COMMITTED_WRONG, what="reward in the coinbase")
    if not len(block.transactions) == len(block.results) == commitment.transaction_count:
        raise BlockViolation(BODY_MISMATCH, reason="it has another number of transactions or results")
    leaves = [
        transaction_leaf(WtxId(WTX(raw)), codes) for raw, codes in zip(block.transactions, block.results, strict=True)
    ]
    if transaction_root(leaves) != commitment.transaction_root:
        raise BlockViolation(BODY_MISMATCH, reason="its transactions and results are not the committed ones")
    return commitment


COMMITTED_WRONG = Code(
    "block.commitment", "the block commits to a wrong {what}", "The block is invalid; mine on its parent."
)
WRONG_ROOT = Code("block.wrong_root", "the {name} root does not match its transactions", "Mine on the parent.")
WRONG_RESULTS = Code(
    "block.wrong_results", "the block commits to result codes that its transactions do not have", "Mine on the parent."
)
WRONG_SLOT_COUNT = Code(
    "block.wrong_slot_count",
    "the block commits to {found} slots, and its transactions leave {expected}",
    "Mine on the parent.",
)


ALL_APPLIED = RESULTS(pack((APPLIED,)))
"""What nearly every transaction's codes hash to."""


def transaction_leaf(wtxid: WtxId, codes: Sequence[str]) -> Hash:
    """Leaf of the transaction root: RFC 9162 leaf of wtxid ‖ RESULTS(canonical list of result codes) (spec BLK-4)."""
    return Hash(leaf_hash(wtxid + (ALL_APPLIED if codes == (APPLIED,) else RESULTS(pack(tuple(codes))))))


def transaction_root(leaves: Sequence[Hash]) -> Hash:
    """RFC 9162 root over the transactions' leaves."""
    return Hash(root(leaves))


def history_leaf(block_hash: BlockHash, work: Work, effective_time: Timestamp) -> Hash:
    """Leaf of the history root: canonical [hash, cumulative work as 32 bytes, effective time] (spec BLK-5)."""
    return Hash(leaf_hash(pack((block_hash, work.to_bytes(32, "big"), effective_time))))
