"""The offers of the golden chain: for anything, for thirty's worth with bakery or cakes, and one for both that nobody cites."""

from collections.abc import Iterator
from dataclasses import replace

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.returns import FanConsent, ReturnReceipt
from ledger.domains.offers.offer_issue import OfferEntry, OfferIssue
from ledger.domains.offers.offer_reverse import OfferReverse
from ledger.domains.offers.offer_settle import Citation, OfferSettle
from ledger.domains.offers.terms import OfferTerms, PersonalOffer
from ledger.transaction import Sponsored, Transaction
from ledger.types import Address, Hash, Points, ProgramId, ReceiptHash, Signature, Timestamp
from tests.support.memory_chain import DAY_SECONDS, GENESIS_DAY, GENESIS_TIME, Scenario, Signer

NUMBERS = range(3)
CITING = ReceiptHash(bytes(range(64, 96)))
"""The receipt that cites the first."""


def make_offer(program: ProgramId, member: Address, number: int) -> PersonalOffer:
    """One of the three."""
    codes, least = ((), 0) if number == 0 else (("bakery", "cakes"), 3_000)
    terms = OfferTerms(1, Timestamp(GENESIS_TIME), least, codes, "Gr\u00fc\u00dfe", needs_all=number == 2)
    expires_at, salt = Timestamp(GENESIS_TIME + DAY_SECONDS), bytes(range(number, number + 32))
    return PersonalOffer(program, member, Points(20 + number), expires_at, salt, terms)


def promises(
    scenario: Scenario,
    program: ProgramId,
    fan: Signer,
    other: Signer,
    till: Signer,
    owner: Signer,
    back: tuple[ReturnReceipt, Signature, FanConsent],
) -> Iterator[Transaction]:
    """Offers to a fan who agreed, and to one who did not; the first is cited, and half of its bonus goes back.

    Each is signed when the one before is in a block.
    """
    yield scenario.sign("consent.grant", ConsentGrant(program, PERSONALISE, "", Timestamp(0)), author=fan)
    offers = [make_offer(program, fan.address, number) for number in NUMBERS]
    entries = [OfferEntry(offer.member, offer.commitment, offer.points, offer.expires_at) for offer in offers]
    issue = OfferIssue(program, (*entries, replace(entries[0], member=other.address)))
    yield scenario.sign("offer.issue", issue, author=till, payment=Sponsored(program))
    cited = Citation(offers[0].offer_id, GENESIS_DAY - 1, CITING)
    settle = OfferSettle(program, (cited, replace(cited, offer=Hash(bytes(32)))))
    yield scenario.sign("offer.settle", settle, author=till)
    yield scenario.sign("offer.reverse", OfferReverse(offers[0].offer_id, Points(10), *back), author=owner)
