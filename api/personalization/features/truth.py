"""What came to pass between a cut and a later moment: the truth that models are trained and judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.personalization.features import Features, fetch

if TYPE_CHECKING:
    import numpy


def fetch_bought(
    features: Features, level: str, cut: int, until: int
) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]]:
    """(household places, item codes), distinct and sorted, of what was bought in [cut, until) local seconds."""
    lines = features.lines
    span = lines.filter(lines.second >= cut, lines.second < until, lines[level].notnull())
    # Groups without a measure: of a renamed column that is sorted by, Ibis 12 makes no distinct one on Spark.
    pairs = span.group_by("household_id", span[level].name("item")).aggregate()
    found = fetch(pairs.order_by("household_id", "item"))
    return features.households.searchsorted(found["household_id"]), found["item"]


def fetch_first_bought(features: Features, level: str, cut: int) -> dict[str, numpy.ndarray[Any, Any]]:
    """household (place), item, second of the first purchase, of everything bought before the cut; sorted."""
    lines = features.lines
    past = lines.filter(lines.second < cut, lines[level].notnull())
    found = fetch(
        past.group_by("household_id", past[level].name("item"))
        .aggregate(second=past.second.min())
        .order_by("household_id", "item")
    )
    found["household"] = features.households.searchsorted(found.pop("household_id"))
    return found


def fetch_baskets(features: Features, cut: int, until: int) -> dict[str, numpy.ndarray[Any, Any]]:
    """household (place) and second of each basket in [cut, until)."""
    baskets = features.baskets
    span = baskets.filter(baskets.second >= cut, baskets.second < until)
    found = fetch(span.select("household_id", "second").order_by("household_id", "second"))
    found["household"] = features.households.searchsorted(found.pop("household_id"))
    return found
