"""Consents that were taken back: each is noted when the revocation is received, so that it is obeyed before any block holds it and
after a restart.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from api.receipts.tables import revocations
from ledger.domains.consent.state import CONSENTS
from ledger.types import Address, Height, RecordKey, Timestamp, TxId

FAN = slice(len(CONSENTS.prefix), len(CONSENTS.prefix) + 32)
"""Where the fan stands in the key of a consent."""


@dataclass(frozen=True, slots=True)
class Note:
    """A revocation. `consent` is the key of the consent's record; `height` was the next block's when it was received.

    `lifted_by` is a grant of the same consent that was received after it.
    """

    consent: RecordKey
    txid: TxId
    raw: bytes
    height: Height
    noted_at: Timestamp
    lifted_by: TxId | None = None

    @property
    def fan(self) -> Address:
        """Whose consent it is."""
        return Address(self.consent[FAN])


class RevocationNotes:
    """The notes, by the transactions of their store."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def save(self, note: Note) -> None:
        """Keep a note in place of an earlier one of the same consent."""
        row = {
            "consent": note.consent,
            "fan": note.fan,
            "txid": note.txid,
            "raw": note.raw,
            "height": note.height,
            "noted_at": note.noted_at,
            "lifted_by": note.lifted_by,
        }
        with self._transaction() as connection:
            connection.execute(delete(revocations).where(revocations.c.consent == note.consent))
            connection.execute(insert(revocations), [row])

    def forget(self, notes: Collection[Note]) -> None:
        """Delete these notes; later ones of the same consents stay."""
        with self._transaction() as connection:
            delete_notes(connection, notes)

    def all(self) -> list[Note]:
        """Every note, the oldest first."""
        with self._transaction() as connection:
            rows = connection.execute(select(revocations).order_by(revocations.c.noted_at)).all()
        return [
            Note(
                RecordKey(row.consent),
                TxId(row.txid),
                row.raw,
                Height(row.height),
                Timestamp(row.noted_at),
                None if row.lifted_by is None else TxId(row.lifted_by),
            )
            for row in rows
        ]


def delete_notes(connection: Connection, notes: Collection[Note]) -> int:
    """Delete these notes, where they are the last ones of their consents; returns how many there were."""
    count = 0
    for note in notes:
        same = (revocations.c.consent == note.consent) & (revocations.c.txid == note.txid)
        count += connection.execute(delete(revocations).where(same)).rowcount
    return count
