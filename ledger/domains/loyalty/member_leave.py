"""`member.leave`: a fan leaves a program, without a fee and without losing what it earned (spec LOY-7)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import exit_fee, spend_prepaid
from ledger.domains.loyalty.events import MemberLeft
from ledger.domains.loyalty.referral import drop_referral
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    books_key,
    load_books,
    load_member,
    load_program,
    member_key,
    program_key,
)
from ledger.errors import RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, ProgramId, RecordKey


@dataclass(frozen=True, slots=True)
class MemberLeave:
    """The author leaves. Its lots stay spendable until they expire; what it bought before leaving is still settled."""

    program: Annotated[ProgramId, identifier()]


def apply(view: RuleView, call: Call, payload: MemberLeave, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `member.unknown`."""
    load_program(view, payload.program)
    member = load_member(view, payload.program, call.author)
    if member.left_at:
        raise RuleViolation(NO_MEMBER, member=call.author)
    fee = exit_fee(context.params)
    spend_prepaid(view, fee)
    if member.is_referred:
        drop_referral(view, payload.program, call.author)
    left = replace(member, prepaid=Amount(member.prepaid - fee), left_at=context.time, is_referred=False)
    view.put(member_key(payload.program, call.author), left)
    books = load_books(view, payload.program)
    view.put(books_key(payload.program), replace(books, members=books.members - 1))
    view.emit(MemberLeft(payload.program, call.author))
    return (APPLIED,)


def cost(payload: MemberLeave) -> Cost:
    """The member and the books change; a referral that waits is deleted, and its payer touched."""
    return Cost(records=4)


def reads(author: Address, payload: MemberLeave) -> tuple[RecordKey, ...]:
    """Program and member."""
    return (program_key(payload.program), member_key(payload.program, author))


MEMBER_LEAVE = Kind(
    name="member.leave",
    anchor="LOY-7",
    payload=Struct(MemberLeave),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
