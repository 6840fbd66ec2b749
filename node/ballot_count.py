"""Counting a proposal's ballots a second time, by code that shares nothing with the ledger's (spec AUD-8, VOI-2, VOI-3, VOI-5).

Written from the text and the paper: strengths of strongest paths are found here by growing each option's reach from the strongest
link down, not by the ledger's triple loop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

SINGLE, APPROVAL, RANKED = 0, 1, 2
AGE_BOUNDS_DAYS = (30, 90, 365, 1_095)
AGE_CLASSES = 6
NOT_SHOWN = 5


@dataclass(slots=True)
class Count:
    """What ballots add up to. `matrix` has the power of those who prefer one option to another."""

    options: int
    method: int
    counted: int = 0
    power: int = 0
    largest: int = 0
    squares: int = 0
    votes: dict[int, int] = field(default_factory=dict[int, int])
    matrix: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    ages: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])

    def add(self, choice: Sequence[int], power: int, age: int) -> None:
        """Count one ballot."""
        self.counted += 1
        self.power += power
        self.largest = max(self.largest, power)
        self.squares += power**2
        voters, held = self.ages.get(age, (0, 0))
        self.ages[age] = (voters + 1, held + power)
        if self.method != RANKED:
            for option in choice:
                self.votes[option] = self.votes.get(option, 0) + power
            return
        rank = {option: place for place, option in enumerate(choice)}
        last = len(choice)
        for one in choice:
            for other in range(self.options):
                if rank[one] < rank.get(other, last):
                    self.matrix[one, other] = self.matrix.get((one, other), 0) + power

    @property
    def counts(self) -> tuple[int, ...]:
        """As a tally shows it: by option, or the matrix row by row."""
        span = range(self.options)
        if self.method == RANKED:
            return tuple(self.matrix.get((one, other), 0) for one in span for other in span)
        return tuple(self.votes.get(option, 0) for option in span)

    @property
    def by_age(self) -> tuple[tuple[int, int], ...]:
        """(voters, power) of each class."""
        return tuple(self.ages.get(age, (0, 0)) for age in range(AGE_CLASSES))

    def leaders(self) -> tuple[int, ...]:
        """Whom nobody beats."""
        if not self.counted:
            return ()
        if self.method != RANKED:
            best = max(self.votes.values())
            return tuple(sorted(option for option, votes in self.votes.items() if votes == best))
        return unbeaten(self.matrix, self.options)


def unbeaten(matrix: Mapping[tuple[int, int], int], options: int) -> tuple[int, ...]:
    """Potential winners (Schulze 2011, section 2.2): no other option's strongest path to it is stronger than its own path there."""
    links: dict[tuple[int, int], int] = {}
    for (one, other), power in matrix.items():
        if power > matrix.get((other, one), 0):
            links[one, other] = power
    strength = {option: _strongest_paths(option, links, options) for option in range(options)}

    def is_unbeaten(option: int) -> bool:
        return all(strength[option].get(other, 0) >= strength[other].get(option, 0) for other in range(options))

    return tuple(option for option in range(options) if is_unbeaten(option))


def _strongest_paths(start: int, links: Mapping[tuple[int, int], int], options: int) -> dict[int, int]:
    """By option, the strength of the strongest path from `start`: the weakest link of the best path, strongest first."""
    found: dict[int, int] = {}
    reach = [(-power, other) for (one, other), power in links.items() if one == start]
    reach.sort()
    while reach:
        weakest, option = heappop(reach)
        if option in found or option == start:
            continue
        found[option] = -weakest
        for other in range(options):
            power = links.get((option, other), 0)
            if power and other not in found:
                heappush(reach, (max(weakest, -power), other))
    return found


def is_a_choice(method: int, options: int, choice: Sequence[int]) -> bool:
    """Whether a ballot may say this (VOI-3)."""
    if not choice or any(not 0 <= option < options for option in choice) or len(set(choice)) < len(choice):
        return False
    if method == SINGLE:
        return len(choice) == 1
    return method == RANKED or list(choice) == sorted(choice)


def age_class(joined_at: int, snapshot_at: int) -> int:
    """The class of a membership of this age (VOI-2)."""
    days = (snapshot_at - joined_at) // 86_400
    return next((age for age, bound in enumerate(AGE_BOUNDS_DAYS) if days < bound), len(AGE_BOUNDS_DAYS))
