"""How guardians change the policy of an account: by the clock and the height, whatever was written when (spec ACC-5).

A recovery is `WAITING` from the moment at which enough guardians agreed, `IN_FORCE` after the delay, and `LAPSED` if nobody signed
under its policy in time. Nobody has to do anything at these moments: every reader decides them by the same rule, and whoever signs
for the account, or starts the next recovery, writes down what has become of it.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit, spend_prepaid
from ledger.domains.accounts.state import (
    Account,
    Guardianship,
    Recovery,
    guardianship_key,
    load_account,
    load_guardianship,
    save_account,
)
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import Call, Context
from ledger.params import (
    GUARDIAN_APPROVAL_SECONDS,
    RECOVERY_BLOCKS_MIN,
    RECOVERY_COMPLETE_SECONDS,
    RECOVERY_COOL_DOWN_SECONDS,
    RECOVERY_DOUBLINGS_MAX,
)
from ledger.schema import identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, Hash, Height, Timestamp

RECOVERING = Code(
    "account.recovering",
    "the account's guardians are recovering it: from the later of {effective_at:time} and block {effective_height} on another "
    "policy governs it, and until then coin and points stay and keys are not changed",
    "If you did not ask for it, cancel it with `fansumer wallet recover cancel`; redeeming and leaving are possible meanwhile.",
)

# What has become of a recovery (spec ACC-5).
WAITING = 0
IN_FORCE = 1
LAPSED = 2
PHASE_NAMES = ("waiting", "in_force", "lapsed")
"""How people write the phases."""

SECONDS_A_DAY = 86_400


@declare_event
@dataclass(frozen=True, slots=True)
class AccountRecovered(Event):
    """The account signed under the policy that its guardians gave it: the recovery is completed."""

    name: ClassVar[str] = "account.recovered"
    account: Annotated[Address, identifier()]
    policy_hash: Annotated[Hash, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return subjects_of(self.account, self.policy_hash)


def subjects_of(*ids: bytes) -> tuple[bytes, ...]:
    """Each id once. The hash of a policy of one key is the address of that key, in whose history it is found by its words."""
    return tuple(dict.fromkeys(ids))


def begin_recovery(policy_hash: Hash, delay_days: int, context: Context) -> Recovery:
    """A recovery on which enough guardians agreed now."""
    effective_at = context.time + delay_days * SECONDS_A_DAY
    effective_height = context.height + RECOVERY_BLOCKS_MIN
    return Recovery(
        policy_hash=policy_hash,
        started_at=context.time,
        effective_at=Timestamp(effective_at),
        effective_height=Height(effective_height),
        expires_at=Timestamp(effective_at + RECOVERY_COMPLETE_SECONDS),
        expires_height=Height(effective_height + RECOVERY_BLOCKS_MIN),
    )


def phase_at(recovery: Recovery, time: Timestamp, height: Height) -> int:
    """`WAITING`, `IN_FORCE` or `LAPSED` for the block at `height`, with the chain's clock at `time`."""
    if time < recovery.effective_at or height < recovery.effective_height:
        return WAITING
    if time < recovery.expires_at or height < recovery.expires_height:
        return IN_FORCE
    return LAPSED


def policy_on_record(address: Address, account: Account) -> Hash:
    """The hash of the policy that governs the account while no recovery of it is in force."""
    return account.policy_hash or Hash(address)


def policy_in_force(
    address: Address, account: Account, guardianship: Guardianship | None, time: Timestamp, height: Height
) -> Hash:
    """The hash of the policy that governs the account now (spec ENV-3)."""
    for recovery in () if guardianship is None else guardianship.recovery:
        if phase_at(recovery, time, height) == IN_FORCE:
            return recovery.policy_hash
    return policy_on_record(address, account)


def load_policy_hash(view: RuleView, address: Address, account: Account, context: Context) -> Hash:
    """The same for a rule; an account without guardians costs nothing more."""
    if not account.is_guarded:
        return policy_on_record(address, account)
    return policy_in_force(address, account, load_guardianship(view, address), context.time, context.height)


def settle_recovery(view: RuleView, address: Address, context: Context, *, is_signer: bool) -> Guardianship | None:
    """Write down what has become of the account's recovery: completed if it is in force and the account signs, or lapsed.

    Returns the guardianship as it is then; None if the account has no guardians.
    """
    guardianship = load_guardianship(view, address)
    if guardianship is None or not guardianship.recovery:
        return guardianship
    (recovery,) = guardianship.recovery
    phase = phase_at(recovery, context.time, context.height)
    if phase == LAPSED:
        return end_recovery(view, address, guardianship, failed_at=recovery.expires_at)
    if phase == WAITING or not is_signer:
        return guardianship
    account = load_account(view, address)
    save_account(view, address, replace(account, policy_hash=recovery.policy_hash))
    view.emit(AccountRecovered(address, recovery.policy_hash))
    return end_recovery(view, address, guardianship, failed_at=None)


def end_recovery(
    view: RuleView, address: Address, guardianship: Guardianship, *, failed_at: Timestamp | None
) -> Guardianship:
    """Take the recovery out of the record; what was prepaid for its end goes to the miner. A failure begins a cool-down.

    Approvals were used up when it began, and there are none of others until it ends.
    """
    spend_prepaid(view, guardianship.prepaid)
    ended = replace(guardianship, prepaid=Amount(0), failures=0, not_before=Timestamp(0), recovery=())
    if failed_at is not None:
        failures = guardianship.failures + 1
        doublings = min(failures - 1, RECOVERY_DOUBLINGS_MAX)
        not_before = Timestamp(failed_at + (RECOVERY_COOL_DOWN_SECONDS << doublings))
        ended = replace(ended, failures=failures, not_before=not_before)
    view.put(guardianship_key(address), ended)
    return ended


def live_approvals(guardianship: Guardianship, time: Timestamp) -> tuple[tuple[int, Hash, Timestamp], ...]:
    """The words of guardians that still count."""
    return tuple(given for given in guardianship.approvals if time < given[2] + GUARDIAN_APPROVAL_SECONDS)


def check_not_recovering(view: RuleView, address: Address) -> None:
    """Raise `account.recovering` while a recovery of a signer waits: one that does not was settled before."""
    guardianship = load_guardianship(view, address)
    for recovery in () if guardianship is None else guardianship.recovery:
        raise RuleViolation(RECOVERING, effective_at=recovery.effective_at, effective_height=recovery.effective_height)


def keep_account(view: RuleView, call: Call, context: Context) -> Account:
    """The author's account, whose record stays from now on: its deposit is locked if none is yet."""
    if not load_account(view, call.author).deposit:
        deposit = lock_deposit(view, call, context)
        account = load_account(view, call.author)
        save_account(view, call.author, replace(account, deposit=deposit))
    return load_account(view, call.author)
