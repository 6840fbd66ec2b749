"""Leaving one branch for another: whatever the order of arrival, the store ends as if it had seen the better branch only."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import BlockViolation, HeaderViolation
from ledger.fork_choice import Branch, TieKey, choose
from ledger.pow import target_from_compact, work_of
from ledger.types import Amount, Height, Work
from node import tip
from node.chain import KNOWN_INVALID, UNKNOWN_PARENT, WRONG_ROOT
from node.tip import TipChanged
from tests.node.forged_blocks import child_of, forge
from tests.node.lives import live
from tests.node.stored_chain import StoredChain, StoredScenario, StoredShop, chain_of, replay
from tests.support.branching_chain import BranchingChain
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, STRANGER
from tests.support.stores import SQLITE

pytestmark = pytest.mark.usefixtures("database")
SMALL_WINDOW = sim_params(*(signer.address for signer in FUNDED), validity_blocks_max=6)


def transfer(scenario: StoredScenario, amount: int = 5_000) -> None:
    scenario.send("transfer", Transfer(ToAccount(FRIEND.address), Amount(amount)), author=FAN)


@dataclass(frozen=True)
class TwoLives:
    """A trunk, and two lives of a shop that begin on it; the second is one block longer."""

    first: StoredShop
    second: StoredShop
    trunk: int


@pytest.fixture(scope="module")
def two_lives(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoLives]:
    folder = tmp_path_factory.mktemp("lives")
    first = StoredShop(folder / "first.sqlite", params=SMALL_WINDOW)
    trunk = len(first.chain.blocks)
    second = first.fork(folder / "second.sqlite")
    live(first)
    live(second, scale=3)
    second.chain.mine()
    yield TwoLives(first, second, trunk)
    first.close()
    second.close()


def test_a_whole_life_is_left_for_another_and_taken_up_again(two_lives: TwoLives, tmp_path: Path) -> None:
    first, second = two_lives.first, two_lives.second
    store = replay(tmp_path / "store.sqlite", SMALL_WINDOW, first.chain.blocks)
    changes: list[TipChanged] = []
    store.chain.subscribe(changes.append)
    store.take_all(second.chain.blocks[two_lives.trunk :])
    assert store.chain.tip.hash == second.chain.blocks[-1].hash
    assert store.tables == second.store.tables
    assert store.chain.window == second.store.chain.window == second.chain.window
    assert store.chain.state_root == second.chain.state.root()
    change = max(changes, key=lambda change: len(change.disconnected))
    assert len(change.disconnected) > 20
    assert [block.height for block in change.disconnected] == sorted(
        (block.height for block in change.disconnected), reverse=True
    )
    store.restart()
    assert store.chain.state_root == second.chain.state.root()
    back = first.fork(tmp_path / "back.sqlite")
    back.chain.mine(2)
    transfer(back.chain)
    store.take_all(back.chain.blocks[-3:])
    assert store.chain.tip.hash == back.chain.blocks[-1].hash
    assert store.tables == back.store.tables
    assert store.chain.window == back.chain.window
    store.close()
    back.close()


@dataclass(frozen=True)
class Tree:
    """Blocks of many branches."""

    blocks: tuple[Block, ...]

    @property
    def leaves(self) -> list[Branch]:
        parents = {block.header.previous for block in self.blocks}
        found: list[Branch] = []
        for block in self.blocks:
            if block.hash not in parents:
                branch = chain_of(block.hash, self.blocks)
                work = sum(work_of(target_from_compact(one.header.bits)) for one in branch)
                found.append(Branch(block.hash, Work(work)))
        return found


@pytest.fixture(scope="module")
def tree(database: str, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A shop's first blocks, and branches from several depths below its tip, some as long as others: ties."""
    folder = tmp_path_factory.mktemp("tree")
    shop = StoredShop(folder / "trunk.sqlite", params=SMALL_WINDOW)
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 500)
    shop.redeem(FAN, shop.list_reward(price=50))
    shop.pledge(FAN, shop.create_campaign(goal=10**9, days=1), 3_000)
    shop.pass_days(2)  # the hold times out, the campaign fails and is refunded
    blocks = {block.hash: block for block in shop.chain.blocks}
    for number, (below, grown) in enumerate(((1, 2), (2, 2), (2, 3), (5, 6), (9, 4), (9, 10), (12, 13))):
        branch = shop.fork(folder / f"{number}.sqlite", below=below)
        branch.chain._salt += 10_000 * number
        for step in range(grown):
            transfer(branch.chain, 5_000 + 100 * number + step)
        blocks.update({block.hash: block for block in branch.chain.blocks})
        branch.close()
    shop.close()
    return Tree(tuple(blocks.values()))


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_arrival_ends_on_the_best_branch(tree: Tree, tmp_path: Path, seed: int) -> None:
    shuffled = list(tree.blocks)
    random.Random(seed).shuffle(shuffled)
    tie_key = TieKey(seed.to_bytes(32, "big"))
    store = StoredChain(tmp_path / "store.sqlite", SMALL_WINDOW, tie_key=tie_key)
    store.take_all(shuffled)
    best = choose(tree.leaves, tie_key)
    assert store.chain.tip.hash == best.tip, f"seed {seed}"
    fresh = replay(tmp_path / "fresh.sqlite", SMALL_WINDOW, chain_of(best.tip, tree.blocks))
    assert store.tables == fresh.tables, f"seed {seed}"
    assert store.chain.window == fresh.chain.window
    assert store.chain.history_path(Height(2)) == fresh.chain.history_path(Height(2))
    for block in tree.blocks:
        assert store.chain.block(block.hash) == block, "side branches are kept"
    store.close()
    fresh.close()


