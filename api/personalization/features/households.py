"""Of each household before a cut: baskets in windows, money, rhythm, coupons; and when in the week it shops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api.personalization.engines import Table
from api.personalization.features import Features, fetch
from api.personalization.features.lines import DAY_SECONDS

if TYPE_CHECKING:
    import numpy

WINDOWS_DAYS: Final = (7, 14, 28, 42, 56, 84, 126)
PART_SECONDS: Final = 4 * 3600
PARTS: Final = 6
MONDAY_SHIFT: Final = 3
"""1970-01-01 was a Thursday: (day + 3) % 7 is 0 on Mondays."""


def describe_households(features: Features, cut: int) -> Table:
    """One row per household with a basket before the cut, sorted."""
    import ibis

    baskets = features.baskets.filter(features.baskets.second < cut)
    in_order = ibis.window(group_by=baskets.household_id, order_by=[baskets.second, baskets.basket_id])
    baskets = baskets.mutate(
        age=(cut - baskets.second) / DAY_SECONDS,
        gap=(baskets.second - baskets.second.lag().over(in_order)).cast("float64") / DAY_SECONDS,
        day=baskets.second // DAY_SECONDS,
    )
    measures: dict[str, Any] = {
        "baskets": baskets.count().cast("float64"),
        "days": baskets.day.nunique().cast("float64"),
        "last_age": baskets.age.min(),
        "first_age": baskets.age.max(),
        "gap_most": baskets.gap.max(),
        "gap_squares": (baskets.gap * baskets.gap * 64).round().cast("int64").sum().cast("float64") / 64.0,
        "cents": baskets.cents.sum().cast("float64"),
        "shop_discount": baskets.shop_discount.sum().cast("float64"),
        "coupon_discount": baskets.coupon_discount.sum().cast("float64"),
        "coupon_baskets": (baskets.coupon_discount > 0).cast("int64").sum().cast("float64"),
        "items": baskets.item_count.sum().cast("float64"),
    }
    for days in WINDOWS_DAYS:
        within = baskets.age <= days
        measures[f"baskets_{days}"] = within.cast("int64").sum().cast("float64")
        spent: Any = ibis.ifelse(within, baskets.cents, 0)
        measures[f"cents_{days}"] = spent.sum().cast("float64")
    return baskets.group_by("household_id").aggregate(**measures).order_by("household_id")


def describe_moments(features: Features, cut: int) -> Table:
    """Baskets before the cut by household, weekday (Monday 0), part of the day (hour // 4) and week of age."""
    baskets = features.baskets.filter(features.baskets.second < cut)
    baskets = baskets.mutate(
        weekday=((baskets.second // DAY_SECONDS + MONDAY_SHIFT) % 7).cast("int64"),
        part=((baskets.second % DAY_SECONDS) // PART_SECONDS).cast("int64"),
        week=((cut - baskets.second) // (7 * DAY_SECONDS)).cast("int64"),
    )
    keys = ("household_id", "weekday", "part", "week")
    return baskets.group_by(*keys).aggregate(baskets=baskets.count().cast("int64")).order_by(*keys)


def fetch_households(features: Features, cut: int) -> dict[str, numpy.ndarray[Any, Any]]:
    """`describe_households` as arrays over all of `features.households`; who has nothing before the cut has not-a-number ages and 0
    counts."""
    import numpy

    columns = fetch(describe_households(features, cut))
    places = features.households.searchsorted(columns.pop("household_id"))
    spread: dict[str, numpy.ndarray[Any, Any]] = {}
    for name, values in columns.items():
        is_age = name in ("last_age", "first_age", "gap_most")
        whole = numpy.full(len(features.households), numpy.nan if is_age else 0.0)
        whole[places] = values
        spread[name] = whole if is_age else numpy.nan_to_num(whole)
    return spread
