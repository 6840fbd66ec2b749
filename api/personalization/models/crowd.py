"""Who models learn from, and in what runs all others are scored: so that memory is bounded, however many households there are.

What is learned (weights, trees, how common an item is) comes from households drawn by a seed, as long as there are more than models
need. What is said of a household comes from its own rows and from what was learned; so households can be taken a run at a time, and
the answer is the same bytes whatever the runs are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy

from api.personalization.engines import keep
from api.personalization.features import fetch

if TYPE_CHECKING:
    from api.personalization.features import Features

    Array = numpy.ndarray[Any, Any]

LEARNED_HOUSEHOLDS_MAX: Final = 5_000
LEARNED_LINES_MAX: Final = 2_000_000
"""The grocer's year has 1.5 million lines of 2,469 households: all of it is learned from."""
RUN_LINES_MAX: Final = 500_000
"""Lines of the households that are scored at a time; one with more is a run of its own."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """All households that are asked for, and those of them that models learn from: the same, unless there are too many."""

    every: Features
    learned: Features
    seed: int


def gather(features: Features, seed: int) -> Crowd:
    """Draw whom to learn from: in a seeded order households up to the first that would pass one of the limits."""
    lines = _count_lines(features)
    order = numpy.random.default_rng(seed).permutation(len(lines))
    fits = numpy.cumsum(lines[order]) <= LEARNED_LINES_MAX
    fits[LEARNED_HOUSEHOLDS_MAX:] = False
    if fits.all():
        return Crowd(features, features, seed)
    return Crowd(features, _take(features, numpy.sort(order[: max(int(fits.sum()), 1)])), seed)


def split(features: Features) -> Iterator[tuple[slice, Features]]:
    """(places in `features.households`, the features of these alone), run by run. Every recipient of a promotion, also one without
    history, is in exactly one run."""
    households, ends = features.households, _find_ends(_count_lines(features))
    for start, stop in zip([0, *ends[:-1]], ends, strict=True):
        bounds: list[Any] = [
            *([lambda table, first=int(households[start]): table.household_id >= first] if start else []),
            *([lambda table, end=int(households[stop]): table.household_id < end] if stop < len(households) else []),
        ]
        facts = replace(features.facts, sent=features.facts.sent.filter(*bounds)) if bounds else features.facts
        part = replace(
            features,
            facts=facts,
            lines=features.lines.filter(*bounds) if bounds else features.lines,
            baskets=features.baskets.filter(*bounds) if bounds else features.baskets,
            households=households[start:stop],
        )
        yield slice(start, stop), part


def _take(features: Features, places: Array) -> Features:
    """The features of some households, in tables of their own: they are read many times."""
    households = features.households[places]
    drawn = households.tolist()
    keys = {
        "lines": ("household_id", "second", "basket_id", "product"),
        "baskets": ("household_id", "second", "basket_id"),
    }
    tables = {name: getattr(features, name) for name in keys}
    kept = {
        name: keep(features.facts.connection, name, table.filter(table.household_id.isin(drawn)).order_by(*keys[name]))
        for name, table in tables.items()
    }
    sent = features.facts.sent
    facts = replace(features.facts, sent=sent.filter(sent.household_id.isin(drawn)))
    return replace(features, facts=facts, households=households, **kept)


def _count_lines(features: Features) -> Array:
    """Of each household."""
    lines = features.lines
    counted = lines.group_by("household_id").aggregate(lines=lines.count().cast("int64"))
    return fetch(counted.order_by("household_id"))["lines"]


def _find_ends(lines: Array) -> list[int]:
    """Where runs end whose lines together are at most RUN_LINES_MAX; each has one household at least."""
    ends: list[int] = []
    before, every = 0, numpy.cumsum(lines)
    while before < len(lines):
        already = int(every[before - 1]) if before else 0
        before = max(int(every.searchsorted(already + RUN_LINES_MAX, side="right")), before + 1)
        ends.append(before)
    return ends
