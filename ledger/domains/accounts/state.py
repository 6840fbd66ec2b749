"""Records of the accounts domain: accounts, and who may recover them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from ledger.domains.loyalty.state import COIN, PAYER, TIME
from ledger.errors import Code, Malformed
from ledger.params import GUARDIAN_DELAY_DAYS_MAX, GUARDIANS_MAX
from ledger.schema import Boolean, Integer, ListOf, OptionalIdentifier, Row, Struct, identifier
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Address, Amount, Hash, Height, RecordKey, Timestamp

BAD_GUARDIANS = Code(
    "guardians.invalid",
    "these guardians are not valid: {reason}",
    "Name each guardian once, in ascending order, and let at least one and at most all of them be needed.",
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account that holds coin, whose policy was changed, or that has guardians (spec ACC-2).

    `policy_hash` is empty while the address itself is the hash of the policy; a recovery that is in force counts before it is
    written here (spec ACC-5). `deposit` is locked by the first change of the policy or the first guardians, for good.
    `is_guarded`: the account has a `Guardianship`. An account for which all of this is empty has no record.
    """

    balance: Annotated[Amount, Integer(0, INTEGER_MAX)]
    policy_hash: Annotated[Hash, OptionalIdentifier()]
    deposit: Annotated[Amount, Integer(0, INTEGER_MAX)]
    is_guarded: Annotated[bool, Boolean()] = False


@dataclass(frozen=True, slots=True)
class Guardians:
    """`threshold` of these accounts may recover an account, `delay_days` after they agreed (spec ACC-5)."""

    threshold: Annotated[int, Integer(1, GUARDIANS_MAX)]
    addresses: Annotated[tuple[Address, ...], ListOf(identifier(), 1, GUARDIANS_MAX)]
    delay_days: Annotated[int, Integer(1, GUARDIAN_DELAY_DAYS_MAX)]

    def check(self) -> None:
        """Raise `Malformed` unless the addresses ascend strictly and the threshold is within their number."""
        if any(a >= b for a, b in pairwise(self.addresses)):
            raise Malformed(BAD_GUARDIANS, reason="their addresses are not strictly ascending")
        if self.threshold > len(self.addresses):
            raise Malformed(BAD_GUARDIANS, reason="more are needed than are named")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the guardians agreed on: `policy_hash` governs the account from the later of `effective_at` and `effective_height`.

    If the account signs nothing under it until the later of `expires_at` and `expires_height`, it has lapsed.
    """

    policy_hash: Annotated[Hash, identifier()]
    started_at: Annotated[Timestamp, TIME]
    effective_at: Annotated[Timestamp, TIME]
    effective_height: Annotated[Height, Integer(0, 2**32 - 1)]
    expires_at: Annotated[Timestamp, TIME]
    expires_height: Annotated[Height, Integer(0, 2**32 - 1)]


Approval = tuple[int, Hash, Timestamp]
"""(place among the guardians, hash of the policy that it wants, when): one word of one guardian."""

APPROVAL = Row(Integer(0, GUARDIANS_MAX - 1), identifier(), TIME)


@dataclass(frozen=True, slots=True)
class Guardianship:
    """Who may recover an account, what they have said so far, and the recovery that is pending or in force, if any.

    `prepaid` is what cancelling the recovery costs. `failures` counts recoveries that were cancelled or lapsed since the guardians
    were named; before `not_before` they cannot agree on another one.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    guardians: Annotated[Guardians, Struct(Guardians)]
    approvals: Annotated[tuple[Approval, ...], ListOf(APPROVAL, 0, GUARDIANS_MAX)]
    failures: Annotated[int, Integer(0, 2**31 - 1)]
    not_before: Annotated[Timestamp, TIME]
    recovery: Annotated[tuple[Recovery, ...], ListOf(Struct(Recovery), 0, 1)]


ACCOUNTS = Table(b"A", Account)
GUARDIANSHIPS = Table(b"U", Guardianship)

NO_ACCOUNT = Account(Amount(0), Hash(b""), Amount(0))


def account_key(address: Address) -> RecordKey:
    """`A` + address."""
    return RecordKey(b"A" + address)


def guardianship_key(address: Address) -> RecordKey:
    """`U` + address."""
    return RecordKey(b"U" + address)


def load_account(view: RuleView, address: Address) -> Account:
    """The account at `address`; an empty one where there is no record."""
    found = view.get(account_key(address))
    return NO_ACCOUNT if found is None else found


def save_account(view: RuleView, address: Address, account: Account) -> None:
    """Write the account; one that is empty and unchanged is deleted."""
    put_account(view, account_key(address), account)


def put_account(view: RuleView, key: RecordKey, account: Account) -> None:
    """The same by its key."""
    if account.balance or account.policy_hash or account.deposit or account.is_guarded:
        view.put(key, account)
    elif view.get(key) is not None:
        view.delete(key)


def load_guardianship(view: RuleView, address: Address) -> Guardianship | None:
    """Who may recover the account; None where it has no guardians."""
    return view.get(guardianship_key(address)) if load_account(view, address).is_guarded else None
