"""A network with attestors, drawn from a seed, and those who attack it: liars, silent ones, most of the hash power, partitions.

What must hold: no two final blocks lie on different branches, at whatever nodes and times; a node never leaves one; no honest
attestor ever signs two votes that conflict; once the bad times are over and less than a third is silent, new blocks become final;
and a node that starts late comes to the same answer. A node follows the highest justified checkpoint that it has, whatever work
speaks against it (spec FIN-9); in every sixth network a miner lies in ambush to break that.
"""

import itertools
import random
from dataclasses import dataclass, field, replace
from typing import Any

from ledger.errors import LedgerError
from ledger.finality.votes import conflict
from ledger.keys import public_key_of
from ledger.params import Attestor as Member
from ledger.params import Params
from ledger.types import Address, BlockHash, Height
from node.p2p.address import PeerAddress, make_address
from node.p2p.dialling import DialLimits
from tests.simulation.attestors import LOOK_SECONDS, ROAMING, SETTLED, HonestAttestor, LyingAttestor, attestor_seed
from tests.simulation.events import SkewedClock, Timeline
from tests.simulation.fake_network import FakeNetwork, Weather
from tests.simulation.fake_node import FakeNode
from tests.simulation.people import EVERYBODY
from tests.support.memory_chain import Signer, sim_params

PORT = 8_790
INTERVAL = 4
BLOCK_SECONDS_MEAN = 15.0
QUIET_SECONDS_MAX = 2_400
FINAL_BLOCKS_WANTED = 3 * INTERVAL
"""After the bad times so many more blocks must become final."""
AMBUSH_SECONDS = 3.0
AMBUSH_SHARE = 0.75
"""So much of the hash power, at least, has a miner in ambush: three blocks for each of the others'."""


class Unsafe(AssertionError):
    """Two final blocks on different branches, a final or justified one that was left, or an honest attestor that lied."""


class Stuck(AssertionError):
    """Less than a third is silent, all hear each other, and nothing becomes final; or nodes do not agree."""


