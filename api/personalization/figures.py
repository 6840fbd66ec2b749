"""What figures of a group are made of, of one fan: few plain values, which do not hang on the moment, and what they come to now.

A `FigureRow` is remembered for as long as nothing of what it rests on has changed (`group_reading`), so it holds times and not
"cooling": `FanFigures` says that, for the moment of the figures. Neither is ever shown to anybody.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from api.personalization.catalogue import Catalogue
from api.personalization.facts import FanFacts
from api.personalization.predictor import Outlook, Predictor
from api.personalization.preferences import preferences_in
from api.personalization.profile import (
    NOT_KNOWN,
    find_basket,
    find_discount_share,
    find_stage,
    name_sensitivity,
    rank_weights,
)
from api.personalization.rhythm import find_gap_days, find_rhythm, find_zone
from api.receipts.inbox import Outline

VOICE_PART: Final = "voice"
MESSAGES_PART: Final = "messages"
ANSWERS_PART: Final = "answers"
"""What figures may need besides purchases and preferences: whether a fan criticises, its messages, when it answered last."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """What figures need of a fan, whatever the moment. `times` of purchases ascend, 8 bytes each; money is whole cents.

    `off` are topics that it switched off; `takes_any`: it takes messages at all.
    """

    times: "array[int]"
    gap_days: float | None
    spent_cents: int
    basket_cents: int
    category: str
    weekday: str
    part: str
    sensitivity: str
    outlook: Outlook
    language: str
    off: tuple[str, ...]
    takes_any: bool


@dataclass(frozen=True, slots=True)
class FanFigures:
    """The same at one moment, with what the figures need besides."""

    row: FigureRow
    stage: str
    leaving: float
    is_critic: bool = False
    messages: tuple[Outline, ...] = ()
    answered_at: int = 0

    def is_open_to(self, topic: str) -> bool:
        """Whether the fan takes messages of a topic at all."""
        return self.row.takes_any and topic not in self.row.off


DIMENSIONS: Final[Mapping[str, Callable[[FanFigures], str]]] = {
    "stage": lambda fan: fan.stage,
    "category": lambda fan: fan.row.category,
    "language": lambda fan: fan.row.language,
    "part_of_day": lambda fan: fan.row.part,
    "weekday": lambda fan: fan.row.weekday,
    "price_sensitivity": lambda fan: fan.row.sensitivity,
}
"""By what fans are grouped; `category` is the one in which a fan bought most lately."""


def make_row(facts: FanFacts, catalogue: Catalogue, predictor: Predictor, offset_minutes: int) -> FigureRow:
    """The row of a fan, of its purchases and preferences alone."""
    purchases = facts.purchases
    times = array("q", (found.time for found in purchases))
    rhythm = find_rhythm(times, find_zone(catalogue.zone, offset_minutes))
    ranks = rank_weights(purchases, by_category=True)
    preferences = preferences_in(facts.wishes.document)
    return FigureRow(
        times=times,
        gap_days=find_gap_days(times),
        spent_cents=sum(found.net_cents for found in purchases),
        basket_cents=find_basket(purchases),
        category=min(ranks, key=lambda name: (-ranks[name], name), default=NOT_KNOWN),
        weekday=rhythm.weekday or NOT_KNOWN,
        part=rhythm.part or NOT_KNOWN,
        sensitivity=name_sensitivity(purchases, find_discount_share(purchases)),
        outlook=predictor.outlook(facts),
        language=str(facts.wishes.document.get("language", "en")),
        off=tuple(preferences["off"]),
        takes_any=preferences["day_max"] > 0 and preferences["week_max"] > 0,
    )


def figures_at(
    row: FigureRow,
    now: int,
    *,
    is_critic: bool = False,
    messages: tuple[Outline, ...] = (),
    answered_at: int = 0,
) -> FanFigures:
    """What a row comes to at a moment."""
    stage = find_stage(row.times, row.gap_days, now)
    return FanFigures(row, stage, row.outlook.leaving(now), is_critic, messages, answered_at)
