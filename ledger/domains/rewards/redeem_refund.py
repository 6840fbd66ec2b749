"""`redeem.refund`: the shop takes a fulfilled reward back; the original lots come back with a short grace (spec RWD-8)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.state import (
    POINTS,
    SCOPE_FULFIL,
    load_member,
    load_program,
    member_key,
    require_grant,
)
from ledger.domains.rewards.counts import give_count_back
from ledger.domains.rewards.fulfilments import drop_fulfilment, refunds_are_over, split_lots
from ledger.domains.rewards.state import LEFT, QUANTITY, QUANTITY_ABOVE, Fulfilment, fulfilment_key
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, FulfilmentId, HoldId, Points, ProgramId, RecordKey, RewardId

NOT_REFUNDABLE = Code(
    "redeem.not_refundable",
    "nothing that was handed out as {fulfilment} can be refunded",
    "It may be refunded already, or the program's days for refunds are over.",
)


@dataclass(frozen=True, slots=True)
class RedeemRefund:
    """How many units of a fulfilment the shop takes back."""

    fulfilment: Annotated[FulfilmentId, identifier()]
    quantity: Annotated[int, QUANTITY]


@declare_event
@dataclass(frozen=True, slots=True)
class RedemptionRefunded(Event):
    """The shop took `quantity` units back; `points` went to the lots that they came from. `left` can still be refunded."""

    name: ClassVar[str] = "redeem.refunded"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    hold: Annotated[HoldId, identifier()]
    fulfilment: Annotated[FulfilmentId, identifier()]
    reward: Annotated[RewardId, identifier()]
    quantity: Annotated[int, QUANTITY]
    points: Annotated[Points, POINTS]
    left: Annotated[int, LEFT]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.member, self.program, self.hold)


def apply(view: RuleView, call: Call, payload: RedeemRefund, context: Context) -> tuple[str, ...]:
    """Codes in order: `redeem.not_refundable`, `issuer.not_granted`, `issuer.no_scope`, `redeem.quantity_above`.

    The program's owner needs no grant.
    """
    found: Fulfilment | None = view.get(fulfilment_key(payload.fulfilment))
    if found is None or refunds_are_over(found, context):
        raise RuleViolation(NOT_REFUNDABLE, fulfilment=payload.fulfilment)
    program = load_program(view, found.program)
    if call.author != program.owner:
        require_grant(view, found.program, call.author, SCOPE_FULFIL)
    if payload.quantity > found.quantity:
        raise RuleViolation(QUANTITY_ABOVE, wanted=payload.quantity, left=found.quantity)
    left = found.quantity - payload.quantity
    points = Points(found.points // found.quantity * payload.quantity)
    spent, returning = split_lots(found.lots, found.points - points)
    book = PointsBook.open(view, found.program, program, context)
    member = load_member(view, found.program, found.member)
    lots = book.give_back(member.lots, returning, "redeemed")
    view.put(member_key(found.program, found.member), replace(member, lots=lots))
    book.save()
    give_count_back(view, found.program, found.reward, found.member, counted=found.counted, quantity=payload.quantity)
    if left:
        kept = replace(found, quantity=left, points=Points(found.points - points), lots=spent)
        view.put(fulfilment_key(payload.fulfilment), kept)
    else:
        drop_fulfilment(view, payload.fulfilment, found)
    view.emit(
        RedemptionRefunded(
            found.program, found.member, found.hold, payload.fulfilment, found.reward, payload.quantity, points, left
        )
    )
    return (APPLIED,)


def cost(payload: RedeemRefund) -> Cost:
    """Fulfilment, member, books, a day, the count and the payer change; a day for the grace may be made."""
    return Cost(records=7, slots=1, due=1)


def reads(author: Address, payload: RedeemRefund) -> tuple[RecordKey, ...]:
    """The fulfilment."""
    return (fulfilment_key(payload.fulfilment),)


REDEEM_REFUND = Kind(
    name="redeem.refund", anchor="RWD-8", payload=Struct(RedeemRefund), apply=apply, cost=cost, reads=reads
)
