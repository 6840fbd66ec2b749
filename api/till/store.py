"""All SQL of a till's store: one SQLite file in write-ahead mode with `synchronous=FULL`, used by one process.

A sale is in it before its receipt is answered, and with the sale its number and its share of the day's cap, in one transaction: a
number exists exactly if its receipt does. Sales that come together share one commit. Lines are personal: they are deleted, and
overwritten (`secure_delete`), once the node has them for the fan.
"""

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, delete, event, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_update
from sqlalchemy.exc import DatabaseError

from api.till.errors import OTHER_TILL, SALE_CONFLICT, TillRefused
from api.till.tables import HANDED_OVER, SET_ASIDE, SETTLED, UNSETTLED, WAITING, about, days, sales, tiers
from api.wallet.member_tier import NO_TIER, MemberTier
from ledger.codec import Value, pack, unpack
from ledger.domains.loyalty.receipts import NO_OFFER, decode_receipt
from ledger.types import Address, Hash, ReceiptHash, Timestamp
from node.store.engine import explain_fault, open_engine
from node.store.migrate import migrate

MIGRATIONS: Final = Path(__file__).parent / "migrations"
VERSION_TABLE: Final = "till_version"
STORE_FILE: Final = "till.sqlite"
STORE_NAME_BYTES: Final = 16
IDS_AT_ONCE: Final = 500
DAY_SECONDS: Final = 86_400
LINES_READ_BYTES_MAX: Final = 2**20
SET_ASIDE_SHOWN: Final = 50
"""Receipts that were set aside, as the status lists them; all of them are counted."""


@dataclass(frozen=True, slots=True)
class SignedSale:
    """A sale whose receipt is signed and not yet kept. `content` is the hash of what the POS sent, `bonus` what the cited `offer`
    promises besides the points.
    """

    sale: str
    number: int
    content: bytes
    receipt: ReceiptHash
    signed: bytes
    lines: tuple[Value, ...]
    time: Timestamp
    day: int
    points: int
    member: Address
    is_visit: bool
    signed_at: Timestamp
    bonus: int = 0
    offer: Hash = NO_OFFER


@dataclass(frozen=True, slots=True)
class KeptSale:
    """A sale as it is kept. `hand_over` is one of `tables.WAITING`, `HANDED_OVER`, `SET_ASIDE`; `code` is what the node said."""

    sale: str
    number: int
    content: bytes
    receipt: ReceiptHash
    signed: bytes
    signed_at: Timestamp
    hand_over: int
    code: str | None
    detail: str | None
    is_settled: bool
    is_new: bool


