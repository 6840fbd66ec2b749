"""Records of the rewards domain: rewards, the holds of open redemptions, what fulfilled ones leave, and members' counts."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.state import COIN, DAY, LOT, PAYER, POINTS, TIME, TIME_END, Lot
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.hashing import COUNT
from ledger.params import LOTS_MAX, TIERS_MAX
from ledger.schema import Boolean, Integer, ListOf, Row, Struct, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    CountId,
    Day,
    FulfilmentId,
    Height,
    HoldId,
    Points,
    ProgramId,
    RecordKey,
    RewardId,
    Timestamp,
)

NO_REWARD = Code("reward.unknown", "the program has no reward {reward}", "List the program's rewards.")
NO_HOLD = Code("redeem.unknown", "there is no open redemption {hold}", "It may be fulfilled, cancelled or timed out.")
QUANTITY_ABOVE = Code(
    "redeem.quantity_above", "{wanted} were named and {left} are left", "Name at most as many as are left."
)

UNLIMITED = 2**53
"""A stock that is never counted down."""

STOCK = Integer(0, UNLIMITED)
STOCK_CHANGE = Integer(-UNLIMITED, UNLIMITED)
HEIGHT = Integer(0, 2**32 - 1)
QUANTITY = Integer(1, 1_000)
LEFT = Integer(0, 1_000)
LIMIT_MAX = 2**31 - 1
LIMIT_DAYS_MAX = 366

PRICE = Integer(1, 2**53)
VALUE = Integer(0, 2**53)
TIER_NUMBER = Integer(0, TIERS_MAX)


@dataclass(frozen=True, slots=True)
class Limit:
    """What one member may get: `total` units altogether, and `count` units within `days` days; 0 is no such bound."""

    total: Annotated[int, Integer(0, LIMIT_MAX)]
    count: Annotated[int, Integer(0, LIMIT_MAX)]
    days: Annotated[int, Integer(0, LIMIT_DAYS_MAX)]

    @property
    def bounds_nothing(self) -> bool:
        """Whether a member may have as many as it likes."""
        return not self.total and not self.days


@dataclass(frozen=True, slots=True)
class Window:
    """When a reward can be redeemed: from `opens_at` until before `closes_at` (2**40: without end)."""

    opens_at: Annotated[Timestamp, TIME]
    closes_at: Annotated[Timestamp, TIME]

    def is_open(self, time: Timestamp) -> bool:
        """Whether `time` lies within it."""
        return self.opens_at <= time < self.closes_at


NO_LIMIT = Limit(0, 0, 0)
ALWAYS = Window(Timestamp(0), Timestamp(TIME_END))


@dataclass(frozen=True, slots=True)
class Announced:
    """A change for the worse that waits for its notice; `stock_change` is what will be taken away, 0 or less."""

    effective_from: Annotated[Timestamp, TIME]
    price: Annotated[Points, PRICE]
    stock_change: Annotated[int, STOCK_CHANGE]
    listed: Annotated[bool, Boolean()]
    limit: Annotated[Limit, Struct(Limit)]
    window: Annotated[Window, Struct(Window)]
    tier_min: Annotated[int, TIER_NUMBER]


@dataclass(frozen=True, slots=True)
class Reward:
    """Something that points buy. Read it through `at`, which applies an announced change whose time has come (spec RWD-2).

    What it costs is `price`, or less where the terms' floor demands it (`floor.price_of`). `value_cents` is what the program says
    that one is worth; 0: it says nothing. Members of the tier `tier_min` and above may have it; 0: all.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    name: Annotated[str, Text(1, 128)]
    price: Annotated[Points, PRICE]
    stock: Annotated[int, STOCK]
    listed: Annotated[bool, Boolean()]
    announced: Annotated[tuple[Announced, ...], ListOf(Struct(Announced), 0, 1)]
    value_cents: Annotated[int, VALUE]
    limit: Annotated[Limit, Struct(Limit)]
    window: Annotated[Window, Struct(Window)]
    tier_min: Annotated[int, TIER_NUMBER]

    def at(self, time: Timestamp) -> "Reward":
        """The reward as it is at `time`."""
        if not self.announced or self.announced[0].effective_from > time:
            return self
        (found,) = self.announced
        return replace(
            self,
            price=found.price,
            stock=changed_stock(self.stock, found.stock_change),
            listed=found.listed,
            announced=(),
            limit=found.limit,
            window=found.window,
            tier_min=found.tier_min,
        )


