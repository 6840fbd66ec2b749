"""Records of the rewards domain: rewards and the holds of open redemptions."""

from dataclasses import dataclass, replace
from typing import Annotated

from ledger.domains.loyalty.state import COIN, LOT, PAYER, POINTS, TIME, Lot
from ledger.errors import Code, RuleViolation
from ledger.params import LOTS_MAX
from ledger.schema import Boolean, Integer, ListOf, Row, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import Address, Amount, Height, HoldId, Points, ProgramId, RecordKey, RewardId, Timestamp

NO_REWARD = Code("reward.unknown", "the program has no reward {reward}", "List the program's rewards.")
NO_HOLD = Code("redeem.unknown", "there is no open redemption {hold}", "It may be fulfilled, cancelled or timed out.")

UNLIMITED = 2**53
"""A stock that is never counted down."""

STOCK = Integer(0, UNLIMITED)
STOCK_CHANGE = Integer(-UNLIMITED, UNLIMITED)
HEIGHT = Integer(0, 2**32 - 1)

PRICE = Integer(1, 2**53)

Announced = tuple[int, int, int, bool]
"""(effective from, price, stock change, listed): a change for the worse that waits for its notice."""


@dataclass(frozen=True, slots=True)
class Reward:
    """Something that points buy. Read it through `at`, which applies an announced change whose time has come (spec RWD-2)."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    name: Annotated[str, Text(1, 128)]
    price: Annotated[Points, PRICE]
    stock: Annotated[int, STOCK]
    listed: Annotated[bool, Boolean()]
    announced: Annotated[tuple[Announced, ...], ListOf(Row(TIME, PRICE, STOCK_CHANGE, Boolean()), 0, 1)]

    def at(self, time: Timestamp) -> "Reward":
        """The reward as it is at `time`."""
        if not self.announced or self.announced[0][0] > time:
            return self
        _, price, stock_change, listed = self.announced[0]
        stock = changed_stock(self.stock, stock_change)
        return replace(self, price=Points(price), stock=stock, listed=listed, announced=())


def changed_stock(stock: int, change: int) -> int:
    """Stock after a change: never below 0; `UNLIMITED` is reached, and left, only by a change of that size."""
    return min(max(stock + change, 0), UNLIMITED)


@dataclass(frozen=True, slots=True)
class Hold:
    """An open redemption: the lots that it froze, and when it ends by itself (the later of a time and a height)."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    reward: Annotated[RewardId, identifier()]
    quantity: Annotated[int, Integer(1, 1_000)]
    points: Annotated[Points, POINTS]
    lots: Annotated[tuple[Lot, ...], ListOf(LOT, 1, LOTS_MAX)]
    expires_at: Annotated[Timestamp, TIME]
    expires_height: Annotated[Height, HEIGHT]


REWARDS = Table(b"W", Reward)
HOLDS = Table(b"H", Hold)


def reward_key(program: ProgramId, reward: RewardId) -> RecordKey:
    """`W` + program + reward."""
    return RecordKey(b"W" + program + reward)


def hold_key(hold: HoldId) -> RecordKey:
    """`H` + hold."""
    return RecordKey(b"H" + hold)


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
