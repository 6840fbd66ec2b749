"""Trees of branches in random order: after every change of the tip the store is that of a node that saw this branch only.

Everything is drawn from the seed in the name of the test: `pytest "FILE::test_...[SEED]"` replays a failure.
"""

import random
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from ledger.block import BODY_MISMATCH, Block
from ledger.errors import BlockViolation, LedgerError, Malformed
from ledger.fork_choice import TieKey, choose
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import BlockHash, Timestamp
from node.chain import KNOWN_INVALID, TOO_EARLY, UNKNOWN_PARENT, WRONG_ROOT
from node.mempool.policy import MempoolLimits
from node.mining.miner import pay_all_to
from node.tip import AcceptedBlock, TipChanged
from node.waiting import Released, WaitingBlocks, WaitingLimits
from tests.node.forged_blocks import child_of
from tests.node.lives import NAMES_OF_A_LIFE, live
from tests.node.mempool.desk import assert_consistent
from tests.node.stored_chain import MINER, Rows, StoredChain
from tests.support.memory_chain import DAY_SECONDS, sim_params
from tests.support.random_life import BranchingShop, RandomLife, grow_tree
from tests.support.refusal import refused
from tests.support.shop import FUNDED

HEADER_ENDS = 3 + 80
"""Where the header ends in the bytes of a block."""
PARAMS = sim_params(*(signer.address for signer in FUNDED), validity_blocks_max=12, maturity_blocks=5)


class Replays:
    """What a node knows that was never told of another branch: always replayed from genesis on, never reorganised."""

    def __init__(self, folder: Path, params: Params, shop: BranchingShop) -> None:
        self._folder, self._params, self.tree = folder, params, shop.chain
        self._template = folder / "template.sqlite"
        StoredChain(self._template, params).close()
        self._made = 0
        self._begin()

    def _begin(self) -> None:
        self._made += 1
        path = self._folder / f"replay-{self._made}.sqlite"
        shutil.copy(self._template, path)
        self.store = StoredChain(path, self._params)

    def of(self, tip: BlockHash) -> StoredChain:
        """The replay of the branch that ends with this block."""
        branch = [twig.block for twig in self.tree.branch_of(tip)[1:]]
        done = self.store.chain.tip.height
        if done > len(branch) or (done and branch[done - 1].hash != self.store.chain.tip.hash):
            self.close()
            self._begin()
            done = 0
        for block in branch[done:]:
            assert self.store.take(block).is_tip
        return self.store

    def events_of(self, block_hash: BlockHash) -> set[str]:
        """What happened in a block."""
        mined = self.tree.twigs[block_hash].mined
        assert mined is not None
        return {event.name for _, event in mined.transition.events}

    def close(self) -> None:
        self.store.close()


class Watcher:
    """Listens to a chain and holds it against a fresh replay after every change of its tip."""

    def __init__(self, store: StoredChain, replays: Replays, seed: int) -> None:
        self.store, self.replays, self.seed = store, replays, seed
        self.path = [store.chain.tip.hash]
        self.depths: list[int] = []
        self.outcomes: Counter[str] = Counter()
        self.taken_back: set[str] = set()
        self.listen()

    def listen(self) -> None:
        self.store.chain.subscribe(self.follow)

    def follow(self, changed: TipChanged) -> None:
        for block in changed.disconnected:
            assert self.path.pop() == block.hash, "taken back from the top, each once"
            assert block.height == len(self.path)
        for block in changed.connected:
            assert block.height == len(self.path), "connected from the fork on, each once"
            self.path.append(block.hash)
        assert changed.connected
        assert self.path[-1] == self.store.chain.tip.hash
        if changed.disconnected:
            self.depths.append(len(changed.disconnected))
            for block in changed.disconnected:
                self.taken_back |= self.replays.events_of(block.hash)
        self.compare()
        self.look_at_pool([tx for block in changed.disconnected for tx in block.transactions])

    def compare(self) -> None:
        """Root, window and every table are those of the replay, and it is committed: another connection reads it."""
        chain, fresh = self.store.chain, self.replays.of(self.store.chain.tip.hash)
        where = f"seed {self.seed}, tip {chain.tip.hash.hex()} at {chain.tip.height}"
        assert chain.state_root == fresh.chain.state_root, where
        assert chain.window == fresh.chain.window, where
        found, expected = self.store.tables, fresh.tables
        assert found == expected, f"{where}: {difference(found, expected)}"

    def look_at_pool(self, taken_back: Iterable[Transaction]) -> None:
        """What is valid waits, all of it together; what is not is gone, and the reason is known."""
        pool, chain = self.store.pool, self.store.chain
        confirmed = {row[0] for row in self.store.tables["transactions"]}
        waiting = pool.select(10**9)
        assert_consistent(pool)
        assert not confirmed & {transaction.txid for transaction in waiting}
        template = chain.build_template(waiting, pay_all_to(MINER), Timestamp(0))
        assert not template.dropped, f"seed {self.seed}: {template.dropped[0][1]}"
        for transaction in taken_back:
            gone = pool.dropped(transaction.txid)
            if transaction.txid in confirmed:
                assert gone is None
                self.outcomes["confirmed"] += 1
            elif pool.get(transaction.txid) is not None:
                assert gone is None
                self.outcomes["waiting"] += 1
            else:
                assert gone is not None, f"seed {self.seed}: {transaction.body.kind} is lost"
                self.outcomes[gone.code] += 1
                if gone.code != "mempool.no_room":
                    with pytest.raises(LedgerError):
                        pool.dry_run(transaction.raw)


