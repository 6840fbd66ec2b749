"""BG/NBD: how often a customer buys while it is one, and when it silently stops being one (P. Fader, B. Hardie,
K. L. Lee, "Counting Your Customers the Easy Way", Marketing Science 24, 2005).

Each customer is its number of repeat purchases x, the age t_x at which the last was made, and the age T at the end, in one unit of
time. Fitted by maximum likelihood over log parameters; on CDNOW it gives the published r .243, alpha 4.414, a .793, b 2.426.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

Array = numpy.ndarray[Any, Any]

CUSTOMERS_MIN: Final = 50
START: Final = (0.0, 1.0, 0.0, 1.0)
LOG_MOST: Final = 12.0
"""A parameter beyond e**12 means that the data do not tell it."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Purchases are a Poisson process with rate ~ Gamma(r, alpha); after each, one stops with probability ~ Beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float

    def probability_alive(self, repeats: Array, last: Array, age: Array) -> Array:
        """Of still being a customer at the end."""
        x = numpy.maximum(repeats, 1)
        odds = numpy.log(self.a) - numpy.log(self.b + x - 1)
        odds = odds + (self.r + repeats) * (numpy.log(self.alpha + age) - numpy.log(self.alpha + last))
        return numpy.where(repeats > 0, 1.0 / (1.0 + numpy.exp(numpy.clip(odds, -50.0, 50.0))), 1.0)

    def probability_silent(self, repeats: Array, last: Array, age: Array, ahead: float) -> Array:
        """Of no purchase in the time ahead: gone, or alive and without one at a rate as likely as the past says."""
        alive = self.probability_alive(repeats, last, age)
        waits = ((self.alpha + age) / (self.alpha + age + ahead)) ** (self.r + repeats)
        return 1.0 - alive * (1.0 - waits)


def fit_lifetime(repeats: Array, last: Array, age: Array) -> Lifetime | None:
    """The most likely parameters; None with fewer than CUSTOMERS_MIN customers."""
    if len(repeats) < CUSTOMERS_MIN or not (repeats > 0).any():
        return None
    scale = 10.0 / float(age.max())
    rows = numpy.column_stack([repeats, last * scale, age * scale])
    kinds, counts = numpy.unique(rows, axis=0, return_counts=True)
    found = minimize(
        _count_misfit,
        numpy.asarray(START),
        args=(kinds[:, 0], kinds[:, 1], kinds[:, 2], counts),
        method="L-BFGS-B",
        bounds=[(-LOG_MOST, LOG_MOST)] * 4,
        options={"maxiter": 1_000, "ftol": 1e-13, "gtol": 1e-8},
    )
    r, alpha, a, b = numpy.exp(found.x)
    return Lifetime(float(r), float(alpha / scale), float(a), float(b))


def _count_misfit(logs: Array, x: Array, last: Array, age: Array, counts: Array) -> float:
    """The negative log-likelihood per customer (equation 6 of the paper)."""
    r, alpha, a, b = numpy.exp(logs)
    shared = gammaln(r + x) - gammaln(r) + r * numpy.log(alpha)
    stays = betaln(a, b + x) - betaln(a, b) - (r + x) * numpy.log(alpha + age)
    leaves = betaln(a + 1, b + numpy.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * numpy.log(alpha + last)
    likelihood = shared + numpy.where(x > 0, numpy.logaddexp(stays, leaves), stays)
    return -float((likelihood * counts).sum() / counts.sum())
