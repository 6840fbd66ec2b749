"""`points.transfer`: a member gives points to another member of the same program, where its terms allow that (spec LOY-20).

The points keep their version and their days, so that giving them away makes none of them live longer.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.events import PointsTransferred
from ledger.domains.loyalty.points import join_lots, split_usable
from ledger.domains.loyalty.shapes import LOT_POINTS
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    Member,
    load_member,
    load_program,
    load_terms,
    member_key,
    program_key,
)
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import LOTS_MAX
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Day, Points, ProgramId, RecordKey

TO_ONESELF = Code("points.to_oneself", "the sender and the recipient are the same account", "Name somebody else.")
NOT_TRANSFERABLE = Code(
    "points.not_transferable",
    "this program's points can't be given to other members",
    "Nothing can be done; the program's terms say it.",
)
TRANSFER_LIMIT = Code(
    "points.transfer_limit",
    "{left} of the {maximum} points that a member may give away in a day are left",
    "Give the rest tomorrow.",
)
TOO_MANY_LOTS = Code(
    "points.too_many_lots",
    "with these the recipient would hold {count} lots, and a member can hold {maximum}",
    "Give fewer points, or wait until some of the recipient's are spent or expired.",
)


@dataclass(frozen=True, slots=True)
class PointsTransfer:
    """Give `points` that can be spent today to another member, those that expire soonest first."""

    program: Annotated[ProgramId, identifier()]
    recipient: Annotated[Address, identifier()]
    points: Annotated[Points, LOT_POINTS]


def apply(view: RuleView, call: Call, payload: PointsTransfer, context: Context) -> tuple[str, ...]:
    """Codes in order: `points.to_oneself`, `program.unknown`, `points.not_transferable`, `member.unknown` (of the sender, then of
    the recipient), `points.transfer_limit`, `points.insufficient`, `points.too_many_lots`.
    """
    if payload.recipient == call.author:
        raise RuleViolation(TO_ONESELF)
    program = load_program(view, payload.program)
    maximum = load_terms(view, payload.program, program.version_at(context.time)).transfer_day_max
    if not maximum:
        raise RuleViolation(NOT_TRANSFERABLE)
    sender = _load_present(view, payload.program, call.author)
    recipient = _load_present(view, payload.program, payload.recipient)
    today = program.day_at(context.time)
    sent = sender.transferred if sender.transfer_day == today else 0
    left_today = max(maximum - sent, 0)
    if payload.points > left_today:
        raise RuleViolation(TRANSFER_LIMIT, left=left_today, maximum=maximum)
    left, taken = split_usable(sender.lots, payload.points, today)
    joined = join_lots(recipient.lots, taken, today)
    if len(joined) > LOTS_MAX:
        raise RuleViolation(TOO_MANY_LOTS, count=len(joined), maximum=LOTS_MAX)
    poorer = replace(sender, lots=left, transfer_day=Day(today), transferred=Points(sent + payload.points))
    view.put(member_key(payload.program, call.author), poorer)
    view.put(member_key(payload.program, payload.recipient), replace(recipient, lots=joined))
    view.emit(PointsTransferred(payload.program, call.author, payload.recipient, payload.points))
    return (APPLIED,)


def _load_present(view: RuleView, program: ProgramId, account: Address) -> Member:
    """A member that has not left, or `member.unknown`."""
    member = load_member(view, program, account)
    if member.left_at:
        raise RuleViolation(NO_MEMBER, member=account)
    return member


def cost(payload: PointsTransfer) -> Cost:
    """Two members change; the program's totals do not, since no point moves to another day."""
    return Cost(records=2)


def reads(author: Address, payload: PointsTransfer) -> tuple[RecordKey, ...]:
    """Program and both members."""
    return (
        program_key(payload.program),
        member_key(payload.program, author),
        member_key(payload.program, payload.recipient),
    )


POINTS_TRANSFER = Kind(
    name="points.transfer",
    anchor="LOY-20",
    payload=Struct(PointsTransfer),
    apply=apply,
    cost=cost,
    reads=reads,
    waits_for_recovery=True,
)
