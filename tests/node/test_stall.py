"""The operator is told when no block comes, once, again when that has doubled, and when it is over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from node.clock import ManualClock
from node.metrics import ChainMetrics
from node.node import Node, NodeConfig
from node.stall import STALL_BLOCK_TIMES
from tests.node.stored_chain import MINER
from tests.support.memory_chain import GENESIS_TIME, sim_params
from tests.support.shop import FAN

PARAMS = sim_params(FAN.address)
START = GENESIS_TIME + 1_000_000
LIMIT_S = STALL_BLOCK_TIMES * 60


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    found = Node(NodeConfig(tmp_path, PARAMS), ManualClock(START))
    yield found
    found.close()


def look_at(node: Node, time_s: int) -> list[str]:
    """What the operator reads."""
    assert isinstance(node.clock, ManualClock)
    node.clock.set(time_s)
    with capture_logs() as logs:
        node.poll_waiting()
    return [entry["event"] for entry in logs if entry["event"].startswith("chain.")]


def test_the_operator_is_told_at_ten_block_times_and_at_each_doubling(node: Node) -> None:
    assert PARAMS.era_at(node.chain.tip.height).block_time_s * STALL_BLOCK_TIMES == LIMIT_S == node.stall.limit_s
    assert look_at(node, START + LIMIT_S - 1) == [] and not node.stall.is_stalled()
    assert look_at(node, START + LIMIT_S) == ["chain.stalled"] and node.stall.is_stalled()
    assert look_at(node, START + LIMIT_S + 1) == look_at(node, START + 2 * LIMIT_S - 1) == []
    assert look_at(node, START + 2 * LIMIT_S) == ["chain.stalled"]
    assert look_at(node, START + 3 * LIMIT_S) == []
    assert look_at(node, START + 4 * LIMIT_S) == ["chain.stalled"]


def test_a_block_ends_the_stall_and_it_is_counted_from_there(node: Node) -> None:
    registry = CollectorRegistry()
    ChainMetrics(node, registry)
    look_at(node, START + LIMIT_S)
    assert registry.get_sample_value("fansumer_chain_stalled") == 1
    with capture_logs() as logs:
        node.start_miner(MINER, workers=0).mine_one(node.clock.now())
    assert {"event": "chain.goes_on", "log_level": "info", "height": 1, "without_block_s": LIMIT_S} in logs
    assert registry.get_sample_value("fansumer_chain_stalled") == 0
    assert look_at(node, START + 2 * LIMIT_S - 1) == []
    assert look_at(node, START + 2 * LIMIT_S) == ["chain.stalled"]


def test_a_block_in_time_is_nothing_to_speak_of(node: Node) -> None:
    look_at(node, START + LIMIT_S - 1)
    with capture_logs() as logs:
        node.start_miner(MINER, workers=0).mine_one(node.clock.now())
    assert not [entry for entry in logs if entry["event"].startswith("chain.")]


def test_a_clock_that_goes_back_is_no_stall(node: Node) -> None:
    assert look_at(node, START - 10**6) == [] and not node.stall.is_stalled()
