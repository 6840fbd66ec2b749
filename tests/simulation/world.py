"""One simulation: a network drawn from a seed, everything that goes wrong with it, and what must hold in the end.

After the bad times comes a quiet end: faults stop, an honest miner goes on. Then all nodes have one tip and one root, the chain
replays from genesis to the same root, and every transaction that ever stood in a block is in the chain, or waits, or is gone for a
reason that is recorded.
"""

import random

from ledger.difficulty import next_bits
from ledger.errors import LedgerError
from ledger.params import Params
from ledger.pow import target_from_compact
from ledger.transaction import Transaction
from ledger.types import Address
from node.p2p.address import PeerAddress, make_address
from node.p2p.dialling import DialLimits
from tests.simulation.adversaries import Liar, SelfishNode, WithholdingNode
from tests.simulation.events import SkewedClock, Timeline
from tests.simulation.fake_network import FakeNetwork
from tests.simulation.fake_node import FakeNode
from tests.simulation.judgement import judge_nodes
from tests.simulation.people import People
from tests.simulation.plan import BLOCK_SECONDS_MEAN, Broken, Outcome, Plan
from tests.simulation.trouble import RATE_MAX, Trouble
from tests.support.memory_chain import DAY_SECONDS, GENESIS_DAY, Signer

PORT = 8_790
START_SECONDS = 6
QUIET_SECONDS_MAX = 1_800
QUIET_STEP_SECONDS = 30
QUIET_BLOCK_SECONDS = 200
SUBMIT_SECONDS_MEAN = 8
LIE_SECONDS_MEAN = 40
SELFISH_POWER = 3
"""Hash power of a selfish miner, in that of an honest one."""
RESTART_SECONDS = 20
RESTART_CHANCE = 0.3


