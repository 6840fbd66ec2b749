"""When something is said, how often, and whether at all: learned moments, quiet hours, caps, back-off, holdout. They compose: a
message gets the first moment that is the fan's own, outside of quiet hours, on a day and in a week that have room; if there is none
before it stops mattering, it is not said. The part of the day is the fan's own; so is the weekday, where its visits show one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from hashlib import sha256
from typing import Any, Final

from api.personalization.candidates import ASSIST, QUESTION, Candidate
from api.personalization.facts import FanFacts
from api.personalization.rhythm import DAY_SECONDS, PARTS, WEEKDAYS, local, next_local
from api.personalization.value import Trust
from api.receipts.inbox import KeptFeedback, KeptMessage

URGENT_SECONDS: Final = 2 * DAY_SECONDS
"""What ends sooner does not wait for the fan's usual moment."""
PART_MINUTES: Final = 240
AHEAD_DAYS_MAX: Final = 7
TOPIC_DAYS: Final = 7
"""One message of a topic in so many days."""
CHANNEL_DAY_MAX: Final = {"inbox": 20, "stream": 5, "webhook": 1}
"""Of a day, whatever the fan allows: what reaches out disturbs more than what lies in an inbox."""
IGNORED_IN_ROW: Final = 3
"""After so many of a topic that were not opened there is no next one, until the fan says something anew."""
IGNORED_AFTER_DAYS: Final = 3
HOLDOUT_SHARE: Final = 0.1
HOLDOUT_DAYS: Final = 28
NEVER_WAITS: Final = frozenset({"recall"})
WAITS_A_WEEK: Final = frozenset(
    {"discovery", "challenge", "near_reward", "near_tier", "made_with_you", "offer_waiting"}
)
"""Topics that are as true, and as welcome, in six days: these wait for the fan's own weekday."""

IMPRESSION: Final = "impression"
OPENED: Final = "opened"
CLICKED: Final = "clicked"
CONVERTED: Final = "converted"
DISMISSED: Final = "dismissed"
OPT_OUT: Final = "opt_out"
FEEDBACK_KINDS: Final = (IMPRESSION, OPENED, CLICKED, CONVERTED, DISMISSED, OPT_OUT)
GOOD: Final = frozenset({OPENED, CLICKED, CONVERTED})


