"""Coming and going: one connection to each node, places, bans, silence, feelers, addresses."""

from collections.abc import Iterator

import pytest

from ledger.types import BlockHash, ChainId, PrivateSeed
from node.p2p import connection
from node.p2p.address import make_address
from node.p2p.connection import Purpose
from node.p2p.dialling import DialLimits
from node.p2p.handshake import Handshake, Identity
from node.p2p.messages import Addresses, GetAddresses, GetHeaders, Headers, Hello, Ping, Pong, encode_message
from tests.simulation.fake_node import FakeNode
from tests.simulation.quiet import Puppet, Quiet


@pytest.fixture
def two() -> Iterator[Quiet]:
    made = Quiet(2)
    yield made
    made.close()


def hello_only(node: FakeNode) -> bytes:
    """The frame of somebody who says hello and proves nothing."""
    identity = Identity(PrivateSeed(b"h" * 32), node.chain.chain_id)
    return encode_message(Handshake(identity, bytes(32), is_dialled=True).hello())


def ready(node: FakeNode) -> list[tuple[str, Purpose]]:
    return sorted((str(peer.address), peer.purpose) for peer in node.peers.ready)


def test_two_that_dial_each_other_keep_the_same_connection(two: Quiet) -> None:
    two.start((0, 1), (1, 0))
    two.wait(60)
    for node in two.nodes:
        assert len(node.peers.ready) == 1
    purposes = {node.peers.ready[0].purpose for node in two.nodes}
    assert purposes == {Purpose.NAMED, Purpose.TAKEN}


