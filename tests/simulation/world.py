"""One simulation: a network drawn from a seed, everything that goes wrong with it, and what must hold in the end.

After the bad times comes a quiet end: faults stop, an honest miner goes on. Then all nodes have one tip and one root, the chain
replays from genesis to the same root, and every transaction that ever stood in a block is in the chain, or waits, or is gone for a
reason that is recorded.
"""

import random
from dataclasses import dataclass, field

from ledger.errors import LedgerError
from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.supply import BUCKETS, CHAIN_KEY
from ledger.transaction import Transaction, decode_transaction
from ledger.types import Address, Height, TxId
from node.chain import Chain
from node.clock import ManualClock
from node.p2p.address import PeerAddress, make_address
from node.p2p.dialling import DialLimits
from node.store.engine import open_engine
from node.store.tables import metadata
from tests.simulation.adversaries import Liar, SelfishNode
from tests.simulation.events import SkewedClock, Timeline
from tests.simulation.fake_network import FakeNetwork, Weather
from tests.simulation.fake_node import FakeNode
from tests.simulation.people import EVERYBODY, People
from tests.support.memory_chain import DAY_SECONDS, GENESIS_DAY, Signer, sim_params

PORT = 8_790
QUIET_SECONDS_MAX = 1_200
QUIET_STEP_SECONDS = 30
BLOCK_SECONDS_MEAN = 45.0


class Broken(AssertionError):
    """Something that must hold does not."""


@dataclass(slots=True)
class Plan:
    """What a seed decides before anything happens."""

    nodes: int
    selfish: int
    liars: int
    seconds: int
    weather: Weather
    skew_max: float
    has_partitions: bool
    has_crashes: bool
    has_power_cuts: bool
    has_waves: bool
    is_line: bool

    @staticmethod
    def draw(rng: random.Random) -> "Plan":
        """Every kind of trouble is absent in some simulations."""
        weather = Weather(
            delay_max=rng.choice((0.05, 0.3, 2.0, 8.0)),
            bytes_per_second=rng.choice((20_000, 200_000, 5_000_000)),
            break_chance=rng.choice((0.0, 0.0005, 0.005)),
            double_chance=rng.choice((0.0, 0.0, 0.001)),
        )
        return Plan(
            nodes=rng.randrange(3, 8),
            selfish=rng.choice((0, 0, 1)),
            liars=rng.choice((0, 0, 1, 2)),
            seconds=rng.choice((600, 900, 1_800)),
            weather=weather,
            skew_max=rng.choice((0.0, 20.0, 110.0)),
            has_partitions=rng.random() < 0.5,
            has_crashes=rng.random() < 0.5,
            has_power_cuts=rng.random() < 0.4,
            has_waves=rng.random() < 0.4,
            is_line=rng.random() < 0.3,
        )


@dataclass(slots=True)
class Outcome:
    """How a simulation ended."""

    seed: int
    digest: str
    height: int
    blocks: int
    reorganisations: int
    submitted: int
    refused: int
    committed: int
    power_cuts: int
    frames: int
    bytes: int
    lost_in_crashes: int
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: height {self.height}, {self.blocks} blocks, {self.reorganisations} reorganisations, "
            f"{self.committed} of {self.submitted} transactions committed, {self.power_cuts} stops, {self.frames} frames, "
            f"{self.bytes} bytes, digest {self.digest}"
        )


