"""Accounts in messages, as people know them: the ledger says bytes, and a node or a wallet knows how its chain writes them."""

from collections.abc import Callable
from typing import Final

from ledger.address import PAYLOAD_BYTES
from ledger.errors import LedgerError
from ledger.types import Address

ADDRESS_FIELDS: Final = frozenset(
    {"account", "author", "fan", "guardian", "issuer", "member", "signer", "till", "voter"}
)
"""Fields of faults that hold an account's address, where they hold bytes."""


def name_addresses(fault: LedgerError, show: Callable[[Address], str]) -> LedgerError:
    """The same fault with accounts as people write them. Which fields are accounts, their names say: the rules keep to them."""
    shown = {
        name: show(Address(value))
        if name in ADDRESS_FIELDS and isinstance(value, bytes) and len(value) == PAYLOAD_BYTES
        else value
        for name, value in fault.fields.items()
    }
    return fault if shown == fault.fields else type(fault)(fault.code, **shown)
