"""A toy kind: everything that a new kind is. One module like this, and one line in the registry."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Integer, Octets, Struct, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Address, Amount, RecordKey

TOO_OFTEN = Code("toy.too_often", "{account} waved {times} times", "Wave at somebody else.")
WAVES_MAX = 2


@dataclass(frozen=True, slots=True)
class Wave:
    """What an account has waved. The record stays."""

    payer: Annotated[bytes, Octets(0, 33)]
    deposit: Annotated[Amount, Integer(0, INTEGER_MAX)]
    times: Annotated[int, Integer(1, WAVES_MAX)]


@dataclass(frozen=True, slots=True)
class ToyWave:
    """Wave, and say something."""

    greeting: Annotated[str, Text(1, 32)]


@declare_event
@dataclass(frozen=True, slots=True)
class Waved(Event):
    """Somebody waved."""

    name: ClassVar[str] = "toy.waved"
    account: Annotated[Address, identifier()]
    greeting: Annotated[str, Text(1, 32)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.account,)


WAVES = Table(b"!", Wave)


def wave_key(account: Address) -> RecordKey:
    """`!` + account."""
    return WAVES.key(account)


def apply(view: RuleView, call: Call, payload: ToyWave, context: Context) -> tuple[str, ...]:
    """Codes: `toy.too_often`, `coin.insufficient` or `coin.pool_insufficient`."""
    earlier: Wave | None = view.get(wave_key(call.author))
    if earlier is not None and earlier.times == WAVES_MAX:
        raise RuleViolation(TOO_OFTEN, account=call.author, times=earlier.times)
    if earlier is None:
        wave = Wave(call.payer, lock_deposit(view, call, context), 1)
    else:
        wave = Wave(earlier.payer, earlier.deposit, earlier.times + 1)
    view.put(wave_key(call.author), wave)
    view.emit(Waved(call.author, payload.greeting))
    return (APPLIED,)


def cost(payload: ToyWave) -> Cost:
    """The wave is made, the payer touched."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: ToyWave) -> tuple[RecordKey, ...]:
    """The wave."""
    return (wave_key(author),)


TOY_WAVE = Kind(name="toy.wave", anchor="TOY-1", payload=Struct(ToyWave), apply=apply, cost=cost, reads=reads)
