"""Trained models as plain arrays in memory: what answers a request, without any library that trained them but numpy.

Ranks are kept as the best `KEPT` items of each household; neighbours as the strongest `NEIGHBOURS` of each item. So a million fans
take some hundred bytes each and task, and an answer is a look into arrays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy

Task = Literal["discovery", "next7"]
Level = Literal["category", "product"]
Moment = Literal["weekday", "slot"]
TASKS: Final[tuple[Task, ...]] = ("discovery", "next7")
LEVELS: Final[tuple[Level, ...]] = ("category", "product")
MOMENTS: Final[tuple[Moment, ...]] = ("weekday", "slot")

KEPT: Final = 50
"""Items kept of a household's rank: what is out of stock, just bought or refused can be left out and ten remain."""
NEIGHBOURS: Final = 50
WEEKDAYS: Final = tuple(str(day) for day in range(7))
SLOTS: Final = tuple(f"{day}-{part}" for day in range(7) for part in range(6))
PULL: Final = 1.0
"""How much one item bought since the as-of day counts against the items of the history: the same."""


class Ranked(NamedTuple):
    """An item and what its list was sorted by, descending."""

    item: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best items of each household: `items` (households, kept) int32 places in the catalogue, -1 behind the end; `scores`
    float32 of the same shape, descending; `popular` the places that somebody without history gets, and `popular_scores`.
    `is_log_odds`: the scores are logarithms of odds; otherwise nothing could be learned, and they order and no more."""

    items: numpy.ndarray[Any, Any]
    scores: numpy.ndarray[Any, Any]
    popular: numpy.ndarray[Any, Any]
    popular_scores: numpy.ndarray[Any, Any]
    is_log_odds: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The items of one level, with each item's neighbours: `near` (items, n) int32 places of what it speaks for, -1 behind the end,
    `weights` float32."""

    names: tuple[str, ...]
    near: numpy.ndarray[Any, Any]
    weights: numpy.ndarray[Any, Any]
    places: dict[str, int] = field(repr=False, compare=False)

    @staticmethod
    def of(names: Iterable[str], near: numpy.ndarray[Any, Any], weights: numpy.ndarray[Any, Any]) -> Catalogue:
        """The catalogue with its index."""
        listed = tuple(names)
        return Catalogue(listed, near, weights, {name: place for place, name in enumerate(listed)})