@dataclass(slots=True)
class AttestedPlan:
    """What a seed decides before anything happens. `attack_share`: of the hash power, of a miner who keeps its blocks to itself."""

    nodes: int
    weights: tuple[int, ...]
    liars: tuple[int, ...]
    silent: tuple[int, ...]
    attack_share: float
    seconds: int
    weather: Weather
    has_partitions: bool
    has_crashes: bool
    has_restores: bool
    has_late_node: bool

    @staticmethod
    def draw(rng: random.Random) -> "AttestedPlan":
        """Liars have a third of the weight at most; with those who are silent it may be more, until the quiet end."""
        weights = rng.choice(((1, 1, 1), (1, 1, 1, 1), (1,) * 7, (3, 2, 2, 1, 1), (5, 1, 1, 1, 1)))
        places = list(range(len(weights)))
        rng.shuffle(places)
        total = sum(weights)
        liars = _take(places, weights, total // 3 if rng.random() < 0.7 else 0)
        rest = [place for place in places if place not in liars]
        lying = sum(weights[place] for place in liars)
        silent = _take(rest, weights, max((total - 1) // 3 - lying, 0) if rng.random() < 0.4 else 0)
        return AttestedPlan(
            nodes=rng.randrange(3, 6),
            weights=weights,
            liars=liars,
            silent=silent,
            attack_share=rng.choice((0.0, 0.51, 0.75, 0.99)),
            seconds=rng.choice((900, 1_500)),
            weather=Weather(
                delay_max=rng.choice((0.05, 0.3, 2.0)),
                break_chance=rng.choice((0.0, 0.0005)),
                double_chance=rng.choice((0.0, 0.001)),
            ),
            has_partitions=rng.random() < 0.5,
            has_crashes=rng.random() < 0.4,
            has_restores=rng.random() < 0.5,
            has_late_node=rng.random() < 0.5,
        )

    @property
    def faulty_weight(self) -> int:
        """Of liars and silent ones together: from them no help is to be expected."""
        return sum(self.weights[place] for place in (*self.liars, *self.silent))

    @property
    def must_go_on(self) -> bool:
        """Whether less than a third of the weight is silent or lies."""
        return 3 * self.faulty_weight < sum(self.weights)


def _take(places: list[int], weights: tuple[int, ...], weight_max: int) -> tuple[int, ...]:
    found: list[int] = []
    for place in places:
        if sum(weights[one] for one in (*found, place)) <= weight_max:
            found.append(place)
    return tuple(sorted(found))


@dataclass(slots=True)
class AttestedOutcome:
    """How a simulation ended."""

    seed: int
    digest: str
    height: int
    final: int
    blocks: int
    reorganisations: int
    votes: int
    lies: int
    attacks: int
    frames: int
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: height {self.height}, final {self.final}, {self.blocks} blocks, {self.reorganisations} "
            f"reorganisations, {self.votes} votes, {self.lies} lies, {self.attacks} attacks, {self.frames} frames, "
            f"digest {self.digest}"
        )


class SecretMiner(FakeNode):
    """Mines where nobody sees it, and shows all at once. It listens to nobody while it hides."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open_network = self.network
        self.is_hidden = False

    def hide(self) -> None:
        """Go on alone, on the branch that it has."""
        self.stop()
        self.network = FakeNetwork(self.timeline, random.Random(0), Weather())
        self.start()
        self.is_hidden = True

    def show(self) -> None:
        """Come back with everything."""
        self.stop()
        self.network = self._open_network
        self.is_hidden = False
        self.start()


class AttestedWorld:
    """A network of nodes and attestors, and fate."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(f"fansumer attested simulation {seed}")
        self.plan = AttestedPlan.draw(self.rng)
        self.has_ambush = seed % 6 == 4
        if self.has_ambush:
            self.plan = replace(self.plan, attack_share=max(self.plan.attack_share, AMBUSH_SHARE))
        self.timeline = Timeline()
        self.network = FakeNetwork(self.timeline, self._branch_rng(), self.plan.weather)
        seeds = [attestor_seed(seed, place) for place in range(len(self.plan.weights))]
        members = [Member(public_key_of(own), weight) for own, weight in zip(seeds, self.plan.weights, strict=True)]
        self.params: Params = sim_params(
            *(person.address for person in EVERYBODY),
            attestors=tuple(sorted(members, key=lambda member: member.key)),
            checkpoint_interval_blocks=INTERVAL,
        )
        self.is_quiet = False
        self.blocks = self.attacks = self.left_at = 0
        self.finals: dict[int, BlockHash] = {0: BlockHash(b"")}
        self.final_seen: dict[str, int] = {}
        self.nodes: list[FakeNode] = [self._make_node(number, FakeNode) for number in range(self.plan.nodes)]
        self.late: Any = None
        self.secret: Any = self._make_node(50, SecretMiner) if self.plan.attack_share else None
        faulty = (*self.plan.liars, *self.plan.silent)
        self.honest = [
            HonestAttestor(own, self.timeline, self._branch_rng(), lambda: self.living, f"attestor {place}")
            for place, own in enumerate(seeds)
            if place not in faulty
        ]
        for attestor in self.honest:
            attestor.switch_chance = ROAMING if seed % 6 == 5 else SETTLED
        self.liars = [LyingAttestor(seeds[place], self._branch_rng(), f"liar {place}") for place in self.plan.liars]

    def _branch_rng(self) -> random.Random:
        return random.Random(self.rng.randbytes(16))

    # --- the beginning ---

    def _make_node(self, number: int, kind: type[FakeNode]) -> Any:
        return kind(
            f"node {number}",
            make_address(f"{number + 20}.{number + 7}.0.1", PORT),
            self.network,
            self.params,
            SkewedClock(self.timeline, self.params.genesis_time + 60, 0.0),
            self._branch_rng(),
            payout=Address(Signer.named(f"miner {number}").address),
            limits=DialLimits(dialled_max=3, taken_max=12, taken_per_host_max=3, has_feelers=False),
        )

    @property
    def living(self) -> list[FakeNode]:
        """The honest nodes that are on."""
        return [node for node in self.nodes if node.is_on]

    def _named(self) -> list[PeerAddress]:
        return [node.address for node in self.nodes]

    def _start(self) -> None:
        for number, node in enumerate(self.nodes):
            node.named = self._named()[:number]
            self.timeline.plan(self.rng.uniform(0, 5), node.start)
        if self.secret is not None:
            self.secret.named = self._named()
            self.timeline.plan(6, self.secret.start)

    # --- what happens again and again ---

    def _again(self, seconds: float, do: Any) -> None:
        def happen() -> None:
            if not self.is_quiet:
                do()
                self._again(seconds, do)

        self.timeline.plan(self.rng.expovariate(1 / seconds), happen)

    def _mine(self) -> None:
        secret = self.secret if self.secret is not None and self.secret.is_hidden else None
        if secret is not None and self.rng.random() < self.plan.attack_share:
            self._mine_at(secret)
            self._lie_at(secret)
        elif self.living:
            self._mine_at(self.rng.choice(self.living))

    def _mine_at(self, node: FakeNode) -> None:
        try:
            block = node.mine()
        except LedgerError as fault:
            self.timeline.note(f"{node.name} cannot mine: {fault.code.name}")
            return
        if block is not None:
            self.blocks += 1
            self.timeline.note(f"{node.name} mines {block.hash.hex()[-8:]} at {node.chain.tip.height}")
        self.check_final()

    def _look(self, attestor: HonestAttestor) -> None:
        """An honest attestor looks for ever."""

        def look() -> None:
            attestor.look()
            self.check_final()
            self._look(attestor)

        self.timeline.plan(self.rng.uniform(0.5, 1.5) * LOOK_SECONDS, look)

    def _lie(self) -> None:
        for liar in self.liars:
            for node in self.living:
                if self.rng.random() < 0.5:
                    liar.vote_at(node)
        self.check_final()

    def _lie_at(self, node: FakeNode) -> None:
        for liar in self.liars:
            liar.vote_at(node)

    def _attack(self) -> None:
        """Begin to mine in secret, or show what was mined."""
        if self.secret is None or not self.secret.is_on:
            return
        if not self.secret.is_hidden:
            self.secret.guarded(self.secret.hide)
            self.timeline.note(f"a secret branch begins at {self.secret.chain.tip.height}")
            return
        self.attacks += 1
        self.timeline.note(f"a secret branch is shown at {self.secret.chain.tip.height}")
        self.secret.guarded(self.secret.show)

    def _ambush(self) -> None:
        """Leave just below a checkpoint; come back with more work when it is justified and nothing above it, so not final."""
        if self.secret is None or not self.secret.is_on or not self.living:
            return
        work, height = max((node.chain.tip.work, node.chain.tip.height) for node in self.living)
        if not self.secret.is_hidden:
            if self.secret.chain.tip.height == height and height % INTERVAL == INTERVAL - 1:
                self._attack()
                self.left_at = height
            return
        justified = max(node.desk.landmarks().active_justified for node in self.living)
        if justified > self.left_at and self.secret.chain.tip.work > work:
            self._attack()

    def _trouble(self) -> None:
        kind = self.rng.choice(("partition", "crash", "restore", "power"))
        plan = self.plan
        if kind == "partition" and plan.has_partitions and not self.network.is_cut:
            for node in self.nodes:
                node.side = self.rng.randrange(2)
            self.timeline.note(f"partition {[node.side for node in self.nodes]}")
            self.network.cut(is_silent=self.rng.random() < 0.5)
            self.timeline.plan(self.rng.uniform(60, 500), self._heal)
        elif kind == "crash" and plan.has_crashes and len(self.living) > 1:
            node = self.rng.choice(self.living)
            self.timeline.note(f"{node.name} crashes")
            node.stop()
            self.timeline.plan(self.rng.uniform(5, 60), lambda: self._start_again(node))
        elif plan.has_restores and self.honest:
            attestor = self.rng.choice(self.honest)
            if kind == "restore":
                attestor.restore()
            elif kind == "power":
                attestor.cut_power()
            attestor.back_up()

    def _start_again(self, node: FakeNode) -> None:
        if not node.is_on:
            node.start()

    def _heal(self) -> None:
        if self.network.is_cut:
            self.timeline.note("the network is whole again")
            self.network.heal()

    # --- what must hold at every moment ---

    def check_final(self) -> None:
        """Hold what each honest node takes for final against what any of them ever did. Raises `Unsafe`."""
        for node in self.living if self.late is None else (*self.living, self.late):
            if not node.is_on:
                continue
            self._check_justified(node)
            final = node.desk.landmarks().final
            if final is None or self.final_seen.get(node.name) == final.height:
                continue
            self.final_seen[node.name] = final.height
            if self.finals.setdefault(final.height, final.hash) != final.hash and final.height:
                raise Unsafe(f"{node.name} has another final block at {final.height}")
            if node.host.hash_at(final.height) == final.hash:
                self._check_ancestors(node, final.height)

    def _check_justified(self, node: FakeNode) -> None:
        found = node.chain.finality.book.justified
        if node.host.hash_at(found.height) != found.hash:
            known = node.host.header(found.hash)
            if known is not None and not known.invalid_code:
                raise Unsafe(f"{node.name} follows a branch without the justified block at {found.height} that it has")

    def _check_ancestors(self, node: FakeNode, height: int) -> None:
        for other, block_hash in self.finals.items():
            if 0 < other <= height and node.host.hash_at(Height(other)) != block_hash:
                raise Unsafe(f"{node.name} has a final block at {height} above another than the final one at {other}")

    def _check_kept(self) -> None:
        """No node follows a branch without a final block that it knew, and no honest attestor lied. Raises `Unsafe`."""
        for node in self.living:
            for height, block_hash in self.finals.items():
                if 0 < height <= self.final_seen.get(node.name, 0) and node.host.hash_at(Height(height)) != block_hash:
                    raise Unsafe(f"{node.name} left the final block at {height}")
        for attestor in self.honest:
            for one, other in itertools.combinations(attestor.signed, 2):
                if conflict(one.vote, other.vote):
                    raise Unsafe(f"{attestor.name} signed two votes that conflict: {one.vote} and {other.vote}")

    # --- the run ---

    def run(self) -> AttestedOutcome:
        """Let it all happen, then see whether all is well. Raises `Unsafe`, `Stuck`, or what a node raised."""
        try:
            self._start()
            self.timeline.run(8)
            self._again(BLOCK_SECONDS_MEAN, self._mine)
            self._again(20, self._lie)
            if self.has_ambush:
                self._again(AMBUSH_SECONDS, self._ambush)
            else:
                self._again(120, self._attack)
            self._again(60, self._trouble)
            for attestor in self.honest:
                self._look(attestor)
            self.timeline.run(self.plan.seconds)
            self._calm_down()
            self._wait()
            self._check_kept()
            return self._outcome()
        finally:
            for node in (*self.nodes, *filter(None, (self.secret, self.late))):
                node.close()

    def _calm_down(self) -> None:
        self.timeline.note("quiet from now on")
        self.is_quiet = True
        self._heal()
        self.network.weather.break_chance = self.network.weather.double_chance = 0.0
        for node in self.nodes:
            self._start_again(node)
        if self.secret is not None and self.secret.is_hidden:
            self.attacks += 1
            self.secret.guarded(self.secret.show)
        if self.plan.has_late_node:
            self.late = self._make_node(70, FakeNode)
            self.late.named = [*self._named()[:1], *([] if self.secret is None else [self.secret.address])]
            self.late.start()

    def _all_nodes(self) -> list[FakeNode]:
        return [*self.nodes, *([] if self.late is None else [self.late])]

    def _wait(self) -> None:
        """Honest miners go on: all come to one tip, and new blocks become final where they must."""
        begun = max(node.chain.tip.height for node in self.nodes)
        deadline = self.timeline.now + QUIET_SECONDS_MAX
        while self.timeline.now < deadline:
            self._mine_at(self.nodes[0])
            self.timeline.run(self.timeline.now + BLOCK_SECONDS_MEAN)
            self.check_final()
            self._check_kept()
            nodes = self._all_nodes()
            tips = {node.chain.tip.hash for node in nodes}
            finals = {node.desk.landmarks().final for node in nodes}
            final = min(node.desk.final_height for node in nodes)
            is_done = not self.plan.must_go_on or final >= begun + FINAL_BLOCKS_WANTED
            if len(tips) == 1 and len(finals) == 1 and is_done and self.nodes[0].chain.tip.height >= begun + INTERVAL:
                self.timeline.note(f"all agree on {self.nodes[0].chain.tip.height}, final {final}")
                return
        shown = {node.name: (node.chain.tip.height, node.desk.final_height) for node in self._all_nodes()}
        raise Stuck(f"(tip, final) {QUIET_SECONDS_MAX} s after the end of all trouble, which was at {begun}: {shown}")

    def _outcome(self) -> AttestedOutcome:
        first = self.nodes[0]
        return AttestedOutcome(
            seed=self.seed,
            digest=self.timeline.digest,
            height=first.chain.tip.height,
            final=first.desk.final_height,
            blocks=self.blocks,
            reorganisations=sum("takes" in note for note in self.timeline.notes),
            votes=sum(len(attestor.signed) for attestor in self.honest),
            lies=sum(liar.lies for liar in self.liars),
            attacks=self.attacks,
            frames=self.network.frames,
            notes=self.timeline.notes,
        )
