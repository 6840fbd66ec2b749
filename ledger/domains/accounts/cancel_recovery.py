"""`account.cancel_recovery`: whoever holds the account's present keys ends a recovery that waits, without a fee (spec ACC-8)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.accounts.recovery import end_recovery, subjects_of
from ledger.domains.accounts.state import account_key, guardianship_key, load_guardianship
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, RecordKey, Timestamp

NO_RECOVERY = Code(
    "recovery.none",
    "no recovery of {account} to this policy waits",
    "`fansumer wallet recover status` shows whether one is under way, and to which policy.",
)


@dataclass(frozen=True, slots=True)
class CancelRecovery:
    """Names the recovery by the policy that it would bring."""

    policy_hash: Annotated[Hash, identifier()]


@declare_event
@dataclass(frozen=True, slots=True)
class RecoveryCancelled(Event):
    """The account's owner said no; its guardians cannot begin another recovery before `not_before`."""

    name: ClassVar[str] = "account.recovery_cancelled"
    account: Annotated[Address, identifier()]
    policy_hash: Annotated[Hash, identifier()]
    not_before: Annotated[Timestamp, Integer(0, 2**40)]

    def subjects(self) -> tuple[bytes, ...]:
        return subjects_of(self.account, self.policy_hash)


def apply(view: RuleView, call: Call, payload: CancelRecovery, context: Context) -> tuple[str, ...]:
    """Codes: `recovery.none`. What is no longer waiting was settled when the account signed."""
    guardianship = load_guardianship(view, call.author)
    if guardianship is None or not any(found.policy_hash == payload.policy_hash for found in guardianship.recovery):
        raise RuleViolation(NO_RECOVERY, account=call.author)
    ended = end_recovery(view, call.author, guardianship, failed_at=context.time)
    view.emit(RecoveryCancelled(call.author, payload.policy_hash, ended.not_before))
    return (APPLIED,)


def cost(payload: CancelRecovery) -> Cost:
    """The guardianship is changed."""
    return Cost(records=1)


def reads(author: Address, payload: CancelRecovery) -> tuple[RecordKey, ...]:
    """The account and who may recover it."""
    return (account_key(author), guardianship_key(author))


CANCEL_RECOVERY = Kind(
    name="account.cancel_recovery",
    anchor="ACC-8",
    payload=Struct(CancelRecovery),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
