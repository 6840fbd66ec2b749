"""Of each household and item it bought before a cut: how often, how lately, in which rhythm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api.personalization.engines import Table
from api.personalization.features import Features, fetch
from api.personalization.features.lines import DAY_SECONDS

if TYPE_CHECKING:
    import numpy

WINDOWS_DAYS: Final = (7, 14, 28, 56, 91)
HALF_LIVES_DAYS: Final = (14, 45, 120)
FADING_UNIT: Final = 2.0**30


def describe_visits(features: Features, level: str, cut: int) -> Table:
    """One row per household, item and basket before the cut, with its age in days, the gap to the one before, and how many baskets
    the household had after it."""
    import ibis

    past = features.lines.filter(features.lines.second < cut, features.lines[level].notnull())
    visits = past.group_by("household_id", past[level].name("item"), "basket_id").aggregate(
        second=past.second.min(),
        quantity=past.quantity.sum().cast("int64"),
        cents=past.cents.sum().cast("int64"),
        discount=past.shop_discount.sum().cast("int64"),
    )
    earlier = features.baskets.filter(features.baskets.second < cut)
    latest_first = ibis.window(
        group_by=earlier.household_id, order_by=[earlier.second.desc(), earlier.basket_id.desc()]
    )
    placed = earlier.select("household_id", "basket_id", since=ibis.row_number().over(latest_first).cast("int64"))
    visits = visits.inner_join(placed, ["household_id", "basket_id"])
    in_order = ibis.window(group_by=[visits.household_id, visits.item], order_by=[visits.second, visits.basket_id])
    return visits.mutate(
        age=(cut - visits.second) / DAY_SECONDS,
        gap=(visits.second - visits.second.lag().over(in_order)).cast("float64") / DAY_SECONDS,
    )


def describe_pairs(features: Features, level: str, cut: int) -> Table:
    """One row per household and item, sorted: visits in windows and fading, first and last age, gaps, quantity, money."""
    visits = describe_visits(features, level, cut)
    measures: dict[str, Any] = {
        "visits": visits.count().cast("float64"),
        "last_age": visits.age.min(),
        "first_age": visits.age.max(),
        "baskets_since": visits.since.min().cast("float64"),
        "baskets_from": (visits.since.max() + 1).cast("float64"),
        "quantity": visits.quantity.sum().cast("float64"),
        "cents": visits.cents.sum().cast("float64"),
        "discount": visits.discount.sum().cast("float64"),
        "gap_squares": (visits.gap * visits.gap * 64).round().cast("int64").sum().cast("float64") / 64.0,
    }
    for days in WINDOWS_DAYS:
        measures[f"visits_{days}"] = (visits.age <= days).cast("int64").sum().cast("float64")
    for days in HALF_LIVES_DAYS:
        weight = _fade(visits.age, days).round().cast("int64")
        measures[f"fading_{days}"] = weight.sum().cast("float64") / FADING_UNIT
    return visits.group_by("household_id", "item").aggregate(**measures).order_by("household_id", "item")


def fetch_pairs(features: Features, level: str, cut: int) -> dict[str, numpy.ndarray[Any, Any]]:
    """`describe_pairs` as arrays, with `household` as a place in `features.households`."""
    columns = fetch(describe_pairs(features, level, cut))
    columns["household"] = features.households.searchsorted(columns.pop("household_id"))
    return columns


def _fade(age: Any, half_life_days: int) -> Any:
    import ibis

    return ibis.literal(FADING_UNIT) * (age * (-0.6931471805599453 / half_life_days)).exp()
