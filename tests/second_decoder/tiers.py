"""Tiers and calendar expiry: TIER-1, TIER-2, TIER-4. Dates are those of Python's own calendar."""

from datetime import date

from tests.second_decoder.receipts import INTEGER_MAX, tier_at

EPOCH = date(1970, 1, 1).toordinal()
HISTORY_MAX, HISTORY_DAYS = 16, 200


def named_day(year: int, month: int, day: int) -> int:
    """The day number of a date, or of the last day of its month where that is shorter (TIER-4)."""
    while True:
        try:
            return date(year, month, day).toordinal() - EPOCH
        except ValueError:
            day -= 1


def calendar_expiry(activation_day: int, month: int, day: int, years_min: int) -> int:
    """TIER-4."""
    year = date.fromordinal(activation_day + EPOCH).year
    if named_day(year, month, day) < activation_day:
        year += 1
    return named_day(year + years_min, month, day) + 1


def reach(terms: dict, points: int) -> int:
    """How many thresholds are reached (TIER-1)."""
    return len([tier for tier in terms["tiers"] if tier["threshold"] <= points])


def place_of(terms: dict, base: int) -> dict:
    """The two days of the tier period for which points count (TIER-1)."""
    length, anchor = terms["tier_period_days"], terms["tier_anchor_day"]
    begin = (base - anchor) // length * length + anchor
    return {"first_day": max(begin, 0), "until_day": begin + 2 * length + terms["tier_grace_days"]}


def take_points_back(history: list[dict], terms: dict, base: int, points: int) -> list[dict]:
    """The history after points were taken back (TIER-1)."""
    place = place_of(terms, base).items()
    same = [item for item in history if place <= item.items()]
    if not terms["tiers"] or not same:
        return history
    bound = max(same[-1]["points"] - points, 0)
    lower = [{**item, "points": min(item["points"], bound)} if item in same else item for item in history]
    return [item for item in lower if item["points"] > 0]


def count_points(history: list[dict], terms: dict, offset_minutes: int, base: int, points: int, now: int) -> list[dict]:
    """The history after points were counted (TIER-1)."""
    today = (now + 60 * offset_minutes) // 86_400
    place = place_of(terms, base)
    items = [item for item in history if item["until_day"] > today - HISTORY_DAYS]
    same = [item for item in items if {name: item[name] for name in place} == place]
    before = same[-1]["points"] if same else 0
    total = min(before + points, INTEGER_MAX)
    if same and reach(terms, total) == reach(terms, before):
        index = max(index for index, item in enumerate(items) if item is same[-1])
        items[index] = {**same[-1], "points": total}
    else:
        items.append({**place, "since": now, "points": total})
    while len(items) > HISTORY_MAX:
        a, b = items[:2]
        merged = {
            "first_day": b["first_day"],
            "until_day": max(a["until_day"], b["until_day"]),
            "since": a["since"],
            "points": max(a["points"], b["points"]),
        }
        items = [merged, *items[2:]]
    return items


def reached_after(before: list[dict], after: list[dict], terms: dict, offset_minutes: int, now: int) -> int | None:
    """The tier of the event `tier.reached`, if there is one (TIER-1)."""
    old, new = (tier_at({"tier_history": items}, terms, offset_minutes, now) for items in (before, after))
    return new if new > old else None
