"""What one member may get of a reward, and what it has had (spec RWD-6)."""

from ledger.coin import give_to, lock_deposit
from ledger.domains.loyalty.state import Program, Terms, load_program
from ledger.domains.rewards.state import (
    Count,
    Counted,
    Limit,
    Reward,
    Window,
    count_id_of,
    count_key,
    load_reward,
)
from ledger.due import schedule
from ledger.errors import Code, Malformed, RuleViolation
from ledger.evolve import replace
from ledger.kinds import Call, Context, DueKind
from ledger.params import COUNT_CHECK_SECONDS
from ledger.state import RuleView
from ledger.types import Address, Amount, CountId, Day, ProgramId, RewardId, Timestamp

BAD_LIMIT = Code(
    "reward.limit",
    "a limit of {count} within {days} days says nothing",
    "Give both numbers, or 0 for both where no days bound it.",
)
BAD_WINDOW = Code(
    "reward.window",
    "the reward would close at {closes_at:time}, not after it opens at {opens_at:time}",
    "Let it close after it opens; 1099511627776 (2**40) is without end.",
)
LIMIT_REACHED = Code(
    "redeem.limit_reached",
    "{wanted} were asked for; of this reward a member may have {left} more now",
    "Ask for fewer. What is cancelled or refunded can be had again, and a limit of days begins anew after them.",
)

NO_SUCH_TIER = Code(
    "reward.no_such_tier",
    "the reward asks for tier {tier_min}, and the program has {tiers}",
    "Name a tier that the terms in force have, or 0 for all members.",
)

COUNT_DUE = "redeem.count"


def check_offer(limit: Limit, window: Window) -> None:
    """Raise `Malformed` `reward.limit` or `reward.window` for what contradicts itself."""
    if bool(limit.count) != bool(limit.days):
        raise Malformed(BAD_LIMIT, count=limit.count, days=limit.days)
    if window.closes_at <= window.opens_at:
        raise Malformed(BAD_WINDOW, opens_at=window.opens_at, closes_at=window.closes_at)


def check_tier(tier_min: int, terms: Terms) -> None:
    """Raise `reward.no_such_tier` for a tier that nobody can have by the terms in force."""
    if tier_min > len(terms.tiers):
        raise RuleViolation(NO_SUCH_TIER, tier_min=tier_min, tiers=len(terms.tiers))


def grown_count(
    view: RuleView,
    reward_id: RewardId,
    reward: Reward,
    call: Call,
    context: Context,
    *,
    program_id: ProgramId,
    quantity: int,
) -> Count | None:
    """The author's count with `quantity` more, not yet written; None where the reward has no limit.

    Raises `redeem.limit_reached`.
    """
    limit = reward.limit
    if limit.bounds_nothing:
        return None
    today = load_program(view, program_id).day_at(context.time)
    found = _count_of(view, program_id, reward_id, call.author)
    if found is None:
        found = Count(call.payer, Amount(0), program_id, reward_id, context.height, 0, today, 0)
    if limit.days and today >= found.since + limit.days:
        found = replace(found, since=today, count=0)
    grown = replace(found, total=found.total + quantity, count=found.count + quantity)
    if (limit.total and grown.total > limit.total) or (limit.days and grown.count > limit.count):
        left_in_all = limit.total - found.total if limit.total else quantity
        left_in_days = limit.count - found.count if limit.days else quantity
        raise RuleViolation(LIMIT_REACHED, wanted=quantity, left=max(min(left_in_all, left_in_days), 0))
    return grown


def _count_of(view: RuleView, program_id: ProgramId, reward_id: RewardId, member: Address) -> Count | None:
    return view.get(count_key(count_id_of(program_id, reward_id, member)))


def write_count(
    view: RuleView, grown: Count | None, reward: Reward, call: Call, context: Context
) -> tuple[Counted, ...]:
    """Write what `grown_count` found; the first time its deposit is locked and its end is queued. Returns the hold's mark."""
    if grown is None:
        return ()
    count_id = count_id_of(grown.program, grown.reward, call.author)
    if _count_of(view, grown.program, grown.reward, call.author) is None:
        grown = replace(grown, deposit=lock_deposit(view, call, context))
        program = load_program(view, grown.program)
        schedule(view, kind=COUNT_DUE, subject=count_id, number=0, due=_next_check(grown, reward, program, context))
    view.put(count_key(count_id), grown)
    return ((grown.made, grown.since),)


def give_count_back(
    view: RuleView,
    program_id: ProgramId,
    reward_id: RewardId,
    member: Address,
    *,
    counted: tuple[Counted, ...],
    quantity: int,
) -> None:
    """Take what was released or refunded off the count that it stands in; one that was made later is another count."""
    found = _count_of(view, program_id, reward_id, member)
    if found is None or not counted or counted[0][0] != found.made:
        return
    in_span = quantity if counted[0][1] == found.since else 0
    kept = replace(found, total=found.total - quantity, count=found.count - in_span)
    view.put(count_key(count_id_of(program_id, reward_id, member)), kept)


def _next_check(count: Count, reward: Reward, program: Program, context: Context) -> Timestamp:
    """When the count may no longer be needed."""
    if not reward.limit.total:
        return program.day_start(Day(count.since + reward.limit.days))
    return Timestamp(min(reward.window.closes_at, context.time + COUNT_CHECK_SECONDS))


def end_count(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: delete a count that can refuse nothing any more; one that is needed comes again."""
    key = count_key(CountId(subject))
    count: Count = view.get(key)
    program = load_program(view, count.program)
    reward = load_reward(view, count.program, count.reward, context.time)
    limit = reward.limit
    counts_in_all = bool(limit.total and count.total)
    counts_in_days = bool(limit.days and count.count and program.day_at(context.time) < count.since + limit.days)
    if reward.listed and context.time < reward.window.closes_at and (counts_in_all or counts_in_days):
        schedule(view, kind=COUNT_DUE, subject=subject, number=0, due=_next_check(count, reward, program, context))
        return
    view.delete(key)
    give_to(view, count.payer, count.deposit, "locked")


COUNT_END = DueKind(name=COUNT_DUE, anchor="RWD-6", weight=400, apply=end_count)
