"""`reward.update`: price, stock, listing, limit and window; what gets worse waits for the program's notice (spec RWD-2)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from ledger.domains.loyalty.program_sunset import NOT_OWNER, refuse_worse
from ledger.domains.loyalty.state import TIME, load_program, load_terms, program_key
from ledger.domains.rewards.counts import check_offer, check_tier
from ledger.domains.rewards.floor import check_floor, price_of
from ledger.domains.rewards.state import (
    ALWAYS,
    NO_LIMIT,
    PRICE,
    STOCK,
    STOCK_CHANGE,
    TIER_NUMBER,
    Announced,
    Limit,
    Reward,
    Window,
    changed_stock,
    load_reward,
    reward_key,
)
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Boolean, Struct, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, Points, ProgramId, RecordKey, RewardId, Timestamp

CHANGE_ANNOUNCED = Code(
    "reward.update_pending",
    "a change for the worse is announced for {effective_from}; another one must wait until then",
    "Wait until it is in force, or only improve the reward.",
)


@dataclass(frozen=True, slots=True)
class RewardUpdate:
    """The new price, listing, limit, window and least tier, and what to add to the stock (negative: take away)."""

    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    price: Annotated[Points, PRICE]
    stock_change: Annotated[int, STOCK_CHANGE]
    listed: Annotated[bool, Boolean()]
    limit: Annotated[Limit, Struct(Limit)] = NO_LIMIT
    window: Annotated[Window, Struct(Window)] = ALWAYS
    tier_min: Annotated[int, TIER_NUMBER] = 0


@declare_event
@dataclass(frozen=True, slots=True)
class RewardUpdated(Event):
    """A reward's terms: all that is named is in force from `effective_from` on."""

    name: ClassVar[str] = "reward.updated"
    program: Annotated[ProgramId, identifier()]
    reward: Annotated[RewardId, identifier()]
    price: Annotated[Points, PRICE]
    stock: Annotated[int, STOCK]
    listed: Annotated[bool, Boolean()]
    effective_from: Annotated[Timestamp, TIME]
    limit: Annotated[Limit, Struct(Limit)]
    window: Annotated[Window, Struct(Window)]
    tier_min: Annotated[int, TIER_NUMBER]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.program,)


class Parts(NamedTuple):
    """What of a reward can get worse by itself, but for the stock; count and days are one part."""

    price: Points
    listed: bool
    total: int
    span: tuple[int, int]
    opens_at: Timestamp
    closes_at: Timestamp
    tier_min: int

    @staticmethod
    def of(source: Reward | Announced | RewardUpdate) -> "Parts":
        """The parts of a record, an announcement or a payload."""
        limit, window = source.limit, source.window
        span = (limit.count, limit.days)
        return Parts(source.price, source.listed, limit.total, span, window.opens_at, window.closes_at, source.tier_min)

    @property
    def limit(self) -> Limit:
        """The limit that the parts give."""
        return Limit(self.total, *self.span)

    @property
    def window(self) -> Window:
        """The window that the parts give."""
        return Window(self.opens_at, self.closes_at)

    def chosen(self, wanted: tuple[bool, ...], other: "Parts") -> "Parts":
        """These parts where `wanted` says so, the `other` ones elsewhere."""
        return Parts._make(mine if is_mine else its for is_mine, mine, its in zip(wanted, self, other, strict=True))


def worse_parts(old: Parts, new: Parts, now: Timestamp) -> tuple[bool, ...]:
    """Which of the new parts are worse for a fan than the old ones. What lies in the past is neither."""
    old_count, new_count = (_bound(parts.span[0]) for parts in (old, new))
    return (
        new.price > old.price,
        old.listed and not new.listed,
        _bound(new.total) < _bound(old.total),
        new_count < old_count or new.span[1] > old.span[1],
        max(new.opens_at, now) > max(old.opens_at, now),
        max(new.closes_at, now) < max(old.closes_at, now),
        new.tier_min > old.tier_min,
    )


def _bound(units: int) -> int:
    """A number of units that 0 does not bound."""
    return units or INTEGER_MAX


