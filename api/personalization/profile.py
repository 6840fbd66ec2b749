"""What a program knows of a fan, as the fan itself sees it: taste, rhythm, sensitivity to prices, standing, voice, stage.

Everything is computed from `FanFacts` alone, so a profile holds nothing that was not granted. Counts of taste halve every 90 days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from api.personalization.catalogue import Catalogue
from api.personalization.facts import FanFacts, Purchase
from api.personalization.predictor import PREDICTION, Predictor, times_by_item
from api.personalization.rhythm import DAY_SECONDS, Rhythm, find_gap_days, find_rhythm, find_zone

HALF_LIFE_DAYS: Final = 90
RANK_DIGITS: Final = 9
"""Weights that differ by less are equal: what the order of adding does to a sum is far below."""
CATEGORIES_SHOWN: Final = 50
ITEMS_SHOWN: Final = 50
NEW_PURCHASES: Final = 3
NEW_DAYS: Final = 30
LOYAL_PURCHASES: Final = 10
LOYAL_DAYS: Final = 90
COOLING_RATIO: Final = 2.5
COOLING_DAYS: Final = 14
GONE_RATIO: Final = 6.0
GONE_DAYS: Final = 42
"""From the issue: who bought nothing for 42 days is counted as one who may have left."""
DISCOUNT_LOW: Final = 0.05
DISCOUNT_HIGH: Final = 0.20
NOT_KNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Taste:
    """One category or one item. `weight` sums purchases, each halved every 90 days; `gap_days` between two of them.

    `linked`: other programs where some of it was bought, which the fan linked to this one.
    """

    name: str
    weight: float
    times: int
    quantity: int
    cents: int
    last_at: int
    gap_days: float | None
    linked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile of one fan for one program, and the facts it was made of."""

    facts: FanFacts
    stage: str
    leaving: float
    rhythm: Rhythm
    categories: tuple[Taste, ...]
    items: tuple[Taste, ...]
    basket_cents: int
    discount_share: float
    linked: tuple[str, ...]

    @property
    def sensitivity(self) -> str:
        """How much of what it buys is reduced."""
        return name_sensitivity(self.facts.purchases, self.discount_share)


def build_profile(
    facts: FanFacts,
    catalogue: Catalogue,
    predictor: Predictor,
    now: int,
    offset_minutes: int,
    linked: Sequence[FanFacts] = (),
) -> Profile:
    """The profile at `now`. `linked` are facts of the same account from other programs: they count for taste, nothing else."""
    zone = find_zone(catalogue.zone, offset_minutes)
    times = [found.time for found in facts.purchases]
    everywhere, day = (facts, *linked), now // DAY_SECONDS
    by_category, by_item = (
        _both_tastes(everywhere, day)
        if linked
        else facts.remember(("tastes", day), lambda: _both_tastes(everywhere, day))
    )
    return Profile(
        facts=facts,
        stage=find_stage(times, find_gap_days(times), now),
        leaving=predictor.outlook(facts).leaving(now),
        rhythm=facts.remember(("rhythm", str(zone)), lambda: find_rhythm(times, zone)),
        categories=by_category[:CATEGORIES_SHOWN],
        items=by_item[:ITEMS_SHOWN],
        basket_cents=find_basket(facts.purchases),
        discount_share=find_discount_share(facts.purchases),
        linked=tuple(found.program.hex() for found in linked),
    )


def find_basket(purchases: Sequence[Purchase]) -> int:
    """The median of what a purchase came to, in cents; 0 without any."""
    return int(median([found.net_cents for found in purchases])) if purchases else 0


def find_discount_share(purchases: Sequence[Purchase]) -> float:
    """Of what all of it would have cost, the share that was taken off: 0 to 1."""
    lines = [line for found in purchases for line in found.lines]
    cents, discount = sum(line.cents for line in lines), sum(line.discount_cents for line in lines)
    return round(discount / (cents + discount), 3) if cents + discount > 0 else 0.0


