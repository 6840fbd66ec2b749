"""The receipt store. One thread uses it at a time; `api/http/receipt_desk.py` gives it one. All its SQL is here and in the parts
that it has: marks of gifts, the log of reads, notes of revocations.

An erasure is two steps: the rows are deleted, then the files are scrubbed of what they held. On SQLite: `secure_delete` overwrites
deleted rows, VACUUM writes the database anew from its live rows (pages that were split may hold stale copies), and a checkpoint
brings that into the file and cuts the write-ahead log to nothing. That is why it is always SQLite, also where the chain is on
PostgreSQL: a server's write-ahead log, its replicas and archives keep the old bytes, out of the node's reach. Of backups, snapshots
of a file system and blocks that a disk has set aside no program can know. A scrub that a crash cut off is done at the next opening.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    LargeBinary,
    Row,
    delete,
    event,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, IntegrityError

from api.receipts.acceptances import Acceptances
from api.receipts.access_log import AccessLog
from api.receipts.behaviour import BehaviourLog
from api.receipts.delivery_forms import DeliveryForms
from api.receipts.gifts import Gifts
from api.receipts.hand_outs import HandOuts
from api.receipts.inbox import Inbox, forget_words
from api.receipts.nonces import Nonces
from api.receipts.offer_plans import OfferPlans
from api.receipts.openings import Openings
from api.receipts.personal_tables import FANS_OWN
from api.receipts.preferences import KeptPreferences
from api.receipts.products import Products
from api.receipts.revocation_notes import Note, RevocationNotes, delete_notes
from api.receipts.tables import (
    acceptances,
    delivery_forms,
    erased,
    gifts,
    openings,
    reads,
    receipts,
    scrubs,
    texts,
)
from api.receipts.texts import Texts, erase_texts
from api.receipts.versions import Versions
from api.receipts.webhooks import Webhooks
from ledger.codec import Value, pack, unpack
from ledger.domains.loyalty.receipts import (
    RECEIPT_BYTES_MAX,
    SignedReceipt,
    decode_receipt,
    encode_receipt,
    receipt_hash,
)
from ledger.errors import Code, LedgerError
from ledger.types import Address, ProgramId, ReceiptHash, Timestamp
from node.errors import NodeError
from node.store.engine import explain_fault, open_engine, read_url
from node.store.migrate import migrate

MIGRATIONS: Final = Path(__file__).parent / "migrations"
VERSION_TABLE: Final = "receipts_version"
"""A name of its own, which says whose tables these are."""
ACCOUNT_RECEIPTS_MAX: Final = 100_000
"""Receipts of one account: thirty a day for nine years. Bounds what a shop that invents purchases can fill."""
LINES_BYTES_MAX: Final = 65_536
LINES_MAX: Final = 1_000
"""Lines of one receipt."""

CONFLICT = Code(
    "receipt.conflict",
    "this till has handed over another receipt with the number {sequence} for this program",
    "A till counts its receipts: give each purchase a number of its own.",
)
ERASED = Code("receipt.erased", "the receipt {receipt} was erased by its fan", "Leave it: what was erased stays so.")
FULL = Code("receipt.full", "the account keeps {maximum} receipts already", "The fan may erase some first.")
SCRUB_BLOCKED = Code(
    "receipt.scrub_blocked",
    "the rows are deleted, but another program holds the receipt store open, so that its log still has their bytes",
    "Send the erasure again; nothing else is lost.",
)
NOT_SQLITE = Code(
    "receipt.not_sqlite",
    "receipts can't be kept on a database server: what is erased would stay in its logs and copies",
    "Name an SQLite file, or nothing: then it is receipts.sqlite in the node's folder.",
)


IS_GIFT: Final = exists().where(gifts.c.receipt == receipts.c.receipt)
SELECTED: Final = select(receipts, IS_GIFT.label("is_gift"))
"""Receipts, and whether each is marked as a gift."""
PROGRAM_BY_MEMBER: Final = literal_column("+receipts.program", LargeBinary)
"""The program of receipts that are searched by their members: the + keeps SQLite from going through all of the program's."""


