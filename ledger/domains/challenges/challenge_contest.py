"""`challenge.contest`: a fan shows receipts with which it reached a goal that nobody completed (spec CHL-5).

What it opens is public for ever: of each receipt its till, number, time, net and the part paid with points; its codes where the
goal asks for codes. Never the lines. Every node sees that the goal was reached, so nothing is answered: it is credited at once.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from ledger.coin import challenge_contest_fee, lock_deposit, pool_payer, spend_prepaid, take_from
from ledger.domains.challenges.completions import NO_OCCURRENCE, credit, find_fault, new_achievement
from ledger.domains.challenges.goals import Basket, evidence_of, is_reached
from ledger.domains.challenges.state import (
    OCCURRENCE,
    Achievement,
    Challenge,
    achievement_id_of,
    achievement_key,
    challenge_key,
    find_achievement,
    load_challenge,
)
from ledger.domains.loyalty.contests import claimed_of_day, with_claim
from ledger.domains.loyalty.earn_contest import NOT_A_TILL, RECEIPT_FIELDS, TILL_CAP
from ledger.domains.loyalty.issuance import Issuance
from ledger.domains.loyalty.receipts import MONEY, check_codes, opened_receipt_hash, receipt_signing_hash
from ledger.domains.loyalty.state import (
    SCOPE_TILL,
    TIME,
    Grant,
    Program,
    Span,
    grant_key,
    load_books,
    load_member,
    load_program,
    member_key,
    program_key,
)
from ledger.errors import Code, Malformed, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.params import CHALLENGE_CONTEST_WEIGHT, CHALLENGE_RECEIPTS_MAX
from ledger.policy import address_of_key
from ledger.schema import Integer, ListOf, Octets, Row, Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    ChainId,
    ChallengeId,
    Hash,
    ProgramId,
    PublicKey,
    ReceiptHash,
    RecordKey,
    Signature,
    Timestamp,
)

BAD_ORDER = Code(
    "challenge.order",
    "the receipts do not strictly ascend by till and number",
    "Sort them, and show each receipt once.",
)
TOO_EARLY = Code(
    "challenge.too_early", "the shop has until {due_by:time} to complete this", "Contest it after that, if need be."
)
OUTSIDE = Code(
    "challenge.outside",
    "a receipt of {time:time} lies outside of the occurrence",
    "Show receipts of its days only.",
)
SMALL_BASKET = Code(
    "challenge.basket",
    "a receipt has {eligible} cents that were not paid with points, and {least} are needed to count",
    "Show receipts that count only.",
)
RETURNED = Code(
    "challenge.receipt_returned",
    "a receipt went back, and completes this occurrence no more",
    "Show other receipts of its days.",
)
NOT_REACHED = Code("challenge.not_reached", "the receipts do not reach the goal", "Show more receipts, if there are.")
NONE_PREPAID = Code(
    "challenge.none_prepaid",
    "the challenge's coin for contests is used up, and the program's pool does not hold {needed}",
    "Pay the fee yourself, or wait until the pool is filled.",
)

OPENED = (1, 3, 4, 5, 6, 7, 8)
"""Fields of RCP-1 that are opened of every receipt: program, member, till, sequence, time, net, part paid with points."""
CODES_FIELD = 9


@dataclass(frozen=True, slots=True)
class ShownReceipt:
    """A receipt as far as a goal reads it, with the till's signature. `codes` is empty where the goal does not ask for codes.

    `blinding` has one hash for each field of a receipt: the salt of an opened one, the leaf hash of another (spec RCP-8).
    """

    till: Annotated[PublicKey, Octets(32, 32)]
    sequence: Annotated[int, Integer(0, INTEGER_MAX)]
    time: Annotated[Timestamp, TIME]
    net_cents: Annotated[int, MONEY]
    paid_with_points_cents: Annotated[int, Integer(0, 2**53)]
    codes: Annotated[tuple[tuple[str, int], ...], ListOf(Row(Text(1, 32), MONEY), 0, 64)]
    blinding: Annotated[tuple[Hash, ...], ListOf(identifier(), RECEIPT_FIELDS, RECEIPT_FIELDS)]
    signature: Annotated[Signature, Octets(64, 64)]

    @property
    def basket(self) -> Basket:
        """What a goal reads of it."""
        return Basket(self.net_cents, self.paid_with_points_cents, self.codes)

    def receipt_hash(self, program: ProgramId, member: Address) -> ReceiptHash:
        """The hash of the receipt that is opened, if it is `member`'s and of `program`."""
        opened: dict[int, Any] = {
            1: program,
            3: member,
            4: self.till,
            5: self.sequence,
            6: self.time,
            7: self.net_cents,
            8: self.paid_with_points_cents,
        }
        if self.codes:
            opened[CODES_FIELD] = self.codes
        return opened_receipt_hash(opened, self.blinding)


