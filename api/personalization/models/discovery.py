"""Discovery in two stages: EASE and the adoption rate find candidates among what a household never bought; trees rank them.

Of categories the trees also see what a household's visits come to in the few directions in which visits differ most, and several
forests are averaged: by chance of one seed alone the first ten were a hundredth worse or better.

The adoption rate of an item is the share of those who had not bought it that did so for the first time in the last days. The trees
are trained on cuts of 28 days and more before the as-of day, whose truth is known by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy

from api.personalization.models.directions import fit_directions
from api.personalization.models.ease import fit_ease
from api.personalization.models.history import History, look_up, place_in_group, read_history
from api.personalization.models.learners import Boosted, fit_boosted
from api.personalization.models.neighbours import fit_cosines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.personalization.features import Features

    Array = numpy.ndarray[Any, Any]

HORIZON_DAYS: Final = 28
TRAINING_CUTS_DAYS: Final = {"category": (28, 42, 56, 70, 84), "product": (28, 42, 56)}
HISTORY_DAYS_MIN: Final = 14
"""A training cut with less history before it says little about taste."""
CANDIDATES: Final = 120
ADOPTION_WEIGHT: Final = 2.0
FORESTS: Final = {"category": 3, "product": 1}
"""How many are averaged, each from a seed of its own. Of products it was not tried."""
FEATURE_SHARE: Final = {"category": 0.3, "product": 0.5}
"""Of the features each tree sees so many; chosen on 2017-10-04 and 2017-09-06."""
DIRECTIONS: Final = 24
BOUGHT: Final = -numpy.inf


@dataclass(frozen=True, slots=True)
class Stage:
    """The first stage of one cut: item weights and what is known of each item, from the households of `history`."""

    history: History
    weights: Array
    cosines: Array
    items: dict[str, Array]
    directions: Array | None
    """Of categories: what turns visits into those of their first directions, (items, items)."""

    def score(self, bought: Any) -> Array:
        """Dense scores of rows of a CSR matrix of what households bought, that itself below everything else."""
        scores = bought @ self.weights + numpy.float32(ADOPTION_WEIGHT) * self.items["adoption_28"].astype(
            numpy.float32
        )
        scores[bought.nonzero()] = BOUGHT
        return scores


@dataclass(frozen=True, slots=True)
class Tastes:
    """What candidates are described by of households, which need not be those that a stage was learned from."""

    history: History
    new: Array
    """How many items each household bought for the first time in the last 28 days."""
    groups: Array
    """Of each column the group whose share of the household's purchases is a feature."""
    of_groups: dict[str, Array]
    """Each (households, groups)."""
    visits: Any
    """CSR (households, columns) of log(1 + visits)."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """Both stages, fitted; there are no forests where nothing could be learned."""

    stage: Stage
    forests: tuple[Boosted, ...]

    @property
    def history(self) -> History:
        """Of those whom it learned from, at the as-of day."""
        return self.stage.history

    def list_scores(self, history: History) -> Iterator[tuple[Array, Array, Array]]:
        """(household places, columns, scores) of all candidates of a history over the same catalogue, some households at a time."""
        tastes = read_tastes(history)
        for part in history.chunks():
            rows, columns, features = describe_candidates(self.stage, tastes, part)
            yield rows, columns, features[:, 0] if not self.forests else self._average(features)

    def _average(self, features: Array) -> Array:
        return numpy.mean([trees.log_odds(features) for trees in self.forests], axis=0)


def fit_discovery(features: Features, level: str, seed: int, now: History) -> Discovery:
    """Both stages on facts before the as-of day, whose history is `now`."""
    rows: list[Array] = []
    truths: list[Array] = []
    for days in TRAINING_CUTS_DAYS[level]:
        cut = features.cut - days * 86_400
        if cut - features.first_second < HISTORY_DAYS_MIN * 86_400:
            continue
        stage = read_stage(read_history(features, level, cut))
        truth, is_settled = stage.history.truth(HORIZON_DAYS), stage.history.is_settled
        tastes = read_tastes(stage.history)
        for part in stage.history.chunks():
            households, columns, found = describe_candidates(stage, tastes, part)
            keep = is_settled[households]
            rows.append(found[keep])
            truths.append(look_up(truth, households[keep], columns[keep]))
        del stage, tastes  # before the next one: its weights are the largest thing in memory
    forests = _fit_forests(numpy.concatenate(rows), numpy.concatenate(truths), seed, level) if rows else ()
    del rows, truths
    return Discovery(read_stage(now), forests)


def _fit_forests(rows: Array, truths: Array, seed: int, level: str) -> tuple[Boosted, ...]:
    share = FEATURE_SHARE[level]
    fitted = [fit_boosted(rows, truths, seed + number, feature_fraction=share) for number in range(FORESTS[level])]
    return tuple(trees for trees in fitted if trees is not None)


def read_stage(history: History) -> Stage:
    """The first stage at a history's cut."""
    pairs, count = history.pairs, history.item_count
    never = history.household_count - history.buyers
    items: dict[str, Array] = {}
    for days in (14, 28, 84):
        adopted = numpy.bincount(pairs["column"][pairs["first_age"] <= days], minlength=count)
        items[f"adoption_{days}"] = adopted / numpy.maximum(never + adopted, 1)
    lately = numpy.bincount(pairs["column"], weights=pairs["visits_28"] > 0, minlength=count)
    items["lately"] = lately / max(history.household_count, 1)
    items["share"] = history.buyers / max(history.household_count, 1)
    items["trend_14"] = items["adoption_14"] / numpy.maximum(items["adoption_28"], 1e-9)
    items["trend_28"] = items["adoption_28"] / numpy.maximum(items["adoption_84"], 1e-9)
    return Stage(
        history=history,
        weights=fit_ease(history.bought),
        cosines=fit_cosines(history.bought),
        items=items,
        directions=fit_directions(_weigh_visits(history), DIRECTIONS) if history.level == "category" else None,
    )


