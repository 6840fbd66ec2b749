"""Sets, quorums and certificates."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Violation
from ledger.finality.attestors import AttestorSet, all_hold_quorum, sets_needed, voters
from ledger.finality.certificates import (
    BAD_CERTIFICATE_SIGNATURE,
    CERTIFICATE_BYTES_MAX,
    NO_QUORUM,
    WRONG_SIGNERS,
    Certificate,
    make_certificate,
    open_certificate,
    verify_certificate,
)
from ledger.finality.votes import Checkpoint, SignedVote, Vote, sign_vote
from ledger.keys import public_key_of
from ledger.params import ATTESTORS_MAX, Attestor
from ledger.types import BlockHash, ChainId, Height, PrivateSeed, PublicKey
from tests.support.refusal import refused

SEEDS = {public_key_of(seed): seed for seed in (PrivateSeed(bytes([n]) * 32) for n in range(1, 9))}
KEYS = sorted(SEEDS)


def attestor_set(number: int, weights: dict[int, int], *, replaces_silent: bool = False) -> AttestorSet:
    """A set of the keys with these places."""
    members = tuple(Attestor(KEYS[place], weight) for place, weight in sorted(weights.items()))
    return AttestorSet(number, members, replaces_silent)


def vote(number: int = 0, branch: str = "a") -> Vote:
    source = Checkpoint(Height(20), BlockHash(b"s" * 32))
    return Vote(ChainId(b"c" * 32), number, source, Checkpoint(Height(40), BlockHash(branch.encode() * 32)))


def signed_by(places: list[int], number: int = 0) -> list[SignedVote]:
    return [sign_vote(SEEDS[KEYS[place]], KEYS[place], vote(number)) for place in places]


FOUR = attestor_set(0, {0: 1, 1: 1, 2: 1, 3: 1})
THREE = attestor_set(0, {0: 1, 1: 1, 2: 1})


def test_more_than_two_thirds_is_more() -> None:
    assert FOUR.is_quorum(KEYS[:3])
    assert not FOUR.is_quorum(KEYS[:2])
    assert not THREE.is_quorum(KEYS[:2]), "exactly two thirds"
    assert THREE.is_quorum(KEYS[:3])
    assert not THREE.is_quorum([*KEYS[:2], KEYS[7]]), "a stranger weighs nothing"


@given(st.dictionaries(st.integers(0, 7), st.integers(1, 2**32 - 1), min_size=1), st.sets(st.integers(0, 7)))
def test_quorum_is_the_fraction(weights: dict[int, int], places: set[int]) -> None:
    attestors = attestor_set(0, weights)
    found = Fraction(sum(weights.get(place, 0) for place in places), sum(weights.values()))
    assert attestors.is_quorum({KEYS[place] for place in places}) == (found > Fraction(2, 3))
    assert AttestorSet.decode(attestors.encode()) == attestors


def test_a_certificate_is_made_as_soon_as_a_quorum_signed_and_holds_no_more() -> None:
    assert make_certificate(signed_by([0, 1]), (FOUR,)) is None
    assert make_certificate([], (FOUR,)) is None
    certificate = make_certificate(signed_by([3, 1, 0, 2, 7]), (FOUR,))
    assert certificate is not None
    assert len(certificate.signatures) == 3
    verify_certificate(certificate, (FOUR,))
    assert Certificate.decode(certificate.encode()) == certificate


def test_the_heaviest_voters_come_first() -> None:
    heavy = attestor_set(0, {0: 1, 1: 1, 2: 7})
    certificate = make_certificate(signed_by([0, 1, 2]), (heavy,))
    assert certificate is not None
    assert certificate.signers == b"\x04"
    assert [signed.key for signed in open_certificate(certificate, (heavy,))] == [KEYS[2]]


def test_marks_must_fit_the_set() -> None:
    certificate = make_certificate(signed_by([0, 1, 2]), (FOUR,))
    assert certificate is not None
    bad = [
        replace(certificate, signers=b"\x07\x00"),
        replace(certificate, signers=b"\x17"),
        replace(certificate, signers=b"\x13"),
        replace(certificate, signers=b"\x03"),
        replace(certificate, vote=vote(1)),
    ]
    for other in bad:
        with refused(WRONG_SIGNERS, Violation):
            verify_certificate(other, (FOUR,))
    with refused(WRONG_SIGNERS, Violation):
        verify_certificate(certificate, (replace(FOUR, number=1),))


def test_a_quorum_must_have_signed() -> None:
    two = Certificate(vote(), b"\x03", tuple(signed.signature for signed in signed_by([0, 1])))
    with refused(NO_QUORUM, Violation):
        verify_certificate(two, (FOUR,))
    with refused(NO_QUORUM, Violation):
        verify_certificate(two, (THREE,))


def test_a_wrong_signature_is_found() -> None:
    certificate = make_certificate(signed_by([0, 1, 2]), (FOUR,))
    assert certificate is not None
    first, second, third = certificate.signatures
    with refused(BAD_CERTIFICATE_SIGNATURE, Violation):
        verify_certificate(replace(certificate, signatures=(second, first, third)), (FOUR,))
    with refused(BAD_CERTIFICATE_SIGNATURE, Violation):
        verify_certificate(replace(certificate, vote=vote(0, "b")), (FOUR,))


def test_the_first_link_across_needs_both_sets() -> None:
    old, new = FOUR, attestor_set(1, {2: 1, 3: 1, 4: 1, 5: 1})
    needed = sets_needed(old, new)
    assert needed == (old, new)
    assert voters(needed) == tuple(KEYS[:6])
    assert make_certificate(signed_by([2, 3, 4, 5], 1), needed) is None, "the new set alone"
    assert make_certificate(signed_by([0, 1, 2, 3], 1), needed) is None, "the old set alone"
    certificate = make_certificate(signed_by([1, 2, 3, 4], 1), needed)
    assert certificate is not None
    verify_certificate(certificate, needed)
    assert all_hold_quorum(needed, KEYS[1:5])
    assert sets_needed(new, new) == (new,)


def test_a_set_in_the_place_of_a_silent_one_needs_nobody_else() -> None:
    new = attestor_set(1, {4: 1}, replaces_silent=True)
    assert sets_needed(FOUR, new) == (new,)
    second = replace(new, number=2)
    assert sets_needed(FOUR, second) == (second,), "also where the set before it never justified anything"


def test_a_link_crosses_one_change() -> None:
    with pytest.raises(AssertionError):
        sets_needed(FOUR, attestor_set(2, {0: 1}))
    with pytest.raises(AssertionError):
        sets_needed(attestor_set(2, {0: 1}), FOUR)


@settings(max_examples=30)
@given(
    st.dictionaries(st.integers(0, 7), st.integers(1, 9), min_size=1),
    st.dictionaries(st.integers(0, 7), st.integers(1, 9), min_size=1),
    st.sets(st.integers(0, 7)),
)
def test_certificates_of_overlapping_sets(old: dict[int, int], new: dict[int, int], places: set[int]) -> None:
    needed = sets_needed(attestor_set(0, old), attestor_set(1, new))
    keys: set[PublicKey] = {KEYS[place] for place in places}
    certificate = make_certificate(signed_by(sorted(places), 1), needed)
    assert (certificate is not None) == all_hold_quorum(needed, keys)
    if certificate is not None:
        verify_certificate(certificate, needed)


def test_the_largest_certificate_fits() -> None:
    largest = Certificate(
        replace(vote(2**32 - 1), target=Checkpoint(Height(2**32 - 1), BlockHash(bytes(32)))),
        bytes(2 * ATTESTORS_MAX // 8),
        tuple(signed.signature for signed in signed_by([0])) * (2 * ATTESTORS_MAX),
    )
    assert len(largest.encode()) <= CERTIFICATE_BYTES_MAX
    assert Certificate.decode(largest.encode()) == largest