def name_sensitivity(purchases: Sequence[Purchase], discount_share: float) -> str:
    """low, medium or high: how much of what was bought is reduced."""
    if not purchases:
        return NOT_KNOWN
    low_or_more = "low" if discount_share < DISCOUNT_LOW else "medium"
    return "high" if discount_share >= DISCOUNT_HIGH else low_or_more


def find_stage(times: Sequence[int], gap_days: float | None, now: int) -> str:
    """new, growing, loyal, cooling or gone: by how many purchases, since when, and the time since the last one in usual gaps.

    `times` of purchases ascend; `gap_days` are as `find_gap_days` finds them.
    """
    if not times:
        return "new"
    silent_days = (now - times[-1]) / DAY_SECONDS
    gap = max(gap_days or float(NEW_DAYS), 3.0)
    if silent_days > GONE_DAYS and silent_days / gap > GONE_RATIO:
        return "gone"
    if len(times) < NEW_PURCHASES:
        return "new" if silent_days <= GONE_DAYS else "cooling"
    if silent_days > COOLING_DAYS and silent_days / gap > COOLING_RATIO:
        return "cooling"
    is_loyal = len(times) >= LOYAL_PURCHASES and now - times[0] >= LOYAL_DAYS * DAY_SECONDS
    return "loyal" if is_loyal else "growing"


def _both_tastes(everywhere: Sequence[FanFacts], day: int) -> tuple[tuple[Taste, ...], tuple[Taste, ...]]:
    """By category, and by item."""
    return _tastes(everywhere, day, by_category=True), _tastes(everywhere, day, by_category=False)


