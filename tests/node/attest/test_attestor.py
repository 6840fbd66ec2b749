"""An attestor: it listens first, votes as its node's chain goes, and stops when somebody else uses its key."""

import itertools
import random
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ledger.finality.votes import Checkpoint, SignedVote, conflict, sign_vote
from ledger.keys import public_key_of
from ledger.types import ChainId, Height, PrivateSeed
from node.attest.attestor import KEY_IN_USE, KEY_LIED, OTHER_CHAIN, Attestor, Phase, Sight
from node.attest.record import SigningRecord, make_record
from node.errors import NodeError
from tests.node.attest.power import CHAIN, INTERVAL, KEY, SEED, PowerCut, PowerDisk, checkpoint, link
from tests.support.refusal import refused


def sight(tip: int, source: int = 0, branch: str = "a", **options: object) -> Sight:
    """What a node shows when its tip is so high; the target is the checkpoint at or below it."""
    target = checkpoint(tip // INTERVAL * INTERVAL, branch)
    return replace(Sight(CHAIN, INTERVAL, Height(tip), True, checkpoint(source), target, 0, True), **options)


@pytest.fixture
def disk() -> PowerDisk:
    found = PowerDisk(random.Random(1))
    make_record(found, KEY)
    return found


def start(disk: PowerDisk) -> Attestor:
    return Attestor(SEED, SigningRecord(disk, KEY), CHAIN)


@pytest.mark.parametrize(("begin", "first"), [(0, 40), (19, 40), (20, 60), (39, 60)])
def test_it_listens_for_a_full_interval(disk: PowerDisk, begin: int, first: int) -> None:
    attestor = start(disk)
    for tip in range(begin, first):
        assert attestor.look(sight(tip)) is None
        assert attestor.phase is Phase.LISTENING
    vote = attestor.look(sight(first))
    assert vote is not None
    assert vote.vote == link(0, first)
    assert attestor.phase is Phase.ATTESTING


def test_it_begins_to_listen_when_the_node_is_up_to_date(disk: PowerDisk) -> None:
    attestor = start(disk)
    for tip in range(100):
        assert attestor.look(sight(tip, is_fresh=False)) is None
        assert attestor.phase is Phase.WAITING
    assert attestor.look(sight(100)) is None
    assert attestor.first_target == 140
    assert attestor.look(sight(140, is_fresh=False)) is None
    assert attestor.look(sight(140)) is not None


def test_it_votes_once_for_each_checkpoint_and_again_only_where_the_vote_was_lost(disk: PowerDisk) -> None:
    attestor = start(disk)
    attestor.look(sight(0))
    first = attestor.look(sight(40))
    assert first is not None
    assert attestor.look(sight(41)) == first, "the node does not know it"
    assert attestor.look(sight(42, own_votes=(first,))) is None
    assert attestor.look(sight(43, branch="b")) == first, "of a height there is one vote"
    assert attestor.look(sight(44, source=20)) == first
    assert attestor.look(sight(59, source=40)) is None, "it is justified"
    second = attestor.look(sight(60, source=40))
    assert second is not None
    assert second.vote == link(40, 60)
    assert attestor.look(sight(80, source=20)) is None, "the source may not go down"


def test_a_stranger_says_nothing(disk: PowerDisk) -> None:
    attestor = start(disk)
    attestor.look(sight(0))
    assert attestor.look(sight(40, is_member=False)) is None
    assert attestor.phase is Phase.STRANGER


def test_another_chain_is_the_end(disk: PowerDisk) -> None:
    with refused(OTHER_CHAIN, NodeError):
        start(disk).look(sight(0, chain_id=ChainId(b"d" * 32)))


def test_a_restored_record_learns_what_it_forgot(disk: PowerDisk) -> None:
    """From a backup of before height 60: the vote for 80 is on the chain, so nothing at or below 80 is signed again."""
    old = sign_vote(SEED, KEY, link(40, 80))
    attestor = start(disk)
    assert attestor.look(sight(85, own_votes=(old,))) is None
    assert SigningRecord(disk, KEY).signed(CHAIN).target_floor == 80
    assert attestor.look(sight(119, source=60, own_votes=(old,))) is None
    vote = attestor.look(sight(120, source=60, own_votes=(old,)))
    assert vote is not None
    assert not conflict(vote.vote, old.vote)


def test_somebody_else_with_the_key_is_found_while_it_listens(disk: PowerDisk) -> None:
    attestor = start(disk)
    attestor.look(sight(25))
    other = sign_vote(SEED, KEY, link(0, 40, "b"))
    with refused(KEY_IN_USE, NodeError, target=40):
        attestor.look(sight(41, own_votes=(other,)))
    assert SigningRecord(disk, KEY).signed(CHAIN).target_floor == 40


def test_somebody_else_with_the_key_is_found_later(disk: PowerDisk) -> None:
    attestor = start(disk)
    attestor.look(sight(0))
    attestor.look(sight(40))
    with refused(KEY_IN_USE, NodeError, target=60):
        attestor.look(sight(60, own_votes=(sign_vote(SEED, KEY, link(0, 60)),)))


def test_a_key_that_lied_is_told_so(disk: PowerDisk) -> None:
    attestor = start(disk)
    attestor.look(sight(0))
    attestor.look(sight(40))
    with refused(KEY_LIED, NodeError, one=40, other=40):
        attestor.look(sight(41, own_votes=(sign_vote(SEED, KEY, link(0, 40, "b")),)))


def test_what_a_node_makes_up_is_not_believed(disk: PowerDisk) -> None:
    attestor = start(disk)
    attestor.look(sight(0))
    stranger = PrivateSeed(b"s" * 32)
    made_up: tuple[SignedVote, ...] = (
        replace(sign_vote(stranger, public_key_of(stranger), link(0, 40)), key=KEY),
        sign_vote(stranger, public_key_of(stranger), link(0, 40)),
        sign_vote(SEED, KEY, link(0, 40, chain=ChainId(b"d" * 32))),
    )
    attestor.look(sight(39, own_votes=made_up))
    assert attestor.look(sight(40, own_votes=made_up)) is not None


class Life(RuleBasedStateMachine):
    """A chain that forks, checkpoints that become justified, an attestor that is stopped, cut off, restored and moved.

    Its votes may get lost: nobody shows them to it, and yet they may come up some day. What it assumes is what ATT-3 says: one
    attestor at a time, its node is up to date, and what is justified stays so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rng = random.Random(5)
        self.disk = PowerDisk(self.rng)
        make_record(self.disk, KEY)
        self.attestor = start(self.disk)
        self.tip, self.branch, self.source = 0, "a", checkpoint(0)
        self.backups: list[bytes] = [self.disk.kept or b""]
        self.signed: list[SignedVote] = []
        self.public: list[SignedVote] = []

    def sight(self) -> Sight:
        target: Checkpoint = checkpoint(self.tip // INTERVAL * INTERVAL, self.branch)
        own = tuple(self.public[-8:])
        return Sight(CHAIN, INTERVAL, Height(self.tip), True, self.source, target, 0, True, own)

    @rule(blocks=st.integers(1, 25), branch=st.sampled_from("aaab"))
    def mine(self, blocks: int, branch: str) -> None:
        self.tip += blocks
        self.branch = branch

    @rule(blocks=st.integers(1, 5))
    def reorganise(self, blocks: int) -> None:
        self.branch = "c"
        self.tip = max(self.tip - blocks, self.source.height + 1, self.tip // INTERVAL * INTERVAL)

    @rule(back=st.integers(0, 2))
    def justify(self, back: int) -> None:
        height = (self.tip // INTERVAL - back) * INTERVAL
        if height > self.source.height:
            self.source = checkpoint(height, self.branch)

    @rule(is_lost=st.booleans())
    def look(self, is_lost: bool) -> None:
        made = self.attestor.look(self.sight())
        if made is not None:
            self.signed.append(made)
            if not is_lost:
                self.public.append(made)

    @rule(steps=st.integers(0, 3))
    def lose_power(self, steps: int) -> None:
        self.disk.steps_left = steps
        with suppress(PowerCut):
            self.look(is_lost=True)
        self.start_again()

    @rule()
    def start_again(self) -> None:
        self.disk.start_again()
        self.attestor = start(self.disk)

    @rule()
    def back_up(self) -> None:
        self.backups.append(self.disk.kept or b"")

    @precondition(lambda self: len(self.backups) > 1)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """An old record comes back, here or on another machine; the attestor before is gone."""
        self.disk.start_again()
        self.disk.kept = data.draw(st.sampled_from(self.backups))
        self.attestor = start(self.disk)

    @invariant()
    def it_never_lies(self) -> None:
        for one, other in itertools.combinations(self.signed, 2):
            assert not conflict(one.vote, other.vote), f"{one.vote} and {other.vote}"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40)


def test_a_life_without_listening_would_lie() -> None:
    """What the state machine above would find: a restored record alone does not know of the vote that was lost."""
    life = Life()
    life.attestor.first_target = life.attestor.begun_at = Height(1)
    life.back_up()
    life.mine(45, "a")
    life.look(is_lost=True)
    life.disk.kept = life.backups[0]
    life.attestor = start(life.disk)
    life.attestor.first_target = life.attestor.begun_at = Height(1)
    life.mine(1, "b")
    life.look(is_lost=True)
    with pytest.raises(AssertionError, match="Vote"):
        life.it_never_lies()
