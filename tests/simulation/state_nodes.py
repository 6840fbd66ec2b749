"""Simulated nodes that serve snapshots, begin with one, or prune what is old."""

import random
from dataclasses import dataclass, replace
from typing import Any

from ledger.finality.votes import Checkpoint
from ledger.fork_choice import TieKey
from ledger.params import Params
from node.chain import Chain
from node.history_store import HistoryStore
from node.p2p.address import make_address
from node.p2p.peers import PeerSettings
from node.p2p.state_desk import SnapshotSettings
from node.store.shelf import Shelf
from node.store.snapshot_maker import SnapshotMaker
from tests.simulation.events import SkewedClock
from tests.simulation.fake_disk import FakeDisk
from tests.simulation.fake_network import Weather
from tests.simulation.fake_node import FakeNode
from tests.simulation.people import People
from tests.simulation.quiet import Quiet
from tests.support.memory_chain import Signer

EVERY, DEPTH = 20, 10
"""Snapshots of these nodes: each 20 blocks, once 10 stand on one."""
WINDOW = 15
"""`validity_blocks_max` of their chain."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a node of these runs."""

    begins_with_snapshot: bool = False
    keep_blocks: int | None = None
    makes_snapshots: bool = True
    trusted: Checkpoint | None = None


FULL = Kind()
BEGINNER = Kind(begins_with_snapshot=True)
PRUNED = Kind(keep_blocks=12)


class StateNode(FakeNode):
    """A node with a shelf for snapshots, and a second disk for the history behind one."""

    def __init__(self, *arguments: Any, kind: Kind = FULL, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.kind = kind
        self._shelf_disk, self._history_disk = (
            FakeDisk(random.Random(self._rng.randbytes(16)), self.network.faults, self.disk.statements_left)
            for _ in range(2)
        )

    @property
    def engine(self) -> Any:
        """Its main disk."""
        return self.disk.engine

    @property
    def disks(self) -> tuple[FakeDisk, ...]:
        """All that it writes to; the power goes for all of them at once."""
        return self.disk, self._shelf_disk, self._history_disk

    def cut_power_after(self, statements: int) -> None:
        """Cut its power before the statement of that number to any of its disks."""
        self.disk.cut_at_statement(statements)

    def calm_down(self) -> None:
        """Plan no cut any more."""
        for disk in self.disks:
            disk.calm_down()

    def _open_chain(self, tie_key: TieKey) -> Chain:
        return Chain(self.disk.engine, self.params, self.clock, tie_key, self.kind.keep_blocks, self.kind.trusted)

    def _open_history(self) -> HistoryStore:
        return HistoryStore(self._history_disk.engine, self.params, self.clock, self.kind.keep_blocks, None)

    def _peer_settings(self) -> PeerSettings:
        shelf = self.shelf = Shelf(self._shelf_disk.engine)
        maker = SnapshotMaker(self.disk.engine, shelf, EVERY, DEPTH) if self.kind.makes_snapshots else None
        settings = SnapshotSettings(
            shelf,
            self._open_history,
            maker,
            is_wanted=self.kind.begins_with_snapshot,
            depth=DEPTH,
            keeps_all=self.kind.keep_blocks is None,
        )
        return PeerSettings(limits=self._limits, snapshots=settings)

    def _lose_power(self) -> None:
        if self._life:  # it was built once: what follows has run
            self.peers.states.history.close()
        for disk in self.disks:
            disk.lose_power()

    def close(self) -> None:
        if self.is_on:
            self.peers.states.history.close()
        super().close()
        self._shelf_disk.close()
        self._history_disk.close()


class QuietStates(Quiet):
    """Quiet nodes of these kinds."""

    nodes: list[Any]
    """Of `StateNode`; a list is not a list of what its items are besides."""

    def __init__(self, *kinds: Kind, weather: Weather | None = None, params: Params | None = None) -> None:
        self._kinds = kinds
        super().__init__(len(kinds), weather=weather, params=params)
        self.people = People(self.params, random.Random(2))

    def add(self, kind: Kind) -> StateNode:
        """One more node, not switched on yet."""
        number = len(self.nodes)
        self._kinds = (*self._kinds[:number], kind)
        node = self._make(number)
        self.nodes.append(node)
        return node

    def _make(self, number: int) -> StateNode:
        self.params: Params = replace(self.params, validity_blocks_max=WINDOW)
        return StateNode(
            f"node {number}",
            make_address(f"{20 + number}.1.0.1", 8_790),
            self.network,
            self.params,
            SkewedClock(self.timeline, self.params.genesis_time + 100_000, 0),
            random.Random(number),
            payout=Signer.named(f"miner {number}").address,
            limits=self.limits,
            kind=self._kinds[number],
        )
