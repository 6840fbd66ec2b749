"""What an operator watches of the chain itself, in Prometheus' form. The registry is passed in."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from node.mining.engine import KERNEL
from node.mining.miner import MinerFigures
from node.node import Node
from node.stratum.pool import Figures
from node.tip import TipChanged

DEPTH_BUCKETS = (1, 2, 3, 6, 10, 20, 60, 120, 500, 1_000, 2_000)


class ChainMetrics:
    """Counts the changes of a node's tip; a tip that is left for another again and again is what to be woken up for."""

    def __init__(self, node: Node, registry: CollectorRegistry) -> None:
        self._blocks = Counter(
            "fansumer_blocks", "Blocks that joined the active chain or left it.", ("change",), registry=registry
        )
        self._connected, self._disconnected = self._blocks.labels("connected"), self._blocks.labels("disconnected")
        self._depth = Histogram(
            "fansumer_reorganisation_depth_blocks",
            "Reorganisations, by how many blocks were taken back.",
            buckets=DEPTH_BUCKETS,
            registry=registry,
        )
        self._deepest = Gauge(
            "fansumer_reorganisation_deepest_blocks", "The deepest reorganisation since the start.", registry=registry
        )
        self._deepest_blocks = 0
        waiting = Gauge("fansumer_blocks_waiting", "Blocks that wait for their parent or time.", registry=registry)
        waiting.set_function(lambda: len(node.waiting))
        dropped = Gauge("fansumer_blocks_waiting_dropped", "Blocks that others pushed out.", registry=registry)
        dropped.set_function(lambda: node.waiting.dropped)
        failures = Gauge("fansumer_listener_failures", "Listeners that failed at a new tip.", registry=registry)
        failures.set_function(lambda: node.chain.listeners.failures)
        stalled = Gauge(
            "fansumer_chain_stalled", "1 if no block has come for ten times the chain's block time.", registry=registry
        )
        stalled.set_function(lambda: int(node.stall.is_stalled()))
        silent = Gauge(
            "fansumer_finality_stalled", "1 if no checkpoint was justified for two intervals.", registry=registry
        )
        silent.set_function(lambda: int(node.silence.is_stalled()))
        since = Gauge(
            "fansumer_finality_blocks_since_justified",
            "Blocks since the chain last held a checkpoint justified; 0 without attestors.",
            registry=registry,
        )
        since.set_function(lambda: node.silence.blocks)
        waiting = Gauge("fansumer_mempool_transactions", "Transactions that wait for a block.", registry=registry)
        waiting.set_function(lambda: len(node.mempool))
        weight = Gauge("fansumer_mempool_weight", "Their weight.", registry=registry)
        weight.set_function(lambda: node.mempool.weight)
        other = Gauge(
            "fansumer_other_law_blocks",
            "Blocks with real work that this node refuses and others follow.",
            registry=registry,
        )
        other.set_function(lambda: node.other_law.blocks)
        _watch_miners(node, registry)
        with node.lock:
            node.chain.subscribe(self.follow)

    def follow(self, changed: TipChanged) -> None:
        """Count one change."""
        self._connected.inc(len(changed.connected))
        depth = len(changed.disconnected)
        if depth:
            self._disconnected.inc(depth)
            self._depth.observe(depth)
            self._deepest_blocks = max(self._deepest_blocks, depth)
            self._deepest.set(self._deepest_blocks)


def _watch_miners(node: Node, registry: CollectorRegistry) -> None:
    """The figures of the embedded miner, all 0 where it does not run, and of the Stratum port, all 0 while that is closed."""
    for name, text, read_own in EMBEDDED:
        gauge = Gauge(f"fansumer_miner_{name}", text, registry=registry)
        gauge.set_function(lambda read=read_own: 0 if node.miner is None else read(node.miner.figures))
    for name, text, read in MINERS:
        gauge = Gauge(f"fansumer_stratum_{name}", text, registry=registry)
        gauge.set_function(lambda read=read: 0 if node.stratum is None else read(node.stratum.pool.figures))


EMBEDDED: tuple[tuple[str, str, Callable[[MinerFigures], int]], ...] = (
    ("hashes", "Hashes of the embedded miner since the start.", lambda figures: figures.hashes),
    ("blocks", "Blocks that the embedded miner found since the start.", lambda figures: figures.blocks),
    (
        "kernel_workers",
        "Processes of the embedded miner that hash with the compiled kernel, the others with hashlib.",
        lambda figures: figures.engines.count(KERNEL),
    ),
)
MINERS: tuple[tuple[str, str, Callable[[Figures], int]], ...] = (
    ("connections", "Open connections of miners.", lambda figures: figures.connections),
    ("shares", "Shares that counted since the start.", lambda figures: figures.shares),
    (
        "refused",
        "Requests of miners that were refused; counted when their connection ends.",
        lambda figures: sum(list(figures.refused.values())),
    ),
    ("dropped", "Connections of miners that this side closed.", lambda figures: figures.dropped),
    ("blocks", "Blocks that miners found.", lambda figures: figures.blocks),
    ("late_blocks", "Blocks that miners found for a tip that was no longer one.", lambda figures: figures.late_blocks),
)
