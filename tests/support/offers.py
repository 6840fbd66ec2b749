"""Personal offers: issued, cited by receipts, settled, contested and taken back."""

from dataclasses import replace
from typing import Any

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.receipts import SignedReceipt, blind_fields, receipt_hash
from ledger.domains.loyalty.returns import SignedReturn
from ledger.domains.offers.offer_contest import OfferContest, fields_to_open
from ledger.domains.offers.offer_issue import OfferEntry, OfferIssue
from ledger.domains.offers.offer_reverse import OfferReverse
from ledger.domains.offers.offer_settle import Citation, OfferSettle
from ledger.domains.offers.state import Offer, offer_key
from ledger.domains.offers.terms import OfferTerms, PersonalOffer
from ledger.transaction import Payment, Prepaid
from ledger.types import Hash, Points, Timestamp
from tests.support.contests import sign
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.shop import FAN, OWNER, Shop, some_hash

LIFE_DAYS = 10
ANYTHING = OfferTerms(1, Timestamp(0), 0, (), "A bonus for your next visit")
BREAD = OfferTerms(1, Timestamp(0), 3_000, ("bread", "cake"), "Bread for thirty")


def consent(shop: Shop, *fans: Signer, payment: Payment | None = None, **changes: Any) -> None:
    """Let the program personalise."""
    payload = replace(ConsentGrant(shop.program, PERSONALISE, "", Timestamp(0)), **changes)
    for fan in fans:
        shop.chain.send("consent.grant", payload, author=fan, payment=payment)


def make_offer(
    shop: Shop, fan: Signer = FAN, *, points: int = 20, number: int = 1, terms: OfferTerms = BREAD, **changes: Any
) -> PersonalOffer:
    """An offer that ends in ten days."""
    expires_at = Timestamp(shop.now + LIFE_DAYS * DAY_SECONDS)
    salt = some_hash("offer", number)
    return replace(PersonalOffer(shop.program, fan.address, Points(points), expires_at, salt, terms), **changes)


def entry_of(offer: PersonalOffer) -> OfferEntry:
    """What of an offer goes on chain."""
    return OfferEntry(offer.member, offer.commitment, offer.points, offer.expires_at)


def issue(shop: Shop, *offers: PersonalOffer, author: Signer = OWNER, **options: Any) -> tuple[str, ...]:
    """Issue a batch; the codes of its entries."""
    payload = OfferIssue(shop.program, tuple(map(entry_of, offers)))
    return shop.chain.send("offer.issue", payload, author=author, **options)


def offer_of(shop: Shop, offer: PersonalOffer) -> Offer | None:
    """An offer's record."""
    return shop.chain.record(offer_key(offer.offer_id))


def cite(shop: Shop, offer: PersonalOffer, fan: Signer = FAN, **changes: Any) -> SignedReceipt:
    """A receipt of now over 50.00 that cites the offer."""
    return sign(shop, fan, **{"offer": offer.offer_id, **changes})


def citation(shop: Shop, signed: SignedReceipt, *, period: int | None = None) -> Citation:
    """The entry that settles a receipt's offer in today's period, unless told otherwise."""
    receipt = receipt_hash(signed.receipt, signed.salt)
    return Citation(Hash(signed.receipt.offer), shop.today if period is None else period, receipt)


def settle_offers(shop: Shop, *citations: Citation, author: Signer = OWNER, **options: Any) -> tuple[str, ...]:
    """Settle a batch; the codes of its entries."""
    return shop.chain.send("offer.settle", OfferSettle(shop.program, citations), author=author, **options)


def contest_payload(offer: PersonalOffer, signed: SignedReceipt, **changes: Any) -> OfferContest:
    """The contest that opens a receipt as far as the offer asks for."""
    receipt, terms = signed.receipt, offer.terms
    payload = OfferContest(
        program=receipt.program,
        offer=offer.offer_id,
        salt=offer.salt,
        terms=terms,
        till=receipt.till,
        time=receipt.time,
        net_cents=receipt.net_cents if terms.net_cents_min else 0,
        paid_with_points_cents=receipt.paid_with_points_cents if terms.net_cents_min else 0,
        codes=receipt.codes if terms.codes else (),
        blinding=blind_fields(signed, fields_to_open(terms)),
        signature=signed.signature,
    )
    return replace(payload, **changes)


def contest_offer(
    shop: Shop,
    offer: PersonalOffer,
    signed: SignedReceipt,
    *,
    fan: Signer = FAN,
    payment: Payment | None = None,
    **changes: Any,
) -> None:
    """Contest, paid for at joining unless told otherwise."""
    payload = contest_payload(offer, signed, **changes)
    shop.chain.send("offer.contest", payload, author=fan, payment=payment or Prepaid())


def reverse_offer(
    shop: Shop, offer: PersonalOffer, signed: SignedReturn, points: int | None = None, *, author: Signer = OWNER
) -> None:
    """Take a bonus back."""
    amount = signed.returned.points if points is None else Points(points)
    payload = OfferReverse(offer.offer_id, amount, signed.returned, signed.signature, signed.consent)
    shop.chain.send("offer.reverse", payload, author=author)
