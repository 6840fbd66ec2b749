"""Making proofs from the chain as it is now (spec PRF). The node's lock must be held."""

from ledger.block import transaction_leaf
from ledger.errors import Code
from ledger.hashing import WTX
from ledger.merkle import inclusion_path
from ledger.proofs import Anchor, Home, Proof, RecordClaim, TransactionClaim, Trusted
from ledger.types import BlockHash, Height, RecordKey, TxId, WtxId
from node.chain import Chain
from node.errors import NodeError

NO_RECORD = Code("proof.no_record", "the latest state has no such record", "Check the id; what ended may be deleted.")
NO_TRANSACTION = Code("transaction.unknown", "the transaction {txid} is in no block", "Wait until it is confirmed.")
NO_BLOCK = Code("proof.no_block", "a proof needs at least one block after genesis", "Wait for the first block.")


def make_record_proof(chain: Chain, key: RecordKey) -> Proof:
    """A proof of the record under `key` in the latest state. Raises `proof.no_record`."""
    place = chain.state_path(key)
    stored = chain.state.stored(key)
    if place is None or stored is None:
        raise NodeError(NO_RECORD)
    slot, path = place
    claim = RecordClaim(key, stored.value_bytes, stored.slot, path)
    assert slot == stored.slot, "the path is the record's"
    return _prove(chain, claim)


def make_transaction_proof(chain: Chain, txid: TxId, height: Height, position: int) -> Proof:
    """A proof of a transaction that stands at `position` of the active block at `height`."""
    block = chain.block_at(height)
    if block is None or position >= len(block.transactions):
        raise NodeError(NO_TRANSACTION, txid=txid)
    leaves = [
        transaction_leaf(WtxId(WTX(raw)), results)
        for raw, results in zip(block.transactions, block.results, strict=True)
    ]
    home: tuple[Home, ...] = ()
    if height != chain.tip.height:
        known = chain.header_at(height)
        home = (
            Home(
                header=block.header.encode(),
                coinbase=block.coinbase,
                commitment=block.commitment_bytes,
                work=known.work.to_bytes(32, "big"),
                effective_time=known.difficulty.effective_time,
                path=chain.history_path(height),
            ),
        )
    claim = TransactionClaim(
        transaction=block.transactions[position],
        results=block.results[position],
        index=position,
        path=inclusion_path(leaves, position),
        home=home,
    )
    return _prove(chain, claim)


def _prove(chain: Chain, claim: RecordClaim | TransactionClaim) -> Proof:
    tip = chain.tip
    block = chain.block(tip.hash)
    if block is None or tip.height == 0:
        raise NodeError(NO_BLOCK)
    genesis = chain.header_at(Height(0))
    trusted = Trusted(
        height=Height(0),
        hash=BlockHash(chain.chain_id),
        work=genesis.work.to_bytes(32, "big"),
        effective_time=genesis.difficulty.effective_time,
        path=chain.history_path(Height(0)),
    )
    anchor = Anchor(block.header.encode(), block.coinbase, block.commitment_bytes, ())
    return Proof(1, chain.chain_id, anchor, trusted, claim)
