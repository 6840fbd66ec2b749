"""What is brought back. SCRIPTED: the data has no returns.

One receipt line in a hundred, chosen by a hash of its basket's number and its place, goes back one to seven days after the
purchase, all lines of a basket together. The fan gives back what they had earned: the receipt's points less those of what it keeps,
by the same rules. Till and fan sign the return; the settlement desk posts it once the week in which it came back is settled.

A return takes points of the entry of the purchase's week, and what that did not give (its remainder was carried on) of the next
one, if that week had begun when the goods came back. What neither gave is not taken: the shop bears it. Where the rest of the
basket is no longer what an offer asked for that it cited, its bonus goes back, too; one return is signed for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from api.demo.brand import PROGRAM, TERMS, make_salt, open_brand
from api.demo.households import open_household
from api.demo.journey import DAY_SECONDS, BasketId, HouseholdId
from api.demo.offers import meets
from api.wallet.builder import ChainFacts, build
from api.wallet.returns import draft_return, reversal_of, sign_as_fan
from api.wallet.sealing import Opening
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.domains.loyalty.returns import SignedReturn
from ledger.domains.loyalty.reverse import Reverse
from ledger.domains.loyalty.state import NO_POINTS
from ledger.domains.offers.offer_reverse import OfferReverse
from ledger.domains.offers.terms import PersonalOffer
from ledger.transaction import Sponsored
from ledger.types import Height, Points, ProgramId, Timestamp

LINE_TAG: Final = b"fansumer demo return "
DAY_TAG: Final = b"fansumer demo return day "
RETURNED_ONE_IN: Final = 100
DELAY_DAYS_MAX: Final = 7
"""No more than the return window, so that every return is in time."""


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """Goods that went back: the purchase's week and receipt, when, how many lines, and the points that they had earned. `bonus` is
    what the offer that it cited gave, where that goes back as well.
    """

    household: HouseholdId
    period: int
    signed: SignedReceipt
    time: Timestamp
    lines: int
    points: Points
    bonus: Points = NO_POINTS


def _draw(tag: bytes, *numbers: int) -> int:
    return int.from_bytes(sha256(tag + "/".join(map(str, numbers)).encode()).digest()[:8], "big")


def choose_lines(basket: BasketId, count: int) -> tuple[int, ...]:
    """The places of a basket's lines that go back."""
    return tuple(place for place in range(count) if _draw(LINE_TAG, basket, place) % RETURNED_ONE_IN == 0)


def choose_day(basket: BasketId, bought: Timestamp) -> Timestamp:
    """When they go back."""
    return Timestamp(bought + (1 + _draw(DAY_TAG, basket) % DELAY_DAYS_MAX) * DAY_SECONDS)


def bring_back(
    household: HouseholdId,
    basket: BasketId,
    period: int,
    signed: SignedReceipt,
    sales_cents: Sequence[int],
    offer: PersonalOffer | None = None,
) -> BroughtBack | None:
    """What goes back of a purchase whose lines cost `sales_cents`, if anything does."""
    chosen = choose_lines(basket, len(sales_cents))
    if not chosen:
        return None
    receipt = signed.receipt
    kept_cents = receipt.net_cents - sum(sales_cents[place] for place in chosen)
    kept = Purchase(receipt.time, kept_cents, tier=receipt.tier)
    points = receipt.points - points_for(TERMS.rules, kept, offset_minutes=PROGRAM.offset_minutes)
    bonus = NO_POINTS if offer is None or meets(offer, receipt.time, kept_cents) else offer.points
    return BroughtBack(household, period, signed, choose_day(basket, receipt.time), len(chosen), Points(points), bonus)


def sign_return(facts: ChainFacts, program: ProgramId, back: BroughtBack, time: Timestamp) -> SignedReturn:
    """The return receipt, points and bonus together, as the till drafts it and the fan counter-signs it."""
    till, fan = open_brand().till, open_household(back.household, program)
    draft = draft_return(
        back.signed,
        Points(back.points + back.bonus),
        time,
        bonus=back.bonus,
        chain_id=facts.chain_id,
        till=till,
        salt=sha256(LINE_TAG + facts.chain_id + back.signed.salt).digest(),
    )
    return sign_as_fan(draft, fan, facts.chain_id, facts.address_prefix)


def cite_entries(
    returned: SignedReturn, owed: Points, openings: Sequence[tuple[Opening, Points]]
) -> tuple[list[Reverse], Points]:
    """Reversals of `owed` points over entries with what is left of each, in their order; and the points that found no entry."""
    reversals: list[Reverse] = []
    for opening, left in openings:
        points = Points(min(owed, left))
        if points:
            reversals.append(reversal_of(returned, opening, points))
            owed = Points(owed - points)
    return reversals, owed


def sign_reversal(facts: ChainFacts, program: ProgramId, reversal: Reverse, height: Height) -> bytes:
    """A reversal by the settlement desk; the program's pool pays."""
    return build(
        facts,
        "reverse",
        reversal,
        open_brand().settlement,
        valid_from=height,
        payment=Sponsored(program),
        salt=make_salt("reverse", reversal.returned.receipt.hex(), reversal.place.period),
    )


def sign_bonus_reversal(
    facts: ChainFacts, program: ProgramId, back: BroughtBack, returned: SignedReturn, height: Height
) -> bytes:
    """What takes the bonus of a cited offer back; the program's pool pays."""
    offer = back.signed.receipt.offer
    return build(
        facts,
        "offer.reverse",
        OfferReverse(offer, back.bonus, returned.returned, returned.signature, returned.consent),
        open_brand().settlement,
        valid_from=height,
        payment=Sponsored(program),
        salt=make_salt("offer.reverse", offer.hex()),
    )
