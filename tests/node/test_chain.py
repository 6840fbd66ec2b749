"""Opening, growing and reading a chain on disk."""

from pathlib import Path

import pytest

from ledger.block import Block, Commitment, history_leaf, transaction_leaf
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import RuleViolation
from ledger.genesis import make_genesis
from ledger.hashing import WTX
from ledger.merkle import verify_inclusion
from ledger.state import record_leaf
from ledger.supply import CHAIN_KEY
from ledger.transaction import EXPIRED, decode_transaction
from ledger.transition import REPEATED
from ledger.types import Amount, BlockHash, Height, Timestamp, WtxId
from node.mining.miner import pay_all_to
from node.tip import TipChanged
from tests.node.lives import NAMES_OF_A_LIFE, live
from tests.node.stored_chain import MINER, StoredChain, StoredScenario, StoredShop, replay
from tests.support.memory_chain import Signer, sim_params
from tests.support.shop import FAN, FRIEND, FUNDED

ADDRESSES = tuple(signer.address for signer in FUNDED)


def pay(amount: int = 5_000, to: Signer = FRIEND) -> Transfer:
    return Transfer(ToAccount(to.address), Amount(amount))


def test_a_new_store_holds_genesis(tmp_path: Path) -> None:
    params = sim_params(*ADDRESSES)
    genesis = make_genesis(params)
    store = StoredChain(tmp_path / "chain.sqlite", params)
    assert store.chain.tip.hash == genesis.chain_id == store.chain.chain_id
    assert store.chain.tip.height == 0
    assert store.chain.state_root == Commitment.decode(genesis.block.commitment_bytes).state_root
    assert store.chain.block_at(Height(0)) == genesis.block
    assert len(store.tables["records"]) == 1 + len(ADDRESSES)
    assert store.tables["history"] == []
    store.close()


def test_a_whole_life_is_the_same_in_memory_on_disk_and_in_a_replay(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "a.sqlite")
    live(shop)  # each block's root is held against the one in memory on the way
    assert {row[4] for row in shop.store.tables["history"]} >= NAMES_OF_A_LIFE
    fresh = replay(tmp_path / "b.sqlite", shop.chain.params, shop.chain.blocks)
    assert fresh.chain.state_root == shop.store.chain.state_root == shop.chain.state.root()
    assert fresh.tables == shop.store.tables
    shop.close()
    fresh.close()


def test_a_restart_finds_everything_as_it_was(tmp_path: Path) -> None:
    params = sim_params(*ADDRESSES, validity_blocks_max=7)
    shop = StoredShop(tmp_path / "a.sqlite", params=params)
    shop.join(FAN)
    shop.earn(FAN, 500)
    for _ in range(9):
        shop.chain.send("transfer", pay(), author=FAN)
    before = shop.store.chain
    found = (before.tip, dict(before.window), before.state_root, before.history_path(Height(3)), shop.store.tables)
    assert len(found[1]) == 7
    shop.store.restart()
    after = shop.store.chain
    assert (after.tip, after.window, after.state_root, after.history_path(Height(3)), shop.store.tables) == found
    shop.chain.send("transfer", pay(), author=FAN)  # and it goes on
    shop.close()


@pytest.mark.parametrize("blocks", range(1, 12))
def test_the_window_is_the_last_blocks_also_after_a_restart(tmp_path: Path, blocks: int) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN, params=sim_params(FAN.address, validity_blocks_max=4))
    for _ in range(blocks):
        scenario.send("transfer", pay(), author=FAN)
    expected = scenario.window
    assert len(expected) == min(blocks, 4)
    assert scenario.store.chain.window == expected
    scenario.store.restart()
    assert scenario.store.chain.window == expected
    scenario.store.close()


def test_a_repeated_transaction_is_refused_as_long_as_it_could_be_valid(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN, params=sim_params(FAN.address, validity_blocks_max=4))
    transfer = scenario.sign("transfer", pay(), author=FAN)
    scenario.block(transfer)
    seen: list[str] = []
    for _ in range(5):
        template = scenario.store.chain.build_template([transfer], pay_all_to(MINER), Timestamp(0))
        seen.append(template.dropped[0][1].code.name)
        scenario.mine()
        scenario.store.restart()
    assert seen == [REPEATED.name] * 3 + [EXPIRED.name] * 2
    scenario.store.close()


