"""Who read what of a fan, and who was refused: times, names and numbers, never what was read.

Every read that a partner is given has a row of its own. Refused ones of one reader, member, program, scope and day share a row
that counts them, and so do reads that a program's personalization is given. Rows go after a year. What strangers are refused is
bounded in all, and never takes the place of what was given.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, func, insert, or_, select, update

from api.receipts.tables import reads
from ledger.errors import Code, LedgerError
from ledger.types import Address, ProgramId, Timestamp

DAY_SECONDS: Final = 86_400
KEPT_SECONDS: Final = 366 * DAY_SECONDS
"""How long a row of the log is kept: a year, so that a fan who looks once a year misses nothing."""
GIVEN_PER_DAY_MAX: Final = 1_000
"""Reads that one reader is given of one member in a day: bounds the log, and what a leaked partner's key can draw."""
REFUSED_ROWS_MAX: Final = 200_000
"""Rows of refused reads in all, about 40 MB; beyond, the oldest tenth of them goes."""
GIVEN: Final = ""
"""The code of a read that was given."""

TOO_MANY_READS = Code(
    "partner.too_many_reads",
    "this reader was given {maximum} reads of this member today",
    "Ask again tomorrow; keep what you may keep instead of reading it again.",
)


class ReadRefused(LedgerError):
    """A read that was granted and is not given now."""


@dataclass(frozen=True, slots=True)
class Read:
    """A read, or refused reads of a day. `code` empty: it was given; `given` counts items, `times` reads.

    `number` is the order of arrival. `staff` and `why` are what a brand's service staff said of itself and of its reason.
    """

    member: Address
    reader: Address
    program: ProgramId
    purpose: int
    scope: str
    first_at: Timestamp
    last_at: Timestamp
    code: str = GIVEN
    given: int = 0
    times: int = 1
    number: int = 0
    staff: str = ""
    why: str = ""


class AccessLog:
    """The log, by the transactions of its store. One thread uses it at a time."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction
        self._refused_rows: int | None = None

    def add(self, read: Read) -> None:
        """Write down a read before it is given, or after it was refused. Raises ReadRefused partner.too_many_reads."""
        with self._transaction() as connection:
            connection.execute(delete(reads).where(reads.c.last_at < read.first_at - KEPT_SECONDS))
            if read.code == GIVEN:
                self._check_number(connection, read)
                connection.execute(insert(reads), [_row_of(read)])
            elif not _count_on(connection, read):
                self._make_room(connection)
                connection.execute(insert(reads), [_row_of(read)])

    def add_counted(self, found: Sequence[Read]) -> None:
        """Write down reads that personalization is given, each in the row of its day; `given` is that of the last one.

        They are one reader's, at one time, of one program, purpose and scope, and of each member one.
        """
        if not found:
            return
        first, members = found[0], [read.member for read in found]
        assert all(replace(read, member=first.member, given=first.given) == first for read in found), (
            "all else is the same"
        )
        assert len(set(members)) == len(members), "of each member one"
        with self._transaction() as connection:
            if len(found) == 1 and _count_on(connection, first):
                return
            same = select(reads.c.member, reads.c.number).where(_is_same(first), reads.c.member.in_(members))
            known = {Address(member): number for member, number in connection.execute(same)}
            counted = [
                {"row": known[read.member], "now": read.last_at, "items": read.given}
                for read in found
                if read.member in known
            ]
            if counted:
                connection.execute(COUNT_ON, counted)
            fresh = [_row_of(read) for read in found if read.member not in known]
            if fresh:
                connection.execute(delete(reads).where(reads.c.last_at < first.first_at - KEPT_SECONDS))
                connection.execute(insert(reads), fresh)

    def _check_number(self, connection: Connection, read: Read) -> None:
        of_pair = (reads.c.reader == read.reader) & (reads.c.member == read.member) & (reads.c.code == GIVEN)
        today = select(func.count()).select_from(reads).where(of_pair, reads.c.first_at >= _day_of(read.first_at))
        if connection.execute(today).scalar_one() >= GIVEN_PER_DAY_MAX:
            raise ReadRefused(TOO_MANY_READS, maximum=GIVEN_PER_DAY_MAX)

    def _make_room(self, connection: Connection) -> None:
        """Room for one more row of a refused read."""
        if self._refused_rows is None or self._refused_rows >= REFUSED_ROWS_MAX:
            counted = select(func.count()).select_from(reads).where(reads.c.code != GIVEN)
            self._refused_rows = connection.execute(counted).scalar_one()
        if self._refused_rows >= REFUSED_ROWS_MAX:
            share = max(REFUSED_ROWS_MAX // 10, 1)
            oldest = select(reads.c.number).where(reads.c.code != GIVEN).order_by(reads.c.number).limit(share)
            connection.execute(delete(reads).where(reads.c.number.in_(oldest)))
            self._refused_rows -= share
        self._refused_rows += 1

    def page(self, member: Address, *, now: Timestamp, before: int | None, limit: int) -> list[Read]:
        """Reads of one account's data, the newest first, below the number `before`."""
        query = select(reads).where(reads.c.member == member, reads.c.last_at >= now - KEPT_SECONDS)
        if before is not None:
            query = query.where(reads.c.number < before)
        with self._transaction() as connection:
            return [
                _read_of(row) for row in connection.execute(query.order_by(reads.c.number.desc()).limit(limit)).all()
            ]

    def all_of(self, account: Address, *, after: int, limit: int) -> list[Read]:
        """What was read of the account and what it read of others, by number, above the number `after`."""
        query = select(reads).where(or_(reads.c.member == account, reads.c.reader == account), reads.c.number > after)
        with self._transaction() as connection:
            return [_read_of(row) for row in connection.execute(query.order_by(reads.c.number).limit(limit)).all()]

    def count_as_reader(self, account: Address) -> int:
        """How many rows of other accounts' logs name this account as who read."""
        query = select(func.count()).select_from(reads).where(reads.c.reader == account, reads.c.member != account)
        with self._transaction() as connection:
            return int(connection.execute(query).scalar_one())


