"""Moving coin, always from one bucket to another in the same call (spec COIN).

Buckets: `accounts`, `pools` (programs' fee pools), `locked` (deposits and prepaid exits), `escrow` (campaigns), `maturing` (block
rewards), and within a block `fees`. A payer is 33 bytes: `A` + address, which is the account's key too, or `P` + program.
"""

from ledger.domains.accounts.state import NO_ACCOUNT, Account, account_key, put_account
from ledger.domains.loyalty.state import Books, books_key
from ledger.errors import Code, RuleViolation
from ledger.evolve import maker_of, replace
from ledger.kinds import Call, Context
from ledger.params import CHALLENGE_CONTEST_WEIGHT, CONTEST_WEIGHT, EXIT_WEIGHT, Params
from ledger.state import RuleView
from ledger.types import Address, Amount, ProgramId, RecordKey

INSUFFICIENT = Code(
    "coin.insufficient",
    "{needed} coin is needed and the account holds {available}",
    "Send less, wait for unconfirmed payments, or receive coin first.",
)
POOL_INSUFFICIENT = Code(
    "coin.pool_insufficient",
    "{needed} coin is needed and the program's fee pool holds {available}",
    "Tell the brand to fill its fee pool: `fansumer brand fill-pool PROGRAM AMOUNT`. Or pay the fee yourself: --pay-own.",
)

ACCOUNT_PAYER = b"A"
POOL_PAYER = b"P"

_make_account = maker_of(Account)


def account_payer(address: Address) -> bytes:
    """The payer that is an account."""
    return account_key(address)


def pool_payer(program: ProgramId) -> bytes:
    """The payer that is a program's fee pool."""
    return POOL_PAYER + program


def take_from(view: RuleView, payer: bytes, amount: Amount, bucket: str) -> None:
    """Move `amount` from the payer to `bucket`. Raises `coin.insufficient` or `coin.pool_insufficient`."""
    if payer[:1] == ACCOUNT_PAYER:
        key = RecordKey(payer)
        account: Account = view.get(key) or NO_ACCOUNT
        if account.balance < amount:
            raise RuleViolation(INSUFFICIENT, needed=amount, available=account.balance)
        put_account(view, key, _with_balance(account, account.balance - amount))
        view.post("accounts", -amount)
    else:
        key = books_key(ProgramId(payer[1:]))
        books: Books = view.get(key)
        if books.pool < amount:
            raise RuleViolation(POOL_INSUFFICIENT, needed=amount, available=books.pool)
        view.put(key, replace(books, pool=books.pool - amount))
        view.post("pools", -amount)
    view.post(bucket, amount)


def give_to(view: RuleView, payer: bytes, amount: Amount, bucket: str) -> None:
    """Move `amount` from `bucket` to the payer."""
    if amount == 0:
        return
    if payer[:1] == ACCOUNT_PAYER:
        key = RecordKey(payer)
        account: Account = view.get(key) or NO_ACCOUNT
        put_account(view, key, _with_balance(account, account.balance + amount))
        view.post("accounts", amount)
    else:
        key = books_key(ProgramId(payer[1:]))
        books: Books = view.get(key)
        view.put(key, replace(books, pool=books.pool + amount))
        view.post("pools", amount)
    view.post(bucket, -amount)


def _with_balance(account: Account, balance: int) -> Account:
    return _make_account(balance, account.policy_hash, account.deposit, account.is_guarded)


def lock_deposit(view: RuleView, call: Call, context: Context) -> Amount:
    """Lock one record's deposit from the call's payer; returns what was locked (spec FEE-5)."""
    deposit = context.params.record_deposit
    take_from(view, call.payer, deposit, "locked")
    return deposit


def exit_fee(params: Params) -> Amount:
    """What an exit costs its record, whatever it weighs (spec FEE-4)."""
    return Amount(EXIT_WEIGHT * params.fee_rate_min)


def contest_fee(params: Params) -> Amount:
    """What a prepaid contest costs, whatever it weighs (spec LOY-14)."""
    return Amount(CONTEST_WEIGHT * params.fee_rate_min)


def challenge_contest_fee(params: Params) -> Amount:
    """What a contest of a challenge costs the challenge that pays for it, whatever it weighs (spec CHL-5)."""
    return Amount(CHALLENGE_CONTEST_WEIGHT * params.fee_rate_min)


def prepay_exit(view: RuleView, call: Call, context: Context) -> Amount:
    """Lock what the exit of a record will cost from the call's payer; returns the amount (spec FEE-4)."""
    prepaid = exit_fee(context.params)
    take_from(view, call.payer, prepaid, "locked")
    return prepaid


def spend_prepaid(view: RuleView, prepaid: Amount) -> None:
    """The exit has come: what was prepaid goes to the block's miner."""
    view.post("locked", -prepaid)
    view.post("fees", prepaid)
