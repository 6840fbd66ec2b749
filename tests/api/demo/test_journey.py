"""The purchases: counts of the real data, the window at each midnight, the shift, and data that cannot be used."""

import importlib.util
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.demo import journey
from api.demo.journey import Journey, JourneyError
from ledger.errors import Code
from ledger.types import Timestamp
from tests.support.parquet_purchases import LINE_COLUMNS, make_line, write_purchases, write_rows

AS_OF = Timestamp(1_795_305_600)  # 2026-11-22T00:00:00Z
WEEK = 7 * 86_400


@pytest.fixture(scope="module")
def year() -> Journey:
    return journey.load_journey(as_of=AS_OF)


def expect_code(code: Code, folder: Path, *, weeks: int | None = None, as_of: int = AS_OF) -> JourneyError:
    """Loading must fail with `code`."""
    with pytest.raises(JourneyError) as caught:
        journey.load_journey(as_of=Timestamp(as_of), weeks=weeks, data_dir=folder)
    assert caught.value.code == code
    return caught.value


def test_whole_year_has_the_published_counts(year: Journey) -> None:
    assert (len(year.list_households()), len(year.baskets), year.line_count) == (2_469, 155_848, 1_469_307)
    assert (journey.HOUSEHOLDS, journey.BASKETS, journey.LINES) == (2_469, 155_848, 1_469_307)
    assert sum(basket.line_count for basket in year.baskets) == year.line_count
    assert len({basket.basket_id for basket in year.baskets}) == len(year.baskets)
    assert len(year.redemptions) == 2_102
    assert year.weeks == 53


def test_whole_year_money(year: Journey) -> None:
    assert sum(basket.net for basket in year.baskets) == sum(year.line_columns[2].tolist()) == 459_603_958
    assert sum(basket.net == 0 for basket in year.baskets) == 478
    assert sum(basket.points == 0 for basket in year.baskets) == 491
    assert sum(year.sum_points().values()) == 45_886_891
    for basket in year.baskets[::1000]:
        lines = year.lines_of(basket)
        assert len(lines) == basket.line_count > 0
        assert sum(line.sales for line in lines) == basket.net


def test_whole_year_is_in_the_order_of_time_and_ends_in_the_last_week(year: Journey) -> None:
    keys = [(basket.time, basket.basket_id) for basket in year.baskets]
    assert keys == sorted(keys)
    assert AS_OF - WEEK < year.baskets[-1].time <= AS_OF
    assert year.shift_seconds % WEEK == 0
    assert year.baskets[-1].time - year.shift_seconds == 1_514_779_280  # 2018-01-01T04:01:20Z
    times = [redemption.time for redemption in year.redemptions]
    assert times == sorted(times)


def test_four_weeks() -> None:
    four = journey.load_journey(as_of=AS_OF, weeks=4)
    assert (len(four.list_households()), len(four.baskets), four.line_count) == (2_014, 11_756, 114_253)
    assert len(four.redemptions) == 226
    assert sum(four.sum_points().values()) == 3_733_228


def test_periods_hold_each_basket_once(year: Journey) -> None:
    seen, periods = 0, list[int]()
    for period, households in year.iterate_periods():
        periods.append(period)
        for household, baskets in households.items():
            seen += len(baskets)
            assert {basket.household_id for basket in baskets} == {household}
            assert {journey.find_period(basket.time) for basket in baskets} == {period}
    assert seen == len(year.baskets)
    assert periods == sorted(set(periods))


def test_period_turns_at_midnight_before_monday_of_the_fixed_offset() -> None:
    monday = Timestamp(int(datetime(2026, 11, 16, 5, tzinfo=UTC).timestamp()))
    assert journey.find_period(Timestamp(monday - 1)) == journey.find_period(Timestamp(monday - WEEK))
    assert journey.find_period(monday) == journey.find_period(Timestamp(monday - 1)) + 1
    assert journey.find_period(Timestamp(0), offset_minutes=0, anchor_day=0) == 0
    assert journey.find_period(Timestamp(86_400), period_days=1, offset_minutes=0, anchor_day=0) == 1