def check(payload: RewardUpdate) -> None:
    """A limit or a window that contradicts itself is malformed."""
    check_offer(payload.limit, payload.window)


def apply(view: RuleView, call: Call, payload: RewardUpdate, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `reward.unknown`, `reward.no_such_tier`,
    `reward.below_floor`, `program.ending`, `reward.update_pending`.

    Each part that gets better changes at once, and improves what is announced; those that get worse change together after the
    notice in force.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    reward = load_reward(view, payload.program, payload.reward, context.time)
    terms = load_terms(view, payload.program, program.version_at(context.time))
    check_tier(payload.tier_min, terms)
    given = Parts.of(payload)
    present = Parts.of(reward)._replace(price=price_of(reward, terms.floor))
    late = worse_parts(present, given, context.time)
    effective_from = Timestamp(context.time + terms.notice_days * 86_400)
    price_from = effective_from if given.price > present.price else context.time
    floor = load_terms(view, payload.program, program.version_at(price_from)).floor
    check_floor(given.price, reward.value_cents, floor)
    improved = _with_parts(reward, Parts.of(reward).chosen(late, given))
    if payload.stock_change > 0:
        improved = replace(improved, stock=changed_stock(reward.stock, payload.stock_change))
    if any(late) or payload.stock_change < 0:
        if not program.has_closed(context.time):
            refuse_worse(program)
        if reward.announced:
            raise RuleViolation(CHANGE_ANNOUNCED, effective_from=reward.announced[0].effective_from)
        announced = Announced(
            effective_from,
            given.price,
            min(payload.stock_change, 0),
            given.listed,
            given.limit,
            given.window,
            given.tier_min,
        )
        improved = replace(improved, announced=(announced,))
    elif reward.announced:
        kept = _improve_announced(reward, present, payload, context.time)
        is_empty = Parts.of(kept) == Parts.of(improved) and not kept.stock_change
        improved = replace(improved, announced=() if is_empty else (kept,))
    record = improved.at(context.time)
    view.put(reward_key(payload.program, payload.reward), record)
    _say(view, payload, record, context)
    return (APPLIED,)


def _with_parts(reward: Reward, parts: Parts) -> Reward:
    return replace(
        reward,
        price=parts.price,
        listed=parts.listed,
        limit=parts.limit,
        window=parts.window,
        tier_min=parts.tier_min,
    )


def _improve_announced(reward: Reward, present: Parts, payload: RewardUpdate, now: Timestamp) -> Announced:
    """What is announced, with what gets better now: nobody is drawn by terms that an older announcement takes back.

    What is taken away is at most what is there before the improvement.
    """
    (announced,) = reward.announced
    given, later = Parts.of(payload), Parts.of(announced)
    is_better, is_taken_back = worse_parts(given, present, now), worse_parts(given, later, now)
    parts = given.chosen(tuple(a and b for a, b in zip(is_better, is_taken_back, strict=True)), later)
    stock_change = announced.stock_change
    if payload.stock_change > 0:
        stock_change = max(stock_change, -reward.stock)
    return Announced(
        announced.effective_from,
        parts.price,
        stock_change,
        parts.listed,
        parts.limit,
        parts.window,
        parts.tier_min,
    )


def _say(view: RuleView, payload: RewardUpdate, record: Reward, context: Context) -> None:
    effective = record.announced[0].effective_from if record.announced else context.time
    final = record.at(effective)
    view.emit(
        RewardUpdated(
            program=payload.program,
            reward=payload.reward,
            price=final.price,
            stock=final.stock,
            listed=final.listed,
            effective_from=effective,
            limit=final.limit,
            window=final.window,
            tier_min=final.tier_min,
        )
    )


def cost(payload: RewardUpdate) -> Cost:
    """The reward changes."""
    return Cost(records=1)


def reads(author: Address, payload: RewardUpdate) -> tuple[RecordKey, ...]:
    """Program and reward."""
    return (program_key(payload.program), reward_key(payload.program, payload.reward))


REWARD_UPDATE = Kind(
    name="reward.update",
    anchor="RWD-2",
    payload=Struct(RewardUpdate),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
)
