"""The end of an offer: when nobody can ask for it any more, what is still set aside comes back (spec OFR-7)."""

from ledger.coin import give_to
from ledger.domains.loyalty.issuance import change_promised
from ledger.domains.loyalty.state import load_program
from ledger.domains.offers.events import OfferExpired
from ledger.domains.offers.state import Offer, last_to_ask, offer_key
from ledger.due import schedule
from ledger.kinds import Context, DueKind
from ledger.state import RuleView
from ledger.types import Hash, Timestamp

END_OFFER_DUE = "offer.end"


def end_offer(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: look again while a receipt may still be contested, or a return come; then the record goes."""
    offer_id = Hash(subject)
    offer: Offer = view.get(offer_key(offer_id))
    program = load_program(view, offer.program)
    deadline = max(last_to_ask(view, program, offer), offer.keep_until)
    if context.time <= deadline:
        schedule(view, kind=END_OFFER_DUE, subject=offer_id, number=0, due=Timestamp(deadline + 1))
        return
    view.delete(offer_key(offer_id))
    give_to(view, offer.payer, offer.deposit, "locked")
    if offer.is_open:
        change_promised(view, offer.program, offered=-offer.points)
        view.emit(OfferExpired(offer.program, offer.member, offer_id, offer.points))


END_OFFER = DueKind(name=END_OFFER_DUE, anchor="OFR-7", weight=400, apply=end_offer)
