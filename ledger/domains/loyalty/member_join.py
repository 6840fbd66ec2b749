"""`member.join`: a fan joins a program, from a till's QR code or alone (spec LOY-7)."""

from dataclasses import dataclass, replace
from typing import Annotated

from ledger.coin import lock_deposit, prepay_exit
from ledger.domains.loyalty.contests import prepay_contests
from ledger.domains.loyalty.events import NOBODY, MemberJoined
from ledger.domains.loyalty.program_sunset import refuse_ended
from ledger.domains.loyalty.referral import NO_REFERRAL, open_referral
from ledger.domains.loyalty.state import (
    SCOPE_ENROL,
    Member,
    books_key,
    grant_allows,
    grant_key,
    load_books,
    load_program,
    member_key,
    program_key,
    require_grant,
)
from ledger.errors import Code, RuleViolation
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Boolean, OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, Day, Hash, Points, ProgramId, RecordKey, Timestamp

ALREADY_MEMBER = Code("member.already", "this account has joined already", "Nothing needs to be done.")


@dataclass(frozen=True, slots=True)
class MemberJoin:
    """The author joins. An `issuer` that counter-signs lets the program's pool pay; without one the fan pays.

    `referrer` is the member who brought it. `gives_back_from_all`: a return that it signs may take points from any of its lots, not
    only from the purchase's own and from pending ones.
    """

    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, OptionalIdentifier()]
    referrer: Annotated[Address, OptionalIdentifier()] = NOBODY
    gives_back_from_all: Annotated[bool, Boolean()] = False


def cosigners(payload: MemberJoin) -> tuple[Address, ...]:
    """The issuer, where one is named."""
    return (payload.issuer,) if payload.issuer else ()


def admits_sponsor(view: RuleView, program: ProgramId, payload: MemberJoin) -> bool:
    """The pool pays for a fan whom an issuer with the scope to enrol has counter-signed."""
    return payload.program == program and grant_allows(view, program, payload.issuer, SCOPE_ENROL)


def apply(view: RuleView, call: Call, payload: MemberJoin, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.ended`, `issuer.not_granted`, `issuer.no_scope`, `member.already`,
    `member.no_referral`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    refuse_ended(program, context.time)
    if payload.issuer:
        require_grant(view, payload.program, payload.issuer, SCOPE_ENROL)
    key = member_key(payload.program, call.author)
    earlier: Member | None = view.get(key)
    if earlier is None:
        if payload.referrer:
            open_referral(view, call, payload.program, program, payload.referrer, context)
        deposit = lock_deposit(view, call, context)
        prepaid = Amount(prepay_exit(view, call, context) + prepay_contests(view, call, Amount(0), context))
        member = Member(
            payer=call.payer,
            deposit=deposit,
            prepaid=prepaid,
            joined_at=context.time,
            left_at=Timestamp(0),
            remainder=Hash(b""),
            entries=0,
            sponsor_day=Day(0),
            sponsor_spent=Amount(0),
            lots=(),
            contest_period=Timestamp(0),
            contest_count=0,
            gives_back_from_all=payload.gives_back_from_all,
            transfer_day=Day(0),
            transferred=Points(0),
            is_referred=bool(payload.referrer),
            referral_period=Timestamp(0),
            referrals=0,
        )
    elif earlier.left_at:
        if payload.referrer:
            raise RuleViolation(NO_REFERRAL, referrer=payload.referrer, reason="it was a member before")
        added = prepay_exit(view, call, context) + prepay_contests(view, call, earlier.prepaid, context)
        member = replace(
            earlier,
            prepaid=Amount(earlier.prepaid + added),
            left_at=Timestamp(0),
            gives_back_from_all=payload.gives_back_from_all,
        )
    else:
        raise RuleViolation(ALREADY_MEMBER)
    view.put(key, member)
    books = load_books(view, payload.program)
    view.put(books_key(payload.program), replace(books, members=books.members + 1))
    view.emit(MemberJoined(payload.program, call.author, payload.issuer, payload.referrer))
    return (APPLIED,)


def cost(payload: MemberJoin) -> Cost:
    """The member is made, books and payer are touched; a referral is made, too, and leaves due work."""
    if payload.referrer:
        return Cost(records=4, slots=2, due=1)
    return Cost(records=3, slots=1)


def reads(author: Address, payload: MemberJoin) -> tuple[RecordKey, ...]:
    """Program, grant and member."""
    return (
        program_key(payload.program),
        grant_key(payload.program, payload.issuer),
        member_key(payload.program, author),
        member_key(payload.program, payload.referrer),
    )


MEMBER_JOIN = Kind(
    name="member.join",
    anchor="LOY-7",
    payload=Struct(MemberJoin),
    apply=apply,
    cost=cost,
    reads=reads,
    cosigners=cosigners,
    admits_sponsor=admits_sponsor,
)
