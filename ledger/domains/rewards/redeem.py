"""`redeem`: a fan asks for a reward; its points are held until the shop hands it out (spec RWD-3)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit, prepay_exit
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.program_sunset import refuse_closed
from ledger.domains.loyalty.state import (
    POINTS,
    books_key,
    load_member,
    load_program,
    load_terms,
    member_key,
    program_key,
)
from ledger.domains.loyalty.tiers import member_tier
from ledger.domains.rewards.counts import grown_count, write_count
from ledger.domains.rewards.floor import price_of
from ledger.domains.rewards.holds import HOLD_BLOCKS_MIN, HOLD_TIMEOUT_DUE
from ledger.domains.rewards.state import (
    PRICE,
    QUANTITY,
    UNLIMITED,
    Hold,
    Reward,
    count_id_of,
    count_key,
    hold_key,
    load_reward,
    reward_key,
)
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Height, HoldId, Points, ProgramId, RecordKey, RewardId, Timestamp

NOT_LISTED = Code("redeem.not_listed", "the reward is no longer on offer", "Choose another reward.")
OUTSIDE_WINDOW = Code(
    "redeem.outside_window",
    "the reward can be redeemed from {opens_at:time} until {closes_at:time}, and the chain's time is {now:time}",
    "Ask while it is open, or choose another reward.",
)
TIER_TOO_LOW = Code(
    "redeem.tier_too_low",
    "the reward is for tier {wanted} and above, and the member has {tier}",
    "Points earned in the tier period decide; the program's terms name the tiers.",
)
PRICE_ABOVE = Code(
    "redeem.price_above",
    "the reward costs {price} points, more than the {accepted} accepted",
    "Look at the new price and accept it, or choose another reward.",
)
OUT_OF_STOCK = Code("redeem.out_of_stock", "{stock} are left, {wanted} were asked for", "Ask for fewer, or wait.")


@dataclass(frozen=True, slots=True)
class Redeem:
    """`quantity` of a reward, at no more than `price_accepted` points each. The hold's id is `object_id("hold", txid, 0)`."""

    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    quantity: Annotated[int, QUANTITY]
    price_accepted: Annotated[Points, PRICE]


@declare_event
@dataclass(frozen=True, slots=True)
class RedemptionOpened(Event):
    """A fan asked for a reward; `points` are held."""

    name: ClassVar[str] = "redeem.opened"
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    hold: Annotated[HoldId, identifier()]
    reward: Annotated[RewardId, identifier()]
    quantity: Annotated[int, QUANTITY]
    points: Annotated[Points, POINTS]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.member, self.program, self.hold)


def apply(view: RuleView, call: Call, payload: Redeem, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.closed`, `member.unknown`, `reward.unknown`, `redeem.not_listed`,
    `redeem.outside_window`, `redeem.tier_too_low`, `redeem.price_above`, `redeem.out_of_stock`, `redeem.limit_reached`,
    `points.insufficient`, `coin.insufficient` or `coin.pool_insufficient`.

    A member who left may still spend what it has.
    """
    program = load_program(view, payload.program)
    refuse_closed(program, context.time)
    member = load_member(view, payload.program, call.author)
    reward = load_reward(view, payload.program, payload.reward, context.time)
    terms = load_terms(view, payload.program, program.version_at(context.time))
    price = price_of(reward, terms.floor)
    tier = member_tier(member, terms, program, context.time)
    _check_offer(reward, price, tier, payload, context)
    grown = grown_count(
        view, payload.reward, reward, call, context, program_id=payload.program, quantity=payload.quantity
    )
    points = Points(price * payload.quantity)
    book = PointsBook.open(view, payload.program, program, context)
    left, taken = book.take(member.lots, points, "held")
    view.put(member_key(payload.program, call.author), replace(member, lots=left))
    book.save()
    stock = reward.stock if reward.stock == UNLIMITED else reward.stock - payload.quantity
    view.put(reward_key(payload.program, payload.reward), replace(reward, stock=stock))
    counted = write_count(view, grown, reward, call, context)
    hold_id = HoldId(object_id("hold", call.txid, 0))
    hold = Hold(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        prepaid=prepay_exit(view, call, context),
        program=payload.program,
        member=call.author,
        reward=payload.reward,
        quantity=payload.quantity,
        points=points,
        lots=taken,
        expires_at=Timestamp(context.time + terms.hold_seconds),
        expires_height=Height(context.height + HOLD_BLOCKS_MIN),
        counted=counted,
    )
    view.put(hold_key(hold_id), hold)
    schedule(view, kind=HOLD_TIMEOUT_DUE, subject=hold_id, number=0, due=hold.expires_at)
    view.emit(RedemptionOpened(payload.program, call.author, hold_id, payload.reward, payload.quantity, points))
    return (APPLIED,)


def _check_offer(reward: Reward, price: Points, tier: int, payload: Redeem, context: Context) -> None:
    """Whether the reward can be had now, at a price that the fan accepts, and as many as it wants."""
    if not reward.listed:
        raise RuleViolation(NOT_LISTED)
    if not reward.window.is_open(context.time):
        window = reward.window
        raise RuleViolation(OUTSIDE_WINDOW, opens_at=window.opens_at, closes_at=window.closes_at, now=context.time)
    if tier < reward.tier_min:
        raise RuleViolation(TIER_TOO_LOW, wanted=reward.tier_min, tier=tier)
    if price > payload.price_accepted:
        raise RuleViolation(PRICE_ABOVE, price=price, accepted=payload.price_accepted)
    if reward.stock < payload.quantity:
        raise RuleViolation(OUT_OF_STOCK, stock=reward.stock, wanted=payload.quantity)


def cost(payload: Redeem) -> Cost:
    """Member, books, reward, days and payer are touched; hold, count and a due item for each are made."""
    return Cost(records=7, slots=3, due=2)


def reads(author: Address, payload: Redeem) -> tuple[RecordKey, ...]:
    """Program, books, member, reward and count."""
    return (
        program_key(payload.program),
        books_key(payload.program),
        member_key(payload.program, author),
        reward_key(payload.program, payload.reward),
        count_key(count_id_of(payload.program, payload.reward, author)),
    )


REDEEM = Kind(name="redeem", anchor="RWD-3", payload=Struct(Redeem), apply=apply, cost=cost, reads=reads)
