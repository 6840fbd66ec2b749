"""`adjust`: the owner, or an issuer that may, gives a member points for a reason, within a cap per day (spec LOY-18).

It only ever gives. What it gives counts to the issuance cap, and is a lot like that of an entry settled now.
"""

from dataclasses import dataclass, replace
from typing import Annotated

from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP, ENTRY_ISSUANCE_CAP
from ledger.domains.loyalty.earning_cap import left_of_cap
from ledger.domains.loyalty.events import PointsAdjusted
from ledger.domains.loyalty.periods import lot_days_now
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.program_sunset import refuse_ended
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    SCOPE_ADJUST,
    Grant,
    Terms,
    books_key,
    grant_key,
    load_books,
    load_member,
    load_program,
    load_terms,
    member_key,
    program_key,
    require_grant,
)
from ledger.errors import Code, RuleViolation
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Integer, Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, Day, Points, ProgramId, RecordKey

DAY_CAP = Code(
    "adjust.day_cap",
    "{left} of the {cap} points that the terms let the program adjust in a day are left",
    "Give the rest tomorrow, or publish terms with a higher adjust_day_max.",
)


@dataclass(frozen=True, slots=True)
class Adjust:
    """Points for one member, and why: a code of the program's own, such as `apology.late` or `ticket.4711`, never a name."""

    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    points: Annotated[Points, Integer(1, INTEGER_MAX)]
    reason: Annotated[str, Text(1, 64)]


def apply(view: RuleView, call: Call, payload: Adjust, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `issuer.not_granted`, `issuer.no_scope`, `member.unknown`, `program.ended`,
    `adjust.day_cap`, `earn.issuance_cap`, for an issuer `earn.daily_cap`.

    The program's owner needs no grant.
    """
    program = load_program(view, payload.program)
    by_issuer = call.author != program.owner
    if by_issuer:
        require_grant(view, payload.program, call.author, SCOPE_ADJUST)
    member = load_member(view, payload.program, payload.member)
    if member.left_at:
        raise RuleViolation(NO_MEMBER, member=payload.member)
    refuse_ended(program, context.time)
    version = program.version_at(context.time)
    terms = load_terms(view, payload.program, version)
    today = program.day_at(context.time)
    _count(view, payload, terms, today)
    if by_issuer:
        _count_issuer(view, call, payload, today)
    activation_day, expiry_day = lot_days_now(program, terms, context.time)
    book = PointsBook.open(view, payload.program, program, context)
    lots = book.add_lot(member.lots, (version, activation_day, expiry_day, payload.points))
    book.move("issued", payload.points)
    book.save()
    view.put(member_key(payload.program, payload.member), replace(member, lots=lots))
    view.emit(
        PointsAdjusted(
            payload.program, payload.member, call.author, payload.points, payload.reason, activation_day, expiry_day
        )
    )
    return (APPLIED,)


def _count(view: RuleView, payload: Adjust, terms: Terms, today: Day) -> None:
    """Count the points against the program's day, within the cap of the day and that of everything ever issued."""
    books = load_books(view, payload.program)
    used = books.adjust_day_used if books.adjust_day == today else 0
    left = max(terms.adjust_day_max - used, 0)
    if payload.points > left:
        raise RuleViolation(DAY_CAP, left=left, cap=terms.adjust_day_max)
    if payload.points > left_of_cap(terms, books):
        raise RuleViolation(ENTRY_ISSUANCE_CAP)
    counted = replace(
        books,
        adjusted=Points(books.adjusted + payload.points),
        adjust_day=today,
        adjust_day_used=Points(used + payload.points),
    )
    view.put(books_key(payload.program), counted)


def _count_issuer(view: RuleView, call: Call, payload: Adjust, today: Day) -> None:
    """Of an issuer, adjusted points count against its daily cap as settled ones do: a stolen key stops there."""
    key = grant_key(payload.program, call.author)
    grant: Grant = view.get(key)
    used = grant.day_used if grant.day == today else 0
    if payload.points > grant.daily_cap - used:
        raise RuleViolation(ENTRY_DAILY_CAP)
    view.put(key, replace(grant, day=today, day_used=Points(used + payload.points)))


def cost(payload: Adjust) -> Cost:
    """Member, books, grant and two days change, which may be made."""
    return Cost(records=5, slots=2, due=2)


def reads(author: Address, payload: Adjust) -> tuple[RecordKey, ...]:
    """Program, books, member and grant."""
    return (
        program_key(payload.program),
        books_key(payload.program),
        member_key(payload.program, payload.member),
        grant_key(payload.program, author),
    )


ADJUST = Kind(name="adjust", anchor="LOY-18", payload=Struct(Adjust), apply=apply, cost=cost, reads=reads)
