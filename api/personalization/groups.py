"""What a brand learns of many fans at once: segments, the reach of a plan, and what messages brought. Never of few, never of one.

A group of fewer than `GROUP_MIN` fans is not told at all, and sizes are rounded down to a multiple of `GROUP_STEP`, so that one fan
more or less is not seen by asking twice. Only fans count whose consent is active in this moment.

However many members a program has, all of them count: a `Tally` is given one fan's figures after the other and keeps sums, and of a
fan a few bytes (its usual basket, for a median), never the fan itself.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import median
from typing import Any, Final, Protocol

from api.personalization.candidates import QUESTION
from api.personalization.catalogue import Catalogue
from api.personalization.facts import FanFacts
from api.personalization.figures import (
    ANSWERS_PART,
    DIMENSIONS,
    MESSAGES_PART,
    VOICE_PART,
    FanFigures,
    figures_at,
    make_row,
)
from api.personalization.pacing import CLICKED, CONVERTED, DISMISSED, HOLDOUT_SHARE, IMPRESSION, OPENED, OPT_OUT, Past
from api.personalization.predictor import Predictor
from api.personalization.profile import Profile, build_profile
from api.personalization.rhythm import DAY_SECONDS
from api.receipts.inbox import Outline

GROUP_MIN: Final = 10
GROUP_STEP: Final = 5
CONVERSION_DAYS: Final = 14
"""A purchase within so many days after a message's moment counts, for who was shown it and for who was held out alike."""
Z_95: Final = 1.959964
YEAR_DAYS: Final = 365
BASKET_CENTS_MAX: Final = 2**62
"""What is kept of a basket in eight bytes."""
LOSS_ASSUMED: Final = 0.1
"""Of a fan's expected value that goes with an opt-out, where too few have opted out to measure it."""
REACHED_DAYS: Final = 90
"""Who shopped or answered in so many days is reached."""


@dataclass(frozen=True, slots=True)
class Fan:
    """One fan of a group with all that it granted, for offers that are drawn: never shown to anybody."""

    profile: Profile
    past: Past
    figures: FanFigures

    @property
    def facts(self) -> FanFacts:
        """What was granted."""
        return self.profile.facts


Group = Iterable[FanFigures]


class Tally(Protocol):
    """Figures of a group, made fan by fan."""

    @property
    def parts(self) -> frozenset[str]:
        """What it needs of a fan besides purchases and preferences: nothing else is read."""
        ...

    def add(self, fan: FanFigures) -> None:
        """Count a fan."""
        ...

    def show(self) -> dict[str, Any]:
        """What may be told of all that were counted."""
        ...


def show_tally(tally: Tally, group: Group) -> dict[str, Any]:
    """What a tally says of a group."""
    for fan in group:
        tally.add(fan)
    return tally.show()


def make_group(
    found: Sequence[tuple[FanFacts, Past]], catalogue: Catalogue, predictor: Predictor, now: int, offset_minutes: int
) -> list[Fan]:
    """Fans with their profiles."""
    return [
        Fan(
            build_profile(facts, catalogue, predictor, now, offset_minutes),
            past,
            figures_at(make_row(facts, catalogue, predictor, offset_minutes), now),
        )
        for facts, past in found
    ]


def show_basket(baskets: "array[int]") -> int:
    """The median of usual baskets in cents, rounded down to 50: as it may be told of enough fans."""
    return int(median(baskets)) // 50 * 50


def show_cents(mean: float) -> int:
    """A mean in cents to two digits, rounded down: as it may be told of enough fans."""
    whole = int(mean)
    step = 10 ** max(len(str(abs(whole))) - 2, 0)
    return whole // step * step


def show_size(count: int) -> int | None:
    """A size as it may be told; None: too few."""
    return None if count < GROUP_MIN else count - count % GROUP_STEP


@dataclass(slots=True)
class Counted:
    """Sums over the fans of one segment: 8 bytes of memory for each fan that bought something."""

    fans: int = 0
    leaving: float = 0.0
    baskets: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, fan: FanFigures) -> None:
        """Count a fan."""
        self.fans += 1
        self.leaving += fan.leaving
        if fan.row.times:
            self.baskets.append(min(fan.row.basket_cents, BASKET_CENTS_MAX))

    def show(self) -> dict[str, Any]:
        """Rounded, so that one fan more is not seen."""
        baskets = self.baskets
        return {
            "median_basket_cents": show_basket(baskets) if len(baskets) >= GROUP_MIN else None,
            "mean_leaving": round(self.leaving / self.fans, 1),
        }


class SegmentsTally:
    """Groups that are large enough, by dimension, the largest first; smaller ones are not even named."""

    parts: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._fans = 0
        self._counted: dict[tuple[str, str], Counted] = {}

    def add(self, fan: FanFigures) -> None:
        """Count a fan."""
        self._fans += 1
        for dimension, name_of in DIMENSIONS.items():
            self._counted.setdefault((dimension, name_of(fan)), Counted()).add(fan)

    def show(self) -> dict[str, Any]:
        """The segments."""
        places = {dimension: place for place, dimension in enumerate(DIMENSIONS)}
        listed = sorted(self._counted.items(), key=lambda found: (places[found[0][0]], -found[1].fans, found[0][1]))
        segments = [
            {"dimension": dimension, "name": name, "fans": show_size(counted.fans), **counted.show()}
            for (dimension, name), counted in listed
            if counted.fans >= GROUP_MIN
        ]
        return {"fans": show_size(self._fans), "minimum": GROUP_MIN, "step": GROUP_STEP, "segments": segments}


