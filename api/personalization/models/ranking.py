"""From scores of pairs to the best items of each household, as the arrays that are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from api.personalization.models.discovery import Discovery, fit_discovery
from api.personalization.models.history import History, place_in_group
from api.personalization.models.next_basket import NextBasket, fit_next_basket
from api.personalization.models.served import KEPT, Level, Ranking, Task

if TYPE_CHECKING:
    from api.personalization.features import Features

    Array = numpy.ndarray[Any, Any]

FILL_LOG_ODDS = -60.0
"""What a household never bought stands behind all it did, among itself by popularity."""


def fit_ranking(
    features: Features, task: Task, level: Level, seed: int, history: History | None = None
) -> tuple[Ranking, Discovery | NextBasket]:
    """The best KEPT items of every household of the features, and what found them."""
    if task == "discovery":
        model = fit_discovery(features, level, seed, history)
        return _rank_discovery(model), model
    found = fit_next_basket(features, level, seed, history)
    return _rank_next_basket(found), found


def _rank_discovery(model: Discovery) -> Ranking:
    history = model.stage.history
    items, scores = _make_empty(history)
    for rows, columns, found in model.list_scores():
        _put_best(items, scores, rows, columns, found)
    popular = model.stage.items["adoption_28"] + 1e-9 * history.buyers
    return Ranking(items, scores, *_list_popular(popular), is_log_odds=model.trees is not None)


def _rank_next_basket(model: NextBasket) -> Ranking:
    history = model.history
    items, scores = _make_empty(history)
    popular = model.list_popular()
    _put_best(items, scores, *model.list_scores())
    order = numpy.argsort(-popular, kind="stable")
    spread = popular / max(float(popular.max(initial=0.0)), 1e-9)
    lengths = (items >= 0).sum(axis=1)
    bought = history.bought
    for row in numpy.flatnonzero(lengths < items.shape[1]):
        own = bought.indices[bought.indptr[row] : bought.indptr[row + 1]]
        more = _leave_out(order, own)
        more = more[: items.shape[1] - lengths[row]]
        items[row, lengths[row] : lengths[row] + len(more)] = more
        scores[row, lengths[row] : lengths[row] + len(more)] = FILL_LOG_ODDS + spread[more]
    is_learned = model.logistic is not None or model.trees is not None
    return Ranking(items, scores, *_list_popular(popular), is_log_odds=is_learned)


def _leave_out(order: Array, own: Array) -> Array:
    """The first KEPT of `order` that are not in `own`."""
    first = order[: KEPT + len(own)]
    return first[~numpy.isin(first, own)]


def _make_empty(history: History) -> tuple[Array, Array]:
    shape = (history.household_count, min(KEPT, history.item_count))
    return numpy.full(shape, -1, dtype=numpy.int32), numpy.full(shape, -numpy.inf, dtype=numpy.float32)


def _put_best(items: Array, scores: Array, rows: Array, columns: Array, found: Array) -> None:
    """Into each household's row its best columns; equal scores by column."""
    places = place_in_group(rows, found.astype(numpy.float64))
    keep = places < items.shape[1]
    items[rows[keep], places[keep]] = columns[keep]
    scores[rows[keep], places[keep]] = found[keep]


def _list_popular(popular: Array) -> tuple[Array, Array]:
    best = numpy.argsort(-popular, kind="stable")[:KEPT]
    return best.astype(numpy.int32), popular[best].astype(numpy.float32)