def _day_of(time: Timestamp) -> int:
    return time - time % DAY_SECONDS


def _count_on(connection: Connection, read: Read) -> bool:
    """Count a read on in the row of its day, if there is one."""
    row = {f"its_{name}": getattr(read, name) for name in ("member", *KIND)}
    now = {"its_day": _day_of(read.first_at), "its_last_at": read.last_at, "its_given": read.given}
    return connection.execute(COUNT_ON_OF_DAY, row | now).rowcount > 0


def _is_same(read: Read) -> ColumnElement[bool]:
    """Whether a row is of the same kind of read on the same day, of whichever member."""
    return and_(*(reads.c[name] == getattr(read, name) for name in KIND), reads.c.first_at >= _day_of(read.first_at))


KIND: Final = ("reader", "program", "purpose", "scope", "code")
COUNT_ON_OF_DAY: Final = (
    update(reads)
    .where(
        *(reads.c[name] == bindparam(f"its_{name}") for name in ("member", *KIND)),
        reads.c.first_at >= bindparam("its_day"),
    )
    .values(times=reads.c.times + 1, last_at=bindparam("its_last_at"), given=bindparam("its_given"))
)
"""Count one read on, by what it is. Written once: each answer needs it."""
COUNT_ON: Final = (
    update(reads)
    .where(reads.c.number == bindparam("row"))
    .values(times=reads.c.times + 1, last_at=bindparam("now"), given=bindparam("items"))
)
"""Count one read on, by the number of its row."""


NAMES: Final[Sequence[str]] = tuple(column.name for column in reads.columns if column.name != "number")


def _row_of(read: Read) -> dict[str, Any]:
    return {name: getattr(read, name) for name in NAMES}


def _read_of(row: Row[Any]) -> Read:
    return Read(
        member=Address(row.member),
        reader=Address(row.reader),
        program=ProgramId(row.program),
        purpose=row.purpose,
        scope=row.scope,
        first_at=Timestamp(row.first_at),
        last_at=Timestamp(row.last_at),
        code=row.code,
        given=row.given,
        times=row.times,
        number=row.number,
        staff=row.staff,
        why=row.why,
    )
