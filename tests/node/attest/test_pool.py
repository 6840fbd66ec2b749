"""Votes as a node hears them: what each is judged to be, what is kept, and what follows."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Malformed, Violation
from ledger.finality.attestors import AttestorSet
from ledger.finality.certificates import Certificate, verify_certificate
from ledger.finality.votes import BAD_LINK, Evidence, SignedVote, Vote, conflict, sign_vote, verify_evidence
from ledger.keys import public_key_of
from ledger.params import Attestor
from ledger.types import ChainId, Height, PrivateSeed
from node.attest import pool as pool_module
from node.attest.pool import BAD_EVIDENCE, BAD_VOTE_SIGNATURE, OTHER_CHAIN, Verdict, VotePool
from tests.node.attest.power import CHAIN, INTERVAL, link
from tests.support.refusal import refused

SEEDS = {public_key_of(seed): seed for seed in (PrivateSeed(bytes([number]) * 32) for number in range(1, 9))}
KEYS = sorted(SEEDS)
FOUR = AttestorSet(0, tuple(Attestor(key, 1) for key in KEYS[:4]))
NEXT = AttestorSet(1, tuple(Attestor(key, 1) for key in KEYS[2:6]))


def sets_of(vote: Vote) -> tuple[AttestorSet, ...] | None:
    return {0: (FOUR,), 1: (FOUR, NEXT)}.get(vote.set_number)


def sign(place: int, vote: Vote) -> SignedVote:
    return sign_vote(SEEDS[KEYS[place]], KEYS[place], vote)


@pytest.fixture
def pool() -> VotePool:
    found = VotePool(CHAIN, INTERVAL, sets_of)
    found.note(final=Height(100), tip=Height(150))
    return found


def test_a_vote_is_kept_once(pool: VotePool) -> None:
    vote = sign(0, link(100, 120))
    assert pool.take_vote(vote) == (Verdict.NEW, None)
    assert pool.take_vote(vote) == (Verdict.KNOWN, None)
    assert list(pool.votes()) == list(pool.votes_of(KEYS[0])) == pool.votes_for(vote.vote) == [vote]


def test_a_forged_vote_is_refused_and_not_kept(pool: VotePool) -> None:
    vote = sign(0, link(100, 120))
    for forged in (replace(vote, key=KEYS[1]), replace(vote, vote=link(100, 120, "b")), replace(vote, vote=link(80, 90))):
        with refused(BAD_VOTE_SIGNATURE, Violation):
            pool.take_vote(forged)
    assert len(pool) == 0


def test_a_replayed_vote_of_another_chain_is_refused(pool: VotePool) -> None:
    with refused(OTHER_CHAIN, Violation, expected=CHAIN):
        pool.take_vote(sign(0, link(100, 120, chain=ChainId(b"d" * 32))))


def test_a_link_that_is_none_is_refused(pool: VotePool) -> None:
    with refused(BAD_LINK, Malformed):
        pool.take_vote(sign(0, link(120, 120)))


@pytest.mark.parametrize(
    ("place", "vote", "verdict"),
    [
        (4, link(100, 120), Verdict.FOREIGN),
        (7, link(100, 120, number=1), Verdict.FOREIGN),
        (4, link(100, 120, number=1), Verdict.NEW),
        (0, link(100, 120, number=1), Verdict.NEW),
        (0, link(100, 120, number=2), Verdict.LATER),
        (0, link(100, 190), Verdict.NEW),
        (0, link(100, 191), Verdict.LATER),
        (0, link(80, 100), Verdict.KNOWN),
        (0, link(40, 60), Verdict.KNOWN),
        (0, link(40, 59), Verdict.PAST),
    ],
)
def test_what_it_is_judged_to_be(pool: VotePool, place: int, vote: Vote, verdict: Verdict) -> None:
    assert pool.take_vote(sign(place, vote)) == (verdict, None)
    assert len(pool) == (verdict is Verdict.NEW)


def test_two_votes_that_conflict_are_evidence(pool: VotePool) -> None:
    pool.take_vote(sign(0, link(120, 140)))
    for lie in (link(120, 140, "b"), link(100, 160)):
        fresh = VotePool(CHAIN, INTERVAL, sets_of)
        fresh.note(final=Height(100), tip=Height(150))
        fresh.take_vote(sign(0, link(120, 140)))
        verdict, evidence = fresh.take_vote(sign(0, lie))
        assert verdict is Verdict.NEW
        assert isinstance(evidence, Evidence)
        assert verify_evidence(evidence)
        assert fresh.evidence() == (evidence,)
        assert fresh.take_vote(sign(0, link(120, 180))) == (Verdict.KNOWN, None), "a liar's further votes are not kept"
        assert set(fresh.votes_of(KEYS[0])) == {sign(0, link(120, 140)), sign(0, lie)}
        assert pool.take_evidence(evidence) in (Verdict.NEW, Verdict.KNOWN)
    pool.settle(KEYS[0])
    assert pool.evidence() == ()


def test_evidence_is_judged(pool: VotePool) -> None:
    def evidence(place: int, one: Vote, other: Vote) -> Evidence:
        first, second = sign(place, one), sign(place, other)
        return Evidence(KEYS[place], one, first.signature, other, second.signature)

    with refused(BAD_EVIDENCE, Violation):
        pool.take_evidence(evidence(0, link(100, 120), link(120, 140)))
    forged = replace(evidence(0, link(100, 120), link(100, 120, "b")), key=KEYS[1])
    with refused(BAD_EVIDENCE, Violation):
        pool.take_evidence(forged)
    other = ChainId(b"d" * 32)
    with refused(BAD_EVIDENCE, Violation):
        pool.take_evidence(evidence(0, link(100, 120, chain=other), link(100, 120, "b", chain=other)))
    assert pool.take_evidence(evidence(7, link(100, 120), link(100, 120, "b"))) is Verdict.FOREIGN
    unknown = evidence(7, link(100, 120, number=9), link(100, 120, "b", number=9))
    assert pool.take_evidence(unknown) is Verdict.LATER
    assert pool.take_evidence(evidence(0, link(20, 40), link(20, 40, "b"))) is Verdict.NEW
    assert pool.take_evidence(evidence(0, link(20, 60), link(20, 60, "b"))) is Verdict.KNOWN


def test_a_quorum_makes_one_certificate(pool: VotePool) -> None:
    found = [pool.take_vote(sign(place, link(100, 120)))[1] for place in range(4)]
    certificates = [one for one in found if isinstance(one, Certificate)]
    assert found[:2] == [None, None]
    assert len(certificates) == 1
    verify_certificate(certificates[0], (FOUR,))


def test_votes_for_different_blocks_make_none(pool: VotePool) -> None:
    for place, branch in enumerate("aabb"):
        assert pool.take_vote(sign(place, link(100, 120, branch))) == (Verdict.NEW, None)


def test_across_a_change_both_sets_are_needed(pool: VotePool) -> None:
    found = [pool.take_vote(sign(place, link(100, 120, number=1)))[1] for place in (2, 3, 4, 5, 0)]
    assert found[:4] == [None] * 4
    assert isinstance(found[4], Certificate)


def test_the_same_link_with_another_set_counts_once(pool: VotePool) -> None:
    pool.take_vote(sign(2, link(100, 120)))
    assert pool.take_vote(sign(2, link(100, 120, number=1))) == (Verdict.KNOWN, None)


def test_certificates_are_made_when_the_sets_become_known() -> None:
    needed: list[tuple[AttestorSet, ...]] = [(FOUR, NEXT)]
    pool = VotePool(CHAIN, INTERVAL, lambda _: needed[0])
    for place in range(3):
        assert pool.take_vote(sign(place, link(0, 20)))[1] is None
    needed[0] = (FOUR,)
    (certificate,) = pool.certify_again()
    verify_certificate(certificate, (FOUR,))
    assert list(pool.certify_again()) == []


def test_what_is_final_is_forgotten(pool: VotePool) -> None:
    pool.take_vote(sign(0, link(100, 120)))
    pool.take_vote(sign(1, link(100, 140)))
    pool.note(final=Height(120), tip=Height(150))
    assert [vote.vote.target.height for vote in pool.votes()] == [140]
    pool.note(final=Height(100), tip=Height(150))
    assert pool.final_height == 120, "it does not go back"


def test_memory_is_bounded_by_keys_and_heights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "HEIGHTS_MAX", 5)
    monkeypatch.setattr(pool_module, "LIARS_MAX", 1)
    pool = VotePool(CHAIN, 1, sets_of)
    pool.note(final=Height(0), tip=Height(50))
    for place, height in itertools.product(range(2), range(1, 20)):
        pool.take_vote(sign(place, link(0, height)))
    assert len(pool) == 10
    pool.take_vote(sign(0, link(0, 19, "b")))
    assert pool.take_vote(sign(1, link(0, 19, "b")))[0] is Verdict.LATER
    assert len(pool.evidence()) == 1
    assert len(pool) == 10


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(1, 6), st.sampled_from("ab"), st.integers(0, 2)),
        max_size=40,
    )
)
def test_whatever_comes_it_stays_within_bounds(said: list[tuple[int, int, int, str, int]]) -> None:
    pool = VotePool(CHAIN, 1, sets_of)
    pool.note(final=Height(2), tip=Height(8))
    for place, source, length, branch, number in said:
        _, follows = pool.take_vote(sign(place, link(source, source + length, branch, number=number)))
        if isinstance(follows, Certificate):
            verify_certificate(follows, sets_of(follows.vote) or ())
        if isinstance(follows, Evidence):
            assert verify_evidence(follows)
    for key in KEYS[:6]:
        kept = [signed.vote for signed in pool.votes() if signed.key == key]
        assert len({vote.target.height for vote in kept}) == len(kept)
        assert not any(conflict(one, other) for one, other in itertools.combinations(kept, 2))
