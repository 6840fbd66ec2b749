"""How good ranks and scores are, and how sure that is: binary NDCG, areas under curves, paired bootstrap intervals."""

from __future__ import annotations

from typing import Any, Final

import numpy

Array = numpy.ndarray[Any, Any]

PLACES: Final = 10
ROUNDS: Final = 1_000
CONFIDENCE: Final = 0.95


def measure_ndcg(items: Array, truth: Any) -> Array:
    """NDCG@10 of each household, binary gains, the ideal with min(10, truth) hits; not-a-number without truth.

    `items` are columns of `truth` (CSR of ones), best first, -1 for none.
    """
    discounts = 1.0 / numpy.log2(numpy.arange(2, PLACES + 2))
    ideal = numpy.concatenate([[numpy.nan], numpy.cumsum(discounts)])
    sizes = numpy.diff(truth.indptr)
    gains = numpy.zeros(len(items))
    for row in numpy.flatnonzero(sizes):
        own = truth.indices[truth.indptr[row] : truth.indptr[row + 1]]
        best = items[row, :PLACES]
        gains[row] = (numpy.isin(best, own) & (best >= 0)) @ discounts[: len(best)]
    return gains / ideal[numpy.minimum(sizes, PLACES)]


def measure_coverage(items: Array, catalogue: int) -> float:
    """The share of the catalogue that stands in anybody's first ten."""
    found = numpy.unique(items[:, :PLACES])
    return float((found >= 0).sum() / max(catalogue, 1))


def measure_auc(scores: Array, truth: Array) -> float:
    """The probability that a positive stands above a negative; ties count half."""
    from scipy.stats import rankdata

    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[truth > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def measure_precision(scores: Array, truth: Array) -> float:
    """Average precision: the precision at each positive, equal scores taken together."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores)) if truth.any() else float("nan")


def bound_difference(ours: Array, others: Array, seed: int) -> tuple[float, float]:
    """The 95 % interval of the mean of paired differences, resampling households."""
    differences = ours - others
    generator = numpy.random.default_rng(seed)
    count = len(differences)
    means = [differences[generator.integers(0, count, count)].mean() for _ in range(ROUNDS)]
    return _find_bounds(numpy.asarray(means))


def bound_auc_difference(
    ours: Array, others: Array, truth: Array, seed: int, measure: Any = measure_auc
) -> tuple[float, float]:
    """The same for a measure of all rows together."""
    generator = numpy.random.default_rng(seed)
    count, found = len(truth), list[float]()
    for _ in range(ROUNDS // 4):
        drawn = generator.integers(0, count, count)
        if 0 < truth[drawn].sum() < count:
            found.append(measure(ours[drawn], truth[drawn]) - measure(others[drawn], truth[drawn]))
    return _find_bounds(numpy.asarray(found)) if found else (float("nan"), float("nan"))


def _find_bounds(values: Array) -> tuple[float, float]:
    tail = 50 * (1 - CONFIDENCE)
    low, high = numpy.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