class ReceiptRefused(LedgerError):
    """A receipt that is well-formed and not taken."""


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A signed receipt with its lines, and the period of its program that it belongs to. `number` is the order of arrival.

    `is_gift`: its fan said so.
    """

    signed: SignedReceipt
    lines: tuple[Value, ...]
    period: int
    received_at: Timestamp
    number: int = 0
    is_gift: bool = False
    stored_id: ReceiptHash | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> ReceiptHash:
        """The receipt hash; of one that comes from the store, as it stands there: it takes 16 hashes."""
        return self.stored_id or receipt_hash(self.signed.receipt, self.signed.salt)


@dataclass(frozen=True, slots=True)
class ReceiptsVersion:
    """How many receipts an account has, the newest by number and hash, and which of them are gifts."""

    count: int
    newest: int
    newest_id: bytes
    gifts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """How much of an account's was deleted."""

    receipts: int
    lines: int
    gifts: int
    reads: int
    revocations: int
    acceptances: int
    openings: int
    texts: int
    delivery_forms: int
    behaviour: int
    preferences: int
    messages: int
    feedback: int
    deliveries: int
    drawn_offers: int


class ReceiptStore:
    """Receipts of all programs by URL, `sqlite:///file`. Opened at the first use. Raises NodeError receipt.not_sqlite."""

    def __init__(self, url: str) -> None:
        if read_url(url).get_backend_name() != "sqlite":
            raise NodeError(NOT_SQLITE)
        self._url = url
        self._engine: Engine | None = None
        self._joined: Connection | None = None
        """The transaction of `together`. One thread uses a store."""
        self.acceptances = Acceptances(self._transaction)
        self.behaviour = BehaviourLog(self._transaction)
        self.delivery_forms = DeliveryForms(self._transaction)
        self.gifts = Gifts(self._transaction)
        self.hand_outs = HandOuts(self._transaction)
        self.inbox = Inbox(self._transaction)
        self.log = AccessLog(self._transaction)
        self.nonces = Nonces(self._transaction)
        self.notes = RevocationNotes(self._transaction)
        self.offer_plans = OfferPlans(self._transaction)
        self.openings = Openings(self._transaction)
        self.preferences = KeptPreferences(self._transaction)
        self.products = Products(self._transaction)
        self.texts = Texts(self._transaction)
        self.versions = Versions(self._transaction)
        self.webhooks = Webhooks(self._transaction)

    # --- opening ---

    def _open(self) -> Engine:
        """Make or update the tables, and finish a scrub that was cut off."""
        if self._engine is not None:
            return self._engine
        _make_private(self._url)
        engine = open_engine(self._url)
        event.listen(engine, "connect", _overwrite_deleted)
        try:
            migrate(engine, MIGRATIONS, VERSION_TABLE)
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine
        self.scrub()
        return engine

    @contextmanager
    def together(self) -> Iterator[None]:
        """One transaction for all that is done within: each of its own takes longer than what it does. Raises as that."""
        with self._transaction() as connection:
            self._joined = connection
            try:
                yield
            finally:
                self._joined = None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One database transaction, or the one that is open. Raises `NodeError` store.*."""
        if self._joined is not None:
            yield self._joined
            return
        try:
            with self._open().begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DatabaseError as fault:
            raise explain_fault(fault, "of receipts") from fault

    def close(self) -> None:
        """Close the database; harmless a second time."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # --- receipts ---

    def add(self, kept: KeptReceipt) -> bool:
        """Keep a receipt; False if it was here already. Raises ReceiptRefused receipt.erased, .conflict, .full."""
        try:
            return self._add(kept, kept.id)
        except IntegrityError:  # another process was faster
            raise ReceiptRefused(CONFLICT, sequence=kept.signed.receipt.sequence) from None

    def _add(self, kept: KeptReceipt, found_id: ReceiptHash) -> bool:
        receipt = kept.signed.receipt
        with self._transaction() as connection:
            if connection.execute(select(erased.c.receipt).where(erased.c.receipt == found_id)).first() is not None:
                raise ReceiptRefused(ERASED, receipt=found_id)
            earlier = connection.execute(
                select(receipts.c.receipt).where(
                    receipts.c.program == receipt.program,
                    receipts.c.till == receipt.till,
                    receipts.c.sequence == receipt.sequence,
                )
            ).first()
            if earlier is not None:
                if earlier[0] == found_id:
                    return False
                raise ReceiptRefused(CONFLICT, sequence=receipt.sequence)
            count = select(func.count()).select_from(receipts).where(receipts.c.member == receipt.member)
            if connection.execute(count).scalar_one() >= ACCOUNT_RECEIPTS_MAX:
                raise ReceiptRefused(FULL, maximum=ACCOUNT_RECEIPTS_MAX)
            connection.execute(insert(receipts), [_row_of(kept, found_id)])
        return True

    def page(
        self,
        member: Address,
        *,
        program: ProgramId | None,
        period: int | None,
        before: int | None,
        limit: int,
        with_gifts: bool = True,
    ) -> list[KeptReceipt]:
        """Receipts of one account, the newest arrival first, below the arrival number `before`."""
        query = SELECTED.where(receipts.c.member == member)
        if not with_gifts:
            query = query.where(~IS_GIFT)
        if program is not None:
            query = query.where(receipts.c.program == program)
        if period is not None:
            query = query.where(receipts.c.period == period)
        if before is not None:
            query = query.where(receipts.c.number < before)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(receipts.c.number.desc()).limit(limit)).fetchall()
        return [_kept_of(row) for row in rows]

    def bought_by(
        self, counts: Mapping[Address, int], program: ProgramId, *, limit: int
    ) -> Iterator[tuple[Address, list[KeptReceipt]]]:
        """Of each account (`counts`: how many it has) its latest receipts of a program that are no gifts, the newest first."""
        together, room = list[Address](), limit
        for member, count in counts.items():
            if count > limit:
                latest = self.page(member, program=program, period=None, before=None, limit=limit, with_gifts=False)
                yield member, latest
                continue
            if count > room:
                yield from self._bought_together(together, program)
                together, room = [], limit
            together.append(member)
            room -= count
        yield from self._bought_together(together, program)

    def _bought_together(
        self, members: list[Address], program: ProgramId
    ) -> Iterator[tuple[Address, list[KeptReceipt]]]:
        if not members:
            return
        query = SELECTED.where(receipts.c.member.in_(members), PROGRAM_BY_MEMBER.in_([program]), ~IS_GIFT)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(receipts.c.member, receipts.c.number.desc())).fetchall()
        found = {member: [_kept_of(row) for row in mine] for member, mine in groupby(rows, key=lambda row: row.member)}
        for member in members:
            yield member, found.get(member, [])

    def receipt_versions(self, members: Sequence[Address]) -> dict[Address, ReceiptsVersion]:
        """What changes whenever an account's receipts or their marks as gifts do; none of an account that has none.

        The number of the newest receipt alone would not do: once that is erased, its number is given again. Its hash never is.
        """
        of_each = (
            select(receipts.c.member, func.count().label("receipts"), func.max(receipts.c.number).label("newest"))
            .where(receipts.c.member.in_(members))
            .group_by(receipts.c.member)
            .subquery()
        )
        newest = receipts.alias("newest_receipt")
        query = select(of_each, newest.c.receipt).join(newest, newest.c.number == of_each.c.newest)
        marks = select(gifts.c.member, gifts.c.receipt).where(gifts.c.member.in_(members))
        marked: dict[Address, list[bytes]] = {}
        with self._transaction() as connection:
            found = connection.execute(query).fetchall()
            for member, receipt in connection.execute(marks):
                marked.setdefault(Address(member), []).append(bytes(receipt))
        gifts_of = {member: tuple(sorted(mine)) for member, mine in marked.items()}
        return {
            member: ReceiptsVersion(row.receipts, row.newest, bytes(row.receipt), gifts_of.get(member, ()))
            for row in found
            for member in (Address(row.member),)
        }

    def get(self, member: Address, wanted: ReceiptHash) -> KeptReceipt | None:
        """One receipt of the account; None also where it is another account's."""
        query = SELECTED.where(receipts.c.receipt == wanted, receipts.c.member == member)
        with self._transaction() as connection:
            row = connection.execute(query).first()
        return None if row is None else _kept_of(row)

    # --- erasing ---

    def erase(self, member: Address, now: Timestamp, *, wanted: ReceiptHash | None, program: ProgramId | None) -> int:
        """Delete one receipt of an account, those of a program, or all; returns how many. `scrub` is the second half."""
        mine, gone = receipts.c.member == member, {"erased_at": now, "is_scrubbed": False}
        if wanted is not None:
            mine = mine & (receipts.c.receipt == wanted)
        if program is not None:
            mine = mine & (receipts.c.program == program)
        with self._transaction() as connection:
            came = select(receipts.c.receipt, receipts.c.program, receipts.c.received_at).where(mine)
            found = connection.execute(came.order_by(receipts.c.received_at.desc())).fetchall()
            for told, since in {ProgramId(row.program): row.received_at for row in found}.items():
                forget_words(connection, member, told, since)
            if found:
                connection.execute(insert(erased), [{"receipt": row.receipt, **gone} for row in found])
                connection.execute(delete(gifts).where(gifts.c.receipt.in_(select(receipts.c.receipt).where(mine))))
                connection.execute(delete(receipts).where(mine))
        return len(found)

    def delete_all(self, member: Address, now: Timestamp, ended: Collection[Note]) -> Deleted:
        """Delete all that may be deleted of an account's; of its noted revocations, those in `ended`.

        `scrub` is the second half.
        """
        with self._transaction() as connection:
            of_member = select(receipts.c.receipt, receipts.c.lines).where(receipts.c.member == member)
            found = [(row[0], len(_lines_of(row[1]))) for row in connection.execute(of_member)]
            if found:
                rows = [{"receipt": gone, "erased_at": now, "is_scrubbed": False} for gone, _ in found]
                connection.execute(insert(erased), rows)
            counts = {
                table.name: connection.execute(delete(table).where(table.c.member == member)).rowcount
                for table in (receipts, gifts, reads, acceptances, delivery_forms, openings, *FANS_OWN)
            }
            assert all(note.fan == member for note in ended), "nobody's notes but the account's own"
            forgotten = delete_notes(connection, ended)
            written = erase_texts(connection, texts.c.author == member, now)
            if (any(counts.values()) or forgotten) and connection.execute(select(scrubs.c.due_since)).first() is None:
                connection.execute(insert(scrubs), [{"due_since": now}])
        assert counts["receipts"] == len(found), "what was deleted is what was found"
        return Deleted(
            receipts=len(found),
            lines=sum(lines for _, lines in found),
            gifts=counts["gifts"],
            reads=counts["reads"],
            revocations=forgotten,
            acceptances=counts["acceptances"],
            openings=counts["openings"],
            texts=written,
            delivery_forms=counts["delivery_forms"],
            **{table.name: counts[table.name] for table in FANS_OWN},
        )

    def was_erased(self, wanted: ReceiptHash) -> bool:
        """Whether a receipt with this hash was here and was erased."""
        with self._transaction() as connection:
            return connection.execute(select(erased.c.receipt).where(erased.c.receipt == wanted)).first() is not None

    def scrub(self) -> None:
        """Remove what deleted rows left in the database's files, if anything may be. Raises NodeError receipt.scrub_blocked."""
        engine = self._open()
        with self._transaction() as connection:
            unscrubbed = select(func.count()).select_from(erased).where(erased.c.is_scrubbed.is_(False))
            is_due = connection.execute(select(scrubs.c.due_since)).first() is not None
            if not connection.execute(unscrubbed).scalar_one() and not is_due:
                return
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                _write_anew(connection)
        except DatabaseError as fault:
            raise explain_fault(fault, "of receipts") from fault
        with self._transaction() as connection:
            connection.execute(update(erased).values(is_scrubbed=True).where(erased.c.is_scrubbed.is_(False)))
            connection.execute(delete(scrubs))


