"""What a household buys next: logistic regression over how often, how lately and in which rhythm it bought each item; for products,
and for categories too, trees order the best of these again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy

from api.personalization.models.history import History, look_up, place_in_group, read_history
from api.personalization.models.learners import Boosted, Logistic, fit_boosted, fit_logistic, sample_rows

if TYPE_CHECKING:
    from api.personalization.features import Features

    Array = numpy.ndarray[Any, Any]

HORIZON_DAYS: Final = 7
TRAINING_CUTS_DAYS: Final = {"category": (7, 14, 21, 28, 35, 42), "product": (7, 14, 21, 28)}
HISTORY_DAYS_MIN: Final = 14
LOGISTIC_ROWS_MAX: Final = 300_000
CANDIDATES: Final = {"category": 45, "product": 60}
BELOW: Final = -30.0
"""Log-odds of what trees did not see, and lower still of what the household never bought: behind everything else."""
UNDUE_MOST: Final = 5.0


@dataclass(frozen=True, slots=True)
class NextBasket:
    """The fitted models; either is missing where nothing could be learned."""

    history: History
    """Of those whom it learned from, at the as-of day."""
    items: list[Array]
    """Of each column what it is described by, from the same."""
    logistic: Logistic | None
    trees: Boosted | None

    def list_scores(self, history: History) -> tuple[Array, Array, Array]:
        """(household places, columns, scores) of all that each household of a history over the same catalogue has bought."""
        pairs = history.pairs
        rows = describe_habits(history, self.items)
        first = _score_first(self.logistic, rows)
        scores = first
        if self.trees is not None:
            keep = place_in_group(pairs["household"], first) < CANDIDATES[history.level]
            scores = first + BELOW
            scores[keep] = self.trees.log_odds(numpy.column_stack([rows[keep], first[keep]]).astype(numpy.float32))
        return pairs["household"], pairs["column"], scores

    def list_popular(self) -> Array:
        """Of each column how popular it is: what fills up a list, and what somebody without history gets."""
        pairs = self.history.pairs
        lately = numpy.bincount(pairs["column"], weights=pairs["visits_28"], minlength=self.history.item_count)
        return lately + 1e-6 * self.history.buyers


def fit_next_basket(features: Features, level: str, seed: int, now: History) -> NextBasket:
    """Both models on facts before the as-of day, whose history is `now`."""
    samples: list[tuple[History, Array, Array]] = []
    for days in TRAINING_CUTS_DAYS[level]:
        cut = features.cut - days * 86_400
        if cut - features.first_second < HISTORY_DAYS_MIN * 86_400:
            continue
        past = read_history(features, level, cut)
        truth = look_up(past.truth(HORIZON_DAYS), past.pairs["household"], past.pairs["column"])
        samples.append((past, describe_habits(past, describe_items(past)), truth))
    items = describe_items(now)
    if not samples:
        return NextBasket(now, items, None, None)
    past, rows, truth = samples[0]
    settled = numpy.flatnonzero(past.is_settled[past.pairs["household"]])
    chosen = settled[sample_rows(len(settled), LOGISTIC_ROWS_MAX, seed)]
    logistic = fit_logistic(rows[chosen], truth[chosen])
    return NextBasket(now, items, logistic, _fit_trees(samples, logistic, level, seed))


def describe_habits(history: History, items: list[Array]) -> Array:
    """One row per household and item bought, in the order of `history.pairs`; `items` as `describe_items` gives them."""
    pairs = history.pairs
    household, column = pairs["household"], pairs["column"]
    baskets = {name: values[household] for name, values in history.households.items() if name.startswith("baskets")}
    visits = numpy.maximum(pairs["visits"], 1.0)
    repeated = numpy.maximum(visits - 1.0, 1.0)
    gap = numpy.where(visits > 1, (pairs["first_age"] - pairs["last_age"]) / repeated, numpy.nan)
    variance = numpy.nan_to_num(pairs["gap_squares"]) / repeated - numpy.nan_to_num(gap) ** 2
    due = numpy.minimum(numpy.nan_to_num(pairs["last_age"] / numpy.maximum(gap, 1 / 24), nan=1.0), UNDUE_MOST)
    basket_gap = baskets["baskets"] / visits
    described = [
        numpy.log1p(visits),
        *(numpy.log1p(pairs[f"visits_{days}"]) for days in (7, 14, 28, 56, 91)),
        *(numpy.log1p(pairs[f"fading_{days}"]) for days in (14, 45, 120)),
        numpy.log1p(pairs["last_age"]),
        numpy.log1p(pairs["first_age"]),
        numpy.log1p(numpy.nan_to_num(gap, nan=60.0)),
        numpy.sqrt(numpy.maximum(variance, 0.0)),
        due,
        numpy.log1p(pairs["baskets_since"]),
        numpy.minimum(pairs["baskets_since"] / basket_gap, UNDUE_MOST),
        numpy.log(visits / numpy.maximum(baskets["baskets"], 1.0)),
        numpy.log(visits / numpy.maximum(pairs["baskets_from"], 1.0)),
        numpy.log1p(numpy.maximum(pairs["quantity"], 0.0) / visits),
        numpy.maximum(pairs["discount"], 0.0) / numpy.maximum(pairs["cents"] + pairs["discount"], 1.0),
        numpy.log1p(baskets["baskets"]),
        *(numpy.log1p(baskets[f"baskets_{days}"]) for days in (7, 14, 28, 56)),
        numpy.nan_to_num(history.households["last_age"], nan=999.0)[household],
        numpy.nan_to_num(history.households["first_age"])[household],
        numpy.log1p(numpy.bincount(household, minlength=history.household_count)[household]),
        *(values[column] for values in items),
    ]
    return numpy.column_stack(described)


def describe_items(history: History) -> list[Array]:
    """Of each column: how common it is, how often it is bought again, and whether that grows."""
    pairs, count = history.pairs, history.item_count
    visits = {
        days: numpy.bincount(pairs["column"], weights=pairs[f"visits_{days}"], minlength=count) for days in (7, 28, 91)
    }
    again = numpy.bincount(pairs["column"], weights=pairs["visits"] > 1, minlength=count)
    every = numpy.bincount(pairs["column"], weights=pairs["visits"], minlength=count)
    buyers = numpy.maximum(history.buyers, 1)
    return [
        numpy.log(buyers / max(history.household_count, 1)),
        numpy.log(again / buyers + 0.01),
        numpy.log(every / buyers),
        numpy.log1p(visits[28]),
        (visits[7] + 0.25) / (visits[28] + 1.0),
        (visits[28] + 0.3) / (visits[91] + 1.0),
    ]


def _fit_trees(
    samples: list[tuple[History, Array, Array]], logistic: Logistic | None, level: str, seed: int
) -> Boosted | None:
    rows: list[Array] = []
    truths: list[Array] = []
    for past, described, truth in samples:
        household = past.pairs["household"]
        first = _score_first(logistic, described)
        keep = (place_in_group(household, first) < CANDIDATES[level]) & past.is_settled[household]
        rows.append(numpy.column_stack([described[keep], first[keep]]).astype(numpy.float32))
        truths.append(truth[keep])
    return fit_boosted(numpy.concatenate(rows), numpy.concatenate(truths), seed)


def _score_first(logistic: Logistic | None, rows: Array) -> Array:
    """Log-odds, or the fading number of visits where nothing was learned."""
    return rows[:, 8] if logistic is None else logistic.log_odds(rows)
