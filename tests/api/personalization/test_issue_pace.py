"""When, how often and whether at all, and what it brought: each number of the rule is held from both sides (issue 8, 5 and 7)."""

from dataclasses import replace

import pytest

from api.personalization.candidates import ANTICIPATE, ASSIST, Candidate, Words
from api.personalization.groups import plan_reach, show_report
from api.personalization.messages import decide, find_part, shown_now
from api.personalization.pacing import Pace, Past, find_trust, is_held_out
from api.personalization.preferences import preferences_in
from api.personalization.rhythm import find_zone
from api.personalization.value import Trust, find_value
from api.receipts.inbox import KeptFeedback, KeptMessage
from ledger.types import Hash
from tests.api.personalization.test_groups import NOW as GROUPS_NOW
from tests.api.personalization.test_groups import make_facts as facts_of_groups
from tests.api.personalization.test_groups import make_fan
from tests.support.memory_chain import DAY_SECONDS
from tests.support.scenes import FAN, NOW, PROGRAM, make_catalogue, make_facts, make_product, make_purchase, make_scene

UTC = find_zone("UTC", 0)
ROOM = {"quiet_from": 0, "quiet_until": 0, "day_max": 20, "week_max": 100}


def make_message(number: int, ready_at: int, topic: str = "") -> KeptMessage:
    found = Hash(number.to_bytes(32, "big"))
    named = topic or f"topic{number}"
    return KeptMessage(found, FAN, PROGRAM, named, ready_at, ready_at, ready_at + 9, False, {"kind": ANTICIPATE})


def said(message: KeptMessage, kind: str, at: int = NOW) -> KeptFeedback:
    return KeptFeedback(message.id, FAN, PROGRAM, kind, at, at)


def make_candidate(deadline: int = 0, *scopes: str, kind: str = ANTICIPATE) -> Candidate:
    return Candidate(
        "discovery", kind, "milk", "", Words("discovery"), (), 1.0, frozenset(scopes), {}, deadline=deadline
    )


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], 4 / 5),
        (["opened"], 5 / 6),
        (["opened", "clicked", "converted"], 5 / 6),
        (["dismissed"], 4 / 6),
        (["opt_out"], 4 / 7),
        (["dismissed", "opt_out"], 4 / 8),
        (["opened", "dismissed"], 5 / 7),
        (["impression"], 4 / 5),
    ],
)
def test_trust_is_four_and_the_good_of_five_the_good_and_the_bad(kinds: list[str], expected: float) -> None:
    message = make_message(1, NOW - DAY_SECONDS)
    past = Past((message,), tuple(said(message, kind) for kind in kinds))
    assert find_trust(past, NOW).share == pytest.approx(expected)


@pytest.mark.parametrize(("seconds", "expected"), [(3 * DAY_SECONDS - 1, 4 / 5), (3 * DAY_SECONDS, 4 / 5.5)])
def test_a_message_is_ignored_after_three_days_also_if_it_was_seen(seconds: int, expected: float) -> None:
    message = make_message(1, NOW - seconds)
    for feedback in ((), (said(message, "impression"),)):
        assert find_trust(Past((message,), feedback), NOW).share == pytest.approx(expected)
    held = replace(message, is_held_out=True)
    assert find_trust(Past((held,), ()), NOW).share == pytest.approx(4 / 5), "what was held out says nothing of trust"


def test_value_is_trust_times_gain_less_effort_and_data() -> None:
    value = find_value(make_candidate(0, "receipts", "behaviour"), Trust(1, 1), NOW)
    assert value.minutes == pytest.approx(5 / 7 * 1.0 * 0.5 * 12.0 - 1.0 - 0.4, abs=1e-3)


@pytest.mark.parametrize(
    ("channel", "day_max", "most"), [("inbox", 20, 20), ("stream", 20, 5), ("webhook", 20, 1), ("stream", 2, 2)]
)
def test_a_channel_takes_so_many_a_day_whatever_the_fan_allows(channel: str, day_max: int, most: int) -> None:
    pace = Pace({**preferences_in(ROOM), "day_max": day_max, "channel": channel}, UTC, None)
    told = [make_message(number, NOW) for number in range(most)]
    assert pace.find_moment(make_candidate(), told[:-1], NOW) == NOW
    later = pace.find_moment(make_candidate(), told, NOW)
    assert later is not None and later == NOW + DAY_SECONDS // 2, "the next day begins at midnight"


@pytest.mark.parametrize(("ago", "has_room"), [(6, False), (7, True)])
def test_a_week_is_seven_days_of_the_calendar(ago: int, has_room: bool) -> None:
    pace = Pace({**preferences_in(ROOM), "week_max": 1}, UTC, None)
    found = pace.find_moment(make_candidate(), [make_message(1, NOW - ago * DAY_SECONDS)], NOW)
    assert (found == NOW) is has_room


@pytest.mark.parametrize(("days", "waits"), [(2, False), (2.1, True)])
def test_what_ends_within_two_days_does_not_wait_for_the_fans_part_of_the_day(days: float, waits: bool) -> None:
    pace = Pace(preferences_in(ROOM), UTC, "evening")
    found = pace.find_moment(make_candidate(NOW + int(days * DAY_SECONDS)), (), NOW)
    assert found == (NOW + 4 * 3_600 if waits else NOW)


