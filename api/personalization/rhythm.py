"""When somebody shops, in the shop's own zone, and how long it waits between two purchases of a thing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise
from math import comb
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_SECONDS: Final = 86_400
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PARTS: Final = ("night", "early", "morning", "afternoon", "evening", "late")
"""Of a day: four hours each, from midnight on."""
PURCHASES_FOR_RHYTHM: Final = 5
"""With fewer a weekday says nothing."""
OWN_WEEKDAY_DAYS: Final = 40
"""The latest shopping days by which it is judged whether a fan has a weekday of its own."""
OWN_WEEKDAY_CHANCE: Final = 0.01
"""How often somebody who shops on any weekday alike would be taken to have one."""
GAP_SECONDS_MIN: Final = DAY_SECONDS
"""Purchases of one day are one visit."""


@lru_cache(512)
def find_zone(name: str, offset_minutes: int) -> tzinfo:
    """The zone with this IANA name; where there is none, the program's fixed offset from UTC."""
    if name:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    return timezone(timedelta(minutes=offset_minutes)) if offset_minutes else UTC


def is_zone(name: str) -> bool:
    """Whether this computer knows a zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def local(time: int, zone: tzinfo) -> datetime:
    """A time as the shop's clock shows it, summer time included."""
    return datetime.fromtimestamp(time, zone)


def next_local(after: int, zone: tzinfo, minute: int) -> int:
    """The first time after `after` at which the shop's clock shows this minute of the day.

    A minute that the clocks skip in spring comes one hour later by their new time; one that they repeat in autumn comes once, the
    first time.
    """
    day = local(after, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    for ahead in range(3):
        date = (day + timedelta(days=ahead)).date()
        wall = datetime(date.year, date.month, date.day, minute // 60, minute % 60, tzinfo=zone)
        found = int(wall.astimezone(UTC).timestamp())
        if found > after:
            return found
    raise AssertionError("a minute of the day comes within two days")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`weekday` and `part` are the most frequent ones, None where there is too little. Shares are of all visits.

    `own_weekday`: on which it shops more often than chance explains (see `find_own_weekday`).
    """

    visits: int
    weekday: str | None
    weekday_share: float
    part: str | None
    part_share: float
    gap_days: float | None
    last_at: int
    slots: tuple[tuple[str, str, int], ...]
    own_weekday: str | None = None


def find_rhythm(times: Sequence[int], zone: tzinfo) -> Rhythm:
    """The rhythm of visits, whose times ascend. Weekdays and parts are the shop's."""
    shown = [local(time, zone) for time in times]
    weekdays = Counter(WEEKDAYS[moment.weekday()] for moment in shown)
    parts = Counter(PARTS[moment.hour // 4] for moment in shown)
    slots = Counter((WEEKDAYS[moment.weekday()], PARTS[moment.hour // 4]) for moment in shown)
    is_known = len(times) >= PURCHASES_FOR_RHYTHM
    weekday, part = _most(weekdays), _most(parts)
    return Rhythm(
        visits=len(times),
        weekday=weekday if is_known else None,
        weekday_share=round(weekdays[weekday] / len(times), 2) if is_known else 0.0,
        part=part if is_known else None,
        part_share=round(parts[part] / len(times), 2) if is_known else 0.0,
        gap_days=find_gap_days(times),
        last_at=times[-1] if times else 0,
        slots=tuple(
            (*slot, count) for slot, count in sorted(slots.items(), key=lambda found: (-found[1], found[0]))[:3]
        ),
        own_weekday=find_own_weekday(shown),
    )


def find_own_weekday(shown: Sequence[datetime]) -> str | None:
    """The weekday of most of the latest shopping days, if these are more than chance explains; None: they are not.

    Chance: with days spread evenly, the probability that some weekday has so many (binomial, times seven) is below 1 %.
    """
    days = sorted({moment.date() for moment in shown})[-OWN_WEEKDAY_DAYS:]
    counted = Counter(WEEKDAYS[day.weekday()] for day in days)
    weekday = _most(counted)
    return weekday if counted[weekday] >= _least_of_own_weekday(len(days)) else None


@lru_cache(OWN_WEEKDAY_DAYS + 1)
def _least_of_own_weekday(days: int) -> int:
    """How many of so many days must be of one weekday; more than all of them where that can't be told."""
    above, least = 0.0, days + 1
    while least > 0:
        above += comb(days, least - 1) * 6 ** (days - least + 1) / 7**days
        if above * 7 >= OWN_WEEKDAY_CHANCE:
            return least
        least -= 1
    return 1


def _most(counted: Counter[str]) -> str:
    """The most frequent one; of equal ones the first by name, so that the answer never depends on an order."""
    return min(counted, key=lambda name: (-counted[name], name), default="")


def find_gap_days(times: Sequence[int]) -> float | None:
    """The median of days between visits, those within a day left out; None for fewer than two visits."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    real = [gap for gap in gaps if gap >= GAP_SECONDS_MIN]
    return round(median(real) / DAY_SECONDS, 1) if real else None
