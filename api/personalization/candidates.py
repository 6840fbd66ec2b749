"""What might be said to a fan, before it is decided whether and when: with its reasons, and what it asks of the fan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.personalization.board import Board
from api.personalization.catalogue import Catalogue
from api.personalization.facts import FanFacts
from api.personalization.predictor import Predictor, is_lasting
from api.personalization.profile import Profile
from ledger.domains.loyalty.periods import settle_by
from ledger.types import Timestamp

ASSIST: Final = "assist"
ANTICIPATE: Final = "anticipate"
QUESTION: Final = "question"

PROVED: Final = "proved"
"""By the chain: anybody can check it."""
SAID: Final = "said"
"""By the brand, or by the fan itself."""
GUESSED: Final = "guessed"

RULES_VERSION: Final = 1
"""Of all rules in `assist` and `anticipate`; it rises when one of them changes."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text in two languages: the name of its template in `texts`, and what is filled in, by language where it differs."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """A fact that speaks for a message, what it rests on, and where it can be looked up."""

    words: Words
    rests_on: str
    source: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that might be said. `subject` and `occasion` make it one of a kind: it is never said twice.

    `relevance` 0 to 1; `deadline` is when it stops mattering (0: never), `horizon_days` how long before that it begins to matter;
    `effort_minutes` is what it asks of the fan. `scopes` are the consents that it uses, `receipts` those that it rests on;
    `linked` are other programs whose consents it uses, too, and then `linked` is among the scopes.
    `is_promised`: a plan drew it, and held others out already, so that it is not held out again.
    """

    topic: str
    kind: str
    subject: str
    occasion: str
    words: Words
    reasons: tuple[Reason, ...]
    relevance: float
    scopes: frozenset[str]
    action: Mapping[str, Any]
    deadline: int = 0
    horizon_days: int = 14
    effort_minutes: float = 1.0
    linked: tuple[str, ...] = ()
    receipts: frozenset[str] = frozenset()
    is_promised: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """All that rules may look at: one fan's facts and profile, and what everybody may know of the program."""

    facts: FanFacts
    profile: Profile
    board: Board
    catalogue: Catalogue
    predictor: Predictor
    now: int

    def settle_by(self, time: int) -> int:
        """When a purchase made at a time must be settled by the terms in force (spec LOY-15)."""
        return int(settle_by(self.board.record, self.board.terms, Timestamp(time)))

    def lasts(self, item: str) -> bool:
        """Whether an item, bought once, is not needed again soon."""
        return is_lasting(item, self.facts, self.catalogue)

    def names(self, item: str) -> dict[str, str]:
        """An item's name by language."""
        return {language: self.catalogue.name(item, language) for language in ("en", "ko")}
