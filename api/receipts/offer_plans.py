"""Plans by which a brand offers something to many fans at once, and which fans each plan drew. Part of the receipt store.

A plan draws once. A drawn fan either has an offer, with its terms and their salt, which are the fan's alone, or is held out, so
that what offers do can be measured. The brand's key issues the offers; whether one was issued, the chain says.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from api.receipts.personal_tables import drawn_offers, offer_plans
from ledger.errors import Code, LedgerError
from ledger.types import Address, Hash, ProgramId, Timestamp

KEPT_SECONDS: Final = 366 * 86_400
"""After its end a drawn offer is kept for as long: it can be contested, and reports compare."""
UNDRAWN_SECONDS: Final = 30 * 86_400
"""A plan that draws nobody in so long goes."""
PLANS_MAX: Final = 1_000
"""Of one program: three a day in the year for which they are kept."""
HELD_OUT: Final = Hash(b"")
"""Stands for the offer of a fan who has none."""

TOO_MANY = Code(
    "plan.too_many",
    "the program keeps {maximum} plans already",
    "Plans that draw nobody go after 30 days by themselves.",
)


class PlansRefused(LedgerError):
    """A plan that is well-formed and not kept."""


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan as the brand made it. `document` says what it wants; `drawn_at` and `ends_at` 0: it has drawn nobody."""

    id: bytes
    program: ProgramId
    document: Mapping[str, Any]
    made_at: int
    drawn_at: int = 0
    ends_at: int = 0


@dataclass(frozen=True, slots=True)
class DrawnOffer:
    """One fan of a plan. `offer` and `sealed` (the personal offer's bytes) are empty for who is held out.

    `document` says what it is about, for the fan: goal and items. `number` is the order in which fans were drawn; `given_at` is
    when the brand was given the offer to sign, 0 for not yet.
    """

    plan: bytes
    member: Address
    program: ProgramId
    offer: Hash
    sealed: bytes
    document: Mapping[str, Any]
    drawn_at: int
    ends_at: int
    number: int = 0
    given_at: int = 0

    @property
    def is_held_out(self) -> bool:
        """Whether this fan has no offer, so that the others can be compared with it."""
        return self.offer == HELD_OUT