def test_four_weeks_are_four_periods() -> None:
    assert len(list(journey.load_journey(as_of=AS_OF, weeks=4).iterate_periods())) == 4


def test_windows_begin_at_local_midnight_of_the_time_zone_table() -> None:
    zone = ZoneInfo("America/New_York")
    for weeks in range(1, 54):
        midnight = datetime.combine(date(2018, 1, 1) - timedelta(days=7 * weeks), time(), zone)
        assert journey.find_window_start(weeks) == midnight.timestamp(), weeks


@pytest.mark.parametrize(
    ("weeks", "inside", "outside"),
    [
        (4, "2017-12-04T05:00:00", "2017-12-04T04:59:59"),  # standard time
        (8, "2017-11-06T05:00:00", "2017-11-06T04:59:59"),  # the first Monday after summer time
        (9, "2017-10-30T04:00:00", "2017-10-30T03:59:59"),  # summer time
        (42, "2017-03-13T04:00:00", "2017-03-13T03:59:59"),  # the first Monday of summer time
        (43, "2017-03-06T05:00:00", "2017-03-06T04:59:59"),
        (1, "2018-01-01T04:59:59", "2018-01-01T05:00:00"),
    ],
)
def test_window_edges(tmp_path: Path, weeks: int, inside: str, outside: str) -> None:
    lines = [(1, 10, "2017-12-31T12:00:00", 1.0), (1, 11, inside, 2.0), (1, 12, outside, 4.0)]
    loaded = journey.load_journey(as_of=AS_OF, weeks=weeks, data_dir=write_purchases(tmp_path, lines))
    assert {basket.basket_id for basket in loaded.baskets} == {10, 11}


def test_redemptions_keep_their_local_day_in_window_and_shift(tmp_path: Path) -> None:
    lines = [(1, 10, "2017-12-31T12:00:00", 1.0)]
    days = [
        (1, 5, "2017-12-24"),
        (2, 6, "2017-12-25"),
        (2, 4, "2017-12-25"),
        (1, 7, "2017-12-31"),
        (1, 8, "2018-01-01"),
    ]
    loaded = journey.load_journey(as_of=AS_OF, weeks=1, data_dir=write_purchases(tmp_path, lines, days))
    assert [redemption.coupon_upc for redemption in loaded.redemptions] == [4, 6, 7]
    noon = datetime(2017, 12, 25, 17, tzinfo=UTC).timestamp()
    assert loaded.redemptions[0].time == noon + loaded.shift_seconds


@given(last=st.integers(0, 2**33), as_of=st.integers(0, 2**33))
def test_shift_is_whole_weeks_and_ends_in_the_last_seven_days(last: int, as_of: int) -> None:
    shift = journey.find_shift(last, as_of)
    assert shift % WEEK == 0
    assert as_of - WEEK < last + shift <= as_of


def test_lines_are_rounded_to_cents_one_by_one_and_kept_in_order(tmp_path: Path) -> None:
    when = "2017-12-31T12:00:00"
    lines = [
        (1, 10, when, 0.29),
        (2, 9, when, 1.15),
        (1, 10, when, 0.57),
        (1, 10, when, 1.776357e-15),
        (2, 9, when, 0.0),
    ]
    loaded = journey.load_journey(as_of=AS_OF, weeks=1, data_dir=write_purchases(tmp_path, lines))
    first, second = loaded.baskets
    assert (first.basket_id, first.net, first.points) == (9, 115, 11)
    assert (second.basket_id, second.net, second.points) == (10, 86, 8)
    assert [line.product_id for line in loaded.lines_of(second)] == [100, 102, 103]
    assert [line.sales for line in loaded.lines_of(second)] == [29, 57, 0]
    assert loaded.lines_of(second)[0].shop_discount == 10
    assert loaded.lines_of(second)[0].coupon_discount == 30
    assert loaded.sum_points() == {1: 8, 2: 11}
    assert [list(households) for _, households in loaded.iterate_periods()] == [[2, 1]]


