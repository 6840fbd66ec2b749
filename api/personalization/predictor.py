"""What is guessed of a fan, by whom: the place where a trained model plugs in, and plain rules that need none.

A predictor is given facts that the consent gate has passed, and answers with numbers between 0 and 1. Stage and version stand
in every explanation. The rules below are the first stages: `rules` for a fan with no history of its own, `behaviour` for one with
some. A trained one (`prediction`, see `model_predictor`) is given to `Personalization` where the operator named models, and answers
for every fan without reading anything but what it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from statistics import median
from typing import Final, Protocol

from api.personalization.catalogue import Catalogue
from api.personalization.facts import FanFacts
from api.personalization.rhythm import DAY_SECONDS, find_gap_days

RULES: Final = "rules"
BY_BEHAVIOUR: Final = "behaviour"
PREDICTION: Final = "prediction"
STAGES: Final = (RULES, BY_BEHAVIOUR, PREDICTION)
PURCHASES_FOR_BEHAVIOUR: Final = 3
GAP_DAYS_UNKNOWN: Final = 30.0
"""Between visits of a fan of whom there are too few."""
RULES_NAME: Final = "plain rules 1"
BY_PAIRS: Final = "pairs"
"""The brand says that it goes with what was bought."""
BY_WISH: Final = "wish"
"""The fan wished for it, or looked at it."""
BY_HABIT: Final = "habit"
"""The fan's own interval."""
BY_MODEL: Final = "model"
BY_POPULARITY: Final = "popularity"
LOTS: Final = 1.5
"""Usual quantities at home beyond which nobody is told to buy more."""
LEAVING_SCALE: Final = 3.0
"""Usual gaps beyond the first after which 63 % are taken to have left."""


@dataclass(frozen=True, slots=True)
class Scored:
    """An item and how much speaks for it, 0 to 1. `because` are items that do; `grounds` is one of `BY_*`."""

    item: str
    score: float
    because: tuple[str, ...] = ()
    grounds: str = BY_WISH


class Outlook(Protocol):
    """What of a fan its leaving hangs on, so that it can be told for another moment without reading the fan again."""

    def leaving(self, now: int) -> float:
        """How likely the fan buys nothing any more."""
        ...


@dataclass(frozen=True, slots=True)
class Silence:
    """By the usual gap and the time of the last purchase. `gap_days` None: there are too few; `last_at` None: there was none."""

    gap_days: float | None
    last_at: int | None

    def leaving(self, now: int) -> float:
        """1 - exp(-(r - 1) / 3), where r is the time since the last purchase in usual gaps; 0 within one gap."""
        if self.last_at is None:
            return 0.5
        gap = max(self.gap_days or GAP_DAYS_UNKNOWN, 3.0)
        ratio = (now - self.last_at) / DAY_SECONDS / gap
        return round(1 - exp(-max(ratio - 1, 0.0) / LEAVING_SCALE), 3)


class Predictor(Protocol):
    """Guesses. All of them are functions of what is given: the same facts give the same bytes."""

    def version_of(self, facts: FanFacts) -> str:
        """Which rules, or which model from which build, answer for such a fan."""
        ...

    def stage_of(self, facts: FanFacts) -> str:
        """Which of `STAGES` this predictor answers by for such a fan."""
        ...

    def outlook(self, facts: FanFacts) -> Outlook:
        """How likely the fan buys nothing any more, at any moment."""
        ...

    def discover(self, facts: FanFacts, catalogue: Catalogue, limit: int) -> Sequence[Scored]:
        """What the fan never bought and might like, the likeliest first."""
        ...

    def next_basket(self, facts: FanFacts, catalogue: Catalogue, now: int, limit: int) -> Sequence[Scored]:
        """What of its usual items it is likely to need now, the likeliest first."""
        ...

    def is_prepared(self, facts: FanFacts, catalogue: Catalogue) -> bool:
        """Whether it answers for such a fan at once; otherwise it is prepared in a thread first."""
        ...

    def prepare(self, facts: FanFacts, catalogue: Catalogue, now: int) -> None:
        """Compute and remember what takes more than a millisecond."""
        ...


