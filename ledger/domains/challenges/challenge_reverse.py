"""`challenge.reverse`: a receipt with which a goal was reached has gone back, and the fan signed that (spec CHL-6)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.challenges.events import ChallengeReversed
from ledger.domains.challenges.state import (
    OCCURRENCE,
    Achievement,
    Challenge,
    Completion,
    achievement_id_of,
    achievement_key,
    challenge_key,
    find_achievement,
    load_challenge,
)
from ledger.domains.loyalty.issuance import POOL_TOO_SMALL
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.returns import (
    RETURN_RECEIPT,
    FanConsent,
    ReturnReceipt,
    attest_return,
    check_return,
    return_id_of,
)
from ledger.domains.loyalty.reverse import take_back
from ledger.domains.loyalty.state import (
    SCOPE_SETTLE,
    Program,
    load_member,
    load_program,
    load_terms,
    member_key,
    program_key,
    require_grant,
)
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.params import CHALLENGE_EVIDENCE_PATH_MAX, CHALLENGE_RECEIPTS_MAX
from ledger.schema import Integer, ListOf, Octets, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, ChainId, ChallengeId, Hash, Points, RecordKey, Signature

NOT_COMPLETED = Code(
    "challenge.not_completed",
    "no completion of this occurrence by this member stands",
    "Nothing was given, or it was taken back already, or it is too old.",
)
STANDS = Code(
    "challenge.stands",
    "what the program completed itself could be taken back until {until:time}",
    "Nothing can be done: the member could not contest the occurrence any more.",
)
NOT_IN_EVIDENCE = Code(
    "challenge.not_in_evidence",
    "the returned receipt is not among those with which the occurrence was completed",
    "Name its place and path in the evidence; a receipt that was not needed changes nothing.",
)
OUTSIDE_WINDOW = Code(
    "challenge.outside_window",
    "receipts of the occurrence can be returned from {first:time} until before {end:time}, and this return is of {time:time}",
    "Nothing can be taken back: the return window that the terms promise is over, or the return is of another purchase.",
)


@dataclass(frozen=True, slots=True)
class ChallengeReverse:
    """Take a reward back, by a return receipt of one of the receipts that earned it: leaf number `index` of its evidence."""

    challenge: Annotated[ChallengeId, identifier()]
    occurrence: Annotated[int, OCCURRENCE]
    index: Annotated[int, Integer(0, CHALLENGE_RECEIPTS_MAX - 1)]
    path: Annotated[tuple[Hash, ...], ListOf(identifier(), 0, CHALLENGE_EVIDENCE_PATH_MAX)]
    returned: Annotated[ReturnReceipt, RETURN_RECEIPT]
    signature: Annotated[Signature, Octets(64, 64)]
    consent: Annotated[FanConsent, Struct(FanConsent)]


def check(payload: ChallengeReverse) -> None:
    """The fan's counter-signature is one of its policy."""
    payload.consent.check()


