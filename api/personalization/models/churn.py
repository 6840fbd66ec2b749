"""The probability that a household buys nothing in the next 42 days, from how its visits thin out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy

from api.personalization.features.households import WINDOWS_DAYS, fetch_households
from api.personalization.features.truth import fetch_baskets
from api.personalization.models.crowd import Crowd, split
from api.personalization.models.learners import Boosted, Logistic, find_probabilities, fit_boosted, fit_logistic
from api.personalization.models.lifetime import Lifetime, fit_lifetime

if TYPE_CHECKING:
    Array = numpy.ndarray[Any, Any]

HORIZON_DAYS: Final = 42
TRAINING_CUTS_DAYS: Final = (42, 49, 56, 63, 70, 77, 84, 98, 112)
HISTORY_DAYS_MIN: Final = 56
BASKETS_MIN: Final = 4
LATELY_DAYS: Final = 56


def fit_churn(crowd: Crowd) -> Array:
    """Of each household of the crowd, float32."""
    features = crowd.learned
    rows: list[Array] = []
    truths: list[Array] = []
    for days in TRAINING_CUTS_DAYS:
        cut = features.cut - days * 86_400
        if cut - features.first_second < HISTORY_DAYS_MIN * 86_400:
            continue
        columns = fetch_households(features, cut)
        back = fetch_baskets(features, cut, cut + HORIZON_DAYS * 86_400)["household"]
        is_gone = numpy.ones(len(features.households), dtype=bool)
        is_gone[back] = False
        keep = can_churn(columns)
        rows.append(describe_leaving(columns, find_lifetime(columns))[keep])
        truths.append(is_gone[keep])
    learners = _fit_learners(rows, truths, crowd.seed)
    lifetime = find_lifetime(fetch_households(features, features.cut)) if learners else None
    found = numpy.zeros(len(crowd.every.households), dtype=numpy.float32)
    for places, part in split(crowd.every):
        columns = fetch_households(part, part.cut)
        if learners:
            now = describe_leaving(columns, lifetime)
            odds = numpy.mean([learner.log_odds(now) for learner in learners], axis=0)
            found[places] = find_probabilities(odds)
        else:
            found[places] = _guess(columns)
    return found


def _fit_learners(rows: list[Array], truths: list[Array], seed: int) -> list[Logistic | Boosted]:
    """Empty where nothing can be learned."""
    if not rows:
        return []
    every, truth = numpy.concatenate(rows), numpy.concatenate(truths).astype(numpy.float64)
    learners: list[Logistic | Boosted | None] = [
        fit_logistic(every, truth, strength=0.05),
        fit_boosted(every, truth, seed, rounds=120, num_leaves=7, min_data_in_leaf=100, learning_rate=0.04),
    ]
    return [learner for learner in learners if learner is not None]


def can_churn(columns: dict[str, Array]) -> Array:
    """Which households have bought often enough, and lately, to be able to leave."""
    return (columns["baskets"] >= BASKETS_MIN) & (columns[f"baskets_{LATELY_DAYS}"] >= 1)


def find_lifetime(columns: dict[str, Array]) -> Lifetime | None:
    """How households come and go, from those that ever bought."""
    is_known = columns["baskets"] > 0
    repeats, last, age = (values[is_known] for values in _find_spans(columns))
    return fit_lifetime(repeats, numpy.maximum(age - last, 0.0), age)


def _find_spans(columns: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Repeat purchases, and the days since the last and the first one."""
    last = numpy.nan_to_num(columns["last_age"], nan=999.0)
    age = numpy.maximum(numpy.nan_to_num(columns["first_age"], nan=0.0), 1.0)
    return numpy.maximum(columns["baskets"] - 1.0, 0.0), last, age


def describe_leaving(columns: dict[str, Array], lifetime: Lifetime | None) -> Array:
    """One row per household."""
    baskets = columns["baskets"]
    repeats, last, age = _find_spans(columns)
    gap = (age - last) / numpy.maximum(repeats, 1.0)
    deviation = numpy.sqrt(
        numpy.maximum(columns["gap_squares"] / numpy.maximum(repeats, 1.0) - numpy.maximum(gap, 0.0) ** 2, 0.0)
    )
    longest = numpy.nan_to_num(columns["gap_most"], nan=999.0)
    silent = numpy.full(len(repeats), 0.5)
    if lifetime is not None:
        silent = lifetime.probability_silent(repeats, numpy.maximum(age - last, 0.0), age, float(HORIZON_DAYS))
    rate = baskets / age
    described = [
        numpy.log1p(last),
        numpy.log1p(baskets),
        numpy.log1p(age),
        numpy.log1p(numpy.maximum(gap, 0.0)),
        numpy.log1p(deviation),
        numpy.log1p(longest),
        numpy.minimum(last / numpy.maximum(gap, 0.5), 10.0),
        numpy.minimum(last / numpy.maximum(longest, 0.5), 3.0),
        numpy.log(numpy.clip(silent, 1e-6, 1 - 1e-6)) - numpy.log1p(-numpy.clip(silent, 1e-6, 1 - 1e-6)),
        *(numpy.log1p(columns[f"baskets_{days}"]) for days in WINDOWS_DAYS),
        numpy.minimum(columns["baskets_28"] / numpy.maximum(28 * rate, 0.1), 5.0),
        numpy.minimum(columns["baskets_84"] / numpy.maximum(84 * rate, 0.1), 5.0),
        numpy.log1p(numpy.maximum(columns["cents_84"], 0.0)),
        numpy.log1p(numpy.maximum(columns["cents"], 0.0) / numpy.maximum(baskets, 1.0)),
        numpy.log1p(columns["items"] / numpy.maximum(baskets, 1.0)),
        columns["coupon_baskets"] / numpy.maximum(baskets, 1.0),
        columns["days"] / numpy.maximum(baskets, 1.0),
    ]
    return numpy.column_stack(described)


def _guess(columns: dict[str, Array]) -> Array:
    """Without anything to learn from: the longer ago, the likelier."""
    last = numpy.nan_to_num(columns["last_age"], nan=999.0)
    return last / (last + HORIZON_DAYS)
