"""Who is there: every way in which a handshake ends."""

from dataclasses import replace

import pytest

from ledger.types import ChainId, PrivateSeed, PublicKey, Signature
from node.errors import NodeError
from node.p2p.handshake import Handshake, Identity
from node.p2p.messages import Hello, Ping, Proof

CHAIN = ChainId(b"c" * 32)
ALICE = Identity(PrivateSeed(b"a" * 32), CHAIN, 8_790, "alice")
BOB = Identity(PrivateSeed(b"b" * 32), CHAIN, 0, "bob")
EVE = Identity(PrivateSeed(b"e" * 32), CHAIN)


def pair(one: Identity = ALICE, other: Identity = BOB) -> tuple[Handshake, Handshake]:
    """The side that dials, and the other."""
    return Handshake(one, b"1" * 32, is_dialled=True), Handshake(other, b"2" * 32, is_dialled=False)


def proof_of(side: Handshake, hello: Hello) -> Proof:
    found = side.receive(hello)
    assert found is not None
    return found


def test_both_sides_know_each_other_afterwards() -> None:
    alice, bob = pair()
    proof, answer = proof_of(alice, bob.hello()), proof_of(bob, alice.hello())
    assert not alice.is_done
    assert alice.receive(answer) is None
    assert bob.receive(proof) is None
    assert alice.is_done and bob.is_done
    assert alice.theirs is not None and alice.theirs.node_key == BOB.key
    assert bob.theirs is not None and bob.theirs.listen_port == 8_790


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 9, "version_min": 2}, "p2p.version"),
        ({"version": 1, "version_min": 2}, "p2p.version"),
        ({"chain_id": ChainId(b"d" * 32)}, "p2p.other_chain"),
        ({"node_key": ALICE.key}, "p2p.self"),
        ({"node_key": PublicKey(bytes(32))}, "p2p.key"),
        ({"node_key": PublicKey(b"\xff" * 32)}, "p2p.key"),
    ],
)
def test_a_hello_that_does_not_fit_is_refused(changes: dict[str, object], code: str) -> None:
    alice, bob = pair()
    with pytest.raises(NodeError) as refused:
        alice.receive(replace(bob.hello(), **changes))
    assert refused.value.code.name == code


def test_a_newer_peer_that_speaks_the_old_version_still_is_welcome() -> None:
    alice, bob = pair()
    assert alice.receive(replace(bob.hello(), version=7)) is not None


def test_faults_come_in_the_order_of_the_spec() -> None:
    alice, bob = pair()
    wrong = replace(bob.hello(), version_min=2, version=3, chain_id=ChainId(b"d" * 32), node_key=ALICE.key)
    for changes, code in (
        ({}, "p2p.version"),
        ({"version_min": 1}, "p2p.other_chain"),
        ({"version_min": 1, "chain_id": CHAIN}, "p2p.self"),
    ):
        with pytest.raises(NodeError) as refused:
            alice.receive(replace(wrong, **changes))
        assert refused.value.code.name == code


def test_a_proof_of_another_key_is_refused() -> None:
    alice, _ = pair()
    eve = Handshake(EVE, b"3" * 32, is_dialled=False)
    alice.receive(replace(eve.hello(), node_key=BOB.key))  # Eve says that she is Bob
    with pytest.raises(NodeError, match=r"p2p\.proof"):
        alice.receive(proof_of(eve, alice.hello()))
    assert not alice.is_done


def test_a_proof_is_good_for_one_connection_only() -> None:
    alice, bob = pair()
    old = proof_of(bob, alice.hello())
    again = Handshake(ALICE, b"4" * 32, is_dialled=True)
    again.receive(bob.hello())
    with pytest.raises(NodeError, match=r"p2p\.proof"):
        again.receive(old)


def test_a_proof_cannot_be_turned_round() -> None:
    """What Bob signs where he was dialled is no proof where he dials."""
    alice, bob = pair()
    proof = proof_of(bob, alice.hello())
    taking = Handshake(ALICE, b"1" * 32, is_dialled=False)
    taking.receive(bob.hello())
    with pytest.raises(NodeError, match=r"p2p\.proof"):
        taking.receive(proof)


def test_messages_have_one_order() -> None:
    alice, bob = pair()
    for early in (Proof(Signature(bytes(64))), Ping(bytes(8))):
        with pytest.raises(NodeError, match=r"p2p\.place"):
            alice.receive(early)
    alice.receive(bob.hello())
    with pytest.raises(NodeError, match=r"p2p\.place"):
        alice.receive(bob.hello())
    alice.receive(proof_of(bob, alice.hello()))
    with pytest.raises(NodeError, match=r"p2p\.place"):
        alice.receive(Proof(Signature(bytes(64))))