@dataclass(frozen=True, slots=True)
class ChallengeContest:
    """The author's receipts that reach the goal of one occurrence."""

    program: Annotated[ProgramId, identifier()]
    challenge: Annotated[ChallengeId, identifier()]
    occurrence: Annotated[int, OCCURRENCE]
    receipts: Annotated[tuple[ShownReceipt, ...], ListOf(Struct(ShownReceipt), 1, CHALLENGE_RECEIPTS_MAX)]

    def receipt_hashes(self, member: Address) -> tuple[ReceiptHash, ...]:
        """The hashes of the receipts in their order."""
        return tuple([shown.receipt_hash(self.program, member) for shown in self.receipts])


def check(payload: ChallengeContest) -> None:
    """Each receipt stands once, and each of its codes (`challenge.order`, `receipt.shape`)."""
    if any((a.till, a.sequence) >= (b.till, b.sequence) for a, b in pairwise(payload.receipts)):
        raise Malformed(BAD_ORDER)
    for shown in payload.receipts:
        check_codes(shown.codes)


def attestations(author: Address, payload: ChallengeContest, chain_id: ChainId) -> tuple[Attestation, ...]:
    """The tills signed exactly these receipts, for the author and for this chain; else `witness.attestation`."""
    hashes = payload.receipt_hashes(author)
    return tuple(
        (shown.till, receipt_signing_hash(chain_id, found), shown.signature)
        for shown, found in zip(payload.receipts, hashes, strict=True)
    )


