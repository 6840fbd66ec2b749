"""A scenario's blocks with real headers: each mined, each committed to, so that proofs can be made from them."""

from dataclasses import dataclass

from ledger import coinbase as coinbase_format
from ledger.block import Block, Commitment, history_leaf, transaction_leaf, transaction_root
from ledger.hashing import COMMITMENT, sha256d
from ledger.header import VERSION_BASE, Header
from ledger.merkle import inclusion_path, root
from ledger.pow import meets_target, target_from_compact, work_of
from ledger.proofs import Anchor, Home, Proof, RecordClaim, TransactionClaim, Trusted
from ledger.types import Amount, BlockHash, CompactBits, Hash, Height, RecordKey, Timestamp, Work
from tests.support.memory_chain import MinedBlock, Scenario

BITS = CompactBits(0x207FFFFF)


def mine(header: Header) -> Header:
    """The header with the first nonce that proves its work."""
    target = target_from_compact(header.bits)
    nonce = 0
    while not meets_target(header.hash, target):
        nonce += 1
        header = Header(header.version, header.previous, header.merkle_root, header.time, header.bits, nonce)
    return header


@dataclass(frozen=True)
class SealedBlock:
    """A block with the work and the effective time after it."""

    block: Block
    commitment: Commitment
    work: Work
    leaves: tuple[Hash, ...]


class SealedChain:
    """The blocks of a scenario, genesis first. Effective times are the header times: no block is late here."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.history: list[Hash] = []
        genesis = scenario.genesis.block
        work = work_of(target_from_compact(BITS))
        self.blocks = [SealedBlock(genesis, Commitment.decode(genesis.commitment_bytes), work, ())]
        for mined in scenario.mined:
            self._extend(mined)

    def _extend(self, mined: MinedBlock) -> None:
        before = self.blocks[-1]
        self.history.append(history_leaf(before.block.hash, before.work, before.block.header.time))
        codes = mined.transition.codes
        pairs = zip(mined.transactions, codes, strict=True)
        leaves = tuple(transaction_leaf(transaction.wtxid, results) for transaction, results in pairs)
        commitment = Commitment(
            chain_id=self.scenario.chain_id,
            height=Height(len(self.blocks)),
            transaction_root=transaction_root(leaves),
            state_root=mined.root,
            history_root=root(self.history),
            transaction_count=len(leaves),
            slot_count=mined.transition.slot_count,
            payees=mined.payees,
        )
        self.blocks.append(self.seal(commitment, mined, before, leaves))

    def seal(
        self, commitment: Commitment, mined: MinedBlock, before: SealedBlock, leaves: tuple[Hash, ...]
    ) -> SealedBlock:
        """Mine the block that holds `commitment`."""
        commitment_bytes = commitment.encode()
        coinbase = coinbase_format.build(
            height=commitment.height,
            extranonce=coinbase_format.Extranonce(bytes(8)),
            reward=Amount(sum(amount for _, amount in commitment.payees)),
            magic=coinbase_format.Magic(self.scenario.params.magic),
            commitment=COMMITMENT(commitment_bytes),
        )
        header = mine(Header(VERSION_BASE, before.block.hash, sha256d(coinbase), mined.time, BITS, 0))
        raws = tuple(transaction.raw for transaction in mined.transactions)
        block = Block(header, coinbase, commitment_bytes, raws, mined.transition.codes)
        work = Work(before.work + work_of(target_from_compact(BITS)))
        return SealedBlock(block, commitment, work, leaves)

    def history_path(self, anchor: int, height: int) -> tuple[Hash, ...]:
        """Where the block at `height` stands in the history of the block at `anchor`."""
        return inclusion_path(self.history[:anchor], height)

    def anchor(self, height: int, following: int = 0) -> Anchor:
        """The block at `height` with headers that follow it."""
        block = self.blocks[height].block
        after = tuple(self.blocks[height + 1 + index].block.header.encode() for index in range(following))
        return Anchor(block.header.encode(), block.coinbase, block.commitment_bytes, after)

    def trusted(self, anchor: int, height: int = 0) -> Trusted:
        """The block at `height` as one that the reader knows."""
        sealed = self.blocks[height]
        path = () if anchor == height else self.history_path(anchor, height)
        work = sealed.work.to_bytes(32, "big")
        return Trusted(Height(height), sealed.block.hash, work, self._time(height), path)

    def _time(self, height: int) -> Timestamp:
        return self.blocks[height].block.header.time

    def home(self, anchor: int, height: int) -> Home:
        """The block at `height` as an earlier one of the block at `anchor`."""
        sealed = self.blocks[height]
        block = sealed.block
        work = sealed.work.to_bytes(32, "big")
        path = self.history_path(anchor, height)
        return Home(block.header.encode(), block.coinbase, block.commitment_bytes, work, self._time(height), path)

    def prove_transaction(self, height: int, index: int, *, anchor: int, following: int = 0) -> Proof:
        """That a transaction is in the block at `height`."""
        sealed = self.blocks[height]
        claim = TransactionClaim(
            transaction=sealed.block.transactions[index],
            results=sealed.block.results[index],
            index=index,
            path=inclusion_path(sealed.leaves, index),
            home=() if anchor == height else (self.home(anchor, height),),
        )
        return self.prove(anchor, following, claim)

    def prove_record(self, *keys: RecordKey) -> Proof:
        """That records are in the state at the tip."""
        return self.prove(len(self.blocks) - 1, 0, *map(self.claim_record, keys))

    def claim_record(self, key: RecordKey) -> RecordClaim:
        """The place of a record in the state at the tip."""
        stored = self.scenario.state.records[key]
        path = self.scenario.state.tree.inclusion_path(stored.slot)
        return RecordClaim(key, stored.value_bytes, stored.slot, path)

    def prove(self, anchor: int, following: int, *claims: TransactionClaim | RecordClaim) -> Proof:
        """Claims at the block at `anchor`, with so many headers on it."""
        rests_on = self.blocks[anchor + following].block.hash
        parts = self.anchor(anchor, following), self.trusted(anchor)
        return Proof(1, self.scenario.chain_id, rests_on, *parts, claims)


def other_hash(block_hash: BlockHash) -> BlockHash:
    """A hash that is not this one."""
    return BlockHash(bytes(byte ^ 1 for byte in block_hash))
