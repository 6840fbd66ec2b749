"""From scores of pairs to the best items of each household, as the arrays that are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from api.personalization.models.crowd import Crowd, split
from api.personalization.models.discovery import Discovery, fit_discovery
from api.personalization.models.history import History, place_in_group, read_history
from api.personalization.models.next_basket import NextBasket, fit_next_basket
from api.personalization.models.served import KEPT, Level, Ranking, Task

if TYPE_CHECKING:
    Array = numpy.ndarray[Any, Any]

FILL_LOG_ODDS = -60.0
"""What a household never bought stands behind all it did, among itself by popularity."""


def fit_ranking(crowd: Crowd, task: Task, level: Level) -> tuple[Ranking, Discovery | NextBasket]:
    """The best KEPT items of every household of the crowd, and what found them."""
    rankings, models = fit_rankings(crowd, (task,), level)
    return rankings[task], models[task]


def fit_rankings(
    crowd: Crowd, tasks: tuple[Task, ...], level: Level
) -> tuple[dict[Task, Ranking], dict[Task, Discovery | NextBasket]]:
    """The same of several tasks, whose households are read once for all of them."""
    learned = read_history(crowd.learned, level, crowd.learned.cut)
    models: dict[Task, Discovery | NextBasket] = {}
    if "next7" in tasks:  # first, since it keeps less in memory
        models["next7"] = fit_next_basket(crowd.learned, level, crowd.seed, learned)
    if "discovery" in tasks:
        models["discovery"] = fit_discovery(crowd.learned, level, crowd.seed, learned)
    rankings: dict[Task, Ranking] = {task: _make_empty(len(crowd.every.households), models[task]) for task in tasks}
    for places, part in split(crowd.every):
        history = read_history(part, level, part.cut, learned.codes)
        for task in tasks:
            _rank(models[task], history, rankings[task].items[places], rankings[task].scores[places])
    return rankings, models


def _rank(model: Discovery | NextBasket, history: History, items: Array, scores: Array) -> None:
    if isinstance(model, Discovery):
        for rows, columns, found in model.list_scores(history):
            _put_best(items, scores, rows, columns, found)
    else:
        _rank_next_basket(model, history, items, scores)


def _rank_next_basket(model: NextBasket, history: History, items: Array, scores: Array) -> None:
    popular = model.list_popular()
    _put_best(items, scores, *model.list_scores(history))
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


def _leave_out(order: Array, own: Array) -> Array:
    """The first KEPT of `order` that are not in `own`."""
    first = order[: KEPT + len(own)]
    return first[~numpy.isin(first, own)]


def _make_empty(households: int, model: Discovery | NextBasket) -> Ranking:
    if isinstance(model, Discovery):
        popular = model.stage.items["adoption_28"] + 1e-9 * model.history.buyers
        is_learned = bool(model.forests)
    else:
        popular, is_learned = model.list_popular(), model.logistic is not None or model.trees is not None
    shape = (households, min(KEPT, model.history.item_count))
    items, scores = numpy.full(shape, -1, dtype=numpy.int32), numpy.full(shape, -numpy.inf, dtype=numpy.float32)
    return Ranking(items, scores, *_list_popular(popular), is_log_odds=is_learned)


def _put_best(items: Array, scores: Array, rows: Array, columns: Array, found: Array) -> None:
    """Into each household's row its best columns; equal scores by column."""
    places = place_in_group(rows, found.astype(numpy.float64))
    keep = places < items.shape[1]
    items[rows[keep], places[keep]] = columns[keep]
    scores[rows[keep], places[keep]] = found[keep]


def _list_popular(popular: Array) -> tuple[Array, Array]:
    best = numpy.argsort(-popular, kind="stable")[:KEPT]
    return best.astype(numpy.int32), popular[best].astype(numpy.float32)
