"""Two real nodes on the loopback interface: one begins with the other's snapshot, with its files, threads and restarts."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.networks import NETWORKS
from ledger.params import Allocation
from ledger.types import Amount
from node import history_store
from node.audit import audit_store
from node.check import check_store
from node.errors import NodeError
from node.node import Node, NodeConfig
from node.p2p.address import PeerName
from node.p2p.network import Network, NetworkSettings
from node.p2p.snapshot_files import BEGINNING, SnapshotHeights
from node.store.extent import HISTORY_INVALID, Extent, write_extent
from node.store.shelf import FILE
from tests.functional import test_two_networks
from tests.functional.test_two_networks import LOOPBACK, mine, port_of, running
from tests.node.watching import nothing_left_behind, wait_until
from tests.support.shop import FAN

HEIGHTS = SnapshotHeights(every=20, depth=10)
PARAMS = replace(NETWORKS["sim"], allocations=(Allocation(FAN.address, Amount(10**12)),), validity_blocks_max=15)


@pytest.fixture(autouse=True)
def short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_two_networks, "PARAMS", PARAMS)


def test_a_node_begins_with_a_snapshot_over_real_sockets(tmp_path: Path) -> None:
    with nothing_left_behind(), running(tmp_path / "one", snapshots=HEIGHTS) as (one, first):
        mine(one, 47)
        assert (tmp_path / "one" / FILE).exists()
        wait_until(lambda: bool(first._snapshots._shelf.whole()))
        named = (PeerName(LOOPBACK, port_of(first)),)
        settings = {"named": named, "snapshots": HEIGHTS, "begins_with_snapshot": True, "listen": None}
        with running(tmp_path / "two", **settings) as (two, second):
            wait_until(lambda: two.chain.tip.hash == one.chain.tip.hash)
            wait_until(lambda: two.chain.extent.has_all)
            assert second._peers.states.fetching.outcome == "from a snapshot of block 20"
            wait_until(lambda: not (tmp_path / "two" / history_store.FILE).exists())
            wait_until(lambda: second.report().history == "verified" and not second.is_beginning)
            two.health.check()
            mine(one, 3)
            wait_until(lambda: two.chain.tip.hash == one.chain.tip.hash)
    report = check_store(f"sqlite:///{tmp_path / 'two' / 'chain.sqlite'}", PARAMS)
    assert report.is_good and not report.notes, [line for line in report.lines if not line.is_good]
    assert audit_store(tmp_path / "two", PARAMS).is_good


def test_until_it_has_begun_it_is_not_ready(tmp_path: Path) -> None:
    with running(tmp_path / "two", snapshots=HEIGHTS, begins_with_snapshot=True) as (two, second):
        assert second.is_beginning
        with pytest.raises(NodeError) as caught:
            two.health.check()
        assert caught.value.code is BEGINNING
    with running(tmp_path / "two", snapshots=HEIGHTS, begins_with_snapshot=False) as (two, _):
        two.health.check()


def test_a_node_whose_history_is_invalid_does_not_start_again(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, PARAMS))
    extent = Extent(invalid=node.chain.tip.height + 7, snapshot=node.chain.tip.height + 20, reason="bad")  # type: ignore[arg-type] - a test's own

    def write(connection: object) -> Extent:
        write_extent(connection, extent)  # type: ignore[arg-type] - a test's own
        return extent

    node.chain.change_store(write)
    node.close()
    with pytest.raises(NodeError) as caught:
        Node(NodeConfig(tmp_path, PARAMS))
    assert caught.value.code is HISTORY_INVALID and caught.value.fields["height"] == 7


def test_a_node_that_pruned_and_still_has_all_its_blocks_is_found_sound(tmp_path: Path) -> None:
    """Of the first blocks it can take none back any more, though the blocks themselves are within the window of the floor."""
    node = Node(NodeConfig(tmp_path, PARAMS, keep_blocks=20))
    mine(node, 37)
    extent = node.chain.extent
    node.close()
    assert extent.floor == 16 and extent.bodies_from <= 1
    report = check_store(f"sqlite:///{tmp_path / 'chain.sqlite'}", PARAMS)
    assert report.is_good and not report.notes, [line for line in report.lines if not line.is_good]
    assert "rebuilt" in [line.name for line in report.lines]


def test_a_pruned_node_over_real_files(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, PARAMS, keep_blocks=20))
    network = Network(node, NetworkSettings(listen=(LOOPBACK, 0), snapshots=HEIGHTS))
    network.start()
    try:
        mine(node, 75)
        extent = node.chain.extent
        assert extent.floor == 48 and extent.bodies_from == 33
        assert network._peers._identity_now().blocks_from == 33
    finally:
        network.close()
        node.close()
    report = check_store(f"sqlite:///{tmp_path / 'chain.sqlite'}", PARAMS)
    assert report.is_good and "blocks 1 to 32 are not here" in report.notes[0]
