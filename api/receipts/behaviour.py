"""What fans looked at, searched for, put in a basket, or stayed with: off chain, erasable. Part of the receipt store."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select

from api.receipts.personal_tables import behaviour
from ledger.types import Address, ProgramId, Timestamp

MEMBER_ROWS_MAX: Final = 5_000
"""Of one account in one program, about 1 MB; beyond, the oldest go."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a fan did."""

    kind: str
    item: str
    seconds: int
    at: int
    received_at: int


class BehaviourLog:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def add(self, member: Address, program: ProgramId, deeds: Sequence[Deed], now: Timestamp) -> int:
        """Keep what was done; how many rows the account has afterwards."""
        rows = [
            {
                "member": member,
                "program": program,
                "kind": deed.kind,
                "item": deed.item,
                "seconds": deed.seconds,
                "at": deed.at,
                "received_at": now,
            }
            for deed in deeds
        ]
        mine = (behaviour.c.member == member) & (behaviour.c.program == program)
        with self._transaction() as connection:
            if rows:
                connection.execute(insert(behaviour), rows)
            count = int(connection.execute(select(func.count()).select_from(behaviour).where(mine)).scalar_one())
            if count > MEMBER_ROWS_MAX:
                oldest = select(behaviour.c.number).where(mine).order_by(behaviour.c.number)
                gone = oldest.limit(count - MEMBER_ROWS_MAX)
                connection.execute(delete(behaviour).where(behaviour.c.number.in_(gone)))
        return min(count, MEMBER_ROWS_MAX)

    def all_of(self, member: Address, program: ProgramId | None = None) -> list[tuple[ProgramId, Deed]]:
        """What an account did, in the order of arrival."""
        query = select(behaviour).where(behaviour.c.member == member)
        if program is not None:
            query = query.where(behaviour.c.program == program)
        with self._transaction() as connection:
            rows: Sequence[Any] = connection.execute(query.order_by(behaviour.c.number)).fetchall()
        return [
            (ProgramId(bytes(row.program)), Deed(row.kind, row.item, row.seconds, row.at, row.received_at))
            for row in rows
        ]
