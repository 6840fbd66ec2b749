"""`offer.contest`: a fan shows a receipt that cites an open offer, and the offer's terms; every node sees that they are met
(spec OFR-5).

The bonus comes at once, out of what was set aside. There is nothing to answer: that it was credited before is on chain, and a
return that the fan signed takes it back while it is pending.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from ledger.domains.loyalty.contests import claimed_of_day, pay_for_offer_contest, repay, with_claim
from ledger.domains.loyalty.earn_contest import FUTURE, NOT_A_TILL, RECEIPT_FIELDS, TILL_CAP, TOO_EARLY, TOO_LATE
from ledger.domains.loyalty.issuance import Issuance
from ledger.domains.loyalty.periods import expiry_day, period_at, settle_by
from ledger.domains.loyalty.receipts import MONEY, check_codes, opened_receipt_hash, receipt_signing_hash
from ledger.domains.loyalty.state import (
    SCOPE_TILL,
    TIME,
    Grant,
    Program,
    Span,
    books_key,
    grant_key,
    load_member,
    load_program,
    load_terms,
    member_key,
    program_key,
)
from ledger.domains.offers.crediting import BonusDates, credit_bonus
from ledger.domains.offers.offer_settle import ENTRY_WRONG_PERIOD
from ledger.domains.offers.state import CITED, NO_OFFER, Offer, load_offer, offer_key
from ledger.domains.offers.terms import OFFER_TERMS_SHAPE, OfferTerms, seal_terms
from ledger.errors import Code, Malformed, RuleViolation
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.params import CONTEST_SECONDS, CONTEST_WEIGHT, OFFER_PENDING_DAYS
from ledger.policy import address_of_key
from ledger.schema import Integer, ListOf, Octets, Row, Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import (
    Address,
    ChainId,
    Day,
    Hash,
    Points,
    ProgramId,
    PublicKey,
    ReceiptHash,
    RecordKey,
    Signature,
    Timestamp,
)

OTHER_TERMS = Code(
    "offer.other_terms", "these terms are not those that the offer seals", "Show the terms that came with the offer."
)
NOT_MET = Code(
    "offer.not_met", "the purchase is not what the offer asks for", "Look at the offer's terms; the till was wrong."
)
OPENED_TOO_MUCH = Code(
    "offer.opening",
    "the contest opens sums or codes that the terms do not ask for",
    "Leave at 0 or empty what the offer's terms do not read.",
)

OPENED_ALWAYS = (1, 3, 4, 6, 14)
"""Fields of RCP-1 that each contest of an offer opens: program, member, till, time, offer."""
OPENED_SUMS = (7, 8)
OPENED_CODES = (9,)


@dataclass(frozen=True, slots=True)
class OfferContest:
    """A receipt of the author's that cites the offer, opened as far as its terms ask for, with the till's signature."""

    program: Annotated[ProgramId, identifier()]
    offer: Annotated[Hash, identifier()]
    salt: Annotated[bytes, Octets(32, 32)]
    terms: Annotated[OfferTerms, OFFER_TERMS_SHAPE]
    till: Annotated[PublicKey, Octets(32, 32)]
    time: Annotated[Timestamp, TIME]
    net_cents: Annotated[int, MONEY]
    paid_with_points_cents: Annotated[int, Integer(0, 2**53)]
    codes: Annotated[tuple[tuple[str, int], ...], ListOf(Row(Text(1, 32), MONEY), 0, 64)]
    blinding: Annotated[tuple[Hash, ...], ListOf(identifier(), RECEIPT_FIELDS, RECEIPT_FIELDS)]
    signature: Annotated[Signature, Octets(64, 64)]

    def receipt_hash(self, member: Address) -> ReceiptHash:
        """The hash of the receipt that is opened, if it is `member`'s."""
        opened: dict[int, Any] = {1: self.program, 3: member, 4: self.till, 6: self.time, 14: self.offer}
        if self.terms.net_cents_min:
            opened |= {7: self.net_cents, 8: self.paid_with_points_cents}
        if self.terms.codes:
            opened |= {9: self.codes}
        return opened_receipt_hash(opened, self.blinding)


def fields_to_open(terms: OfferTerms) -> tuple[int, ...]:
    """The fields of a receipt that a contest of such an offer opens."""
    sums = OPENED_SUMS if terms.net_cents_min else ()
    codes = OPENED_CODES if terms.codes else ()
    return (*OPENED_ALWAYS, *sums, *codes)


def check(payload: OfferContest) -> None:
    """Codes ascend, and nothing is opened that the terms do not ask for."""
    payload.terms.check()
    check_codes(payload.codes)
    sums_unread = not payload.terms.net_cents_min and (payload.net_cents or payload.paid_with_points_cents)
    codes_unread = not payload.terms.codes and payload.codes
    if sums_unread or codes_unread:
        raise Malformed(OPENED_TOO_MUCH)


def attestations(author: Address, payload: OfferContest, chain_id: ChainId) -> tuple[Attestation, ...]:
    """The till signed exactly this receipt, for the author and for this chain; else `witness.attestation`."""
    message = receipt_signing_hash(chain_id, payload.receipt_hash(author))
    return ((payload.till, message, payload.signature),)


