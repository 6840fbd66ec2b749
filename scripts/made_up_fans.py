"""Fans made up from a seed, as the files of an export: to see what becomes of the costs when there are ten times more of them.

    facts = write_fans(folder, 10_000, seed=7)      an export in the folder; promotions as tables beside it
    facts = open_made_up(folder)

What is planted, and can be found again: a fan has one of a few tastes, and of it a handful of habits, products that it buys again
and again; the rest is what others of its taste buy. It has a rhythm of its own, two days of the week, and one day it may leave.
Whoever has a habit in a promotion's categories redeems more often. Fans are made bucket by bucket, each from a seed of its own, so
one bucket is in memory at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy
import pyarrow
import pyarrow.parquet

from api.personalization.export import BUCKETS
from api.personalization.sources import (
    COUPONS_SCHEMA,
    FANS_SCHEMA,
    MANIFEST,
    MANIFEST_FORMAT,
    PURCHASES_SCHEMA,
    REDEEMED_SCHEMA,
    SENT_SCHEMA,
    Facts,
    open_facts,
)

Array = numpy.ndarray[Any, Any]
Columns = dict[str, Array]

DAY_SECONDS: Final = 86_400
ZONE: Final = "Asia/Seoul"
ZONE_SECONDS: Final = 9 * 3600
FIRST_DAY: Final = date(2026, 1, 1)
AS_OF: Final = date(2026, 7, 1)
"""Half a year of purchases before it, and four weeks after it, to judge by."""
PROGRAM: Final = "5e" * 32
DAYS: Final = 209
CATEGORIES: Final = 120
PRODUCTS: Final = 2_400
TASTES: Final = 12
HABITS: Final = 6
HABIT_SHARE: Final = 0.65
BASKETS_MEAN: Final = 8.0
"""In the half year before AS_OF."""
LINES_MEAN: Final = 4.0
LEAVING_SHARE: Final = 0.3
PROMOTION_DAYS: Final = (40, 60, 80, 100, 120, 140, 185, 195)
"""From FIRST_DAY on; the last two start after AS_OF."""
SENT_SHARE: Final = 0.1
PROMOTED_CATEGORIES: Final = 6
PROMOTION_FILES: Final = {"sent": SENT_SCHEMA, "coupons": COUPONS_SCHEMA, "redeemed": REDEEMED_SCHEMA}


@dataclass(frozen=True, slots=True)
class Shop:
    """What all buckets share. Categories and products are by number; `shares` (tastes, products) sum to 1 in each row."""

    category_of: Array
    shares: Array
    promoted: Array
    """Of each promotion its categories."""


def write_fans(folder: Path, fans: int, seed: int) -> Facts:
    """An export of so many made-up fans, with promotions beside it. The same bytes for the same numbers."""
    shop = _make_shop(numpy.random.default_rng([seed, BUCKETS]))
    ids = _number_fans(fans, seed)
    promotions: dict[str, list[Columns]] = {name: [] for name in PROMOTION_FILES}
    for bucket in range(BUCKETS):
        members = ids[ids % BUCKETS == bucket]
        generator = numpy.random.default_rng([seed, bucket])
        tastes = generator.integers(0, TASTES, len(members))
        habits = _draw_products(generator, shop, numpy.repeat(tastes, HABITS)).reshape(-1, HABITS)
        _write_purchases(folder, bucket, _buy(generator, shop, members, tastes, habits))
        bases = generator.integers(1, 2**62, len(members))
        _write(folder / "fans" / f"bucket-{bucket:02}.parquet", FANS_SCHEMA, {"household_id": members, "basis": bases})
        for name, columns in _promote(generator, shop, members, habits).items():
            promotions[name].append(columns)
    numbers = numpy.repeat(numpy.arange(1, len(shop.promoted) + 1), PRODUCTS)
    products = numpy.tile(numpy.arange(PRODUCTS), len(shop.promoted))
    is_promoted = (shop.category_of[products][:, None] == shop.promoted[numbers - 1]).any(axis=1)
    offered = {"campaign_id": numbers[is_promoted], "product": _name("item", products[is_promoted])}
    promotions["coupons"].append(offered)
    for name, schema in PROMOTION_FILES.items():
        columns = {column: numpy.concatenate([part[column] for part in promotions[name]]) for column in schema}
        _write(folder / f"{name}.parquet", schema, columns)
    read_at = int(datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC).timestamp())
    manifest = {"format": MANIFEST_FORMAT, "version": 1, "zone": ZONE, "buckets": {}, "program": PROGRAM}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"read_at": read_at}), encoding="utf-8")
    return open_made_up(folder)


def open_made_up(folder: Path) -> Facts:
    """The export and its promotions, which an export of a node has none of."""
    facts = open_facts(folder)
    connection: Any = facts.connection
    tables = {name: connection.read_parquet(str(folder / f"{name}.parquet")) for name in PROMOTION_FILES}
    return replace(facts, **tables)


def _make_shop(generator: numpy.random.Generator) -> Shop:
    """Each taste likes some categories much more than others; within a category a few products sell best."""
    category_of = numpy.arange(PRODUCTS) % CATEGORIES
    common = 1.0 / (1.0 + generator.permutation(CATEGORIES)) ** 0.7
    liked = generator.gamma(0.35, size=(TASTES, CATEGORIES)) * common
    within = 1.0 / (1.0 + numpy.arange(PRODUCTS) // CATEGORIES) ** 0.8
    shares = (liked + 0.02 * common)[:, category_of] * within
    promoted = numpy.stack([generator.choice(CATEGORIES, PROMOTED_CATEGORIES, replace=False) for _ in PROMOTION_DAYS])
    return Shop(category_of, shares / shares.sum(axis=1, keepdims=True), promoted)


def _number_fans(fans: int, seed: int) -> Array:
    """Distinct household ids over all 63 bits, sorted, as those of addresses are. A round of splitmix64 is one to one."""
    mixed = numpy.arange(1, fans + 1, dtype=numpy.uint64) + numpy.uint64(seed << 32)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> numpy.uint64(shift))) * numpy.uint64(factor)
    return numpy.unique((mixed >> numpy.uint64(1)).astype(numpy.int64))


def _draw_products(generator: numpy.random.Generator, shop: Shop, tastes: Array) -> Array:
    """A product for each of these tastes."""
    drawn, found = generator.random(len(tastes)), numpy.zeros(len(tastes), dtype=numpy.int64)
    for taste in range(TASTES):
        mine = tastes == taste
        found[mine] = numpy.cumsum(shop.shares[taste]).searchsorted(drawn[mine])
    return numpy.minimum(found, PRODUCTS - 1)


def _buy(generator: numpy.random.Generator, shop: Shop, members: Array, tastes: Array, habits: Array) -> Columns:
    """One row per line. A fan is here from a day on, comes again after gaps of its own, and some leave."""
    count = len(members)
    half = (AS_OF - FIRST_DAY).days
    gaps = numpy.clip(half / BASKETS_MEAN * generator.gamma(6.0, 1 / 6, count), 2.0, half / 2)
    most = numpy.ceil(DAYS / gaps).astype(numpy.int64) + 1
    fan = numpy.repeat(numpy.arange(count), most)
    steps = gaps[fan] * generator.uniform(0.5, 1.5, len(fan))
    starts = numpy.cumsum(most) - most
    steps[starts] *= generator.random(count)
    walked = numpy.cumsum(steps)
    day = walked - numpy.repeat(walked[starts] - steps[starts], most)
    favourite = generator.integers(0, 7, (count, 2))
    lean = favourite[fan, generator.integers(0, 2, len(fan))]
    day = numpy.where(generator.random(len(fan)) < 0.6, numpy.floor(day / 7) * 7 + lean, numpy.floor(day))
    until = numpy.where(generator.random(count) < LEAVING_SHARE, generator.uniform(0, DAYS, count), DAYS)
    stays = (day < until[fan]) & (day < DAYS)
    fan, day = fan[stays], day[stays].astype(numpy.int64)
    hour = numpy.clip(generator.normal((9 + members % 10)[fan], 2.0), 0.0, 23.9)
    moment = _first_moment() + day * DAY_SECONDS + (hour * 3600).astype(numpy.int64)
    lines = 1 + generator.poisson(LINES_MEAN - 1, len(fan))
    basket = numpy.repeat(numpy.arange(len(fan)), lines)
    buyer = fan[basket]
    usual = habits[buyer, generator.integers(0, HABITS, len(basket))]
    fresh = _draw_products(generator, shop, tastes[buyer])
    product = numpy.where(generator.random(len(basket)) < HABIT_SHARE, usual, fresh)
    return {
        "household_id": members[buyer],
        "basket_id": generator.integers(1, 2**62, len(fan))[basket],
        "moment": moment[basket],
        "product": product,
        "category": shop.category_of[product],
        "quantity": 1 + generator.poisson(0.2, len(basket)),
        "cents": 100 + product % 900,
        "shop_discount": numpy.where(generator.random(len(basket)) < 0.2, 20, 0),
        "coupon_discount": numpy.where(generator.random(len(basket)) < 0.03, 50, 0),
    }


def _promote(generator: numpy.random.Generator, shop: Shop, members: Array, habits: Array) -> dict[str, Columns]:
    """Who was sent each promotion, and who of them redeemed."""
    keenness = generator.normal(-3.0, 1.0, len(members))
    found: dict[str, list[Columns]] = {"sent": [], "redeemed": []}
    for number, (start, categories) in enumerate(zip(PROMOTION_DAYS, shop.promoted, strict=True), start=1):
        to = numpy.flatnonzero(generator.random(len(members)) < SENT_SHARE)
        fits = numpy.isin(shop.category_of[habits[to]], categories).sum(axis=1)
        did = to[generator.random(len(to)) < 1.0 / (1.0 + numpy.exp(-keenness[to] - 1.5 * fits))]
        day = (FIRST_DAY - date(1970, 1, 1)).days + start
        kind = numpy.full(len(to), "Type A" if number % 2 else "Type B", dtype=object)
        campaign = numpy.full(len(to), number)
        sent = {"household_id": members[to], "campaign_id": campaign, "kind": kind}
        found["sent"].append(sent | {"start_day": numpy.full(len(to), day)})
        days = day + generator.integers(0, 10, len(did))
        found["redeemed"].append({"household_id": members[did], "campaign_id": campaign[: len(did)], "day": days})
    return {
        name: {column: numpy.concatenate([part[column] for part in parts]) for column in parts[0]}
        for name, parts in found.items()
    }


def _write_purchases(folder: Path, bucket: int, lines: Columns) -> None:
    """A file for each local month, sorted as an export is."""
    local = (lines["moment"] + ZONE_SECONDS).astype("datetime64[s]")
    months = local.astype("datetime64[M]")
    order = numpy.lexsort((lines["basket_id"], lines["moment"], lines["household_id"], months))
    months = months[order]
    for month in numpy.unique(months):
        of_month = order[months == month]
        part = {name: values[of_month] for name, values in lines.items()}
        part |= {"product": _name("item", part["product"]), "category": _name("shelf", part["category"])}
        _write(folder / "purchases" / f"month={month}" / f"bucket-{bucket:02}.parquet", PURCHASES_SCHEMA, part)


def _name(kind: str, numbers: Array) -> Array:
    names = numpy.array([f"{kind} {number:04}" for number in range(PRODUCTS)], dtype=object)
    return names[numbers]


def _write(path: Path, kinds: dict[str, str], columns: Columns) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in kinds.items()])
    arrays = [pyarrow.array(columns[name], type=schema.field(name).type) for name in kinds]
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), path, compression="zstd")


def _first_moment() -> int:
    return (FIRST_DAY - date(1970, 1, 1)).days * DAY_SECONDS - ZONE_SECONDS
