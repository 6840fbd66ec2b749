"""What a fulfilled redemption leaves behind, so that the shop can take it back for some time (spec RWD-4, RWD-8)."""

from ledger.coin import give_to, lock_deposit
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.state import Lot, load_program
from ledger.domains.rewards.holds import HOLD_BLOCKS_MIN
from ledger.domains.rewards.state import Fulfilment, Hold, fulfilment_key
from ledger.due import schedule
from ledger.hashing import object_id
from ledger.kinds import Call, Context, DueKind
from ledger.state import RuleView
from ledger.types import FulfilmentId, Height, HoldId, Points, Timestamp

FORGET_DUE = "redeem.forget"
NO_FULFILMENT = FulfilmentId(b"")
"""Nothing is kept: the program's terms allow no refunds."""


def split_lots(lots: tuple[Lot, ...], points: int) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """(the first `points` of the lots in their order, what is left of them). Lots in order of expiry: the first end soonest."""
    first: list[Lot] = []
    rest: list[Lot] = []
    wanted = points
    for version, activation_day, expiry_day, held in lots:
        part = min(held, wanted)
        wanted -= part
        if part:
            first.append((version, activation_day, expiry_day, part))
        if held > part:
            rest.append((version, activation_day, expiry_day, held - part))
    assert wanted == 0, "lots hold the points that they were taken for"
    return tuple(first), tuple(rest)


def keep_fulfilment(
    view: RuleView,
    call: Call,
    context: Context,
    *,
    hold_id: HoldId,
    hold: Hold,
    quantity: int,
    points: Points,
    lots: tuple[Lot, ...],
    refund_days: int,
) -> FulfilmentId:
    """Keep what was handed out until it can no longer be refunded, with a deposit of the caller's; returns its id."""
    if not refund_days:
        return NO_FULFILMENT
    fulfilment_id = FulfilmentId(object_id("fulfilment", call.txid, 0))
    kept = Fulfilment(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        program=hold.program,
        member=hold.member,
        reward=hold.reward,
        hold=hold_id,
        quantity=quantity,
        points=points,
        lots=lots,
        keep_until=Timestamp(context.time + refund_days * 86_400),
        keep_height=Height(context.height + HOLD_BLOCKS_MIN),
        counted=hold.counted,
    )
    view.put(fulfilment_key(fulfilment_id), kept)
    schedule(view, kind=FORGET_DUE, subject=fulfilment_id, number=0, due=kept.keep_until)
    return fulfilment_id


def refunds_are_over(fulfilment: Fulfilment, context: Context) -> bool:
    """Whether both its time and its height have passed."""
    return context.time >= fulfilment.keep_until and context.height >= fulfilment.keep_height


def drop_fulfilment(view: RuleView, fulfilment_id: FulfilmentId, fulfilment: Fulfilment) -> None:
    """Delete it; the deposit goes back to whoever paid it."""
    view.delete(fulfilment_key(fulfilment_id))
    give_to(view, fulfilment.payer, fulfilment.deposit, "locked")


def forget(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: drop a fulfilment that can no longer be refunded, and what stands behind its points; too early by height, it comes
    again.
    """
    fulfilment_id = FulfilmentId(subject)
    found: Fulfilment | None = view.get(fulfilment_key(fulfilment_id))
    if found is None:
        return
    if refunds_are_over(found, context):
        book = PointsBook.open(view, found.program, load_program(view, found.program), context)
        book.release(found.lots)
        book.save()
        drop_fulfilment(view, fulfilment_id, found)
    else:
        schedule(view, kind=FORGET_DUE, subject=subject, number=0, due=Timestamp(context.time + 1))


FORGET = DueKind(name=FORGET_DUE, anchor="RWD-4", weight=300, apply=forget)