def apply(view: RuleView, call: Call, payload: OfferContest, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `offer.unknown`, `offer.cited`, `offer.other_terms`, `contest.future`,
    `contest.too_early`, `contest.too_late`, `contest.not_a_till`, `offer.not_met`, `offer.wrong_period`,
    `contest.till_cap`; then of the payment
    `contest.none_prepaid` and `contest.period_limit`.
    """
    program = load_program(view, payload.program)
    offer = load_offer(view, payload.offer)
    if (offer.program, offer.member) != (payload.program, call.author):
        raise RuleViolation(NO_OFFER, offer=payload.offer)
    if not offer.is_open:
        raise RuleViolation(CITED, offer=payload.offer)
    if seal_terms(payload.salt, payload.terms) != offer.terms:
        raise RuleViolation(OTHER_TERMS)
    _check_window(view, payload, program, context)
    span = _check_till(view, payload)
    _check_terms(payload, offer)
    _check_period(view, payload, program, offer)
    _claim(view, payload, program, offer.points, span[3], context)
    member = load_member(view, payload.program, call.author)
    repaid = pay_for_offer_contest(view, call, payload.program, member, context)
    issuance = Issuance.open(view, payload.program, program, context)
    dates = _bonus_dates(view, payload, program, issuance.book.today)
    receipt = payload.receipt_hash(call.author)
    credit_bonus(view, payload.offer, offer, receipt, dates, issuance, contested=True)
    issuance.save()
    repay(view, payload.program, call.author, call.payer, repaid)
    return (APPLIED,)


def _check_window(view: RuleView, payload: OfferContest, program: Program, context: Context) -> None:
    """Not before the issuer had to settle the receipt, nor too long after."""
    if payload.time > context.time:
        raise RuleViolation(FUTURE, time=payload.time)
    due = settle_by(program, load_terms(view, payload.program, program.version_at(payload.time)), payload.time)
    if context.time < due:
        raise RuleViolation(TOO_EARLY, settle_by=due)
    if context.time > due + CONTEST_SECONDS:
        raise RuleViolation(TOO_LATE, until=due + CONTEST_SECONDS)


def _check_till(view: RuleView, payload: OfferContest) -> Span:
    """The till's grant at the receipt's time."""
    grant: Grant | None = view.get(grant_key(payload.program, address_of_key(payload.till)))
    span = None if grant is None else grant.span_at(payload.time)
    if span is None or not span[2] & SCOPE_TILL:
        raise RuleViolation(NOT_A_TILL)
    return span


def _check_terms(payload: OfferContest, offer: Offer) -> None:
    met = payload.terms.are_met(
        time=payload.time,
        expires_at=offer.expires_at,
        net_cents=payload.net_cents,
        paid_with_points_cents=payload.paid_with_points_cents,
        codes=payload.codes,
    )
    if not met:
        raise RuleViolation(NOT_MET)


def _check_period(view: RuleView, payload: OfferContest, program: Program, offer: Offer) -> None:
    """A period that had ended when the offer was made: its issuer could not settle that either (spec OFR-4)."""
    terms = load_terms(view, payload.program, program.version_at(payload.time))
    if program.day_start(period_at(program, terms, payload.time).end_day) <= offer.issued_at:
        raise RuleViolation(ENTRY_WRONG_PERIOD)


def _claim(view: RuleView, payload: OfferContest, program: Program, points: Points, cap: int, context: Context) -> None:
    """Count the bonus to what contests credit of the till's receipts of that day: a stolen key stops at its cap."""
    key = grant_key(payload.program, address_of_key(payload.till))
    grant: Grant = view.get(key)
    day, today = program.day_at(payload.time), program.day_at(context.time)
    claimed = claimed_of_day(grant, day)
    if claimed + points > cap:
        raise RuleViolation(TILL_CAP, owed=points, claimed=claimed, cap=cap)
    view.put(key, with_claim(grant, day, points, today))


def _bonus_dates(view: RuleView, payload: OfferContest, program: Program, today: Day) -> BonusDates:
    """The lot as it would have been, but pending for so long as an issuer may need to show a return (spec OFR-5)."""
    version = program.version_at(payload.time)
    terms = load_terms(view, payload.program, version)
    end_day = period_at(program, terms, payload.time).end_day
    activation_day = Day(max(today + OFFER_PENDING_DAYS, end_day + terms.activation_delay_days))
    base = Day(max(today, end_day, activation_day - terms.activation_delay_days))
    expires = expiry_day(terms.expiry, base=base, activation_day=activation_day)
    returnable_until = program.day_start(Day(end_day + terms.return_window_days + 1))
    return BonusDates(version, terms, activation_day, expires, returnable_until)


def cost(payload: OfferContest) -> Cost:
    """Offer, member, books, grant and payer change, and the account's; two days may be made; the till's signature."""
    return Cost(records=6, slots=2, due=2, signatures=1)


def reads(author: Address, payload: OfferContest) -> tuple[RecordKey, ...]:
    """Program, books, member, the till's grant and the offer."""
    return (
        program_key(payload.program),
        books_key(payload.program),
        member_key(payload.program, author),
        grant_key(payload.program, address_of_key(payload.till)),
        offer_key(payload.offer),
    )


OFFER_CONTEST = Kind(
    name="offer.contest",
    anchor="OFR-5",
    payload=Struct(OfferContest),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
    prepaid_weight=CONTEST_WEIGHT,
)