def test_nothing_is_decided_for_later_than_a_week_and_what_helps_is_not_counted() -> None:
    full = [make_message(number, NOW + number * DAY_SECONDS) for number in range(8)]
    pace = Pace({**preferences_in(ROOM), "day_max": 1}, UTC, None)
    assert pace.find_moment(make_candidate(), full, NOW) is None
    assert pace.find_moment(make_candidate(kind=ASSIST), full, NOW) == NOW
    assert pace.find_moment(make_candidate(), full[:6], NOW) == NOW + 11 * DAY_SECONDS // 2


@pytest.mark.parametrize(("days", "is_turn"), [(7, True), (6.99, False), (-1, False)])
def test_a_topic_has_its_turn_a_week_after_its_last_moment(days: float, is_turn: bool) -> None:
    pace = Pace(preferences_in(ROOM), UTC, None)
    last = make_message(1, NOW - int(days * DAY_SECONDS), "discovery")
    assert (pace.find_moment(make_candidate(), [last], NOW) == NOW) is is_turn


def test_the_holdout_is_drawn_anew_after_four_weeks() -> None:
    facts = [facts_of_groups(number) for number in range(300)]
    span = 28 * DAY_SECONDS
    begin = NOW // span * span
    drawn = [is_held_out(one, "discovery", begin) for one in facts]
    assert drawn == [is_held_out(one, "discovery", begin + span - 1) for one in facts]
    assert drawn != [is_held_out(one, "discovery", begin + span) for one in facts]


def test_the_part_of_the_day_is_as_answered_else_of_opens_else_of_visits() -> None:
    visits = [make_purchase(7 * number, "bread") for number in range(5)]
    evening = NOW + 5 * 3_600
    past = Past((), tuple(said(make_message(number, NOW), "opened", evening) for number in range(5)))
    seen = Past((), tuple(said(make_message(number, NOW), "impression", evening) for number in range(5)))
    scene = make_scene(make_facts(*visits), make_catalogue())
    assert find_part(scene, past) == "evening" and find_part(scene, seen) == "afternoon"
    assert find_part(make_scene(make_facts(*visits[:4])), seen) is None, "four visits are too few"
    answered = make_scene(make_facts(*visits, said={"part_of_day": "night"}))
    assert find_part(answered, past) == "night"


# --- what it brought ---


@pytest.mark.parametrize(("days_after", "is_converted"), [(14, True), (14.01, False), (0, False), (0.01, True)])
def test_a_purchase_within_14_days_is_a_conversion(days_after: float, is_converted: bool) -> None:
    """The message of a made fan was ready 30 days ago."""
    fans = [make_fan(number, 200, 30 - days_after) for number in range(10)]
    (topic,) = show_report(fans, GROUPS_NOW)["topics"]
    assert topic["conversion"] == float(is_converted)


def test_what_sells_twice_and_drives_off_twice_is_seen() -> None:
    """All buy who were shown it and none who were held out; but who opted out does not come back."""
    shown = [make_fan(number, 60, 58, 56, 29.5, opts_out=number < 30) for number in range(60)]
    held = [make_fan(number, 60, 58, 56, held=True) for number in range(60, 90)]
    gone = [replace(fan, leaving=1.0) for fan in shown[:30]]
    stayed = [replace(fan, leaving=0.0) for fan in (*shown[30:], *held)]
    report = show_report([*gone, *stayed], GROUPS_NOW)
    (topic,) = report["topics"]
    assert topic["lift"] == 1.0 and topic["gain_cents"] > 0
    assert topic["loss_share"] == {"share": 1.0, "rests_on": "measured"}
    assert topic["opt_out_price_cents"] == 30 * report["lifetime_cents"]
    assert topic["net_cents"] == topic["gain_cents"] - topic["opt_out_price_cents"] < 0


def test_of_nine_critics_nothing_is_told_and_of_fourteen_that_there_are_ten() -> None:
    def count(critics: int) -> int | None:
        fans = [make_fan(number, 5, critic=number < critics) for number in range(30)]
        found: int | None = show_report(fans, GROUPS_NOW)["criticism"]["critics"]
        return found

    assert [count(number) for number in (0, 9, 10, 14, 15)] == [None, None, 10, 10, 15]


@pytest.mark.parametrize(("days", "is_reached"), [(89, True), (91, False)])
def test_who_was_not_there_for_ninety_days_is_not_reached(days: int, is_reached: bool) -> None:
    fans = [make_fan(number, days) for number in range(40)]
    found = plan_reach(fans, {}, "discovery", 0, 0, GROUPS_NOW)
    assert found["open_to_topic"] == 40 and found["reach"] == (35 if is_reached else None)


def test_what_helps_is_told_before_what_sells() -> None:
    """Whatever either is worth, and whichever was decided later."""
    catalogue = make_catalogue(
        make_product("coffee", pairs_with=("milk",), how_to={"en": "Grind it."}), make_product("milk")
    )
    scene = make_scene(make_facts(make_purchase(1, "coffee"), said=dict(ROOM)), catalogue)
    fresh = decide(scene, Past((), ())).fresh
    assert [one.topic for one in fresh] == ["how_to", "discovery"]
    values = [one.document["value"]["value_minutes"] for one in fresh]
    assert values[0] < values[1], "it is not the value that puts it first"
    past = Past((fresh[0], replace(fresh[1], is_held_out=False)), ())
    later = replace(scene, now=NOW + 3_600)
    assert [one.topic for one in shown_now(later, decide(later, past), past)] == ["how_to", "discovery"]
