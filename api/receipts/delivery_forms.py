"""Where to send what was backed: forms that only a campaign's creator can read, kept for it. Part of the receipt store.

The node sees who sent one for which pledge, and how long it is; never what it says.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select

from api.receipts.tables import delivery_forms
from ledger.types import Address, CampaignId, Timestamp


@dataclass(frozen=True, slots=True)
class KeptForm:
    """The form of one pledge, as its backer `member` encrypted it."""

    campaign: CampaignId
    number: int
    member: Address
    form: bytes
    kept_at: Timestamp


class DeliveryForms:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def put(self, kept: KeptForm) -> None:
        """Keep a form; it takes the place of an earlier one of the same pledge."""
        row = {
            "campaign": kept.campaign,
            "number": kept.number,
            "member": kept.member,
            "form": kept.form,
            "kept_at": kept.kept_at,
        }
        with self._transaction() as connection:
            connection.execute(delete(delivery_forms).where(_is(kept.campaign, kept.number)))
            connection.execute(insert(delivery_forms), [row])

    def find(self, campaign: CampaignId, number: int) -> KeptForm | None:
        """The form of a pledge."""
        with self._transaction() as connection:
            row = connection.execute(select(delivery_forms).where(_is(campaign, number))).first()
        return None if row is None else _kept(row)

    def page(self, campaign: CampaignId, *, after: int | None, limit: int) -> list[KeptForm]:
        """Forms of a campaign by the numbers of their pledges, above `after`."""
        query = select(delivery_forms).where(delivery_forms.c.campaign == campaign)
        if after is not None:
            query = query.where(delivery_forms.c.number > after)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(delivery_forms.c.number).limit(limit)).fetchall()
        return [_kept(row) for row in rows]

    def all_of(self, member: Address) -> list[KeptForm]:
        """The forms that an account sent."""
        query = select(delivery_forms).where(delivery_forms.c.member == member)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(delivery_forms.c.campaign, delivery_forms.c.number)).fetchall()
        return [_kept(row) for row in rows]

    def drop(self, campaign: CampaignId, number: int) -> bool:
        """Delete the form of a pledge; False if there was none. The database overwrites what it deletes."""
        with self._transaction() as connection:
            return bool(connection.execute(delete(delivery_forms).where(_is(campaign, number))).rowcount)


def _is(campaign: CampaignId, number: int) -> ColumnElement[bool]:
    return (delivery_forms.c.campaign == campaign) & (delivery_forms.c.number == number)


def _kept(row: Row[Any]) -> KeptForm:
    return KeptForm(
        CampaignId(bytes(row.campaign)), row.number, Address(bytes(row.member)), bytes(row.form), Timestamp(row.kept_at)
    )