def changed_stock(stock: int, change: int) -> int:
    """Stock after a change: never below 0; `UNLIMITED` is reached, and left, only by a change of that size."""
    return min(max(stock + change, 0), UNLIMITED)


Counted = tuple[int, int]
"""(made, since): which record counted something, and in which span of days (spec RWD-6)."""

COUNTED = ListOf(Row(HEIGHT, DAY), 0, 1)


@dataclass(frozen=True, slots=True)
class Hold:
    """An open redemption: the lots that it froze, and when it ends by itself (the later of a time and a height).

    `quantity`, `points` and `lots` are those of the units that are still held; each unit has cost the same.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    reward: Annotated[RewardId, identifier()]
    quantity: Annotated[int, QUANTITY]
    points: Annotated[Points, POINTS]
    lots: Annotated[tuple[Lot, ...], ListOf(LOT, 1, LOTS_MAX)]
    expires_at: Annotated[Timestamp, TIME]
    expires_height: Annotated[Height, HEIGHT]
    counted: Annotated[tuple[Counted, ...], COUNTED]


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """Units that were handed out and can still be refunded, and the lots that paid for them (spec RWD-4)."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    reward: Annotated[RewardId, identifier()]
    hold: Annotated[HoldId, identifier()]
    quantity: Annotated[int, QUANTITY]
    points: Annotated[Points, POINTS]
    lots: Annotated[tuple[Lot, ...], ListOf(LOT, 1, LOTS_MAX)]
    keep_until: Annotated[Timestamp, TIME]
    keep_height: Annotated[Height, HEIGHT]
    counted: Annotated[tuple[Counted, ...], COUNTED]


@dataclass(frozen=True, slots=True)
class Count:
    """What one member took of a reward: `total` units since height `made`, `count` of them since the day `since`."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    made: Annotated[Height, HEIGHT]
    total: Annotated[int, Integer(0, INTEGER_MAX)]
    since: Annotated[Day, DAY]
    count: Annotated[int, Integer(0, INTEGER_MAX)]


REWARDS = Table(b"W", Reward)
HOLDS = Table(b"H", Hold)
FULFILMENTS = Table(b"h", Fulfilment)
COUNTS = Table(b"w", Count)


def reward_key(program: ProgramId, reward: RewardId) -> RecordKey:
    """`W` + program + reward."""
    return RecordKey(b"W" + program + reward)


def hold_key(hold: HoldId) -> RecordKey:
    """`H` + hold."""
    return RecordKey(b"H" + hold)


def fulfilment_key(fulfilment: FulfilmentId) -> RecordKey:
    """`h` + fulfilment."""
    return RecordKey(b"h" + fulfilment)


def count_id_of(program: ProgramId, reward: RewardId, member: Address) -> CountId:
    """The id of what `member` took of a reward: a due item names it (spec RWD-6)."""
    return CountId(COUNT(program + reward + member))


def count_key(count: CountId) -> RecordKey:
    """`w` + count."""
    return RecordKey(b"w" + count)


def load_reward(view: RuleView, program: ProgramId, reward: RewardId, time: Timestamp) -> Reward:
    """The reward as it is at `time`, or `reward.unknown`."""
    found: Reward | None = view.get(reward_key(program, reward))
    if found is None:
        raise RuleViolation(NO_REWARD, reward=reward)
    return found.at(time)


def load_hold(view: RuleView, hold: HoldId) -> Hold:
    """The open redemption, or `redeem.unknown`."""
    found: Hold | None = view.get(hold_key(hold))
    if found is None:
        raise RuleViolation(NO_HOLD, hold=hold)
    return found
