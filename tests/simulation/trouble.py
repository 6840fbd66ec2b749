"""What goes wrong in a simulation, and when: partitions, crashes, power cuts, eclipses, clocks and hash rates that jump."""

import random
from collections.abc import Callable, Sequence

from node.p2p.memory import KEY_FILE, PEERS_FILE
from tests.simulation.adversaries import Liar
from tests.simulation.events import Timeline
from tests.simulation.fake_network import FakeNetwork
from tests.simulation.fake_node import FakeNode
from tests.simulation.faults import CLOCK_JUMP, CRASH, FALL, RISE, WRONG_CLOCK, WRONG_CLOCK_SECONDS
from tests.simulation.plan import Plan

TROUBLE_SECONDS_MEAN = 40.0
RATE_MIN, RATE_MAX = 0.05, 5.0
HUNDREDFOLD = 100
RATES_AFTER_A_FALL = (1.0, RATE_MAX)
STATEMENTS_MAX, COMMITS_MAX = 300, 12


class Trouble:
    """Fate. `hash_rate` is that of all miners together, 1 on an ordinary day."""

    def __init__(
        self,
        plan: Plan,
        nodes: Sequence[FakeNode],
        liars: Sequence[Liar],
        network: FakeNetwork,
        rng: random.Random,
    ) -> None:
        self._plan, self._nodes, self._liars, self._network, self._rng = plan, nodes, liars, network, rng
        self._timeline: Timeline = network.timeline
        self.hash_rate = 1.0
        self.is_over = False
        has: tuple[tuple[bool, Callable[[], None]], ...] = (
            (plan.has_partitions, self._cut),
            (plan.has_crashes, self._crash),
            (plan.has_power_cuts, self._cut_power),
            (plan.has_power_cuts, self._cut_power),
            (plan.has_eclipses, self._eclipse),
            (plan.has_jumps, self._jump),
            (plan.has_waves, self._wave),
        )
        self._kinds = tuple(kind for is_here, kind in has if is_here)
        for node in nodes:
            if abs(node.clock.skew_seconds) >= WRONG_CLOCK_SECONDS:
                network.faults.note(WRONG_CLOCK)

    def begin(self) -> None:
        """From now on things go wrong. The first start of a node may be cut already."""
        self._later()

    def cut_first_starts(self) -> None:
        """Let the power go where a node writes its key, which it does once in its life."""
        if self._plan.has_power_cuts:
            for node in self._nodes:
                if self._rng.random() < 0.3:
                    node.disk.cut_in_file(KEY_FILE, self._rng.randrange(3))

    def end(self) -> None:
        """Nothing goes wrong any more."""
        self.is_over = True
        self.hash_rate = 1.0
        self._heal()
        self._network.weather.calm_down()
        for node in self._nodes:
            node.disk.calm_down()
            node.clock.skew_seconds = 0.0
            self._network.free(node)

    def _later(self) -> None:
        def happen() -> None:
            if not self.is_over:
                if self._kinds:
                    self._rng.choice(self._kinds)()
                self._later()

        self._timeline.plan(self._rng.expovariate(1 / TROUBLE_SECONDS_MEAN), happen)

    def _unless_over(self, seconds: float, happen: Callable[[], None]) -> None:
        self._timeline.plan(seconds, lambda: None if self.is_over else happen())

    @property
    def _living(self) -> list[FakeNode]:
        return [node for node in self._nodes if node.is_on]

    # --- one kind each ---

    def _cut(self) -> None:
        if self._network.is_cut:
            return
        for node in self._nodes:
            node.side = self._rng.randrange(2)
        is_silent = self._rng.random() < 0.5
        self._timeline.note(f"partition {[node.side for node in self._nodes]}{' silent' if is_silent else ''}")
        self._network.cut(is_silent=is_silent)
        self._unless_over(self._rng.uniform(30, 400), self._heal)

    def _heal(self) -> None:
        if self._network.is_cut:
            self._timeline.note("the network is whole again")
            self._network.heal()

    def _crash(self) -> None:
        if len(self._living) > 1:
            node = self._rng.choice(self._living)
            self._timeline.note(f"{node.name} crashes")
            self._network.faults.note(CRASH)
            node.stop()

    def _cut_power(self) -> None:
        if len(self._living) < 2:
            return
        disk = self._rng.choice(self._nodes).disk
        where = self._rng.random()
        if where < 0.3:
            disk.cut_at_statement(self._rng.randrange(1, STATEMENTS_MAX))
        elif where < 0.75:
            disk.cut_in_commit(self._rng.randrange(1, COMMITS_MAX))
        else:
            disk.cut_in_file(PEERS_FILE, self._rng.randrange(3))

    def _eclipse(self) -> None:
        free = [node for node in self._living if not self._network.is_eclipsed(node)]
        if len(free) < len(self._nodes):
            return
        victim = self._rng.choice(free)
        captors = tuple(liar for liar in self._liars if self._rng.random() < 0.8)
        self._timeline.note(f"{victim.name} is eclipsed by {len(captors)}")
        self._network.eclipse(victim, captors)
        for liar in captors:
            liar.dial(victim.address)
            for _ in range(2):
                self._unless_over(self._rng.uniform(10, 120), lambda liar=liar: self._feed(liar, victim))

        def free_victim() -> None:
            self._timeline.note(f"{victim.name} is free")
            self._network.free(victim)

        self._unless_over(self._rng.uniform(60, 400), free_victim)

    def _feed(self, liar: Liar, victim: FakeNode) -> None:
        if victim.is_on and self._network.is_eclipsed(victim):
            victim.guarded(lambda: liar.feed(victim))

    def _jump(self) -> None:
        node = self._rng.choice(self._nodes)
        node.clock.skew_seconds = self._rng.uniform(-1, 1) * max(self._plan.skew_max, 60.0)
        self._timeline.note(f"the clock of {node.name} jumps to {node.clock.skew_seconds:+.0f} s")
        self._network.faults.note(CLOCK_JUMP)
        if abs(node.clock.skew_seconds) >= WRONG_CLOCK_SECONDS:
            self._network.faults.note(WRONG_CLOCK)

    def _wave(self) -> None:
        """Many miners come for a minute or two; when they leave, most of the others do as well for a while."""
        if self.hash_rate != 1.0:
            return
        self._set_rate(RATE_MAX)
        high, low = self._rng.uniform(40, 120), self._rng.uniform(100, 300)
        self._unless_over(high, lambda: self._set_rate(RATE_MIN))
        self._unless_over(high + low, lambda: self._set_rate(self._rng.choice(RATES_AFTER_A_FALL)))
        self._unless_over(high + low + 60, lambda: self._set_rate(1.0))

    def _set_rate(self, rate: float) -> None:
        if rate >= HUNDREDFOLD * self.hash_rate:
            self._network.faults.note(RISE)
        if self.hash_rate >= HUNDREDFOLD * rate:
            self._network.faults.note(FALL)
        self.hash_rate = rate
        self._timeline.note(f"hash rate {rate}")
