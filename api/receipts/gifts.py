"""Receipts that their fans marked as gifts: bought for somebody else, so they say nothing about who bought them.

Profiles leave them out, and so does a partner that may read receipts, unless it was granted gifts, too. Points do not change.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from api.receipts.tables import gifts, receipts
from ledger.types import Address, ReceiptHash, Timestamp


class Gifts:
    """The marks, by the transactions of their store."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def mark(self, member: Address, receipt: ReceiptHash, now: Timestamp, *, is_gift: bool) -> bool:
        """Mark a receipt of the account as a gift, or take the mark off; False if it has no such receipt."""
        mine = (receipts.c.receipt == receipt) & (receipts.c.member == member)
        with self._transaction() as connection:
            if connection.execute(select(receipts.c.number).where(mine)).first() is None:
                return False
            is_marked = connection.execute(select(gifts.c.receipt).where(gifts.c.receipt == receipt)).first()
            if is_gift and is_marked is None:
                connection.execute(insert(gifts), [{"receipt": receipt, "member": member, "marked_at": now}])
            elif not is_gift:
                connection.execute(delete(gifts).where(gifts.c.receipt == receipt))
        return True

    def all_of(self, member: Address) -> list[tuple[ReceiptHash, Timestamp]]:
        """The account's marks and when each was made, by receipt."""
        query = select(gifts.c.receipt, gifts.c.marked_at).where(gifts.c.member == member).order_by(gifts.c.receipt)
        with self._transaction() as connection:
            rows: Any = connection.execute(query).fetchall()
        return [(ReceiptHash(receipt), Timestamp(marked_at)) for receipt, marked_at in rows]
