"""Whether all that personalization may read of an account is as it was before: one statement tells.

A count and the newest row's number would not do: once that row is deleted, its number is given again. So the newest rows are named
by what no other row has.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, func, select

from api.receipts.personal_tables import behaviour, feedback, messages, preferences, shops
from api.receipts.tables import gifts, receipts
from ledger.types import Address, ProgramId


@dataclass(frozen=True, slots=True)
class Version:
    """What changes with an account and a program. `facts`: receipts, marks, behaviour, and what the fan said; `inbox`: messages and
    what it did with them; `feed`: a number that rises with each product feed, 0 before the first.
    """

    facts: tuple[Any, ...]
    inbox: tuple[Any, ...]
    feed: int


def _in_program(table: Any) -> Any:
    return (table.c.member == bindparam("member")) & (table.c.program == bindparam("program"))


def _newest(table: Any, column: Any, mine: Any) -> Any:
    return select(column).where(mine).order_by(table.c.number.desc()).limit(1).scalar_subquery()


def _count(table: Any, mine: Any) -> Any:
    return select(func.count()).select_from(table).where(mine).scalar_subquery()


def _make_query() -> Select[Any]:
    bought = receipts.c.member == bindparam("member")  # of all programs: that is what is indexed
    marked = select(gifts.c.receipt).where(gifts.c.member == bindparam("member")).order_by(gifts.c.receipt).subquery()
    done, told, heard, said = map(_in_program, (behaviour, messages, feedback, preferences))
    of_receipts = (_count(receipts, bought), _newest(receipts, receipts.c.receipt, bought))
    of_facts = (
        *of_receipts,
        select(func.group_concat(func.hex(marked.c.receipt))).scalar_subquery(),
        _count(behaviour, done),
        _newest(behaviour, behaviour.c.number, done),
        _newest(behaviour, behaviour.c.received_at, done),
        *(
            select(column).where(said).scalar_subquery()
            for column in (preferences.c.document, preferences.c.reset_at, preferences.c.changed_at)
        ),
    )
    of_inbox = (
        *of_receipts,  # who erases one takes the words from messages that rested on it
        _count(messages, told),
        _newest(messages, messages.c.message, told),
        _newest(messages, messages.c.ready_at, told),
        _count(feedback, heard),
        _newest(feedback, feedback.c.message, heard),
        _newest(feedback, feedback.c.kind, heard),
    )
    feed = select(shops.c.changed_at).where(shops.c.program == bindparam("program")).scalar_subquery()
    assert len(of_facts) == OF_FACTS, "the row is cut there"
    return select(*(column.label(f"c{place}") for place, column in enumerate((*of_facts, *of_inbox, feed))))


OF_FACTS: Final = 9
QUERY: Final = _make_query()
"""Made once: to write a statement of this size takes longer than to run it."""


class Versions:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def read(self, member: Address, program: ProgramId) -> Version:
        """The present version."""
        with self._transaction() as connection:
            row = tuple(connection.execute(QUERY, {"member": member, "program": program}).one())
        return Version(row[:OF_FACTS], row[OF_FACTS:-1], row[-1] or 0)
