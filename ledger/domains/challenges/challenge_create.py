"""`challenge.create`: a program promises points for a goal, and sets the room for all of them aside (spec CHL-2).

Nothing of it ever changes: neither the goal nor what is left, but by completions.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from ledger.coin import challenge_contest_fee, lock_deposit, take_from
from ledger.domains.challenges.completions import END_CHALLENGE_DUE
from ledger.domains.challenges.events import ChallengeCreated
from ledger.domains.challenges.state import (
    BASKET,
    BUDGET,
    DAYS,
    GOAL,
    GRACE_DAYS,
    NAME,
    REWARD,
    TIMES_MAX,
    Challenge,
    Codes,
    Goal,
    Spend,
    challenge_key,
)
from ledger.domains.loyalty.issuance import Issuance, change_promised
from ledger.domains.loyalty.program_sunset import NOT_OWNER, PROGRAM_ENDING, refuse_ended
from ledger.domains.loyalty.state import DAY, Program, books_key, load_program, program_key
from ledger.due import schedule
from ledger.errors import Code, Malformed, RuleViolation
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import (
    CHALLENGE_AHEAD_DAYS_MAX,
    CHALLENGE_CONTESTS_RESERVED,
    CHALLENGE_RECEIPTS_MAX,
    CHALLENGE_SPAN_DAYS_MAX,
)
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, ChallengeId, Day, Points, ProgramId, RecordKey

BAD_CHALLENGE = Code("challenge.terms", "the challenge contradicts itself: {reason}", "Correct it before publishing.")
PAST = Code("challenge.past", "it begins at {begins:time}, and that day is past", "Let it begin today or later.")
TOO_FAR = Code(
    "challenge.too_far", "it begins at {begins:time}, more than {days:day} from now", "Create it when it is closer."
)


@dataclass(frozen=True, slots=True)
class ChallengeCreate:
    """What a `Challenge` says. Its id is `object_id("challenge", txid, 0)`."""

    program: Annotated[ProgramId, identifier()]
    name: Annotated[str, NAME]
    goal: Annotated[Goal, GOAL]
    basket_min_cents: Annotated[int, BASKET]
    from_day: Annotated[Day, DAY]
    days: Annotated[int, DAYS]
    occurrences: Annotated[int, TIMES_MAX]
    times_max: Annotated[int, TIMES_MAX]
    grace_days: Annotated[int, GRACE_DAYS]
    reward: Annotated[Points, REWARD]
    budget: Annotated[Points, BUDGET]


def check(payload: ChallengeCreate) -> None:
    """Raise `challenge.terms` for what nobody could reach or show."""
    if payload.times_max > payload.occurrences:
        _refuse(f"each member may complete it {payload.times_max} times, and it occurs {payload.occurrences} times")
    if payload.days * payload.occurrences > CHALLENGE_SPAN_DAYS_MAX:
        _refuse(f"it lasts longer than {CHALLENGE_SPAN_DAYS_MAX} days")
    if payload.budget < payload.reward:
        _refuse(f"a budget of {payload.budget} pays no reward of {payload.reward}")
    goal = payload.goal
    if isinstance(goal, Spend) and payload.basket_min_cents * CHALLENGE_RECEIPTS_MAX < goal.cents:
        least = -(-goal.cents // CHALLENGE_RECEIPTS_MAX)
        _refuse(
            f"{CHALLENGE_RECEIPTS_MAX} receipts must be enough to show it, so the least basket is at least {least} cents"
        )
    if isinstance(goal, Codes) and any(a >= b for a, b in pairwise(goal.codes)):
        _refuse("its codes do not ascend, or one stands twice")


def _refuse(reason: str) -> None:
    raise Malformed(BAD_CHALLENGE, reason=reason)


def apply(view: RuleView, call: Call, payload: ChallengeCreate, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `program.ended`, `challenge.past`, `challenge.too_far`,
    `program.ending`, `earn.issuance_cap`, `earn.pool_insufficient`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    refuse_ended(program, context.time)
    _check_days(payload, program, context)
    _set_room_aside(view, payload, program, context)
    deposit = lock_deposit(view, call, context)
    prepaid = _prepay_contests(view, call, payload, context)
    challenge_id = ChallengeId(object_id("challenge", call.txid, 0))
    challenge = Challenge(
        payer=call.payer,
        deposit=deposit,
        prepaid=prepaid,
        program=payload.program,
        name=payload.name,
        goal=payload.goal,
        basket_min_cents=payload.basket_min_cents,
        from_day=payload.from_day,
        days=payload.days,
        occurrences=payload.occurrences,
        times_max=payload.times_max,
        grace_days=payload.grace_days,
        reward=payload.reward,
        budget=payload.budget,
        given=Points(0),
        has_ended=False,
    )
    view.put(challenge_key(challenge_id), challenge)
    due = challenge.last_occurrence(program).keep_until
    schedule(view, kind=END_CHALLENGE_DUE, subject=challenge_id, number=0, due=due)
    view.emit(_created(challenge_id, payload))
    return (APPLIED,)


def _created(challenge_id: ChallengeId, payload: ChallengeCreate) -> ChallengeCreated:
    return ChallengeCreated(
        program=payload.program,
        challenge=challenge_id,
        title=payload.name,
        goal=payload.goal,
        basket_min_cents=payload.basket_min_cents,
        from_day=payload.from_day,
        days=payload.days,
        occurrences=payload.occurrences,
        times_max=payload.times_max,
        grace_days=payload.grace_days,
        reward=payload.reward,
        budget=payload.budget,
    )


def _check_days(payload: ChallengeCreate, program: Program, context: Context) -> None:
    """It begins neither in the past nor too far ahead, and where an end is announced, each occurrence begins before it."""
    today, begins = program.day_at(context.time), program.day_start(payload.from_day)
    if payload.from_day < today:
        raise RuleViolation(PAST, begins=begins)
    if payload.from_day > today + CHALLENGE_AHEAD_DAYS_MAX:
        raise RuleViolation(TOO_FAR, begins=begins, days=CHALLENGE_AHEAD_DAYS_MAX)
    last_begins = program.day_start(Day(payload.from_day + (payload.occurrences - 1) * payload.days))
    if program.has_ended(last_begins):
        raise RuleViolation(PROGRAM_ENDING, sunset_at=program.sunset_at)


def _set_room_aside(view: RuleView, payload: ChallengeCreate, program: Program, context: Context) -> None:
    """The whole budget is no room for anything else from now on, so what is left of it can always be given."""
    issuance = Issuance.open(view, payload.program, program, context)
    refused = issuance.refusal_of_promise(payload.budget, payload.budget)
    if refused is not None:
        raise RuleViolation(refused)
    change_promised(view, payload.program, challenge_points=payload.budget)


def _prepay_contests(view: RuleView, call: Call, payload: ChallengeCreate, context: Context) -> Amount:
    """Lock what the first contests cost, so that a member without coin can contest whatever the pool holds."""
    contests = min(CHALLENGE_CONTESTS_RESERVED, payload.budget // payload.reward)
    prepaid = Amount(contests * (challenge_contest_fee(context.params) + context.params.record_deposit))
    take_from(view, call.payer, prepaid, "locked")
    return prepaid


def cost(payload: ChallengeCreate) -> Cost:
    """The challenge is made with its due item; books and payer change."""
    return Cost(records=3, slots=2, due=1)


def reads(author: Address, payload: ChallengeCreate) -> tuple[RecordKey, ...]:
    """Program and books."""
    return (program_key(payload.program), books_key(payload.program))


CHALLENGE_CREATE = Kind(
    name="challenge.create",
    anchor="CHL-2",
    payload=Struct(ChallengeCreate),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
)
