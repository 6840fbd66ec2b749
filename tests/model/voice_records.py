"""The records of voice, as named tuples in the order of the spec: VOI-1, VOI-3, VOI-7."""

from typing import Any, NamedTuple

SINGLE, APPROVAL, RANKED = 0, 1, 2
OPEN_BALLOTS, SEALED_BALLOTS = 0, 1
EACH_MEMBER, EARNED_POINTS, PLEDGED_TO = 0, 1, 2
VOTING, REVEALING, ENDED, ADOPTED, DECLINED, SILENT, LAPSED = range(7)
STANDS, KEPT, TOO_LATE, BROKEN = range(4)


class Proposal(NamedTuple):
    """VOI-1."""

    payer: bytes
    deposit: int
    program: bytes
    proposer: bytes
    title: str
    text: bytes
    options: tuple[str, ...]
    method: int
    mode: int
    weight: tuple[Any, ...]
    quorum: int
    snapshot_height: int
    snapshot_at: int
    snapshot_root: bytes
    snapshot_slots: int
    electorate: int
    voting_until: int
    voting_height: int
    reveal_until: int
    reveal_height: int
    status: int
    leaders: tuple[int, ...]
    answer_by: int
    answer_height: int
    answered_at: int
    why: bytes


class Tally(NamedTuple):
    """VOI-1, VOI-5."""

    counted: int
    committed: int
    power: int
    largest: int
    squares: bytes
    counts: tuple[int, ...]
    ages: tuple[tuple[int, int], ...]


class Ballot(NamedTuple):
    """VOI-3."""

    payer: bytes
    deposit: int
    prepaid: int
    power: int
    age: int
    commitment: bytes
    choice: tuple[int, ...]
    cast_at: int


class Obligation(NamedTuple):
    """VOI-7."""

    payer: bytes
    deposit: int
    program: bytes
    due_at: int
    grace_until: int
    grace_height: int
    product: bytes
    status: int
    fulfilled_at: int
    evidence: bytes
