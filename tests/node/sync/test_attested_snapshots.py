"""Beginning with a snapshot on a chain with attestors: what is final, justified and known of sets, before and after the history."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.finality.set_attestors import SetAttestors, choice_hash
from ledger.domains.finality.state import FINALITY_KEY, Finality
from ledger.finality.votes import Checkpoint, Vote, sign_vote
from ledger.params import Params
from ledger.types import BlockHash, Height
from node.finality import book as finality_book
from node.p2p import messages, votes
from node.store import extent
from node.store.finality import FinalityStore
from tests.node.stored_chain import read_tables
from tests.simulation.people import EVERYBODY
from tests.simulation.state_nodes import BEGINNER, FULL, Kind, QuietStates, StateNode
from tests.support.attested import INTERVAL, KEYS, SEEDS, attestors, sign_all
from tests.support.memory_chain import sim_params

BLOCKS, SNAPSHOT = 95, 80
SETS = ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (3, 4, 5, 6), (4, 5, 6, 7))
CHANGES = {10: 0, 24: 1, 38: 2, 52: 3}
"""At these heights the set with this number chooses the next one."""
PATIENT = 200


def params() -> Params:
    """Four attestors, a checkpoint every four blocks."""
    return sim_params(
        *(person.address for person in EVERYBODY), attestors=attestors(*SETS[0]), checkpoint_interval_blocks=INTERVAL
    )


def vote(node: StateNode, *places: int) -> None:
    """Let attestors vote at a node for what they see there."""
    for place in places:
        sight = node.desk.sight(KEYS[place])
        if sight.is_member and sight.target.height > sight.source.height:
            found = Vote(sight.chain_id, sight.set_number, sight.source, sight.target)
            node.desk.submit(sign_vote(SEEDS[KEYS[place]], KEYS[place], found))
    node.work()


def change(world: QuietStates, number: int) -> None:
    """The set with this number chooses the next one."""
    node, members = world.nodes[0], attestors(*SETS[number + 1])
    approvals = sign_all(choice_hash(node.chain.chain_id, number, members), SETS[number])
    payload = SetAttestors(number, members, approvals)
    node.submit(world.people.sign(node.chain.tip.height + 1, "finality.set_attestors", payload, EVERYBODY[0]).raw)


def grow(world: QuietStates, blocks: int, *, voting: bool = True) -> None:
    """Node 0 mines so many blocks, and attestors vote at it."""
    node = world.nodes[0]
    for _ in range(blocks):
        if node.chain.tip.height in CHANGES:
            change(world, CHANGES[node.chain.tip.height])
        world.mine(node)
        if voting:
            vote(node, *range(8))
        world.wait(1.2)


def until(world: QuietStates, is_so: Any, seconds: int = PATIENT) -> None:
    for _ in range(seconds):
        if is_so():
            return
        world.wait(1)
    raise AssertionError("it did not come about")


def join(world: QuietStates, kind: Kind = BEGINNER) -> StateNode:
    node = world.add(kind)
    node.named.extend(other.address for other in world.nodes[:2])
    node.start()
    return node


def is_whole(world: QuietStates, node: StateNode) -> bool:
    return node.chain.tip.hash == world.nodes[0].chain.tip.hash and node.chain.extent.has_all


def book(node: StateNode) -> Any:
    return node.chain.finality.book


def record(node: StateNode) -> Finality:
    stored = node.chain.state.stored(FINALITY_KEY)
    assert stored is not None
    return stored.record


def kept(node: StateNode) -> Any:
    """What its store keeps of finality."""
    with node.engine.connect() as connection:
        store = FinalityStore(connection)
        return store.all_justified(), store.sets(), store.certificates_from(Height(0), 1_000)


@pytest.fixture(scope="module")
def attested() -> Iterator[QuietStates]:
    """Two whole nodes with 95 blocks, of which they have a snapshot, four changes of the set, and final blocks up to the end."""
    made = QuietStates(FULL, FULL, params=params())
    made.nodes[1].named.append(made.nodes[0].address)
    made.start()
    grow(made, BLOCKS)
    until(made, lambda: made.nodes[1].chain.tip.height == BLOCKS)
    made.wait(5)
    assert [found.height for found in made.nodes[1].shelf.whole()] == [SNAPSHOT, 60]
    assert record(made.nodes[0]).number == 4
    assert book(made.nodes[1]).final.height == 88
    yield made
    made.close()


@pytest.fixture
def world(attested: QuietStates) -> Iterator[QuietStates]:
    whole = list(attested.nodes)
    yield attested
    for node in attested.nodes[len(whole) :]:
        if node.is_on:
            node.stop()
        node.close()
    attested.nodes[:] = whole


def test_it_knows_what_is_final_as_soon_as_it_has_begun_and_all_of_it_afterwards(world: QuietStates) -> None:
    one = world.nodes[0]
    node = join(world)
    until(world, lambda: node.chain.tip.height > 0)
    assert not node.chain.extent.is_verified
    until(world, lambda: node.chain.tip.hash == one.chain.tip.hash)
    assert book(node).final == book(one).final and book(node).justified == book(one).justified
    until(world, lambda: is_whole(world, node))
    assert read_tables(node.engine) == read_tables(one.engine)
    assert kept(node) == kept(one)


def test_it_knows_it_before_a_single_old_block_was_verified_and_after_a_restart(world: QuietStates) -> None:
    one = world.nodes[0]
    node = join(world)
    node.peers.states.history.work = lambda: False  # type: ignore[method-assign] - a test's own
    until(world, lambda: node.chain.tip.hash == one.chain.tip.hash)
    assert not node.chain.extent.is_verified
    assert (book(node).final, book(node).justified) == (book(one).final, book(one).justified)
    assert [found.number for found in kept(node)[1]] == [0, 3, 4], "of the others nothing is known yet"
    node.stop()
    node.start()
    assert (book(node).final, book(node).justified) == (book(one).final, book(one).justified)
    assert node.desk.sight(KEYS[4]).source == book(one).justified.checkpoint
    until(world, lambda: is_whole(world, node))
    assert kept(node) == kept(one)


def test_what_attestors_say_afterwards_counts_here(world: QuietStates) -> None:
    one = world.nodes[0]
    node = join(world)
    until(world, lambda: is_whole(world, node))
    before = book(node).final.height
    grow(world, 2 * INTERVAL)
    until(world, lambda: node.chain.tip.hash == one.chain.tip.hash)
    assert book(node).final == book(one).final and book(node).final.height > before


def checkpoint(world: QuietStates, height: int) -> Checkpoint:
    return Checkpoint(Height(height), world.nodes[0].chain.header_at(Height(height)).hash)


@pytest.mark.parametrize("height", [40, SNAPSHOT, 88])
def test_a_trusted_checkpoint_of_the_chain_lets_it_begin(world: QuietStates, height: int) -> None:
    node = join(world, replace(BEGINNER, trusted=checkpoint(world, height)))
    until(world, lambda: is_whole(world, node))
    assert node.peers.states.fetching.outcome == f"from a snapshot of block {SNAPSHOT}"
    assert book(node).final == book(world.nodes[0]).final
    assert node.chain.finality.pinned == checkpoint(world, height)


@pytest.mark.parametrize("height", [40, 88, 200])
def test_a_chain_without_the_trusted_checkpoint_is_not_begun(world: QuietStates, height: int) -> None:
    node = join(world, replace(BEGINNER, trusted=Checkpoint(Height(height), BlockHash(b"x" * 32))))
    world.wait(30)
    assert node.peers.states.is_beginning and node.peers.states.fetching._target is None
    until(world, lambda: not node.peers.states.is_beginning)
    assert node.peers.states.fetching.outcome == "in full: nobody offers a snapshot that is deep enough"
    world.wait(30)
    assert node.chain.tip.height < height, "nor is it followed to that height and beyond"


def test_more_work_without_the_attestors_is_not_what_it_begins_with(world: QuietStates) -> None:
    """A chain from genesis with more blocks, and snapshots of its own: certificates come before work."""
    other = QuietStates(FULL, params=params())
    for node in other.nodes:
        node.start()
        for _ in range(150):
            other.mine(node)
            other.wait(1)
    attacker = world.add(FULL)
    attacker.start()
    for height in range(1, 151):
        attacker.chain.accept_block(other.nodes[0].chain.block_at(Height(height)))
    world.wait(10)
    assert attacker.shelf.whole()[0].height > SNAPSHOT and attacker.chain.tip.work > world.nodes[0].chain.tip.work
    node = world.add(BEGINNER)
    node.named.extend(found.address for found in (attacker, *world.nodes[:2]))
    node.start()
    until(world, lambda: node.chain.tip.height > 0)
    assert node.chain.extent.floor == SNAPSHOT
    until(world, lambda: is_whole(world, node))
    assert node.chain.tip.hash == world.nodes[0].chain.tip.hash
    other.close()


@pytest.mark.parametrize("kind", [FULL, BEGINNER])
def test_more_certificates_than_can_wait_are_asked_for_again_and_nobody_is_blamed(
    world: QuietStates, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finality_book, "WAITING_CERTIFICATES_MAX", 2)
    monkeypatch.setattr(messages, "CERTIFICATES_PER_MESSAGE", 4)
    monkeypatch.setattr(votes, "CERTIFICATES_PER_MESSAGE", 4)
    node = join(world, kind)
    blamed: list[str] = []
    node.peers._blame = lambda peer, points, reason: blamed.append(reason)  # type: ignore[method-assign] - a test's own
    until(world, lambda: is_whole(world, node))
    assert blamed == []
    assert book(node).final == book(world.nodes[0]).final


# --- certificates that go ---


def heights(node: StateNode) -> list[int]:
    """Of the targets of the certificates that it keeps."""
    return [found.vote.target.height for found in kept(node)[2]]


@pytest.fixture
def pruned(world: QuietStates, monkeypatch: pytest.MonkeyPatch) -> StateNode:
    """A node that prunes, and keeps certificates of three intervals more."""
    monkeypatch.setattr(extent, "CERTIFICATES_KEPT_INTERVALS", 3)
    node = join(world, Kind(keep_blocks=12))
    until(world, lambda: node.chain.tip.hash == world.nodes[0].chain.tip.hash)
    world.wait(5)
    return node


def test_who_prunes_lets_old_certificates_go_and_who_keeps_all_does_not(world: QuietStates, pruned: StateNode) -> None:
    one = world.nodes[0]
    assert heights(one)[0] == INTERVAL
    low = pruned.chain.extent.floor - 3 * INTERVAL
    assert heights(pruned) == [height for height in heights(one) if height >= low] != heights(one)
    assert book(pruned).final == book(one).final
    pruned.stop()
    pruned.start()
    assert (book(pruned).final, book(pruned).justified) == (book(one).final, book(one).justified)


def test_who_starts_with_a_recent_trusted_checkpoint_needs_none_of_those_that_went(
    world: QuietStates, pruned: StateNode
) -> None:
    trusted = heights(pruned)[0]
    node = join(world, replace(BEGINNER, trusted=checkpoint(world, trusted)))
    until(world, lambda: is_whole(world, node))
    assert book(node).final == book(world.nodes[0]).final


def test_who_needs_more_than_is_kept_blames_nobody_and_is_not_misled(world: QuietStates, pruned: StateNode) -> None:
    node = world.add(FULL)
    node.named.append(pruned.address)
    node.start()
    blamed: list[str] = []
    node.peers._blame = lambda peer, points, reason: blamed.append(reason)  # type: ignore[method-assign] - a test's own
    world.wait(40)
    assert max(node.desk.landmarks().justified.values()) == 0 and blamed == []
