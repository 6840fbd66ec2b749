import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from api.personalization.errors import PersonalizationError
from api.personalization.export import (
    Bought,
    BoughtItem,
    delete_fans,
    find_bucket,
    number_basket,
    number_fan,
    update_export,
)
from api.personalization.features import fetch, open_features
from api.personalization.sources import open_facts

ZONE = "Asia/Seoul"
FANS = tuple(bytes([number]) * 32 for number in range(40))
START = datetime(2026, 1, 30, tzinfo=UTC)


def make_purchases(days: int, fans: Iterable[bytes] = FANS) -> dict[bytes, list[Bought]]:
    """Each fan buys two things every fifth day."""
    return {
        fan: [
            Bought(
                receipt=fan[:31] + bytes([day]),
                moment=int((START + timedelta(days=day, hours=fan[0] % 24)).timestamp()),
                items=(BoughtItem("Bread", "BAKERY", 1, 498), BoughtItem(f"Record {day % 3}", "", 2, 1_000, 10, 20)),
            )
            for day in range(fan[0] % 5, days, 5)
        ]
        for fan in fans
    }


def write(folder: Path, purchases: dict[bytes, list[Bought]]) -> tuple[int, int, int]:
    done = update_export(folder, ZONE, purchases, lambda fan: purchases[fan])
    fans = {path.name for path in folder.glob("fans/*")}
    assert fans == {path.name for path in folder.glob("purchases/*/*")}
    return done.written, done.unchanged, done.deleted


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_brought_up_to_date_equals_made_anew(tmp_path: Path) -> None:
    for days in (20, 21, 45, 45):
        write(tmp_path / "grown", make_purchases(days))
    write(tmp_path / "new", make_purchases(45))
    assert read_files(tmp_path / "grown") == read_files(tmp_path / "new")
    assert {path.parent.name for path in (tmp_path / "new").glob("purchases/*/*")} == {
        "month=2026-01",
        "month=2026-02",
        "month=2026-03",
    }


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    purchases = make_purchases(45)
    written, _, _ = write(tmp_path, purchases)
    assert written == len(list(tmp_path.glob("purchases/*/*")))
    assert write(tmp_path, purchases) == (0, written, 0)
    purchases[FANS[3]] = purchases[FANS[3]][:-1]  # its fan marked it as a gift, or erased it
    changed, _, _ = write(tmp_path, purchases)
    assert changed == 1


def test_a_fan_that_is_not_given_any_more_is_gone_from_every_file(tmp_path: Path) -> None:
    write(tmp_path / "a", make_purchases(45))
    fewer = make_purchases(45, FANS[1:])
    write(tmp_path / "a", fewer)
    write(tmp_path / "b", fewer)
    assert read_files(tmp_path / "a") == read_files(tmp_path / "b")
    assert not write(tmp_path / "a", {})[0]
    assert list((tmp_path / "a").glob("purchases/*")) == []


def test_a_deleted_fan_is_in_no_partition_and_no_feature(tmp_path: Path) -> None:
    write(tmp_path, make_purchases(45))
    gone = number_fan(FANS[7])
    rows = sum(len(one.items) for one in make_purchases(45)[FANS[7]])
    assert delete_fans(tmp_path, [gone, 12345]) == rows
    assert delete_fans(tmp_path, [gone]) == 0
    features = open_features(open_facts(tmp_path), date(2026, 4, 1))
    assert len(features.households) == len(FANS) - 1 and gone not in features.households
    assert gone not in fetch(features.lines)["household_id"]
    write(tmp_path, make_purchases(45, [fan for fan in FANS if fan != FANS[7]]))
    write(tmp_path / "new", make_purchases(45, [fan for fan in FANS if fan != FANS[7]]))
    assert read_files(tmp_path / "new") == {
        name: data for name, data in read_files(tmp_path).items() if name[:4] != "new/"
    }


def test_features_of_an_export_are_those_of_its_purchases(tmp_path: Path) -> None:
    purchases = make_purchases(45)
    write(tmp_path, purchases)
    features = open_features(open_facts(tmp_path), date(2026, 4, 1))
    assert features.names["category"] == ("BAKERY",)  # records have no category: they count for visits only
    lines = fetch(features.lines)
    assert len(lines["quantity"]) == 2 * sum(len(found) for found in purchases.values())
    first = purchases[FANS[0]][0]
    own = lines["second"][lines["basket_id"] == number_basket(first.receipt)]
    assert own.tolist() == [first.moment + 9 * 3_600] * 2


def test_an_export_without_anybody_has_no_history(tmp_path: Path) -> None:
    update_export(tmp_path, ZONE, [], lambda fan: [])
    with pytest.raises(PersonalizationError, match="no_history"):
        open_features(open_facts(tmp_path), date(2026, 4, 1))


def test_wrong_zones_and_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PersonalizationError, match="export_zone"):
        update_export(tmp_path, "Mars/Olympus", [], lambda fan: [])
    with pytest.raises(PersonalizationError, match="file_missing"):
        delete_fans(tmp_path, [1])
    write(tmp_path, make_purchases(10))
    good = json.loads((tmp_path / "export.json").read_text())
    for bad in (
        b"{",
        b"[]",
        b"{}",
        json.dumps(good | {"version": 2}).encode(),
        json.dumps(good | {"zone": 3}).encode(),
    ):
        (tmp_path / "export.json").write_bytes(bad)
        with pytest.raises(PersonalizationError, match="file_damaged"):
            open_facts(tmp_path)
    (tmp_path / "export.json").write_text(json.dumps(good | {"zone": "Mars/Olympus"}))
    with pytest.raises(PersonalizationError, match="file_damaged"):
        open_facts(tmp_path)


def test_another_zone_moves_purchases_to_other_months(tmp_path: Path) -> None:
    purchases = make_purchases(45)
    write(tmp_path / "a", purchases)
    update_export(tmp_path / "a", "America/New_York", purchases, lambda fan: purchases[fan])
    update_export(tmp_path / "b", "America/New_York", purchases, lambda fan: purchases[fan])
    assert read_files(tmp_path / "a") == read_files(tmp_path / "b")


def test_numbers_are_whole_and_not_negative() -> None:
    numbers = {number_fan(fan) for fan in FANS}
    assert len(numbers) == len(FANS) and all(0 <= number < 2**63 for number in numbers)
    assert {find_bucket(number) for number in numbers} <= set(range(16))
    one = make_purchases(1)[FANS[0]][0]
    assert number_basket(one.receipt) != number_fan(one.receipt) and replace(one) == one
