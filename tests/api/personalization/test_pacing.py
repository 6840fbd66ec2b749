"""Moments by the shop's clock, summer time included; quiet hours, caps and learned moments compose; texts are whole."""

import string
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import comb

import pytest

from api.personalization.candidates import ANTICIPATE, ASSIST, Candidate, Words
from api.personalization.pacing import Pace, Past, find_trust, is_held_out, opened_part
from api.personalization.preferences import preferences_in
from api.personalization.receipt_lines import read_bought_line
from api.personalization.rhythm import (
    DAY_SECONDS,
    OWN_WEEKDAY_DAYS,
    find_gap_days,
    find_own_weekday,
    find_rhythm,
    find_zone,
    is_zone,
    local,
    next_local,
)
from api.personalization.texts import TEMPLATES
from api.personalization.value import BENEFIT_MINUTES, Trust, find_timeliness
from api.receipts.inbox import KeptFeedback, KeptMessage
from ledger.types import Address, Hash, ProgramId
from tests.api.personalization.test_groups import make_facts

NEW_YORK = find_zone("America/New_York", 0)
FAN, PROGRAM = Address(b"F" * 32), ProgramId(b"P" * 32)


def at(text: str) -> int:
    """A time of New York's clock."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp())


def make_candidate(topic: str = "discovery", kind: str = ANTICIPATE, deadline: int = 0) -> Candidate:
    return Candidate(topic, kind, "milk", "", Words(topic), (), 1.0, frozenset(), {}, deadline=deadline)


def make_message(number: int, ready_at: int, topic: str = "replenish") -> KeptMessage:
    document = {"kind": ANTICIPATE}
    return KeptMessage(
        Hash(number.to_bytes(32, "big")), FAN, PROGRAM, topic, ready_at, ready_at, ready_at + 9, False, document
    )


def pace(part: str | None = None, weekday: str | None = None, **said: int) -> Pace:
    return Pace(preferences_in(said), NEW_YORK, part, weekday)


def test_a_weekday_is_the_shops_also_when_summer_time_begins_and_ends() -> None:
    """The clocks of New York went forward on 2017-03-12 and back on 2017-11-05, both at two in the morning."""
    before, after = at("2017-03-11T23:30"), at("2017-03-12T23:30")
    assert after - before == 23 * 3_600
    assert [local(time, NEW_YORK).strftime("%A %H:%M") for time in (before, after)] == [
        "Saturday 23:30",
        "Sunday 23:30",
    ]
    saturdays = [at(f"2017-{day}T15:30") for day in ("02-25", "03-04", "03-11", "03-18", "03-25")]
    rhythm = find_rhythm(saturdays, NEW_YORK)
    assert (rhythm.weekday, rhythm.weekday_share, rhythm.part, rhythm.gap_days) == ("saturday", 1.0, "afternoon", 7.0)
    assert find_rhythm(saturdays, UTC).part_share < 1.0, "by UTC the same hour would change in March"


@pytest.mark.parametrize(
    ("now", "minute", "expected"),
    [
        ("2017-03-11T22:00", 8 * 60, "2017-03-12T08:00"),
        ("2017-03-12T00:30", 150, "2017-03-12T03:30"),
        ("2017-11-05T00:30", 90, "2017-11-05T01:30"),
        ("2017-11-04T08:00", 8 * 60, "2017-11-05T08:00"),
    ],
)
def test_the_next_time_that_a_clock_shows(now: str, minute: int, expected: str) -> None:
    assert next_local(at(now), NEW_YORK, minute) == at(expected)


def test_zones_that_nobody_knows_are_the_programs_offset() -> None:
    assert is_zone("Asia/Seoul") and not is_zone("Mars/Base") and not is_zone("../etc/passwd")
    assert local(0, find_zone("Mars/Base", -300)).hour == 19


def test_a_weekday_is_ones_own_only_where_chance_does_not_explain_it() -> None:
    """The bound is that of the spec, computed anew; two visits of one day are one."""
    for count in range(1, OWN_WEEKDAY_DAYS + 1):
        for on_saturday in range(count + 1):
            saturdays = [datetime(2017, 1, 7, tzinfo=UTC) + timedelta(days=7 * number) for number in range(on_saturday)]
            # the others are spread over Monday to Thursday, as evenly as can be
            others = [
                datetime(2017, 1, 2, tzinfo=UTC) + timedelta(days=7 * (number // 4) + number % 4)
                for number in range(count - on_saturday)
            ]
            if on_saturday <= (count - on_saturday + 3) // 4:
                continue
            chance = 7 * sum(
                Fraction(comb(count, found) * 6 ** (count - found), 7**count) for found in range(on_saturday, count + 1)
            )
            expected = "saturday" if chance < Fraction(1, 100) else None
            assert find_own_weekday(saturdays * 2 + others) == expected
    assert find_own_weekday([]) is None


def test_what_can_wait_waits_for_ones_own_weekday() -> None:
    now = at("2017-06-01T12:00")  # a Thursday
    assert pace(weekday="saturday").find_moment(make_candidate(), (), now) == at("2017-06-03T08:00")
    own = pace("evening", "saturday")
    assert own.find_moment(make_candidate(), (), now) == at("2017-06-03T16:00")
    assert own.find_moment(make_candidate(), (), at("2017-06-03T17:00")) == at("2017-06-03T17:00"), "it is there now"
    assert own.find_moment(make_candidate(), (), at("2017-06-03T20:30")) == at("2017-06-10T16:00")
    assert own.find_moment(make_candidate("replenish"), (), now) == at("2017-06-01T16:00"), (
        "what runs out does not wait"
    )
    assert own.find_moment(make_candidate("how_to", ASSIST), (), now) == at("2017-06-01T16:00"), "help does not wait"
    full = [make_message(1, at("2017-06-03T09:00"))]
    assert own.find_moment(make_candidate(), full, now) == at("2017-06-01T16:00"), "Saturday has no room, so today"
    for days, expected in ((3, "2017-06-01T16:00"), (5, "2017-06-03T16:00")):
        offer = make_candidate("offer_waiting", deadline=now + days * DAY_SECONDS)
        assert own.find_moment(offer, (), now) == at(expected), "two days are left, or it does not wait"


def test_gaps_of_one_day_are_one_visit() -> None:
    assert find_gap_days([]) is None and find_gap_days([5]) is None and find_gap_days([0, 60]) is None
    assert find_gap_days([0, 60, 7 * DAY_SECONDS + 60]) == 7.0


def test_quiet_hours_end_by_the_shops_clock() -> None:
    found = pace().find_moment(make_candidate(), (), at("2017-03-11T22:00"))
    assert found == at("2017-03-12T08:00")
    assert pace(quiet_from=60, quiet_until=120).find_moment(make_candidate(), (), at("2017-03-11T01:30")) == at(
        "2017-03-11T02:00"
    )


def test_a_learned_moment_a_cap_and_quiet_hours_compose() -> None:
    now = at("2017-06-01T09:00")
    assert pace("evening").find_moment(make_candidate(), (), now) == at("2017-06-01T16:00")
    one_today = (make_message(1, at("2017-06-01T10:00")),)
    assert pace("evening").find_moment(make_candidate(), one_today, now) == at("2017-06-02T16:00")
    assert pace("late", quiet_from=21 * 60).find_moment(make_candidate(), one_today, now) == at("2017-06-02T20:00")
    full = tuple(make_message(number, at(f"2017-06-0{number}T10:00")) for number in (1, 2, 3))
    assert pace(day_max=1, week_max=3).find_moment(make_candidate(), full, now) == at("2017-06-08T08:00")


def test_what_ends_soon_does_not_wait_for_the_usual_moment() -> None:
    now = at("2017-06-01T09:00")
    urgent = make_candidate(deadline=now + DAY_SECONDS)
    assert pace("evening").find_moment(urgent, (), now) == now
    assert pace().find_moment(make_candidate(deadline=now + 3_600), (make_message(1, now),), now) is None


def test_one_message_of_a_topic_in_a_week_and_none_by_webhook_beyond_one_a_day() -> None:
    now = at("2017-06-01T09:00")
    said = (make_message(1, at("2017-05-31T09:00"), "discovery"),)
    found = pace(day_max=5).find_moment(make_candidate(), said, now)
    assert found is None or found >= said[0].ready_at + 7 * DAY_SECONDS
    by_webhook = Pace({**preferences_in({}), "channel": "webhook", "day_max": 20, "week_max": 20}, NEW_YORK, None)
    later = by_webhook.find_moment(make_candidate(), (make_message(1, now),), now)
    assert later is not None and local(later, NEW_YORK).day == 2


def test_what_helps_is_not_counted() -> None:
    now = at("2017-06-01T09:00")
    assert pace(day_max=0, week_max=0).find_moment(make_candidate("how_to", ASSIST), (), now) == now


def test_trust_falls_with_silence_and_rises_with_answers() -> None:
    now = at("2017-06-30T09:00")
    told = tuple(make_message(number, now - 9 * DAY_SECONDS) for number in range(4))
    opened = tuple(KeptFeedback(one.id, FAN, PROGRAM, "opened", now, now) for one in told)
    assert find_trust(Past((), ()), now).share == Trust().share == 0.8
    assert find_trust(Past(told, ()), now).share == pytest.approx(4 / 7)
    assert find_trust(Past(told, opened), now).share == pytest.approx(8 / 9)


def test_the_hour_in_which_messages_are_opened_is_learned() -> None:
    moment = at("2017-06-01T20:30")
    opened = tuple(KeptFeedback(Hash(bytes([n]) * 32), FAN, PROGRAM, "opened", moment, moment) for n in range(5))
    assert opened_part(Past((), opened[:4]), NEW_YORK) is None
    assert opened_part(Past((), opened), NEW_YORK) == "late"


def test_about_a_tenth_is_held_out_and_stays_so() -> None:
    facts = [make_facts(number) for number in range(600)]
    drawn = [is_held_out(one, "discovery", 1_800_000_000) for one in facts]
    assert drawn == [is_held_out(one, "discovery", 1_800_000_000 + 3_600) for one in facts]
    assert 0.07 < sum(drawn) / len(drawn) < 0.13
    assert drawn != [is_held_out(one, "replenish", 1_800_000_000) for one in facts]


def test_timeliness_rises_to_the_end_and_is_nothing_after_it() -> None:
    now = 1_800_000_000
    shares = [find_timeliness(make_candidate(deadline=now + days * DAY_SECONDS), now) for days in (60, 14, 7, 1, 0)]
    assert shares == sorted(shares[:4]) + [0.0] and shares[3] == 1.0 and shares[0] == 0.3
    assert find_timeliness(make_candidate(), now) == 0.5


@pytest.mark.parametrize(
    ("line", "item"),
    [
        (("Bread", 2, 498), "Bread"),
        ((1013167, 1, 649, 30, 0), "1013167"),
        (("Bread", 0, 0), None),
        (("Bread", 2), None),
        (("Bread", True, 5), None),
        ("Bread", None),
        ((("a",), 1, 2), None),
        (("", 1, 2), None),
    ],
)
def test_lines_of_other_forms_are_no_lines(line: object, item: str | None) -> None:
    found = read_bought_line(line, {"Bread": "bakery"})  # type: ignore[arg-type] - any value may come
    assert (None if found is None else found.item) == item
    if item == "1013167":
        assert found is not None and found.discount_cents == 30 and found.category == ""


def test_every_topic_has_a_benefit_and_every_text_both_languages() -> None:
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for name, (english, korean) in TEMPLATES.items():
        assert names(english) - {"unit"} == names(korean) - {"unit"}, name
        only_fields = not any(text.strip(": ") for text, _, _, _ in string.Formatter().parse(english))
        assert only_fields or any("가" <= letter <= "힣" for letter in korean), name
        assert english.isascii() is ("“" not in english), name
    assert set(BENEFIT_MINUTES) == {name for name in TEMPLATES if not name.startswith(("why_", "ask_"))}
