"""How ballots are counted, and who leads: VOI-3 (what a choice may be) and VOI-5."""

from itertools import pairwise

from tests.model.voice_records import APPROVAL, RANKED, SINGLE, Ballot, Proposal, Tally

AGES = 6


def empty_tally(options: int, method: int) -> Tally:
    """VOI-1, 7: nothing is counted."""
    fields = options * options if method == RANKED else options
    return Tally(0, 0, 0, 0, bytes(32), (0,) * fields, ((0, 0),) * AGES)


def is_allowed(proposal: Proposal, choice: tuple[int, ...]) -> bool:
    """VOI-3."""
    if not choice or max(choice) >= len(proposal.options):
        return False
    if proposal.method == SINGLE:
        return len(choice) == 1
    if proposal.method == APPROVAL:
        return all(left < right for left, right in pairwise(choice))
    return len(set(choice)) == len(choice)


def _counts(proposal: Proposal, before: tuple[int, ...], choice: tuple[int, ...], power: int) -> tuple[int, ...]:
    counts = list(before)
    count = len(proposal.options)
    if proposal.method != RANKED:
        for option in choice:
            counts[option] += power
        return tuple(counts)
    for place, preferred in enumerate(choice):
        for other in set(range(count)) - set(choice[: place + 1]):
            counts[preferred * count + other] += power
    return tuple(counts)


def count(proposal: Proposal, tally: Tally, ballot: Ballot) -> Tally:
    """VOI-5: a ballot is counted."""
    squares = int.from_bytes(tally.squares, "big") + ballot.power**2
    ages = list(tally.ages)
    voters, power = ages[ballot.age]
    ages[ballot.age] = (voters + 1, power + ballot.power)
    return tally._replace(
        counted=tally.counted + 1,
        power=tally.power + ballot.power,
        largest=max(tally.largest, ballot.power),
        squares=squares.to_bytes(32, "big"),
        counts=_counts(proposal, tally.counts, ballot.choice, ballot.power),
        ages=tuple(ages),
    )


def _strongest_paths(counts: tuple[int, ...], options: int) -> dict[tuple[int, int], int]:
    """VOI-5: between any two options, the greatest least power along a chain of options each of which beats the next.

    Found by asking for less and less power and looking who reaches whom, so that no step of the text's loops is repeated here.
    """
    beats = {
        (i, j): counts[i * options + j]
        for i in range(options)
        for j in range(options)
        if i != j and counts[i * options + j] > counts[j * options + i]
    }
    strongest: dict[tuple[int, int], int] = {}
    for power in sorted(set(beats.values()), reverse=True):
        for start in range(options):
            reached, ahead = {start}, [start]
            while ahead:
                here = ahead.pop()
                following = {j for (i, j), width in beats.items() if i == here and width >= power} - reached
                reached |= following
                ahead.extend(following)
            for end in reached - {start}:
                strongest.setdefault((start, end), power)
    return strongest


def leaders(proposal: Proposal, tally: Tally) -> tuple[int, ...]:
    """VOI-5: the options that nobody beat."""
    options = len(proposal.options)
    if tally.counted == 0:
        return ()
    if proposal.method != RANKED:
        return tuple(option for option in range(options) if tally.counts[option] == max(tally.counts))
    paths = _strongest_paths(tally.counts, options)
    return tuple(
        i for i in range(options) if all(paths.get((i, j), 0) >= paths.get((j, i), 0) for j in range(options) if j != i)
    )


def quorum_is_met(proposal: Proposal, tally: Tally) -> bool:
    """VOI-5."""
    return tally.counted >= proposal.quorum
