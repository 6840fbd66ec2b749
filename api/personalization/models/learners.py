"""The two learners, with what makes them give the same answer twice: one seed, one thread to learn, fixed order.

Both answer in log-odds. Where the truth has only one side, there is nothing to learn, and None is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy

Array = numpy.ndarray[Any, Any]

CLASS_ROWS_MIN: Final = 20
"""Fewer rows of a class are too few to learn from."""
ITERATIONS_MAX: Final = 300
THREADS: Final = 1
SCORING_THREADS: Final = 2
"""Rows are scored one by one, so more threads change no byte; it is most of the time that a million fans take."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """Weights over standardised columns."""

    means: Array
    deviations: Array
    weights: Array
    intercept: float

    def log_odds(self, rows: Array) -> Array:
        """Of each row, the same whatever other rows stand beside it: a matrix product would round by its place."""
        return numpy.einsum("ij,j->i", (rows - self.means) / self.deviations, self.weights) + self.intercept


@dataclass(frozen=True, slots=True)
class Boosted:
    """Trees."""

    booster: Any

    def log_odds(self, rows: Array) -> Array:
        """Of each row."""
        if not len(rows):
            return numpy.zeros(0)
        return numpy.asarray(self.booster.predict(rows, raw_score=True, num_threads=SCORING_THREADS))


def fit_logistic(rows: Array, truth: Array, strength: float = 1.0) -> Logistic | None:
    """Logistic regression with an L2 penalty of 1 / strength, by L-BFGS."""
    if not _can_learn(truth):
        return None
    from sklearn.linear_model import LogisticRegression

    means, deviations = rows.mean(axis=0), rows.std(axis=0)
    deviations = numpy.where(deviations > 0, deviations, 1.0)
    model = LogisticRegression(C=strength, max_iter=ITERATIONS_MAX)
    model.fit((rows - means) / deviations, truth > 0)
    return Logistic(means, deviations, numpy.asarray(model.coef_)[0], float(numpy.asarray(model.intercept_)[0]))


def fit_boosted(rows: Array, truth: Array, seed: int, *, rounds: int = 150, **settings: Any) -> Boosted | None:
    """Gradient-boosted trees on log loss."""
    if not _can_learn(truth):
        return None
    import lightgbm

    chosen = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.05,
        "lambda_l2": 10.0,
        "min_data_in_leaf": 200,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "verbose": -1,
        "num_threads": THREADS,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
    } | settings
    data = lightgbm.Dataset(rows.astype(numpy.float32), (truth > 0).astype(numpy.float32))
    return Boosted(lightgbm.train(chosen, data, rounds))


def find_probabilities(log_odds: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return 1.0 / (1.0 + numpy.exp(-numpy.clip(log_odds, -50.0, 50.0)))


def sample_rows(count: int, most: int, seed: int) -> Array:
    """At most `most` of `count` row numbers, ascending."""
    if count <= most:
        return numpy.arange(count)
    return numpy.sort(numpy.random.default_rng(seed).permutation(count)[:most])


def _can_learn(truth: Array) -> bool:
    positives = int((truth > 0).sum())
    return min(positives, len(truth) - positives) >= CLASS_ROWS_MIN
