"""Who listens hears of each change once, in order, after it was committed; one that fails keeps nobody else from hearing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.transaction import Transaction
from ledger.types import Amount
from node import tip
from node.clock import ManualClock
from node.metrics import ChainMetrics
from node.node import Node, NodeConfig
from node.tip import TipChanged
from tests.node.stored_chain import StoredChain
from tests.support.branching_chain import BranchingChain, Twig
from tests.support.memory_chain import sim_params
from tests.support.shop import FAN, FRIEND

PARAMS = sim_params(FAN.address, FRIEND.address, validity_blocks_max=6)


class TwoBranches:
    """Five blocks with a transfer each, and another six on the same trunk of two; the first transfer is in both branches."""

    def __init__(self) -> None:
        self.chain = chain = BranchingChain(params=PARAMS)
        chain.mine(2)
        trunk = chain.tip
        self.trunk = chain.path[1:]
        shared = self.pay()
        chain.block(shared)
        for _ in range(4):
            chain.block(self.pay())
        self.first: list[Twig] = chain.path[3:]
        chain.go_to(trunk.block.hash)
        chain.block(shared, time=chain.time + 61)
        chain.mine(5)
        self.second: list[Twig] = chain.path[3:]

    def pay(self) -> Transaction:
        return self.chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)


@pytest.fixture(scope="module")
def branches() -> TwoBranches:
    return TwoBranches()


@pytest.fixture
def store(tmp_path: Path, branches: TwoBranches) -> Iterator[StoredChain]:
    """A node on the first branch, with all of the second but its end as a side branch or not seen yet."""
    made = StoredChain(tmp_path / "store.sqlite", PARAMS)
    for twig in (*branches.trunk, *branches.first):
        made.take(twig.block)
    yield made
    made.close()


def hashes(twigs: list[Twig]) -> list[bytes]:
    return [twig.block.hash for twig in twigs]


def test_a_reorganisation_is_told_once_and_whole(store: StoredChain, branches: TwoBranches) -> None:
    heard: list[tuple[TipChanged, list[bytes]]] = []
    store.chain.subscribe(lambda changed: heard.append((changed, [row[1] for row in store.tables["active"]])))
    for twig in branches.second:
        store.take(twig.block)
    reorganised = [(changed, rows) for changed, rows in heard if changed.disconnected]
    ((changed, rows),) = reorganised
    assert [block.hash for block in changed.disconnected] == hashes(branches.first)[::-1]
    assert [block.height for block in changed.disconnected] == [7, 6, 5, 4, 3]
    found = [block.hash for block in changed.connected]
    assert found == hashes(branches.second)[: len(found)]
    assert [block.height for block in changed.connected] == list(range(3, 3 + len(found)))
    assert rows[3:] == found, "it was committed before"
    told = [block.hash for changed, _ in heard for block in changed.connected]
    assert told == hashes(branches.second), "each once"
    for block in (*changed.connected, *changed.disconnected):
        mined = branches.chain.twigs[block.hash].mined
        assert mined is not None
        assert [tx.txid for tx in block.transactions] == [tx.txid for tx in mined.transactions]


def test_a_deep_change_reads_its_transactions_again_instead_of_holding_them(
    store: StoredChain, branches: TwoBranches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tip, "TRANSACTIONS_HELD_MAX", 2)
    heard: list[TipChanged] = []
    store.chain.subscribe(heard.append)
    for twig in branches.second:
        store.take(twig.block)
    (changed,) = [changed for changed in heard if changed.disconnected]
    assert [callable(block.held) for block in changed.disconnected] == [False, False, True, True, True]
    found = [tx.txid for block in changed.disconnected for tx in block.transactions]
    mined = [twig.mined for twig in branches.first[::-1]]
    assert found == [tx.txid for one in mined if one is not None for tx in one.transactions]


def test_one_that_fails_keeps_nobody_else_from_hearing(store: StoredChain, branches: TwoBranches) -> None:
    heard: list[str] = []

    def fail(changed: TipChanged) -> None:
        heard.append("failed")
        raise RuntimeError("a listener's own fault")

    store.chain.subscribe(lambda _: heard.append("last"))
    store.chain.subscribe(fail, first=True)
    for twig in branches.second:
        store.take(twig.block)  # and whoever gave the block does not hear of the fault
    assert store.chain.tip.hash == branches.second[-1].block.hash
    assert heard == ["failed", "last"] * (len(heard) // 2)
    assert store.chain.listeners.failures == len(heard) // 2
    assert store.chain.state_root == branches.chain.state.root()


def test_a_broken_invariant_is_raised_once_all_have_heard(store: StoredChain, branches: TwoBranches) -> None:
    heard: list[bytes] = []

    def broken(_: TipChanged) -> None:
        raise AssertionError("a broken invariant")

    store.chain.subscribe(broken, first=True)
    store.chain.subscribe(lambda changed: heard.append(changed.connected[-1].hash))
    raised = 0
    for twig in branches.second:
        try:
            store.take(twig.block)
        except AssertionError:
            raised += 1
    assert raised == len(heard) >= 1
    assert store.chain.tip.hash == branches.second[-1].block.hash, "the block was accepted and committed all the same"
    assert store.chain.state_root == branches.chain.state.root()


def test_reorganisations_are_counted_with_their_depth(tmp_path: Path, branches: TwoBranches) -> None:
    registry = CollectorRegistry()
    node = Node(NodeConfig(tmp_path, PARAMS), ManualClock(branches.chain.time))
    ChainMetrics(node, registry)
    for twig in (*branches.trunk, *branches.first, *branches.second[:-1][::-1]):
        node.accept_block(twig.block)
    node.accept_block(branches.second[-1].block)

    def figure(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert figure("fansumer_reorganisation_depth_blocks_count") == 1
    assert figure("fansumer_reorganisation_depth_blocks_sum") == 5
    assert figure("fansumer_reorganisation_deepest_blocks") == 5
    assert figure("fansumer_blocks_total", change="disconnected") == 5
    assert figure("fansumer_blocks_total", change="connected") == 13
    assert figure("fansumer_blocks_waiting") == 0
    assert figure("fansumer_blocks_waiting_dropped") == 0
    assert figure("fansumer_listener_failures") == 0
    node.close()
