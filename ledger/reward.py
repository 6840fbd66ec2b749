"""Block rewards: who is paid, and when it can be spent (spec EMI-2)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from ledger.coin import account_payer, give_to
from ledger.errors import BlockViolation, Code
from ledger.params import PAYEES_MAX
from ledger.schema import Integer, ListOf, Row, identifier
from ledger.state import Overlay, Table
from ledger.types import INTEGER_MAX, Address, Amount, Height, RecordKey

BAD_PAYEES = Code("block.payees", "the block's payees are not valid: {reason}", "Build the block from a new template.")

Payee = tuple[Address, Amount]
PAYEE = Row(identifier(), Integer(1, INTEGER_MAX))
PAYEES = ListOf(PAYEE, 0, PAYEES_MAX)


@dataclass(frozen=True, slots=True)
class Maturing:
    """What a block paid, until it is old enough to be spent."""

    payees: Annotated[tuple[Payee, ...], PAYEES]


MATURING = Table(b"R", Maturing)


def maturing_key(height: Height) -> RecordKey:
    """`R` + height as 4 bytes."""
    return RecordKey(b"R" + height.to_bytes(4, "big"))


def check_payees(payees: tuple[Payee, ...], total: Amount, minimum: Amount) -> None:
    """Raise `block.payees` unless they are sorted, unique, above dust, and sum to `total`. A lone payee may be below dust."""
    addresses = [address for address, _ in payees]
    if any(a >= b for a, b in pairwise(addresses)):
        raise BlockViolation(BAD_PAYEES, reason="not strictly ascending by address")
    if sum(amount for _, amount in payees) != total:
        raise BlockViolation(BAD_PAYEES, reason=f"they do not sum to subsidy and fees, {total}")
    if len(payees) > 1 and min(amount for _, amount in payees) < minimum:
        raise BlockViolation(BAD_PAYEES, reason=f"a payee gets less than {minimum}")


def pay_reward(overlay: Overlay, payees: tuple[Payee, ...], height: Height, maturity_blocks: int) -> None:
    """Let the reward of `height - maturity_blocks` be spent, and keep this block's until it is as old."""
    if height >= maturity_blocks:
        key = maturing_key(Height(height - maturity_blocks))
        matured: Maturing | None = overlay.get(key)
        if matured is not None:
            for address, amount in matured.payees:
                give_to(overlay, account_payer(address), amount, "maturing")
            overlay.delete(key)
    if payees:
        overlay.put(maturing_key(height), Maturing(payees))
        overlay.post("maturing", sum(amount for _, amount in payees))
