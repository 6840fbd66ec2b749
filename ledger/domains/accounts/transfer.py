"""`transfer`: coin to an account, or to a program's fee pool (spec ACC-3)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import account_payer, give_to, pool_payer, take_from
from ledger.domains.accounts.state import account_key, load_account
from ledger.domains.loyalty.state import books_key, load_program
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Integer, OneOf, Struct, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, Amount, ProgramId, RecordKey

BELOW_MINIMUM = Code(
    "transfer.below_minimum",
    "the account {account} would hold {balance} coin; an account holds nothing or at least {minimum}",
    "Send everything, or leave and send at least the minimum.",
)


@dataclass(frozen=True, slots=True)
class ToAccount:
    """The recipient is an account."""

    tag: ClassVar[int] = 0
    address: Annotated[Address, identifier()]


@dataclass(frozen=True, slots=True)
class ToPool:
    """The recipient is a program's fee pool. What is in a pool pays fees and deposits and never comes out again."""

    tag: ClassVar[int] = 1
    program: Annotated[ProgramId, identifier()]


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount` of coin goes from the author to `recipient`."""

    recipient: Annotated[ToAccount | ToPool, OneOf(ToAccount, ToPool)]
    amount: Annotated[Amount, Integer(1, INTEGER_MAX)]


@declare_event
@dataclass(frozen=True, slots=True)
class CoinMoved(Event):
    """Coin went from an account to an account or a fee pool."""

    name: ClassVar[str] = "coin.moved"
    sender: Annotated[Address, identifier()]
    recipient: Annotated[bytes, identifier()]
    amount: Annotated[Amount, Integer(1, INTEGER_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.sender,) if self.sender == self.recipient else (self.sender, self.recipient)


def apply(view: RuleView, call: Call, payload: Transfer, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `coin.insufficient`, `transfer.below_minimum` (sender, then recipient)."""
    recipient = payload.recipient
    if isinstance(recipient, ToPool):
        load_program(view, recipient.program)
        target, payee = bytes(recipient.program), pool_payer(recipient.program)
    else:
        target, payee = bytes(recipient.address), account_payer(recipient.address)
    take_from(view, account_payer(call.author), payload.amount, "accounts")
    give_to(view, payee, payload.amount, "accounts")
    _check_minimum(view, call.author, context)
    if isinstance(recipient, ToAccount):
        _check_minimum(view, recipient.address, context)
    view.emit(CoinMoved(call.author, target, payload.amount))
    return (APPLIED,)


def _check_minimum(view: RuleView, address: Address, context: Context) -> None:
    balance, minimum = load_account(view, address).balance, context.params.account_minimum
    if 0 < balance < minimum:
        raise RuleViolation(BELOW_MINIMUM, account=address, balance=balance, minimum=minimum)


def cost(payload: Transfer) -> Cost:
    """Sender and recipient are touched; the recipient may be made."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: Transfer) -> tuple[RecordKey, ...]:
    """Sender and recipient."""
    recipient = payload.recipient
    other = account_key(recipient.address) if isinstance(recipient, ToAccount) else books_key(recipient.program)
    return (account_key(author), other)


TRANSFER = Kind(
    name="transfer",
    anchor="ACC-3",
    payload=Struct(Transfer),
    apply=apply,
    cost=cost,
    reads=reads,
    waits_for_recovery=True,
)
