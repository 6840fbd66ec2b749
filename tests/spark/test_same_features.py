"""Every feature is the same on Spark as on DuckDB, to the last bit, from files of both kinds."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy
import pytest

from api.personalization.engines import connect_duckdb, fetch_arrow, fetch_value
from api.personalization.errors import PersonalizationError
from api.personalization.export import Bought, BoughtItem, update_export
from api.personalization.features import LEVELS, Features, fetch, open_features
from api.personalization.features.households import describe_moments, fetch_households
from api.personalization.features.lines import DAY_SECONDS, count_days
from api.personalization.features.pairs import fetch_pairs
from api.personalization.features.promotions import fetch_recipients, list_promotions
from api.personalization.features.truth import fetch_baskets, fetch_bought, fetch_first_bought
from api.personalization.sources import open_facts
from tests.support.made_up_year import make_line, make_lines, make_promotions, write_year

Arrays = dict[str, numpy.ndarray[Any, Any]]

YEAR_AS_OF = date(2017, 4, 20)
EXPORT_AS_OF = date(2026, 3, 1)
EXPORT_FROM = datetime(2026, 1, 5, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def year_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Over the change to summer time; with parts of a second on both sides of midnight, no category, and lines of no quantity."""
    edge = datetime(2017, 4, 20, 4, tzinfo=UTC)
    lines = make_lines(110, 40)
    lines += [make_line(1, 7, 1, edge - timedelta(milliseconds=300)), make_line(2, 8, 1, edge)]
    lines += [make_line(3, 9, product, edge - timedelta(days=1), quantity=product % 2) for product in range(895, 905)]
    return write_year(tmp_path_factory.mktemp("year"), lines, make_promotions(40))


@pytest.fixture(scope="module")
def export_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve fans of a shop in Seoul, by week and by habit: households are numbers of 63 bits."""
    fans = [bytes([number]) * 32 for number in range(12)]

    def buy(fan: bytes) -> list[Bought]:
        return [
            Bought(
                fan[:28] + week.to_bytes(4, "big"),
                int(EXPORT_FROM.timestamp()) + (week * 7 + fan[0] % 7) * DAY_SECONDS + fan[0] * 3_000,
                (
                    BoughtItem("빵", "bakery", 1, 100 + fan[0]),
                    BoughtItem("milk", "dairy", 1, 150),
                    BoughtItem("Milk", "" if week % 2 else "dairy", 2, 7),
                )[: 1 + fan[0] % 3],
            )
            for week in range(7 if fan[0] else 0)
        ]

    folder = tmp_path_factory.mktemp("our {fans} [all]? 100%25")
    read_at = int(EXPORT_FROM.timestamp()) + 60 * DAY_SECONDS
    update_export(folder, "Asia/Seoul", fans, buy, program="ab" * 32, read_at=read_at)
    return folder


def collect_all(features: Features) -> Iterator[tuple[str, Arrays]]:
    """Each expression of the features by name, as arrays."""
    yield (
        "what the lines are",
        {
            "households": features.households,
            "departments": features.departments,
            "first": numpy.array([features.first_second]),
            **{level: numpy.array(features.names[level]) for level in LEVELS},
        },
    )
    yield "lines", fetch(features.lines.order_by(*features.lines.columns))
    yield "baskets", fetch(features.baskets.order_by("household_id", "second", "basket_id"))
    yield "coupons", fetch(features.coupons.order_by("campaign_id", "product"))
    earlier = features.cut - 28 * DAY_SECONDS
    for level in LEVELS:
        yield f"pairs, {level}", fetch_pairs(features, level, features.cut)
        rows, items = fetch_bought(features, level, earlier, features.cut)
        yield f"bought, {level}", {"rows": rows, "items": items}
        yield f"first bought, {level}", fetch_first_bought(features, level, earlier)
    yield "households", fetch_households(features, earlier)
    yield "moments", fetch(describe_moments(features, features.cut))
    yield "baskets since", fetch_baskets(features, earlier, features.cut)
    day = count_days(features.as_of)
    for promotion in [one for one in list_promotions(features) if one.start_day < day][-2:]:
        yield f"recipients of {promotion}", fetch_recipients(features, promotion, promotion.start_day)
    if features.facts.fans is not None:
        yield "fans", fetch(features.facts.fans.order_by("household_id"))


def assert_same(spark: Any, folder: Path, as_of: date) -> dict[str, Arrays]:
    """What stands in both; each array with its type, its length and its bits."""
    plain, other = (
        dict(collect_all(open_features(open_facts(folder, connection=connection), as_of)))
        for connection in (connect_duckdb(), spark)
    )
    assert list(plain) == list(other)
    for name, arrays in plain.items():
        assert list(arrays) == list(other[name]), name
        for column, values in arrays.items():
            found = other[name][column]
            assert (found.dtype, found.shape) == (values.dtype, values.shape), f"{name}: {column}"
            if values.dtype == object:
                assert found.tolist() == values.tolist(), f"{name}: {column}"
            elif not column.startswith("fading_"):
                assert found.tobytes() == values.tobytes(), f"{name}: {column}"
            else:
                # exp() is as good as its library: each of a few visits' weights may be the next unit, 2**-30.
                assert numpy.abs(found - values).max(initial=0) <= 9 * 2.0**-30, f"{name}: {column}"
    return plain


def test_a_year_is_the_same(spark: Any, year_folder: Path) -> None:
    found = assert_same(spark, year_folder, YEAR_AS_OF)
    assert len(found["pairs, product"]["item"]) > 100 and len(found["bought, product"]["items"]) > 50
    assert sum(name.startswith("recipients") for name in found) == 2
    assert len(found["coupons"]["product"]) > 10


def test_an_export_is_the_same(spark: Any, export_folder: Path) -> None:
    found = assert_same(spark, export_folder, EXPORT_AS_OF)
    assert found["what the lines are"]["product"].tolist() == ["Milk", "milk", "빵"]
    assert found["fans"]["household_id"].max() > 2**53  # what a floating-point number would spoil
    assert len(found["coupons"]["product"]) == 0


def test_an_aggregate_of_nothing_is_nothing(spark: Any, year_folder: Path) -> None:
    for connection in (connect_duckdb(), spark):
        facts = open_facts(year_folder, connection=connection)
        nothing = facts.purchases.filter(facts.purchases.quantity > 1_000)
        assert fetch_value(nothing.moment.max()) is None
        assert fetch_arrow(nothing.select("household_id")).num_rows == 0
        with pytest.raises(PersonalizationError, match=r"no_history.*2017-01-0"):
            open_features(facts, date(2017, 1, 2))