def test_a_template_keeps_what_is_valid_and_says_why_the_rest_is_not(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN)
    good = scenario.sign("transfer", pay(), author=FAN)
    too_much = scenario.sign("transfer", pay(2**62), author=FAN)
    chain = scenario.store.chain
    root = chain.state_root
    template = chain.build_template([too_much, good, good], pay_all_to(MINER), Timestamp(0))
    assert template.block.transactions == (good.raw,)
    assert [fault.code.name for _, fault in template.dropped] == ["coin.insufficient", "envelope.repeated"]
    assert all(isinstance(fault, RuleViolation) for _, fault in template.dropped)
    assert template.block.header.time == chain.tip.header.time + 1, "a clock behind the tip is moved on"
    assert template.reward == 5_000_000 + good.weight * 2
    assert chain.state_root == root, "building leaves no trace"
    scenario.store.close()


def test_listeners_hear_of_each_tip_after_it_was_committed(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN)
    heard: list[tuple[TipChanged, int]] = []
    chain = scenario.store.chain
    chain.subscribe(lambda changed: heard.append((changed, len(scenario.store.tables["active"]))))
    transfer = scenario.sign("transfer", pay(), author=FAN)
    scenario.block(transfer)
    (changed, rows) = heard[0]
    assert rows == 2
    assert changed.disconnected == ()
    assert [(block.hash, block.height) for block in changed.connected] == [(chain.tip.hash, 1)]
    assert [tx.txid for tx in changed.connected[0].transactions] == [transfer.txid]
    scenario.store.close()


def test_the_same_block_twice_changes_nothing(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN)
    scenario.mine(2)
    first, second = scenario.blocks
    before = scenario.store.tables
    for block, is_tip in ((first, False), (second, True), (scenario.genesis.block, False)):
        again = scenario.store.take(block)
        assert (again.is_new, again.is_tip) == (False, is_tip)
    assert scenario.store.tables == before
    scenario.store.close()


def test_paths_lead_to_the_roots_that_the_tip_commits_to(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN, FRIEND)
    for _ in range(6):
        scenario.send("transfer", pay(), author=FAN)
    chain = scenario.store.chain
    commitment = Commitment.decode(scenario.blocks[-1].commitment_bytes)
    for key in (CHAIN_KEY, account_key(FAN.address), account_key(FRIEND.address)):
        place, stored = chain.state_path(key), chain.state.stored(key)
        assert place is not None
        assert stored is not None
        slot, path = place
        leaf = record_leaf(key, stored.value_bytes)
        assert verify_inclusion(commitment.state_root, leaf, slot, commitment.slot_count, path)
    assert chain.state_path(account_key(Signer.named("nobody").address)) is None
    for height in range(chain.tip.height):
        known = chain.header_at(Height(height))
        leaf = history_leaf(known.hash, known.work, known.difficulty.effective_time)
        path = chain.history_path(Height(height))
        assert verify_inclusion(commitment.history_root, leaf, height, chain.tip.height, path)
    raw, codes = scenario.blocks[-1].transactions[0], scenario.blocks[-1].results[0]
    assert transaction_leaf(WtxId(WTX(raw)), codes) == commitment.transaction_root, "a tree of one leaf"
    scenario.send("transfer", pay(), author=FAN)  # asking for paths disturbed nothing
    scenario.store.close()


def test_blocks_are_found_by_hash_and_by_height(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a.sqlite", FAN)
    scenario.send("transfer", pay(), author=FAN)
    chain, block = scenario.store.chain, scenario.blocks[0]
    assert chain.block(block.hash) == chain.block_at(Height(1)) == block
    assert Block.decode(block.encode()) == block
    assert chain.block(BlockHash(bytes(32))) is None
    assert chain.block_at(Height(2)) is None
    assert decode_transaction(block.transactions[0], chain.chain_id).author == FAN.address
    scenario.store.close()
