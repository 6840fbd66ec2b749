"""`challenge.complete`: an issuer attests who has reached goals, as it settles purchases by `earn` (spec CHL-4).

Of the receipts only a root over their hashes is on the chain. A fault of one entry's state skips it and records its code.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit
from ledger.domains.challenges.completions import credit, find_fault, new_achievement
from ledger.domains.challenges.events import ChallengeSkipped
from ledger.domains.challenges.state import (
    COUNT,
    NO_CHALLENGE,
    OCCURRENCE,
    achievement_id_of,
    achievement_key,
    challenge_key,
    find_achievement,
    find_challenge,
)
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP
from ledger.domains.loyalty.issuance import Issuance
from ledger.domains.loyalty.state import (
    SCOPE_SETTLE,
    Grant,
    Member,
    grant_key,
    load_program,
    member_key,
    program_key,
    require_grant,
)
from ledger.errors import Code
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CHALLENGE_ENTRIES_MAX
from ledger.schema import ListOf, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, ChallengeId, Hash, Points, ProgramId, RecordKey

NO_MEMBER = Code("challenge.no_member", "the account has not joined", "Let the fan join; later purchases count.")


@dataclass(frozen=True, slots=True)
class CompletionEntry:
    """One member reached the goal of one occurrence: by `count` receipts, of which `evidence` is the root (spec CHL-1)."""

    member: Annotated[Address, identifier()]
    challenge: Annotated[ChallengeId, identifier()]
    occurrence: Annotated[int, OCCURRENCE]
    evidence: Annotated[Hash, identifier()]
    count: Annotated[int, COUNT]


@dataclass(frozen=True, slots=True)
class ChallengeComplete:
    """A batch for one program. The author holds the scope to settle."""

    program: Annotated[ProgramId, identifier()]
    entries: Annotated[tuple[CompletionEntry, ...], ListOf(Struct(CompletionEntry), 1, CHALLENGE_ENTRIES_MAX)]


def apply(view: RuleView, call: Call, payload: ChallengeComplete, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `issuer.not_granted`, `issuer.no_scope`; then, where a record can't be paid for,
    `coin.insufficient` or `coin.pool_insufficient`.

    An entry is skipped with the first of: `challenge.unknown`, `challenge.no_member`, `challenge.no_occurrence`,
    `challenge.not_begun`, `challenge.over`, `challenge.before_joining`, `challenge.after_leaving`, `challenge.program_ended`,
    `challenge.completed`, `challenge.times_reached`, `challenge.too_many_returns`, `challenge.budget_gone`,
    `earn.issuance_cap`, `earn.daily_cap`.
    """
    program = load_program(view, payload.program)
    require_grant(view, payload.program, call.author, SCOPE_SETTLE)
    issuance = Issuance.open(view, payload.program, program, context)
    key = grant_key(payload.program, call.author)
    grant: Grant = view.get(key)
    used = grant.day_used if grant.day == issuance.book.today else 0
    codes: list[str] = []
    for index, entry in enumerate(payload.entries):
        code, points = _complete(view, call, entry, issuance, max(grant.daily_cap - used, 0))
        used += points
        codes.append(code)
        if code != APPLIED:
            skipped = ChallengeSkipped(payload.program, entry.challenge, entry.member, index, entry.occurrence, code)
            view.emit(skipped)
    issuance.save()
    view.put(key, replace(grant, day=issuance.book.today, day_used=Points(used)))
    return tuple(codes)


def _complete(
    view: RuleView, call: Call, entry: CompletionEntry, issuance: Issuance, day_left: int
) -> tuple[str, Points]:
    """Credit one entry, or skip it: its result code, and the points that it gave."""
    program_id, program = issuance.book.program_id, issuance.book.program
    challenge = find_challenge(view, program_id, entry.challenge)
    if challenge is None:
        return NO_CHALLENGE.name, Points(0)
    member: Member | None = view.get(member_key(program_id, entry.member))
    if member is None:
        return NO_MEMBER.name, Points(0)
    now = issuance.context.time
    achievement = find_achievement(view, entry.challenge, entry.member, challenge, program, now)
    fault = find_fault(challenge, entry.occurrence, program, member, achievement, issuance, contested=False)
    if fault is not None:
        return fault.code.name, Points(0)
    if challenge.reward > day_left:
        return ENTRY_DAILY_CAP.name, Points(0)
    if achievement is None:
        deposit = lock_deposit(view, call, issuance.context)
        achievement = new_achievement(entry.challenge, entry.member, call.payer, deposit)
    credit(view, issuance, challenge, achievement, entry.occurrence, entry.evidence, entry.count)
    return APPLIED, challenge.reward


def cost(payload: ChallengeComplete) -> Cost:
    """An entry: its member and challenge, what the member reached, and days; books, grant, payer and days that may be made."""
    entries = len(payload.entries)
    return Cost(records=4 * entries + 4, slots=entries + 4, due=entries + 4)


def reads(author: Address, payload: ChallengeComplete) -> tuple[RecordKey, ...]:
    """Program, grant, and of every entry its member, its challenge and what the member reached."""
    program = payload.program
    keys = [program_key(program), grant_key(program, author)]
    for entry in payload.entries:
        achievement = achievement_key(achievement_id_of(entry.challenge, entry.member))
        keys += (member_key(program, entry.member), challenge_key(entry.challenge), achievement)
    return tuple(dict.fromkeys(keys))


CHALLENGE_COMPLETE = Kind(
    name="challenge.complete",
    anchor="CHL-4",
    payload=Struct(ChallengeComplete),
    apply=apply,
    cost=cost,
    reads=reads,
)
