"""Trained models as a `Predictor`: `prediction` for a fan whom they know, the plain rules for everybody else.

A fan is known to a model only while all that the model learned of it is granted still (see `basis`): if one of those receipts was
erased, marked as a gift, or is covered by no consent any more, the rules answer from that read on. So nothing here depends on what
a fan does not grant. Of a newcomer no model knows anything; it is shown what is popular, and the stage says `rules`.

Scores are between 0 and 1 (spec PER-10): of a list of discoveries, the place between its least score and its best; of the next
basket, the probability to buy within 7 days, bent so that one half is what counts as due; of leaving, a probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Final

from api.personalization.basis import NOTHING, basis_of
from api.personalization.catalogue import Catalogue
from api.personalization.export import number_fan
from api.personalization.facts import FanFacts
from api.personalization.models.served import KEPT, Models, Ranked
from api.personalization.predictor import (
    BY_MODEL,
    BY_POPULARITY,
    LOTS,
    PREDICTION,
    RULES,
    Outlook,
    PlainRules,
    Scored,
    dislikes_of,
    gaps_by_item,
    may_need,
    may_offer,
    stocks_by_item,
    times_by_item,
)
from api.personalization.rhythm import DAY_SECONDS

LEAVING_DAYS: Final = 42
"""The days without a basket of which the models give the probability."""
DUE_PROBABILITY: Final = 0.5
DUE_SCORE: Final = 0.8
"""More likely than not within a week: as much as the end of an own interval."""
POPULAR_SCORE_MAX: Final = 0.3
"""What is popular counts no more than what the fan looked at."""
BECAUSE_MAX: Final = 3
LOG_ODDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class NoBasket:
    """`gone` is the probability of no basket in 42 days from `cut_at` on; there was none since."""

    gone: float
    cut_at: int

    def leaving(self, now: int) -> float:
        """The same, given the days that have passed."""
        left = min(max(1 - (now - self.cut_at) / DAY_SECONDS / LEAVING_DAYS, 0.0), 1.0)
        total = self.gone + (1 - self.gone) * left
        return round(self.gone / total, 3) if total > 0 else 0.0


class ModelPredictor:
    """Answers by models, by the program (hexadecimal) whose they are. They are never changed: others are swapped in."""

    def __init__(self, models: Mapping[str, Models]) -> None:
        self._models = dict(models)
        self._rules = PlainRules()

    def find_trusted(self, facts: FanFacts) -> Models | None:
        """The program's models, if they know the fan, and know nothing but what it grants now."""
        found = self._models.get(facts.program.hex())
        if found is None:
            return None
        basis = found.basis(_household_of(facts))
        if basis is None or basis == NOTHING:
            return None
        now = facts.remember(("basis", found.read_at), lambda: basis_of(facts.purchases, found.read_at))
        return found if now == basis else None

    def version_of(self, facts: FanFacts) -> str:
        """The model's version and day; for a newcomer, whose list of what is popular it is."""
        found = self.find_trusted(facts)
        if found is not None:
            return _name(found)
        popular, rules = self._models.get(facts.program.hex()), self._rules.version_of(facts)
        return rules if popular is None or not self._is_newcomer(facts) else f"{rules}, popularity by {_name(popular)}"

    def stage_of(self, facts: FanFacts) -> str:
        """`prediction` where a model answers; else as the rules say."""
        return PREDICTION if self.find_trusted(facts) is not None else self._rules.stage_of(facts)

    def outlook(self, facts: FanFacts) -> Outlook:
        """The probability of no basket in 42 days from the model's day, given that there was none so far; after one, the rules'."""
        found = self.find_trusted(facts)
        gone = None if found is None else found.churn(_household_of(facts))
        if found is None or gone is None or _list_since(facts, found):
            return self._rules.outlook(facts)
        return NoBasket(gone, found.cut_at)

    def discover(self, facts: FanFacts, catalogue: Catalogue, limit: int) -> Sequence[Scored]:
        """What the model ranks first of what may be offered, then what the rules find; for newcomers, last, what is popular."""
        found = self.find_trusted(facts)
        by_rules = self._rules.discover(facts, catalogue, KEPT)
        if found is None:
            popular = self._models.get(facts.program.hex())
            if popular is None or not self._is_newcomer(facts):
                return by_rules[:limit]
            return _join(by_rules, _list_popular(facts, catalogue, popular))[:limit]
        key = _key_of(found, catalogue)
        return _join(facts.remember(key, lambda: _list_discoveries(facts, catalogue, found)), by_rules)[:limit]

    def is_prepared(self, facts: FanFacts, catalogue: Catalogue) -> bool:
        """Whether what takes milliseconds was computed for this fan already."""
        found = self._models.get(facts.program.hex())
        return found is None or ("prepared", *_key_of(found, catalogue)) in facts.memo

    def prepare(self, facts: FanFacts, catalogue: Catalogue, now: int) -> None:
        """Compute it. Used in a thread."""
        found = self._models.get(facts.program.hex())
        self.discover(facts, catalogue, KEPT)
        self.next_basket(facts, catalogue, now, KEPT)
        if found is not None:
            facts.remember(("prepared", *_key_of(found, catalogue)), lambda: True)

    def next_basket(self, facts: FanFacts, catalogue: Catalogue, now: int, limit: int) -> Sequence[Scored]:
        """The model's word on usual items that it knows; the rules' on others, what was bought since, or in larger amounts."""
        found = self.find_trusted(facts)
        if found is None or not found.rankings["next7", "product"].is_log_odds:
            return self._rules.next_basket(facts, catalogue, now, limit)
        since, stocks, gaps = _list_since(facts, found), stocks_by_item(facts), gaps_by_item(facts)
        known = found.catalogues["product"].places
        dislikes = dislikes_of(facts)
        by_model = [
            Scored(one.item, _bend(one.score), grounds=BY_MODEL)
            for one in found.rank("next7", "product", _household_of(facts), limit=KEPT)
            if gaps.get(one.item) is not None
            and one.item not in since
            and stocks[one.item] <= LOTS
            and may_need(one.item, facts, catalogue, dislikes)
        ]
        by_rules = [
            one
            for one in self._rules.next_basket(facts, catalogue, now, len(gaps))
            if one.item not in known or one.item in since or stocks[one.item] > LOTS
        ]
        scored = [one for one in (*by_model, *by_rules) if one.score > 0]
        return sorted(scored, key=lambda one: (-one.score, one.item))[:limit]

    def _is_newcomer(self, facts: FanFacts) -> bool:
        return self._rules.stage_of(facts) == RULES


