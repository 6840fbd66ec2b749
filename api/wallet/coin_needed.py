"""What a transaction needs in coin, told whole: a rule takes fee, deposits and amounts one by one, and names the first that
is not there.
"""

from api.wallet.builder import ChainFacts
from api.wallet.errors import ClientProblem
from ledger.address import encode_address
from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.transfer import Transfer
from ledger.transaction import OwnFee, Transaction, decode_transaction

ADVICE = (
    "Spend less, wait for unconfirmed payments, or get coin to that address: from somebody who has some, or by mining with "
    "`fansumer node run --payout ADDRESS`; mined coin matures first."
)


def explain_shortage(facts: ChainFacts, raw: bytes, problem: ClientProblem) -> ClientProblem:
    """The same problem; where the author's coin does not suffice, with all that is known to be needed, and what is there."""
    needed, there = problem.fields.get("needed"), problem.fields.get("available")
    if problem.code != INSUFFICIENT.name or not isinstance(needed, int) or not isinstance(there, int):
        return problem
    transaction = decode_transaction(raw, facts.chain_id)
    payment = transaction.body.payment
    fee = int(payment.fee) if isinstance(payment, OwnFee) else 0
    if fee and needed == fee:
        total = fee + _amount_of(transaction)
    else:
        total, there = needed + fee, there + fee
    address = encode_address(facts.address_prefix, transaction.body.author)
    detail = f"at least {total} coin is needed, {fee} of it for the fee, and the account {address} can spend {there}"
    fields = problem.fields | {"needed": total, "available": there, "fee": fee}
    return ClientProblem(problem.code, detail, ADVICE, status=problem.status, fields=fields)


def _amount_of(transaction: Transaction) -> int:
    """What it moves besides the fee, as far as its payload says it."""
    payload = transaction.payload
    return int(payload.amount) if isinstance(payload, Transfer) else 0
