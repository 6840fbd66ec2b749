"""Counting ballots one by one, and who leads (spec VOI-5)."""

from collections.abc import Sequence
from itertools import pairwise

from ledger.domains.voice.state import AGE_NOT_SHOWN, APPROVAL, METHOD_NAMES, RANKED, SINGLE, Proposal, Tally
from ledger.errors import Code, RuleViolation

BAD_CHOICE = Code(
    "ballot.choice",
    "the choice is none of this {method} vote with {count} options",
    "Single: one option. Approval: options by ascending numbers. Ranked: options, the best first, none twice.",
)


def empty_tally(method: int, options: int) -> Tally:
    """The tally of a proposal on which nobody has voted."""
    counts = (0,) * (options * options if method == RANKED else options)
    return Tally(0, 0, 0, 0, bytes(32), counts, ((0, 0),) * (AGE_NOT_SHOWN + 1))


def is_allowed(method: int, options: int, choice: Sequence[int]) -> bool:
    """Whether a ballot may choose so (spec VOI-3)."""
    if not choice or max(choice) >= options:
        return False
    if method == SINGLE:
        return len(choice) == 1
    if method == APPROVAL:
        return all(a < b for a, b in pairwise(choice))
    return len(set(choice)) == len(choice)


def check_choice(proposal: Proposal, choice: Sequence[int]) -> None:
    """Raise `ballot.choice` unless the proposal's method allows the choice."""
    if not is_allowed(proposal.method, len(proposal.options), choice):
        raise RuleViolation(BAD_CHOICE, method=METHOD_NAMES[proposal.method], count=len(proposal.options))


def count_ballot(tally: Tally, proposal: Proposal, choice: Sequence[int], power: int, age: int) -> Tally:
    """The tally with one ballot more. Its sums can't pass what a number holds: caps and pledges bound them."""
    counts = list(tally.counts)
    size = len(proposal.options)
    if proposal.method == RANKED:
        behind = set(range(size))
        for option in choice:
            behind.discard(option)
            for other in behind:
                counts[option * size + other] += power
    else:
        for option in choice:
            counts[option] += power
    ages = list(tally.ages)
    voters, held = ages[age]
    ages[age] = (voters + 1, held + power)
    squares = int.from_bytes(tally.squares, "big") + power * power
    return Tally(
        counted=tally.counted + 1,
        committed=tally.committed,
        power=tally.power + power,
        largest=max(tally.largest, power),
        squares=squares.to_bytes(32, "big"),
        counts=tuple(counts),
        ages=tuple(ages),
    )


def leaders_of(proposal: Proposal, tally: Tally) -> tuple[int, ...]:
    """The options that nobody beat, ascending: the first is the winner. None without a counted ballot."""
    if not tally.counted:
        return ()
    if proposal.method == RANKED:
        return schulze_leaders(tally.counts, len(proposal.options))
    greatest = max(tally.counts)
    return tuple(option for option, count in enumerate(tally.counts) if count == greatest)


def schulze_leaders(matrix: Sequence[int], size: int) -> tuple[int, ...]:
    """Potential winners by the Schulze method with winning votes.

    `matrix` holds at `i * size + j` the power of those who prefer i to j. M. Schulze, Social Choice and Welfare 36 (2011), section
    2.3.1: the strongest paths by the Floyd-Warshall algorithm.
    """
    span = range(size)
    strength = [
        [matrix[i * size + j] if matrix[i * size + j] > matrix[j * size + i] else 0 for j in span] for i in span
    ]
    for k in span:
        for i in span:
            if i == k:
                continue
            for j in span:
                if j not in (i, k):
                    strength[i][j] = max(strength[i][j], min(strength[i][k], strength[k][j]))
    return tuple(i for i in span if all(strength[i][j] >= strength[j][i] for j in span))
