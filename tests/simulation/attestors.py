"""Attestors of a simulation: honest ones with a record on a disk of their own, and those who vote for whatever does harm."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ledger.errors import Violation
from ledger.finality.votes import Checkpoint, SignedVote, Vote, sign_vote
from ledger.keys import public_key_of
from ledger.types import Height, PrivateSeed, PublicKey
from node.attest.attestor import KEY_IN_USE, Attestor, Sight
from node.attest.record import SigningRecord, make_record
from node.errors import NodeError
from tests.node.attest.power import PowerCut, PowerDisk
from tests.simulation.events import Timeline
from tests.simulation.fake_node import FakeNode

LOOK_SECONDS = 6.0
SETTLED, ROAMING = 0.02, 0.3
"""How probably an attestor goes to another node at a look."""
BACKUPS_MAX = 8


def attestor_seed(world_seed: int, place: int) -> PrivateSeed:
    """The key of one attestor of one simulation."""
    return PrivateSeed(random.Random(f"attestor {world_seed} {place}").randbytes(32))


def see(node: FakeNode, key: PublicKey) -> Sight:
    """What a node shows to an attestor."""
    return node.desk.sight(key)


def hand_over(node: FakeNode, signed: SignedVote) -> None:
    """Give a node a vote, as over HTTP; what it refuses is its own affair."""

    def take() -> None:
        with suppress(Violation):
            node.desk.submit(signed)

    node.guarded(take)
    node.work()


class HonestAttestor:
    """Asks a node, keeps to its record, is stopped, restored and moved to another node now and then."""

    def __init__(
        self, seed: PrivateSeed, timeline: Timeline, rng: random.Random, living: Callable[[], list[FakeNode]], name: str
    ) -> None:
        self.seed, self.key, self.name = seed, public_key_of(seed), name
        self.switch_chance = SETTLED
        self._timeline, self._rng, self._living = timeline, rng, living
        self._disk = PowerDisk(rng)
        make_record(self._disk, self.key)
        self._backups: list[bytes | None] = [self._disk.kept]
        self._attestor: Attestor | None = None
        self._node: FakeNode | None = None
        self.signed: list[SignedVote] = []
        self.starts = 0

    def look(self) -> None:
        """Look at its node and vote, if it may."""
        node = self._choose_node()
        if node is None:
            return
        if self._attestor is None:
            self.starts += 1
            self._attestor = Attestor(self.seed, SigningRecord(self._disk, self.key), node.chain.chain_id)
        sight = node.guarded(lambda: see(node, self.key))
        if sight is None:
            return
        try:
            made = self._attestor.look(sight)
        except PowerCut:
            self._timeline.note(f"{self.name} loses its power")
            self.restart()
            return
        except NodeError as fault:
            if fault.code is not KEY_IN_USE:
                raise AssertionError(f"{self.name} ended: {fault}") from fault
            self._timeline.note(f"{self.name} takes itself for another one, and starts again")
            self.restart()
            return
        if made is not None:
            if made not in self.signed:
                self.signed.append(made)
                vote = made.vote
                self._timeline.note(
                    f"{self.name} votes {vote.source.height} -> {vote.target.height} {vote.target.hash.hex()[-8:]}"
                )
            hand_over(node, made)

    def _choose_node(self) -> FakeNode | None:
        living = self._living()
        if self._node not in living or self._rng.random() < self.switch_chance:
            self._node = self._rng.choice(living) if living else None
        return self._node

    def restart(self) -> None:
        """Stop, and start at the next look."""
        self._disk.start_again()
        self._attestor = None

    def cut_power(self) -> None:
        """Lose the power within the next write."""
        self._disk.steps_left = self._rng.randrange(3)

    def back_up(self) -> None:
        """Keep a copy of the record."""
        self._backups = [*self._backups[-BACKUPS_MAX:], self._disk.kept]

    def restore(self) -> None:
        """An old record takes the place of the present one."""
        self._timeline.note(f"{self.name} is restored from a backup")
        self.restart()
        self._disk.kept = self._rng.choice(self._backups)


class LyingAttestor:
    """Votes at every node for what that node would like to hear, around its own votes, and for what nobody else sees."""

    def __init__(self, seed: PrivateSeed, rng: random.Random, name: str) -> None:
        self.seed, self.key, self.name = seed, public_key_of(seed), name
        self._rng = rng
        self.lies = 0

    def vote_at(self, node: FakeNode) -> None:
        """The vote that helps a node's branch most, or one that lies around others."""
        sight = node.guarded(lambda: see(node, self.key))
        if sight is None or sight.target.height <= sight.source.height:
            return
        vote = Vote(sight.chain_id, sight.set_number, sight.source, sight.target)
        if self._rng.random() < 0.1:
            low = node.guarded(lambda: _checkpoint_at(node, Height(0)))
            if low is not None:
                vote = Vote(sight.chain_id, sight.set_number, low, sight.target)
        self.lies += 1
        hand_over(node, sign_vote(self.seed, self.key, vote))


def _checkpoint_at(node: FakeNode, height: Height) -> Checkpoint | None:
    found: Any = node.host.hash_at(height)
    return None if found is None else Checkpoint(height, found)
