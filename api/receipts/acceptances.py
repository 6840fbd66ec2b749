"""What shops accepted at their own risk: one acceptance of each redemption (spec RWD-10). Part of the receipt store."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from api.receipts.tables import acceptances
from ledger.domains.rewards.acceptance import SignedAcceptance, decode_acceptance, encode_acceptance
from ledger.errors import Code, LedgerError
from ledger.types import Address, HoldId, Timestamp

PROGRAM_ACCEPTANCES_MAX: Final = 100_000
"""Of one program: what a shop that invents redemptions can fill, about 40 MB."""
KEPT_SECONDS: Final = 366 * 86_400
"""Older ones of a program go when a new one comes: by then a redemption has long been fulfilled or released."""
HOLDS_MAX: Final = 500
"""Acceptances asked for at a time: a page, and the database's limit on parameters is far away."""

ALREADY = Code(
    "acceptance.already",
    "this redemption was accepted before, in other words",
    "Look at the redemption: the first acceptance holds.",
)
FULL = Code(
    "acceptance.full",
    "the program has {maximum} acceptances of a year",
    "Wait for blocks instead of accepting at once.",
)


class AcceptanceRefused(LedgerError):
    """An acceptance that is well-formed and not taken."""


class Acceptances:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def add(self, signed: SignedAcceptance, now: Timestamp) -> bool:
        """Keep it; False if it was here. Raises AcceptanceRefused acceptance.already, acceptance.full."""
        statement = signed.statement
        row = {
            "hold": statement.hold,
            "txid": statement.txid,
            "program": statement.program,
            "member": statement.member,
            "accepted_at": statement.accepted_at,
            "signed": encode_acceptance(signed),
        }
        of_program = acceptances.c.program == statement.program
        try:
            with self._transaction() as connection:
                query = select(acceptances.c.signed).where(acceptances.c.hold == statement.hold)
                earlier = connection.execute(query).first()
                if earlier is not None:
                    if bytes(earlier[0]) == row["signed"]:
                        return False
                    raise AcceptanceRefused(ALREADY)
                old = acceptances.c.accepted_at < now - KEPT_SECONDS
                connection.execute(delete(acceptances).where(of_program, old))
                count = select(func.count()).select_from(acceptances).where(of_program)
                if connection.execute(count).scalar_one() >= PROGRAM_ACCEPTANCES_MAX:
                    raise AcceptanceRefused(FULL, maximum=PROGRAM_ACCEPTANCES_MAX)
                connection.execute(insert(acceptances), [row])
        except IntegrityError:  # another process was faster
            raise AcceptanceRefused(ALREADY) from None
        return True

    def find(self, wanted: bytes) -> SignedAcceptance | None:
        """The acceptance of a redemption by its hold, or by its transaction."""
        query = select(acceptances.c.signed).where((acceptances.c.hold == wanted) | (acceptances.c.txid == wanted))
        with self._transaction() as connection:
            row = connection.execute(query).first()
        return None if row is None else decode_acceptance(bytes(row[0]))

    def all_of(self, member: Address) -> list[SignedAcceptance]:
        """The acceptances of an account's redemptions, by redemption."""
        query = select(acceptances.c.signed).where(acceptances.c.member == member).order_by(acceptances.c.hold)
        with self._transaction() as connection:
            return [decode_acceptance(bytes(row[0])) for row in connection.execute(query).fetchall()]

    def of_holds(self, holds: Collection[HoldId]) -> dict[HoldId, SignedAcceptance]:
        """The acceptances of some redemptions, by hold."""
        assert len(holds) <= HOLDS_MAX, "a page of redemptions"
        query = select(acceptances.c.hold, acceptances.c.signed).where(acceptances.c.hold.in_(holds))
        with self._transaction() as connection:
            rows = connection.execute(query).fetchall() if holds else []
        return {HoldId(bytes(hold)): decode_acceptance(bytes(signed)) for hold, signed in rows}