def _household_of(facts: FanFacts) -> int:
    return facts.remember("household", lambda: number_fan(facts.fan))


def _name(found: Models) -> str:
    return f"model {found.version} of {found.as_of.isoformat()}"


def _list_since(facts: FanFacts, found: Models) -> set[str]:
    """Items of purchases that the model does not know: after its day, or handed over after its export."""
    return facts.remember(("since", found.read_at, found.cut_at), lambda: _find_since(facts, found))


def _find_since(facts: FanFacts, found: Models) -> set[str]:
    fresh = (one for one in facts.purchases if one.time >= found.cut_at or one.received_at >= found.read_at)
    return {line.item for one in fresh for line in one.lines}


def _list_discoveries(facts: FanFacts, catalogue: Catalogue, found: Models) -> list[Scored]:
    ranked = found.rank(
        "discovery", "product", _household_of(facts), limit=KEPT, bought=sorted(_list_since(facts, found))
    )
    offered = _offer(facts, catalogue, ranked, BY_MODEL, 1.0)
    because = found.because_each("product", [one.item for one in offered], times_by_item(facts), limit=BECAUSE_MAX)
    return [replace(one, because=tuple(why.item for why in because[one.item])) for one in offered]


def _key_of(found: Models, catalogue: Catalogue) -> tuple[object, ...]:
    return ("by model", found.version, catalogue.version)


def _list_popular(facts: FanFacts, catalogue: Catalogue, found: Models) -> list[Scored]:
    return _offer(facts, catalogue, found.popular("discovery", "product", limit=KEPT), BY_POPULARITY, POPULAR_SCORE_MAX)


def _offer(
    facts: FanFacts, catalogue: Catalogue, ranked: Sequence[Ranked], grounds: str, score_max: float
) -> list[Scored]:
    """What of a list may be offered and was never bought; the best of the whole list has `score_max`, its least 0."""
    bought = {line.item for purchase in facts.purchases for line in purchase.lines}
    dislikes = dislikes_of(facts)
    least, best = (ranked[-1].score, ranked[0].score) if ranked else (0.0, 0.0)
    spread = best - least
    return [
        Scored(one.item, round(score_max * ((one.score - least) / spread if spread > 0 else 1.0), 4), grounds=grounds)
        for one in ranked
        if one.item not in bought and may_offer(one.item, catalogue, dislikes)
    ]


def _join(first: Sequence[Scored], second: Sequence[Scored]) -> list[Scored]:
    """The first list, then what only the second one has."""
    named = {one.item for one in first}
    return [*first, *(one for one in second if one.item not in named)]


def _bend(log_odds: float) -> float:
    """A probability on the scale of what is due: 0 to 0, one half to 0.8, 1 to 1, straight between."""
    probability = 1 / (1 + exp(-min(max(log_odds, -LOG_ODDS_MAX), LOG_ODDS_MAX)))
    if probability <= DUE_PROBABILITY:
        return round(probability / DUE_PROBABILITY * DUE_SCORE, 4)
    return round(DUE_SCORE + (probability - DUE_PROBABILITY) / (1 - DUE_PROBABILITY) * (1 - DUE_SCORE), 4)
