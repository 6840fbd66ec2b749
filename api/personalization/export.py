"""Purchases as a folder of Parquet files: what features are read from, on this machine or on a bigger one.

    export.json                               format, version, program, zone of the shops, when it was read, state of each bucket
    purchases/month=2026-01/bucket-07.parquet one file per local month and bucket of fans
    fans/bucket-07.parquet                    of each fan what stands here, as one number (see `basis`)

A fan's rows stand in one bucket, so that to erase a fan touches one file a month. Files are a function of the purchases alone: rows
sorted, no time of writing. So an export that is brought up to date equals a new one byte for byte, and what did
not change is not written again. A file that holds nobody any more is deleted. A bucket whose files are being written has no
fingerprint, so a run that was cut off is made good by the next one.

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

from api.personalization.basis import find_basis
from api.personalization.errors import EXPORT_OTHER, EXPORT_ZONE, PersonalizationError
from api.personalization.extra import require_extra
from api.personalization.sources import FANS_SCHEMA, MANIFEST, MANIFEST_FORMAT, PURCHASES_SCHEMA, read_manifest
from api.wallet.whole_file import write_whole

if TYPE_CHECKING:
    import pyarrow

BUCKETS: Final = 16
NUMBER_BYTES: Final = 8
FOLDER: Final = "purchases"
FANS_FOLDER: Final = "fans"
UNKNOWN: Final = ""
"""The fingerprint of a bucket whose files are being written."""


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


def order_fans(fans: Iterable[bytes]) -> list[bytes]:
    """Each once, in the order in which an update reads them: a bucket after the other."""
    return sorted(set(fans), key=lambda fan: (find_bucket(number_fan(fan)), fan))


def update_export(
    folder: Path,
    zone: str,
    fans: Iterable[bytes],
    read_purchases: Callable[[bytes], Iterable[Bought]],
    *,
    program: str = "",
    read_at: int = 0,
) -> Written:
    """Let the export hold exactly these fans' purchases, by address; one bucket is in memory at a time.

    `read_at`: what the node received from then on is not among them. Raises PersonalizationError personalization.extra_missing,
    personalization.export_zone, personalization.export_other, personalization.file_damaged (a manifest that is there and unusable),
    OSError.
    """
    local = check_export(folder, zone, program)
    manifest = read_manifest(folder) if (folder / MANIFEST).exists() else {}
    fingerprints: dict[str, str] = dict(manifest.get("buckets", {})) if manifest.get("zone") == zone else {}
    _sweep(folder)
    by_bucket: list[list[bytes]] = [[] for _ in range(BUCKETS)]
    for fan in order_fans(fans):
        by_bucket[find_bucket(number_fan(fan))].append(fan)
    counts = {"fans": 0, "purchases": 0, "written": 0, "unchanged": 0, "deleted": 0}
    head = {"zone": zone, "program": program, "read_at": read_at}
    for bucket, members in enumerate(by_bucket):
        bought = [(fan, sorted(read_purchases(fan), key=lambda one: (one.moment, one.receipt))) for fan in members]
        counts["fans"] += sum(bool(found) for _, found in bought)
        counts["purchases"] += sum(len(found) for _, found in bought)
        fingerprint = _fingerprint(bought)
        if fingerprints.get(str(bucket)) == fingerprint:
            counts["unchanged"] += len(list(_list_files(folder, bucket)))
            continue
        _write_manifest(folder, {**head, "buckets": {**fingerprints, str(bucket): UNKNOWN}})
        _write_bucket(folder, bucket, bought, local, counts)
        fingerprints[str(bucket)] = fingerprint
    _write_manifest(folder, {**head, "buckets": fingerprints})
    return Written(**counts)


def check_export(folder: Path, zone: str, program: str = "") -> ZoneInfo:
    """Whether an export may be written there; its zone. Raises as `update_export`, before anything is read or written."""
    require_extra()
    local = _read_zone(zone)
    if folder.exists() and not folder.is_dir():
        raise PersonalizationError(EXPORT_OTHER, path=str(folder), found="is a file")
    if (folder / MANIFEST).exists():
        if read_manifest(folder)["program"] != program:
            raise PersonalizationError(EXPORT_OTHER, path=str(folder), found="holds the export of another program")
    elif folder.is_dir() and any(folder.iterdir()):
        raise PersonalizationError(EXPORT_OTHER, path=str(folder), found="holds other files, and no export")
    return local


def _sweep(folder: Path) -> None:
    """Delete what a run that was cut off had not finished: such files hold fans, too."""
    for path in (*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp"), *folder.glob("*/*/.*.tmp")):
        path.unlink(missing_ok=True)


def delete_fans(folder: Path, households: Iterable[int]) -> int:
    """Take these fans' rows out of every file, at once; returns how many rows were there. What remains is written anew.

    Raises PersonalizationError personalization.file_missing, personalization.file_damaged, OSError.
    """
    require_extra()
    manifest = read_manifest(folder)
    gone, deleted = set(households), 0
    fingerprints = dict(manifest["buckets"])
    buckets = sorted({find_bucket(household) for household in gone})
    # Unknown from now on: the next update writes these buckets again.
    _write_manifest(folder, {**manifest, "buckets": {**fingerprints, **{str(bucket): UNKNOWN for bucket in buckets}}})
    for bucket in buckets:
        deleted += sum(_take_out(path, gone) for path in _list_files(folder, bucket))
        fans = _fans_file(folder, bucket)
        if fans.exists():
            _take_out(fans, gone)
    return deleted


def _fans_file(folder: Path, bucket: int) -> Path:
    return folder / FANS_FOLDER / f"bucket-{bucket:02}.parquet"


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
        is_new = _put(path, _encode_rows(listed, PURCHASES_SCHEMA))
        counts["written" if is_new else "unchanged"] += 1
        old.discard(path)
    for path in old:
        _put(path, None)
        counts["deleted"] += 1
    bases = [(number_fan(fan), find_basis(_items_of(one) for one in found)) for fan, found in bought if found]
    if bases or _fans_file(folder, bucket).exists():
        _put(_fans_file(folder, bucket), _encode_rows(sorted(bases), FANS_SCHEMA) if bases else None)


def _items_of(one: Bought) -> tuple[bytes, list[str]]:
    return one.receipt, [item.product for item in one.items]


def _encode_rows(rows: Sequence[tuple[Any, ...]], kinds: dict[str, str]) -> bytes:
    import pyarrow

    columns = dict(zip(kinds, zip(*rows, strict=True), strict=True))
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in kinds.items()])
    return _encode(pyarrow.table({name: list(values) for name, values in columns.items()}, schema=schema))


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


def _write_manifest(folder: Path, said: dict[str, Any]) -> None:
    document = {**said, "format": MANIFEST_FORMAT, "version": 1}
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / MANIFEST, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())


def _read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise PersonalizationError(EXPORT_ZONE, zone=name) from None


def _number(data: bytes) -> int:
    return int.from_bytes(sha256(data).digest()[:NUMBER_BYTES], "big") >> 1
