"""How a hold ends without being fulfilled: by cancelling or by itself (spec RWD-5)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import give_to, spend_prepaid
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.state import POINTS, load_member, load_program, member_key
from ledger.domains.rewards.counts import give_count_back
from ledger.domains.rewards.state import QUANTITY, UNLIMITED, Hold, changed_stock, hold_key, reward_key
from ledger.due import schedule
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import Context, DueKind
from ledger.schema import Boolean, identifier
from ledger.state import RuleView
from ledger.types import Address, HoldId, Points, ProgramId, RewardId, Timestamp

HOLD_TIMEOUT_DUE = "redeem.timeout"
HOLD_BLOCKS_MIN = 6
"""A hold stays open for at least so many blocks: an outage must not eat it (spec RWD-5)."""


@declare_event
@dataclass(frozen=True, slots=True)
class HoldReleased(Event):
    """What was left of a redemption ended without being fulfilled; its points went back to the lots that they came from."""

    name: ClassVar[str] = "redeem.released"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    hold: Annotated[HoldId, identifier()]
    reward: Annotated[RewardId, identifier()]
    points: Annotated[Points, POINTS]
    timed_out: Annotated[bool, Boolean()]
    quantity: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.member, self.program, self.hold)


def release_hold(view: RuleView, hold_id: HoldId, hold: Hold, context: Context, *, timed_out: bool) -> None:
    """Give points, stock and count back, delete the hold, pay its exit from what it prepaid, and return its deposit."""
    book = PointsBook.open(view, hold.program, load_program(view, hold.program), context)
    member = load_member(view, hold.program, hold.member)
    lots = book.give_back(member.lots, hold.lots, "held")
    view.put(member_key(hold.program, hold.member), replace(member, lots=lots))
    book.save()
    key = reward_key(hold.program, hold.reward)
    reward = view.get(key).at(context.time)
    if reward.stock != UNLIMITED:
        view.put(key, replace(reward, stock=changed_stock(reward.stock, hold.quantity)))
    give_count_back(view, hold.program, hold.reward, hold.member, counted=hold.counted, quantity=hold.quantity)
    end_hold(view, hold_id, hold)
    view.emit(HoldReleased(hold.program, hold.member, hold_id, hold.reward, hold.points, timed_out, hold.quantity))


def end_hold(view: RuleView, hold_id: HoldId, hold: Hold) -> None:
    """Delete the hold: its prepaid exit goes to the miner, its deposit back to whoever paid it."""
    view.delete(hold_key(hold_id))
    spend_prepaid(view, hold.prepaid)
    give_to(view, hold.payer, hold.deposit, "locked")


def hold_is_over(hold: Hold, context: Context) -> bool:
    """Whether both its time and its height have passed."""
    return context.time >= hold.expires_at and context.height >= hold.expires_height


def time_out(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: release a hold that was neither fulfilled nor cancelled; too early by height, it comes again."""
    hold_id = HoldId(subject)
    hold: Hold | None = view.get(hold_key(hold_id))
    if hold is None:
        return
    if hold_is_over(hold, context):
        release_hold(view, hold_id, hold, context, timed_out=True)
    else:
        schedule(view, kind=HOLD_TIMEOUT_DUE, subject=subject, number=0, due=Timestamp(context.time + 1))


HOLD_TIMEOUT = DueKind(name=HOLD_TIMEOUT_DUE, anchor="RWD-5", weight=600, apply=time_out)
