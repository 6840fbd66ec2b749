"""Records of the accounts domain."""

from dataclasses import dataclass
from typing import Annotated

from ledger.schema import Integer, OptionalIdentifier
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Address, Amount, Hash, RecordKey


@dataclass(frozen=True, slots=True)
class Account:
    """An account that holds coin or whose policy was changed (spec ACC-2).

    `policy_hash` is empty while the address itself is the hash of the policy. An account without coin and without a changed
    policy has no record. `deposit` is what a changed policy locks.
    """

    balance: Annotated[Amount, Integer(0, INTEGER_MAX)]
    policy_hash: Annotated[Hash, OptionalIdentifier()]
    deposit: Annotated[Amount, Integer(0, INTEGER_MAX)]


ACCOUNTS = Table(b"A", Account)

NO_ACCOUNT = Account(Amount(0), Hash(b""), Amount(0))


def account_key(address: Address) -> RecordKey:
    """`A` + address."""
    return RecordKey(b"A" + address)


def load_account(view: RuleView, address: Address) -> Account:
    """The account at `address`; an empty one where there is no record."""
    found = view.get(account_key(address))
    return NO_ACCOUNT if found is None else found


def save_account(view: RuleView, address: Address, account: Account) -> None:
    """Write the account; one that is empty and unchanged is deleted."""
    key = account_key(address)
    if account.balance or account.policy_hash:
        view.put(key, account)
    elif view.get(key) is not None:
        view.delete(key)
