"""How far a node is behind: while headers are measured, bodies fetched, a snapshot awaited; and who can't make it believe so."""

from collections.abc import Iterator

import pytest

from ledger.types import BlockHash
from node.p2p.messages import GetHeaders, Headers, Missing
from node.sync import bodies, headers
from node.sync.lag import describe_lag
from tests.simulation.fake_node import FakeNode
from tests.simulation.quiet import Quiet
from tests.simulation.state_nodes import BEGINNER, FULL, QuietStates


def lag(node: FakeNode) -> str:
    peers = node.peers
    return describe_lag(node.chain.tip.height, peers.states, peers.headers, peers.bodies)


@pytest.fixture
def two() -> Iterator[Quiet]:
    made = Quiet(2)
    yield made
    made.close()


def seen(quiet: Quiet, node: FakeNode, seconds: float = 20) -> set[str]:
    """What it said about itself, look by look, until it had come to node 0."""
    found: set[str] = set()
    while node.chain.tip.hash != quiet.nodes[0].chain.tip.hash:
        quiet.wait(0.02)
        found.add(lag(node).partition(" above")[0].partition(" blocks")[0])
        seconds -= 0.02
        assert seconds > 0, "it never comes"
    quiet.wait(5)
    return found


def test_while_headers_and_bodies_come(two: Quiet) -> None:
    two.nodes[0].start()
    two.mine(two.nodes[0], 40)
    two.nodes[1].named.append(two.nodes[0].address)
    two.nodes[1].start()
    assert "headers" in (found := seen(two, two.nodes[1])) and "40" in found
    assert [lag(node) for node in two.nodes] == ["", ""]
    two.mine(two.nodes[0])
    two.wait(0.03)
    assert lag(two.nodes[1]) == "", "one block less is nothing"


def test_while_headers_are_measured(two: Quiet, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (headers, bodies):
        monkeypatch.setattr(module, "HEADERS_PER_ANSWER", 10, raising=False)
    monkeypatch.setattr("node.p2p.host.HEADERS_PER_ANSWER", 10)
    two.nodes[0].start()
    two.mine(two.nodes[0], 45)
    two.nodes[1].named.append(two.nodes[0].address)
    two.nodes[1].start()
    two.nodes[1].peers.headers._minimum_work = two.nodes[0].chain.tip.work
    found = seen(two, two.nodes[1])
    assert "headers" in found and lag(two.nodes[1]) == ""


def test_who_was_not_dialled_can_show_what_it_likes(two: Quiet) -> None:
    node = two.nodes[0]
    node.start()
    two.mine(node, 3)
    puppet = two.puppet(node)
    two.wait(2)
    assert puppet.all_heard(GetHeaders) and lag(node) == "", "it never answers, and nobody waits for it"


def test_blocks_that_nobody_sends_do_not_count(two: Quiet) -> None:
    node, other = two.nodes
    node.start()
    other.start()
    made = two.mine(other, 6)
    puppet = two.puppet(node)
    raw = b"".join(block.header.encode() for block in made)
    puppet.say(Headers(False, raw))
    two.wait(1)
    assert lag(node) == "6 blocks to come above block 0"
    hashes = tuple(BlockHash(block.hash) for block in made)
    puppet.say(Missing(0, hashes))
    two.wait(1)
    assert node.peers.bodies.missing == 6 and lag(node) == ""


def test_while_the_state_is_fetched_with_which_it_begins() -> None:
    world = QuietStates(FULL, BEGINNER)
    try:
        node = world.nodes[1]
        world.nodes[0].start()
        node.start()
        world.wait(3)
        assert lag(node) == "headers"
        world.wait(200)
        assert lag(node) == "headers", "there is nobody who could say that there is no snapshot"
    finally:
        world.close()
