from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from api.personalization import extra, sources
from api.personalization.errors import PersonalizationError
from api.personalization.features import fetch, open_features
from api.personalization.features.lines import find_midnight, find_offsets
from api.personalization.sources import open_facts
from tests.support.made_up_year import make_line, make_lines, write_year


def test_fuel_is_fuel_under_both_names_and_coupons_and_wrapping_are_no_items(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    moment = datetime(2017, 1, 3, 15, tzinfo=UTC)
    lines = [make_line(1, 10, product, moment) for product in (1, 901, 902, 903, 904, 905, 906)]
    lines.append(make_line(1, 10, 2, moment, quantity=0))
    features = open_features(open_facts(write_year(tmp_path, lines)), date(2017, 1, 4))
    assert features.names["category"] == ("FUEL", "PET CARE SUPPLIES", "SHELF 00")
    assert features.names["product"] == ("1", "901", "902", "906")
    kept = fetch(features.lines.order_by("product"))
    assert len(kept["product"]) == 7  # a line of quantity 0 is none; those without a category count for visits only


def test_a_day_begins_at_local_midnight_and_its_own_facts_are_not_used(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    before, after = datetime(2017, 7, 2, 3, 59, 59, tzinfo=UTC), datetime(2017, 7, 2, 4, tzinfo=UTC)
    lines = [make_line(1, 10, 1, before), make_line(2, 11, 1, after)]
    facts = open_facts(write_year(tmp_path, lines))
    assert open_features(facts, date(2017, 7, 2)).households.tolist() == [1]
    assert open_features(facts, date(2017, 7, 3)).households.tolist() == [1, 2]


def test_a_part_of_a_second_does_not_reach_the_next_day(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    last = datetime(2017, 7, 2, 3, 59, 59, 999_999, tzinfo=UTC)
    facts = open_facts(write_year(tmp_path, [make_line(1, 10, 1, last)]))
    features = open_features(facts, date(2017, 7, 2))
    assert features.households.tolist() == [1]
    assert features.first_second == features.cut - 1


def test_offsets_follow_summer_time() -> None:
    zone = ZoneInfo("America/New_York")
    first, last = find_midnight(zone, date(2017, 1, 1)), find_midnight(zone, date(2018, 1, 1))
    assert find_offsets(zone, first, last) == [(first, -18_000), (1_489_302_000, -14_400), (1_509_861_600, -18_000)]
    assert find_offsets(ZoneInfo("Asia/Seoul"), first, last) == [(first, 32_400)]
    day = find_midnight(zone, date(2017, 3, 13)) - find_midnight(zone, date(2017, 3, 12))
    assert day == 23 * 3_600


def test_where_midnight_is_skipped_the_day_begins_with_its_first_moment() -> None:
    zone = ZoneInfo("America/Havana")  # 2017-03-12: from midnight to one o'clock
    assert find_midnight(zone, date(2017, 3, 12)) == find_offsets(zone, 1_489_190_400, 1_489_449_600)[1][0]


def test_hours_on_days_of_23_and_25_hours_are_those_of_the_clock(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from api.personalization.features.households import describe_moments

    moments = [(2017, 3, 12, 6, 30), (2017, 3, 12, 7, 30), (2017, 11, 5, 5, 30), (2017, 11, 5, 6, 30)]
    lines = [make_line(1, number, 1, datetime(*moment, tzinfo=UTC)) for number, moment in enumerate(moments)]
    features = open_features(open_facts(write_year(tmp_path, lines)), date(2017, 12, 1))
    hours = fetch(features.baskets.select(hour=(features.baskets.second % 86_400) // 3_600, s="second").order_by("s"))
    assert hours["hour"].tolist() == [1, 3, 1, 1]
    assert set(fetch(describe_moments(features, features.cut))["weekday"].tolist()) == {6}


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PersonalizationError, match=r"file_missing.*transactions"):
        open_facts(tmp_path)
    write_year(tmp_path, make_lines(10))
    (tmp_path / "coupons.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(PersonalizationError, match="file_damaged"):
        open_facts(tmp_path)
    (tmp_path / "coupons.parquet").write_bytes((tmp_path / "products.parquet").read_bytes())
    with pytest.raises(PersonalizationError, match=r"file_damaged.*no column campaign_id"):
        open_facts(tmp_path)
    monkeypatch.setattr(sources, "PACKAGE", "no_such_package")
    with pytest.raises(PersonalizationError, match="data_missing"):
        open_facts(None)
    monkeypatch.setattr(extra, "PACKAGES", {"no_such_module": "no-such-package"})
    with pytest.raises(PersonalizationError, match=r"extra_missing.*no-such-package"):
        open_facts(tmp_path)


def test_pages_that_are_damaged_are_found_when_they_are_read(tmp_path: Path) -> None:
    write_year(tmp_path, make_lines(60))
    path = tmp_path / "transactions.parquet"
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(PersonalizationError, match="file_damaged"):
        open_features(open_facts(tmp_path), date(2017, 2, 1))


def test_a_day_before_the_data_has_no_history(year_folder: Path) -> None:
    for day in (date(1, 1, 1), date(2017, 1, 2)):
        with pytest.raises(PersonalizationError, match=r"no_history.*2017-01-0"):
            open_features(open_facts(year_folder), day)
