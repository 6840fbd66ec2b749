"""Small made folders with the files and columns of the Complete Journey data."""

from collections.abc import Sequence
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


def write_purchases(folder: Path, lines: Sequence[Purchase], redemptions: Sequence[tuple[int, int, str]] = ()) -> Path:
    """Both files in `folder`, which is returned; redemptions are (household, coupon, day)."""
    rows = [make_line(line, product) for product, line in enumerate(lines, start=100)]
    write_rows(folder / "transactions.parquet", rows, LINE_COLUMNS)
    coupons = [
        {
            "household_id": household,
            "coupon_upc": coupon,
            "campaign_id": 3,
            "redemption_date": datetime.fromisoformat(day),
        }
        for household, coupon, day in redemptions
    ]
    write_rows(folder / "coupon_redemptions.parquet", coupons, REDEMPTION_COLUMNS)
    return folder
