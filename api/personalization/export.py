"""Purchases as a folder of Parquet files: what features are read from, on this machine or on a bigger one.

    export.json                               format, version, zone of the shops, fingerprint of each bucket
    purchases/month=2026-01/bucket-07.parquet one file per local month and bucket of fans

A fan's rows stand in one bucket, so that to erase a fan touches one file a month. Files are a function of the purchases alone: rows
sorted, no time of writing. So an export that is brought up to date equals a new one byte for byte, and what did
not change is not written again. A file that holds nobody any more is deleted.

This module is given purchases; that a fan consented is decided before, by the consent gate: who is not given any more is erased.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from api.personalization.errors import EXPORT_ZONE, PersonalizationError
from api.personalization.extra import require_extra
from api.personalization.sources import MANIFEST, MANIFEST_FORMAT, PURCHASES_SCHEMA, read_manifest
from api.wallet.whole_file import write_whole

if TYPE_CHECKING:
    import pyarrow

BUCKETS: Final = 16
NUMBER_BYTES: Final = 8
FOLDER: Final = "purchases"


@dataclass(frozen=True, slots=True)
class BoughtItem:
    """One line: discounts are in cents and already taken off `cents`. `category` empty: unknown."""

    product: str
    category: str
    quantity: int
    cents: int
    shop_discount: int = 0
    coupon_discount: int = 0


@dataclass(frozen=True, slots=True)
class Bought:
    """One purchase: the hash of its receipt, when it was (UTC seconds), its lines in their order."""

    receipt: bytes
    moment: int
    items: tuple[BoughtItem, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What an update did to the files."""

    fans: int
    purchases: int
    written: int
    unchanged: int
    deleted: int


def number_fan(address: bytes) -> int:
    """The household id of a fan: 63 bits of a hash of its address, so that no list of fans needs to be kept."""
    return _number(b"fansumer fan " + address)


def number_basket(receipt: bytes) -> int:
    """The basket id of a receipt."""
    return _number(b"fansumer basket " + receipt)


def find_bucket(household: int) -> int:
    """Which file of a month holds a household."""
    return household % BUCKETS


def update_export(
    folder: Path, zone: str, fans: Iterable[bytes], read_purchases: Callable[[bytes], Iterable[Bought]]
) -> Written:
    """Let the export hold exactly these fans' purchases, by address; one bucket is in memory at a time.

    Raises PersonalizationError personalization.extra_missing, personalization.export_zone, personalization.file_damaged (a manifest
    that is there and unusable), OSError.
    """
    require_extra()
    local = _read_zone(zone)
    earlier = read_manifest(folder)["buckets"] if (folder / MANIFEST).exists() else {}
    same_zone = bool(earlier) and read_manifest(folder)["zone"] == zone
    by_bucket: list[list[bytes]] = [[] for _ in range(BUCKETS)]
    for fan in sorted(set(fans)):
        by_bucket[find_bucket(number_fan(fan))].append(fan)
    fingerprints: dict[str, str] = {}
    counts = {"fans": 0, "purchases": 0, "written": 0, "unchanged": 0, "deleted": 0}
    for bucket, members in enumerate(by_bucket):
        bought = [(fan, sorted(read_purchases(fan), key=lambda one: (one.moment, one.receipt))) for fan in members]
        counts["fans"] += sum(bool(found) for _, found in bought)
        counts["purchases"] += sum(len(found) for _, found in bought)
        fingerprint = _fingerprint(bought)
        fingerprints[str(bucket)] = fingerprint
        if same_zone and earlier.get(str(bucket)) == fingerprint:
            counts["unchanged"] += len(list(_list_files(folder, bucket)))
            continue
        _write_bucket(folder, bucket, bought, local, counts)
    _write_manifest(folder, zone, fingerprints)
    return Written(**counts)


def delete_fans(folder: Path, households: Iterable[int]) -> int:
    """Take these fans' rows out of every file, at once; returns how many rows were there. What remains is written anew.

    Raises PersonalizationError personalization.file_missing, personalization.file_damaged, OSError.
    """
    require_extra()
    manifest = read_manifest(folder)
    gone, deleted = set(households), 0
    fingerprints = dict(manifest["buckets"])
    for bucket in sorted({find_bucket(household) for household in gone}):
        for path in _list_files(folder, bucket):
            deleted += _take_out(path, gone)
        # Unknown from now on: the next update reads this bucket again.
        fingerprints[str(bucket)] = ""
    _write_manifest(folder, manifest["zone"], fingerprints)
    return deleted


def _take_out(path: Path, gone: set[int]) -> int:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        table = file.read()
    keep = [household not in gone for household in table["household_id"].to_pylist()]
    rows = len(keep) - sum(keep)
    if rows:
        table = table.filter(pyarrow.array(keep))
        _put(path, _encode(table) if table.num_rows else None)
    return rows


def _write_bucket(
    folder: Path, bucket: int, bought: Sequence[tuple[bytes, list[Bought]]], zone: ZoneInfo, counts: dict[str, int]
) -> None:
    import pyarrow

    rows: dict[str, list[tuple[Any, ...]]] = {}
    for fan, purchases in bought:
        household = number_fan(fan)
        for one in purchases:
            month = datetime.fromtimestamp(one.moment, zone).strftime("%Y-%m")
            basket = number_basket(one.receipt)
            rows.setdefault(month, []).extend(_list_rows(household, basket, one))
    old = set(_list_files(folder, bucket))
    for month, listed in sorted(rows.items()):
        path = folder / FOLDER / f"month={month}" / f"bucket-{bucket:02}.parquet"
        listed.sort(key=lambda row: (row[0], row[2], row[1]))
        columns = dict(zip(PURCHASES_SCHEMA, zip(*listed, strict=True), strict=True))
        schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in PURCHASES_SCHEMA.items()])
        is_new = _put(
            path, _encode(pyarrow.table({name: list(values) for name, values in columns.items()}, schema=schema))
        )
        counts["written" if is_new else "unchanged"] += 1
        old.discard(path)
    for path in old:
        _put(path, None)
        counts["deleted"] += 1


def _list_rows(household: int, basket: int, one: Bought) -> list[tuple[Any, ...]]:
    return [
        (household, basket, one.moment, item.product, item.category or None, item.quantity, item.cents)
        + (item.shop_discount, item.coupon_discount)
        for item in one.items
    ]


def _encode(table: pyarrow.Table) -> bytes:
    import pyarrow.parquet

    buffer = BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _put(path: Path, data: bytes | None) -> bool:
    """Let a file hold these bytes, or be gone; False where it already is so."""
    if data is None:
        path.unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
        return True
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return True


def _list_files(folder: Path, bucket: int) -> Iterable[Path]:
    return sorted((folder / FOLDER).glob(f"month=*/bucket-{bucket:02}.parquet"))


def _fingerprint(bought: Sequence[tuple[bytes, list[Bought]]]) -> str:
    """Over all that is in a bucket's files: the same fingerprint, the same rows."""
    digest = sha256()
    for fan, purchases in bought:
        if purchases:
            digest.update(repr((fan, purchases)).encode())
    return digest.hexdigest()


def _write_manifest(folder: Path, zone: str, fingerprints: dict[str, str]) -> None:
    document = {"format": MANIFEST_FORMAT, "version": 1, "zone": zone, "buckets": fingerprints}
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / MANIFEST, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())


def _read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise PersonalizationError(EXPORT_ZONE, zone=name) from None


def _number(data: bytes) -> int:
    return int.from_bytes(sha256(data).digest()[:NUMBER_BYTES], "big") >> 1
