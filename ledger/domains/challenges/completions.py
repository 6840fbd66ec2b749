"""Crediting an occurrence to a member, whoever asked for it, and what ends a challenge (spec CHL-2, CHL-3)."""

from operator import attrgetter

from ledger.coin import give_to
from ledger.domains.challenges.events import ChallengeCompleted, ChallengeEnded
from ledger.domains.challenges.state import (
    Achievement,
    Challenge,
    Completion,
    achievement_id_of,
    achievement_key,
    challenge_key,
)
from ledger.domains.loyalty.issuance import ISSUANCE_CAP, Award, Issuance, change_promised
from ledger.domains.loyalty.periods import expiry_day
from ledger.domains.loyalty.state import Member, Program, load_terms, member_key
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import Context, DueKind
from ledger.params import CHALLENGE_PENDING_DAYS, COMPLETIONS_RETURNED_MAX
from ledger.state import RuleView
from ledger.types import (
    INTEGER_MAX,
    AchievementId,
    Address,
    Amount,
    ChallengeId,
    Day,
    Hash,
    Points,
    ReceiptHash,
    Timestamp,
)

NO_OCCURRENCE = Code(
    "challenge.no_occurrence",
    "the challenge occurs {occurrences} times, counted from 0, and {occurrence} is none of them",
    "Name one of its occurrences.",
)
NOT_BEGUN = Code("challenge.not_begun", "the occurrence begins at {begins:time}", "Wait until it has begun.")
OVER = Code(
    "challenge.over",
    "the occurrence could be completed until {until:time}",
    "Show the receipts to the shop: it can still adjust points.",
)
BEFORE_JOINING = Code(
    "challenge.before_joining", "the occurrence ended before the member joined", "The next one counts."
)
AFTER_LEAVING = Code(
    "challenge.after_leaving",
    "the member left before the occurrence began",
    "Nothing: later purchases count for nothing.",
)
PROGRAM_ENDED = Code(
    "challenge.program_ended",
    "the program ended before the occurrence began",
    "Nothing: what begins later earns nothing.",
)
COMPLETED = Code(
    "challenge.completed",
    "the member has this occurrence's reward already",
    "Nothing: each occurrence is credited once.",
)
TIMES_REACHED = Code(
    "challenge.times_reached",
    "the member completed the challenge {times} times, as often as anybody may",
    "Nothing: the challenge says so.",
)
TOO_MANY_RETURNS = Code(
    "challenge.too_many_returns",
    "too many receipts of this challenge went back",
    "Wait until the oldest of these occurrences is over for good.",
)
BUDGET_GONE = Code(
    "challenge.budget_gone",
    "{left:point} are left of the challenge's budget, and the reward is {reward:point}",
    "First come, first served: the chain shows who came before.",
)

END_CHALLENGE_DUE = "challenge.end"
FORGET_DUE = "challenge.forget"


def find_fault(
    challenge: Challenge,
    number: int,
    program: Program,
    member: Member,
    achievement: Achievement | None,
    issuance: Issuance,
    *,
    contested: bool,
) -> RuleViolation | None:
    """The first reason not to credit occurrence `number` now, in the order of CHL-3, or None.

    `achievement` is the member's without what is too old, or None. `contested`: the member shows receipts itself.
    """
    now = issuance.context.time
    if number >= challenge.occurrences:
        return RuleViolation(NO_OCCURRENCE, occurrences=challenge.occurrences, occurrence=number)
    dates = challenge.occurrence(number, program)
    if dates.begins > now:
        return RuleViolation(NOT_BEGUN, begins=dates.begins)
    again = contested and achievement is not None and any(found == number for found, _ in achievement.returned)
    until = dates.again_until if again else dates.contest_until
    if now > until:
        return RuleViolation(OVER, until=until)
    if dates.ends <= member.joined_at:
        return RuleViolation(BEFORE_JOINING)
    if member.left_at and dates.begins > member.left_at:
        return RuleViolation(AFTER_LEAVING)
    if program.has_ended(dates.begins):
        return RuleViolation(PROGRAM_ENDED)
    if achievement is not None:
        if achievement.completion_of(number) is not None:
            return RuleViolation(COMPLETED)
        if achievement.times >= challenge.times_max:
            return RuleViolation(TIMES_REACHED, times=achievement.times)
        if len(achievement.completions) + len(achievement.returned) >= COMPLETIONS_RETURNED_MAX:
            return RuleViolation(TOO_MANY_RETURNS)
    if challenge.reward > challenge.left:
        return RuleViolation(BUDGET_GONE, left=challenge.left, reward=challenge.reward)
    if challenge.reward > INTEGER_MAX - issuance.book.total("issued"):
        return RuleViolation(ISSUANCE_CAP)
    return None