def test_ties_are_settled_by_each_nodes_own_key(tree: Tree) -> None:
    heaviest = max(leaf.cumulative_work for leaf in tree.leaves)
    assert sum(leaf.cumulative_work == heaviest for leaf in tree.leaves) >= 2
    found = {choose(tree.leaves, TieKey(seed.to_bytes(32, "big"))).tip for seed in range(6)}
    assert len(found) >= 2


@pytest.mark.parametrize("depth", [1, 2, 3, 6, 7, 20])
def test_a_branch_of_any_depth_takes_over_with_one_more_block(tmp_path: Path, depth: int) -> None:
    trunk = StoredScenario(tmp_path / "trunk.sqlite", FAN, params=sim_params(FAN.address, validity_blocks_max=6))
    other = StoredScenario(tmp_path / "other.sqlite", FAN, params=trunk.params)
    for _ in range(3):
        transfer(trunk)
    other.follow(trunk.blocks)
    other._salt = 1_000_000
    for _ in range(depth):
        transfer(trunk)
    for _ in range(depth + 1):
        transfer(other)
    # The first of the longer branch may win the tie at equal height; the last one decides.
    results = [trunk.store.take(block) for block in other.blocks[3:]]
    assert all(result.is_new for result in results)
    assert results[-1].is_tip
    assert trunk.store.tables == other.store.tables
    assert trunk.store.chain.window == other.window
    trunk.store.close()
    other.store.close()


def test_a_block_whose_parent_is_missing_waits_for_it(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN)
    scenario.mine(2)
    store = StoredChain(tmp_path / "b.sqlite", scenario.params)
    before = store.tables
    with refused(UNKNOWN_PARENT, BlockViolation, parent=scenario.blocks[0].hash):
        store.take(scenario.blocks[1])
    assert store.tables == before
    store.take_all(reversed(scenario.blocks))
    assert store.chain.tip.height == 2
    scenario.store.close()
    store.close()


