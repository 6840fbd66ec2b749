"""The book of finality: what follows from votes and certificates, in whatever order they come."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.domains.finality.state import Justified
from ledger.errors import Malformed, Violation
from ledger.finality.attestors import AttestorSet
from ledger.finality.certificates import (
    BAD_CERTIFICATE_SIGNATURE,
    NO_QUORUM,
    WRONG_SIGNERS,
    Certificate,
    make_certificate,
)
from ledger.finality.votes import BAD_LINK, Checkpoint, SignedVote, Vote, conflict, sign_vote, verify_evidence
from ledger.params import Attestor
from ledger.types import BlockHash, ChainId, Height
from node.finality.book import (
    BAD_VOTE_SIGNATURE,
    NO_CHECKPOINT_HEIGHT,
    OTHER_CHAIN,
    STRANGER,
    FinalityBook,
    Taken,
)
from tests.support.attested import KEYS, SEEDS, attestors
from tests.support.refusal import refused

CHAIN = ChainId(b"c" * 32)
INTERVAL = 4
ROOT = Checkpoint(Height(0), BlockHash(CHAIN))


class Tree:
    """Checkpoints of a few branches: `at("ab", 3)` is the third one of branch "ab", which left branch "a" after its first ones."""

    def __init__(self, forks: dict[str, tuple[str, int]] | None = None) -> None:
        self.forks = forks or {}
        self.hidden: set[BlockHash] = set()

    def at(self, branch: str, number: int) -> Checkpoint:
        while branch in self.forks and number <= self.forks[branch][1]:
            branch = self.forks[branch][0]
        if number == 0:
            return ROOT
        return Checkpoint(Height(number * INTERVAL), BlockHash(f"{branch}{number}".encode().ljust(32, b".")))

    def ancestry(self, low: Checkpoint, high: Checkpoint) -> bool | None:
        if high.hash in self.hidden:
            return None
        name = high.hash.rstrip(b".").decode() if high.height else ""
        branch = name.rstrip("0123456789")
        return low.height <= high.height and self.at(branch, low.height // INTERVAL) == low


def book_of(tree: Tree, *places: int, weights: dict[int, int] | None = None) -> FinalityBook:
    book = FinalityBook(CHAIN, INTERVAL, Justified(Height(0), ROOT.hash, 0), tree.ancestry)
    members = attestors(*places) if weights is None else _weighted(weights)
    book.learn_sets([AttestorSet(0, members)])
    return book


def _weighted(weights: dict[int, int]) -> tuple[Attestor, ...]:
    return tuple(Attestor(KEYS[place], weight) for place, weight in sorted(weights.items()))


def signed(place: int, source: Checkpoint, target: Checkpoint, number: int = 0) -> SignedVote:
    return sign_vote(SEEDS[KEYS[place]], KEYS[place], Vote(CHAIN, number, source, target))


def certificate(sets: tuple[AttestorSet, ...], source: Checkpoint, target: Checkpoint, *places: int) -> Certificate:
    made = make_certificate([signed(place, source, target, sets[-1].number) for place in places], sets)
    assert made is not None
    return made


TREE = Tree()
A = [TREE.at("a", number) for number in range(6)]
SET = AttestorSet(0, attestors(0, 1, 2, 3))


def test_votes_justify_and_make_final() -> None:
    book = book_of(TREE, 0, 1, 2, 3)
    assert [book.take_vote(signed(place, A[0], A[1]))[0] for place in (0, 1)] == [Taken.KEPT] * 2
    taken, change = book.take_vote(signed(2, A[0], A[1]))
    assert taken is Taken.JUSTIFIED, "the first block was final before"
    assert [found.checkpoint for found in change.justified] == [A[1]]
    assert len(change.certificates) == 1
    assert book.take_vote(signed(2, A[0], A[1]))[0] is Taken.KNOWN
    for place in (0, 1, 3):
        taken, change = book.take_vote(signed(place, A[1], A[2]))
    assert (taken, book.final.checkpoint, book.justified.checkpoint) == (Taken.FINAL, A[1], A[2])
    assert book.is_justified(A[2].hash)
    assert book.certificate(A[1], A[2]) == change.certificates[0]
    assert len(book.votes_for(A[2])) == 3


def test_what_is_refused() -> None:
    book = book_of(TREE, 0, 1, 2, 3)
    good = signed(0, A[0], A[1])
    with refused(OTHER_CHAIN, Violation):
        book.take_vote(replace(good, vote=replace(good.vote, chain_id=ChainId(b"d" * 32))))
    with refused(BAD_LINK, Malformed):
        book.take_vote(signed(0, A[1], A[1]))
    with refused(NO_CHECKPOINT_HEIGHT, Violation):
        book.take_vote(signed(0, A[0], replace(A[1], height=Height(5))))
    with refused(STRANGER, Violation):
        book.take_vote(signed(7, A[0], A[1]))
    with refused(STRANGER, Violation):
        book.take_vote(signed(0, A[0], A[1], number=2))
    with refused(BAD_VOTE_SIGNATURE, Violation):
        book.take_vote(replace(good, signature=signed(0, A[0], A[2]).signature))
    made = certificate((SET,), A[0], A[1], 0, 1, 2)
    with refused(BAD_CERTIFICATE_SIGNATURE, Violation):
        book.take_certificate(replace(made, signatures=made.signatures[::-1]))
    with refused(NO_QUORUM, Violation):
        book.take_certificate(replace(made, signers=b"\x03", signatures=made.signatures[:2]))
    with refused(WRONG_SIGNERS, Violation):
        book.take_certificate(replace(made, signers=b"\x03"))
    with refused(OTHER_CHAIN, Violation):
        book.take_certificate(replace(made, vote=replace(made.vote, chain_id=ChainId(b"d" * 32))))
    assert book.justified.height == 0


def test_certificates_wait_for_their_sources_and_blocks() -> None:
    tree = Tree()
    book = book_of(tree, 0, 1, 2, 3)
    tree.hidden = {A[1].hash, A[2].hash}
    links = [certificate((SET,), A[n], A[n + 1], 0, 1, 2) for n in range(2)]
    assert book.take_certificate(links[1])[0] is Taken.KEPT
    assert book.take_certificate(links[1])[0] is Taken.KNOWN
    assert book.take_certificate(links[0])[0] is Taken.KEPT
    assert book.waiting == 2
    assert not book.look_again().justified
    tree.hidden = set()
    change = book.look_again()
    assert [found.checkpoint for found in change.justified] == [A[1], A[2]]
    assert (book.final.checkpoint, book.waiting) == (A[1], 0)
    assert book.take_certificate(links[0])[0] is Taken.KNOWN


def test_a_set_that_is_not_known_yet() -> None:
    book = book_of(TREE, 0, 1, 2, 3)
    new = AttestorSet(1, attestors(3, 4, 5, 6))
    book.take_certificate(certificate((SET,), A[0], A[1], 0, 1, 2))
    across = certificate((SET, new), A[1], A[2], 1, 2, 3, 4, 5)
    beyond = certificate((new,), A[2], A[3], 3, 4, 5)
    assert [book.take_certificate(found)[0] for found in (beyond, across)] == [Taken.KEPT] * 2
    book.learn_sets([new])
    assert (book.final.checkpoint, book.justified.checkpoint) == (A[2], A[3])
    assert [found.set_number for found in book.all_justified()] == [1, 1, 0, 0]


def test_the_new_set_alone_does_not_cross() -> None:
    book = book_of(TREE, 0, 1, 2, 3)
    new = AttestorSet(1, attestors(4, 5, 6))
    book.learn_sets([new])
    with pytest.raises(Violation):
        book.take_certificate(certificate((new,), A[0], A[1], 4, 5, 6))
    for place in (4, 5, 6, 0, 1):
        book.take_vote(signed(place, A[0], A[1], 1))
    assert book.justified.height == 0
    book.take_vote(signed(2, A[0], A[1], 1))
    assert book.justified.checkpoint == A[1]


def test_a_replacement_crosses_alone() -> None:
    book = book_of(TREE, 0, 1, 2, 3)
    book.learn_sets([AttestorSet(1, attestors(4, 5, 6), replaces_silent=True)])
    for place in (4, 5, 6):
        book.take_vote(signed(place, A[0], A[2], 1))
    assert book.justified.checkpoint == A[2]


def test_an_equivocator_is_found_once() -> None:
    tree = Tree({"b": ("a", 1)})
    book = book_of(tree, 0, 1, 2, 3)
    other = tree.at("b", 2)
    book.take_vote(signed(0, A[0], A[2]))
    _, change = book.take_vote(signed(0, A[0], other))
    (evidence,) = change.evidence
    assert verify_evidence(evidence)
    assert not book.take_vote(signed(0, A[1], A[2]))[1].evidence


def test_two_final_branches_are_a_conflict_in_whatever_order() -> None:
    tree = Tree({"b": ("a", 0)})
    branches = [[tree.at(name, number) for number in range(4)] for name in ("a", "b")]
    for first, second in (branches, branches[::-1]):
        book = book_of(tree, 0, 1, 2, 3)
        for number in range(3):
            book.take_certificate(certificate((SET,), first[number], first[number + 1], 0, 1, 2))
        assert book.final.checkpoint == first[2]
        book.take_certificate(certificate((SET,), second[0], second[1], 0, 1, 3))
        assert book.conflict is None
        _, change = book.take_certificate(certificate((SET,), second[1], second[2], 0, 1, 3))
        assert change.conflict is not None
        assert (change.conflict.known, change.conflict.other) == (first[2], second[1])
        assert {found.key for found in change.evidence} | {KEYS[0], KEYS[1]} == {KEYS[0], KEYS[1]}
        assert book.final.checkpoint == first[2], "it stays where it is"


def test_a_target_on_another_branch_than_its_source_is_nothing() -> None:
    tree = Tree({"b": ("a", 0)})
    book = book_of(tree, 0, 1, 2, 3)
    book.take_certificate(certificate((SET,), A[0], A[1], 0, 1, 2))
    assert not book.take_certificate(certificate((SET,), A[1], tree.at("b", 2), 0, 1, 2))[1].justified
    for place in (0, 1, 2):
        book.take_vote(signed(place, A[1], tree.at("b", 3)))
    assert book.justified.checkpoint == A[1]


def test_what_was_stored_is_restored() -> None:
    book = book_of(TREE, 0, 1, 2, 3)
    for number in range(2):
        book.take_certificate(certificate((SET,), A[number], A[number + 1], 0, 1, 2))
    again = FinalityBook(CHAIN, INTERVAL, book.final, TREE.ancestry)
    again.learn_sets([SET])
    again.restore(book.certificates(), book.all_justified())
    assert again.justified == book.justified
    assert again.take_certificate(certificate((SET,), A[2], A[3], 1, 2, 3))[0] is Taken.FINAL


# --- properties: who never signs two votes that conflict is honest; liars sign anything ---------------------------------------

FORKS = {"b": ("a", 1), "c": ("a", 3), "d": ("b", 2)}


def _may_sign(own: list[Vote], vote: Vote) -> bool:
    return not any(conflict(vote, earlier) for earlier in own)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_with_a_third_lying_at_most_no_two_final_checkpoints_lie_on_different_branches(data: Any) -> None:
    """Liars hold a third of the weight exactly, or less; every honest one votes as it likes, but never twice against itself."""
    tree = Tree(FORKS)
    weights = data.draw(st.sampled_from([{0: 1, 1: 1, 2: 1}, {0: 2, 1: 1, 2: 2, 3: 1}, {0: 3, 1: 2, 2: 2, 3: 2}]))
    liars = {0}
    assert 3 * sum(weights[place] for place in liars) <= sum(weights.values())
    books = [book_of(tree, weights=weights) for _ in range(2)]
    own: dict[int, list[Vote]] = {place: [] for place in weights}
    sent: list[SignedVote] = []
    for _ in range(data.draw(st.integers(5, 40))):
        branch, low = data.draw(st.sampled_from("abcd")), data.draw(st.integers(0, 4))
        source, target = tree.at(branch, low), tree.at(branch, low + data.draw(st.integers(1, 2)))
        for place in data.draw(st.sets(st.sampled_from(sorted(weights)), min_size=1)) | liars:
            vote = Vote(CHAIN, 0, source, target)
            if place in liars or (_may_sign(own[place], vote) and books[0].is_justified(source.hash)):
                own[place].append(vote)
                sent.append(signed(place, source, target))
                books[0].take_vote(sent[-1])
    for item in data.draw(st.permutations(sent)):
        books[1].take_vote(item)
    for book in books:
        assert book.conflict is None
        assert tree.ancestry(book.final.checkpoint, book.justified.checkpoint) or book.justified.height >= 0
    assert books[0].final == books[1].final, "the order does not matter"
    assert set(books[0].all_justified()) == set(books[1].all_justified())


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_overlapping_sets_with_a_third_of_each_lying(data: Any) -> None:
    """A change of the set on one branch: quorums of both at the crossing keep the other branch from being final."""
    tree = Tree({"b": ("a", 2)})
    old, new = AttestorSet(0, attestors(0, 1, 2)), AttestorSet(1, attestors(0, 2, 3))
    liars = {0}
    book = FinalityBook(CHAIN, INTERVAL, Justified(Height(0), ROOT.hash, 0), tree.ancestry)
    book.learn_sets([old, new])
    own: dict[int, list[Vote]] = {place: [] for place in range(4)}
    for _ in range(data.draw(st.integers(5, 40))):
        branch, low = data.draw(st.sampled_from("ab")), data.draw(st.integers(0, 4))
        source, target = tree.at(branch, low), tree.at(branch, low + 1)
        # Set 1 is in force from the third checkpoint of branch a on; on branch b it never is.
        number = int(branch == "a" and low + 1 >= 3)
        for place in data.draw(st.sets(st.sampled_from([0, 1, 2, 3]), min_size=1)) | liars:
            vote = Vote(CHAIN, number, source, target)
            if place == 3 and number == 0:
                continue
            if place in liars or (_may_sign(own[place], vote) and book.is_justified(source.hash)):
                own[place].append(vote)
                book.take_vote(signed(place, source, target, number))
    assert book.conflict is None


def test_more_than_a_third_lying_can_make_two_branches_final() -> None:
    tree = Tree({"b": ("a", 0)})
    book = book_of(tree, 0, 1, 2)
    for branch, honest in (("a", 1), ("b", 2)):
        for number in (0, 1):
            for place in (0, honest, 1 if honest == 2 else 2):
                book.take_vote(signed(place, tree.at(branch, number), tree.at(branch, number + 1)))
    assert book.conflict is not None
