"""Which records a block will read, so that the store can fetch them in a few queries instead of one by one."""

from collections.abc import Sequence

from ledger.domains.accounts.state import account_key
from ledger.domains.loyalty.state import books_key, member_key, program_key
from ledger.transaction import Sponsored, Transaction
from ledger.types import RecordKey


def keys_read(transactions: Sequence[Transaction]) -> list[RecordKey]:
    """Records that applying these transactions will read, as far as their kinds can tell."""
    keys: list[RecordKey] = []
    for transaction in transactions:
        keys.append(account_key(transaction.author))
        keys.extend(transaction.kind.reads(transaction.author, transaction.payload))
        payment = transaction.body.payment
        if isinstance(payment, Sponsored):
            keys.append(program_key(payment.program))
            keys.append(books_key(payment.program))
            keys.append(member_key(payment.program, transaction.author))
    return keys
