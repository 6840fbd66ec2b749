"""A scenario whose blocks are real ones, and that can go back to any of them and go on from there: a tree of branches."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ledger import coinbase as coinbase_format
from ledger.block import Block, Commitment, history_leaf, transaction_leaf, transaction_root
from ledger.difficulty import DifficultyState, next_bits
from ledger.fork_choice import Branch
from ledger.hashing import COMMITMENT, sha256d
from ledger.header import VERSION_BASE, Header
from ledger.header_chain import check_header
from ledger.merkle import IncrementalTree
from ledger.params import Params
from ledger.pow import meets_target, target_from_compact, work_of
from ledger.transaction import Transaction
from ledger.types import Amount, BlockHash, Hash, Height, Timestamp, Work
from tests.support.memory_chain import MinedBlock, Scenario, Signer


@dataclass(frozen=True)
class Twig:
    """A block of the tree, with what made it and what its children need. Genesis was not made, and has no `mined`."""

    block: Block
    mined: MinedBlock | None
    difficulty: DifficultyState
    work: Work

    @property
    def height(self) -> Height:
        """Height of the block."""
        return self.difficulty.height


class BranchingChain(Scenario):
    """The same rules, state and undo as `Scenario`; every block is sealed and stays in `twigs`, whatever is unwound."""

    def __init__(self, *funded: Signer, params: Params | None = None) -> None:
        super().__init__(*funded, params=params)
        genesis = self.genesis
        first = Twig(genesis.block, None, genesis.difficulty, genesis.work)
        self.twigs: dict[BlockHash, Twig] = {genesis.block.hash: first}
        self.path = [first]
        self._history = IncrementalTree([_leaf(first)])

    @property
    def tip(self) -> Twig:
        """The block that the next one follows."""
        return self.path[-1]

    @property
    def blocks(self) -> list[Block]:
        """Every block of the tree but genesis, in the order in which they were made."""
        return [twig.block for twig in self.twigs.values() if twig.mined is not None]

    def block(self, *transactions: Transaction, time: int | None = None) -> MinedBlock:
        mined = super().block(*transactions, time=time)
        self._push(self._seal_block(mined))
        return mined

    def unwind(self, blocks: int) -> None:
        super().unwind(blocks)
        for _ in range(blocks):
            self.path.pop()
        self._history.truncate(len(self.path))

    def go_to(self, block_hash: BlockHash) -> None:
        """Leave the branch for the one that ends with this block."""
        wanted = self.branch_of(block_hash)
        shared = sum(a is b for a, b in zip(wanted, self.path, strict=False))
        self.unwind(len(self.path) - shared)
        for twig in wanted[shared:]:
            assert twig.mined is not None
            again = Scenario.block(self, *twig.mined.transactions, time=twig.mined.time)
            assert again.root == twig.mined.root, "a branch that is taken up again is what it was"
            self._push(twig)

    def branch_of(self, block_hash: BlockHash) -> list[Twig]:
        """From genesis to this block."""
        found = [self.twigs[block_hash]]
        while found[-1].mined is not None:
            found.append(self.twigs[found[-1].block.header.previous])
        return found[::-1]

    def best(self, of: Iterable[BlockHash]) -> list[Branch]:
        """The branches that end with these blocks, as a fork choice sees them."""
        return [Branch(block_hash, self.twigs[block_hash].work) for block_hash in of]

    def _push(self, twig: Twig) -> None:
        self._history.extend([_leaf(twig)])
        self.path.append(twig)
        self.twigs[twig.block.hash] = twig

    def _seal_block(self, mined: MinedBlock) -> Twig:
        before, params = self.tip, self.params
        codes = mined.transition.codes
        leaves = [transaction_leaf(tx.wtxid, code) for tx, code in zip(mined.transactions, codes, strict=True)]
        commitment = Commitment(
            chain_id=self.chain_id,
            height=mined.context.height,
            transaction_root=transaction_root(leaves),
            state_root=mined.root,
            history_root=self._history.root(),
            transaction_count=len(leaves),
            slot_count=mined.transition.slot_count,
            payees=mined.payees,
        ).encode()
        coinbase = coinbase_format.build(
            height=mined.context.height,
            extranonce=coinbase_format.Extranonce(bytes(8)),
            reward=Amount(sum(amount for _, amount in mined.payees)),
            magic=coinbase_format.Magic(params.magic),
            commitment=COMMITMENT(commitment),
        )
        bits = next_bits(params.difficulty_eras, before.difficulty)
        target = target_from_compact(bits)
        header = Header(VERSION_BASE, before.block.hash, Hash(sha256d(coinbase)), Timestamp(mined.time), bits, 0)
        while not meets_target(header.hash, target):
            header = replace(header, nonce=header.nonce + 1)
        difficulty = check_header(params.difficulty_eras, before.difficulty, before.block.hash, header)
        raws = tuple(transaction.raw for transaction in mined.transactions)
        block = Block(header, coinbase, commitment, raws, codes)
        return Twig(block, mined, difficulty, Work(before.work + work_of(target)))


def _leaf(twig: Twig) -> Hash:
    """The block's leaf in the history of those after it."""
    return history_leaf(twig.block.hash, twig.work, twig.difficulty.effective_time)