class PlainRules:
    """Without any model: own counts and intervals, and what the brand says goes together."""

    def version_of(self, facts: FanFacts) -> str:
        """Of these rules, the same for everybody."""
        return RULES_NAME

    def stage_of(self, facts: FanFacts) -> str:
        """By how much is known."""
        return BY_BEHAVIOUR if len(facts.purchases) >= PURCHASES_FOR_BEHAVIOUR else RULES

    def outlook(self, facts: FanFacts) -> Outlook:
        """By the fan's own gaps."""
        times = [found.time for found in facts.purchases]
        return Silence(find_gap_days(times), times[-1] if times else None)

    def discover(self, facts: FanFacts, catalogue: Catalogue, limit: int) -> Sequence[Scored]:
        """What the brand says goes with what was bought; then what is in categories of wishes and of what was looked at."""
        found = facts.remember(("discover", catalogue.version), lambda: self._discover(facts, catalogue))
        return found[:limit]

    def _discover(self, facts: FanFacts, catalogue: Catalogue) -> list[Scored]:
        bought = {line.item for found in facts.purchases for line in found.lines}
        counts: dict[str, int] = {}
        for found in facts.purchases:
            for item in {line.item for line in found.lines}:
                counts[item] = counts.get(item, 0) + 1
        because: dict[str, list[str]] = {}
        for item in sorted(counts):
            product = catalogue.products.get(item)
            for other in product.pairs_with if product is not None else ():
                because.setdefault(other, []).append(item)
        total = max(sum(counts.values()), 1)
        scored = [
            Scored(item, round(min(sum(counts[one] for one in why) / total * 5, 1.0), 4), tuple(why), BY_PAIRS)
            for item, why in because.items()
        ]
        looked_at = {deed.item for deed in facts.behaviour}
        likes = set(facts.wishes.document.get("likes", ())) | set(facts.wishes.document.get("wishes", ()))
        wanted = looked_at | likes
        named = {item for name in wanted for item in (name, *catalogue.by_category.get(name, ()))}
        scored += [Scored(item, 0.3) for item in sorted(named) if item not in because]
        dislikes = dislikes_of(facts)
        found = [one for one in scored if one.item not in bought and may_offer(one.item, catalogue, dislikes)]
        return sorted(found, key=lambda one: (-one.score, one.item))

    def next_basket(self, facts: FanFacts, catalogue: Catalogue, now: int, limit: int) -> Sequence[Scored]:
        """An item that was bought three times or more, near the end of its own usual interval: 1 at its end, 0 two later."""
        scored: list[Scored] = []
        stocks, gaps = stocks_by_item(facts), gaps_by_item(facts)
        dislikes = dislikes_of(facts)
        for item, times in times_by_item(facts).items():
            gap = gaps[item]
            if len(times) < PURCHASES_FOR_BEHAVIOUR or gap is None or not may_need(item, facts, catalogue, dislikes):
                continue
            ratio = (now - times[-1]) / DAY_SECONDS / (gap * stocks[item])
            score = ratio**2 if ratio <= 1 else 1 - (ratio - 1) / 2
            if score > 0:
                scored.append(Scored(item, round(score, 4), grounds=BY_HABIT))
        return sorted(scored, key=lambda one: (-one.score, one.item))[:limit]

    def is_prepared(self, facts: FanFacts, catalogue: Catalogue) -> bool:
        """Always."""
        return True

    def prepare(self, facts: FanFacts, catalogue: Catalogue, now: int) -> None:
        """Nothing."""


def stocks_by_item(facts: FanFacts) -> dict[str, float]:
    """What stands at home of each item since it was bought last, in its usual quantities; 1 at least.

    Between two purchases one usual quantity is used up in each usual gap: who has lots of something needs it later.
    """
    return facts.remember("stocks", lambda: _find_stocks(facts))


def _find_stocks(facts: FanFacts) -> dict[str, float]:
    bought: dict[str, list[tuple[int, int]]] = {}
    for found in facts.purchases:
        quantities: dict[str, int] = {}
        for line in found.lines:
            if line.quantity > 0:
                quantities[line.item] = quantities.get(line.item, 0) + line.quantity
        for item, quantity in quantities.items():
            bought.setdefault(item, []).append((found.time, quantity))
    gaps = gaps_by_item(facts)
    return {item: _stock_of(found, gaps.get(item)) for item, found in bought.items()}


def _stock_of(bought: Sequence[tuple[int, int]], gap_days: float | None) -> float:
    usual = median([quantity for _, quantity in bought])
    stock, before = 0.0, bought[0][0]
    for time, quantity in bought:
        if gap_days is not None:
            stock = max(stock - (time - before) / DAY_SECONDS / gap_days, 0.0)
        stock, before = stock + quantity / usual, time
    return max(stock, 1.0)


def has_lots(item: str, facts: FanFacts, now: int) -> bool:
    """Whether more than LOTS of its usual quantities stand at home."""
    gap, times = gaps_by_item(facts).get(item), times_by_item(facts).get(item)
    if gap is None or not times:
        return False
    return stocks_by_item(facts)[item] - (now - times[-1]) / DAY_SECONDS / gap > LOTS


def times_by_item(facts: FanFacts) -> dict[str, list[int]]:
    """When each item was bought, ascending; two lines of one receipt are one time, and what went back is none."""
    return facts.remember("times", lambda: _find_times(facts))


def gaps_by_item(facts: FanFacts) -> dict[str, float | None]:
    """Days between two purchases of each item (see `find_gap_days`)."""
    times = times_by_item(facts)
    return facts.remember("gaps", lambda: {item: find_gap_days(found) for item, found in times.items()})


def _find_times(facts: FanFacts) -> dict[str, list[int]]:
    times: dict[str, list[int]] = {}
    for found in facts.purchases:
        for item in sorted({line.item for line in found.lines if line.quantity > 0}):
            times.setdefault(item, []).append(found.time)
    return times


def may_offer(item: str, catalogue: Catalogue, dislikes: set[str]) -> bool:
    """In stock, not recalled, and nothing that the fan said it does not want."""
    product = catalogue.products.get(item)
    if product is None or not product.in_stock or product.recall:
        return False
    return item not in dislikes and product.category not in dislikes


def may_need(item: str, facts: FanFacts, catalogue: Catalogue, dislikes: set[str]) -> bool:
    """The same of what was bought before: also what the brand's feed does not name, and never what lasts."""
    if is_lasting(item, facts, catalogue):
        return False
    return item not in dislikes if item not in catalogue.products else may_offer(item, catalogue, dislikes)


def is_lasting(item: str, facts: FanFacts, catalogue: Catalogue) -> bool:
    """Whether an item, bought once, is not needed again soon: as the fan answered, else as the brand's feed says."""
    said = facts.wishes.document
    if item in said.get("lasting", ()):
        return True
    product = catalogue.products.get(item)
    return product is not None and product.lasts and item not in said.get("used_up", ())


def dislikes_of(facts: FanFacts) -> set[str]:
    """Items and categories that the fan said it does not want."""
    return set(facts.wishes.document.get("dislikes", ()))
