"""`offer.reverse`: the purchase that brought a bonus was returned; the bonus goes back, with the fan's signature (spec OFR-6)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.returns import (
    RETURN_RECEIPT,
    FanConsent,
    ReturnReceipt,
    attest_return,
    check_return,
    count_return,
    return_id_of,
    return_key,
)
from ledger.domains.loyalty.reverse import take_back
from ledger.domains.loyalty.shapes import LOT_POINTS
from ledger.domains.loyalty.state import (
    SCOPE_SETTLE,
    load_member,
    load_program,
    member_key,
    program_key,
    require_grant,
)
from ledger.domains.offers.events import OfferReversed
from ledger.domains.offers.state import Offer, load_offer, offer_key
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.schema import Octets, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, ChainId, Hash, Points, RecordKey, Signature

NOT_CITED = Code("offer.not_cited", "no receipt cited this offer: it brought nothing", "Nothing: there is no bonus.")
OTHER_RETURN = Code(
    "offer.other_return",
    "the return is not of the receipt that cites the offer",
    "Show the return of the very receipt that brought the bonus.",
)
OUTSIDE_WINDOW = Code(
    "offer.outside_window",
    "the purchase could be returned until before {end:time}, and this return is of {time:time}",
    "Nothing can be taken back: the return window that the terms promise was over.",
)
ABOVE_BONUS = Code(
    "offer.above_bonus",
    "of the bonus of {given} points {left} are left to reverse, and {wanted} are asked for",
    "Reverse no more than the offer gave.",
)


@dataclass(frozen=True, slots=True)
class OfferReverse:
    """Take `points` of an offer's bonus back, by a return of the receipt that cites it, which till and fan signed."""

    offer: Annotated[Hash, identifier()]
    points: Annotated[Points, LOT_POINTS]
    returned: Annotated[ReturnReceipt, RETURN_RECEIPT]
    signature: Annotated[Signature, Octets(64, 64)]
    consent: Annotated[FanConsent, Struct(FanConsent)]


def check(payload: OfferReverse) -> None:
    """The fan's counter-signature is one of its policy."""
    payload.consent.check()


def attestations(author: Address, payload: OfferReverse, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Till and fan signed exactly this return for this chain; else `witness.attestation`."""
    return attest_return(payload.returned, payload.signature, payload.consent, chain_id)


def apply(view: RuleView, call: Call, payload: OfferReverse, context: Context) -> tuple[str, ...]:
    """Codes in order: `offer.unknown`, `issuer.not_granted`, `issuer.no_scope`, `offer.not_cited`, `offer.other_return`,
    `return.wrong_policy`, `return.future`, `return.too_late`, `return.not_a_till`, `offer.outside_window`, `offer.above_bonus`,
    `return.used`, `coin.insufficient` or `coin.pool_insufficient`, `reverse.points_gone`.

    The program's owner needs no grant.
    """
    returned = payload.returned
    offer = load_offer(view, payload.offer)
    program = load_program(view, offer.program)
    if call.author != program.owner:
        require_grant(view, offer.program, call.author, SCOPE_SETTLE)
    if offer.is_open:
        raise RuleViolation(NOT_CITED)
    if (returned.program, returned.member, returned.receipt) != (offer.program, offer.member, offer.receipt):
        raise RuleViolation(OTHER_RETURN)
    check_return(view, returned, payload.consent, context)
    if returned.time >= offer.returnable_until:
        raise RuleViolation(OUTSIDE_WINDOW, end=offer.returnable_until, time=returned.time)
    view.put(offer_key(payload.offer), _with_reversed(offer, payload.points))
    count_return(view, call, returned, payload.points, context)
    member = load_member(view, offer.program, offer.member)
    book = PointsBook.open(view, offer.program, program, context)
    cited = (offer.version, offer.activation_day)
    lots = take_back(book, member.lots, payload.points, cited, from_all=member.gives_back_from_all)
    book.save()
    view.put(member_key(offer.program, offer.member), replace(member, lots=lots))
    view.emit(
        OfferReversed(
            program=offer.program,
            member=offer.member,
            offer=payload.offer,
            returned=return_id_of(returned),
            receipt=offer.receipt,
            points=payload.points,
        )
    )
    return (APPLIED,)


def _with_reversed(offer: Offer, points: Points) -> Offer:
    """The offer with so much more reversed, which is at most what it gave."""
    left = offer.points - offer.reversed
    if points > left:
        raise RuleViolation(ABOVE_BONUS, given=offer.points, left=left, wanted=points)
    return replace(offer, reversed=Points(offer.reversed + points))


def cost(payload: OfferReverse) -> Cost:
    """Offer, books, member, days and payer change; the return is made, with its due item; all signed by till and fan."""
    return Cost(records=7, slots=1, due=1, signatures=1 + len(payload.consent.signatures))


def reads(author: Address, payload: OfferReverse) -> tuple[RecordKey, ...]:
    """Offer, program, member and the return."""
    program = payload.returned.program
    return (
        offer_key(payload.offer),
        program_key(program),
        member_key(program, payload.returned.member),
        return_key(return_id_of(payload.returned)),
    )


OFFER_REVERSE = Kind(
    name="offer.reverse",
    anchor="OFR-6",
    payload=Struct(OfferReverse),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
)
