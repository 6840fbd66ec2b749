"""Votes, certificates and evidence between nodes: they reach everybody; what is wrong costs its sender points, and no memory."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.finality.attestors import AttestorSet
from ledger.finality.certificates import Certificate, make_certificate
from ledger.finality.votes import Checkpoint, Evidence, SignedVote, Vote, make_evidence, sign_vote
from ledger.types import BlockHash, ChainId, Height
from node.p2p import votes as votes_module
from node.p2p.messages import Certificates, GetCertificates, GetHeaders, Lies, Message, Votes
from node.p2p.scores import GRAVE, LATE, UNASKED
from tests.simulation.fake_node import FakeNode
from tests.simulation.quiet import Puppet, Quiet
from tests.support.attested import KEYS, SEEDS, attested_params, attestors

MEMBERS = (0, 1, 2, 3)
ACTIVE_SET = AttestorSet(0, attestors(*MEMBERS))


@pytest.fixture
def net() -> Iterator[Quiet]:
    """Three nodes in a row, on a chain with four attestors and checkpoints at 4, 8, 12, ..."""
    made = Quiet(3, params=attested_params(*MEMBERS))
    made.start((1, 0), (2, 1))
    made.mine(made.nodes[0], 15)
    made.wait(30)
    yield made
    made.close()


def at(node: FakeNode, height: int) -> Checkpoint:
    found = node.host.hash_at(Height(height))
    assert found is not None
    return Checkpoint(Height(height), found)


def sign(node: FakeNode, place: int, start: int, end: int, **changes: object) -> SignedVote:
    vote = replace(Vote(node.chain.chain_id, 0, at(node, start), at(node, end)), **changes)
    return sign_vote(SEEDS[KEYS[place]], KEYS[place], vote)


def certify(node: FakeNode, source: int, target: int) -> Certificate:
    votes = [sign(node, place, source, target) for place in MEMBERS]
    made = make_certificate(votes, (ACTIVE_SET,))
    assert made is not None
    return made


def lie(node: FakeNode, place: int) -> tuple[SignedVote, SignedVote, Evidence]:
    one = sign(node, place, 0, 4)
    other = sign(node, place, 0, 4, target=Checkpoint(Height(4), BlockHash(b"x" * 32)))
    evidence = make_evidence(one, other)
    assert evidence is not None
    return one, other, evidence


def points(net: Quiet, puppet: Puppet) -> float:
    return net.nodes[0].peers.scores.points(puppet.address, net.timeline.now)


def test_a_vote_reaches_everybody(net: Quiet) -> None:
    vote = sign(net.nodes[0], 0, 0, 4)
    net.nodes[0].desk.submit(vote)
    net.nodes[0].work()
    net.wait(5)
    assert all(node.desk.votes_of(KEYS[0]) == (vote,) for node in net.nodes)


def test_votes_of_a_quorum_justify_and_finalise_everywhere(net: Quiet) -> None:
    for source, target in ((0, 4), (4, 8)):
        for place in MEMBERS[:3]:
            net.nodes[place].desk.submit(sign(net.nodes[0], place, source, target))
            net.nodes[place].work()
        net.wait(5)
    for node in net.nodes:
        marks = node.desk.landmarks()
        assert marks.final == at(node, 4)
        assert marks.active_justified == 8
    net.mine(net.nodes[2], 1)
    net.wait(10)
    assert net.nodes[0].chain.tip.height == 16


def test_evidence_reaches_everybody_and_the_next_block(net: Quiet) -> None:
    one, other, evidence = lie(net.nodes[0], 0)
    net.nodes[0].desk.submit(one)
    net.nodes[0].desk.submit(other)
    net.nodes[0].work()
    net.wait(5)
    assert all(set(node.desk.votes_of(KEYS[0])) == {one, other} for node in net.nodes)
    net.mine(net.nodes[2], 1)
    net.wait(10)
    block = net.nodes[2].chain.block_at(Height(16))
    assert block is not None
    kinds = [transaction.kind.name for transaction in net.nodes[2].chain._read_transactions(block.hash)]
    assert "finality.evidence" in kinds
    assert net.nodes[0].desk.take_evidence(evidence).name == "KNOWN"


def test_a_new_peer_is_told_what_is_open(net: Quiet) -> None:
    node = net.nodes[0]
    vote = sign(node, 0, 0, 4)
    _, _, evidence = lie(node, 1)
    node.desk.submit(vote)
    node.desk.take_evidence(evidence)
    puppet = net.puppet(node)
    net.wait(3)
    assert [raw for message in puppet.all_heard(Votes) for raw in message.votes] == [vote.encode()]
    assert [raw for message in puppet.all_heard(Lies) for raw in message.evidence] == [evidence.encode()]


def test_a_node_asks_for_certificates_before_headers(net: Quiet) -> None:
    puppet = net.puppet(net.nodes[0])
    asked = [type(message) for message in puppet.heard if isinstance(message, GetCertificates | GetHeaders)]
    assert asked[:2] == [GetCertificates, GetHeaders]


def test_certificates_are_served_above_a_height(net: Quiet) -> None:
    node = net.nodes[0]
    made = [certify(node, 0, 4), certify(node, 4, 8), certify(node, 8, 12)]
    for certificate in made:
        node.desk.take_certificate(certificate)
    puppet = net.puppet(node)
    puppet.say(GetCertificates(Height(4)))
    net.wait(2)
    (answer,) = [message for message in puppet.all_heard(Certificates) if message.is_answer]
    assert [Certificate.decode(raw).vote.target.height for raw in answer.certificates] == [8, 12]


def wrong_messages(node: FakeNode) -> dict[str, tuple[Message, int]]:
    """What a peer may say wrongly, and what it costs."""
    vote, certificate = sign(node, 0, 0, 4), certify(node, 0, 4)
    _, _, evidence = lie(node, 1)
    foreign_set = AttestorSet(0, attestors(4, 5, 6, 7))
    foreign = [sign_vote(SEEDS[KEYS[place]], KEYS[place], certificate.vote) for place in (4, 5, 6, 7)]
    other_chain = replace(vote.vote, chain_id=ChainId(b"d" * 32))
    stranger = make_evidence(
        sign(node, 7, 0, 4), sign(node, 7, 0, 4, target=Checkpoint(Height(4), BlockHash(b"x" * 32)))
    )
    of_others = make_certificate(foreign, (foreign_set,))
    assert of_others is not None
    assert stranger is not None
    return {
        "garbage": (Votes((b"garbage",)), GRAVE),
        "forged vote": (Votes((replace(vote, key=KEYS[1]).encode(),)), GRAVE),
        "vote of another chain": (Votes((sign_vote(SEEDS[KEYS[0]], KEYS[0], other_chain).encode(),)), GRAVE),
        "foreign vote": (Votes((sign(node, 7, 0, 4).encode(),)), UNASKED),
        "certificate of another set": (Certificates(False, (of_others.encode(),)), GRAVE),
        "certificate without a quorum": (
            Certificates(
                False, (replace(certificate, signers=b"\x01", signatures=certificate.signatures[:1]).encode(),)
            ),
            GRAVE,
        ),
        "certificate with a wrong signature": (
            Certificates(False, (replace(certificate, signatures=certificate.signatures[::-1]).encode(),)),
            GRAVE,
        ),
        "certificates unasked": (Certificates(True, (certificate.encode(),) * 2), 0),
        "no certificates": (Certificates(False, ()), LATE),
        "forged evidence": (Lies((replace(evidence, key=KEYS[2]).encode(),)), GRAVE),
        "evidence of a stranger": (Lies((stranger.encode(),)), UNASKED),
    }


@pytest.mark.parametrize(
    "name",
    [
        "garbage",
        "forged vote",
        "vote of another chain",
        "foreign vote",
        "certificate of another set",
        "certificate without a quorum",
        "certificate with a wrong signature",
        "no certificates",
        "forged evidence",
        "evidence of a stranger",
    ],
)
def test_what_is_wrong_costs_its_sender_and_takes_no_memory(net: Quiet, name: str) -> None:
    node = net.nodes[0]
    message, cost = wrong_messages(node)[name]
    puppet = net.puppet(node)
    puppet.say(Certificates(True, ()))
    puppet.say(message)
    net.wait(2)
    if cost == GRAVE:
        assert puppet.goodbye == "p2p.banned"
    else:
        assert points(net, puppet) == pytest.approx(cost, abs=0.2)
    assert node.desk.standing() == []
    assert node.desk.final_height == 0
    assert node.desk.landmarks().active_justified == 0
    net.wait(5)
    assert net.nodes[1].desk.standing() == [], "it is not passed on"


def test_an_answer_that_nobody_asked_for_costs(net: Quiet) -> None:
    puppet = net.puppet(net.nodes[0])
    puppet.say(Certificates(True, ()))
    puppet.say(Certificates(True, ()))
    net.wait(2)
    assert points(net, puppet) == pytest.approx(UNASKED, abs=0.2)


def test_the_same_vote_again_costs_and_from_another_peer_nothing(net: Quiet) -> None:
    node = net.nodes[0]
    vote = sign(node, 0, 0, 4)
    one, other = net.puppet(node), net.puppet(node)
    one.say(Votes((vote.encode(),)))
    net.wait(2)
    other.say(Votes((vote.encode(),)))
    net.wait(2)
    assert points(net, one) == points(net, other) == 0
    other.say(Votes((vote.encode(),)))
    net.wait(2)
    assert points(net, other) == pytest.approx(LATE, abs=0.2)


def test_what_is_long_final_costs_little(net: Quiet) -> None:
    node = net.nodes[0]
    net.mine(node, 10)
    for source in range(0, 20, 4):
        node.desk.take_certificate(certify(node, source, source + 4))
    assert node.desk.final_height == 16
    puppet = net.puppet(node)
    old = sign(node, 3, 0, 4)
    puppet.say(Votes((old.encode(),)))
    net.wait(2)
    assert points(net, puppet) == pytest.approx(1, abs=0.2)
    assert old not in node.desk.votes_of(KEYS[3])


def test_a_chain_without_attestors_knows_none_of_it() -> None:
    net = Quiet(1)
    net.start()
    puppet = net.puppet(net.nodes[0])
    assert not puppet.all_heard(GetCertificates)
    puppet.say(GetCertificates(Height(0)))
    net.wait(2)
    assert puppet.goodbye == "p2p.banned"
    net.close()


def test_who_does_not_answer_is_blamed_and_asked_again(net: Quiet) -> None:
    puppet = net.puppet(net.nodes[0])
    net.wait(votes_module.ANSWER_SECONDS + votes_module.ASK_AGAIN_SECONDS + 5)
    assert len(puppet.all_heard(GetCertificates)) == 2
    assert points(net, puppet) > 0


def test_a_late_node_follows_certificates_against_more_work(net: Quiet) -> None:
    """Somebody with most of the hash power shows it a longer chain first: certificates come before work."""
    node = net.nodes[0]
    liar = net._make(9)
    liar.start()
    net.mine(liar, 40)
    for source in (0, 4, 8):
        node.desk.take_certificate(certify(node, source, source + 4))
    late = net._make(10)
    late.named = [liar.address]
    late.start()
    net.wait(60)
    assert late.chain.tip.hash == liar.chain.tip.hash
    late.peers.dialler.name(node.address)
    net.wait(90)
    assert late.chain.tip.hash == node.chain.tip.hash
    assert late.desk.landmarks().final == at(node, 8)
    net.mine(liar, 5)
    net.wait(60)
    assert late.chain.tip.hash == node.chain.tip.hash, "no work brings it back"
    for made in (late, liar):
        made.close()
