"""The one kind of fault that the wallet's files and phrases can have."""

from ledger.errors import LedgerError


class WalletError(LedgerError):
    """A phrase, a path or a keystore that cannot be used. `code.name` is stable; no field ever holds a secret."""
