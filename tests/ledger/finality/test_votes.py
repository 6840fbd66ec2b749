"""Votes: bytes, signatures, and which two of them prove a lie."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Malformed
from ledger.finality.votes import (
    BAD_LINK,
    Checkpoint,
    Evidence,
    SignedVote,
    Vote,
    conflict,
    make_evidence,
    sign_vote,
    verify_evidence,
    verify_vote,
)
from ledger.keys import public_key_of
from ledger.types import BlockHash, ChainId, Height, PrivateSeed
from tests.support.refusal import refused

CHAIN = ChainId(b"c" * 32)
SEED = PrivateSeed(b"a" * 32)
KEY = public_key_of(SEED)


def checkpoint(height: int, branch: str = "a") -> Checkpoint:
    return Checkpoint(Height(height), BlockHash(branch.encode() * 32))


def vote(source: int, target: int, branch: str = "a", *, chain: ChainId = CHAIN, number: int = 0) -> Vote:
    return Vote(chain, number, checkpoint(source), checkpoint(target, branch))


votes = st.builds(
    lambda source, length, branch, number: vote(source, source + length, branch, number=number),
    st.integers(0, 5),
    st.integers(1, 5),
    st.sampled_from("ab"),
    st.integers(0, 1),
)


@given(votes)
def test_bytes_go_round(one: Vote) -> None:
    signed = sign_vote(SEED, KEY, one)
    assert Vote.decode(one.encode()) == one
    assert SignedVote.decode(signed.encode()) == signed
    assert verify_vote(signed)


def test_a_signature_is_for_one_chain_one_set_and_one_link() -> None:
    signed = sign_vote(SEED, KEY, vote(20, 40))
    for other in (
        vote(20, 40, chain=ChainId(b"d" * 32)),
        vote(20, 40, number=1),
        vote(0, 40),
        vote(20, 60),
        vote(20, 40, "b"),
    ):
        assert not verify_vote(replace(signed, vote=other))
    assert not verify_vote(replace(signed, key=public_key_of(PrivateSeed(b"b" * 32))))


@pytest.mark.parametrize(("source", "target"), [(20, 20), (40, 20)])
def test_a_target_is_above_its_source(source: int, target: int) -> None:
    bad = vote(source, target)
    signed = sign_vote(SEED, KEY, bad)
    with refused(BAD_LINK, Malformed):
        Vote.decode(bad.encode())
    with refused(BAD_LINK, Malformed):
        SignedVote.decode(signed.encode())
    evidence = Evidence(KEY, vote(0, 20), signed.signature, bad, signed.signature)
    with refused(BAD_LINK, Malformed):
        Evidence.decode(evidence.encode())


@pytest.mark.parametrize(
    ("one", "other", "lies"),
    [
        (vote(20, 40), vote(20, 40), False),
        (vote(20, 40), vote(20, 40, number=1), False),
        (vote(20, 40), vote(20, 40, "b"), True),
        (vote(20, 40), vote(0, 40), True),
        (vote(20, 40), vote(40, 60), False),
        (vote(20, 40), vote(20, 60), False),
        (vote(20, 40), vote(0, 60), True),
        (vote(20, 40), vote(0, 60, chain=ChainId(b"d" * 32)), False),
        (vote(0, 20), vote(40, 60), False),
    ],
)
def test_two_links_to_one_height_or_one_around_the_other_are_a_lie(one: Vote, other: Vote, lies: bool) -> None:
    assert conflict(one, other) is lies
    assert conflict(other, one) is lies
    evidence = make_evidence(sign_vote(SEED, KEY, one), sign_vote(SEED, KEY, other))
    assert (evidence is not None) is lies
    if evidence is not None:
        assert Evidence.decode(evidence.encode()) == evidence
        assert verify_evidence(evidence)


@given(votes, votes)
def test_conflict_is_what_the_two_slashing_conditions_say(one: Vote, other: Vote) -> None:
    """Casper FFG (Buterin, Griffith 2017), commandments I and II, written out."""
    same_height = one.target.height == other.target.height
    double = same_height and (one.source, one.target) != (other.source, other.target)
    around = one.source.height < other.source.height and other.target.height < one.target.height
    within = other.source.height < one.source.height and one.target.height < other.target.height
    assert conflict(one, other) == (double or around or within)


def test_evidence_is_of_one_key_that_signed_both() -> None:
    one, other = sign_vote(SEED, KEY, vote(20, 40)), sign_vote(SEED, KEY, vote(20, 40, "b"))
    stranger = PrivateSeed(b"b" * 32)
    assert make_evidence(one, sign_vote(stranger, public_key_of(stranger), other.vote)) is None
    evidence = make_evidence(one, other)
    assert evidence is not None
    assert not verify_evidence(replace(evidence, key=public_key_of(stranger)))
    assert not verify_evidence(replace(evidence, second_signature=evidence.first_signature))
    assert not verify_evidence(replace(evidence, second=one.vote, second_signature=one.signature))
