"""`points.claim_collateral`: after a program has closed, a fan takes the coin that stands behind its points (spec COL-5).

The points are given up for it, so it can't be done twice; and it needs no coin: what it costs comes out of what is claimed.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import account_payer, exit_fee, give_to, pool_payer, spend_prepaid, take_from
from ledger.domains.loyalty.books import security
from ledger.domains.loyalty.points import PointsBook, usable_points
from ledger.domains.loyalty.shapes import COIN, LOT_POINTS
from ledger.domains.loyalty.state import books_key, load_books, load_member, load_program, member_key, program_key
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, Points, ProgramId, RecordKey

NOT_CLOSED = Code(
    "collateral.not_closed",
    "the program has not closed",
    "Redeem the points; what stands behind them can be claimed once the program has closed.",
)
NOTHING = Code(
    "collateral.nothing",
    "no coin stands behind points of this account",
    "Look at the points: they have expired, were claimed, or the program promised no collateral when they were earned.",
)
BELOW_FEE = Code(
    "collateral.below_fee",
    "{share} coin stands behind the points, and claiming costs {fee}",
    "Pay the fee yourself, or let the claim be: it is worth less than it costs.",
)


@dataclass(frozen=True, slots=True)
class PointsClaimCollateral:
    """The author gives up all its points of a closed program for the coin behind them."""

    program: Annotated[ProgramId, identifier()]


@declare_event
@dataclass(frozen=True, slots=True)
class CollateralClaimed(Event):
    """A member gave up `points` for the `share` of coin behind them; `fee` of it paid for the claim."""

    name: ClassVar[str] = "collateral.claimed"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    points: Annotated[Points, LOT_POINTS]
    share: Annotated[Amount, COIN]
    fee: Annotated[Amount, COIN]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program, self.member)


def apply(view: RuleView, call: Call, payload: PointsClaimCollateral, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `collateral.not_closed`, `member.unknown`, `collateral.nothing`, `collateral.below_fee`.

    A member that has left may claim, too.
    """
    program = load_program(view, payload.program)
    if not program.has_closed(context.time):
        raise RuleViolation(NOT_CLOSED)
    member = load_member(view, payload.program, call.author)
    before = load_books(view, payload.program)
    book = PointsBook.open(view, payload.program, program, context)
    points = Points(usable_points(member.lots, book.today))
    left, lots = book.take(member.lots, points, "redeemed")
    if not book.backing_of(lots):
        raise RuleViolation(NOTHING)
    book.release(lots)
    book.save()
    view.put(member_key(payload.program, call.author), replace(member, lots=left))
    share = Amount(security(before) - security(load_books(view, payload.program)))
    fee = Amount(0) if call.payer else exit_fee(context.params)
    if share < fee:
        raise RuleViolation(BELOW_FEE, share=share, fee=fee)
    _pay(view, payload.program, call.author, share, fee)
    view.emit(CollateralClaimed(payload.program, call.author, points, share, fee))
    return (APPLIED,)


def _pay(view: RuleView, program_id: ProgramId, member: Address, share: Amount, fee: Amount) -> None:
    """What came back to the pool goes on to the member, and of it the fee to the block's miner."""
    take_from(view, pool_payer(program_id), share, "locked")
    give_to(view, account_payer(member), Amount(share - fee), "locked")
    spend_prepaid(view, fee)
    books = load_books(view, program_id)
    view.put(books_key(program_id), replace(books, collateral_paid=Amount(books.collateral_paid + share)))


def cost(payload: PointsClaimCollateral) -> Cost:
    """Member, books, the member's account, and days change."""
    return Cost(records=6)


def reads(author: Address, payload: PointsClaimCollateral) -> tuple[RecordKey, ...]:
    """Program, books and member."""
    return (program_key(payload.program), books_key(payload.program), member_key(payload.program, author))


POINTS_CLAIM_COLLATERAL = Kind(
    name="points.claim_collateral",
    anchor="COL-5",
    payload=Struct(PointsClaimCollateral),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
