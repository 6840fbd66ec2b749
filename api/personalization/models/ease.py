"""EASE (H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019): item weights in closed form, by Cholesky.

With X households x items and ridge r, P = (X'X + rI)^-1 and B_ij = -P_ij / P_jj, zero on the diagonal. Where there are fewer
households than items, the same B comes from the smaller matrix (Woodbury): with Z = (XX' + rI)^-1 X and M = X'Z,
P = (I - M) / r, hence B_ij = M_ij / (1 - M_jj).
"""

from __future__ import annotations

from typing import Any, Final

import numpy
from scipy.linalg import cho_factor, cho_solve

RIDGE: Final = 500.0
"""Chosen on 2017-10-04: 100, 500 and 2000 were tried."""


def fit_ease(bought: Any, ridge: float = RIDGE) -> numpy.ndarray[Any, Any]:
    """B as float32 (items, items). `bought` is CSR, households x items, of ones."""
    households, items = bought.shape
    if items == 0:
        return numpy.zeros((0, 0), dtype=numpy.float32)
    weights = _solve_small(bought, ridge) if households < items else _solve_items(bought, ridge)
    numpy.fill_diagonal(weights, 0.0)
    return weights


def _solve_items(bought: Any, ridge: float) -> numpy.ndarray[Any, Any]:
    gram = (bought.T @ bought).toarray().astype(numpy.float64)
    gram[numpy.diag_indices_from(gram)] += ridge
    inverse = cho_solve(cho_factor(gram, lower=True, overwrite_a=True), numpy.eye(len(gram)))
    return (inverse / -numpy.diag(inverse)).astype(numpy.float32)


def _solve_small(bought: Any, ridge: float) -> numpy.ndarray[Any, Any]:
    kernel = (bought @ bought.T).toarray().astype(numpy.float64)
    kernel[numpy.diag_indices_from(kernel)] += ridge
    solved = cho_solve(cho_factor(kernel, lower=True, overwrite_a=True), bought.toarray().astype(numpy.float64))
    product = bought.T.tocsr() @ solved.astype(numpy.float32)
    return product / (1.0 - numpy.diag(product))
