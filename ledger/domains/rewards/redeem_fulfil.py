"""`redeem.fulfil`: the shop hands out what was redeemed, or some of it; the held points are spent (spec RWD-4)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.state import (
    POINTS,
    SCOPE_FULFIL,
    load_member,
    load_program,
    load_terms,
    member_key,
    require_grant,
)
from ledger.domains.rewards.fulfilments import keep_fulfilment, split_lots
from ledger.domains.rewards.holds import end_hold, hold_is_over
from ledger.domains.rewards.state import LEFT, NO_HOLD, QUANTITY, QUANTITY_ABOVE, hold_key, load_hold
from ledger.errors import Code, Malformed, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import VOUCHER_CODES_MAX
from ledger.schema import ListOf, OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, FulfilmentId, Hash, HoldId, Points, ProgramId, RecordKey, RewardId

BAD_CODES = Code(
    "redeem.codes",
    "{codes} voucher codes were named for {quantity} units",
    "Name one for each unit, or none.",
)
CODES = ListOf(identifier(), 0, VOUCHER_CODES_MAX)


@dataclass(frozen=True, slots=True)
class RedeemFulfil:
    """So many units of a hold, and (where they are vouchers) for each a salted hash of the code that the fan got."""

    hold: Annotated[HoldId, identifier()]
    quantity: Annotated[int, QUANTITY]
    codes: Annotated[tuple[Hash, ...], CODES] = ()


@declare_event
@dataclass(frozen=True, slots=True)
class RedemptionFulfilled(Event):
    """The fan got `quantity` units and the points are spent; `left` units are still held.

    `fulfilment` names what can be refunded for some time; empty where the program's terms allow no refunds.
    """

    name: ClassVar[str] = "redeem.fulfilled"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    hold: Annotated[HoldId, identifier()]
    reward: Annotated[RewardId, identifier()]
    quantity: Annotated[int, QUANTITY]
    points: Annotated[Points, POINTS]
    left: Annotated[int, LEFT]
    fulfilment: Annotated[FulfilmentId, OptionalIdentifier()]
    codes: Annotated[tuple[Hash, ...], CODES]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.member, self.program, self.hold)


def check(payload: RedeemFulfil) -> None:
    """Each unit has a code, or none has."""
    if payload.codes and len(payload.codes) != payload.quantity:
        raise Malformed(BAD_CODES, codes=len(payload.codes), quantity=payload.quantity)


def apply(view: RuleView, call: Call, payload: RedeemFulfil, context: Context) -> tuple[str, ...]:
    """Codes in order: `redeem.unknown`, `issuer.not_granted`, `issuer.no_scope`, `redeem.quantity_above`, `coin.insufficient` or
    `coin.pool_insufficient`. The program's owner needs no grant.

    A hold whose time and height have passed is not open any more, even where its timeout still waits among the due work.
    """
    hold = load_hold(view, payload.hold)
    if hold_is_over(hold, context):
        raise RuleViolation(NO_HOLD, hold=payload.hold)
    program = load_program(view, hold.program)
    if call.author != program.owner:
        require_grant(view, hold.program, call.author, SCOPE_FULFIL)
    if payload.quantity > hold.quantity:
        raise RuleViolation(QUANTITY_ABOVE, wanted=payload.quantity, left=hold.quantity)
    left = hold.quantity - payload.quantity
    points = Points(hold.points // hold.quantity * payload.quantity)
    spent, held = split_lots(hold.lots, points)
    book = PointsBook.open(view, hold.program, program, context)
    book.move("held", -points)
    book.move("redeemed", points)
    refund_days = load_terms(view, hold.program, program.version_at(context.time)).refund_days
    if not refund_days:
        book.release(spent)
    book.save()
    fulfilment = keep_fulfilment(
        view,
        call,
        context,
        hold_id=payload.hold,
        hold=hold,
        quantity=payload.quantity,
        points=points,
        lots=spent,
        refund_days=refund_days,
    )
    member = load_member(view, hold.program, hold.member)
    view.put(member_key(hold.program, hold.member), replace(member, redemptions=member.redemptions + 1))
    if left:
        view.put(hold_key(payload.hold), replace(hold, quantity=left, points=Points(hold.points - points), lots=held))
    else:
        end_hold(view, payload.hold, hold)
    view.emit(
        RedemptionFulfilled(
            hold.program,
            hold.member,
            payload.hold,
            hold.reward,
            payload.quantity,
            points,
            left,
            fulfilment,
            payload.codes,
        )
    )
    return (APPLIED,)


def cost(payload: RedeemFulfil) -> Cost:
    """Hold, member, books and both payers change; what can be refunded is made, with its end."""
    return Cost(records=6, slots=1, due=1)


def reads(author: Address, payload: RedeemFulfil) -> tuple[RecordKey, ...]:
    """The hold."""
    return (hold_key(payload.hold),)


REDEEM_FULFIL = Kind(
    name="redeem.fulfil",
    anchor="RWD-4",
    payload=Struct(RedeemFulfil),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
)
