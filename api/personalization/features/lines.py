"""The lines of purchases that count, before one local midnight, with local time, and numbers for products and categories.

Local time is UTC plus the zone's offset, written out as cases over the zone's changes in the span of the data: the same expression
on every engine, whatever zone a session is in. `second` counts local seconds since 1970-01-01T00:00 local: day = second // 86,400.
A day of 23 or 25 hours needs nothing else, since days and hours are read from the local clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.personalization.engines import Table, fetch_arrow

DROPPED: Final = (
    *("COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "COUPON"),
    *("MEAT SUPPLIES", "DELI SUPPLIES", "PROD SUPPLIES"),
)
"""Categories of the real year that are no products: slips, and what a counter wraps its goods in."""
DAY_SECONDS: Final = 86_400
EPOCH: Final = date(1970, 1, 1)
STEP_SECONDS: Final = 6 * 3600
"""Two changes of a zone's offset closer than this would be missed; there are none."""


def find_offsets(zone: ZoneInfo, first: int, last: int) -> list[tuple[int, int]]:
    """The offsets in force from `first` to `last` (UTC seconds), ascending: (from which UTC second, offset in seconds)."""
    found = [(first, _offset_at(zone, first))]
    moment = first
    while moment < last:
        after = min(moment + STEP_SECONDS, last)
        if _offset_at(zone, after) != found[-1][1]:
            found.append((_find_change(zone, moment, after), _offset_at(zone, after)))
        moment = after
    return found


def find_midnight(zone: ZoneInfo, day: date) -> int:
    """The UTC second in which a local day begins; where midnight is skipped, the first that exists."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp())


def count_days(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def name_day(days: int) -> date:
    """The day that many days after 1970-01-01."""
    return EPOCH + timedelta(days=days)


def select_lines(purchases: Table, zone: ZoneInfo, before: int) -> Table:
    """Lines of a quantity before a UTC second, with local time; `is_item` says whether it is a product in a known category."""
    import ibis

    past = purchases.filter(purchases.moment < before, purchases.quantity != 0)
    bounds = fetch_arrow(past.aggregate(first=past.moment.min(), last=past.moment.max())).to_pylist()[0]
    first, last = (bounds["first"], bounds["last"]) if bounds["first"] is not None else (before, before)
    offsets = find_offsets(zone, first, last)
    shift: Any = ibis.literal(offsets[-1][1])
    if len(offsets) > 1:
        branches = [(past.moment < until, ibis.literal(offset)) for (_, offset), (until, _) in pairwise(offsets)]
        shift = ibis.cases(*branches, else_=offsets[-1][1])
    category = past.category
    return past.mutate(
        second=(past.moment + shift).cast("int64"),
        is_item=category.notnull() & category.notin(DROPPED).fill_null(False),
    )


def code_items(lines: Table, level: str) -> Table:
    """The distinct items of a level by name, numbered from 0: columns `level` and `<level>_code`."""
    import ibis

    items = lines.filter(lines.is_item).select(level).distinct()
    return items.mutate(**{f"{level}_code": ibis.row_number().over(order_by=items[level]).cast("int32")})


def _offset_at(zone: ZoneInfo, moment: int) -> int:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _find_change(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second of (low, high] with the offset of `high`, by halving."""
    after = _offset_at(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_at(zone, middle) == after:
            high = middle
        else:
            low = middle
    return high