def attestations(author: Address, payload: ChallengeReverse, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Till and fan signed exactly this return for this chain; else `witness.attestation`."""
    return attest_return(payload.returned, payload.signature, payload.consent, chain_id)


def apply(view: RuleView, call: Call, payload: ChallengeReverse, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `challenge.unknown`, `issuer.not_granted`, `issuer.no_scope`,
    `challenge.not_completed`, `challenge.stands`, `challenge.not_in_evidence`, `return.wrong_policy`, `return.future`,
    `return.too_late`, `return.not_a_till`, `challenge.outside_window`, `reverse.points_gone`, `earn.pool_insufficient`.

    The program's owner needs no grant.
    """
    returned = payload.returned
    program = load_program(view, returned.program)
    challenge = load_challenge(view, returned.program, payload.challenge)
    if call.author != program.owner:
        require_grant(view, returned.program, call.author, SCOPE_SETTLE)
    achievement = find_achievement(view, payload.challenge, returned.member, challenge, program, context.time)
    completion = None if achievement is None else achievement.completion_of(payload.occurrence)
    if achievement is None or completion is None:
        raise RuleViolation(NOT_COMPLETED)
    until = challenge.occurrence(payload.occurrence, program).contest_until
    if not completion.contested and context.time > until:
        raise RuleViolation(STANDS, until=until)
    leaf = leaf_hash(returned.receipt)
    if not verify_inclusion(completion.evidence, leaf, payload.index, completion.count, payload.path):
        raise RuleViolation(NOT_IN_EVIDENCE)
    check_return(view, returned, payload.consent, context)
    _check_window(view, payload, challenge, completion, program)
    _take_back(view, payload, challenge, completion, program, context)
    _write(view, payload, challenge, achievement, completion)
    view.emit(
        ChallengeReversed(
            program=returned.program,
            challenge=payload.challenge,
            member=returned.member,
            occurrence=payload.occurrence,
            returned=return_id_of(returned),
            receipt=returned.receipt,
            points=challenge.reward,
        )
    )
    return (APPLIED,)


def _check_window(
    view: RuleView, payload: ChallengeReverse, challenge: Challenge, completion: Completion, program: Program
) -> None:
    """The return came after the occurrence began, and within the window of the terms that the reward was credited under."""
    terms = load_terms(view, challenge.program, completion.version)
    first = challenge.occurrence(payload.occurrence, program).begins
    end = completion.returnable_until(program, terms)
    if not first <= payload.returned.time < end:
        raise RuleViolation(OUTSIDE_WINDOW, first=first, end=end, time=payload.returned.time)


def _take_back(
    view: RuleView,
    payload: ChallengeReverse,
    challenge: Challenge,
    completion: Completion,
    program: Program,
    context: Context,
) -> None:
    """The reward leaves the member's lots, its own one first; the room for it is set aside again, and the coin.

    Raises `reverse.points_gone`, `earn.pool_insufficient`.
    """
    member = load_member(view, challenge.program, payload.returned.member)
    book = PointsBook.open(view, challenge.program, program, context)
    cited = (completion.version, completion.activation_day)
    lots = take_back(book, member.lots, challenge.reward, cited, from_all=member.gives_back_from_all)
    book.move("challenge_points", challenge.reward)
    book.move("challenge_points_reversed", challenge.reward)
    if not book.can_save():
        raise RuleViolation(POOL_TOO_SMALL)
    book.save()
    view.put(member_key(challenge.program, payload.returned.member), replace(member, lots=lots))


def _write(
    view: RuleView, payload: ChallengeReverse, challenge: Challenge, achievement: Achievement, completion: Completion
) -> None:
    """The budget has the reward again; the occurrence is open for other receipts."""
    given = Points(challenge.given - challenge.reward)
    view.put(challenge_key(payload.challenge), replace(challenge, given=given))
    gone = (payload.occurrence, payload.returned.receipt)
    without = tuple([found for found in achievement.completions if found is not completion])
    returned = tuple(sorted({*achievement.returned, gone}))
    key = achievement_key(achievement_id_of(payload.challenge, payload.returned.member))
    view.put(key, replace(achievement, times=achievement.times - 1, completions=without, returned=returned))


def cost(payload: ChallengeReverse) -> Cost:
    """Challenge, books, member, what it reached, and two days change; all signed by till and fan."""
    return Cost(records=6, signatures=1 + len(payload.consent.signatures))


def reads(author: Address, payload: ChallengeReverse) -> tuple[RecordKey, ...]:
    """Program, challenge, member and what it reached."""
    returned = payload.returned
    return (
        program_key(returned.program),
        challenge_key(payload.challenge),
        member_key(returned.program, returned.member),
        achievement_key(achievement_id_of(payload.challenge, returned.member)),
    )


CHALLENGE_REVERSE = Kind(
    name="challenge.reverse",
    anchor="CHL-6",
    payload=Struct(ChallengeReverse),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
)