class World:
    """A network of nodes, and fate."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(f"fansumer simulation {seed}")
        self.plan = Plan.draw(self.rng)
        self.timeline = Timeline()
        self.network = FakeNetwork(self.timeline, self._branch_rng(), self.plan.weather)
        self.params: Params = sim_params(*(person.address for person in EVERYBODY))
        self.people = People(self.params, self._branch_rng())
        self.is_quiet = False
        self.blocks = self.submitted = self.refused = self.lost_in_crashes = 0
        self.hash_rate = 1.0
        self.nodes: list[FakeNode] = []
        self.liars: list[Liar] = []
        self._make_nodes()

    def _branch_rng(self) -> random.Random:
        return random.Random(self.rng.randbytes(16))

    # --- the beginning ---

    def _make_nodes(self) -> None:
        plan = self.plan
        begin = self.params.genesis_time + 60
        limits = DialLimits(dialled_max=3, taken_max=8, taken_per_host_max=3, has_feelers=True)
        for number in range(plan.nodes + plan.selfish):
            skew = self.rng.uniform(-plan.skew_max, plan.skew_max)
            self.nodes.append(
                (FakeNode if number < plan.nodes else SelfishNode)(
                    f"node {number}",
                    self._address(number),
                    self.network,
                    self.params,
                    SkewedClock(self.timeline, begin, skew),
                    self._branch_rng(),
                    payout=Address(Signer.named(f"miner {number}").address),
                    limits=limits,
                )
            )
        for number, node in enumerate(self.nodes):
            node.named = self._named_by(number)
            self.timeline.plan(self.rng.uniform(0, 5), node.start)

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
        for number in range(self.plan.liars):
            liar = Liar(self._address(100 + number), self.network, self.nodes[0], self._branch_rng())
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

        self.timeline.plan(self.rng.expovariate(1 / 60), lie)

    # --- what happens again and again ---

    @property
    def living(self) -> list[FakeNode]:
        """The nodes that are on."""
        return [node for node in self.nodes if node.is_on]

    def _mine_later(self) -> None:
        def mine() -> None:
            living = self.living
            if living and not self.is_quiet:
                self._mine(self.rng.choice(living))
            if not self.is_quiet:
                self._mine_later()

        self.timeline.plan(self.rng.expovariate(self.hash_rate / BLOCK_SECONDS_MEAN), mine)

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
                other.guarded(lambda other=other: other.weigh(best))

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

        self.timeline.plan(self.rng.expovariate(1 / 8), submit)

    def _trouble_later(self) -> None:
        def trouble() -> None:
            if not self.is_quiet:
                self._make_trouble()
                self._trouble_later()

        self.timeline.plan(self.rng.expovariate(1 / 90), trouble)

    def _make_trouble(self) -> None:
        kind = self.rng.choice(("partition", "crash", "power", "wave"))
        plan, living = self.plan, self.living
        if kind == "partition" and plan.has_partitions and not self.network.is_cut:
            for node in self.nodes:
                node.side = self.rng.randrange(2)
            is_silent = self.rng.random() < 0.5
            self.timeline.note(f"partition {[node.side for node in self.nodes]}{' silent' if is_silent else ''}")
            self.network.cut(is_silent=is_silent)
            self.timeline.plan(self.rng.uniform(30, 600), self._heal)
        elif kind == "crash" and plan.has_crashes and len(living) > 1:
            node = self.rng.choice(living)
            self.timeline.note(f"{node.name} crashes")
            node.stop()
        elif kind == "power" and plan.has_power_cuts and len(living) > 1:
            self.rng.choice(living).cut_power_after(self.rng.randrange(1, 400))
        elif kind == "wave" and plan.has_waves:
            self.hash_rate = self.rng.choice((0.05, 0.3, 1.0, 5.0))
            self.timeline.note(f"hash rate {self.hash_rate}")

    def _heal(self) -> None:
        if self.network.is_cut:
            self.timeline.note("the network is whole again")
            self.network.heal()

    def _restart_later(self) -> None:
        """Whoever is off comes back after a while."""

        def restart() -> None:
            for node in self.nodes:
                if not node.is_on and node.crashes and (self.is_quiet or self.rng.random() < 0.3):
                    self.timeline.note(f"{node.name} starts again")
                    node.start()
            self._restart_later()

        self.timeline.plan(20, restart)

    # --- the run ---

    def run(self) -> Outcome:
        """Let it all happen, then see whether all is well. Raises `Broken`, or what a node raised."""
        try:
            self.timeline.run(6)
            self._make_liars()
            for begin in (self._mine_later, self._submit_later, self._trouble_later, self._restart_later):
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
        self._heal()
        self.network.weather.break_chance = self.network.weather.double_chance = 0.0
        for node in self.nodes:
            node.statements_left = None
            node.clock.skew_seconds = 0.0
            if isinstance(node, SelfishNode) and node.is_on:
                node.guarded(node.give_up)
        for liar in self.liars:
            self.network.leave(liar)

    def _wait_for_agreement(self) -> None:
        """One honest miner goes on, since equal branches need one more block; all must come to it."""
        deadline = self.timeline.now + QUIET_SECONDS_MAX
        next_block = self.timeline.now
        while self.timeline.now < deadline:
            self.timeline.run(self.timeline.now + QUIET_STEP_SECONDS)
            for node in self.nodes:
                if isinstance(node, SelfishNode) and node.is_on:
                    node.guarded(node.give_up)
            if self.timeline.now >= next_block:
                self._mine(self.nodes[0])
                next_block = self.timeline.now + 200
                continue
            tips = {node.chain.tip.hash for node in self.nodes if node.is_on}
            if len(tips) == 1 and all(node.is_on for node in self.nodes):
                return
        shown = {node.name: node.chain.tip.height if node.is_on else None for node in self.nodes}
        raise Broken(f"the nodes do not agree {QUIET_SECONDS_MAX} s after the end of all trouble: {shown}")

    # --- judgement ---

    def _judge(self) -> Outcome:
        first = self.nodes[0]
        if len({node.chain.state_root for node in self.nodes}) != 1:
            raise Broken("one tip and several state roots")
        final = self._replay(first)
        committed: dict[TxId, None] = {}
        for node in self.nodes:
            committed.update(node.seen)
            self._check_kept(node, final)
        self.timeline.note(f"all agree on {first.chain.tip.hash.hex()[:8]} at {first.chain.tip.height}")
        return Outcome(
            seed=self.seed,
            digest=self.timeline.digest,
            height=first.chain.tip.height,
            blocks=self.blocks,
            reorganisations=sum("takes" in note for note in self.timeline.notes),
            submitted=self.submitted,
            refused=self.refused,
            committed=len(committed),
            power_cuts=sum(node.crashes for node in self.nodes),
            frames=self.network.frames,
            bytes=self.network.bytes,
            lost_in_crashes=self.lost_in_crashes,
            notes=self.timeline.notes,
        )

    def _check_kept(self, node: FakeNode, final: dict[TxId, None]) -> None:
        """What this node had in its chain since it was started: it is there, or waits, or the node says why it is gone."""
        for txid in node.seen:
            if txid in final or node.mempool.get(txid) is not None:
                continue
            if node.mempool.dropped(txid) is None:
                raise Broken(f"{node.name} lost {txid.hex()} and does not say why")

    def _replay(self, node: FakeNode) -> dict[TxId, None]:
        """Do the chain again from genesis on a new disk; its transactions. Every block asserts the invariants."""
        engine = open_engine("sqlite://")
        metadata.create_all(engine)
        chain = Chain(engine, self.params, ManualClock(2**31), TieKey(bytes(32)))
        found: dict[TxId, None] = {}
        try:
            for height in range(1, node.chain.tip.height + 1):
                block = node.chain.block_at(Height(height))
                if block is None:
                    raise Broken(f"{node.name} lacks its block {height}")
                chain.accept_block(block)
                for raw in block.transactions:
                    found[decode_transaction(raw, chain.chain_id).txid] = None
            if chain.state_root != node.chain.state_root:
                raise Broken("a replay from genesis gives another root")
            self._check_coin(chain)
        finally:
            chain.close()
            engine.dispose()
        return found

    def _check_coin(self, chain: Chain) -> None:
        """Coin that exists is what was emitted."""
        stored = chain.state.stored(CHAIN_KEY)
        if stored is None:
            raise Broken("the chain record is gone")
        record = stored.record
        emission = self.params.emission
        emitted = self.params.allocated + sum(
            emission.subsidy(Height(height)) for height in range(1, chain.tip.height + 1)
        )
        if record.emitted != emitted or sum(getattr(record, bucket) for bucket in BUCKETS) != emitted:
            raise Broken(f"coin is not conserved: {record}, emitted {emitted}")


def simulate(seed: int) -> Outcome:
    """Run one simulation. Raises `AssertionError` where something that must hold does not."""
    return World(seed).run()