class OfferPlans:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def add(self, plan: KeptPlan) -> None:
        """Keep a plan that has drawn nobody. Raises PlansRefused plan.too_many."""
        mine = offer_plans.c.program == plan.program
        with self._transaction() as connection:
            is_stale = (offer_plans.c.drawn_at == 0) & (offer_plans.c.made_at < plan.made_at - UNDRAWN_SECONDS)
            is_over = (offer_plans.c.drawn_at > 0) & (offer_plans.c.ends_at < plan.made_at - KEPT_SECONDS)
            connection.execute(delete(offer_plans).where(is_stale | is_over))
            connection.execute(delete(drawn_offers).where(drawn_offers.c.ends_at < plan.made_at - KEPT_SECONDS))
            count = int(connection.execute(select(func.count()).select_from(offer_plans).where(mine)).scalar_one())
            if count >= PLANS_MAX:
                raise PlansRefused(TOO_MANY, maximum=PLANS_MAX)
            row = {
                "plan": plan.id,
                "program": plan.program,
                "document": json.dumps(plan.document, sort_keys=True),
                "made_at": plan.made_at,
                "drawn_at": 0,
                "ends_at": 0,
            }
            connection.execute(insert(offer_plans), [row])

    def find(self, program: ProgramId, plan: bytes) -> KeptPlan | None:
        """A plan of the program."""
        query = select(offer_plans).where(offer_plans.c.plan == plan, offer_plans.c.program == program)
        with self._transaction() as connection:
            row = connection.execute(query).first()
        return None if row is None else _plan_of(row)

    def of_program(self, program: ProgramId) -> list[KeptPlan]:
        """A program's plans, the latest first."""
        query = select(offer_plans).where(offer_plans.c.program == program)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(offer_plans.c.made_at.desc(), offer_plans.c.plan)).fetchall()
        return [_plan_of(row) for row in rows]

    def draw(self, plan: KeptPlan, drawn: Sequence[DrawnOffer], now: Timestamp, ends_at: Timestamp) -> bool:
        """Keep whom a plan draws, all at once; False, and nothing is changed, if it drew before, or is gone."""
        with self._transaction() as connection:
            mine = (offer_plans.c.plan == plan.id) & (offer_plans.c.drawn_at == 0)
            marked = connection.execute(update(offer_plans).where(mine).values(drawn_at=now, ends_at=ends_at)).rowcount
            if marked and drawn:
                connection.execute(insert(drawn_offers), [_row_of(one) for one in drawn])
        return bool(marked)

    def drawn_by(self, plan: bytes) -> list[DrawnOffer]:
        """Whom a plan drew, held out ones among them, in their order."""
        query = select(drawn_offers).where(drawn_offers.c.plan == plan).order_by(drawn_offers.c.number)
        return self._read(query)

    def to_issue(self, plan: bytes, after: int, limit: int) -> list[DrawnOffer]:
        """Offers of a plan, those beyond the number `after`."""
        query = select(drawn_offers).where(
            drawn_offers.c.plan == plan, drawn_offers.c.offer != HELD_OUT, drawn_offers.c.number > after
        )
        return self._read(query.order_by(drawn_offers.c.number).limit(limit))

    def of_member(self, member: Address, program: ProgramId | None = None) -> list[DrawnOffer]:
        """What plans drew for an account, for one program or all; the earliest first."""
        query = select(drawn_offers).where(drawn_offers.c.member == member)
        if program is not None:
            query = query.where(drawn_offers.c.program == program)
        return self._read(query.order_by(drawn_offers.c.number))

    def given_to(self, members: Collection[Address], program: ProgramId) -> dict[Address, list[DrawnOffer]]:
        """What plans of a program gave the brand for these accounts; none of an account for which there is nothing."""
        query = select(drawn_offers).where(
            drawn_offers.c.member.in_(members), drawn_offers.c.program == program, drawn_offers.c.given_at > 0
        )
        found: dict[Address, list[DrawnOffer]] = {}
        for one in self._read(query.order_by(drawn_offers.c.number)):
            found.setdefault(one.member, []).append(one)
        return found

    def give(self, wanted: Sequence[DrawnOffer], seen: Mapping[Address, Collection[Hash]], now: Timestamp) -> set[int]:
        """Mark offers as given to the brand; the numbers of those that may be: no other plan has given its fan one since.

        `seen` are the offers that were given to each fan when that was judged.
        """
        members = [one.member for one in wanted]
        query = select(drawn_offers.c.member, drawn_offers.c.program, drawn_offers.c.offer)
        given = query.where(drawn_offers.c.member.in_(members), drawn_offers.c.given_at > 0)
        with self._transaction() as connection:
            since = {
                (bytes(row.member), bytes(row.program))
                for row in connection.execute(given)
                if bytes(row.offer) not in seen[Address(bytes(row.member))]
            }
            numbers = {one.number for one in wanted if (one.member, one.program) not in since}
            mine = drawn_offers.c.number.in_(numbers) & (drawn_offers.c.given_at == 0)
            connection.execute(update(drawn_offers).where(mine).values(given_at=now))
        return numbers

    def _read(self, query: Any) -> list[DrawnOffer]:
        with self._transaction() as connection:
            return [_drawn_of(row) for row in connection.execute(query).fetchall()]


def _plan_of(row: Row[Any]) -> KeptPlan:
    return KeptPlan(
        id=bytes(row.plan),
        program=ProgramId(bytes(row.program)),
        document=json.loads(row.document),
        made_at=row.made_at,
        drawn_at=row.drawn_at,
        ends_at=row.ends_at,
    )


def _row_of(one: DrawnOffer) -> dict[str, Any]:
    return {
        "plan": one.plan,
        "member": one.member,
        "program": one.program,
        "offer": one.offer,
        "sealed": one.sealed,
        "document": json.dumps(one.document, sort_keys=True, ensure_ascii=False),
        "drawn_at": one.drawn_at,
        "ends_at": one.ends_at,
    }


def _drawn_of(row: Row[Any]) -> DrawnOffer:
    return DrawnOffer(
        plan=bytes(row.plan),
        member=Address(bytes(row.member)),
        program=ProgramId(bytes(row.program)),
        offer=Hash(bytes(row.offer)),
        sealed=bytes(row.sealed),
        document=json.loads(row.document),
        drawn_at=row.drawn_at,
        ends_at=row.ends_at,
        number=row.number,
        given_at=row.given_at,
    )