def difference(found: Rows, expected: Rows) -> str:
    """The first rows that one has and the other has not."""
    for name, rows in expected.items():
        missing, extra = set(rows) - set(found[name]), set(found[name]) - set(rows)
        if missing or extra:
            return f"{name}: missing {sorted(missing)[:2]}, extra {sorted(extra)[:2]}"
    return "nothing but the order"


def spoil(rng: random.Random, block: Block) -> Block | None:
    """The header with a body in which one bit is another; None if nobody can read that."""
    changed = bytearray(block.encode())
    changed[rng.randrange(HEADER_ENDS, len(changed))] ^= 1 << rng.randrange(8)
    try:
        return Block.decode(bytes(changed))
    except Malformed:
        return None


class Feeder:
    """Brings blocks in random order, and again those that had no place; between them spoiled copies, transactions, restarts."""

    def __init__(self, rng: random.Random, watcher: Watcher, limits: WaitingLimits, bad: Iterable[Block]) -> None:
        self.rng, self.watcher, self.limits = rng, watcher, limits
        self.store, self.tree = watcher.store, watcher.replays.tree
        self.raws = [raw for block in self.tree.blocks for raw in block.transactions]
        self.bad = {block.hash for block in bad}
        self.known = {self.store.chain.tip.hash}
        self.found_out: set[BlockHash] = set()
        self.counts: Counter[str] = Counter()
        self.open_waiting()

    def open_waiting(self) -> None:
        self.waiting = WaitingBlocks(self.store.chain, self.store.clock, self.limits)

    def feed(self, blocks: Iterable[Block]) -> None:
        left = list(blocks)
        while left:
            self.rng.shuffle(left)
            for block in left:
                self.offer_spoiled(block)
                self.offer(block)
                self.let_pass()
                self.assert_best_is_followed()
            # Of a block that is refused because its parent is bad nothing is kept: its own children never hear of it.
            self.found_out |= {block.hash for block in left if block.header.previous in self.found_out}
            left = [b for b in left if b.hash not in self.known | self.found_out]
            assert self.waiting.bytes <= self.limits.bytes_max
            assert len(self.waiting) <= self.limits.count_max

    def offer(self, block: Block) -> None:
        try:
            offered = self.waiting.offer(block)
        except BlockViolation as fault:
            self.note(block.hash, fault)
            return
        self.counts["accepted" if isinstance(offered.result, AcceptedBlock) else "kept"] += 1
        self.note_released((Released(block.hash, offered.result), *offered.released))

    def note(self, block_hash: BlockHash, fault: LedgerError) -> None:
        """A bad block was found out, or a good one has to come again; anything else is a failure."""
        if block_hash in self.bad and fault.code in (KNOWN_INVALID, WRONG_ROOT):
            self.counts["found out"] += 1
            self.found_out.add(block_hash)
        elif fault.code in (TOO_EARLY, UNKNOWN_PARENT):
            self.counts["refused"] += 1
        else:
            raise fault

    def note_released(self, released: Iterable[Released]) -> None:
        for one in released:
            if isinstance(one.result, LedgerError):
                self.note(one.hash, one.result)
            elif isinstance(one.result, AcceptedBlock):
                self.counts["taken"] += 1
                self.known.add(one.hash)

    def offer_spoiled(self, block: Block) -> None:
        if block.hash in self.known | self.bad or self.rng.random() < 0.8:
            return
        copy = spoil(self.rng, block)
        if copy is not None:
            with refused(BODY_MISMATCH, BlockViolation):
                self.waiting.offer(copy)
            self.counts["spoiled"] += 1

    def let_pass(self) -> None:
        """Transactions come, time passes, and now and then the node is stopped and started."""
        self.store.pool.submit_batch(self.rng.choices(self.raws, k=self.rng.choice((0, 0, 3))))
        if self.rng.random() < 0.3:
            self.store.clock.set(self.store.clock.now() + self.rng.choice((60, 3_600, DAY_SECONDS)))
            self.note_released(self.waiting.poll())
        if self.rng.random() < 0.01:
            self.store.restart()
            self.watcher.listen()
            self.open_waiting()

    def assert_best_is_followed(self) -> None:
        """No good branch that is known is better than the one that is followed, whatever was tried meanwhile."""
        known = [block_hash for block_hash in self.tree.twigs if block_hash in self.known]
        assert self.store.chain.tip.hash == choose(self.tree.best(known), self.store.tie_key).tip


