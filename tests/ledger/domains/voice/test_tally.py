"""Counting ballots, and who leads: published examples of the Schulze method, ties, matrices."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domains.voice.state import APPROVAL, RANKED, SINGLE, EachMember, Proposal
from ledger.domains.voice.tally import BAD_CHOICE, check_choice, count_ballot, empty_tally, is_allowed, leaders_of
from ledger.types import Address, Amount, Hash, Height, ProgramId, Timestamp
from tests.support.refusal import refused

PAPER = {"acdb": 8, "badc": 2, "cdba": 4, "dbac": 4, "dcba": 3}
"""M. Schulze, Social Choice and Welfare 36 (2011), section 3, example 1: d wins."""
ENCYCLOPEDIA = {"acbed": 5, "adecb": 5, "bedac": 8, "cabed": 3, "caebd": 7, "cbade": 2, "dceba": 7, "ebadc": 8}
"""The usual example with 45 voters and five options: e wins."""


def make_proposal(method: int, options: int) -> Proposal:
    """A proposal of which only method and options matter."""
    nothing, never, height = Hash(bytes(32)), Timestamp(0), Height(0)
    return Proposal(
        payer=b"",
        deposit=Amount(0),
        program=ProgramId(nothing),
        proposer=Address(nothing),
        title="?",
        text=nothing,
        options=tuple("abcdefghijklmnop"[:options]),
        method=method,
        mode=0,
        weight=EachMember(),
        quorum=1,
        snapshot_height=height,
        snapshot_at=never,
        snapshot_root=nothing,
        snapshot_slots=1,
        electorate=0,
        voting_until=never,
        voting_height=height,
        reveal_until=never,
        reveal_height=height,
        status=0,
        leaders=(),
        answer_by=never,
        answer_height=height,
        answered_at=never,
        why=Hash(b""),
    )


def leaders(method: int, options: int, ballots: list[tuple[tuple[int, ...], int]]) -> tuple[int, ...]:
    """Who leads after these ballots, each with its power."""
    proposal, tally = make_proposal(method, options), empty_tally(method, options)
    for choice, power in ballots:
        assert is_allowed(method, options, choice)
        tally = count_ballot(tally, proposal, choice, power, 0)
    return leaders_of(proposal, tally)


def ranked(profile: dict[str, int]) -> list[tuple[tuple[int, ...], int]]:
    """Ballots from letters, the best first."""
    return [(tuple(ord(letter) - ord("a") for letter in order), voters) for order, voters in profile.items()]


@pytest.mark.parametrize(("profile", "winner"), [(PAPER, 3), (ENCYCLOPEDIA, 4)])
def test_published_examples(profile: dict[str, int], winner: int) -> None:
    assert leaders(RANKED, len(next(iter(profile))), ranked(profile)) == (winner,)


def test_the_matrix_of_the_paper() -> None:
    proposal, tally = make_proposal(RANKED, 4), empty_tally(RANKED, 4)
    for choice, power in ranked(PAPER):
        tally = count_ballot(tally, proposal, choice, power, 2)
    assert tally.counts == (0, 8, 14, 10, 13, 0, 6, 2, 7, 15, 0, 12, 11, 19, 9, 0)
    assert (tally.counted, tally.power, tally.largest) == (5, 21, 8)
    assert int.from_bytes(tally.squares, "big") == 64 + 4 + 16 + 16 + 9
    assert tally.ages == ((0, 0), (0, 0), (5, 21), (0, 0), (0, 0), (0, 0))


def test_what_is_not_named_comes_after_what_is() -> None:
    proposal = make_proposal(RANKED, 4)
    tally = count_ballot(empty_tally(RANKED, 4), proposal, (2, 0), 5, 0)
    assert tally.counts == (0, 5, 0, 5, 0, 0, 0, 0, 5, 5, 0, 5, 0, 0, 0, 0)
    assert leaders_of(proposal, tally) == (2,)


def test_ties_name_all_and_the_first_wins() -> None:
    assert leaders(SINGLE, 3, [((2,), 1), ((1,), 1)]) == (1, 2)
    assert leaders(APPROVAL, 3, [((0, 2), 2), ((1,), 2)]) == (0, 1, 2)
    assert leaders(RANKED, 2, [((0, 1), 1), ((1, 0), 1)]) == (0, 1)
    assert leaders(RANKED, 3, [((0, 1, 2), 1), ((1, 2, 0), 1), ((2, 0, 1), 1)]) == (0, 1, 2)


@pytest.mark.parametrize("method", [SINGLE, APPROVAL, RANKED])
def test_without_ballots_nobody_leads(method: int) -> None:
    assert leaders(method, 2, []) == ()


@given(st.lists(st.tuples(st.permutations(range(4)), st.integers(1, 9)), min_size=1, max_size=12))
def test_who_beats_all_others_wins_and_the_order_of_ballots_does_not_matter(
    drawn: list[tuple[list[int], int]],
) -> None:
    ballots = [(tuple(order), power) for order, power in drawn]
    found = leaders(RANKED, 4, ballots)
    assert found
    assert found == leaders(RANKED, 4, ballots[::-1])

    def wins(one: int, other: int) -> bool:
        return 2 * sum(w for c, w in ballots if c.index(one) < c.index(other)) > sum(w for _, w in ballots)

    for option in range(4):
        if all(wins(option, other) for other in range(4) if other != option):
            assert found == (option,)


@pytest.mark.parametrize(
    ("method", "choice", "is_good"),
    [
        (SINGLE, (2,), True),
        (SINGLE, (0, 1), False),
        (SINGLE, (3,), False),
        (SINGLE, (), False),
        (APPROVAL, (0, 2), True),
        (APPROVAL, (2, 0), False),
        (APPROVAL, (1, 1), False),
        (RANKED, (2, 0), True),
        (RANKED, (2, 2), False),
        (RANKED, (0, 1, 3), False),
    ],
)
def test_allowed_choices(method: int, choice: tuple[int, ...], is_good: bool) -> None:
    assert is_allowed(method, 3, choice) is is_good
    if not is_good:
        with refused(BAD_CHOICE, count=3):
            check_choice(make_proposal(method, 3), choice)


def test_the_largest_powers_there_are_can_be_counted() -> None:
    proposal, most = make_proposal(SINGLE, 2), 2**63 - 2
    tally = count_ballot(empty_tally(SINGLE, 2), proposal, (0,), most, 5)
    tally = count_ballot(tally, proposal, (1,), 1, 5)
    assert (tally.power, tally.largest) == (2**63 - 1, most)
    assert int.from_bytes(tally.squares, "big") == most**2 + 1


def test_all_orders_of_three_are_allowed() -> None:
    assert all(is_allowed(RANKED, 3, order) for order in permutations(range(3)))
    assert replace(make_proposal(RANKED, 3)).options == ("a", "b", "c")
