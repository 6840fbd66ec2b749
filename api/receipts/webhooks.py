"""Where brands want to be told of messages that a fan allowed to be sent out, and what was sent to them. Part of the receipt store.

A delivery names its fan, so it is part of that fan's export and deletion. Once it succeeded, or was given up, its body goes; the
row that says so stays for 30 days, and as long as the message can be shown, so that nothing is ever sent a second time.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.receipts.personal_tables import deliveries, messages, webhooks
from ledger.errors import Code, LedgerError
from ledger.types import Address, Hash, ProgramId, Timestamp

WEBHOOKS_MAX: Final = 5
"""Of one program."""
KEPT_SECONDS: Final = 30 * 86_400
FULL = Code("webhook.full", "the program has {maximum} webhooks already", "Delete one that is not needed any more.")


class WebhookRefused(LedgerError):
    """A webhook that is well-formed and not taken."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address of a brand's, and the secret with which what is sent to it is signed."""

    id: bytes
    program: ProgramId
    url: str
    secret: bytes
    made_at: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one webhook. `done_at` 0: it waits for its next attempt at `due_at`; `code` says how the last one ended."""

    id: bytes
    webhook: bytes
    member: Address
    program: ProgramId
    message: Hash
    body: bytes
    made_at: int
    due_at: int
    attempts: int
    done_at: int
    code: str


class Webhooks:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def add(self, made: Webhook) -> None:
        """Keep a webhook. Raises WebhookRefused webhook.full."""
        row = {
            "webhook": made.id,
            "program": made.program,
            "url": made.url,
            "secret": made.secret,
            "made_at": made.made_at,
        }
        with self._transaction() as connection:
            count = select(func.count()).select_from(webhooks).where(webhooks.c.program == made.program)
            if connection.execute(count).scalar_one() >= WEBHOOKS_MAX:
                raise WebhookRefused(FULL, maximum=WEBHOOKS_MAX)
            connection.execute(insert(webhooks), [row])

    def of_program(self, program: ProgramId) -> list[Webhook]:
        """A program's webhooks, the oldest first."""
        query = select(webhooks).where(webhooks.c.program == program).order_by(webhooks.c.made_at, webhooks.c.webhook)
        with self._transaction() as connection:
            return [_webhook_of(row) for row in connection.execute(query).fetchall()]

    def programs(self) -> list[ProgramId]:
        """The programs that have webhooks."""
        query = select(webhooks.c.program).distinct().order_by(webhooks.c.program)
        with self._transaction() as connection:
            return [ProgramId(bytes(row[0])) for row in connection.execute(query).fetchall()]

    def find(self, wanted: bytes) -> Webhook | None:
        """One webhook."""
        with self._transaction() as connection:
            row = connection.execute(select(webhooks).where(webhooks.c.webhook == wanted)).first()
        return None if row is None else _webhook_of(row)

    def drop(self, program: ProgramId, wanted: bytes) -> bool:
        """Delete a webhook and what waits for it; False if there was none."""
        mine = (webhooks.c.webhook == wanted) & (webhooks.c.program == program)
        with self._transaction() as connection:
            is_gone = bool(connection.execute(delete(webhooks).where(mine)).rowcount)
            if is_gone:
                connection.execute(delete(deliveries).where(deliveries.c.webhook == wanted))
        return is_gone

    # --- deliveries ---

    def queue(self, made: Delivery) -> bool:
        """Keep a delivery; False if this message was given to this webhook before."""
        try:
            with self._transaction() as connection:
                connection.execute(insert(deliveries), [_row_of(made)])
        except IntegrityError:
            return False
        return True

    def forget_old(self, now: Timestamp) -> int:
        """Delete what was over 30 days ago, but for messages that can be shown still; returns how many."""
        shown = exists().where(messages.c.message == deliveries.c.message, messages.c.expires_at > now)
        old = deliveries.c.done_at.between(1, now - KEPT_SECONDS)
        with self._transaction() as connection:
            return connection.execute(delete(deliveries).where(old, ~shown)).rowcount

    def due(self, now: Timestamp, limit: int) -> list[list[Delivery]]:
        """What waits and whose time has come: of each webhook the oldest first, `limit` at most."""
        first = (deliveries.c.due_at, deliveries.c.delivery)
        place = func.row_number().over(partition_by=deliveries.c.webhook, order_by=first).label("place")
        waits = select(deliveries, place).where(deliveries.c.done_at == 0, deliveries.c.due_at <= now).subquery()
        query = select(waits).where(waits.c.place <= limit).order_by(waits.c.webhook, waits.c.place)
        with self._transaction() as connection:
            rows = connection.execute(query).fetchall()
        return [[_delivery_of(row) for row in of_one] for _, of_one in groupby(rows, lambda row: bytes(row.webhook))]

    def note_attempt(self, wanted: bytes, *, due_at: int, done_at: int, code: str) -> None:
        """Note how an attempt ended; with `done_at` the body goes."""
        values: dict[str, Any] = {
            "attempts": deliveries.c.attempts + 1,
            "due_at": due_at,
            "done_at": done_at,
            "code": code,
        }
        if done_at:
            values["body"] = b""
        with self._transaction() as connection:
            connection.execute(update(deliveries).where(deliveries.c.delivery == wanted).values(values))

    def all_of(self, member: Address) -> list[Delivery]:
        """An account's deliveries, the oldest first."""
        query = select(deliveries).where(deliveries.c.member == member).order_by(deliveries.c.made_at)
        with self._transaction() as connection:
            return [_delivery_of(row) for row in connection.execute(query).fetchall()]

    def counts(self, program: ProgramId) -> dict[bytes, tuple[int, int, int]]:
        """By webhook: how many deliveries wait, succeeded, and were given up."""
        query = select(deliveries.c.webhook, deliveries.c.done_at, deliveries.c.code).where(
            deliveries.c.program == program
        )
        found: dict[bytes, tuple[int, int, int]] = {}
        with self._transaction() as connection:
            rows: Sequence[Any] = connection.execute(query).fetchall()
        for row in rows:
            waits, sent, lost = found.get(bytes(row.webhook), (0, 0, 0))
            is_sent = bool(row.done_at) and not row.code
            found[bytes(row.webhook)] = (
                waits + (not row.done_at),
                sent + is_sent,
                lost + (bool(row.done_at) and not is_sent),
            )
        return found


def _row_of(made: Delivery) -> dict[str, Any]:
    return {
        "delivery": made.id,
        "webhook": made.webhook,
        "member": made.member,
        "program": made.program,
        "message": made.message,
        "body": made.body,
        "made_at": made.made_at,
        "due_at": made.due_at,
        "attempts": made.attempts,
        "done_at": made.done_at,
        "code": made.code,
    }


def _webhook_of(row: Row[Any]) -> Webhook:
    return Webhook(bytes(row.webhook), ProgramId(bytes(row.program)), row.url, bytes(row.secret), row.made_at)


def _delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        id=bytes(row.delivery),
        webhook=bytes(row.webhook),
        member=Address(bytes(row.member)),
        program=ProgramId(bytes(row.program)),
        message=Hash(bytes(row.message)),
        body=bytes(row.body),
        made_at=row.made_at,
        due_at=row.due_at,
        attempts=row.attempts,
        done_at=row.done_at,
        code=row.code,
    )
