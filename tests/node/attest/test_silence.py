"""The operator is told when blocks come and none becomes justified: at two intervals, at each doubling, and when it is over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from node.metrics import ChainMetrics
from node.node import Node, NodeConfig
from tests.node.attest.attested_node import AttestedNode
from tests.support.memory_chain import sim_params
from tests.support.shop import FAN


@pytest.fixture
def attested(tmp_path: Path) -> Iterator[AttestedNode]:
    found = AttestedNode(tmp_path)
    yield found
    found.close()


def heard(attested: AttestedNode) -> list[tuple[str, int]]:
    with capture_logs() as logs:
        attested.node.poll_waiting()
    return [
        (entry["event"], entry["without_justification_blocks"])
        for entry in logs
        if entry["event"].startswith("finality.")
    ]


def test_two_intervals_without_justification_are_an_alarm(attested: AttestedNode) -> None:
    silence = attested.node.silence
    registry = CollectorRegistry()
    ChainMetrics(attested.node, registry)
    assert silence.limit_blocks == 8
    attested.mine_to(7)
    assert heard(attested) == [] and not silence.is_stalled()
    attested.mine()
    assert silence.is_stalled() and heard(attested) == [("finality.stalled", 8)] and heard(attested) == []
    assert registry.get_sample_value("fansumer_finality_stalled") == 1
    assert registry.get_sample_value("fansumer_finality_blocks_since_justified") == 8
    attested.mine_to(15)
    assert heard(attested) == []
    attested.mine()
    assert heard(attested) == [("finality.stalled", 16)]


def test_a_justification_ends_it(attested: AttestedNode) -> None:
    attested.mine_to(9)
    heard(attested)
    with capture_logs() as logs:
        attested.attest(0, 4, 0, 1, 2)
    assert not attested.node.silence.is_stalled()
    assert {"event": "finality.goes_on", "log_level": "info", "height": 10, "without_justification_blocks": 9} in logs
    attested.mine(7)
    assert heard(attested) == []
    attested.mine()
    assert heard(attested) == [("finality.stalled", 8)]


def test_it_is_found_again_after_a_restart(tmp_path: Path) -> None:
    first = AttestedNode(tmp_path)
    first.mine_to(9)
    first.close()
    second = AttestedNode(tmp_path)
    assert second.node.silence.is_stalled()
    second.close()


def test_a_chain_without_attestors_is_never_silent(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, sim_params(FAN.address)))
    assert not node.silence.is_stalled() and not node.silence.look() and node.silence.blocks == 0
    node.close()
