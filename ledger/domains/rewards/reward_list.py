"""`reward.list`: a program offers something for points (spec RWD-1)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import load_program, program_key
from ledger.domains.rewards.state import PRICE, STOCK, Reward, reward_key
from ledger.errors import RuleViolation
from ledger.events import Event, declare_event
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import Address, Points, ProgramId, RecordKey, RewardId


@dataclass(frozen=True, slots=True)
class RewardList:
    """A reward's name, price in points, and stock (2**53: unlimited). Its id is `object_id("reward", txid, 0)`."""

    program: Annotated[ProgramId, identifier()]
    name: Annotated[str, Text(1, 128)]
    price: Annotated[Points, PRICE]
    stock: Annotated[int, STOCK]


@declare_event
@dataclass(frozen=True, slots=True)
class RewardListed(Event):
    """A reward is on offer."""

    name: ClassVar[str] = "reward.listed"
    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    title: Annotated[str, Text(1, 128)]
    price: Annotated[Points, PRICE]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program,)


def apply(view: RuleView, call: Call, payload: RewardList, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `coin.insufficient` or `coin.pool_insufficient`."""
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    deposit = lock_deposit(view, call, context)
    reward = RewardId(object_id("reward", call.txid, 0))
    record = Reward(call.payer, deposit, payload.name, payload.price, payload.stock, True, ())
    view.put(reward_key(payload.program, reward), record)
    view.emit(RewardListed(payload.program, reward, payload.name, payload.price))
    return (APPLIED,)


def cost(payload: RewardList) -> Cost:
    """The reward is made, the payer touched."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: RewardList) -> tuple[RecordKey, ...]:
    """The program."""
    return (program_key(payload.program),)


REWARD_LIST = Kind(name="reward.list", anchor="RWD-1", payload=Struct(RewardList), apply=apply, cost=cost, reads=reads)
