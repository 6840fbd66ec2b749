"""Odd fans, odd feeds, odd clocks: each has an answer, and the same one everywhere (issue 8, bad input)."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.personalization.candidates import ANTICIPATE, Candidate, Words
from api.personalization.messages import recommend
from api.personalization.pacing import Pace
from api.personalization.preferences import preferences_in
from api.personalization.profile import show_profile
from api.personalization.rhythm import PARTS, find_rhythm, local, next_local
from api.receipts.inbox import KeptMessage
from ledger.types import Hash
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import prefer, say
from tests.support.memory_chain import DAY_SECONDS
from tests.support.personal_shop import PersonalShop
from tests.support.scenes import (
    FAN,
    PROGRAM,
    found_in,
    make_catalogue,
    make_facts,
    make_product,
    make_purchase,
    make_scene,
)

MINE = ("profile", "messages", "recommendations", "questions")
ZONES = (
    "America/New_York",
    "Asia/Seoul",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Apia",
    "UTC",
)


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    found = open_at_noon()
    found.feed()
    found.allow("")
    return found


def seen(desk: PersonalShop) -> dict[str, Any]:
    return {what: desk.seen(what) for what in MINE}


def test_a_fan_with_nothing_has_an_empty_answer_of_each_kind(desk: PersonalShop) -> None:
    found = seen(desk)
    profile = found["profile"]
    assert (profile["stage"], profile["leaving"]["probability"], profile["made_by"]["stage"]) == ("new", 0.5, "rules")
    assert profile["items"] == profile["categories"] == [] and profile["rhythm"]["weekday"] is None
    assert profile["price"] == {"median_basket_cents": 0, "discount_share": 0.0, "sensitivity": "unknown"}
    assert found["messages"]["items"] == found["questions"]["items"] == []
    assert found["recommendations"]["discoveries"] == found["recommendations"]["next_basket"] == []


def test_of_one_purchase_no_rhythm_is_claimed_and_nothing_is_due(desk: PersonalShop) -> None:
    prefer(desk)
    desk.buy("coffee")
    found = seen(desk)
    rhythm, (item,) = found["profile"]["rhythm"], found["profile"]["items"]
    assert (rhythm["visits"], rhythm["weekday"], rhythm["part_of_day"], rhythm["gap_days"]) == (1, None, None, None)
    assert (item["id"], item["times"], item["gap_days"]) == ("coffee", 1, None)
    assert found["profile"]["stage"] == "new" and found["recommendations"]["made_by"]["stage"] == "rules"
    assert found["recommendations"]["next_basket"] == [] and found["recommendations"]["discoveries"]
    assert {one["topic"] for one in found["messages"]["items"]} == {"discovery"}


def test_one_item_a_thousand_times_in_one_receipt_is_one_time(desk: PersonalShop) -> None:
    prefer(desk)
    desk.buy("milk", quantity=1_000)
    desk.buy(*["milk"] * 50)
    (item,) = desk.seen("profile")["items"]
    assert (item["times"], item["quantity"], item["gap_days"]) == (2, 1_050, None)
    found = seen(desk)
    assert found["recommendations"]["next_basket"] == [] and found["profile"]["stage"] == "new"


def test_one_item_in_a_thousand_receipts_says_nothing_new_of_it() -> None:
    catalogue = make_catalogue(make_product("milk"), make_product("tea"))
    for gap in (0.001, 1.0):
        facts = make_facts(*(make_purchase(gap * number, "milk") for number in range(1_000)))
        scene = make_scene(facts, catalogue)
        shown = show_profile(scene.profile, catalogue, scene.predictor, "en")
        (item,) = shown["items"]
        assert (item["times"], shown["rhythm"]["visits"], shown["occasion"]["own_purchases"]) == (1_000, 1_000, 1_000)
        found = recommend(scene, "en", 10)
        assert [one["item"] for one in found["discoveries"]] == []
        assert {one["item"] for one in found["next_basket"]} <= {"milk"}
        assert {name.split()[0] for name in found_in(scene)} <= {"replenish"}
        assert 0 <= shown["leaving"]["probability"] <= 1


def test_products_without_a_category_or_a_name_are_items_like_others(desk: PersonalShop) -> None:
    prefer(desk)
    desk.feed([{"item": "x1", "pairs_with": ["x2"]}, {"item": "x2"}, {"item": "x3"}])
    desk.buy_each(["x1", "not in the feed"], times=4, days=7)
    found = seen(desk)
    assert found["profile"]["categories"] == []
    assert {one["id"] for one in found["profile"]["items"]} == {"x1", "not in the feed"}
    assert [(one["item"], one["name"], one["category"]) for one in found["recommendations"]["discoveries"]] == [
        ("x2", "x2", None)
    ]
    assert {one["item"] for one in found["recommendations"]["next_basket"]} == {"x1", "not in the feed"}
    assert not {one["topic"] for one in found["messages"]["items"]} & {"challenge", "new_in_category"}
    assert "receipts/" not in str(found["messages"])


@pytest.mark.parametrize("zone", ZONES)
def test_a_weekly_visit_at_one_hour_has_one_weekday_and_one_part_through_the_year(zone: str) -> None:
    """Both changes of the clock lie in between; by UTC the part of the day would change with them."""
    clock = ZoneInfo(zone)
    times = [
        int(datetime.fromordinal(736_330 + 7 * week).replace(hour=15, minute=30, tzinfo=clock).timestamp())
        for week in range(52)
    ]
    rhythm = find_rhythm(sorted(times), clock)
    assert (rhythm.weekday_share, rhythm.part, rhythm.part_share, rhythm.gap_days) == (1.0, "afternoon", 1.0, 7.0)


@given(st.sampled_from(ZONES), st.integers(1_480_000_000, 1_800_000_000), st.integers(0, 1_439))
@settings(max_examples=300, deadline=None)
def test_the_next_time_that_a_clock_shows_comes_and_is_shown(zone: str, after: int, minute: int) -> None:
    """Within two days; and the clock shows it, but where it skips it: then it is at most an hour later (Apia skipped none here)."""
    clock = ZoneInfo(zone)
    found = next_local(after, clock, minute)
    assert after < found <= after + 2 * DAY_SECONDS
    shown = local(found, clock)
    assert 0 <= shown.hour * 60 + shown.minute - minute <= 60


@given(
    st.sampled_from(ZONES),
    st.integers(1_480_000_000, 1_800_000_000),
    st.integers(0, 1_439),
    st.integers(0, 1_439),
    st.integers(1, 5),
    st.integers(1, 9),
    st.sampled_from((None, *PARTS)),
    st.lists(st.integers(-8 * DAY_SECONDS, 7 * DAY_SECONDS), max_size=12),
)
@settings(max_examples=400, deadline=None)
def test_caps_quiet_hours_and_moments_hold_together_on_every_clock(
    zone: str, now: int, quiet: int, until: int, day_max: int, week_max: int, part: str | None, said: list[int]
) -> None:
    """Whatever is decided lies within a week, outside of quiet hours, on a day and in a week that have room."""
    clock = ZoneInfo(zone)
    past = [message_at(number, now + shift, f"topic{number}") for number, shift in enumerate(said)]
    preferences = preferences_in({"quiet_from": quiet, "quiet_until": until, "day_max": day_max, "week_max": week_max})
    candidate = Candidate("discovery", ANTICIPATE, "milk", "", Words("discovery"), (), 1.0, frozenset(), {})
    found = Pace(preferences, clock, part).find_moment(candidate, past, now)
    if found is None:
        return
    assert now <= found < now + 7 * DAY_SECONDS
    shown = local(found, clock)
    minute = shown.hour * 60 + shown.minute
    is_quiet = quiet <= minute < until if quiet < until else minute >= quiet or minute < until
    assert quiet == until or not is_quiet
    days = [(local(one.ready_at, clock).date() - shown.date()).days for one in past]
    assert days.count(0) < day_max and sum(-6 <= day <= 0 for day in days) < week_max


def message_at(number: int, ready_at: int, topic: str) -> KeptMessage:
    found = Hash(number.to_bytes(32, "big"))
    return KeptMessage(found, FAN, PROGRAM, topic, ready_at, ready_at, ready_at + 9, False, {"kind": ANTICIPATE})


def test_feedback_that_is_repeated_or_of_another_counts_once_or_not_at_all(desk: PersonalShop) -> None:
    prefer(desk)
    desk.buy("coffee")
    (before,) = desk.seen("messages")["items"]
    desk.feed([{"item": "milk"}], whole=False)
    assert [say(desk, before["id"], "opened") for _ in range(5)] == ["taken"] + ["repeated"] * 4
    kept = [one for one in desk.ask("/v1/me/export")["feedback"] if one["kind"] == "opened"]
    assert len(kept) == 1 and say(desk, "0" * 64, "converted") == "unknown"
    (after,) = desk.seen("messages")["items"]
    assert after["value"]["trust"] == round((4 + 1) / (5 + 1), 3), "one opened message, however often it is said"


def test_an_opt_out_is_obeyed_however_late_but_not_of_what_was_never_shown(desk: PersonalShop) -> None:
    prefer(desk)
    assert say(desk, "5f" * 32, "opt_out") == "unknown" and desk.seen("preferences")["off"] == []
    desk.buy("coffee")
    (message,) = desk.seen("messages")["items"]
    desk.pass_time(days=60)
    assert say(desk, message["id"], "clicked") == "late" and desk.seen("preferences")["off"] == []
    assert say(desk, message["id"], "opt_out") == "late", "it is not counted"
    assert desk.seen("preferences")["off"] == [message["topic"]], "and who says stop is obeyed"
