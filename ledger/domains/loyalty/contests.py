"""What `earn.contest`, its answer and its deadline share: reserve, till's days, credit and repayment (spec LOY-14 to LOY-17)."""

from ledger.coin import contest_fee, exit_fee, give_to, lock_deposit, spend_prepaid, take_from
from ledger.domains.loyalty.events import ContestDecided, TierReached
from ledger.domains.loyalty.issuance import Award, Issuance, room_for_contests
from ledger.domains.loyalty.periods import Period, expiry_day, period_at
from ledger.domains.loyalty.state import (
    OPEN,
    RETURNED,
    SETTLED_IN_TIME,
    UNSETTLED,
    Contest,
    Grant,
    Member,
    Program,
    Terms,
    books_key,
    contest_key,
    grant_key,
    load_books,
    load_member,
    load_program,
    load_terms,
    member_key,
)
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.hashing import CONTEST
from ledger.kinds import Call, Context, DueKind
from ledger.params import CONTEST_DAYS_KEPT, CONTESTS_PREPAID
from ledger.state import RuleView
from ledger.types import Address, Amount, ContestId, Day, Points, ProgramId, PublicKey, Timestamp

NONE_PREPAID = Code(
    "contest.none_prepaid",
    "the contests that joining paid for are used up",
    "Pay the fee yourself, or wait until an earlier contest is upheld: then it is paid for again.",
)
PERIOD_LIMIT = Code(
    "contest.period_limit",
    "{maximum} contests of this period were paid for in advance already",
    "Pay the fee yourself, or wait for the next period.",
)

CONTEST_DUE = "earn.contest"
RETRY_SECONDS = 60
"""How soon a contest is looked at again whose days have passed and whose blocks have not."""


def contest_id_of(program: ProgramId, till: PublicKey, sequence: int) -> ContestId:
    """Of one till and number there is one contest, whatever receipt it shows (spec LOY-15)."""
    return ContestId(CONTEST(program + till + sequence.to_bytes(8, "big")))


def is_over(contest: Contest, context: Context) -> bool:
    """Whether the time to answer has passed, in days and in blocks."""
    return context.time >= contest.answer_by and context.height >= contest.answer_height


# --- who pays ---------------------------------------------------------------------------------------------------------------


def prepay_contests(view: RuleView, call: Call, held: Amount, context: Context) -> Amount:
    """Lock what `CONTESTS_PREPAID` contests cost, less what the member still holds of it; returns what was added."""
    each = contest_fee(context.params) + context.params.record_deposit
    missing = Amount(max(CONTESTS_PREPAID * each - held, 0))
    if missing:
        take_from(view, call.payer, missing, "locked")
    return missing


def pay_for_contest(
    view: RuleView, call: Call, program_id: ProgramId, member: Member, context: Context
) -> tuple[Amount, Amount]:
    """Lock the contest's deposit and settle its fee; returns the deposit, and what an upheld contest repays (spec LOY-14).

    Raises `contest.none_prepaid`, `contest.period_limit`, and what `take_from` raises.
    """
    repaid = _repaid(call, context)
    if call.payer:
        return lock_deposit(view, call, context), repaid
    deposit = context.params.record_deposit
    _spend_prepaid_contest(view, call, program_id, member, deposit, context)
    return deposit, repaid


def pay_for_offer_contest(
    view: RuleView, call: Call, program_id: ProgramId, member: Member, context: Context
) -> Amount:
    """The same for a contest that leaves no record: nothing is locked; returns what it repays (spec OFR-5)."""
    if not call.payer:
        _spend_prepaid_contest(view, call, program_id, member, Amount(0), context)
    return _repaid(call, context)


def _repaid(call: Call, context: Context) -> Amount:
    """What a contest that is upheld gives back of its fee: what a pool paid, nobody gets."""
    fee = contest_fee(context.params)
    if not call.payer:
        return fee
    return Amount(0) if call.sponsored else Amount(min(call.fee, fee))


def _spend_prepaid_contest(
    view: RuleView, call: Call, program_id: ProgramId, member: Member, deposit: Amount, context: Context
) -> None:
    """Pay the fee and `deposit` out of what joining prepaid; at most so many a period."""
    fee = contest_fee(context.params)
    reserved = 0 if member.left_at else exit_fee(context.params)
    if member.prepaid - reserved < fee + deposit:
        raise RuleViolation(NONE_PREPAID)
    begins = _period_of_now(view, program_id, context)
    count = member.contest_count if member.contest_period == begins else 0
    if count >= CONTESTS_PREPAID:
        raise RuleViolation(PERIOD_LIMIT, maximum=CONTESTS_PREPAID)
    paid = replace(
        member,
        prepaid=Amount(member.prepaid - fee - deposit),
        contest_period=begins,
        contest_count=count + 1,
    )
    view.put(member_key(program_id, call.author), paid)
    spend_prepaid(view, fee)


def _period_of_now(view: RuleView, program_id: ProgramId, context: Context) -> Timestamp:
    program = load_program(view, program_id)
    terms = load_terms(view, program_id, program.version_at(context.time))
    return Timestamp(max(period_at(program, terms, context.time).begins, 0))


