"""ACC-3 and ACC-4."""

from ledger.codec import pack
from tests.model.guardians import keep_account
from tests.model.records import refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import tagged

TO_ACCOUNT, TO_POOL = 0, 1


def policy_hash(policy: tuple) -> bytes:
    """ACC-1."""
    return tagged("POLICY", pack(policy))


def policy_is_valid(policy: tuple) -> bool:
    """ACC-1."""
    threshold, keys = policy
    return list(keys) == sorted(set(keys)) and threshold <= len(keys)


def address_of_key(key: bytes) -> bytes:
    """The address of an ordinary account."""
    return policy_hash((1, (key,)))


def transfer(model: Model, call: Call, payload: tuple) -> list[str]:
    """ACC-3."""
    (tag, recipient), amount = payload
    if tag == TO_POOL:
        refuse_unless(recipient in model.programs, "program.unknown")
    model.take(b"A" + call.author, amount)
    model.give((b"A" if tag == TO_ACCOUNT else b"P") + recipient, amount)
    touched = (call.author, recipient) if tag == TO_ACCOUNT else (call.author,)
    for address in touched:
        balance = model.balance(address)
        refuse_unless(balance == 0 or balance >= model.params.account_minimum, "transfer.below_minimum")
    return [""]


def set_policy(model: Model, call: Call, payload: tuple) -> list[str]:
    """ACC-4."""
    (policy,) = payload
    keep_account(model, call)
    model.accounts[call.author] = model.accounts[call.author]._replace(policy_hash=policy_hash(policy))
    return [""]