def test_the_data_package_is_not_imported() -> None:
    folder = journey.find_data_folder()
    assert folder.name == "data"
    assert folder.joinpath("transactions.parquet").is_file()
    assert journey.find_data_folder(Path("elsewhere")) == Path("elsewhere")


def test_missing_data_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(JourneyError) as caught:
        journey.load_journey(as_of=AS_OF)
    assert caught.value.code == journey.DATA_MISSING


@pytest.mark.parametrize("weeks", [0, -1, 54])
def test_bad_weeks(tmp_path: Path, weeks: int) -> None:
    expect_code(journey.BAD_WEEKS, tmp_path, weeks=weeks)


@pytest.mark.parametrize("as_of", [-1, 0, 2**40 + 1])
def test_bad_time(tmp_path: Path, as_of: int) -> None:
    expect_code(journey.BAD_TIME, tmp_path, as_of=as_of)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    expect_code(journey.FILE_MISSING, tmp_path)
    path = tmp_path / "transactions.parquet"
    for data in (b"", b"PAR1", b"x" * 1000):
        path.write_bytes(data)
        expect_code(journey.FILE_DAMAGED, tmp_path)
    path.unlink()
    path.mkdir()
    expect_code(journey.FILE_DAMAGED, tmp_path)


def test_truncated_file(tmp_path: Path) -> None:
    path = write_purchases(tmp_path, [(1, 10, "2017-12-31T12:00:00", 1.0)]) / "transactions.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    expect_code(journey.FILE_DAMAGED, tmp_path)


def test_no_basket_in_the_window(tmp_path: Path) -> None:
    expect_code(journey.NO_BASKETS, write_purchases(tmp_path, [(1, 10, "2017-06-01T12:00:00", 1.0)]), weeks=4)
    expect_code(journey.NO_BASKETS, write_purchases(tmp_path, []))


@pytest.mark.parametrize("dollars", [-0.01, 0.005, float("nan"), float("inf"), 1e12])
def test_values_that_are_no_cents(tmp_path: Path, dollars: float) -> None:
    folder = write_purchases(tmp_path, [(1, 10, "2017-12-31T12:00:00", dollars)])
    assert "sales_value" in str(expect_code(journey.FILE_DAMAGED, folder))


@pytest.mark.parametrize("other", [(2, 10, "2017-12-31T12:00:00", 1.0), (1, 10, "2017-12-31T12:00:01", 1.0)])
def test_baskets_that_contradict_themselves(tmp_path: Path, other: tuple[int, int, str, float]) -> None:
    lines = [(1, 10, "2017-12-31T12:00:00", 1.0), other]
    assert "basket" in str(expect_code(journey.FILE_DAMAGED, write_purchases(tmp_path, lines)))


def test_missing_column_gap_and_fraction_of_a_second(tmp_path: Path) -> None:
    row = make_line((1, 10, "2017-12-31T12:00:00", 1.0), 5)
    path = write_purchases(tmp_path, []) / "transactions.parquet"
    write_rows(path, [row], {name: kind for name, kind in LINE_COLUMNS.items() if name != "quantity"})
    assert "no column quantity" in str(expect_code(journey.FILE_DAMAGED, tmp_path))
    write_rows(path, [row | {"store_id": None}], LINE_COLUMNS)
    assert "store_id has gaps" in str(expect_code(journey.FILE_DAMAGED, tmp_path))
    write_rows(path, [row | {"transaction_timestamp": datetime.fromisoformat("2017-12-31T12:00:00.5")}], LINE_COLUMNS)
    expect_code(journey.FILE_DAMAGED, tmp_path)
    write_rows(path, [row | {"product_id": "x"}], LINE_COLUMNS | {"product_id": pyarrow.string()})
    expect_code(journey.FILE_DAMAGED, tmp_path)


def test_too_many_rows_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey, "ROWS_MAX", 1)
    when = "2017-12-31T12:00:00"
    expect_code(journey.FILE_DAMAGED, write_purchases(tmp_path, [(1, 10, when, 1.0), (1, 11, when, 1.0)]))
