"""`redeem.fulfil`: the shop hands out what was redeemed; the held points are spent (spec RWD-4)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.state import POINTS, SCOPE_FULFIL, load_program, require_grant
from ledger.domains.rewards.holds import end_hold, hold_is_over
from ledger.domains.rewards.state import NO_HOLD, hold_key, load_hold
from ledger.errors import RuleViolation
from ledger.events import Event, declare_event
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, HoldId, Points, ProgramId, RecordKey, RewardId


@dataclass(frozen=True, slots=True)
class RedeemFulfil:
    """The hold, and (where the reward is a voucher code) a salted hash of the code that the fan got."""

    hold: Annotated[HoldId, identifier()]
    code_commitment: Annotated[Hash, OptionalIdentifier()]


@declare_event
@dataclass(frozen=True, slots=True)
class RedemptionFulfilled(Event):
    """The fan got its reward; the points are spent."""

    name: ClassVar[str] = "redeem.fulfilled"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    hold: Annotated[HoldId, identifier()]
    reward: Annotated[RewardId, identifier()]
    points: Annotated[Points, POINTS]
    code_commitment: Annotated[Hash, OptionalIdentifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.member, self.program)


def apply(view: RuleView, call: Call, payload: RedeemFulfil, context: Context) -> tuple[str, ...]:
    """Codes in order: `redeem.unknown`, `issuer.not_granted`, `issuer.no_scope`. The program's owner needs no grant.

    A hold whose time and height have passed is not open any more, even where its timeout still waits among the due work.
    """
    hold = load_hold(view, payload.hold)
    if hold_is_over(hold, context):
        raise RuleViolation(NO_HOLD, hold=payload.hold)
    program = load_program(view, hold.program)
    if call.author != program.owner:
        require_grant(view, hold.program, call.author, SCOPE_FULFIL)
    book = PointsBook.open(view, hold.program, program, context)
    book.move("held", -hold.points)
    book.move("redeemed", hold.points)
    book.save()
    end_hold(view, payload.hold, hold)
    view.emit(
        RedemptionFulfilled(hold.program, hold.member, payload.hold, hold.reward, hold.points, payload.code_commitment)
    )
    return (APPLIED,)


def cost(payload: RedeemFulfil) -> Cost:
    """The hold is deleted, books and payer change."""
    return Cost(records=3)


def reads(author: Address, payload: RedeemFulfil) -> tuple[RecordKey, ...]:
    """The hold."""
    return (hold_key(payload.hold),)


REDEEM_FULFIL = Kind(
    name="redeem.fulfil", anchor="RWD-4", payload=Struct(RedeemFulfil), apply=apply, cost=cost, reads=reads
)
