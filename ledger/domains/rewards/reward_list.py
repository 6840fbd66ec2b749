"""`reward.list`: a program offers something for points (spec RWD-1)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.domains.loyalty.program_sunset import NOT_OWNER
from ledger.domains.loyalty.state import load_program, load_terms, program_key
from ledger.domains.rewards.counts import check_offer, check_tier
from ledger.domains.rewards.floor import check_floor
from ledger.domains.rewards.state import (
    ALWAYS,
    NO_LIMIT,
    PRICE,
    STOCK,
    TIER_NUMBER,
    VALUE,
    Limit,
    Reward,
    Window,
    reward_key,
)
from ledger.errors import RuleViolation
from ledger.events import Event, declare_event
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import Address, Points, ProgramId, RecordKey, RewardId


@dataclass(frozen=True, slots=True)
class RewardList:
    """A reward's name, price in points, stock (2**53: unlimited), stated value, limit, window and least tier.

    Its id is `object_id("reward", txid, 0)`.
    """

    program: Annotated[ProgramId, identifier()]
    name: Annotated[str, Text(1, 128)]
    price: Annotated[Points, PRICE]
    stock: Annotated[int, STOCK]
    value_cents: Annotated[int, VALUE] = 0
    limit: Annotated[Limit, Struct(Limit)] = NO_LIMIT
    window: Annotated[Window, Struct(Window)] = ALWAYS
    tier_min: Annotated[int, TIER_NUMBER] = 0


@declare_event
@dataclass(frozen=True, slots=True)
class RewardListed(Event):
    """A reward is on offer."""

    name: ClassVar[str] = "reward.listed"
    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    title: Annotated[str, Text(1, 128)]
    price: Annotated[Points, PRICE]
    stock: Annotated[int, STOCK]
    value_cents: Annotated[int, VALUE]
    limit: Annotated[Limit, Struct(Limit)]
    window: Annotated[Window, Struct(Window)]
    tier_min: Annotated[int, TIER_NUMBER]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program,)


def check(payload: RewardList) -> None:
    """A limit or a window that contradicts itself is malformed."""
    check_offer(payload.limit, payload.window)


def apply(view: RuleView, call: Call, payload: RewardList, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `reward.no_such_tier`, `reward.below_floor`,
    `coin.insufficient` or `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    terms = load_terms(view, payload.program, program.version_at(context.time))
    check_tier(payload.tier_min, terms)
    check_floor(payload.price, payload.value_cents, terms.floor)
    deposit = lock_deposit(view, call, context)
    reward = RewardId(object_id("reward", call.txid, 0))
    record = Reward(
        payer=call.payer,
        deposit=deposit,
        name=payload.name,
        price=payload.price,
        stock=payload.stock,
        listed=True,
        announced=(),
        value_cents=payload.value_cents,
        limit=payload.limit,
        window=payload.window,
        tier_min=payload.tier_min,
    )
    view.put(reward_key(payload.program, reward), record)
    view.emit(
        RewardListed(
            program=payload.program,
            reward=reward,
            title=payload.name,
            price=payload.price,
            stock=payload.stock,
            value_cents=payload.value_cents,
            limit=payload.limit,
            window=payload.window,
            tier_min=payload.tier_min,
        )
    )
    return (APPLIED,)


def cost(payload: RewardList) -> Cost:
    """The reward is made, the payer touched."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: RewardList) -> tuple[RecordKey, ...]:
    """The program."""
    return (program_key(payload.program),)


REWARD_LIST = Kind(
    name="reward.list",
    anchor="RWD-1",
    payload=Struct(RewardList),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
)
