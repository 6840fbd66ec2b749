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
NONCES_FULL = Code(
    "signature.busy", "too many signed requests are remembered at the moment", "Send it again in a minute or two."
)


class Nonces:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def use(self, found: Sequence[bytes], now: Timestamp, expires_at: Timestamp) -> bool:
        """Remember nonces until `expires_at`; False, and nothing is changed, if one was used. Raises NodeError signature.busy."""
        try:
            with self._transaction() as connection:
                connection.execute(delete(nonces).where(nonces.c.expires_at < now))
                if connection.execute(select(func.count()).select_from(nonces)).scalar_one() >= NONCES_MAX:
                    raise NodeError(NONCES_FULL)
                connection.execute(insert(nonces), [{"nonce": nonce, "expires_at": expires_at} for nonce in found])
        except IntegrityError:
            return False
        return True
