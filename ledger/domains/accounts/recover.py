"""`account.recover`: a guardian's word that another policy shall govern an account; enough start a recovery (spec ACC-7)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import prepay_exit
from ledger.domains.accounts.recovery import (
    begin_recovery,
    live_approvals,
    policy_on_record,
    settle_recovery,
    subjects_of,
)
from ledger.domains.accounts.set_guardians import NO_GUARDIANS
from ledger.domains.accounts.state import Guardianship, account_key, guardianship_key, load_account
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import GUARDIANS_MAX
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, Height, RecordKey, Timestamp

NOT_A_GUARDIAN = Code(
    "guardians.not_one",
    "{guardian} is no guardian of {account}",
    "Act as the account that the owner named; `fansumer wallet guardians show` lists them.",
)
UNDER_WAY = Code(
    "recovery.under_way",
    "a recovery of {account} is under way already",
    "Wait until it is completed, cancelled or lapsed; `fansumer wallet recover status` says when.",
)
COOL_DOWN = Code(
    "recovery.cool_down",
    "an earlier recovery of {account} was cancelled or never used; the next one can begin from {not_before:time} on",
    "Wait until then. The owner can name the guardians again, and then it can begin at once.",
)
SAME_POLICY = Code(
    "recovery.same_policy",
    "the account {account} is governed by this policy already",
    "Name the policy of the keys that the owner has now: the address of a new wallet.",
)
APPROVED_ALREADY = Code(
    "recovery.approved_already",
    "{guardian} has said so already, and it still counts",
    "Nothing: the other guardians must say the same.",
)


@dataclass(frozen=True, slots=True)
class Recover:
    """`account` shall be governed by the policy with `policy_hash`: for one key, the address of its ordinary account."""

    account: Annotated[Address, identifier()]
    policy_hash: Annotated[Hash, identifier()]


@declare_event
@dataclass(frozen=True, slots=True)
class RecoveryApproved(Event):
    """A guardian agreed to a recovery: `approvals` of the `threshold` that are needed."""

    name: ClassVar[str] = "account.recovery_approved"
    account: Annotated[Address, identifier()]
    guardian: Annotated[Address, identifier()]
    policy_hash: Annotated[Hash, identifier()]
    approvals: Annotated[int, Integer(1, GUARDIANS_MAX)]
    threshold: Annotated[int, Integer(1, GUARDIANS_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return subjects_of(self.account, self.guardian, self.policy_hash)


@declare_event
@dataclass(frozen=True, slots=True)
class RecoveryStarted(Event):
    """Enough guardians agreed: the policy governs the account from the later of time and height on, unless it is cancelled."""

    name: ClassVar[str] = "account.recovery_started"
    account: Annotated[Address, identifier()]
    policy_hash: Annotated[Hash, identifier()]
    effective_at: Annotated[Timestamp, Integer(0, 2**40)]
    effective_height: Annotated[Height, Integer(0, 2**32 - 1)]

    def subjects(self) -> tuple[bytes, ...]:
        return subjects_of(self.account, self.policy_hash)


def apply(view: RuleView, call: Call, payload: Recover, context: Context) -> tuple[str, ...]:
    """Codes in order: `guardians.none`, `guardians.not_one`, `recovery.under_way`, `recovery.cool_down`,
    `recovery.same_policy`, `recovery.approved_already`, `coin.insufficient` or `coin.pool_insufficient`.

    A guardian has one word: a later one replaces it. Who brings the last one that is needed prepays what cancelling costs.
    """
    guardianship = settle_recovery(view, payload.account, context, is_signer=False)
    if guardianship is None:
        raise RuleViolation(NO_GUARDIANS, account=payload.account)
    _check(view, call, payload, guardianship, context)
    guardians = guardianship.guardians
    place = guardians.addresses.index(call.author)
    others = [given for given in live_approvals(guardianship, context.time) if given[0] != place]
    approvals = tuple(sorted([*others, (place, payload.policy_hash, context.time)]))
    agreed = sum(1 for _, policy_hash, _ in approvals if policy_hash == payload.policy_hash)
    view.emit(RecoveryApproved(payload.account, call.author, payload.policy_hash, agreed, guardians.threshold))
    changed = replace(guardianship, approvals=approvals)
    if agreed >= guardians.threshold:
        recovery = begin_recovery(payload.policy_hash, guardians.delay_days, context)
        prepaid = prepay_exit(view, call, context)
        changed = replace(guardianship, approvals=(), prepaid=prepaid, recovery=(recovery,))
        view.emit(
            RecoveryStarted(payload.account, payload.policy_hash, recovery.effective_at, recovery.effective_height)
        )
    view.put(guardianship_key(payload.account), changed)
    return (APPLIED,)


def _check(view: RuleView, call: Call, payload: Recover, guardianship: Guardianship, context: Context) -> None:
    addresses = guardianship.guardians.addresses
    if call.author not in addresses:
        raise RuleViolation(NOT_A_GUARDIAN, guardian=call.author, account=payload.account)
    if guardianship.recovery:
        raise RuleViolation(UNDER_WAY, account=payload.account)
    if context.time < guardianship.not_before:
        raise RuleViolation(COOL_DOWN, account=payload.account, not_before=guardianship.not_before)
    if policy_on_record(payload.account, load_account(view, payload.account)) == payload.policy_hash:
        raise RuleViolation(SAME_POLICY, account=payload.account)
    for place, policy_hash, _ in live_approvals(guardianship, context.time):
        if addresses[place] == call.author and policy_hash == payload.policy_hash:
            raise RuleViolation(APPROVED_ALREADY, guardian=call.author)


def cost(payload: Recover) -> Cost:
    """The guardianship and the payer are touched, and once more with the account when the recovery is completed."""
    return Cost(records=5)


def reads(author: Address, payload: Recover) -> tuple[RecordKey, ...]:
    """The guardian's account, the account, and who may recover it."""
    return (account_key(author), account_key(payload.account), guardianship_key(payload.account))


RECOVER = Kind(name="account.recover", anchor="ACC-7", payload=Struct(Recover), apply=apply, cost=cost, reads=reads)