def show_segments(group: Group) -> dict[str, Any]:
    """The segments of a group."""
    return show_tally(SegmentsTally(), group)


def is_wanted(fan: FanFigures, wanted: Mapping[str, str | None]) -> bool:
    """Whether a fan's segments are those that are wanted; None wants all."""
    return all(value is None or DIMENSIONS[name](fan) == value for name, value in wanted.items())


@dataclass(slots=True)
class PlanTally:
    """Whom a plan would reach at which cost, before anything is sent or promised.

    Left out are those who switched the topic off or take no messages at all, and the held out tenth; the budget bounds the rest.
    """

    wanted: Mapping[str, str | None]
    topic: str
    points_each: int
    budget_points: int
    now: int
    fans: int = 0
    open_to: int = 0
    active: int = 0
    parts: frozenset[str] = frozenset({ANSWERS_PART})

    def add(self, fan: FanFigures) -> None:
        """Count a fan."""
        if not is_wanted(fan, self.wanted):
            return
        self.fans += 1
        if fan.is_open_to(self.topic):
            self.open_to += 1
            self.active += _is_reached(fan, self.now)

    def show(self) -> dict[str, Any]:
        """Reach and cost."""
        reach = show_size(int(self.active * (1 - HOLDOUT_SHARE)))
        affordable = self.budget_points // self.points_each if self.points_each else None
        limited = reach if reach is None or affordable is None else min(reach, affordable)
        return {
            "segment": show_size(self.fans),
            "open_to_topic": show_size(self.open_to),
            "reach": limited,
            "held_out_share": HOLDOUT_SHARE,
            "cost_points": None if limited is None else limited * self.points_each,
            "budget_points": self.budget_points,
            "budget_suffices": None if reach is None else affordable is None or affordable >= reach,
            "minimum": GROUP_MIN,
        }


def plan_reach(
    group: Group, wanted: Mapping[str, str | None], topic: str, points_each: int, budget_points: int, now: int
) -> dict[str, Any]:
    """Reach and cost of a plan for a group."""
    return show_tally(PlanTally(wanted, topic, points_each, budget_points, now), group)


def _is_reached(fan: FanFigures, now: int) -> bool:
    since = now - REACHED_DAYS * DAY_SECONDS
    bought = bool(fan.row.times) and fan.row.times[-1] >= since
    return bought or fan.answered_at >= since


# --- reports ---


@dataclass(frozen=True, slots=True)
class Arm:
    """Messages of one topic that were shown, or held out: how many, of how many fans, and after how many there was a purchase.

    What is told of it is made of `coarse()`, so that one fan more is not seen.
    """

    messages: int
    fans: int
    converted: int

    def coarse(self) -> "Arm":
        """The same with sizes as they may be told, rounded down to fives."""
        return Arm(*(count - count % GROUP_STEP for count in (self.messages, self.fans, self.converted)))

    @property
    def rate(self) -> float:
        """0 to 1."""
        return self.converted / self.messages if self.messages else 0.0