@dataclass(frozen=True, slots=True)
class Past:
    """Messages of one fan and program, by the time at which they were decided, and what it did with each."""

    messages: tuple[KeptMessage, ...]
    feedback: tuple[KeptFeedback, ...]
    _kinds: dict[bytes, frozenset[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.feedback:
            self._kinds[one.message] = self._kinds.get(one.message, frozenset()) | {one.kind}

    def said_of(self, message: KeptMessage) -> frozenset[str]:
        """What the fan did with a message."""
        return self._kinds.get(message.id, frozenset())

    def since(self, time: int) -> list[KeptMessage]:
        """Messages whose moment is not before a time: those that caps count."""
        return [one for one in self.messages if one.ready_at >= time]

    def was_ignored(self, message: KeptMessage, now: int) -> bool:
        """Whether it could be seen for three days, and nothing was done with it; or it was dismissed."""
        said = self.said_of(message)
        if DISMISSED in said:
            return True
        return not said & GOOD and now >= message.ready_at + IGNORED_AFTER_DAYS * DAY_SECONDS


def find_trust(past: Past, now: int) -> Trust:
    """Trust as the formula wants it (see `value`)."""
    good, bad = 0, 0.0
    for message in past.messages:
        if message.is_held_out:
            continue
        said = past.said_of(message)
        good += bool(said & GOOD)
        bad += (DISMISSED in said) + 2 * (OPT_OUT in said)
        bad += 0.5 * (not said - {IMPRESSION} and past.was_ignored(message, now))
    return Trust(good, bad)


def is_backed_off(past: Past, topic: str, now: int, spoke_at: int) -> bool:
    """Whether the last three of a topic were ignored, and the fan said nothing anew since (`spoke_at`)."""
    shown = [one for one in past.messages if one.topic == topic and not one.is_held_out]
    last = shown[-IGNORED_IN_ROW:]
    if len(last) < IGNORED_IN_ROW or spoke_at > last[-1].decided_at:
        return False
    return all(past.was_ignored(one, now) for one in last)


def is_held_out(facts: FanFacts, topic: str, now: int) -> bool:
    """Whether this fan hears nothing of this topic for four weeks, so that what messages do can be measured."""
    span = now // (HOLDOUT_DAYS * DAY_SECONDS)
    drawn = sha256(b"fansumer holdout 1" + facts.fan + facts.program + f"{topic} {span}".encode()).digest()
    return int.from_bytes(drawn[:4], "big") < HOLDOUT_SHARE * 2**32


@dataclass(frozen=True, slots=True)
class Pace:
    """What bounds messages of one fan: preferences, the shop's zone, and when the fan is there: on which weekday, in which part of
    the day, as far as that is known."""

    preferences: dict[str, Any]
    zone: tzinfo
    part: str | None
    weekday: str | None = None

    def find_moment(self, candidate: Candidate, past: Sequence[KeptMessage], now: int) -> int | None:
        """The first moment for a message; what can wait gets the first one on the fan's own weekday, if there is one 2 days before
        it stops mattering. None: there is none in time."""
        if candidate.topic in NEVER_WAITS:
            return now
        if candidate.kind != ASSIST and not self._is_topics_turn(candidate, past, now):
            return None
        ahead = now + AHEAD_DAYS_MAX * DAY_SECONDS
        until = min(candidate.deadline or ahead, ahead)
        if self.weekday is not None and candidate.topic in WAITS_A_WEEK:
            early = min(candidate.deadline - URGENT_SECONDS if candidate.deadline else ahead, ahead)
            own = self._find_moment(candidate, past, now, early, self.weekday)
            if own is not None:
                return own
        return self._find_moment(candidate, past, now, until, None)

    def _find_moment(
        self, candidate: Candidate, past: Sequence[KeptMessage], now: int, until: int, weekday: str | None
    ) -> int | None:
        is_urgent = bool(candidate.deadline) and candidate.deadline - now <= URGENT_SECONDS
        moment = now
        for _ in range(AHEAD_DAYS_MAX + 1):
            if not is_urgent:
                moment = self._own_part(moment)
            moment = self._after_quiet(moment)
            if moment >= until:
                return None
            is_day = weekday in (None, WEEKDAYS[local(moment, self.zone).weekday()])
            if is_day and (candidate.kind == ASSIST or self._has_room(past, moment)):
                return moment
            moment = next_local(moment, self.zone, 0)
        return None

    def _is_topics_turn(self, candidate: Candidate, past: Sequence[KeptMessage], now: int) -> bool:
        """Whether the last of the topic is a week old: nothing is decided while nobody can know whether that one is ignored."""
        return all(now - one.ready_at >= TOPIC_DAYS * DAY_SECONDS for one in past if one.topic == candidate.topic)

    def _own_part(self, moment: int) -> int:
        """Now, if the fan is usually there now; else when it next is."""
        if self.part is None or PARTS[local(moment, self.zone).hour // 4] == self.part:
            return moment
        return next_local(moment, self.zone, PARTS.index(self.part) * PART_MINUTES)

    def _after_quiet(self, moment: int) -> int:
        begin, end = self.preferences["quiet_from"], self.preferences["quiet_until"]
        shown = local(moment, self.zone)
        minute = shown.hour * 60 + shown.minute
        is_quiet = begin <= minute < end if begin < end else (minute >= begin or minute < end)
        return next_local(moment, self.zone, end) if begin != end and is_quiet else moment

    def _has_room(self, past: Sequence[KeptMessage], moment: int) -> bool:
        counted = [one for one in past if one.document.get("kind") not in (ASSIST, QUESTION)]
        day = local(moment, self.zone).date()
        week = day - timedelta(days=6)
        on_day = [one for one in counted if local(one.ready_at, self.zone).date() == day]
        in_week = [one for one in counted if week <= local(one.ready_at, self.zone).date() <= day]
        day_max = min(self.preferences["day_max"], CHANNEL_DAY_MAX[self.preferences["channel"]])
        return len(on_day) < day_max and len(in_week) < self.preferences["week_max"]


def opened_part(past: Past, zone: tzinfo) -> str | None:
    """The part of the day in which the fan opens most messages, once it has opened five."""
    opened = [PARTS[local(one.at, zone).hour // 4] for one in past.feedback if one.kind == OPENED]
    if len(opened) < 5:
        return None
    return min(set(opened), key=lambda part: (-opened.count(part), part))
