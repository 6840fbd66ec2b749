"""Nonces of signed requests, so that none is obeyed twice. Part of the receipt store."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from api.receipts.tables import nonces
from ledger.errors import Code
from ledger.types import Timestamp
from node.errors import NodeError

NONCES_MAX: Final = 200_000
"""That are remembered at a time: about 20 MB; they live for two minutes."""
SWEEP_SECONDS: Final = 10
"""How often those that are too late are forgotten."""
NONCES_FULL = Code(
    "signature.busy", "too many signed requests are remembered at the moment", "Send it again in a minute or two."
)


INSERT: Final = insert(nonces)


class Nonces:
    """`transaction` opens one of the store's database. Every signed request comes by here: one statement is all it costs."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction
        self._count = 0
        self._swept_at: Timestamp | None = None

    def use(self, found: Sequence[bytes], now: Timestamp, expires_at: Timestamp) -> bool:
        """Remember nonces until `expires_at` at least; False, and nothing is changed, if one was used.

        Raises NodeError signature.busy.
        """
        try:
            with self._transaction() as connection:
                if self._swept_at is None or abs(now - self._swept_at) >= SWEEP_SECONDS:
                    self._sweep(connection, now)
                if self._count >= NONCES_MAX:
                    raise NodeError(NONCES_FULL)
                connection.execute(INSERT, [{"nonce": nonce, "expires_at": expires_at} for nonce in found])
        except IntegrityError:
            return False
        self._count += len(found)
        return True

    def _sweep(self, connection: Connection, now: Timestamp) -> None:
        """Forget what is too late anyway, and count the others."""
        connection.execute(delete(nonces).where(nonces.c.expires_at < now))
        self._count = connection.execute(select(func.count()).select_from(nonces)).scalar_one()
        self._swept_at = now
