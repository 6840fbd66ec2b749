"""What personalization knows of one fan: plain values, made by `consent_gate` from what the fan granted, and nothing else.

Times are seconds since 1970, money whole cents, ids hexadecimal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from ledger.types import Address, ProgramId

RECEIPTS: Final = "receipts"
BEHAVIOUR: Final = "behaviour"
STANDING: Final = "standing"
CAMPAIGNS: Final = "campaigns"
VOICE: Final = "voice"
LINKED: Final = "linked"
SCOPES: Final = (RECEIPTS, BEHAVIOUR, STANDING, CAMPAIGNS, VOICE)
"""What a consent to all of it covers."""
SCOPES_BY_NAME: Final = (LINKED,)
"""What must be granted by its name."""
CATEGORY_PREFIX: Final = "receipts/"
"""A scope that begins so covers the lines of one category."""

VIEWED: Final = "viewed"
SEARCHED: Final = "searched"
BASKET: Final = "basket"
STAYED: Final = "stayed"
MEMO_MAX: Final = 32
"""Computations that are kept of one fan; some bear the day in their key."""

Made = TypeVar("Made")
BEHAVIOUR_KINDS: Final = (VIEWED, SEARCHED, BASKET, STAYED)


@dataclass(frozen=True, slots=True)
class BoughtLine:
    """One line of a receipt. `discount_cents` is what was taken off already; `category` empty: nobody said."""

    item: str
    quantity: int
    cents: int
    discount_cents: int
    category: str = ""


@dataclass(frozen=True, slots=True)
class Purchase:
    """A receipt that is no gift. `received_at` is when this node was given it."""

    receipt: str
    time: int
    period: int
    net_cents: int
    points: int
    codes: tuple[tuple[str, int], ...]
    lines: tuple[BoughtLine, ...]
    received_at: int = 0


def leave_out(purchases: tuple[Purchase, ...], items: frozenset[str]) -> tuple[Purchase, ...]:
    """Purchases without the lines of some items: what the fan said to have bought for others. Points and times stay."""
    if not items:
        return purchases
    found: list[Purchase] = []
    for kept in purchases:
        purchase = kept
        others = [line for line in purchase.lines if line.item in items]
        if others:
            lines = tuple(line for line in purchase.lines if line.item not in items)
            cents = max(purchase.net_cents - sum(line.cents for line in others), 0)
            purchase = replace(purchase, lines=lines, net_cents=cents)
        found.append(purchase)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Something that the fan did and did not buy."""

    kind: str
    item: str
    seconds: int
    at: int


@dataclass(frozen=True, slots=True)
class FanStanding:
    """Points and tier, as the ledger has them. `expiring` are (first second without them, points), the next one first.

    `tier_points` are earned in the present tier period; `next_tier` is (name, threshold), none at the top.
    `offers` are open personal ones: (id, points, end).
    """

    available: int
    pending: int
    held: int
    expiring: tuple[tuple[int, int], ...]
    tier: int
    tier_name: str
    tier_points: int
    next_tier: tuple[str, int] | None
    settled_periods: frozenset[int]
    return_window_days: int
    offers: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Backing:
    """A pledge: of which campaign, its number, how much, and the round of voting in which it voted last."""

    campaign: str
    number: int
    quantity: int
    voted_round: int


@dataclass(frozen=True, slots=True)
class Said:
    """A review. Criticism is a signal about the brand, never against the fan."""

    subject: str
    is_criticism: bool
    score: int
    at: int


@dataclass(frozen=True, slots=True)
class Promised:
    """An open offer that a plan drew for the fan: its id, what it is about, and the text by which a till takes it."""

    offer: str
    goal: str
    items: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the fan said to the engine itself, its answers applied: see `preferences.with_answers`.

    `reset_at`: what was before does not count.
    """

    document: dict[str, Any] = field(default_factory=dict)
    reset_at: int = 0
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class FanFacts:
    """One fan for one program. A field whose scope was not granted is empty; `scopes` says which were.

    `memo` keeps what was computed of purchases, behaviour and wishes, for as long as these stay the same.
    `purchases` are the oldest first. `voted` and `contributed` are ids of proposals and contributions. `promised` are offers whose
    terms this node holds for the fan.
    """

    fan: Address
    program: ProgramId
    scopes: frozenset[str]
    joined_at: int
    purchases: tuple[Purchase, ...] = ()
    behaviour: tuple[Behaviour, ...] = ()
    standing: FanStanding | None = None
    backed: tuple[Backing, ...] = ()
    voted: frozenset[str] = frozenset()
    contributed: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()
    wishes: Wishes = Wishes()
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    promised: tuple[Promised, ...] = ()

    def remember(self, key: Any, make: Callable[[], Made]) -> Made:
        """What `make` makes, once: of purchases, behaviour and wishes alone, and of what stands in the key."""
        found: Made | None = self.memo.get(key)
        if found is None:
            if len(self.memo) >= MEMO_MAX:
                self.memo.clear()
            found = self.memo[key] = make()
        return found

    @property
    def count(self) -> int:
        """How many items were read: what the log of reads says."""
        one_each = (self.purchases, self.behaviour, self.backed, self.voted, self.contributed, self.said)
        return sum(len(items) for items in one_each) + (self.standing is not None)