def test_a_bad_branch_with_more_work_leaves_the_old_tip_in_place(tmp_path: Path) -> None:
    good = StoredScenario(tmp_path / "good.sqlite", FAN, STRANGER)
    other = StoredScenario(tmp_path / "other.sqlite", FAN, STRANGER)
    transfer(good)
    other.follow(good.blocks)
    other._salt = 1_000_000
    for _ in range(3):
        transfer(good)
        transfer(other)
    first, second, third = other.blocks[1:]
    bad = forge(second, commitment={"state_root": bytes(32)})
    children = [child_of(bad, third)]
    for _ in range(3):
        children.append(child_of(children[-1], third))
    store = good.store
    store.take(first)
    if store.chain.tip.hash == first.hash:  # a tie that this key settled so
        store.take_all(good.blocks)
    assert store.chain.tip.hash == good.blocks[-1].hash
    before, root, window = store.tables, store.chain.state_root, dict(store.chain.window)
    codes: list[str] = []
    for block in (bad, *children, bad, *children):
        try:
            codes.append(f"kept {store.take(block).is_tip}")
        except BlockViolation as fault:
            codes.append(fault.code.name)
    # At most two fit below the tip's work; then the branch is tried and found bad, and what was never kept has no parent here.
    kept = codes.index(KNOWN_INVALID.name)
    assert codes[:kept] == ["kept False"] * kept
    assert kept >= 1
    again = codes[len(children) + 1 :]
    assert again[: kept + 1] == [KNOWN_INVALID.name] * (kept + 1)
    assert set(codes[kept:]) <= {KNOWN_INVALID.name, UNKNOWN_PARENT.name}
    assert store.tables == before
    assert (store.chain.state_root, store.chain.window) == (root, window)
    other.mine(3)
    store.take_all(other.blocks)  # the branch without the bad block is as good as ever
    assert store.tables == other.store.tables
    store.close()
    other.store.close()


def test_the_block_that_makes_a_branch_better_is_told_its_own_fault(tmp_path: Path) -> None:
    good = StoredScenario(tmp_path / "good.sqlite", FAN)
    other = StoredScenario(tmp_path / "other.sqlite", FAN)
    transfer(good)
    other.mine(2)
    before = good.store.tables
    good.store.take(other.blocks[0])
    tip = good.store.chain.tip.hash
    bad = forge(other.blocks[1], commitment={"state_root": bytes(32)})
    if tip == other.blocks[0].hash:  # a tie that this key settled so: the bad block extends the tip
        before = good.store.tables
    with refused(WRONG_ROOT, BlockViolation, name="state"):
        good.store.take(bad)
    with refused(KNOWN_INVALID, BlockViolation, reason=WRONG_ROOT.name):
        good.store.take(bad)
    assert good.store.chain.tip.hash == tip
    assert good.store.tables == before
    good.store.take(other.blocks[1])
    assert good.store.tables == other.store.tables
    good.store.close()
    other.store.close()


def test_a_side_block_with_a_bad_header_is_refused_at_once(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN)
    scenario.mine(3)
    forged = forge(scenario.blocks[0], header={"bits": 0x1F7FFFFF})
    before = scenario.store.tables
    with pytest.raises(HeaderViolation) as caught:
        scenario.store.take(forged)
    assert caught.value.code.name == "header.bits"
    assert scenario.store.tables == before
    assert scenario.store.chain.block(forged.hash) is None
    scenario.store.close()


@pytest.mark.slow
def test_thousands_of_blocks_are_left_for_others_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    """Also a few hundred transactions more than a change may hold decoded. On a server each block takes longer."""
    depth, every, held = 2_000 if database == SQLITE else 400, 5, 50
    monkeypatch.setattr(tip, "TRANSACTIONS_HELD_MAX", held)
    chain = BranchingChain(params=SMALL_WINDOW)
    chain.mine(3)
    trunk = chain.tip.block.hash
    branches: list[list[Block]] = []
    for length in (depth, depth + 1):
        chain.go_to(trunk)
        for number in range(length):
            pay = Transfer(ToAccount(FRIEND.address), Amount(5_000))
            chain.block(*([] if number % every else [chain.sign("transfer", pay, author=FAN)]), time=chain.time + 60)
        branches.append([twig.block for twig in chain.path[1:]])
        chain._salt += 10**6
    store = replay(tmp_path / "store.sqlite", SMALL_WINDOW, branches[0])
    changes: list[TipChanged] = []
    store.chain.subscribe(changes.append)
    store.take_all(branches[1])
    (change,) = [change for change in changes if change.disconnected]
    assert [block.height for block in change.disconnected] == list(range(depth + 3, 3, -1))
    assert sum(len(block.held) for block in change.disconnected if isinstance(block.held, tuple)) <= held
    assert sum(len(block.transactions) for block in change.disconnected) == depth // every
    fresh = replay(tmp_path / "fresh.sqlite", SMALL_WINDOW, branches[1])
    assert store.tables == fresh.tables
    assert store.chain.state_root == fresh.chain.state_root == chain.state.root()
    assert len(store.pool) <= SMALL_WINDOW.validity_blocks_max, "the others have expired"
    store.close()
    fresh.close()
