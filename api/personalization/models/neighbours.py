"""Item-kNN: how alike two items are by the households that bought both, and the strongest neighbours of each item."""

from __future__ import annotations

from typing import Any, Final

import numpy

NEAREST: Final = 100
"""Neighbours that speak for an item."""


def fit_cosines(bought: Any) -> numpy.ndarray[Any, Any]:
    """Cosines between columns, float32 (items, items), zero on the diagonal; of each column only its NEAREST."""
    both = (bought.T @ bought).toarray().astype(numpy.float32)
    if not both.size:
        return both
    norms = numpy.sqrt(numpy.maximum(numpy.diag(both), 1.0))
    both /= norms[:, None]
    both /= norms[None, :]
    numpy.fill_diagonal(both, 0.0)
    if len(both) > NEAREST:
        least = -numpy.partition(-both, NEAREST - 1, axis=0)[NEAREST - 1]
        both[both < least] = 0.0
    return both


def list_strongest(
    weights: numpy.ndarray[Any, Any], count: int
) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]]:
    """Of each row the `count` largest positive weights, descending: (columns int32 with -1 behind the end, weights float32)."""
    items = len(weights)
    near = numpy.full((items, count), -1, dtype=numpy.int32)
    kept = numpy.zeros((items, count), dtype=numpy.float32)
    for row in range(items):
        best = numpy.argsort(-weights[row], kind="stable")[:count]
        best = best[weights[row][best] > 0]
        near[row, : len(best)] = best
        kept[row, : len(best)] = weights[row][best]
    return near, kept
