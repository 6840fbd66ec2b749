"""What an operator watches when blocks come and none becomes justified: /metrics, and whether it is an alarm."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from node.metrics import ChainMetrics
from node.node import Node, NodeConfig
from tests.node.attest.attested_node import AttestedNode
from tests.support.memory_chain import sim_params
from tests.support.shop import FAN


def figures(registry: CollectorRegistry) -> tuple[float | None, float | None]:
    """Whether it is an alarm, and the blocks above the last justified checkpoint."""
    return (
        registry.get_sample_value("fansumer_finality_stalled"),
        registry.get_sample_value("fansumer_finality_blocks_since_justified"),
    )


def test_two_intervals_without_justification_are_an_alarm_until_there_is_one(tmp_path: Path) -> None:
    attested = AttestedNode(tmp_path)
    registry = CollectorRegistry()
    ChainMetrics(attested.node, registry)
    attested.mine_to(8)
    assert figures(registry) == (0, 8)
    attested.mine()
    assert figures(registry) == (1, 9)
    attested.attest(0, 4, 0, 1, 2)
    assert figures(registry) == (0, 6)
    attested.close()
    again = AttestedNode(tmp_path)
    assert again.node.silence.blocks_since_justified == 6, "it is known after a restart"
    again.close()


def test_a_chain_without_attestors_is_never_silent(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, sim_params(FAN.address)))
    assert not node.silence.is_silent()
    assert node.silence.blocks_since_justified == 0
    node.close()
