"""How an offer's bonus reaches its member, be it settled or contested: from what was set aside, once (spec OFR-4, OFR-5)."""

from typing import NamedTuple

from ledger.domains.loyalty.issuance import Award, Issuance
from ledger.domains.loyalty.state import Terms, load_member, member_key
from ledger.domains.offers.events import OfferCredited
from ledger.domains.offers.state import Offer, offer_key
from ledger.evolve import replace
from ledger.params import OFFER_KEEP_SECONDS
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Day, Hash, Points, ReceiptHash, Timestamp


class BonusDates(NamedTuple):
    """The lot that a bonus becomes, `terms` being those of its version, and how late the purchase can be returned."""

    version: int
    terms: Terms
    activation_day: Day
    expiry_day: Day
    returnable_until: Timestamp


def credit_bonus(
    view: RuleView,
    offer_id: Hash,
    offer: Offer,
    receipt: ReceiptHash,
    dates: BonusDates,
    issuance: Issuance,
    *,
    contested: bool,
) -> None:
    """Turn what was set aside into points of the member; the offer is cited by `receipt` from now on.

    What is credited is no more than all points ever issued may become. The caller saves the issuance.
    """
    bonus = Points(min(offer.points, INTEGER_MAX - issuance.book.total("issued")))
    issuance.book.move("offered", -offer.points)
    if bonus:
        member = load_member(view, offer.program, offer.member)
        award = Award(offer.member, bonus, dates.version, dates.terms, dates.activation_day, dates.expiry_day)
        issued = issuance.issue_points(member.lots, member.tier_history, award)
        view.put(member_key(offer.program, offer.member), replace(member, lots=issued.lots))
    cited = replace(
        offer,
        points=bonus,
        receipt=receipt,
        version=dates.version,
        activation_day=dates.activation_day,
        returnable_until=dates.returnable_until,
        keep_until=Timestamp(max(dates.returnable_until, issuance.context.time) + OFFER_KEEP_SECONDS),
    )
    view.put(offer_key(offer_id), cited)
    view.emit(
        OfferCredited(
            program=offer.program,
            member=offer.member,
            offer=offer_id,
            receipt=receipt,
            points=bonus,
            contested=contested,
            available_on=dates.activation_day,
            expires_on=dates.expiry_day,
        )
    )
