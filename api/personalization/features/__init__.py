"""Features: what the models see of purchases, as Ibis expressions on DuckDB or Spark, each of them strictly before one cut.

`Features(facts, as_of)` reads the purchases before local midnight of `as_of` once into a sorted table; nothing of that day or later
is in it, so nothing later can leak. A cut is local seconds since 1970-01-01 local; models are trained at earlier cuts with the same
expressions, and their truth is what happened between such a cut and `as_of`.

Weights that fade with age are whole numbers (units of 2**-30), so that sums do not depend on their order. Whole numbers are divided
by whole numbers: a literal with a point is a decimal to Spark, and so would be what is divided by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from api.personalization.engines import Table, blame_file, discard, fetch_arrow, fetch_value, keep
from api.personalization.errors import FILE_DAMAGED, NO_HISTORY, PersonalizationError
from api.personalization.features.lines import (
    DAY_SECONDS,
    code_items,
    count_days,
    find_midnight,
    name_day,
    select_lines,
)
from api.personalization.sources import Facts

if TYPE_CHECKING:
    import numpy

    Columns = dict[str, numpy.ndarray[Any, Any]]

LEVELS: Final = ("category", "product")
CATALOGUE_HOUSEHOLDS_MIN: Final = 20
"""An item is ranked if so many households bought it: what one fan alone buys is nobody else's suggestion."""


@dataclass(frozen=True, slots=True)
class Features:
    """The purchases before `as_of`, and what they are described by. Make it with `open_features`."""

    facts: Facts
    as_of: date
    lines: Table
    """household_id, basket_id, second, product, category (codes, null for what is no item), quantity, cents, discounts."""
    baskets: Table
    """household_id, basket_id, second, cents, shop_discount, coupon_discount, item_count; one row each, sorted."""
    coupons: Table
    """campaign_id and product (code) of what each promotion has coupons for."""
    names: dict[str, tuple[str, ...]] = field(repr=False)
    households: numpy.ndarray[Any, Any] = field(repr=False)
    """Every household with a line before `as_of`, sorted int64: rows of matrices are places in it."""
    departments: numpy.ndarray[Any, Any] = field(repr=False)
    """Of each product code its category's code, -1 without."""
    first_second: int
    catalogue_min: int = CATALOGUE_HOUSEHOLDS_MIN

    @property
    def cut(self) -> int:
        """Local seconds of the midnight with which `as_of` begins."""
        return count_days(self.as_of) * DAY_SECONDS

    @property
    def days(self) -> float:
        """Days of history."""
        return (self.cut - self.first_second) / DAY_SECONDS


def open_features(facts: Facts, as_of: date, *, catalogue_min: int = CATALOGUE_HOUSEHOLDS_MIN) -> Features:
    """Read the purchases before local midnight of `as_of`.

    Raises PersonalizationError personalization.no_history, personalization.file_damaged.
    """
    import numpy

    try:
        with blame_file(facts.connection, facts.source):
            return _read(facts, as_of, catalogue_min)
    except (OverflowError, numpy.exceptions.DTypePromotionError) as fault:
        raise PersonalizationError(FILE_DAMAGED, path=facts.source, reason=str(fault)[:200]) from None


def fetch(expression: Table) -> Columns:
    """An expression's rows as arrays by column; null numbers are not-a-number."""
    table = fetch_arrow(expression)
    return {name: table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in table.column_names}


def _read(facts: Facts, as_of: date, catalogue_min: int) -> Features:
    import ibis
    import numpy

    connection = facts.connection
    selected = select_lines(facts.purchases, facts.zone, find_midnight(facts.zone, as_of))
    raw = keep(connection, "raw", selected)
    codes = {level: keep(connection, level, code_items(raw, level)) for level in LEVELS}
    joined = raw.left_join(codes["category"], "category").left_join(codes["product"], "product")
    lines = joined.select(
        "household_id",
        "basket_id",
        "second",
        product=ibis.ifelse(joined.is_item, joined.product_code, ibis.null("int32")),
        category=ibis.ifelse(joined.is_item, joined.category_code, ibis.null("int32")),
        quantity=joined.quantity,
        cents=joined.cents,
        shop_discount=joined.shop_discount,
        coupon_discount=joined.coupon_discount,
    )
    keys = ("household_id", "second", "basket_id", "product", "quantity", "cents", "shop_discount", "coupon_discount")
    table = keep(connection, "lines", lines.order_by(*keys))
    baskets = table.group_by("household_id", "basket_id").aggregate(
        second=table.second.min(),
        cents=table.cents.sum().cast("int64"),
        shop_discount=table.shop_discount.sum().cast("int64"),
        coupon_discount=table.coupon_discount.sum().cast("int64"),
        item_count=table.category.nunique(),
    )
    baskets = keep(connection, "baskets", baskets.order_by("household_id", "second", "basket_id"))
    offered = facts.coupons.inner_join(codes["product"], "product")
    offered = offered.select("campaign_id", product=offered.product_code).distinct()
    coupons = keep(connection, "coupons", offered.order_by("campaign_id", "product"))
    discard(connection, raw)
    households = fetch(baskets.select("household_id").distinct().order_by("household_id"))["household_id"]
    if len(households) == 0:
        first = fetch_value(facts.purchases.moment.min())
        shown = "nowhere" if first is None else name_day(first // DAY_SECONDS).isoformat()
        raise PersonalizationError(NO_HISTORY, as_of=as_of.isoformat(), first=shown)
    names = {
        level: tuple(fetch(codes[level].order_by(f"{level}_code").select(level))[level].tolist()) for level in LEVELS
    }
    first_second = int(fetch_value(table.second.min()))
    return Features(
        facts=facts,
        as_of=as_of,
        lines=table,
        baskets=baskets,
        coupons=coupons,
        names=names,
        households=households.astype(numpy.int64),
        departments=_find_categories(table, len(names["product"])),
        first_second=first_second,
        catalogue_min=catalogue_min,
    )


def _find_categories(lines: Table, products: int) -> numpy.ndarray[Any, Any]:
    """The category of each product; where lines disagree, the least code."""
    import numpy

    items = lines.filter(lines.product.notnull())
    found = fetch(items.group_by("product").aggregate(category=items.category.min()).order_by("product"))
    categories = numpy.full(products, -1, dtype=numpy.int64)
    categories[found["product"]] = found["category"]
    return categories