def read_tastes(history: History) -> Tastes:
    """What the households of a history are described by."""
    is_new = history.pairs["first_age"] <= HORIZON_DAYS
    new = numpy.bincount(history.pairs["household"][is_new], minlength=history.household_count)
    return Tastes(history, new, *_find_tastes(history), _weigh_visits(history))


def _weigh_visits(history: History) -> Any:
    matrix = history.bought.copy()
    matrix.data = numpy.log1p(history.pairs["visits"]).astype(numpy.float32)  # pairs stand in the order of its entries
    return matrix


def describe_candidates(stage: Stage, tastes: Tastes, part: slice) -> tuple[Array, Array, Array]:
    """(household places, columns, features) of some households' candidates; the first feature is the first stage's score."""
    history = tastes.history
    bought = history.bought[part]
    scores = stage.score(bought)
    count = min(CANDIDATES, history.item_count)
    columns = find_best(scores, count)
    places = numpy.repeat(numpy.arange(part.start, part.stop), count)
    order = columns.ravel()
    first = scores[places - part.start, order]
    keep = first > BOUGHT
    places, order, first = places[keep], order[keep], first[keep]
    sizes = numpy.asarray(bought.sum(axis=1)).ravel()
    alike = (bought @ stage.cosines)[places - part.start, order] / (sizes[places - part.start] + 1.0)
    ease = first - numpy.float32(ADOPTION_WEIGHT) * stage.items["adoption_28"][order]
    households = history.households
    lately = numpy.asarray(tastes.new[places], dtype=numpy.float64)
    described = [first, ease, place_in_group(places, ease), alike]
    described += [values[order] for values in stage.items.values()]
    described += [households[name][places] for name in ("baskets", "baskets_14", "baskets_28", "baskets_56")]
    described += [sizes[places - part.start], lately, lately / numpy.maximum(households["baskets_28"][places], 1.0)]
    described += [taste[places, tastes.groups[order]] for taste in tastes.of_groups.values()]
    if stage.directions is not None:
        described.append((tastes.visits[part] @ stage.directions)[places - part.start, order])
    return places, order, numpy.column_stack(described).astype(numpy.float32)


def find_best(scores: Array, count: int) -> Array:
    """Of each row the columns of its `count` best scores, descending; of equal ones the first. Not all are sorted for that."""
    if not 0 < count < scores.shape[1]:
        return numpy.argsort(-scores, axis=1, kind="stable")[:, :count]
    least = numpy.partition(scores, -count, axis=1)[:, -count, None]
    is_above, is_equal = scores > least, scores == least
    room = count - is_above.sum(axis=1, keepdims=True)
    is_best = is_above | (is_equal & (numpy.cumsum(is_equal, axis=1, dtype=numpy.int32) <= room))
    columns = numpy.nonzero(is_best)[1].reshape(len(scores), count)
    order = numpy.argsort(-numpy.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return numpy.take_along_axis(columns, order, axis=1)


def _find_tastes(history: History) -> tuple[Array, dict[str, Array]]:
    """For products: how much, how many and how many new ones a household bought of each one's category."""
    if history.level != "product" or not history.item_count:
        return numpy.zeros(history.item_count, dtype=numpy.int64), {}
    groups = history.features.departments[history.codes]
    pairs = history.pairs
    shape = (history.household_count, int(groups.max()) + 1)
    places = (pairs["household"], groups[pairs["column"]])
    tastes = {name: numpy.zeros(shape, dtype=numpy.float32) for name in ("fading", "kinds", "new_kinds")}
    numpy.add.at(tastes["fading"], places, pairs["fading_45"])
    numpy.add.at(tastes["kinds"], places, 1.0)
    numpy.add.at(tastes["new_kinds"], places, pairs["first_age"] <= HORIZON_DAYS)
    return groups, tastes
