"""Small made folders with the files and columns of the Complete Journey data."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

# (household, basket, naive UTC time, dollars)
Purchase = tuple[int, int, str, float]

LINE_COLUMNS = {
    "household_id": pyarrow.int64(),
    "store_id": pyarrow.int64(),
    "basket_id": pyarrow.int64(),
    "product_id": pyarrow.int64(),
    "quantity": pyarrow.int64(),
    "sales_value": pyarrow.float64(),
    "retail_disc": pyarrow.float64(),
    "coupon_disc": pyarrow.float64(),
    "coupon_match_disc": pyarrow.float64(),
    "transaction_timestamp": pyarrow.timestamp("ns"),
}
REDEMPTION_COLUMNS = {
    "household_id": pyarrow.int64(),
    "coupon_upc": pyarrow.int64(),
    "campaign_id": pyarrow.int64(),
    "redemption_date": pyarrow.timestamp("ns"),
}

DESCRIPTION_COLUMNS = {
    "campaign_id": pyarrow.int64(),
    "campaign_type": pyarrow.string(),
    "start_date": pyarrow.timestamp("ns"),
    "end_date": pyarrow.timestamp("ns"),
}
RECIPIENT_COLUMNS = {"campaign_id": pyarrow.int64(), "household_id": pyarrow.int64()}

PRODUCT_COLUMNS = {
    "product_id": pyarrow.int64(),
    "department": pyarrow.string(),
    "product_category": pyarrow.string(),
    "product_type": pyarrow.string(),
    "package_size": pyarrow.string(),
}

# (product, department, category, type, package size)
Sold = tuple[int, str, str | None, str | None, str | None]

# (campaign, type, first day, last day)
Described = tuple[int, str, str, str]
CAMPAIGN = 3
"""Whose coupons the redemptions of a made folder are, unless they say more."""
DESCRIBED: tuple[Described, ...] = ((CAMPAIGN, "Type A", "2017-12-01", "2018-01-31"),)


def make_line(purchase: Purchase, product: int) -> dict[str, Any]:
    """One row of transactions.parquet."""
    household, basket, time, dollars = purchase
    return {
        "household_id": household,
        "store_id": 7,
        "basket_id": basket,
        "product_id": product,
        "quantity": 1,
        "sales_value": dollars,
        "retail_disc": 0.1,
        "coupon_disc": 0.25,
        "coupon_match_disc": 0.05,
        "transaction_timestamp": datetime.fromisoformat(time),
    }


def write_rows(path: Path, rows: Sequence[dict[str, Any]], columns: dict[str, pyarrow.DataType]) -> None:
    """Rows as a Parquet file of exactly these columns."""
    schema = pyarrow.schema([pyarrow.field(name, kind) for name, kind in columns.items()])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), path)


def write_purchases(
    folder: Path,
    lines: Sequence[Purchase],
    redemptions: Sequence[tuple[int, int, str] | tuple[int, int, str, int]] = (),
    *,
    described: Sequence[Described] = DESCRIBED,
    recipients: Sequence[tuple[int, int]] | None = None,
    sold: Sequence[Sold] = (),
) -> Path:
    """All five files in `folder`, which is returned. `sold` are products that are not the cereal that all others are.

    Redemptions are (household, coupon, day), or with their campaign; `recipients` are (campaign, household), by default every
    household with a purchase for every campaign.
    """
    rows = [make_line(line, product) for product, line in enumerate(lines, start=100)]
    write_rows(folder / "transactions.parquet", rows, LINE_COLUMNS)
    coupons = [
        {
            "household_id": household,
            "coupon_upc": coupon,
            "campaign_id": campaign[0] if campaign else CAMPAIGN,
            "redemption_date": datetime.fromisoformat(day),
        }
        for household, coupon, day, *campaign in redemptions
    ]
    write_rows(folder / "coupon_redemptions.parquet", coupons, REDEMPTION_COLUMNS)
    write_promotions(folder, lines, described, recipients)
    write_products(folder, {row["product_id"] for row in rows}, sold)
    return folder


def write_products(folder: Path, products: Iterable[int], sold: Sequence[Sold]) -> None:
    """What the shop sells."""
    named = {number: (number, "GROCERY", "COLD CEREAL", "ALL FAMILY CEREAL", "16 OZ") for number in products}
    named |= {one[0]: one for one in sold}
    rows = [dict(zip(PRODUCT_COLUMNS, named[number], strict=True)) for number in sorted(named)]
    write_rows(folder / "products.parquet", rows, PRODUCT_COLUMNS)


def write_promotions(
    folder: Path,
    lines: Sequence[Purchase],
    described: Sequence[Described],
    recipients: Sequence[tuple[int, int]] | None,
) -> None:
    """The two files of the shop's campaigns."""
    if recipients is None:
        recipients = [
            (number, household) for number, *_ in described for household in sorted({line[0] for line in lines})
        ]
    rows = [
        {
            "campaign_id": number,
            "campaign_type": kind,
            "start_date": datetime.fromisoformat(first),
            "end_date": datetime.fromisoformat(last),
        }
        for number, kind, first, last in described
    ]
    write_rows(folder / "campaign_descriptions.parquet", rows, DESCRIPTION_COLUMNS)
    given = [{"campaign_id": number, "household_id": household} for number, household in recipients]
    write_rows(folder / "campaigns.parquet", given, RECIPIENT_COLUMNS)
