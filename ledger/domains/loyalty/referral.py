"""Referrals: who brought a fan and that fan are paid once its first purchase can no longer be returned (spec LOY-22).

A referral is paid whole or not at all, by due work: nobody signs for it, and nobody can hold it back.
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from ledger.coin import give_to, lock_deposit
from ledger.domains.loyalty.issuance import Issuance
from ledger.domains.loyalty.periods import period_at
from ledger.domains.loyalty.referral_bonus import NO_BONUS
from ledger.domains.loyalty.state import (
    COIN,
    PAYER,
    POINTS,
    Member,
    Program,
    load_member,
    load_program,
    load_terms,
    member_key,
)
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.hashing import REFERRAL
from ledger.kinds import Call, Context, DueKind
from ledger.params import REFERRALS_PERIOD_MAX
from ledger.schema import Integer, OptionalIdentifier, identifier
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Address, Amount, Hash, Points, ProgramId, RecordKey, Timestamp

NO_REFERRAL = Code(
    "member.no_referral",
    "{referrer} can't have brought this account: {reason}",
    "Join without naming anybody, or name a member of this program.",
)

REFERRAL_DUE = "member.referral"

# Outcomes of a referral.
PAID = 0
PURCHASE_RETURNED = 1
JOINER_LEFT = 2
REFERRER_LEFT = 3
LIMIT_REACHED = 4
CAP_REACHED = 5
REFERRAL_OUTCOME_NAMES = {
    PAID: "paid",
    PURCHASE_RETURNED: "purchase_returned",
    JOINER_LEFT: "joiner_left",
    REFERRER_LEFT: "referrer_left",
    LIMIT_REACHED: "limit_reached",
    CAP_REACHED: "cap_reached",
}
"""How people write the outcomes."""


@dataclass(frozen=True, slots=True)
class Referral:
    """Who brought a member, and the terms `version` in force when it joined. `batch` and `index` are its first entry, once there
    is one, which gave `points`; `reversed` of them were taken back.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    referrer: Annotated[Address, identifier()]
    version: Annotated[int, Integer(1, 2**31 - 1)]
    batch: Annotated[Hash, OptionalIdentifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    points: Annotated[Points, POINTS]
    reversed: Annotated[Points, POINTS]


REFERRALS = Table(b"L", Referral)


@declare_event
@dataclass(frozen=True, slots=True)
class ReferralEnded(Event):
    """A referral was paid (`outcome` 0), or not: 1 the purchase was returned, 2 the joiner left, 3 the referrer left, 4 enough were
    paid to the referrer in this period, 5 the issuance cap is reached.
    """

    name: ClassVar[str] = "referral.ended"
    program: Annotated[ProgramId, identifier()]
    referrer: Annotated[Address, identifier()]
    member: Annotated[Address, identifier()]
    outcome: Annotated[int, Integer(PAID, CAP_REACHED)]
    referrer_points: Annotated[Points, POINTS]
    joiner_points: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.referrer, self.member)


def referral_id_of(program: ProgramId, member: Address) -> Hash:
    """Of one member there is one referral."""
    return Hash(REFERRAL(program + member))


def referral_key(referral_id: Hash) -> RecordKey:
    """`L` + referral id."""
    return RecordKey(b"L" + referral_id)


def open_referral(
    view: RuleView, call: Call, program_id: ProgramId, program: Program, referrer: Address, context: Context
) -> None:
    """Remember who brought the author, who joins for the first time. Raises `member.no_referral`, and what `lock_deposit` does."""
    version = program.version_at(context.time)
    if load_terms(view, program_id, version).referral == NO_BONUS:
        raise RuleViolation(NO_REFERRAL, referrer=referrer, reason="the program pays nothing for it")
    member: Member | None = view.get(member_key(program_id, referrer))
    if member is None or member.left_at or referrer == call.author:
        raise RuleViolation(NO_REFERRAL, referrer=referrer, reason="it is no other member")
    referral = Referral(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        program=program_id,
        member=call.author,
        referrer=referrer,
        version=version,
        batch=Hash(b""),
        index=0,
        points=Points(0),
        reversed=Points(0),
    )
    view.put(referral_key(referral_id_of(program_id, call.author)), referral)


def drop_referral(view: RuleView, program_id: ProgramId, member: Address) -> None:
    """Who leaves before its first purchase brings nobody anything."""
    key = referral_key(referral_id_of(program_id, member))
    referral: Referral = view.get(key)
    view.delete(key)
    give_to(view, referral.payer, referral.deposit, "locked")


def start_referral(
    view: RuleView, program_id: ProgramId, member: Address, *, batch: Hash, index: int, points: Points, due: Timestamp
) -> None:
    """The member's first entry was credited; it can be returned until before `due`."""
    referral_id = referral_id_of(program_id, member)
    key = referral_key(referral_id)
    referral: Referral = view.get(key)
    view.put(key, replace(referral, batch=batch, index=index, points=points))
    schedule(view, kind=REFERRAL_DUE, subject=referral_id, number=0, due=due)


def reverse_referral(
    view: RuleView, program_id: ProgramId, member: Address, batch: Hash, index: int, points: Points
) -> None:
    """Points were taken back of an entry: where it is the one that a referral waits for, that is counted."""
    key = referral_key(referral_id_of(program_id, member))
    referral: Referral | None = view.get(key)
    if referral is not None and (referral.batch, referral.index) == (batch, index):
        view.put(key, replace(referral, reversed=Points(referral.reversed + points)))


def end_referral(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: pay a referral, or say why not. Its record goes."""
    key = referral_key(Hash(subject))
    referral: Referral = view.get(key)
    view.delete(key)
    give_to(view, referral.payer, referral.deposit, "locked")
    program = load_program(view, referral.program)
    bonus = load_terms(view, referral.program, referral.version).referral
    issuance = Issuance.open(view, referral.program, program, context)
    begins = Timestamp(max(period_at(program, issuance.terms, context.time).begins, 0))
    refused = issuance.refusal(bonus.referrer + bonus.joiner)
    outcome = _outcome(view, referral, begins, has_room=refused is None)
    if outcome != PAID:
        nothing = Points(0)
        view.emit(ReferralEnded(referral.program, referral.referrer, referral.member, outcome, nothing, nothing))
        return
    issuance.give_now(referral.referrer, bonus.referrer)
    issuance.give_now(referral.member, bonus.joiner)
    issuance.save()
    referrer = load_member(view, referral.program, referral.referrer)
    count = referrer.referrals if referrer.referral_period == begins else 0
    counted = replace(referrer, referral_period=begins, referrals=count + 1)
    view.put(member_key(referral.program, referral.referrer), counted)
    view.emit(ReferralEnded(referral.program, referral.referrer, referral.member, PAID, bonus.referrer, bonus.joiner))


def _outcome(view: RuleView, referral: Referral, begins: Timestamp, *, has_room: bool) -> int:
    """Whether a referral is paid; else the first reason why not."""
    if referral.reversed >= referral.points:
        return PURCHASE_RETURNED
    if load_member(view, referral.program, referral.member).left_at:
        return JOINER_LEFT
    referrer = load_member(view, referral.program, referral.referrer)
    if referrer.left_at:
        return REFERRER_LEFT
    if referrer.referral_period == begins and referrer.referrals >= REFERRALS_PERIOD_MAX:
        return LIMIT_REACHED
    return PAID if has_room else CAP_REACHED


END_REFERRAL = DueKind(name=REFERRAL_DUE, anchor="LOY-22", weight=900, apply=end_referral)
