"""A fan whose account is guarded by three others, two of whom are needed: the setting of tests of recovery."""

from typing import Any

from ledger.domains.accounts.cancel_recovery import CancelRecovery
from ledger.domains.accounts.recover import Recover
from ledger.domains.accounts.set_guardians import SetGuardians
from ledger.domains.accounts.state import Account, Guardians, Guardianship, account_key, guardianship_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.params import RECOVERY_BLOCKS_MIN
from ledger.transaction import Prepaid
from ledger.types import Amount, Hash
from tests.support.memory_chain import DAY_SECONDS, Scenario, Signer
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL

GUARDIANS = tuple(sorted((FRIEND, STRANGER, TILL), key=lambda signer: signer.address))
"""In the order in which they stand in the record."""
NEW_KEYS = Signer.named("new keys")
RECOVERED = FAN.governed_by(NEW_KEYS)
"""The fan with the keys that the guardians gave to its account."""
DELAY_DAYS = 3
PAYMENT = Transfer(ToAccount(OWNER.address), Amount(5_000))


def guardians_of(*signers: Signer, threshold: int = 2, delay_days: int = DELAY_DAYS) -> Guardians:
    """These guardians, in order."""
    return Guardians(threshold, tuple(sorted(signer.address for signer in signers)), delay_days)


def set_guardians(chain: Scenario, *signers: Signer, author: Signer = FAN, **options: Any) -> None:
    """Name guardians; nobody removes them."""
    named = (guardians_of(*signers),) if signers else ()
    chain.send("account.set_guardians", SetGuardians(named), author=author, **options)


def approve(chain: Scenario, guardian: Signer, *, account: Signer = FAN, to: Signer = NEW_KEYS, **options: Any) -> None:
    """A guardian's word."""
    chain.send("account.recover", Recover(account.address, Hash(to.policy.hash)), author=guardian, **options)


def start(chain: Scenario) -> None:
    """Two words start a recovery."""
    for guardian in GUARDIANS[:2]:
        approve(chain, guardian)


def cancel(chain: Scenario, *, author: Signer = FAN, to: Signer = NEW_KEYS, payment: Any = None) -> None:
    """The owner says no, as an exit."""
    payload = CancelRecovery(Hash(to.policy.hash))
    chain.send("account.cancel_recovery", payload, author=author, payment=payment or Prepaid())


def pass_delay(chain: Scenario, *, days: int = DELAY_DAYS) -> None:
    """Until the recovery that was just started is in force in the next block."""
    chain.advance(days=days, blocks=RECOVERY_BLOCKS_MIN)


def account_of(chain: Scenario, signer: Signer = FAN) -> Account:
    """The account's record."""
    return chain.record(account_key(signer.address))


def guardianship_of(chain: Scenario, signer: Signer = FAN) -> Guardianship:
    """Who may recover it."""
    return chain.record(guardianship_key(signer.address))


def guard(chain: Scenario) -> None:
    """Name the three."""
    set_guardians(chain, *GUARDIANS)


def days(count: int) -> int:
    """So many days in seconds."""
    return count * DAY_SECONDS
