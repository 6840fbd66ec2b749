"""What fans said to personalization, by account and program: language, quiet hours, corrections. Part of the receipt store."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from api.receipts.personal_tables import FORGOTTEN, preferences
from api.receipts.tables import scrubs
from ledger.types import Address, ProgramId, Timestamp


@dataclass(frozen=True, slots=True)
class Kept:
    """A fan's word for one program. `reset_at` 0: it was never reset. `changed_at` rises with each change."""

    program: ProgramId
    document: dict[str, Any]
    reset_at: int
    changed_at: int


class KeptPreferences:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def find(self, member: Address, program: ProgramId) -> Kept | None:
        """What the fan said for a program."""
        query = select(preferences).where(preferences.c.member == member, preferences.c.program == program)
        with self._transaction() as connection:
            row: Any = connection.execute(query).first()
        return None if row is None else Kept(program, json.loads(row.document), row.reset_at, row.changed_at)

    def find_each(self, members: Sequence[Address], program: ProgramId) -> dict[Address, tuple[str, int, int]]:
        """What several fans said for a program: the document as JSON, `reset_at`, `changed_at`; nothing of who said nothing."""
        columns = (preferences.c.member, preferences.c.document, preferences.c.reset_at, preferences.c.changed_at)
        query = select(*columns).where(preferences.c.member.in_(members), preferences.c.program == program)
        with self._transaction() as connection:
            return {Address(row[0]): (row[1], row[2], row[3]) for row in connection.execute(query)}

    def choosing(self, program: ProgramId, channel: str) -> list[Address]:
        """Accounts that chose a channel for a program, by address."""
        named = preferences.c.document.contains(json.dumps(channel), autoescape=True)
        query = select(preferences.c.member, preferences.c.document).where(preferences.c.program == program, named)
        with self._transaction() as connection:
            rows: Any = connection.execute(query.order_by(preferences.c.member)).fetchall()
        return [Address(bytes(row.member)) for row in rows if json.loads(row.document).get("channel") == channel]

    def all_of(self, member: Address) -> list[Kept]:
        """What the fan said, by program."""
        query = select(preferences).where(preferences.c.member == member).order_by(preferences.c.program)
        with self._transaction() as connection:
            rows: Any = connection.execute(query).fetchall()
        return [
            Kept(ProgramId(bytes(row.program)), json.loads(row.document), row.reset_at, row.changed_at) for row in rows
        ]

    def change(
        self,
        member: Address,
        program: ProgramId,
        now: Timestamp,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Let `change` make the new document of the old one, in one transaction; returns it."""
        mine = (preferences.c.member == member) & (preferences.c.program == program)
        with self._transaction() as connection:
            row: Any = connection.execute(select(preferences).where(mine)).first()
            document = dict(change({} if row is None else json.loads(row.document)))
            text = json.dumps(document, sort_keys=True)
            if row is None:
                fresh = {"member": member, "program": program, "document": text, "reset_at": 0, "changed_at": now}
                connection.execute(insert(preferences), [fresh])
            else:
                values = {"document": text, "changed_at": max(now, row.changed_at + 1)}
                connection.execute(update(preferences).where(mine).values(values))
        return document

    def reset(
        self,
        member: Address,
        program: ProgramId,
        now: Timestamp,
        keep: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> int:
        """Forget behaviour, messages, feedback and corrections; purchases before now count no more. Returns the rows deleted.

        `keep` makes of what the fan said that which stays. The files still hold what was deleted until they are scrubbed.
        """
        said = (preferences.c.member == member) & (preferences.c.program == program)
        with self._transaction() as connection:
            before: Any = connection.execute(select(preferences.c.document).where(said)).scalar_one_or_none()
            kept = json.dumps(dict(keep({} if before is None else json.loads(before))), sort_keys=True)
            count = 0
            for table in FORGOTTEN:
                mine = (table.c.member == member) & (table.c.program == program)
                count += connection.execute(delete(table).where(mine)).rowcount
            row = {"member": member, "program": program, "document": kept, "reset_at": now, "changed_at": now}
            connection.execute(insert(preferences), [row])
            if count and connection.execute(select(scrubs.c.due_since)).first() is None:
                connection.execute(insert(scrubs), [{"due_since": now}])
        return count