def _tastes(everywhere: Sequence[FanFacts], day: int, *, by_category: bool) -> tuple[Taste, ...]:
    """Weights as of a day (UTC); their order is that of `rank_weights`, the same on every day."""
    found: dict[str, list[Any]] = {}
    own = everywhere[0].program
    linked: dict[str, set[str]] = {}
    for facts in everywhere:
        for purchase in facts.purchases:
            weight = 0.5 ** (max(day - purchase.time // DAY_SECONDS, 0) / HALF_LIFE_DAYS)
            seen: set[str] = set()
            for line in purchase.lines:
                name = line.category if by_category else line.item
                if not name:
                    continue
                if facts.program != own:
                    linked.setdefault(name, set()).add(facts.program.hex())
                row = found.setdefault(name, [0.0, 0, 0, []])
                row[1] += line.quantity
                row[2] += line.cents
                if name not in seen:
                    row[0] += weight
                    row[3].append(purchase.time)
                    seen.add(name)
    tastes = [
        Taste(
            name,
            weight=round(weight, 3),
            times=len(times),
            quantity=quantity,
            cents=cents,
            last_at=max(times),
            gap_days=find_gap_days(sorted(times)),
            linked=tuple(sorted(linked.get(name, ()))),
        )
        for name, (weight, quantity, cents, times) in found.items()
    ]
    ranks = rank_weights([one for facts in everywhere for one in facts.purchases], by_category=by_category)
    return tuple(sorted(tastes, key=lambda taste: (-ranks[taste.name], taste.name)))


def rank_weights(purchases: Sequence[Purchase], *, by_category: bool) -> dict[str, float]:
    """How much each category or item was bought lately, as of the day of the last purchase: no later day changes their order."""
    found: dict[str, float] = {}
    last = max((one.time // DAY_SECONDS for one in purchases), default=0)
    for one in purchases:
        weight = 0.5 ** ((last - one.time // DAY_SECONDS) / HALF_LIFE_DAYS)
        for name in {line.category if by_category else line.item for line in one.lines}:
            if name:
                found[name] = found.get(name, 0.0) + weight
    return {name: round(weight, RANK_DIGITS) for name, weight in found.items()}


def show_profile(profile: Profile, catalogue: Catalogue, predictor: Predictor, language: str) -> dict[str, Any]:
    """The profile as JSON, which is also what a fan takes along."""
    facts, wishes = profile.facts, profile.facts.wishes.document
    stage = predictor.stage_of(facts)
    return {
        "format": "fansumer profile 1",
        "program": facts.program.hex(),
        "scopes": sorted(facts.scopes),
        "made_by": {"stage": stage, "version": predictor.version_of(facts), "trained": stage == PREDICTION},
        "stage": profile.stage,
        "leaving": {"probability": profile.leaving, "rests_on": "guessed"},
        "member_since": facts.joined_at,
        "rhythm": _show_rhythm(profile.rhythm, catalogue),
        "categories": [_show_taste(taste, taste.name, wishes) for taste in profile.categories],
        "items": [_show_taste(taste, catalogue.name(taste.name, language), wishes) for taste in profile.items],
        "price": {
            "median_basket_cents": profile.basket_cents,
            "discount_share": profile.discount_share,
            "sensitivity": profile.sensitivity,
        },
        "occasion": {"own_purchases": len(facts.purchases), "gifts": "left out"},
        "standing": _show_standing(facts),
        "backed": [{"campaign": one.campaign, "number": one.number, "quantity": one.quantity} for one in facts.backed],
        "voted": sorted(facts.voted),
        "contributed": list(facts.contributed),
        "said": [
            {"subject": one.subject, "stance": "criticise" if one.is_criticism else "endorse", "score": one.score}
            for one in facts.said
        ],
        "behaviour": _show_behaviour(facts),
        "wishes": list(wishes.get("wishes", ())),
        "likes": list(wishes.get("likes", ())),
        "dislikes": list(wishes.get("dislikes", ())),
        "language": language,
        "channel": wishes.get("channel", "inbox"),
        "linked_programs": list(profile.linked),
        "reset_at": facts.wishes.reset_at or None,
    }


def _show_rhythm(rhythm: Rhythm, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "zone": catalogue.zone or "the program's own offset",
        "visits": rhythm.visits,
        "weekday": rhythm.weekday,
        "weekday_share": rhythm.weekday_share,
        "own_weekday": rhythm.own_weekday,
        "part_of_day": rhythm.part,
        "part_of_day_share": rhythm.part_share,
        "gap_days": rhythm.gap_days,
        "last_at": rhythm.last_at or None,
        "slots": [{"weekday": weekday, "part_of_day": part, "visits": count} for weekday, part, count in rhythm.slots],
    }


def _show_taste(taste: Taste, shown: str, wishes: Mapping[str, Any]) -> dict[str, Any]:
    said = "dislike" if taste.name in wishes.get("dislikes", ()) else None
    return {
        "id": taste.name,
        "name": shown,
        "weight": taste.weight,
        "times": taste.times,
        "quantity": taste.quantity,
        "cents": taste.cents,
        "last_at": taste.last_at,
        "gap_days": taste.gap_days,
        "said": "like" if taste.name in wishes.get("likes", ()) else said,
    }


def _show_standing(facts: FanFacts) -> dict[str, Any] | None:
    standing = facts.standing
    if standing is None:
        return None
    return {
        "available": standing.available,
        "pending": standing.pending,
        "held": standing.held,
        "tier": standing.tier_name or None,
        "tier_points": standing.tier_points,
        "next_tier": None
        if standing.next_tier is None
        else {"name": standing.next_tier[0], "threshold": standing.next_tier[1]},
    }


def _show_behaviour(facts: FanFacts) -> dict[str, int]:
    counts: dict[str, int] = {}
    for deed in facts.behaviour:
        counts[deed.kind] = counts.get(deed.kind, 0) + 1
    return dict(sorted(counts.items()))


def usual_items(facts: FanFacts, times_min: int) -> list[str]:
    """What was bought so many times or more, the most frequent first."""
    counted = {item: len(times) for item, times in times_by_item(facts).items() if len(times) >= times_min}
    return sorted(counted, key=lambda item: (-counted[item], item))
