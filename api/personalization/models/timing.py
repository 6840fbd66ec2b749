"""When in the week a household shops: its own share of baskets, drawn towards what everybody does by one basket's weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy

from api.personalization.features import fetch
from api.personalization.features.households import PARTS, describe_moments
from api.personalization.models.crowd import split

if TYPE_CHECKING:
    from api.personalization.features import Features

    Array = numpy.ndarray[Any, Any]

PRIOR_BASKETS: Final = 1.0
"""Fading with age was tried on 2017-10-04, with half-lives of 8 to 52 weeks, and did not help."""
SLOT_COUNT: Final = 7 * PARTS
SMOOTHED_AT_ONCE: Final = 50_000


def fit_timing(features: Features) -> dict[str, Array]:
    """Of each household of the features, float32 shares of the 7 weekdays and of the 42 parts of the week."""
    slots = numpy.zeros((len(features.households), SLOT_COUNT), dtype=numpy.float32)  # counts first, shares then
    for run, part in split(features):
        found = fetch(describe_moments(part, part.cut))
        places = run.start + part.households.searchsorted(found["household_id"])
        numpy.add.at(slots, (places, found["weekday"] * PARTS + found["part"]), found["baskets"].astype(numpy.float32))
    weekdays = slots.reshape(-1, 7, PARTS).sum(axis=2)
    return {"weekday": _smooth(weekdays), "slot": _smooth(slots)}


def _smooth(counts: Array) -> Array:
    """Shares instead of counts, in the same place: a million households' are large."""
    every = counts.sum(axis=0, dtype=numpy.float64)
    share = every / every.sum() if every.sum() > 0 else numpy.full(counts.shape[1], 1.0 / counts.shape[1])
    for start in range(0, len(counts), SMOOTHED_AT_ONCE):
        part = counts[start : start + SMOOTHED_AT_ONCE].astype(numpy.float64)
        counts[start : start + SMOOTHED_AT_ONCE] = (part + PRIOR_BASKETS * share) / (
            part.sum(axis=1, keepdims=True) + PRIOR_BASKETS
        )
    return counts
