"""`reward.update`: price, stock and listing; what gets worse waits for the program's notice (spec RWD-2)."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from ledger.domains.loyalty.program_sunset import NOT_OWNER, refuse_worse
from ledger.domains.loyalty.state import TIME, load_program, load_terms, program_key
from ledger.domains.rewards.state import (
    PRICE,
    STOCK_CHANGE,
    Announced,
    Reward,
    changed_stock,
    load_reward,
    reward_key,
)
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Boolean, Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Points, ProgramId, RecordKey, RewardId, Timestamp

CHANGE_ANNOUNCED = Code(
    "reward.update_pending",
    "a change for the worse is announced for {effective_from}; another one must wait until then",
    "Wait until it is in force, or only improve the reward.",
)


@dataclass(frozen=True, slots=True)
class RewardUpdate:
    """The new price and listing, and what to add to the stock (negative: take away)."""

    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    price: Annotated[Points, PRICE]
    stock_change: Annotated[int, STOCK_CHANGE]
    listed: Annotated[bool, Boolean()]


@declare_event
@dataclass(frozen=True, slots=True)
class RewardUpdated(Event):
    """A reward's terms: `price`, `stock` and `listed` are those in force from `effective_from` on."""

    name: ClassVar[str] = "reward.updated"
    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    price: Annotated[Points, PRICE]
    stock: Annotated[int, Integer(0, 2**53)]
    listed: Annotated[bool, Boolean()]
    effective_from: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program,)


def apply(view: RuleView, call: Call, payload: RewardUpdate, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `reward.unknown`, `program.ending`, `reward.update_pending`.

    Each of price, stock and listing that gets better changes at once, and improves what is announced; those that get worse change
    together after the notice in force.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    reward = load_reward(view, payload.program, payload.reward, context.time)
    worse_price = payload.price > reward.price
    worse_stock = payload.stock_change < 0
    worse_listing = reward.listed and not payload.listed
    improved = replace(
        reward,
        price=reward.price if worse_price else payload.price,
        stock=reward.stock if worse_stock else changed_stock(reward.stock, payload.stock_change),
        listed=reward.listed or payload.listed,
    )
    if worse_price or worse_stock or worse_listing:
        if not program.has_closed(context.time):
            refuse_worse(program)
        if reward.announced:
            raise RuleViolation(CHANGE_ANNOUNCED, effective_from=reward.announced[0][0])
        notice = load_terms(view, payload.program, program.version_at(context.time)).notice_days * 86_400
        stock_change = payload.stock_change if worse_stock else 0
        announced: Announced = (context.time + notice, payload.price, stock_change, payload.listed)
        improved = replace(improved, announced=(announced,))
    elif reward.announced:
        improved = replace(improved, announced=_improve_announced(reward, payload))
    record = improved.at(context.time)
    view.put(reward_key(payload.program, payload.reward), record)
    _say(view, payload, record, context)
    return (APPLIED,)


def _improve_announced(reward: Reward, payload: RewardUpdate) -> tuple[Announced, ...]:
    """What is announced, with what gets better now: nobody is drawn by terms that an older announcement takes back.

    What is taken away is at most what is there before the improvement. An announcement that changes nothing more is dropped.
    """
    ((effective_from, price, stock_change, listed),) = reward.announced
    kept_price = min(price, payload.price) if payload.price < reward.price else price
    kept_change = max(stock_change, -reward.stock) if payload.stock_change > 0 else stock_change
    kept_listed = listed or (payload.listed and not reward.listed)
    if (kept_price, kept_change, kept_listed) == (payload.price, 0, reward.listed or payload.listed):
        return ()
    return ((effective_from, kept_price, kept_change, kept_listed),)


def _say(view: RuleView, payload: RewardUpdate, record: Reward, context: Context) -> None:
    effective = Timestamp(record.announced[0][0]) if record.announced else context.time
    final = record.at(effective)
    view.emit(RewardUpdated(payload.program, payload.reward, final.price, final.stock, final.listed, effective))


def cost(payload: RewardUpdate) -> Cost:
    """The reward changes."""
    return Cost(records=1)


def reads(author: Address, payload: RewardUpdate) -> tuple[RecordKey, ...]:
    """Program and reward."""
    return (program_key(payload.program), reward_key(payload.program, payload.reward))


REWARD_UPDATE = Kind(
    name="reward.update", anchor="RWD-2", payload=Struct(RewardUpdate), apply=apply, cost=cost, reads=reads
)
