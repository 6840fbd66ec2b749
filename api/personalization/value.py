"""What a message is worth to its fan, in minutes:

    value = trust x relevance x timeliness x benefit - effort - data

`benefit` is what its topic is worth at best, `effort` what it asks, both in minutes; `data` is 0.2 minutes for each scope of
consent that it uses. `trust` is (4 + good) / (5 + good + bad): `good` counts messages that were opened, clicked or followed, `bad`
those that were dismissed, twice those after which a topic was switched off, and half of those that were ignored. `timeliness` is
0.5 for what has no deadline, otherwise it rises from 0.3 at `horizon` days before it to 1 in the last day. Nothing is said whose
value is not above 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.personalization.candidates import Candidate
from api.personalization.rhythm import DAY_SECONDS

FORMULA: Final = "trust * relevance * timeliness * benefit_minutes - effort_minutes - data_minutes"
DATA_MINUTES: Final = 0.2
TIMELINESS_MIN: Final = 0.3
TIMELINESS_ANY_TIME: Final = 0.5
BENEFIT_MINUTES: Final[Mapping[str, float]] = {
    "recall": 500.0,
    "return_window": 30.0,
    "how_to": 8.0,
    "late_delivery": 30.0,
    "unclaimed_points": 30.0,
    "points_expiring": 30.0,
    "near_reward": 15.0,
    "near_tier": 15.0,
    "offer_waiting": 20.0,
    "campaign_ending": 20.0,
    "campaign_nearly": 20.0,
    "campaign_milestone": 10.0,
    "milestone_vote": 20.0,
    "open_vote": 12.0,
    "made_with_you": 20.0,
    "replenish": 10.0,
    "back_in_stock": 15.0,
    "price_drop": 15.0,
    "new_in_category": 8.0,
    "discovery": 12.0,
    "challenge": 10.0,
    "winning_back": 10.0,
}
"""By topic: every topic that there is."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the fan did with messages so far."""

    good: int = 0
    bad: float = 0.0

    @property
    def share(self) -> float:
        """0 to 1; 0.8 before anything is known."""
        return (4 + self.good) / (5 + self.good + self.bad)


@dataclass(frozen=True, slots=True)
class Value:
    """The terms of the formula."""

    trust: float
    relevance: float
    timeliness: float
    benefit_minutes: float
    effort_minutes: float
    data_minutes: float

    @property
    def minutes(self) -> float:
        """The value."""
        gain = self.trust * self.relevance * self.timeliness * self.benefit_minutes
        return round(gain - self.effort_minutes - self.data_minutes, 3)

    def show(self) -> dict[str, Any]:
        """As an explanation shows it."""
        return {
            "formula": FORMULA,
            "trust": round(self.trust, 3),
            "relevance": round(self.relevance, 3),
            "timeliness": round(self.timeliness, 3),
            "benefit_minutes": self.benefit_minutes,
            "effort_minutes": self.effort_minutes,
            "data_minutes": self.data_minutes,
            "value_minutes": self.minutes,
        }


def find_value(candidate: Candidate, trust: Trust, now: int) -> Value:
    """What a candidate is worth now."""
    return Value(
        trust=trust.share,
        relevance=candidate.relevance,
        timeliness=find_timeliness(candidate, now),
        benefit_minutes=BENEFIT_MINUTES[candidate.topic],
        effort_minutes=candidate.effort_minutes,
        data_minutes=round(DATA_MINUTES * len(candidate.scopes), 1),
    )


def find_timeliness(candidate: Candidate, now: int) -> float:
    """0 to 1; 0 where it is over."""
    if not candidate.deadline:
        return TIMELINESS_ANY_TIME
    days_left = (candidate.deadline - now) / DAY_SECONDS
    if days_left <= 0:
        return 0.0
    share = 1 - max(days_left - 1, 0.0) / max(candidate.horizon_days - 1, 1)
    return max(share, TIMELINESS_MIN)
