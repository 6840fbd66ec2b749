"""Stale blocks once more, with the node's own code: whole nodes on a fake clock and network, to hold the model against.

Every line has the same delay and nothing else takes time, so that the model (`scripts/fork_model.py`) can have the same network.
"""

import random

from fork_model import Lines, Stale
from node.p2p.dialling import DialLimits
from node.tip import TipChanged
from tests.simulation.fake_network import Weather
from tests.simulation.fake_node import FakeNode
from tests.simulation.quiet import Quiet

SETTLING_SECONDS = 120.0


class Watch:
    """When each block came to each node, as far as it was a node's tip."""

    def __init__(self, quiet: Quiet) -> None:
        self._quiet = quiet
        self._came: dict[bytes, list[float]] = {}
        for node in quiet.nodes:
            node.chain.subscribe(self._note)

    def _note(self, changed: TipChanged) -> None:
        for block in changed.connected:
            self._came.setdefault(block.hash, []).append(self._quiet.timeline.now)

    def seconds_to(self, place: int) -> float:
        """The median time from a block's first node to its `place`th, of blocks that came so far.

        A node of an equal branch takes a block in with the next one only: such times say nothing of the lines.
        """
        found = sorted(came[place] - came[0] for came in self._came.values() if len(came) > place)
        return found[len(found) // 2]


def run_network(block_time_s: float, blocks: int, lines: Lines, seed: str) -> Stale:
    """Let equal miners find blocks at random on real nodes, each on its own tip."""
    rng = random.Random(f"network {seed}")
    assert lines.delay_min_s == lines.delay_max_s and not lines.check_s, (
        "frames have one delay, and checks take no time"
    )
    weather = Weather(lines.delay_min_s, lines.delay_max_s, lines.bytes_per_second)
    quiet = Quiet(lines.nodes, weather=weather, limits=DialLimits(dialled_max=0, has_feelers=False))
    try:
        edges: dict[tuple[int, int], None] = {}
        for node in range(lines.nodes):
            for other in rng.sample([found for found in range(lines.nodes) if found != node], lines.dialled):
                if (other, node) not in edges:
                    edges[node, other] = None
        quiet.start(*edges)
        quiet.wait(SETTLING_SECONDS)
        watch = Watch(quiet)
        for _ in range(blocks):
            quiet.wait(rng.expovariate(1 / block_time_s))
            miner: FakeNode = rng.choice(quiet.nodes)
            miner.mine()
        quiet.wait(SETTLING_SECONDS)
        height = max(node.chain.tip.height for node in quiet.nodes)
        return Stale(watch.seconds_to(lines.nodes // 2), watch.seconds_to(lines.nodes - 1), 1 - height / blocks)
    finally:
        quiet.close()
