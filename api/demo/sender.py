"""Sends what the office signed to the node: a few requests at once, or in order where the first comer gets the last coupon."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from api.demo.paperwork import Signed
from api.wallet.client import Client
from api.wallet.errors import ClientProblem, Unreachable
from ledger.types import TxId

SENDERS: Final = 4
"""Requests under way at once."""


class Sender:
    """A client with a few threads."""

    def __init__(self, client: Client, pool: ThreadPoolExecutor) -> None:
        self._client = client
        self._pool = pool

    def send(self, signed: Sequence[Signed]) -> list[TxId | ClientProblem]:
        """A few at once; one outcome each, in order."""
        return list(self._pool.map(self._send_one, signed))

    def send_in_order(self, signed: Sequence[Signed]) -> list[TxId | ClientProblem]:
        """One after the other, where the outcome of one decides on the next: the last coupon, the last points."""
        return [self._send_one(one) for one in signed]

    def _send_one(self, signed: Signed) -> TxId | ClientProblem:
        try:
            return TxId(bytes.fromhex(self._client.submit(signed.raw)["txid"]))
        except Unreachable:
            raise
        except ClientProblem as problem:
            return problem
