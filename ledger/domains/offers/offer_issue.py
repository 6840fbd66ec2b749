"""`offer.issue`: a program promises members a bonus each, for a purchase that meets terms which stay off chain (spec OFR-3).

What is promised is set aside at once: it counts to the day's budget, to the issuer's daily cap and to the issuance cap.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit
from ledger.domains.consent.state import PERSONALISE, consent_key, has_consent
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP
from ledger.domains.loyalty.issuance import Issuance, change_promised
from ledger.domains.loyalty.program_sunset import refuse_ended
from ledger.domains.loyalty.state import (
    SCOPE_OFFER,
    TIME,
    Grant,
    Member,
    Program,
    books_key,
    grant_key,
    load_books,
    load_program,
    member_key,
    program_key,
    require_grant,
)
from ledger.domains.offers.ending import END_OFFER_DUE
from ledger.domains.offers.events import OfferIssued, OfferSkipped
from ledger.domains.offers.state import Offer, offer_key
from ledger.domains.offers.terms import offer_id_of
from ledger.due import schedule
from ledger.errors import Code
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import OFFER_ENTRIES_MAX, OFFER_SECONDS_MAX
from ledger.schema import Integer, ListOf, Struct, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, Hash, Points, ProgramId, RecordKey, Timestamp

ENTRY_NO_MEMBER = Code(
    "offer.no_member", "the account has not joined, or has left", "Offers are for members: let the fan join."
)
ENTRY_NO_CONSENT = Code(
    "offer.no_consent",
    "the member has not agreed that this program personalises, or agrees no more",
    "Send this fan nothing of its own; what everybody gets needs no consent.",
)
ENTRY_EXPIRY = Code(
    "offer.expiry", "the offer expires too early or too late", "Name a time after now, at most 366 days ahead."
)
ENTRY_ALREADY = Code("offer.already", "this offer was issued already", "Nothing; a second one needs another salt.")
ENTRY_DAY_CAP = Code(
    "offer.day_cap",
    "the day's budget for offers would be passed",
    "Issue the rest tomorrow, or publish terms with a higher offer_day_max.",
)


@dataclass(frozen=True, slots=True)
class OfferEntry:
    """For whom, what (sealed), how much, until when."""

    member: Annotated[Address, identifier()]
    terms: Annotated[Hash, identifier()]
    points: Annotated[Points, Integer(1, INTEGER_MAX)]
    expires_at: Annotated[Timestamp, TIME]


@dataclass(frozen=True, slots=True)
class OfferIssue:
    """A batch of offers of one program."""

    program: Annotated[ProgramId, identifier()]
    entries: Annotated[tuple[OfferEntry, ...], ListOf(Struct(OfferEntry), 1, OFFER_ENTRIES_MAX)]


@dataclass(slots=True)
class Budget:
    """What the batch may still promise: of the day, of what the program can issue, of the issuer's day (None: the owner has no
    such cap).
    """

    day: int
    issuance: Issuance
    issuer: int | None
    promised: int = 0

    def refusal(self, points: int) -> Code | None:
        """Why `points` more can't be promised, or None."""
        wanted = self.promised + points
        if wanted > self.day:
            return ENTRY_DAY_CAP
        refused = self.issuance.refusal_of_promise(wanted, points)
        if refused is not None:
            return refused
        if self.issuer is not None and wanted > self.issuer:
            return ENTRY_DAILY_CAP
        return None


