"""A shop's half year in the files of the grocer's year, made up from a seed: habits, tastes, promotions."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pyarrow.parquet

FIRST_DAY = date(2017, 1, 2)
HOUSEHOLDS = 90
CATEGORIES = tuple(f"SHELF {number:02}" for number in range(16))
PRODUCTS_EACH = 2


def make_lines(days: int = 200, households: int = HOUSEHOLDS, seed: int = 1) -> list[dict[str, Any]]:
    """Lines as rows of transactions.parquet, in the order of time."""
    generator = numpy.random.default_rng(seed)
    lines: list[dict[str, Any]] = []
    basket = 1_000
    for household in range(1, households + 1):
        group = household % 4
        gap = 3 + household % 7
        gone_after = days if household % 5 else days // 2
        day = float(generator.integers(0, gap))
        while day < gone_after:
            basket += 1
            moment = datetime(2017, 1, 2, 15, tzinfo=UTC) + timedelta(days=day, hours=float(generator.integers(0, 8)))
            usual = [(group * 4 + step) % len(CATEGORIES) for step in range(3)]
            extra = [int(generator.integers(0, len(CATEGORIES)))] if generator.random() < 0.3 else []
            for category in dict.fromkeys(usual + extra):
                if generator.random() < 0.8:
                    product = category * PRODUCTS_EACH + (household + category) % PRODUCTS_EACH + 1
                    lines.append(make_line(household, basket, product, moment, coupon=generator.random() < 0.1))
            day += gap * float(generator.uniform(0.6, 1.4))
    return sorted(lines, key=lambda line: (line["transaction_timestamp"], line["basket_id"], line["product_id"]))


def make_line(
    household: int, basket: int, product: int, moment: datetime, *, quantity: int = 1, coupon: bool = False
) -> dict[str, Any]:
    """One row of transactions.parquet."""
    return {
        "household_id": household,
        "basket_id": basket,
        "product_id": product,
        "quantity": quantity,
        "sales_value": round(1.0 + product / 100, 2),
        "retail_disc": 0.1,
        "coupon_disc": 0.5 if coupon else 0.0,
        "coupon_match_disc": 0.0,
        "transaction_timestamp": moment.replace(tzinfo=None),
    }


def make_products() -> list[dict[str, Any]]:
    """Rows of products.parquet: each category's products, fuel under two names, a coupon, one without category, supplies."""
    rows = [
        {"product_id": number + 1, "department": "GROCERY", "product_category": CATEGORIES[number // PRODUCTS_EACH]}
        for number in range(len(CATEGORIES) * PRODUCTS_EACH)
    ]
    rows += [
        {"product_id": 901, "department": "FUEL", "product_category": "COUPON/MISC ITEMS"},
        {"product_id": 902, "department": "MISC", "product_category": None, "product_type": "GASOLINE-REG UNLEADED"},
        {"product_id": 903, "department": "MISC", "product_category": "COUPON"},
        {"product_id": 904, "department": "MISC", "product_category": None},
        {"product_id": 905, "department": "DELI", "product_category": "DELI SUPPLIES"},
        {"product_id": 906, "department": "GROCERY", "product_category": "PET CARE SUPPLIES"},
    ]
    return [{"product_type": "ANY"} | row for row in rows]


def make_promotions(households: int = HOUSEHOLDS) -> dict[str, list[dict[str, Any]]]:
    """Rows of the four files of promotions: six campaigns, 22 days apart; households of an even number redeem."""
    files: dict[str, list[dict[str, Any]]] = {
        "campaigns": [],
        "campaign_descriptions": [],
        "coupons": [],
        "coupon_redemptions": [],
    }
    for number in range(1, 9):
        start = datetime(2017, 1, 23) + timedelta(days=22 * (number - 1))  # noqa: DTZ001 - the files hold naive times
        files["campaign_descriptions"].append(
            {"campaign_id": number, "campaign_type": "Type A" if number % 2 else "Type B", "start_date": start}
        )
        files["coupons"] += [{"campaign_id": number, "product_id": product} for product in (1, 4, number)]
        for household in range(1 + number % 3, households + 1, 2 if number % 2 else 3):
            files["campaigns"].append({"campaign_id": number, "household_id": household})
            if household % 2 == 0:
                day = start + timedelta(days=3 + household % 5)
                files["coupon_redemptions"].append(
                    {"household_id": household, "campaign_id": number, "redemption_date": day}
                )
    return files


def write_year(
    folder: Path, lines: list[dict[str, Any]], promotions: dict[str, list[dict[str, Any]]] | None = None
) -> Path:
    """The six files in a folder."""
    files = {"transactions": lines, "products": make_products()} | (promotions or make_promotions())
    for name, rows in files.items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder
