"""`adjust`: the owner, or an issuer that may, gives a member points for a reason, within a cap per day (spec LOY-18).

It only ever gives. What it gives counts to the issuance cap, and is a lot like that of an entry settled now.
"""

from dataclasses import dataclass, replace
from typing import Annotated

from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP
from ledger.domains.loyalty.events import PointsAdjusted
from ledger.domains.loyalty.issuance import Issuance
from ledger.domains.loyalty.program_sunset import refuse_ended
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    SCOPE_ADJUST,
    Grant,
    books_key,
    grant_key,
    load_member,
    load_program,
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
    issuance = Issuance.open(view, payload.program, program, context)
    _count(view, payload, issuance)
    if by_issuer:
        _count_issuer(view, call, payload, issuance.book.today)
    activation_day, expiry_day = issuance.give_now(payload.member, payload.points)
    issuance.save()
    view.emit(
        PointsAdjusted(
            payload.program, payload.member, call.author, payload.points, payload.reason, activation_day, expiry_day
        )
    )
    return (APPLIED,)


def _count(view: RuleView, payload: Adjust, issuance: Issuance) -> None:
    """Count the points against the program's day, within the cap of the day and what the program can issue at all."""
    books, today, cap = issuance.book.books, issuance.book.today, issuance.terms.adjust_day_max
    used = books.adjust_day_used if books.adjust_day == today else 0
    left = max(cap - used, 0)
    if payload.points > left:
        raise RuleViolation(DAY_CAP, left=left, cap=cap)
    refused = issuance.refusal(payload.points)
    if refused is not None:
        raise RuleViolation(refused)
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
