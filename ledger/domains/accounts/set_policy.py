"""`account.set_policy`: other keys sign for the account from now on; its address stays (spec ACC-4)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.accounts.recovery import keep_account, subjects_of
from ledger.domains.accounts.state import account_key, save_account
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.policy import Policy
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, RecordKey


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """The account's new policy."""

    policy: Annotated[Policy, Struct(Policy)]


@declare_event
@dataclass(frozen=True, slots=True)
class PolicyChanged(Event):
    """Other keys sign for the account from here on."""

    name: ClassVar[str] = "account.policy_changed"
    account: Annotated[Address, identifier()]
    policy_hash: Annotated[Hash, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return subjects_of(self.account, self.policy_hash)


def check(payload: SetPolicy) -> None:
    """The policy must be valid in itself."""
    payload.policy.check()


def apply(view: RuleView, call: Call, payload: SetPolicy, context: Context) -> tuple[str, ...]:
    """Codes: `coin.insufficient` or `coin.pool_insufficient`, for the deposit of the first change.

    The record of a changed policy stays for good, and so does that deposit. Guardians stay, too: who has stolen the keys
    and changes them has not shaken off who may recover the account.
    """
    account = keep_account(view, call, context)
    save_account(view, call.author, replace(account, policy_hash=payload.policy.hash))
    view.emit(PolicyChanged(call.author, payload.policy.hash))
    return (APPLIED,)


def cost(payload: SetPolicy) -> Cost:
    """The account may be made."""
    return Cost(records=1, slots=1)


def reads(author: Address, payload: SetPolicy) -> tuple[RecordKey, ...]:
    """The account."""
    return (account_key(author),)


SET_POLICY = Kind(
    name="account.set_policy",
    anchor="ACC-4",
    payload=Struct(SetPolicy),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    waits_for_recovery=True,
)
