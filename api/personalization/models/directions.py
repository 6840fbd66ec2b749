"""The few directions in which households differ most, by a singular value decomposition of what they bought (PureSVD: P. Cremonesi,
Y. Koren, R. Turrin, "Performance of Recommender Algorithms on Top-N Recommendation Tasks", RecSys 2010)."""

from __future__ import annotations

from typing import Any, Final

import numpy
from scipy.linalg import eigh

NOISE: Final = 1e-9
"""A direction with less than this share of the first one is none."""


def fit_directions(weights: Any, count: int) -> numpy.ndarray[Any, Any]:
    """V V' of the first `count` right singular vectors V, float32 (items, items).

    Rows of `weights` times it are what these rows come to in those directions. `weights` is CSR, households x items.
    """
    items = weights.shape[1]
    exact = weights.astype(numpy.float64)
    gram = (exact.T @ exact).toarray()
    if not gram.any():
        return numpy.zeros((items, items), dtype=numpy.float32)
    values, vectors = eigh(gram, subset_by_index=[max(items - count, 0), items - 1])
    kept = vectors[:, values > NOISE * values[-1]]
    return (kept @ kept.T).astype(numpy.float32)
