"""What a brand learns of many fans at once: segments, the reach of a plan, and what messages brought. Never of few, never of one.

A group of fewer than `GROUP_MIN` fans is not told at all, and sizes are rounded down to a multiple of `GROUP_STEP`, so that one fan
more or less is not seen by asking twice. Only fans count whose consent is active in this moment.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, median
from typing import Any, Final

from api.personalization.catalogue import Catalogue
from api.personalization.facts import FanFacts
from api.personalization.pacing import CLICKED, CONVERTED, DISMISSED, HOLDOUT_SHARE, IMPRESSION, OPENED, OPT_OUT, Past
from api.personalization.predictor import Predictor
from api.personalization.preferences import preferences_in
from api.personalization.profile import NOT_KNOWN, Profile, build_profile
from api.personalization.rhythm import DAY_SECONDS
from api.receipts.inbox import KeptMessage

GROUP_MIN: Final = 10
GROUP_STEP: Final = 5
CONVERSION_DAYS: Final = 14
"""A purchase within so many days after a message's moment counts, for who was shown it and for who was held out alike."""
Z_95: Final = 1.959964
YEAR_DAYS: Final = 365
LOSS_ASSUMED: Final = 0.1
"""Of a fan's expected value that goes with an opt-out, where too few have opted out to measure it."""
REACHED_DAYS: Final = 90
"""Who shopped or answered in so many days is reached."""


@dataclass(frozen=True, slots=True)
class Fan:
    """One fan of a group: never shown to anybody."""

    profile: Profile
    past: Past

    @property
    def facts(self) -> FanFacts:
        """What was granted."""
        return self.profile.facts


Group = Sequence[Fan]


def make_group(
    found: Sequence[tuple[FanFacts, Past]], catalogue: Catalogue, predictor: Predictor, now: int, offset_minutes: int
) -> list[Fan]:
    """Fans with their profiles."""
    return [Fan(build_profile(facts, catalogue, predictor, now, offset_minutes), past) for facts, past in found]


def show_size(count: int) -> int | None:
    """A size as it may be told; None: too few."""
    return None if count < GROUP_MIN else count - count % GROUP_STEP


def _language(fan: Fan) -> str:
    return str(fan.facts.wishes.document.get("language", "en"))


def _category(fan: Fan) -> str:
    return fan.profile.categories[0].name if fan.profile.categories else NOT_KNOWN


DIMENSIONS: Final[Mapping[str, Callable[[Fan], str]]] = {
    "stage": lambda fan: fan.profile.stage,
    "category": _category,
    "language": _language,
    "part_of_day": lambda fan: fan.profile.rhythm.part or NOT_KNOWN,
    "weekday": lambda fan: fan.profile.rhythm.weekday or NOT_KNOWN,
    "price_sensitivity": lambda fan: fan.profile.sensitivity,
}
"""By what fans are grouped; `category` is the one in which a fan bought most lately."""


def show_segments(group: Group) -> dict[str, Any]:
    """Groups that are large enough, by dimension, the largest first; smaller ones are not even named."""
    segments: list[dict[str, Any]] = []
    for dimension, name_of in DIMENSIONS.items():
        members: dict[str, list[Fan]] = {}
        for fan in group:
            members.setdefault(name_of(fan), []).append(fan)
        for name, fans in sorted(members.items(), key=lambda found: (-len(found[1]), found[0])):
            size = show_size(len(fans))
            if size is not None:
                segments.append({"dimension": dimension, "name": name, "fans": size, **_figures(fans)})
    return {"fans": show_size(len(group)), "minimum": GROUP_MIN, "step": GROUP_STEP, "segments": segments}


def _figures(fans: Sequence[Fan]) -> dict[str, Any]:
    baskets = [fan.profile.basket_cents for fan in fans if fan.facts.purchases]
    return {
        "median_basket_cents": int(median(baskets)) // 50 * 50 if len(baskets) >= GROUP_MIN else None,
        "mean_leaving": round(fmean(fan.profile.leaving for fan in fans), 1),
    }


def select(group: Group, wanted: Mapping[str, str | None]) -> list[Fan]:
    """The fans of a group whose segments are those that are wanted; None wants all."""
    named = {name: value for name, value in wanted.items() if value is not None}
    return [fan for fan in group if all(DIMENSIONS[name](fan) == value for name, value in named.items())]


def plan_reach(
    group: Group, wanted: Mapping[str, str | None], topic: str, points_each: int, budget_points: int, now: int
) -> dict[str, Any]:
    """Whom a plan would reach at which cost, before anything is sent or promised.

    Left out are those who switched the topic off or take no messages at all, and the held out tenth; the budget bounds the rest.
    """
    fans = select(group, wanted)
    open_to = [fan for fan in fans if is_open_to(fan, topic)]
    active = [fan for fan in open_to if _is_reached(fan, now)]
    reach = show_size(int(len(active) * (1 - HOLDOUT_SHARE)))
    affordable = budget_points // points_each if points_each else None
    limited = reach if reach is None or affordable is None else min(reach, affordable)
    return {
        "segment": show_size(len(fans)),
        "open_to_topic": show_size(len(open_to)),
        "reach": limited,
        "held_out_share": HOLDOUT_SHARE,
        "cost_points": None if limited is None else limited * points_each,
        "budget_points": budget_points,
        "budget_suffices": None if reach is None else affordable is None or affordable >= reach,
        "minimum": GROUP_MIN,
    }


def is_open_to(fan: Fan, topic: str) -> bool:
    """Whether a fan takes messages of a topic at all."""
    preferences = preferences_in(fan.facts.wishes.document)
    return topic not in preferences["off"] and preferences["day_max"] > 0 and preferences["week_max"] > 0


