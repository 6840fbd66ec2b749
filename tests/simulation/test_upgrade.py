"""A network where half the nodes know a new kind: one chain until its activation, and what each half does and says after it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from ledger import registry
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import Address
from node.p2p.address import make_address
from node.p2p.dialling import DialLimits
from tests.simulation.events import SkewedClock, Timeline
from tests.simulation.fake_network import FakeNetwork, Weather
from tests.simulation.fake_node import FakeNode
from tests.support.memory_chain import Scenario, Signer, sim_params
from tests.support.shop import FAN, FRIEND
from tests.support.toy_kind import TOY_WAVE, ToyWave

ACTIVATION = 8
NODES = 6
CALM = Weather(delay_max=0.3, bytes_per_second=5_000_000, break_chance=0.0, double_chance=0.0)
OLD_LAW = sim_params(FAN.address, FRIEND.address)
NEW_LAW = replace(OLD_LAW, upgrades=((TOY_WAVE.name, ACTIVATION),))


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    registry.register(TOY_WAVE)
    yield
    del registry.KINDS[TOY_WAVE.name]


@contextmanager
def unknown_here() -> Iterator[None]:
    """While a node of the old version works, its program does not have the kind."""
    known = registry.KINDS.pop(TOY_WAVE.name, None)
    try:
        yield
    finally:
        if known is not None:
            registry.KINDS[TOY_WAVE.name] = known


class OldNode(FakeNode):
    """Runs the version of before."""

    def guarded(self, do: Any) -> Any:
        with unknown_here():
            return super().guarded(do)


class Upgrade:
    """Even nodes are new, odd ones old; each knows the one before."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        rng = random.Random(7)
        network = FakeNetwork(self.timeline, rng, CALM)
        begin = OLD_LAW.genesis_time + 60
        self.nodes = [self._make(number, network, begin, random.Random(number)) for number in range(NODES)]
        for number, node in enumerate(self.nodes):
            node.named = [other.address for other in self.nodes[:number]]
            self.timeline.plan(number, node.start)
        self.timeline.run(30)
        self.scenario = Scenario(params=OLD_LAW)

    def _make(self, number: int, network: FakeNetwork, begin: int, rng: random.Random) -> FakeNode:
        params: Params = OLD_LAW if number % 2 else NEW_LAW
        return (OldNode if number % 2 else FakeNode)(
            f"node {number}",
            make_address(f"{number + 20}.{number + 7}.0.1", 8_790),
            network,
            params,
            SkewedClock(self.timeline, begin, 0.0),
            rng,
            payout=Address(Signer.named(f"miner {number}").address),
            limits=DialLimits(dialled_max=5, taken_max=8, taken_per_host_max=3, has_feelers=False),
        )

    @property
    def new(self) -> list[FakeNode]:
        return self.nodes[::2]

    @property
    def old(self) -> list[FakeNode]:
        return self.nodes[1::2]

    def pass_time(self, seconds: float = 60) -> None:
        self.timeline.run(self.timeline.now + seconds)

    def mine(self, node: FakeNode, blocks: int = 1) -> None:
        for _ in range(blocks):
            node.mine()
            self.pass_time()

    def wave(self) -> Transaction:
        """A transaction of the new kind."""
        height = self.new[0].chain.tip.height + 1
        return self.scenario.sign(
            TOY_WAVE.name, ToyWave("hello"), author=FAN, valid_from=height, valid_until=height + 60
        )

    def close(self) -> None:
        for node in self.nodes:
            node.close()


@pytest.fixture
def upgrade() -> Iterator[Upgrade]:
    made = Upgrade()
    yield made
    made.close()


def tips(nodes: list[FakeNode]) -> set[bytes]:
    return {node.chain.tip.hash for node in nodes}


def alarms(nodes: list[FakeNode]) -> list[str | None]:
    found = [node.host.other_law.fault() for node in nodes]
    return [None if fault is None else fault.code.name for fault in found]


def test_one_chain_until_the_height_and_beyond_it_while_nobody_uses_the_kind(upgrade: Upgrade) -> None:
    too_early = upgrade.wave()
    assert not isinstance(upgrade.new[0].submit(too_early.raw), Transaction), "nobody takes it before its height"
    for number in range(ACTIVATION + 2):
        upgrade.mine(upgrade.nodes[number % NODES])
        assert len(tips(upgrade.nodes)) == 1
    assert upgrade.nodes[0].chain.tip.height > ACTIVATION
    assert alarms(upgrade.nodes) == [None] * NODES


def test_where_most_work_is_new_the_old_half_stays_behind_and_says_so(upgrade: Upgrade) -> None:
    upgrade.mine(upgrade.old[0], ACTIVATION)
    with capture_logs() as logs:
        wave = upgrade.wave()
        assert isinstance(upgrade.new[0].submit(wave.raw), Transaction)
        upgrade.pass_time()
        assert all(node.mempool.get(wave.txid) is not None for node in upgrade.new)
        assert all(node.mempool.get(wave.txid) is None for node in upgrade.old)
        left_behind = tips(upgrade.old)
        upgrade.mine(upgrade.new[1])
        upgrade.pass_time(300)
    assert len(tips(upgrade.new)) == 1 and tips(upgrade.new).isdisjoint(left_behind)
    assert tips(upgrade.old) == left_behind, "the old half keeps to its law"
    assert set(alarms(upgrade.new)) == {None}
    assert "law.other" in alarms(upgrade.old)
    told = [entry for entry in logs if entry["event"] == "law.other"]
    assert told and "new version" in told[0]["advice"]
    behind = next(node for node in upgrade.old if node.host.other_law.fault() is not None)
    fault = behind.host.other_law.fault()
    assert fault is not None and "toy.wave" in str(fault) and fault.fields["height"] == ACTIVATION + 1
    assert not behind.host.other_law.is_leading, "one block is not yet beyond doubt"
    upgrade.mine(upgrade.new[1], 7)
    upgrade.pass_time(300)
    assert set(alarms(upgrade.old)) == {"law.other"}
    assert all(node.host.other_law.is_leading and node.host.other_law.blocks == 8 for node in upgrade.old)
    assert tips(upgrade.old) == left_behind


def test_where_most_work_is_old_the_new_half_comes_back_and_the_alarm_ends(upgrade: Upgrade) -> None:
    upgrade.mine(upgrade.new[0], ACTIVATION)
    wave = upgrade.wave()
    upgrade.new[0].submit(wave.raw)
    upgrade.pass_time()
    upgrade.mine(upgrade.new[0])
    assert "law.other" in alarms(upgrade.old)
    for number in range(8):
        upgrade.mine(upgrade.old[number % len(upgrade.old)])
    upgrade.pass_time(600)
    assert len(tips(upgrade.nodes)) == 1, "the new half knows the old law, too, and its chain has the most work"
    assert set(alarms(upgrade.nodes)) == {None}
    assert all(node.mempool.get(wave.txid) is not None for node in upgrade.new), "it waits again"
