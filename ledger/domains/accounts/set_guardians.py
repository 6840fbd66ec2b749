"""`account.set_guardians`: who may recover the account, and how long that takes; or nobody any more (spec ACC-6)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import give_to, lock_deposit
from ledger.domains.accounts.recovery import keep_account, subjects_of
from ledger.domains.accounts.state import (
    Guardians,
    Guardianship,
    account_key,
    guardianship_key,
    load_account,
    load_guardianship,
    save_account,
)
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import GUARDIAN_DELAY_DAYS_MAX, GUARDIANS_MAX
from ledger.schema import Integer, ListOf, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, RecordKey, Timestamp

OWN_ACCOUNT = Code(
    "guardians.own_account",
    "the account {account} cannot be its own guardian",
    "Name accounts of people whom you trust, whose keys are not where yours are.",
)
NO_GUARDIANS = Code(
    "guardians.none",
    "the account {account} has no guardians",
    "Its owner names some with `fansumer wallet guardians set`. Without them only its own keys help.",
)


@dataclass(frozen=True, slots=True)
class SetGuardians:
    """The account's guardians from now on; none removes them."""

    guardians: Annotated[tuple[Guardians, ...], ListOf(Struct(Guardians), 0, 1)]


@declare_event
@dataclass(frozen=True, slots=True)
class GuardiansSet(Event):
    """Others may recover the account from here on; threshold 0: nobody."""

    name: ClassVar[str] = "account.guardians_set"
    account: Annotated[Address, identifier()]
    threshold: Annotated[int, Integer(0, GUARDIANS_MAX)]
    guardians: Annotated[tuple[Address, ...], ListOf(identifier(), 0, GUARDIANS_MAX)]
    delay_days: Annotated[int, Integer(0, GUARDIAN_DELAY_DAYS_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return subjects_of(self.account, *self.guardians)


def check(payload: SetGuardians) -> None:
    """The guardians must be valid in themselves."""
    for guardians in payload.guardians:
        guardians.check()


def apply(view: RuleView, call: Call, payload: SetGuardians, context: Context) -> tuple[str, ...]:
    """Codes in order: `guardians.own_account` or `guardians.none`, `coin.insufficient` or `coin.pool_insufficient`.

    New guardians begin anew: what the former ones said or failed at is forgotten. That no recovery is pending was checked before.
    """
    earlier = load_guardianship(view, call.author)
    if not payload.guardians:
        return _remove(view, call, earlier)
    (guardians,) = payload.guardians
    if call.author in guardians.addresses:
        raise RuleViolation(OWN_ACCOUNT, account=call.author)
    if earlier is None:
        keep_account(view, call, context)
        deposit = lock_deposit(view, call, context)
        account = load_account(view, call.author)
        save_account(view, call.author, replace(account, is_guarded=True))
        payer = call.payer
    else:
        assert not earlier.recovery, "it was settled when the account signed, and one that waits forbids this kind"
        payer, deposit = earlier.payer, earlier.deposit
    changed = Guardianship(
        payer=payer,
        deposit=deposit,
        prepaid=Amount(0),
        guardians=guardians,
        approvals=(),
        failures=0,
        not_before=Timestamp(0),
        recovery=(),
    )
    view.put(guardianship_key(call.author), changed)
    view.emit(GuardiansSet(call.author, guardians.threshold, guardians.addresses, guardians.delay_days))
    return (APPLIED,)


def _remove(view: RuleView, call: Call, earlier: Guardianship | None) -> tuple[str, ...]:
    if earlier is None:
        raise RuleViolation(NO_GUARDIANS, account=call.author)
    view.delete(guardianship_key(call.author))
    save_account(view, call.author, replace(load_account(view, call.author), is_guarded=False))
    give_to(view, earlier.payer, earlier.deposit, "locked")
    view.emit(GuardiansSet(call.author, 0, (), 0))
    return (APPLIED,)


def cost(payload: SetGuardians) -> Cost:
    """The account and its guardianship may be made; the payer is touched."""
    return Cost(records=3, slots=2)


def reads(author: Address, payload: SetGuardians) -> tuple[RecordKey, ...]:
    """The account and who may recover it."""
    return (account_key(author), guardianship_key(author))


SET_GUARDIANS = Kind(
    name="account.set_guardians",
    anchor="ACC-6",
    payload=Struct(SetGuardians),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    waits_for_recovery=True,
)
