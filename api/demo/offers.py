"""Personal offers: each campaign of the shop reaches the fans whom it reached in the data, as points for a larger basket.

SCRIPTED as to the points and the basket; who got which campaign and when is the data's. Every Monday, with the settlement of the
week before, the brand issues the offers of the campaigns that are open then, to recipients who are members by that time and have
none of that campaign yet. Those who refuse to be profiled get none: the ledger would skip them. A fan's purchase cites the open
offer that expires first, if it is what that one asks for; the week's settlement credits the bonus.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

from api.demo.brand import make_salt, open_brand
from api.demo.consents import refuses_consent
from api.demo.journey import HouseholdId
from api.demo.paperwork import BRAND, Assignment, Signed
from api.demo.promotions import Promotion, PromotionId
from api.wallet.builder import build
from ledger.domains.loyalty.receipts import NO_OFFER
from ledger.domains.offers.offer_issue import OfferEntry, OfferIssue
from ledger.domains.offers.offer_settle import Citation, OfferSettle
from ledger.domains.offers.terms import OFFER_TERMS_VERSION, OfferTerms, PersonalOffer
from ledger.transaction import Sponsored
from ledger.types import Address, Hash, Height, Points, ProgramId, ReceiptHash, Timestamp

BONUSES: Final = {"Type A": Points(150), "Type B": Points(100), "Type C": Points(200)}
"""Points of an offer by the type of its campaign."""
NET_CENTS_MIN: Final = 2_000
"""The basket that every offer asks for."""
SALT_TAG: Final = b"fansumer demo offer "
BATCH_OFFERS: Final = 500

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Mailed:
    """An offer that was issued: whose, and of which campaign."""

    household: HouseholdId
    promotion: PromotionId
    offer: PersonalOffer
    offer_id: Hash

    @property
    def order(self) -> tuple[int, int]:
        """Which a purchase cites first."""
        return self.offer.expires_at, self.promotion


def write_offer(program: ProgramId, member: Address, household: HouseholdId, promotion: Promotion) -> PersonalOffer:
    """What the brand hands to a fan."""
    bonus = BONUSES[promotion.kind]
    text = f"{bonus} points for a basket of {NET_CENTS_MIN // 100} dollars while campaign {promotion.promotion_id} runs"
    terms = OfferTerms(OFFER_TERMS_VERSION, promotion.opens_at, NET_CENTS_MIN, (), text)
    salt = sha256(SALT_TAG + program + f"{promotion.promotion_id}/{household}".encode()).digest()
    return PersonalOffer(program, member, bonus, Timestamp(promotion.closes_at - 1), salt, terms)


class OfferDesk:
    """The brand's offers over the settled weeks, in their order."""

    def __init__(self, assignment: Assignment, promotions: Sequence[Promotion]) -> None:
        self._assignment = assignment
        self._promotions = promotions
        self._mailed: set[tuple[HouseholdId, PromotionId]] = set()
        self._open: defaultdict[HouseholdId, list[Mailed]] = defaultdict(list)
        self._cited: list[tuple[Mailed, Citation]] = []

    def issue(self, height: Height, members: Mapping[HouseholdId, Address]) -> tuple[Signed, ...]:
        """The offers of the campaigns that are open when the block at `height` sees the clock."""
        clock, program = self._assignment.plan.times[height - 1], self._assignment.program
        found: list[Mailed] = []
        for promotion in self._promotions:
            if not promotion.opens_at <= clock < promotion.closes_at:
                continue
            for household in sorted(promotion.recipients & members.keys()):
                key = household, promotion.promotion_id
                if key in self._mailed or refuses_consent(household):
                    continue
                self._mailed.add(key)
                offer = write_offer(program, members[household], household, promotion)
                found.append(Mailed(household, promotion.promotion_id, offer, offer.offer_id))
        for mailed in found:
            self._open[mailed.household].append(mailed)
        return tuple(
            self._sign(height, "offer.issue", start, OfferIssue(program, tuple(_entry(one.offer) for one in part)))
            for start, part in _split(found)
        )

    def choose(self, household: HouseholdId, time: Timestamp, net_cents: int) -> Mailed | None:
        """The offer that a purchase cites, if it is what one of them asks for."""
        waiting = self._open[household]
        waiting[:] = [one for one in waiting if time <= one.offer.expires_at]
        met = [one for one in waiting if meets(one.offer, time, net_cents)]
        return min(met, key=lambda one: one.order, default=None)

    def cite(self, mailed: Mailed, period: int, receipt: ReceiptHash) -> None:
        """A receipt names the offer: it is used up."""
        self._open[mailed.household].remove(mailed)
        self._cited.append((mailed, Citation(mailed.offer_id, period, receipt)))

    def settle(self, height: Height) -> tuple[Signed, ...]:
        """The bonuses of what was cited since the last settlement."""
        cited, self._cited = self._cited, []
        program = self._assignment.program
        return tuple(
            self._sign(height, "offer.settle", start, OfferSettle(program, tuple(citation for _, citation in part)))
            for start, part in _split(cited)
        )

    def _sign(self, height: Height, kind: str, start: int, payload: OfferIssue | OfferSettle) -> Signed:
        """By the brand, as it issues; by the settlement desk, as it settles. The program's pool pays."""
        brand = open_brand()
        author = brand.owner if kind == "offer.issue" else brand.settlement
        salt, payment = make_salt(kind, height, start), Sponsored(self._assignment.program)
        raw = build(self._assignment.facts, kind, payload, author, valid_from=height, payment=payment, salt=salt)
        return Signed(height, BRAND, author.address, raw, kind=kind)


def meets(offer: PersonalOffer, time: Timestamp, net_cents: int) -> bool:
    """Whether a purchase of so much is what an offer asks for."""
    return offer.terms.are_met(
        time=time, expires_at=offer.expires_at, net_cents=net_cents, paid_with_points_cents=0, codes=()
    )


def cited_id(mailed: Mailed | None) -> Hash:
    """What a receipt names."""
    return NO_OFFER if mailed is None else mailed.offer_id


def _entry(offer: PersonalOffer) -> OfferEntry:
    return OfferEntry(offer.member, offer.commitment, offer.points, offer.expires_at)


def _split(items: Sequence[Item]) -> Iterable[tuple[int, Sequence[Item]]]:
    return ((start, items[start : start + BATCH_OFFERS]) for start in range(0, len(items), BATCH_OFFERS))