def some_limits(rng: random.Random) -> tuple[WaitingLimits, MempoolLimits]:
    """Wide ones as often as narrow ones."""
    waiting = rng.choice((WaitingLimits(ahead_seconds_max=10**8), WaitingLimits(count_max=12, per_parent_max=2)))
    return waiting, MempoolLimits(weight_max=rng.choice((16_000_000, 16_000_000, 40_000)))


def run(
    seed: int, folder: Path, shop: BranchingShop, *, first: Iterable[Block] = (), bad: Sequence[Block] = ()
) -> tuple[Watcher, Feeder]:
    """Feed a tree to a node, watching every change; at the end it follows the best branch and remembers it over a restart."""
    rng, tree = random.Random(seed + 10**6), shop.chain
    waiting_limits, pool_limits = (
        (WaitingLimits(ahead_seconds_max=10**8), MempoolLimits()) if first else some_limits(rng)
    )
    store = StoredChain(folder / "store.sqlite", PARAMS, tie_key=TieKey(rng.randbytes(32)), limits=pool_limits)
    watcher = Watcher(store, Replays(folder, PARAMS, shop), seed)
    feeder = Feeder(rng, watcher, waiting_limits, bad)
    feeder.feed(first)
    feeder.feed((*tree.blocks, *bad))
    for block in tree.blocks:
        assert store.chain.block(block.hash) == block, "side branches are kept"
    store.restart()
    feeder.assert_best_is_followed()
    watcher.compare()
    store.close()
    watcher.replays.close()
    return watcher, feeder


@pytest.mark.parametrize("seed", range(4))
def test_any_tree_in_any_order_is_the_same_as_a_replay_of_its_best_branch(tmp_path: Path, seed: int) -> None:
    shop = grow_tree(seed, PARAMS, trunk=12, forks=8, length_max=10)
    watcher, feeder = run(seed, tmp_path, shop)
    assert watcher.depths, f"seed {seed} reorganises nothing"
    assert feeder.counts["kept"]
    assert feeder.counts["taken"] > feeder.counts["accepted"], "those that waited were taken"


def bad_branches(rng: random.Random, shop: BranchingShop, count: int) -> list[Block]:
    """Blocks with good work on good ones, none of which can be connected: what they say of the state is made up."""
    twigs = [twig for twig in shop.chain.twigs.values() if twig.height >= 8]
    made: dict[BlockHash, Block] = {}
    for _ in range(count):
        like = rng.choice(twigs).block
        parent = rng.choice(twigs).block
        for _ in range(rng.randrange(1, 25)):
            parent = child_of(parent, like)
            made[parent.hash] = parent
    return [block for block in made.values() if block.hash not in shop.chain.twigs]  # by chance it may be a real one


@pytest.mark.parametrize("seed", range(20, 22))
def test_branches_with_more_work_and_a_bad_block_in_them_never_win(tmp_path: Path, seed: int) -> None:
    shop = grow_tree(seed, PARAMS, trunk=8, forks=6, length_max=8)
    bad = bad_branches(random.Random(seed), shop, 5)
    _, feeder = run(seed, tmp_path, shop, bad=bad)
    assert feeder.counts["found out"]
    assert feeder.counts["spoiled"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [100])
def test_branches_of_hundreds_of_blocks(tmp_path: Path, seed: int) -> None:
    """Two long lives, one of them one block longer, and twigs on both; the shorter one comes first, in any order."""
    shop = BranchingShop(PARAMS)
    chain, life = shop.chain, RandomLife(random.Random(seed), shop)
    trunk = chain.tip
    lives: list[list[Block]] = []
    for scale in (1, 2):
        chain.go_to(trunk.block.hash)
        live(shop, scale)
        life.grow(200 + scale + trunk.height - chain.tip.height)
        lives.append([twig.block for twig in chain.path[1:]])
        for below in (5, 60):
            chain.go_to(lives[-1][-below].hash)
            life.grow(below // 2)
    watcher, _ = run(seed, tmp_path, shop, first=lives[0])
    assert max(watcher.depths) >= 200
    assert watcher.taken_back >= NAMES_OF_A_LIFE - {"program.created"}
    assert watcher.outcomes["waiting"]
    assert watcher.outcomes["envelope.expired"]