def repay(view: RuleView, program: ProgramId, member: Address, payer: bytes, repaid: Amount) -> Amount:
    """Give back what a contest cost, out of the program's reserve of coin, then of its pool; returns how much that was."""
    books = load_books(view, program)
    from_reserve = Amount(min(repaid, books.contest_coin))
    from_pool = Amount(min(repaid - from_reserve, books.pool))
    total = Amount(from_reserve + from_pool)
    left = replace(books, contest_coin=Amount(books.contest_coin - from_reserve), pool=Amount(books.pool - from_pool))
    view.put(books_key(program), left)
    view.post("pools", -from_pool)
    view.post("locked", from_pool)
    _give_to_payer(view, program, member, payer, total)
    return total


def _give_to_payer(view: RuleView, program: ProgramId, member: Address, payer: bytes, amount: Amount) -> None:
    """Move locked coin to who paid for a contest; where joining did, it stays locked and pays for another one."""
    if payer:
        give_to(view, payer, amount, "locked")
        return
    found = load_member(view, program, member)
    view.put(member_key(program, member), replace(found, prepaid=Amount(found.prepaid + amount)))


# --- the till's days --------------------------------------------------------------------------------------------------------


def claimed_of_day(grant: Grant, day: Day) -> int:
    """Points that contests claim or were credited of a till's receipts of `day`."""
    return next((points for other, points in grant.contested if other == day), 0)


def with_claim(grant: Grant, day: Day, points: int, today: Day) -> Grant:
    """The grant with `points` more (or fewer) claimed of `day`. Days too old for any contest are forgotten."""
    days = {other: held for other, held in grant.contested if other >= today - CONTEST_DAYS_KEPT}
    if day in days or points > 0:
        days[day] = days.get(day, 0) + points
    return replace(grant, contested=tuple(sorted((other, held) for other, held in days.items() if held)))


# --- the end of a contest ---------------------------------------------------------------------------------------------------


def decide(
    view: RuleView, contest_id: ContestId, contest: Contest, outcome: int, credited: Points, context: Context
) -> None:
    """End a contest: credit what is owed, free what it had claimed besides, repay it if it is upheld (spec LOY-17)."""
    program = load_program(view, contest.program)
    key = grant_key(contest.program, contest.till)
    day, today = program.day_at(contest.time), program.day_at(context.time)
    view.put(key, with_claim(view.get(key), day, credited - contest.points, today))
    books = load_books(view, contest.program)
    freed = replace(
        books,
        contest_points=Points(books.contest_points + contest.points - credited),
        contests_open=books.contests_open - 1,
    )
    view.put(books_key(contest.program), freed)
    available_on, expires_on, reached = Day(0), Day(0), None
    if credited:
        available_on, expires_on, reached = _credit(view, contest, program, credited, context)
    repaid = Amount(0)
    if outcome not in (SETTLED_IN_TIME, RETURNED):
        repaid = repay(view, contest.program, contest.member, contest.payer, contest.repaid)
    view.put(contest_key(contest_id), replace(contest, outcome=outcome, credited=credited))
    view.emit(
        ContestDecided(contest.program, contest.member, contest_id, outcome, credited, repaid, available_on, expires_on)
    )
    if reached is not None:
        view.emit(reached)


def _credit(
    view: RuleView, contest: Contest, program: Program, points: Points, context: Context
) -> tuple[Day, Day, TierReached | None]:
    """Give the member a lot outside of all caps, with the coin that was put aside for it.

    Returns its activation and expiry day, and the tier that it brought."""
    version = program.version_at(contest.time)
    terms = load_terms(view, contest.program, version)
    today = program.day_at(context.time)
    period = period_at(program, terms, contest.time)
    activation_day, expiry_day = lot_days(terms, period, today)
    base = Day(max(today, period.end_day))
    award = Award(contest.member, points, version, terms, activation_day, expiry_day, base)
    member = load_member(view, contest.program, contest.member)
    issuance = Issuance.open(view, contest.program, program, context)
    lots, history, reached = issuance.issue_points(issuance.slide(member.lots), member.tier_history, award)
    issuance.book.move("contest_points_credited", points)
    issuance.save()
    changed = replace(member, lots=lots, tier_history=history, earned=Points(member.earned + points))
    view.put(member_key(contest.program, contest.member), changed)
    return activation_day, expiry_day, reached


def lot_days(terms: Terms, period: Period, today: Day) -> tuple[Day, Day]:
    """Activation and expiry of a credited lot: the delay counts from the period's end, the expiry from the later of it and today.

    So the fan waits no longer than if it had been settled, and has the points for as long.
    """
    activation = Day(max(today, period.end_day + terms.activation_delay_days))
    base = Day(max(today, period.end_day))
    return activation, expiry_day(terms.expiry, base=base, activation_day=activation)


def end_contest(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: an unanswered contest is upheld at the deadline; at the end of all deadlines the record goes."""
    contest_id = ContestId(subject)
    key = contest_key(contest_id)
    contest: Contest = view.get(key)
    if contest.outcome == OPEN:
        if not is_over(contest, context):
            _look_again(view, contest_id, Timestamp(context.time + RETRY_SECONDS))
            return
        room = room_for_contests(view, contest.program)
        decide(view, contest_id, contest, UNSETTLED, Points(min(contest.points, room)), context)
        contest = view.get(key)
    if context.time < contest.keep_until:
        _look_again(view, contest_id, contest.keep_until)
        return
    view.delete(key)
    _give_to_payer(view, contest.program, contest.member, contest.payer, contest.deposit)


def _look_again(view: RuleView, contest_id: ContestId, due: Timestamp) -> None:
    schedule(view, kind=CONTEST_DUE, subject=contest_id, number=0, due=due)


END_CONTEST = DueKind(name=CONTEST_DUE, anchor="LOY-17", weight=900, apply=end_contest)
