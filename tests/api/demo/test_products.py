"""The shop's product feed: what the data says of what was bought, with prices from its lines."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from api.demo.journey import FILE_DAMAGED, FILE_MISSING, JourneyError, load_journey
from api.demo.products import KOREAN, PAIRS, PRODUCTS_FILE, RECALL, RECALLED_CATEGORY, Feeds, load_feeds
from api.http.schemas.products import ProductItem
from ledger.types import Timestamp
from tests.support.parquet_purchases import (
    LINE_COLUMNS,
    PRODUCT_COLUMNS,
    Purchase,
    Sold,
    make_line,
    write_purchases,
    write_rows,
)

AS_OF = Timestamp(1_767_787_200)
EARLIER, LATER = "2017-12-19 15:00:00", "2017-12-27 15:00:00"


def feeds_of(folder: Path, bought: Sequence[tuple[int, str, float]], sold: Sequence[Sold] = ()) -> Feeds:
    """The feeds of lines (product, time, dollars), each a basket of its own; the coupons of a line are 30 cents."""
    baskets: list[Purchase] = [(2, number, time, dollars) for number, (_, time, dollars) in enumerate(bought, start=1)]
    write_purchases(folder, baskets, sold=[(product, "GROCERY", "SOUP", "SOUP", "1 LB") for product, _, _ in bought])
    rows = [make_line(basket, product) for basket, (product, _, _) in zip(baskets, bought, strict=True)]
    write_rows(folder / "transactions.parquet", rows, LINE_COLUMNS)
    if sold:
        described = [dict(zip(PRODUCT_COLUMNS, one, strict=True)) for one in sold]
        write_rows(folder / PRODUCTS_FILE, described, PRODUCT_COLUMNS)
    return load_feeds(load_journey(as_of=AS_OF, weeks=2, data_dir=folder), folder)


def test_the_feed_names_what_was_bought_and_nothing_else(tmp_path: Path) -> None:
    sold: list[Sold] = [
        (100, "GROCERY", "FLUID MILK PRODUCTS", "FLUID MILK  WHITE ONLY", " 1 GA"),
        (101, "DELI", "DELI MEATS", None, None),
        (102, "GROCERY", "COUPON/MISC ITEMS", "STORE COUPON", None),
        (103, "GROCERY", None, None, "5 OZ"),
        (104, "MISCELLANEOUS", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", None),
        (105, "DELI", "DELI SUPPLIES", None, None),
        (999, "GROCERY", "SOUP", "SOUP", "1 LB"),
    ]
    feeds = feeds_of(tmp_path, [(number, LATER, 2.0) for number in range(100, 106)], sold)
    found = {product["item"]: product for product in feeds.first}
    assert found["100"]["names"] == {
        "en": "Fluid milk white only, 1 GA",
        "ko": f"{KOREAN['FLUID MILK PRODUCTS']} (Fluid milk white only, 1 GA)",
    }
    assert found["101"]["names"] == {"en": "Deli meats"}
    assert found["104"]["category"] == "FUEL"
    assert found.keys() == {"100", "101", "104"}, (
        "coupons, a counter's supplies, and what has no category, are no products"
    )
    assert feeds.second == ()


def test_a_price_is_what_one_cost_before_the_last_week_and_news_is_what_fell(tmp_path: Path) -> None:
    bought = [
        (100, EARLIER, 2.70),  # with coupons of 30 cents: 3.00
        (100, LATER, 2.40),  # a tenth less
        (101, EARLIER, 2.70),
        (101, LATER, 2.41),  # not quite
        (102, EARLIER, 2.70),
        (102, LATER, 5.70),
        (103, LATER, 1.70),  # new in the last week
        (104, EARLIER, 9.70),
        (104, "2017-12-20 15:00:00", 4.70),
    ]
    feeds = feeds_of(tmp_path, bought)
    prices = {product["item"]: product["price_cents"] for product in feeds.first}
    assert prices == {"100": 300, "101": 300, "102": 300, "103": 200, "104": 500}
    assert [(product["item"], product["price_cents"]) for product in feeds.second] == [("100", 270)]
    assert all(product["recall"] == {} for product in feeds.second)


def test_what_is_weighed_has_no_news_of_its_price(tmp_path: Path) -> None:
    sold: list[Sold] = [(100, "PRODUCE", "SOUP", "SOUP", "40 LB")]
    assert feeds_of(tmp_path, [(100, EARLIER, 9.7), (100, LATER, 1.7)], sold).second == ()


def test_the_most_bought_product_of_a_category_is_recalled_and_goes_with_others(tmp_path: Path) -> None:
    category, other = PAIRS[0]
    sold: list[Sold] = [
        (100, "GROCERY", RECALLED_CATEGORY, "EGGS", "12 CT"),
        (101, "GROCERY", RECALLED_CATEGORY, "EGGS", "18 CT"),
        (102, "GROCERY", category, "FIRST", "1 LB"),
        (103, "GROCERY", other, "SECOND", "1 LB"),
        (104, "GROCERY", other, "THIRD", "1 LB"),
    ]
    bought = [(number, LATER, 2.0) for number in (100, 101, 101, 102, 103, 104, 104)]
    feeds = feeds_of(tmp_path, bought, sold)
    assert [(product["item"], product["recall"]) for product in feeds.second] == [("101", RECALL)]
    pairs = {product["item"]: product["pairs_with"] for product in feeds.first}
    assert pairs == {"100": [], "101": [], "102": ["104"], "103": ["102"], "104": ["102"]}


def test_what_a_single_household_without_the_app_bought_is_not_named(tmp_path: Path) -> None:
    lines: list[Purchase] = [(1, 1, LATER, 1.0), (2, 2, LATER, 1.0), (3, 3, LATER, 1.0), (1, 4, LATER, 1.0)]
    folder = write_purchases(tmp_path, lines)
    rows = [make_line(line, product) for line, product in zip(lines, (100, 101, 102, 102), strict=True)]
    write_rows(folder / "transactions.parquet", rows, LINE_COLUMNS)
    feeds = load_feeds(load_journey(as_of=AS_OF, weeks=2, data_dir=folder), folder)
    assert [product["item"] for product in feeds.first] == ["101", "102"]


def test_the_node_takes_every_product(tmp_path: Path) -> None:
    sold: list[Sold] = [
        (100, "GROCERY", RECALLED_CATEGORY, "EGGS " * 20, "12 CT"),
        (101, "GROCERY", "SOUP", None, None),
    ]
    feeds = feeds_of(tmp_path, [(100, EARLIER, 9.0), (100, LATER, 2.0), (101, LATER, 0.0)], sold)
    for product in (*feeds.first, *feeds.second):
        assert ProductItem.model_validate(product).item == product["item"]


def test_a_folder_without_products_is_named(tmp_path: Path) -> None:
    (write_purchases(tmp_path, [(1, 1, LATER, 1.0)]) / PRODUCTS_FILE).unlink()
    journey = load_journey(as_of=AS_OF, weeks=2, data_dir=tmp_path)
    with pytest.raises(JourneyError) as caught:
        load_feeds(journey, tmp_path)
    assert caught.value.code is FILE_MISSING
    rows = [{"product_id": None, "department": "", "product_category": "", "product_type": "", "package_size": ""}]
    write_rows(tmp_path / PRODUCTS_FILE, rows, PRODUCT_COLUMNS)
    with pytest.raises(JourneyError) as caught:
        load_feeds(journey, tmp_path)
    assert caught.value.code is FILE_DAMAGED