def new_achievement(challenge_id: ChallengeId, member: Address, payer: bytes, deposit: Amount) -> Achievement:
    """The record of a member that has completed nothing yet; `payer` gets the deposit back."""
    return Achievement(payer=payer, deposit=deposit, challenge=challenge_id, member=member, times=0)


def credit(
    view: RuleView,
    issuance: Issuance,
    challenge: Challenge,
    achievement: Achievement,
    number: int,
    evidence: Hash,
    count: int,
    *,
    shown: tuple[ReceiptHash, ...] = (),
) -> None:
    """Give the reward of occurrence `number` out of the room that was set aside for it; nothing was at fault (spec CHL-3).

    `shown` are the receipts of a contest: what it credits is pending so long that the shop can show a return.
    """
    context, program = issuance.context, issuance.book.program
    dates, today = challenge.occurrence(number, program), issuance.book.today
    version = program.version_at(Timestamp(min(dates.ends - 1, context.time)))
    terms = load_terms(view, challenge.program, version)
    base = Day(min(today, dates.end_day))
    usable_from = Day(today + CHALLENGE_PENDING_DAYS) if shown else today
    activation_day = Day(max(usable_from, base + terms.activation_delay_days))
    counted_from = Day(max(today, activation_day - terms.activation_delay_days))
    expires_on = expiry_day(terms.expiry, base=counted_from, activation_day=activation_day)
    key = member_key(challenge.program, achievement.member)
    member: Member = view.get(key)
    award = Award(achievement.member, challenge.reward, version, terms, activation_day, expires_on)
    issued = issuance.issue_points(member.lots, member.tier_history, award)
    issuance.book.move("challenge_points", -challenge.reward)
    view.put(key, replace(member, lots=issued.lots))
    given = Points(challenge.given + challenge.reward)
    view.put(challenge_key(achievement.challenge), replace(challenge, given=given))
    completion = Completion(number, evidence, count, version, activation_day, base, contested=bool(shown))
    _keep(view, challenge, achievement, completion, program)
    view.emit(
        ChallengeCompleted(
            program=challenge.program,
            challenge=achievement.challenge,
            member=achievement.member,
            occurrence=number,
            evidence=evidence,
            count=count,
            points=challenge.reward,
            available_on=activation_day,
            expires_on=expires_on,
            receipts=shown,
        )
    )


def _keep(
    view: RuleView, challenge: Challenge, achievement: Achievement, completion: Completion, program: Program
) -> None:
    """Write the member's record with one completion more; a new one is forgotten when the challenge is over."""
    achievement_id = achievement_id_of(achievement.challenge, achievement.member)
    key = achievement_key(achievement_id)
    if view.get(key) is None:
        due = challenge.last_occurrence(program).keep_until
        schedule(view, kind=FORGET_DUE, subject=achievement_id, number=0, due=due)
    completions = sorted((*achievement.completions, completion), key=attrgetter("occurrence"))
    view.put(key, replace(achievement, completions=tuple(completions), times=achievement.times + 1))


def end_challenge(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: nothing of the challenge can be completed, contested or reversed any more; what is left of it is free again."""
    challenge_id = ChallengeId(subject)
    key = challenge_key(challenge_id)
    challenge: Challenge = view.get(key)
    view.put(key, replace(challenge, prepaid=Amount(0), has_ended=True))
    change_promised(view, challenge.program, challenge_points=-challenge.left)
    give_to(view, challenge.payer, challenge.prepaid, "locked")
    view.emit(ChallengeEnded(challenge.program, challenge_id, challenge.left))


def forget_achievement(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: the challenge is over, so nobody needs to remember who completed it; the deposit goes back."""
    key = achievement_key(AchievementId(subject))
    found: Achievement = view.get(key)
    view.delete(key)
    give_to(view, found.payer, found.deposit, "locked")


END_CHALLENGE = DueKind(name=END_CHALLENGE_DUE, anchor="CHL-2", weight=300, apply=end_challenge)
FORGET_ACHIEVEMENT = DueKind(name=FORGET_DUE, anchor="CHL-3", weight=200, apply=forget_achievement)