def apply(view: RuleView, call: Call, payload: ChallengeContest, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `challenge.unknown`, `member.unknown`, `challenge.no_occurrence`,
    `challenge.too_early`, `challenge.over`, `challenge.before_joining`, `challenge.after_leaving`, `challenge.program_ended`,
    `challenge.completed`, `challenge.times_reached`, `challenge.too_many_returns`, `challenge.budget_gone`,
    `earn.issuance_cap`; of the receipts `challenge.outside`, `contest.not_a_till`, `challenge.basket`,
    `challenge.receipt_returned`; then `challenge.not_reached`, `contest.till_cap`, and of the payment
    `challenge.none_prepaid`, or `coin.insufficient` or `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    challenge = load_challenge(view, payload.program, payload.challenge)
    member = load_member(view, payload.program, call.author)
    number = payload.occurrence
    if number >= challenge.occurrences:
        raise RuleViolation(NO_OCCURRENCE, occurrences=challenge.occurrences, occurrence=number)
    due_by = challenge.occurrence(number, program).due_by
    if context.time < due_by:
        raise RuleViolation(TOO_EARLY, due_by=due_by)
    achievement = find_achievement(view, payload.challenge, call.author, challenge, program, context.time)
    issuance = Issuance.open(view, payload.program, program, context)
    fault = find_fault(challenge, number, program, member, achievement, issuance, contested=True)
    if fault is not None:
        raise fault
    hashes = payload.receipt_hashes(call.author)
    for shown, found in zip(payload.receipts, hashes, strict=True):
        _check_receipt(view, payload, shown, found, challenge, program, achievement)
    if not is_reached(challenge.goal, [shown.basket for shown in payload.receipts]):
        raise RuleViolation(NOT_REACHED)
    _count_of_till(view, payload, challenge, program, context)
    challenge, achievement = _pay(view, call, payload, challenge, achievement, context)
    evidence = evidence_of(hashes)
    credit(view, issuance, challenge, achievement, number, evidence, len(hashes), shown=hashes)
    issuance.save()
    return (APPLIED,)


def _check_receipt(
    view: RuleView,
    payload: ChallengeContest,
    shown: ShownReceipt,
    receipt: ReceiptHash,
    challenge: Challenge,
    program: Program,
    achievement: Achievement | None,
) -> None:
    """Whether a receipt counts in the occurrence, and was not returned."""
    dates = challenge.occurrence(payload.occurrence, program)
    if not dates.begins <= shown.time < dates.ends:
        raise RuleViolation(OUTSIDE, time=shown.time)
    _span_of_till(view, payload.program, shown)
    eligible = shown.basket.eligible_cents
    if eligible < challenge.basket_min_cents:
        raise RuleViolation(SMALL_BASKET, eligible=eligible, least=challenge.basket_min_cents)
    if achievement is not None and (payload.occurrence, receipt) in achievement.returned:
        raise RuleViolation(RETURNED)


def _span_of_till(view: RuleView, program: ProgramId, shown: ShownReceipt) -> Span:
    """The grant that the till had when it signed: its receipts count between grant and revocation."""
    grant: Grant | None = view.get(grant_key(program, address_of_key(shown.till)))
    span = None if grant is None else grant.span_at(shown.time)
    if span is None or not span[2] & SCOPE_TILL:
        raise RuleViolation(NOT_A_TILL)
    return span


def _count_of_till(
    view: RuleView, payload: ChallengeContest, challenge: Challenge, program: Program, context: Context
) -> None:
    """Count the reward to the day of the last receipt's till, within the cap that it had: a stolen till stops there."""
    latest = max(reversed(payload.receipts), key=lambda shown: shown.time)
    cap = _span_of_till(view, payload.program, latest)[3]
    key = grant_key(payload.program, address_of_key(latest.till))
    grant: Grant = view.get(key)
    day = program.day_at(latest.time)
    claimed = claimed_of_day(grant, day)
    if claimed + challenge.reward > cap:
        raise RuleViolation(TILL_CAP, owed=challenge.reward, claimed=claimed, cap=cap)
    view.put(key, with_claim(grant, day, challenge.reward, program.day_at(context.time)))


def _pay(
    view: RuleView,
    call: Call,
    payload: ChallengeContest,
    challenge: Challenge,
    achievement: Achievement | None,
    context: Context,
) -> tuple[Challenge, Achievement]:
    """Settle fee and deposit; returns the challenge with what it paid, and the member's record, made if there was none.

    Whoever does not pay lets the challenge pay, or, where that has nothing left, the program's pool.
    """
    needed = Amount(0) if achievement is not None else context.params.record_deposit
    payer, pool = call.payer, pool_payer(payload.program)
    if payer:
        if achievement is None:
            lock_deposit(view, call, context)
    else:
        payer, fee = pool, challenge_contest_fee(context.params)
        if challenge.prepaid >= fee + needed:
            challenge = replace(challenge, prepaid=Amount(challenge.prepaid - fee - needed))
            spend_prepaid(view, fee)
        elif load_books(view, payload.program).pool >= fee + needed:
            take_from(view, pool, fee, "fees")
            take_from(view, pool, needed, "locked")
        else:
            raise RuleViolation(NONE_PREPAID, needed=fee + needed)
    return challenge, achievement or new_achievement(payload.challenge, call.author, payer, needed)


def cost(payload: ChallengeContest) -> Cost:
    """Challenge, books, member, grant, payer and days change, which may be made; what the member reached, with its due item."""
    return Cost(records=7, slots=3, due=3, signatures=len(payload.receipts))


def reads(author: Address, payload: ChallengeContest) -> tuple[RecordKey, ...]:
    """Program, challenge, member, what it reached, and the tills' grants."""
    tills = dict.fromkeys(grant_key(payload.program, address_of_key(shown.till)) for shown in payload.receipts)
    return (
        program_key(payload.program),
        challenge_key(payload.challenge),
        member_key(payload.program, author),
        achievement_key(achievement_id_of(payload.challenge, author)),
        *tills,
    )


CHALLENGE_CONTEST = Kind(
    name="challenge.contest",
    anchor="CHL-5",
    payload=Struct(ChallengeContest),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
    prepaid_weight=CHALLENGE_CONTEST_WEIGHT,
)
