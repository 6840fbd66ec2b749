"""The shop's campaigns: which overlap the window, how they move in time, and data that contradicts itself."""

from pathlib import Path

import pytest

from api.demo.brand import COUPONS_PER_MEMBER, offer_coupon
from api.demo.journey import FILE_DAMAGED, FILE_MISSING, Journey, JourneyError, load_journey
from api.demo.promotions import Promotion, load_promotions
from ledger.types import ProgramId, Timestamp
from tests.support.parquet_purchases import Described, write_purchases

AS_OF = Timestamp(1_795_305_600)  # 2026-11-22T00:00:00Z
LINES = [(1, 10, "2017-12-31T12:00:00", 1.0), (2, 11, "2017-12-25T12:00:00", 1.0)]
DAY = 86_400


def load(
    folder: Path, *described: Described, recipients: tuple[tuple[int, int], ...] = (), weeks: int = 1
) -> tuple[Journey, tuple[Promotion, ...]]:
    write_purchases(folder, LINES, described=described, recipients=recipients)
    journey = load_journey(as_of=AS_OF, weeks=weeks, data_dir=folder)
    return journey, load_promotions(journey, folder)


def test_a_campaign_moves_with_the_baskets_and_keeps_its_last_day(tmp_path: Path) -> None:
    journey, (promotion,) = load(
        tmp_path, (5, "Type A", "2017-12-25", "2017-12-26"), recipients=((5, 1), (5, 2), (6, 3))
    )
    assert promotion.closes_at - promotion.opens_at == 2 * DAY
    # Local midnight by the program's fixed offset, five hours behind UTC.
    assert promotion.opens_at - journey.shift_seconds == 1_514_178_000
    assert promotion.recipients == {1, 2}


@pytest.mark.parametrize(
    ("first", "last", "is_found"),
    [
        ("2017-12-01", "2017-12-24", False),  # the window begins on the 25th
        ("2017-12-01", "2017-12-25", True),
        ("2017-12-31", "2018-02-01", True),
        ("2018-01-01", "2018-02-01", False),
    ],
)
def test_only_campaigns_of_the_window_are_there(tmp_path: Path, first: str, last: str, is_found: bool) -> None:
    _, found = load(tmp_path, (5, "Type B", first, last))
    assert len(found) == is_found


def test_what_a_coupon_costs_and_how_many_there_are(tmp_path: Path) -> None:
    described = [
        (number, f"Type {kind}", "2017-12-25", "2017-12-26") for number, kind in ((9, "C"), (2, "A"), (4, "B"))
    ]
    given = tuple((9, household) for household in range(7))
    _, found = load(tmp_path, *described, recipients=given)
    assert [(one.promotion_id, one.price, one.stock, one.tier_min) for one in found] == [
        (2, 100, 1, 0),
        (4, 150, 1, 0),
        (9, 200, 3, 1),
    ]
    reward = offer_coupon(ProgramId(b"p" * 32), found[2])
    assert (reward.name, reward.price, reward.stock, reward.tier_min) == (
        "Coupon of campaign 9, Type C (demo)",
        200,
        3,
        1,
    )
    assert (reward.window.opens_at, reward.window.closes_at) == (found[2].opens_at, found[2].closes_at)
    assert reward.limit == COUPONS_PER_MEMBER


@pytest.mark.parametrize(
    "described",
    [
        [(5, "Type D", "2017-12-25", "2017-12-26")],
        [(5, "Type A", "2017-12-26", "2017-12-25")],
        [(5, "Type A", "2017-12-25", "2017-12-26"), (5, "Type A", "2017-12-25", "2017-12-26")],
    ],
    ids=["type", "days", "twice"],
)
def test_descriptions_that_contradict_themselves_are_refused(tmp_path: Path, described: list[Described]) -> None:
    with pytest.raises(JourneyError) as caught:
        load(tmp_path, *described)
    assert caught.value.code == FILE_DAMAGED


def test_a_redemption_of_an_unknown_campaign_is_refused(tmp_path: Path) -> None:
    write_purchases(tmp_path, LINES, [(1, 7, "2017-12-26", 44)])
    journey = load_journey(as_of=AS_OF, weeks=1, data_dir=tmp_path)
    with pytest.raises(JourneyError) as caught:
        load_promotions(journey, tmp_path)
    assert caught.value.code == FILE_DAMAGED
    assert "campaign 44" in str(caught.value)


@pytest.mark.parametrize("name", ["campaigns.parquet", "campaign_descriptions.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_purchases(tmp_path, LINES)
    (tmp_path / name).unlink()
    with pytest.raises(JourneyError) as caught:
        load_promotions(load_journey(as_of=AS_OF, weeks=1, data_dir=tmp_path), tmp_path)
    assert caught.value.code == FILE_MISSING
    assert caught.value.fields == {"path": str(tmp_path / name)}


def test_the_year_has_its_27_campaigns() -> None:
    journey = load_journey(as_of=AS_OF)
    found = load_promotions(journey)
    assert len(found) == 27
    assert {redemption.campaign_id for redemption in journey.redemptions} <= {one.promotion_id for one in found}
    assert sum(len(one.recipients) for one in found) == 6_589
    assert sorted(one.promotion_id for one in found if one.kind == "Type A") == [8, 13, 18, 27]