def wilson_interval(converted: int, count: int) -> tuple[float, float]:
    """The 95 % score interval of a rate (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    rate, z2 = converted / count, Z_95**2
    middle = (rate + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 * sqrt(rate * (1 - rate) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def lift_interval(shown: Arm, held: Arm) -> tuple[float, float]:
    """The 95 % interval of the difference of two rates, from their score intervals (Newcombe 1998, method 10)."""
    low_shown, high_shown = wilson_interval(shown.converted, shown.messages)
    low_held, high_held = wilson_interval(held.converted, held.messages)
    lift = shown.rate - held.rate
    low = lift - sqrt((shown.rate - low_shown) ** 2 + (high_held - held.rate) ** 2)
    high = lift + sqrt((high_shown - shown.rate) ** 2 + (held.rate - low_held) ** 2)
    return low, high


@dataclass(slots=True)
class Answered:
    """Of one topic: messages by whether they were held out (index 1), and how many fans did what with them."""

    messages: list[int] = field(default_factory=lambda: [0, 0])
    fans: list[int] = field(default_factory=lambda: [0, 0])
    converted: list[int] = field(default_factory=lambda: [0, 0])
    said: dict[str, int] = field(default_factory=dict)
    leaving_of_gone: float = 0.0

    def arm(self, *, is_held_out: bool) -> Arm:
        """Those that were shown, or held out."""
        return Arm(self.messages[is_held_out], self.fans[is_held_out], self.converted[is_held_out])


class ReportTally:
    """What messages of each topic brought against the holdout, and what those cost who opted out."""

    parts: frozenset[str] = frozenset({VOICE_PART, MESSAGES_PART})

    def __init__(self, now: int) -> None:
        self._now = now
        self._all = Counted()
        self._critics = 0
        self._valued, self._value_cents = 0, 0.0
        self._topics: dict[str, Answered] = {}

    def add(self, fan: FanFigures) -> None:
        """Count a fan."""
        self._all.add(fan)
        self._critics += fan.is_critic
        times = fan.row.times
        if times:
            days = max((times[-1] - times[0]) / DAY_SECONDS, 30.0)
            self._valued += 1
            self._value_cents += fan.row.spent_cents / days * YEAR_DAYS * (1 - fan.leaving)
        by_topic: dict[str, list[Outline]] = {}
        for message in fan.messages:
            if message.topic != QUESTION:
                by_topic.setdefault(message.topic, []).append(message)
        for topic, messages in by_topic.items():
            self._add_topic(fan, self._topics.setdefault(topic, Answered()), messages)

    def _add_topic(self, fan: FanFigures, found: Answered, messages: Sequence[Outline]) -> None:
        for is_held_out in (False, True):
            mine = [one for one in messages if one.is_held_out == is_held_out]
            ripe = [one for one in mine if one.ready_at + CONVERSION_DAYS * DAY_SECONDS <= self._now]
            found.messages[is_held_out] += len(ripe)
            found.fans[is_held_out] += bool(ripe)
            found.converted[is_held_out] += sum(_is_converted(fan, one) for one in ripe)
        kinds = {kind for message in messages for kind in message.answers}
        for kind in kinds:
            found.said[kind] = found.said.get(kind, 0) + 1
        if OPT_OUT in kinds:
            found.leaving_of_gone += fan.leaving

    def show(self) -> dict[str, Any]:
        """The report."""
        shown = (self._show_topic(topic) for topic in sorted(self._topics))
        return {
            "fans": show_size(self._all.fans),
            "minimum": GROUP_MIN,
            "conversion_days": CONVERSION_DAYS,
            "lifetime_cents": self._lifetime_cents,
            "criticism": {"critics": show_size(self._critics)},
            "topics": [found for found in shown if found is not None],
        }

    @property
    def _lifetime_cents(self) -> int | None:
        """What a fan is expected to spend in a year, times the probability that it stays: the mean, to two digits; None for too few
        fans."""
        return show_cents(self._value_cents / self._valued) if self._valued >= GROUP_MIN else None

    def _show_topic(self, topic: str) -> dict[str, Any] | None:
        found = self._topics[topic]
        shown, held = found.arm(is_held_out=False), found.arm(is_held_out=True)
        if shown.fans < GROUP_MIN:
            return None
        is_told = held.fans >= GROUP_MIN
        shown, held = shown.coarse(), held.coarse()
        lift, interval = None, None
        if is_told:
            lift, interval = round(shown.rate - held.rate, 4), [round(bound, 4) for bound in lift_interval(shown, held)]
        return {
            "topic": topic,
            "fans": show_size(shown.fans),
            "messages": show_size(shown.messages),
            "conversion": round(shown.rate, 4),
            "held_out": {
                "fans": show_size(held.fans),
                "messages": show_size(held.messages),
                "conversion": round(held.rate, 4),
            }
            if is_told
            else None,
            "lift": lift,
            "lift_95": interval,
            "answers": {
                kind: show_size(found.said.get(kind, 0)) for kind in (IMPRESSION, OPENED, CLICKED, CONVERTED, DISMISSED)
            },
            **self._price_of_opt_outs(found, shown, lift),
        }

    def _price_of_opt_outs(self, found: Answered, shown: Arm, lift: float | None) -> dict[str, Any]:
        """What opt-outs cost in expected lifetime value, against what the lift brought: what sells twice may drive off twice."""
        gone, lifetime = found.said.get(OPT_OUT, 0), self._lifetime_cents
        count = show_size(gone)
        if count is None or lifetime is None:
            return {
                "opt_outs": count,
                "opt_out_price_cents": None,
                "loss_share": None,
                "gain_cents": None,
                "net_cents": None,
            }
        stayed = self._all.fans - gone
        loss, is_measured = LOSS_ASSUMED, stayed >= GROUP_MIN
        if is_measured:
            leaving_of_stayed = (self._all.leaving - found.leaving_of_gone) / stayed
            loss = round(max(found.leaving_of_gone / gone - leaving_of_stayed, 0.0), 1)
        price = round(count * lifetime * loss)
        gain = None if lift is None else round(lift * shown.messages * show_basket(self._all.baskets))
        return {
            "opt_outs": count,
            "opt_out_price_cents": price,
            "loss_share": {"share": loss, "rests_on": "measured" if is_measured else "assumed"},
            "gain_cents": gain,
            "net_cents": None if gain is None else gain - price,
        }


def show_report(group: Group, now: int) -> dict[str, Any]:
    """What messages brought in a group."""
    return show_tally(ReportTally(now), group)


def _is_converted(fan: FanFigures, message: Outline) -> bool:
    times = fan.row.times
    after = bisect_right(times, message.ready_at)
    return after < len(times) and times[after] <= message.ready_at + CONVERSION_DAYS * DAY_SECONDS