def _make_private(url: str) -> None:
    """Make an SQLite file that only its owner reads; what lies beside it takes its mode."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return
    os.close(os.open(parsed.database, os.O_RDWR | os.O_CREAT, 0o600))


def _overwrite_deleted(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _write_anew(connection: Connection) -> None:
    """Write an SQLite database anew from its live rows, and cut its log."""
    connection.exec_driver_sql("VACUUM")
    is_blocked, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    if is_blocked:
        raise NodeError(SCRUB_BLOCKED)


def _row_of(kept: KeptReceipt, found_id: ReceiptHash) -> dict[str, Any]:
    receipt = kept.signed.receipt
    return {
        "receipt": found_id,
        "member": receipt.member,
        "program": receipt.program,
        "period": kept.period,
        "till": receipt.till,
        "sequence": receipt.sequence,
        "time": receipt.time,
        "received_at": kept.received_at,
        "signed": encode_receipt(kept.signed),
        "lines": pack(kept.lines),
    }


def _kept_of(row: Row[Any]) -> KeptReceipt:
    assert len(row.signed) <= RECEIPT_BYTES_MAX, "kept as it was admitted"
    return KeptReceipt(
        decode_receipt(row.signed),
        _lines_of(row.lines),
        row.period,
        Timestamp(row.received_at),
        row.number,
        bool(row.is_gift),
        ReceiptHash(row.receipt),
    )


def _lines_of(packed: bytes) -> tuple[Value, ...]:
    lines = unpack(packed, bytes_max=LINES_BYTES_MAX)
    assert isinstance(lines, tuple), "kept as it was admitted"
    return lines