@dataclass(frozen=True, slots=True)
class WaitingReceipt:
    """A receipt on its way to the node. `attempts` counts refusals that may mend."""

    number: int
    sale: str
    receipt: ReceiptHash
    signed: bytes
    lines: tuple[Value, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class Request:
    """What the POS asks for: the sale's id, and the hash of its content."""

    sale: str
    content: bytes


class Earlier:
    """What was signed before, also in the batch that is being written."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.promised: dict[int, int] = {}
        self.fresh: list[SignedSale] = []

    def promised_on(self, day: int) -> int:
        """The points that receipts of a day promise so far."""
        if day not in self.promised:
            self.promised[day] = _promised_on(self._connection, day)
        return self.promised[day]

    def visit_before(self, member: Address, time: Timestamp) -> int:
        """When the member was here last, up to `time`; 0 where this till knows of no visit."""
        here = (sales.c.member == member) & sales.c.is_visit & (sales.c.time <= time)
        kept = self._connection.execute(select(func.max(sales.c.time)).where(here)).scalar_one() or 0
        fresh = (sale.time for sale in self.fresh if sale.member == member and sale.is_visit and sale.time <= time)
        return max(kept, *fresh, 0)

    def has_cited(self, member: Address, offer: Hash) -> bool:
        """Whether a receipt of this till cites the member's offer."""
        rows = self._connection.execute(select(sales.c.signed).where(sales.c.member == member))
        kept = (decode_receipt(row.signed).receipt.offer for row in rows)
        return offer in {*kept, *(sale.offer for sale in self.fresh)}

    def tier_of(self, member: Address) -> MemberTier:
        """What the node said last; no tier where it was not asked."""
        row = self._connection.execute(select(tiers).where(tiers.c.member == member)).first()
        return NO_TIER if row is None else MemberTier(row.tier, row.until_day)

    def add(self, signed: SignedSale) -> None:
        """Count a sale in that is to be kept."""
        self.promised[signed.day] = self.promised_on(signed.day) + signed.points + signed.bonus
        self.fresh.append(signed)


Sign = Callable[[int, int, Earlier], SignedSale]
"""Signs the request at an index of the batch with a number, by what was signed before."""

Outcome = KeptSale | TillRefused


class TillStore:
    """The store in a folder, made at the first opening. `identity` says whose it is: a program and a key."""

    def __init__(self, folder: Path, identity: Mapping[str, str], first_number: Callable[[str], int]) -> None:
        self.path = folder / STORE_FILE
        self._lock = threading.RLock()
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # what SQLite lays beside it takes its mode
        self._engine = _open(self.path)
        try:
            migrate(self._engine, MIGRATIONS, VERSION_TABLE)
            self.first_number = self._claim(folder, identity, first_number)
        except BaseException:
            self._engine.dispose()
            raise

    def _claim(self, folder: Path, identity: Mapping[str, str], first_number: Callable[[str], int]) -> int:
        """Write down whose store this is, and with which number it begins. Raises TillRefused till.other_till."""
        found = self.document("identity")
        if found is None:
            found = {**identity, "store": secrets.token_hex(STORE_NAME_BYTES)}
            self.keep_document("identity", found)  # named first: the counter must never name a store that is not there
        for name, value in identity.items():
            if found[name] != value:
                raise TillRefused(OTHER_TILL, path=str(folder), reason=f"its {name} is {found[name]}, not {value}")
        return first_number(found["store"])

    def close(self) -> None:
        """Close the database; harmless a second time."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One database transaction, alone among this process's threads. Raises `NodeError` store.*."""
        with self._lock:
            try:
                with self._engine.begin() as connection:
                    yield connection
            except DatabaseError as fault:
                raise explain_fault(fault, str(self.path)) from fault

    # --- documents ---

    def document(self, name: str) -> Any:
        """A small JSON document; None where there is none."""
        data = self.read_bytes(name)
        return None if data is None else json.loads(data)

    def keep_document(self, name: str, document: Any) -> None:
        """Keep one, in the place of an earlier one."""
        self.keep_bytes(name, json.dumps(document).encode())

    def read_bytes(self, name: str) -> bytes | None:
        """The bytes that are kept under a name."""
        with self._transaction() as connection:
            row = connection.execute(select(about.c.document).where(about.c.name == name)).first()
        return None if row is None else row[0]

    def keep_bytes(self, name: str, data: bytes) -> None:
        """Keep bytes under a name, whole or not at all."""
        statement = insert_or_update(about).values(name=name, document=data)
        with self._transaction() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"document": data}))

    # --- sales ---

    def keep_sales(self, requests: Sequence[Request], sign: Sign) -> list[Outcome]:
        """Sign and keep what is new, in one transaction; what is kept already is found again, whatever else would speak against it.

        What `sign` refuses (TillRefused) uses no number. Once this returns, all of it is on disk.
        """
        outcomes: list[Outcome] = []
        with self._transaction() as connection:
            known = _find(connection, [request.sale for request in requests])
            number, before = self._next_number(connection), Earlier(connection)
            for index, request in enumerate(requests):
                earlier = known.get(request.sale)
                if earlier is not None:
                    same = earlier.content == request.content
                    outcomes.append(earlier if same else TillRefused(SALE_CONFLICT, sale=request.sale))
                    continue
                try:
                    signed = sign(index, number, before)
                except TillRefused as fault:
                    outcomes.append(fault)
                    continue
                before.add(signed)
                known[request.sale] = _kept(signed)
                outcomes.append(_kept(signed, is_new=True))
                number += 1
            _insert(connection, before.fresh, before.promised)
        return outcomes

    def _next_number(self, connection: Connection) -> int:
        last = connection.execute(select(func.max(sales.c.number))).scalar_one()
        return self.first_number if last is None else last + 1

    def next_number(self) -> int:
        """The number of the next receipt."""
        with self._transaction() as connection:
            return self._next_number(connection)

    def promised_on(self, day: int) -> int:
        """Points of the receipts of a day."""
        with self._transaction() as connection:
            return _promised_on(connection, day)

    def find(self, sale: str) -> KeptSale | None:
        """The sale that the POS calls so."""
        with self._transaction() as connection:
            return _find(connection, [sale]).get(sale)

    # --- tiers ---

    def tier_known_at(self, member: Address) -> Timestamp:
        """When the node was last asked for a member's tier; 0 if it never was."""
        query = select(tiers.c.known_at).where(tiers.c.member == member)
        with self._transaction() as connection:
            return Timestamp(connection.execute(query).scalar_one_or_none() or 0)

    def keep_tier(self, member: Address, tier: MemberTier, known_at: Timestamp) -> None:
        """What the node said of a member's tier."""
        values = {"tier": tier.number, "until_day": tier.until_day, "known_at": known_at}
        statement = insert_or_update(tiers).values(member=member, **values)
        with self._transaction() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["member"], set_=values))

    # --- hand-over ---

    def waiting(self, now: Timestamp, limit: int, pause_seconds_max: int) -> list[WaitingReceipt]:
        """Receipts whose turn it is, the oldest first; a turn that is further ahead than any pause was set by a wrong clock."""
        due = or_(sales.c.next_try <= now, sales.c.next_try > now + pause_seconds_max)
        query = select(sales).where(sales.c.hand_over == WAITING, due).order_by(sales.c.number).limit(limit)
        with self._transaction() as connection:
            return [_waiting(row) for row in connection.execute(query).fetchall()]

    def mark_handed_over(self, number: int, code: str | None = None) -> None:
        """The node has it; its lines are deleted here. `code` where it had it once and the fan has erased it."""
        values = {"hand_over": HANDED_OVER, "lines": None, "code": code, "detail": None}
        self._change(number, values)

    def postpone(self, number: int, *, attempts: int, next_try: Timestamp, code: str, detail: str) -> None:
        """The node refused it for now."""
        self._change(number, {"attempts": attempts, "next_try": next_try, "code": code, "detail": detail})

    def set_aside(self, number: int, *, code: str, detail: str) -> None:
        """The node refused it for good; it is kept with all it has."""
        self._change(number, {"hand_over": SET_ASIDE, "code": code, "detail": detail})

    def retry(self, sale: str) -> bool:
        """Let what was set aside wait again; False where it was not."""
        statement = update(sales).where(sales.c.sale == sale, sales.c.hand_over == SET_ASIDE)
        with self._transaction() as connection:
            return connection.execute(statement.values(hand_over=WAITING, attempts=0, next_try=0)).rowcount > 0

    def _change(self, number: int, values: Mapping[str, Any]) -> None:
        with self._transaction() as connection:
            connection.execute(update(sales).where(sales.c.number == number).values(**values))

    def count_hand_over(self) -> dict[int, int]:
        """How many receipts wait, are handed over, are set aside."""
        query = select(sales.c.hand_over, func.count()).group_by(sales.c.hand_over)
        with self._transaction() as connection:
            found: dict[int, int] = {row[0]: row[1] for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in (WAITING, HANDED_OVER, SET_ASIDE)}

    def list_set_aside(self) -> list[KeptSale]:
        """The receipts that were set aside last."""
        query = select(sales).where(sales.c.hand_over == SET_ASIDE).order_by(sales.c.number.desc())
        return self._kept(query.limit(SET_ASIDE_SHOWN))

    def list_postponed(self) -> list[KeptSale]:
        """Receipts that wait because the node refused them for now."""
        query = select(sales).where(sales.c.hand_over == WAITING, sales.c.attempts > 0).order_by(sales.c.number)
        return self._kept(query.limit(SET_ASIDE_SHOWN))

    # --- settlement ---

    def unsettled(self) -> list[KeptSale]:
        """Sales that no entry settles yet, in the order of their numbers."""
        return self._kept(select(sales).where(sales.c.settlement == UNSETTLED).order_by(sales.c.number))

    def mark_settled(self, receipts: Iterable[ReceiptHash]) -> None:
        """Entries that stand in a block settle these."""
        found = list(receipts)
        with self._transaction() as connection:
            for start in range(0, len(found), IDS_AT_ONCE):
                chosen = sales.c.receipt.in_(found[start : start + IDS_AT_ONCE])
                connection.execute(update(sales).where(chosen).values(settlement=SETTLED, settlement_code=None))

    def note_unsettled(self, codes: Mapping[int, str]) -> None:
        """Why receipts, by their numbers, could not be settled."""
        with self._transaction() as connection:
            for number, code in codes.items():
                connection.execute(update(sales).where(sales.c.number == number).values(settlement_code=code))

    def count_settlement(self) -> dict[int, int]:
        """How many receipts are settled and not."""
        query = select(sales.c.settlement, func.count()).group_by(sales.c.settlement)
        with self._transaction() as connection:
            found: dict[int, int] = {row[0]: row[1] for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in (UNSETTLED, SETTLED)}

    def count_unsettleable(self) -> dict[str, int]:
        """How many receipts could not be settled, by code."""
        chosen = (sales.c.settlement == UNSETTLED) & sales.c.settlement_code.is_not(None)
        query = select(sales.c.settlement_code, func.count()).where(chosen).group_by(sales.c.settlement_code)
        with self._transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    # --- pruning ---

    def list_prunable(self, before: Timestamp, *, settled_only: bool) -> list[tuple[int, ReceiptHash]]:
        """Numbers and receipts of sales from before a time that the node has, some at a time; never the last sale."""
        last = select(func.max(sales.c.number)).scalar_subquery()
        old = (sales.c.time < before) & (sales.c.signed_at < before) & (sales.c.number < last)
        done = sales.c.hand_over == HANDED_OVER
        if settled_only:
            done &= sales.c.settlement == SETTLED
        query = select(sales.c.number, sales.c.receipt).where(old & done).order_by(sales.c.number).limit(IDS_AT_ONCE)
        with self._transaction() as connection:
            return [(row[0], ReceiptHash(row[1])) for row in connection.execute(query)]

    def prune(self, numbers: Sequence[int]) -> None:
        """Delete sales; what stood there is overwritten."""
        with self._transaction() as connection:
            connection.execute(delete(sales).where(sales.c.number.in_(numbers)))

    def prune_knowledge(self, before: Timestamp) -> None:
        """Delete what was promised on days before a time, and tiers that were last asked for before it."""
        with self._transaction() as connection:
            connection.execute(delete(days).where(days.c.day < before // DAY_SECONDS - 1))
            connection.execute(delete(tiers).where(tiers.c.known_at < before))

    def count_kept(self) -> dict[str, int | None]:
        """How many sales there are, and the time of the oldest."""
        with self._transaction() as connection:
            row = connection.execute(select(func.count(), func.min(sales.c.time))).one()
        return {"sales": row[0], "oldest": row[1]}

    def _kept(self, query: Select[Any]) -> list[KeptSale]:
        with self._transaction() as connection:
            return [_kept_of_row(row) for row in connection.execute(query).fetchall()]


def read_receipts(path: Path, after: int = -1) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each receipt above a number, from a store that another process may use. Raises NodeError store.*."""
    engine = open_engine(f"sqlite:///{path}", read_only=True)
    try:
        query = select(sales.c.number, sales.c.signed).where(sales.c.number > after).order_by(sales.c.number)
        with engine.connect() as connection:
            yield from ((row.number, row.signed) for row in connection.execute(query))
    except DatabaseError as fault:
        raise explain_fault(fault, str(path)) from fault
    finally:
        engine.dispose()


def _open(path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _overwrite_deleted)
    return engine


def _overwrite_deleted(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _find(connection: Connection, ids: Sequence[str]) -> dict[str, KeptSale]:
    wanted, found = list(dict.fromkeys(ids)), dict[str, KeptSale]()
    for start in range(0, len(wanted), IDS_AT_ONCE):
        query = select(sales).where(sales.c.sale.in_(wanted[start : start + IDS_AT_ONCE]))
        found |= {row.sale: _kept_of_row(row) for row in connection.execute(query).fetchall()}
    return found


def _promised_on(connection: Connection, day: int) -> int:
    return connection.execute(select(days.c.points).where(days.c.day == day)).scalar_one_or_none() or 0


def _insert(connection: Connection, fresh: Sequence[SignedSale], promised: Mapping[int, int]) -> None:
    """The new sales, and what their days now add up to."""
    if not fresh:
        return
    connection.execute(insert(sales), [_row_of(signed) for signed in fresh])
    for day in sorted({signed.day for signed in fresh}):
        statement = insert_or_update(days).values(day=day, points=promised[day])
        connection.execute(statement.on_conflict_do_update(index_elements=["day"], set_={"points": promised[day]}))


def _row_of(signed: SignedSale) -> dict[str, Any]:
    return {
        "number": signed.number,
        "sale": signed.sale,
        "content": signed.content,
        "receipt": signed.receipt,
        "signed": signed.signed,
        "lines": pack(signed.lines),
        "time": signed.time,
        "day": signed.day,
        "points": signed.points,
        "member": signed.member,
        "is_visit": signed.is_visit,
        "signed_at": signed.signed_at,
        "hand_over": WAITING,
        "attempts": 0,
        "next_try": 0,
        "code": None,
        "detail": None,
        "settlement": UNSETTLED,
        "settlement_code": None,
    }


def _kept(signed: SignedSale, *, is_new: bool = False) -> KeptSale:
    return KeptSale(
        sale=signed.sale,
        number=signed.number,
        content=signed.content,
        receipt=signed.receipt,
        signed=signed.signed,
        signed_at=signed.signed_at,
        hand_over=WAITING,
        code=None,
        detail=None,
        is_settled=False,
        is_new=is_new,
    )


def _kept_of_row(row: Row[Any]) -> KeptSale:
    return KeptSale(
        sale=row.sale,
        number=row.number,
        content=row.content,
        receipt=ReceiptHash(row.receipt),
        signed=row.signed,
        signed_at=Timestamp(row.signed_at),
        hand_over=row.hand_over,
        code=row.code,
        detail=row.detail,
        is_settled=row.settlement == SETTLED,
        is_new=False,
    )


def _waiting(row: Row[Any]) -> WaitingReceipt:
    lines = () if row.lines is None else unpack(row.lines, bytes_max=LINES_READ_BYTES_MAX)
    assert isinstance(lines, tuple), "lines are kept as an array"
    return WaitingReceipt(row.number, row.sale, ReceiptHash(row.receipt), row.signed, lines, row.attempts)