def apply(view: RuleView, call: Call, payload: OfferIssue, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `issuer.not_granted`, `issuer.no_scope`, `program.ended`, `coin.insufficient` or
    `coin.pool_insufficient`.

    An entry is skipped with the first of: `offer.no_member`, `offer.no_consent`, `offer.expiry`, `offer.already`,
    `offer.day_cap`, `earn.issuance_cap`, `earn.pool_insufficient`, for an issuer `earn.daily_cap`. The program's
    owner needs no grant.
    """
    program = load_program(view, payload.program)
    by_issuer = call.author != program.owner
    if by_issuer:
        require_grant(view, payload.program, call.author, SCOPE_OFFER)
    refuse_ended(program, context.time)
    budget = _budget(view, call, payload, program, context, by_issuer=by_issuer)
    codes: list[str] = []
    for index, entry in enumerate(payload.entries):
        fault = _fault(view, payload.program, entry, budget, context)
        if fault is None:
            _issue(view, call, payload.program, entry, context)
            budget.promised += entry.points
        else:
            view.emit(OfferSkipped(payload.program, entry.member, index, fault.name))
        codes.append(APPLIED if fault is None else fault.name)
    _count(view, call, payload, program, budget, context, by_issuer=by_issuer)
    return tuple(codes)


def _budget(
    view: RuleView, call: Call, payload: OfferIssue, program: Program, context: Context, *, by_issuer: bool
) -> Budget:
    issuance = Issuance.open(view, payload.program, program, context)
    books, today = issuance.book.books, issuance.book.today
    used = books.offer_day_used if books.offer_day == today else 0
    issuer: int | None = None
    if by_issuer:
        grant: Grant = view.get(grant_key(payload.program, call.author))
        issuer = max(grant.daily_cap - (grant.day_used if grant.day == today else 0), 0)
    return Budget(day=max(issuance.terms.offer_day_max - used, 0), issuance=issuance, issuer=issuer)


def _fault(view: RuleView, program: ProgramId, entry: OfferEntry, budget: Budget, context: Context) -> Code | None:
    """The first fault of an entry, in the order of the spec."""
    member: Member | None = view.get(member_key(program, entry.member))
    if member is None or member.left_at:
        return ENTRY_NO_MEMBER
    if not has_consent(view, entry.member, program, PERSONALISE, context.time):
        return ENTRY_NO_CONSENT
    if not context.time < entry.expires_at <= context.time + OFFER_SECONDS_MAX:
        return ENTRY_EXPIRY
    if view.get(offer_key(_id_of(program, entry))) is not None:
        return ENTRY_ALREADY
    return budget.refusal(entry.points)


def _id_of(program: ProgramId, entry: OfferEntry) -> Hash:
    return offer_id_of(program, entry.member, entry.points, entry.expires_at, entry.terms)


def _issue(view: RuleView, call: Call, program: ProgramId, entry: OfferEntry, context: Context) -> None:
    offer_id = _id_of(program, entry)
    change_promised(view, program, offered=entry.points)
    offer = Offer(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        program=program,
        member=entry.member,
        terms=entry.terms,
        points=entry.points,
        issued_at=context.time,
        expires_at=entry.expires_at,
    )
    view.put(offer_key(offer_id), offer)
    schedule(view, kind=END_OFFER_DUE, subject=offer_id, number=0, due=Timestamp(entry.expires_at + 1))
    view.emit(OfferIssued(program, call.author, entry.member, offer_id, entry.terms, entry.points, entry.expires_at))


def _count(
    view: RuleView,
    call: Call,
    payload: OfferIssue,
    program: Program,
    budget: Budget,
    context: Context,
    *,
    by_issuer: bool,
) -> None:
    """Count what was promised today. The books are read again: they changed with each offer."""
    books, today = load_books(view, payload.program), program.day_at(context.time)
    used = books.offer_day_used if books.offer_day == today else 0
    counted = replace(
        books,
        offer_day=today,
        offer_day_used=Points(used + budget.promised),
    )
    view.put(books_key(payload.program), counted)
    if by_issuer:
        key = grant_key(payload.program, call.author)
        grant: Grant = view.get(key)
        before = grant.day_used if grant.day == today else 0
        view.put(key, replace(grant, day=today, day_used=Points(before + budget.promised)))


def cost(payload: OfferIssue) -> Cost:
    """An entry: its member and consent are read, the offer is made with its due item; program, books, grant, payer."""
    entries = len(payload.entries)
    return Cost(records=2 * entries + 4, slots=entries, due=entries)


def reads(author: Address, payload: OfferIssue) -> tuple[RecordKey, ...]:
    """Program, books, grant; every member and its consent."""
    program = payload.program
    members = [member_key(program, entry.member) for entry in payload.entries]
    consents = [consent_key(entry.member, program, PERSONALISE, "") for entry in payload.entries]
    return (program_key(program), books_key(program), grant_key(program, author), *members, *consents)


OFFER_ISSUE = Kind(name="offer.issue", anchor="OFR-3", payload=Struct(OfferIssue), apply=apply, cost=cost, reads=reads)
