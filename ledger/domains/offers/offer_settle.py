"""`offer.settle`: an issuer credits the bonuses of offers that receipts cite, a batch at a time (spec OFR-4).

No cap is asked: it was when the points were promised. Each offer is credited once, whatever number of receipts cite it.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.earn import PeriodDates, period_dates
from ledger.domains.loyalty.issuance import Issuance
from ledger.domains.loyalty.state import (
    SCOPE_SETTLE,
    Program,
    books_key,
    grant_key,
    load_program,
    program_key,
    require_grant,
)
from ledger.domains.offers.crediting import BonusDates, credit_bonus
from ledger.domains.offers.events import OfferNotCredited
from ledger.domains.offers.state import CITED, ENTRY_EXPIRED, NO_OFFER, Offer, last_to_ask, offer_key
from ledger.errors import Code
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import OFFER_ENTRIES_MAX
from ledger.schema import Integer, ListOf, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, ProgramId, ReceiptHash, RecordKey

ENTRY_WRONG_PERIOD = Code(
    "offer.wrong_period",
    "the period has not begun, or the offer was not there in it",
    "Name the period that holds the receipt's time.",
)


@dataclass(frozen=True, slots=True)
class Citation:
    """The receipt that cites an offer, by its hash, and the period of its purchase."""

    offer: Annotated[Hash, identifier()]
    period: Annotated[int, Integer(0, 2**31 - 1)]
    receipt: Annotated[ReceiptHash, identifier()]


@dataclass(frozen=True, slots=True)
class OfferSettle:
    """A batch of citations of one program's offers."""

    program: Annotated[ProgramId, identifier()]
    entries: Annotated[tuple[Citation, ...], ListOf(Struct(Citation), 1, OFFER_ENTRIES_MAX)]


def apply(view: RuleView, call: Call, payload: OfferSettle, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `issuer.not_granted`, `issuer.no_scope`.

    An entry is skipped with the first of: `offer.unknown`, `offer.cited`, `offer.wrong_period`, `offer.expired`. The program's
    owner needs no grant.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        require_grant(view, payload.program, call.author, SCOPE_SETTLE)
    issuance = Issuance.open(view, payload.program, program, context)
    known: dict[int, PeriodDates] = {}
    codes: list[str] = []
    for entry in payload.entries:
        if entry.period not in known:
            known[entry.period] = period_dates(view, payload.program, program, entry.period, context.time)
        codes.append(_settle(view, payload.program, program, entry, known[entry.period], issuance))
    issuance.save()
    return tuple(codes)


def _settle(
    view: RuleView,
    program_id: ProgramId,
    program: Program,
    entry: Citation,
    dates: PeriodDates,
    issuance: Issuance,
) -> str:
    """Credit one citation, or say why not; its result code."""
    offer: Offer | None = view.get(offer_key(entry.offer))
    if offer is not None and offer.program != program_id:
        offer = None
    fault = _fault(view, program, offer, dates, issuance.context)
    if fault is not None:
        member = Address(b"") if offer is None else offer.member
        view.emit(OfferNotCredited(program_id, member, entry.offer, entry.receipt, fault.name))
        return fault.name
    assert offer is not None, "a citation without an offer is a fault"
    bonus = BonusDates(dates.version, dates.terms, dates.activation_day, dates.expiry_day, dates.returnable_until)
    credit_bonus(view, entry.offer, offer, entry.receipt, bonus, issuance, contested=False)
    return APPLIED


def _fault(view: RuleView, program: Program, offer: Offer | None, dates: PeriodDates, context: Context) -> Code | None:
    """The first fault of a citation, in the order of the spec."""
    if offer is None:
        return NO_OFFER
    if not offer.is_open:
        return CITED
    begun = dates.begins <= context.time
    if not begun or dates.begins > offer.expires_at or dates.ends <= offer.issued_at:
        return ENTRY_WRONG_PERIOD
    if context.time > offer.expires_at and context.time > last_to_ask(view, program, offer):
        return ENTRY_EXPIRED
    return None


def cost(payload: OfferSettle) -> Cost:
    """An entry: its offer and member; program books, grant, payer; and days, of which the periods named may make some."""
    return Cost(records=2 * len(payload.entries) + 4, slots=10, due=5)


def reads(author: Address, payload: OfferSettle) -> tuple[RecordKey, ...]:
    """Program, books, grant and every offer."""
    program = payload.program
    offers = [offer_key(entry.offer) for entry in payload.entries]
    return (program_key(program), books_key(program), grant_key(program, author), *offers)


OFFER_SETTLE = Kind(
    name="offer.settle", anchor="OFR-4", payload=Struct(OfferSettle), apply=apply, cost=cost, reads=reads
)