def _is_reached(fan: Fan, now: int) -> bool:
    since = now - REACHED_DAYS * DAY_SECONDS
    bought = bool(fan.facts.purchases) and fan.facts.purchases[-1].time >= since
    return bought or any(said.at >= since for said in fan.past.feedback)


# --- reports ---


@dataclass(frozen=True, slots=True)
class Arm:
    """Messages of one topic that were shown, or held out: how many, of how many fans, and after how many there was a purchase."""

    messages: int
    fans: int
    converted: int

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


def show_report(group: Group, now: int) -> dict[str, Any]:
    """What messages of each topic brought against the holdout, and what those cost who opted out."""
    topics = sorted({message.topic for fan in group for message in fan.past.messages})
    lifetime = _lifetime_cents(group)
    shown = [found for topic in topics if (found := _show_topic(group, topic, now, lifetime)) is not None]
    return {
        "fans": show_size(len(group)),
        "minimum": GROUP_MIN,
        "conversion_days": CONVERSION_DAYS,
        "lifetime_cents": lifetime,
        "criticism": _show_criticism(group),
        "topics": shown,
    }


def _lifetime_cents(group: Group) -> int | None:
    """What a fan is expected to spend in a year, times the probability that it stays: the mean; None for too few fans."""
    values: list[float] = []
    for fan in group:
        purchases = fan.facts.purchases
        if purchases:
            days = max((purchases[-1].time - purchases[0].time) / DAY_SECONDS, 30.0)
            a_year = sum(found.net_cents for found in purchases) / days * YEAR_DAYS
            values.append(a_year * (1 - fan.profile.leaving))
    return round(fmean(values)) if len(values) >= GROUP_MIN else None


def _arm(group: Group, topic: str, now: int, *, is_held_out: bool) -> Arm:
    count, fans, converted = 0, 0, 0
    for fan in group:
        mine = [one for one in fan.past.messages if one.topic == topic and one.is_held_out == is_held_out]
        ripe = [one for one in mine if one.ready_at + CONVERSION_DAYS * DAY_SECONDS <= now]
        fans += bool(ripe)
        count += len(ripe)
        converted += sum(_is_converted(fan, one) for one in ripe)
    return Arm(count, fans, converted)


def _is_converted(fan: Fan, message: KeptMessage) -> bool:
    until = message.ready_at + CONVERSION_DAYS * DAY_SECONDS
    return any(message.ready_at < found.time <= until for found in fan.facts.purchases)


def _show_topic(group: Group, topic: str, now: int, lifetime: int | None) -> dict[str, Any] | None:
    shown = _arm(group, topic, now, is_held_out=False)
    if shown.fans < GROUP_MIN:
        return None
    held = _arm(group, topic, now, is_held_out=True)
    answers = {kind: _count_fans(group, topic, kind) for kind in (IMPRESSION, OPENED, CLICKED, CONVERTED, DISMISSED)}
    lift, interval = None, None
    if held.fans >= GROUP_MIN:
        lift, interval = round(shown.rate - held.rate, 4), [round(bound, 4) for bound in lift_interval(shown, held)]
    return {
        "topic": topic,
        "fans": show_size(shown.fans),
        "messages": show_size(shown.messages),
        "conversion": round(shown.rate, 4),
        "held_out": None
        if held.fans < GROUP_MIN
        else {"fans": show_size(held.fans), "messages": show_size(held.messages), "conversion": round(held.rate, 4)},
        "lift": lift,
        "lift_95": interval,
        "answers": {kind: show_size(count) for kind, count in answers.items()},
        **_price_of_opt_outs(group, topic, shown, lift, lifetime),
    }


def _count_fans(group: Group, topic: str, kind: str) -> int:
    return sum(_has_said(fan, topic, kind) for fan in group)


def _has_said(fan: Fan, topic: str, kind: str) -> bool:
    mine = {message.id for message in fan.past.messages if message.topic == topic}
    return any(said.message in mine and said.kind == kind for said in fan.past.feedback)


def _price_of_opt_outs(
    group: Group, topic: str, shown: Arm, lift: float | None, lifetime: int | None
) -> dict[str, Any]:
    """What opt-outs cost in expected lifetime value, against what the lift brought: what sells twice may drive off twice."""
    gone = [fan for fan in group if _has_said(fan, topic, OPT_OUT)]
    count = show_size(len(gone))
    if count is None or lifetime is None:
        return {
            "opt_outs": count,
            "opt_out_price_cents": None,
            "loss_share": None,
            "gain_cents": None,
            "net_cents": None,
        }
    stayed = [fan for fan in group if not _has_said(fan, topic, OPT_OUT)]
    loss, is_measured = LOSS_ASSUMED, len(stayed) >= GROUP_MIN
    if is_measured:
        of_gone = fmean(fan.profile.leaving for fan in gone)
        loss = max(of_gone - fmean(fan.profile.leaving for fan in stayed), 0.0)
    price = round(count * lifetime * loss)
    baskets = [fan.profile.basket_cents for fan in group if fan.facts.purchases]
    gain = None if lift is None else round(lift * shown.messages * median(baskets))
    return {
        "opt_outs": count,
        "opt_out_price_cents": price,
        "loss_share": {"share": round(loss, 3), "rests_on": "measured" if is_measured else "assumed"},
        "gain_cents": gain,
        "net_cents": None if gain is None else gain - price,
    }


def _show_criticism(group: Group) -> dict[str, Any]:
    """How many criticise: a signal about the brand. Nobody's messages, offers or standing depend on it."""
    critics = sum(any(said.is_criticism for said in fan.facts.said) for fan in group)
    return {"critics": show_size(critics)}