@dataclass(frozen=True, slots=True)
class Models:
    """All models of one as-of day. See the package's docstring for what each method answers."""

    as_of: date
    seed: int
    version: str
    households: numpy.ndarray[Any, Any] = field(repr=False)
    catalogues: dict[Level, Catalogue] = field(repr=False)
    rankings: dict[tuple[Task, Level], Ranking] = field(repr=False)
    timings: dict[Moment, numpy.ndarray[Any, Any]] = field(repr=False)
    """Of each household, float32 shares of the 7 weekdays, or of the 42 parts of the week."""
    churns: numpy.ndarray[Any, Any] = field(repr=False)
    promotions: numpy.ndarray[Any, Any] = field(repr=False)
    """int64 (pairs, 2): household, campaign, sorted."""
    redemptions: numpy.ndarray[Any, Any] = field(repr=False)
    """float32, one for each pair of `promotions`."""
    bases: numpy.ndarray[Any, Any] = field(repr=False)
    """int64 of each household: what the models know of it, as one number (see `basis`); 0 where that is not known."""
    program: str = ""
    """Whose fans the households are (hexadecimal); empty: of no program."""
    cut_at: int = 0
    """The midnight with which `as_of` began in the shops' zone, UTC seconds."""
    read_at: int = 0
    """When the export was read that they rest on, UTC seconds."""

    def basis(self, household: int) -> int | None:
        """What stands for all that the models know of a household; None without history."""
        place = self.place(household)
        return None if place is None else int(self.bases[place])

    def rank(
        self, task: Task, level: Level, household: int, *, limit: int = 10, bought: Collection[str] = ()
    ) -> tuple[Ranked, ...]:
        """The best items for a household, at most KEPT; for one without history the popular ones."""
        place = self.place(household)
        if place is None:
            return self._rank_stranger(task, level, limit, bought)
        ranking, catalogue = self.rankings[task, level], self.catalogues[level]
        scores = {
            int(item): float(score)
            for item, score in zip(ranking.items[place], ranking.scores[place], strict=True)
            if item >= 0
        }
        if task == "discovery" and bought:
            scores = self._pull(catalogue, scores, bought)
        return _best(catalogue, scores, limit)

    def rank_from(self, level: Level, items: Collection[str], *, limit: int = 10) -> tuple[Ranked, ...]:
        """Discovery for a basket: what speaks for itself by its neighbours, without the items themselves."""
        catalogue = self.catalogues[level]
        return _best(catalogue, _sum_neighbours(catalogue, items), limit)

    def because(self, level: Level, item: str, among: Collection[str], *, limit: int = 3) -> tuple[Ranked, ...]:
        """Which of `among` speak most for `item`, with their weight; none where none does."""
        return self.because_each(level, (item,), among, limit=limit)[item]

    def because_each(
        self, level: Level, items: Collection[str], among: Collection[str], *, limit: int = 3
    ) -> dict[str, tuple[Ranked, ...]]:
        """The same of several items at once."""
        import numpy

        catalogue = self.catalogues[level]
        own = sorted({catalogue.places[name] for name in among if name in catalogue.places})
        near, weights = catalogue.near[own], catalogue.weights[own]
        found: dict[str, tuple[Ranked, ...]] = {}
        for item in items:
            target = catalogue.places.get(item, -2)  # -1 stands behind the end of neighbours
            rows, columns = numpy.nonzero(near == target)
            speaking = {
                own[row]: float(weights[row, column])
                for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
                if weights[row, column] > 0 and own[row] != target
            }
            found[item] = _best(catalogue, speaking, limit)
        return found

    def popular(self, task: Task, level: Level, *, limit: int = 10) -> tuple[Ranked, ...]:
        """What somebody without history gets: a rule, not a prediction."""
        return self._rank_stranger(task, level, limit, ())

    def moments(self, moment: Moment, household: int, *, limit: int = 10) -> tuple[Ranked, ...]:
        """Days or parts of the week by how probable a basket is then; for one without history nothing."""
        place = self.place(household)
        if place is None:
            return ()
        shares = self.timings[moment][place]
        names = WEEKDAYS if moment == "weekday" else SLOTS
        order = sorted(range(len(names)), key=lambda index: (-float(shares[index]), index))
        return tuple(Ranked(names[index], float(shares[index])) for index in order[:limit])

    def churn(self, household: int) -> float | None:
        """The probability of no basket in the 42 days from the as-of day; None without history."""
        place = self.place(household)
        return None if place is None else float(self.churns[place])

    def redemption(self, household: int, campaign: int) -> float | None:
        """The probability that a household redeems a coupon of a promotion it is sent; None where it is sent none."""
        place = _find_pair(self.promotions, household, campaign)
        return None if place is None else float(self.redemptions[place])

    def without(self, households: Collection[int]) -> Models:
        """The same models without these households' rows. What others' rows learned from them stays until the next training."""
        import numpy

        gone = numpy.asarray(sorted(households), dtype=numpy.int64)
        stay = ~numpy.isin(self.households, gone)
        pairs = ~numpy.isin(self.promotions[:, 0], gone)
        return replace(
            self,
            households=self.households[stay],
            rankings={
                key: replace(ranking, items=ranking.items[stay], scores=ranking.scores[stay])
                for key, ranking in self.rankings.items()
            },
            timings={key: shares[stay] for key, shares in self.timings.items()},
            churns=self.churns[stay],
            bases=self.bases[stay],
            promotions=self.promotions[pairs],
            redemptions=self.redemptions[pairs],
        )

    def place(self, household: int) -> int | None:
        """Where a household stands among `households`; None without history."""
        if not -(2**63) <= household < 2**63:
            return None
        place = bisect_left(
            self.households, household
        )  # numpy's own search copies all of an array that a file did not align
        return place if place < len(self.households) and int(self.households[place]) == household else None

    def _rank_stranger(self, task: Task, level: Level, limit: int, bought: Collection[str]) -> tuple[Ranked, ...]:
        ranking, catalogue = self.rankings[task, level], self.catalogues[level]
        pairs = zip(ranking.popular, ranking.popular_scores, strict=True)
        scores = {int(item): float(score) for item, score in pairs if item >= 0}
        if task == "discovery" and bought:
            scores = self._pull(catalogue, scores, bought)
        return _best(catalogue, scores, limit)

    @staticmethod
    def _pull(catalogue: Catalogue, scores: dict[int, float], bought: Collection[str]) -> dict[int, float]:
        """Without what was bought, and moved up by its neighbours' weights in units of the list's own spread."""
        spread = max(scores.values(), default=0.0) - min(scores.values(), default=0.0)
        pulled = _sum_neighbours(catalogue, bought)
        taken = {catalogue.places[name] for name in bought if name in catalogue.places}
        return {
            item: score + PULL * spread * max(pulled.get(item, 0.0), 0.0)
            for item, score in scores.items()
            if item not in taken
        }


def _sum_neighbours(catalogue: Catalogue, items: Collection[str]) -> dict[int, float]:
    own = {catalogue.places[name] for name in items if name in catalogue.places}
    if not own:
        return {}
    import numpy

    places = sorted(own)
    near, weights = catalogue.near[places].ravel(), catalogue.weights[places].ravel()
    is_near = near >= 0
    sums = numpy.bincount(near[is_near], weights=weights[is_near], minlength=1)
    return {int(place): float(sums[place]) for place in numpy.unique(near[is_near]) if int(place) not in own}


def _best(catalogue: Catalogue, scores: dict[int, float], limit: int) -> tuple[Ranked, ...]:
    order: Sequence[int] = sorted(scores, key=lambda place: (-scores[place], place))[: max(limit, 0)]
    return tuple(Ranked(catalogue.names[place], scores[place]) for place in order)


def _find_pair(pairs: numpy.ndarray[Any, Any], household: int, campaign: int) -> int | None:
    if not -(2**63) <= household < 2**63:
        return None
    of = pairs[:, 0]
    for place in range(bisect_left(of, household), bisect_right(of, household)):
        if int(pairs[place, 1]) == campaign:
            return place
    return None
