"""Networks with nodes that begin with snapshots and nodes that prune, under power cuts and delay: all come together."""

import random

import pytest

from tests.node.stored_chain import read_tables
from tests.simulation.fake_network import Weather
from tests.simulation.state_nodes import FULL, Kind, QuietStates, StateNode

SECONDS_MAX = 900
BLOCKS = 75
PRUNED_BEGINNER = Kind(begins_with_snapshot=True, keep_blocks=12)


def everybody(world: QuietStates) -> list[StateNode]:
    return [node for node in world.nodes if isinstance(node, StateNode)]


def live(world: QuietStates, rng: random.Random) -> None:
    """People pay and shop, one of two nodes mines, machines lose their power and come back."""
    day = (world.params.genesis_time + 100_000) // 86_400
    while max(node.chain.tip.height for node in everybody(world)) < BLOCKS:
        node = rng.choice(everybody(world)[:2])
        if node.is_on:
            node.submit(world.people.next(node.chain.tip.height + 1, day).raw)
            node.guarded(lambda node=node: world.mine(node))
        world.wait(rng.uniform(0.5, 4))
        other = rng.choice(everybody(world))
        if not other.is_on:
            other.start()
        elif rng.random() < 0.05:
            other.cut_power_after(rng.randrange(1, 60))


def settle(world: QuietStates) -> None:
    """Good weather: everybody is on until all have come to one chain and have verified what they can."""
    for _ in range(SECONDS_MAX // 5):
        for node in everybody(world):
            node.calm_down()
            if not node.is_on:
                node.start()
        world.wait(5)
        tips = {node.chain.tip.hash for node in everybody(world)}
        extents = [node.chain.extent for node in everybody(world)]
        if len(tips) == 1 and all(extent.is_verified and not extent.history_from for extent in extents):
            return
    raise AssertionError({node.name: (node.chain.tip.height, node.chain.extent) for node in everybody(world)})


@pytest.mark.parametrize("seed", range(4))
def test_nodes_of_all_kinds_come_to_one_chain(seed: int) -> None:
    rng = random.Random(seed)
    kinds = (FULL, FULL, Kind(keep_blocks=12), FULL)
    world = QuietStates(*kinds, weather=Weather(0.01, rng.choice((0.05, 0.4)), 2_000_000))
    try:
        for number, node in enumerate(everybody(world)):
            node.named.extend(other.address for other in everybody(world)[:number])
            node.start()
        world.wait(5)
        live(world, rng)
        for kind in (Kind(begins_with_snapshot=True), PRUNED_BEGINNER):
            node = world.add(kind)
            node.named.extend(other.address for other in everybody(world)[:-1])
            node.start()
            if rng.random() < 0.7:
                world.wait(rng.uniform(1, 8))
                node.cut_power_after(rng.randrange(1, 400))
        settle(world)
        roots = {node.chain.state_root for node in everybody(world)}
        assert len(roots) == 1, f"seed {seed}"
        whole = read_tables(everybody(world)[0].engine)
        for node in everybody(world):
            found = read_tables(node.engine)
            left_out = {"undo"} if node.kind.keep_blocks is not None else set()
            assert {name for name in found if found[name] != whole[name]} <= left_out, f"seed {seed}, {node.name}"
            node.chain.extent.check()
    finally:
        world.close()
