"""Openings of sealed ballots that voters handed over, until they are revealed (spec VOI-9). Part of the receipt store."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from api.receipts.tables import openings, scrubs
from api.voice.opening import decode_opening, encode_opening
from ledger.domains.voice.ballot_reveal import RevealBallot
from ledger.errors import Code, LedgerError
from ledger.types import Address, ProposalId, Timestamp

OPENINGS_MAX: Final = 100_000
"""Openings that one node keeps: about 20 MB; each belongs to a ballot that was paid for."""

FULL = Code(
    "opening.full", "this node keeps {maximum} openings already", "Hand it to another node, or reveal by yourself."
)


class OpeningRefused(LedgerError):
    """An opening that is right and not kept."""


class Openings:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def add(self, opening: RevealBallot, now: Timestamp) -> bool:
        """Keep it; False if it was here. There is one that opens a commitment. Raises OpeningRefused opening.full."""
        row = {
            "proposal": opening.proposal,
            "member": opening.voter,
            "opening": encode_opening(opening),
            "kept_at": now,
        }
        mine = (openings.c.proposal == opening.proposal) & (openings.c.member == opening.voter)
        with self._transaction() as connection:
            if connection.execute(select(openings.c.kept_at).where(mine)).first() is not None:
                return False
            count = connection.execute(select(func.count()).select_from(openings)).scalar_one()
            if count >= OPENINGS_MAX:
                raise OpeningRefused(FULL, maximum=OPENINGS_MAX)
            connection.execute(insert(openings), [row])
        return True

    def all(self) -> list[RevealBallot]:
        """Every opening that is kept."""
        with self._transaction() as connection:
            rows = connection.execute(select(openings.c.opening).order_by(openings.c.kept_at)).fetchall()
        return [decode_opening(bytes(row[0])) for row in rows]

    def all_of(self, member: Address) -> list[RevealBallot]:
        """The openings of an account, by proposal."""
        query = select(openings.c.opening).where(openings.c.member == member).order_by(openings.c.proposal)
        with self._transaction() as connection:
            return [decode_opening(bytes(row[0])) for row in connection.execute(query).fetchall()]

    def forget(self, proposals: Collection[ProposalId], now: Timestamp) -> int:
        """Delete the openings of proposals that can't be revealed any more; the files are scrubbed when the store opens next."""
        with self._transaction() as connection:
            gone = connection.execute(delete(openings).where(openings.c.proposal.in_(proposals))).rowcount
            if gone and connection.execute(select(scrubs.c.due_since)).first() is None:
                connection.execute(insert(scrubs), [{"due_since": now}])
        return gone
