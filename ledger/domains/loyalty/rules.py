"""What terms are made of: rules that give, multiply, refuse and cap points, and kinds of expiry (spec LOY-2)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.params import TIERS_MAX
from ledger.schema import Boolean, Integer, Text
from ledger.types import INTEGER_MAX, Day, Points

RULE_DAY = Integer(0, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class RatePerAmount:
    """floor(eligible * points / per_cents) points for an eligible net in cents (spec LOY-6)."""

    tag: ClassVar[int] = 0
    points: Annotated[Points, Integer(1, 2**31 - 1)]
    per_cents: Annotated[int, Integer(1, 2**31 - 1)]


@dataclass(frozen=True, slots=True)
class MinimumBasket:
    """A receipt whose eligible net is below `cents` gives no points."""

    tag: ClassVar[int] = 1
    cents: Annotated[int, Integer(1, 2**31 - 1)]


@dataclass(frozen=True, slots=True)
class ReceiptCap:
    """A receipt gives at most `points`, whatever the other rules add up to."""

    tag: ClassVar[int] = 2
    points: Annotated[Points, Integer(1, INTEGER_MAX)]


@dataclass(frozen=True, slots=True)
class RatePerCode:
    """floor(part * points / per_cents) points for the cents of one category code, less their share of what points paid."""

    tag: ClassVar[int] = 3
    code: Annotated[str, Text(1, 32)]
    points: Annotated[Points, Integer(1, 2**31 - 1)]
    per_cents: Annotated[int, Integer(1, 2**31 - 1)]


@dataclass(frozen=True, slots=True)
class PerVisit:
    """`points` once a visit with an eligible net of `cents_min`; none within `cooldown_seconds` of the visit before."""

    tag: ClassVar[int] = 4
    points: Annotated[Points, Integer(1, 2**31 - 1)]
    cents_min: Annotated[int, Integer(1, 2**31 - 1)]
    cooldown_seconds: Annotated[int, Integer(0, 2**31 - 1)]


@dataclass(frozen=True, slots=True)
class BonusWindow:
    """The sum times numerator / denominator, on the program's days from `from_day` until before `until_day`.

    `weekdays` has bit 0 for Monday; minutes are of the day. Of windows that overlap the best counts.
    """

    tag: ClassVar[int] = 5
    from_day: Annotated[Day, RULE_DAY]
    until_day: Annotated[Day, RULE_DAY]
    weekdays: Annotated[int, Integer(1, 127)]
    minute_from: Annotated[int, Integer(0, 1_439)]
    minute_until: Annotated[int, Integer(1, 1_440)]
    numerator: Annotated[int, Integer(1, 1_000_000)]
    denominator: Annotated[int, Integer(1, 1_000_000)]


@dataclass(frozen=True, slots=True)
class TierMultiplier:
    """The sum times numerator / denominator for members of this tier or a higher one; the best counts."""

    tag: ClassVar[int] = 6
    tier: Annotated[int, Integer(1, TIERS_MAX)]
    numerator: Annotated[int, Integer(1, 1_000_000)]
    denominator: Annotated[int, Integer(1, 1_000_000)]


@dataclass(frozen=True, slots=True)
class PeriodCap:
    """Entries credit a member at most `points` in a settlement period: what is more is cut off, or rejected (spec TIER-3)."""

    tag: ClassVar[int] = 7
    points: Annotated[Points, Integer(1, INTEGER_MAX)]
    rejects: Annotated[bool, Boolean()]


@dataclass(frozen=True, slots=True)
class NeverExpires:
    """Points stay until they are spent."""

    tag: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class RollingExpiry:
    """Points expire `days` after the later of the period's end and the settling block."""

    tag: ClassVar[int] = 1
    days: Annotated[int, Integer(1, 36_500)]


@dataclass(frozen=True, slots=True)
class CalendarExpiry:
    """Points can be used through a date of the year, the first one after they activate, `years_min` years later (spec TIER-4)."""

    tag: ClassVar[int] = 2
    month: Annotated[int, Integer(1, 12)]
    day: Annotated[int, Integer(1, 31)]
    years_min: Annotated[int, Integer(0, 10)]


@dataclass(frozen=True, slots=True)
class SlidingExpiry:
    """Points expire `days` after the member's last credited entry (spec TIER-5)."""

    tag: ClassVar[int] = 3
    days: Annotated[int, Integer(1, 36_500)]