def test_a_second_connection_of_one_key_is_refused(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    first, second = two.puppet(node, seed=b"s" * 32), two.puppet(node, seed=b"s" * 32)
    assert (first.goodbye, second.goodbye) == (None, "p2p.duplicate")
    assert len(node.peers.ready) == 1


def test_a_node_that_dials_itself_leaves_and_does_not_try_again(two: Quiet) -> None:
    node = two.nodes[0]
    node.named.append(node.address)
    two.start()
    two.wait(120)
    assert node.peers.connections == {}
    assert node.address not in node.peers.dialler.named


def test_a_named_peer_is_dialled_until_it_is_there(two: Quiet) -> None:
    one, other = two.nodes
    one.named.append(other.address)
    one.start()
    two.wait(100)
    other.start()
    two.wait(70)
    assert ready(one) == [(str(other.address), Purpose.NAMED)]
    other.stop()
    other.start()
    two.wait(70)
    assert ready(one) == [(str(other.address), Purpose.NAMED)]


def test_a_node_of_another_chain_is_left_with_the_reason(two: Quiet) -> None:
    two.start()
    puppet = Puppet(two.network, two.nodes[0], make_address("99.1.0.1", 1))
    puppet._identity = Identity(PrivateSeed(b"x" * 32), ChainId(b"other chain, other chain, other!"))
    two.network.dial(puppet, 1, two.nodes[0].address, lambda: True)
    two.wait(2)
    assert puppet.goodbye == "p2p.other_chain"


def test_who_says_nothing_or_too_much_before_the_handshake_is_left(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    silent = Puppet(two.network, node, make_address("99.1.0.1", 1), opening=hello_only(node))
    two.network.dial(silent, 1, node.address, lambda: True)
    two.wait(connection.HANDSHAKE_SECONDS + 5)
    assert silent.goodbye == "p2p.handshake_late"
    loud = Puppet(two.network, node, make_address("99.2.0.1", 1), opening=bytes(1_025))
    two.network.dial(loud, 1, node.address, lambda: True)
    two.wait(2)
    assert node.peers.scores.ban_of(loud.address, node.clock.now()) is not None


@pytest.mark.parametrize("message", [GetHeaders((BlockHash(b"x" * 32),)), Ping(bytes(8))], ids=["headers", "ping"])
def test_nothing_but_the_handshake_is_heard_before_it_is_done(two: Quiet, message: Ping | GetHeaders) -> None:
    two.start()
    node = two.nodes[0]
    early = Puppet(two.network, node, make_address("99.1.0.1", 1), opening=encode_message(message))
    two.network.dial(early, 1, node.address, lambda: True)
    two.wait(2)
    assert all(isinstance(found, Hello) for found in early.heard)
    assert 19 < node.peers.scores.points(early.address, two.timeline.now) <= 20
    two.wait(connection.HANDSHAKE_SECONDS + 5)
    assert early.goodbye == "p2p.handshake_late"
    assert node.peers.scores.ban_of(early.address, node.clock.now()) is None, "a slow line may be to blame"


def test_who_never_shakes_hands_is_banned_in_the_end(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    for number in range(1, 7):
        early = Puppet(two.network, node, make_address("99.1.0.1", number), opening=encode_message(Ping(bytes(8))))
        two.network.dial(early, number, node.address, lambda: True)
        two.wait(2)
    assert node.peers.scores.ban_of(make_address("99.1.0.1", 1), node.clock.now()) is not None


def test_a_banned_host_is_refused_until_the_ban_ends(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    puppet = two.puppet(node)
    puppet.say_bytes(b"garbage")
    two.wait(1)
    assert puppet.goodbye == "p2p.banned" and node.peers.connections == {}
    two.network.dial(puppet, 2, node.address, lambda: True)
    two.wait(2)
    assert node.peers.connections == {}
    two.wait(24 * 3_600)
    two.network.dial(puppet, 3, node.address, lambda: True)
    two.wait(2)
    assert len(node.peers.ready) == 1


def test_what_comes_too_often_is_dropped_and_counted(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    puppet = two.puppet(node)
    for number in range(12):
        puppet.say(Ping(bytes([number] * 8)))
    two.wait(1)
    assert len(puppet.all_heard(Pong)) == 10
    assert 19 < node.peers.scores.points(puppet.address, two.timeline.now) <= 20
    two.wait(4)
    puppet.say(Ping(bytes(8)))
    two.wait(1)
    assert len(puppet.all_heard(Pong)) == 11


def test_a_quiet_peer_is_asked_and_a_dead_one_is_left(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    alive, dead = two.puppet(node), two.puppet(node)
    for _ in range(10):
        two.wait(25)
        for ping in alive.all_heard(Ping):
            alive.say(Pong(ping.nonce))
        alive.say(Headers(True, b"")) if alive.all_heard(GetHeaders) else None
        alive.heard.clear()
    assert [peer.address for peer in node.peers.ready] == [alive.address]
    assert dead.goodbye == "p2p.silent"
    assert two.connection(node, alive.address).ping_seconds is not None


def test_who_does_not_take_what_is_sent_is_left(two: Quiet, monkeypatch: pytest.MonkeyPatch) -> None:
    two.start()
    node = two.nodes[0]
    puppet = two.puppet(node)
    monkeypatch.setattr(node.peers._effects.transport, "unsent_bytes", lambda link: connection.UNSENT_BYTES_MAX)
    two.wait(connection.SLOW_SECONDS - 5)
    assert puppet.goodbye is None
    two.wait(10)
    assert puppet.goodbye == "p2p.slow"


def test_places_are_limited_by_host_and_in_all() -> None:
    quiet = Quiet(1, limits=DialLimits(dialled_max=0, taken_max=10, taken_per_host_max=2, has_feelers=False))
    quiet.start()
    node = quiet.nodes[0]
    one_host = []
    for number in range(3):
        puppet = Puppet(quiet.network, node, make_address("99.1.0.1", number + 1), seed=bytes([200 + number]) * 32)
        quiet.network.dial(puppet, 1, node.address, lambda: True)
        quiet.wait(1)
        one_host.append(puppet)
    assert [puppet.goodbye for puppet in one_host] == [None, None, "p2p.full"]
    others = [quiet.puppet(node) for _ in range(12)]
    left = [puppet for puppet in (*one_host[:2], *others) if puppet.goodbye == "p2p.full"]
    assert len(left) == 4 and len(node.peers.ready) == 10
    assert all(puppet.goodbye is None for puppet in one_host[:2]), "the oldest are safe"
    quiet.close()


def test_nodes_find_each_other_through_one_that_knows_both() -> None:
    quiet = Quiet(5, limits=DialLimits(dialled_max=3, taken_max=8, has_feelers=True))
    quiet.start((1, 0), (2, 0), (3, 0), (4, 0))
    quiet.wait(400)
    for node in quiet.nodes:
        assert len(node.peers.ready) >= 3, node.name
        groups = [peer.address.group for peer in node.peers.ready if peer.purpose is Purpose.DIALLED]
        assert len(groups) == len(set(groups))
        assert all(peer.address != node.address for peer in node.peers.ready)
    quiet.close()


def test_many_addresses_that_nobody_asked_for_cost_points(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    puppet = two.puppet(node)
    some = tuple((bytes([50 + number, 1, 0, 1]), 80, int(node.clock.now())) for number in range(11))
    puppet.say(Addresses(some[:10]))
    two.wait(1)
    assert len(node.peers.book) >= 8
    assert node.peers.scores.points(puppet.address, two.timeline.now) == 0
    puppet.say(Addresses(some))
    two.wait(1)
    assert node.peers.scores.points(puppet.address, two.timeline.now) > 19


def test_addresses_are_told_to_who_dialled_and_only_once(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    for number in range(40):
        node.peers.book.learn(
            make_address(f"{50 + number}.1.0.1", 80), two.nodes[1].address, node.clock.now(), node.clock.now()
        )
    puppet = two.puppet(node)
    puppet.say(GetAddresses())
    puppet.say(GetAddresses())
    two.wait(1)
    (answer,) = puppet.all_heard(Addresses)
    assert 1 <= len(answer.addresses) <= 10
    assert node.peers.scores.points(puppet.address, two.timeline.now) > 9


def test_a_hello_after_the_handshake_is_an_offence_and_nothing_else(two: Quiet) -> None:
    two.start()
    node = two.nodes[0]
    puppet = two.puppet(node)
    hello = Handshake(puppet._identity, bytes(32), is_dialled=True).hello()
    assert isinstance(hello, Hello)
    puppet.say(hello)
    two.wait(1)
    assert puppet.goodbye is None and len(node.peers.connections) > 0, "the line may have doubled it"
    assert 19 < node.peers.scores.points(puppet.address, two.timeline.now) <= 20
    for _ in range(5):
        puppet.say(hello)
    two.wait(1)
    assert puppet.goodbye == "p2p.banned"