class World:
    """A network of nodes, and fate."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(f"fansumer simulation {seed}")
        self.plan = Plan.draw(self.rng)
        self.timeline = Timeline()
        self.network = FakeNetwork(self.timeline, self._branch_rng(), self.plan.weather)
        self.params: Params = self.plan.make_params()
        self.people = People(self.params, self._branch_rng())
        self.is_quiet = False
        self.blocks = self.submitted = self.refused = 0
        self.nodes: list[FakeNode] = []
        self.liars: list[Liar] = []
        self._make_nodes()
        self.trouble = Trouble(self.plan, self.nodes, self.liars, self.network, self._branch_rng())

    def _branch_rng(self) -> random.Random:
        return random.Random(self.rng.randbytes(16))

    # --- the beginning ---

    def _make_nodes(self) -> None:
        plan = self.plan
        begin = self.params.genesis_time + 60
        limits = DialLimits(dialled_max=3, taken_max=8, taken_per_host_max=3, has_feelers=True)
        kinds = [FakeNode] * plan.nodes + [SelfishNode] * plan.selfish + [WithholdingNode] * plan.withholding
        for number, kind in enumerate(kinds):
            skew = self.rng.uniform(-plan.skew_max, plan.skew_max)
            made = kind(
                f"node {number}",
                self._address(number),
                self.network,
                self.params,
                SkewedClock(self.timeline, begin, skew),
                self._branch_rng(),
                payout=Address(Signer.named(f"miner {number}").address),
                limits=limits,
            )
            self.nodes.append(made)
        for number, node in enumerate(self.nodes):
            node.named = self._named_by(number)
            self.timeline.plan(self.rng.uniform(0, START_SECONDS - 1), node.start)

    def _address(self, number: int) -> PeerAddress:
        """Each in a group of its own."""
        return make_address(f"{number + 20}.{number + 7}.0.1", PORT)

    def _named_by(self, number: int) -> list[PeerAddress]:
        """In a line everybody knows the one before, else mostly the first: the rest is found by gossip."""
        if number == 0:
            return []
        if self.plan.is_line:
            return [self.nodes[number - 1].address]
        return [self.nodes[self.rng.randrange(number)].address]

    def _make_liars(self) -> None:
        source = self.nodes[0]
        if not source.is_on:
            return
        for number in range(self.plan.liars):
            liar = Liar(self._address(100 + number), self.network, source, self._branch_rng())
            self.liars.append(liar)
            for node in self.nodes:
                if self.rng.random() < 0.7:
                    liar.dial(node.address)
            self._lie_later(liar)

    def _lie_later(self, liar: Liar) -> None:
        def lie() -> None:
            if not self.is_quiet:
                self.nodes[0].guarded(liar.lie)
                self._lie_later(liar)

        self.timeline.plan(self.rng.expovariate(1 / LIE_SECONDS_MEAN), lie)

    # --- what happens again and again ---

    @property
    def living(self) -> list[FakeNode]:
        """The nodes that are on."""
        return [node for node in self.nodes if node.is_on]

    def _mine_later(self) -> None:
        """Somebody would find a block now if all miners were here; with fewer, or more difficulty, it is found less often."""

        def mine() -> None:
            if self.is_quiet:
                return
            living = self.living
            if living:
                power = [SELFISH_POWER if isinstance(node, SelfishNode) else 1 for node in living]
                (node,) = self.rng.choices(living, power)
                if self.rng.random() < self._chance(node):
                    self._mine(node)
            self._mine_later()

        self.timeline.plan(self.rng.expovariate(RATE_MAX / BLOCK_SECONDS_MEAN), mine)

    def _chance(self, node: FakeNode) -> float:
        eras = self.params.difficulty_eras
        ease = target_from_compact(next_bits(eras, node.chain.tip.difficulty)) / eras[0].anchor_target
        return ease * self.trouble.hash_rate / RATE_MAX

    def _mine(self, node: FakeNode) -> None:
        try:
            block = node.mine()
        except LedgerError as fault:
            self.timeline.note(f"{node.name} cannot mine: {fault.code.name}")
            return
        if block is not None:
            self.blocks += 1
            count = len(block.transactions)
            self.timeline.note(f"{node.name} mines {block.hash.hex()[:8]} with {count} at {node.chain.tip.height}")
        best = max((other.chain.tip.height for other in self.living if not isinstance(other, SelfishNode)), default=0)
        for other in self.nodes:
            if isinstance(other, SelfishNode):
                other.guarded(lambda other=other: other.weigh(best, is_own=other is node))

    def _submit_later(self) -> None:
        def submit() -> None:
            living = self.living
            if living:
                node = self.rng.choice(living)
                height = node.chain.tip.height + 1
                day = GENESIS_DAY + int(self.timeline.now) // DAY_SECONDS
                transaction = self.people.next(height, day)
                result = node.submit(transaction.raw)
                self.submitted += 1
                if not isinstance(result, Transaction):
                    self.refused += 1
            if not self.is_quiet:
                self._submit_later()

        self.timeline.plan(self.rng.expovariate(1 / SUBMIT_SECONDS_MEAN), submit)

    def _restart_later(self) -> None:
        """Whoever is off comes back after a while."""

        def restart() -> None:
            for node in self.nodes:
                if not node.is_on and node.crashes and (self.is_quiet or self.rng.random() < RESTART_CHANCE):
                    self.timeline.note(f"{node.name} starts again")
                    node.start()
            self._restart_later()

        self.timeline.plan(RESTART_SECONDS, restart)

    # --- the run ---

    def run(self) -> Outcome:
        """Let it all happen, then see whether all is well. Raises `Broken`, or what a node raised."""
        try:
            self.trouble.cut_first_starts()
            self.timeline.run(START_SECONDS)
            self._make_liars()
            for begin in (self._mine_later, self._submit_later, self.trouble.begin, self._restart_later):
                begin()
            self.timeline.run(self.plan.seconds)
            self._calm_down()
            self._wait_for_agreement()
            return self._judge()
        finally:
            for node in self.nodes:
                node.close()

    def _calm_down(self) -> None:
        """The bad times are over."""
        self.timeline.note("quiet from now on")
        self.is_quiet = True
        self.trouble.end()
        self._reform()
        for liar in self.liars:
            self.network.leave(liar)

    def _reform(self) -> None:
        for node in self.nodes:
            if isinstance(node, SelfishNode | WithholdingNode) and node.is_on:
                node.guarded(node.give_up)

    def _wait_for_agreement(self) -> None:
        """One honest miner goes on, since equal branches need one more block; all must come to it."""
        deadline = self.timeline.now + QUIET_SECONDS_MAX
        next_block = self.timeline.now
        while self.timeline.now < deadline:
            self.timeline.run(self.timeline.now + QUIET_STEP_SECONDS)
            self._reform()
            if self.timeline.now >= next_block:
                self._mine(self.nodes[0])
                next_block = self.timeline.now + QUIET_BLOCK_SECONDS
                continue
            tips = {node.chain.tip.hash for node in self.living}
            if len(tips) == 1 and all(node.is_on for node in self.nodes):
                return
        shown = {node.name: node.chain.tip.height if node.is_on else None for node in self.nodes}
        raise Broken(f"the nodes do not agree {QUIET_SECONDS_MAX} s after the end of all trouble: {shown}")

    def _judge(self) -> Outcome:
        first = self.nodes[0]
        fates = judge_nodes(self.nodes, self.params)
        self.timeline.note(f"all agree on {first.chain.tip.hash.hex()[:8]} at {first.chain.tip.height}")
        return Outcome(
            seed=self.seed,
            digest=self.timeline.digest,
            height=first.chain.tip.height,
            blocks=self.blocks,
            reorganisations=sum("takes" in note for note in self.timeline.notes),
            submitted=self.submitted,
            refused=self.refused,
            fates=fates,
            stops=sum(node.crashes for node in self.nodes),
            frames=self.network.frames,
            bytes=self.network.bytes,
            faults=self.network.faults,
            notes=self.timeline.notes,
        )
