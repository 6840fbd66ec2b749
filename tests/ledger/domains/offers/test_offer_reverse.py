"""`offer.reverse`: a purchase that goes back takes its bonus with it, as far as the fan signed."""

from typing import Any

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.loyalty.returns import (
    BAD_CONSENT,
    FUTURE,
    NOT_A_TILL,
    TOO_LATE,
    USED,
    WRONG_POLICY,
    SignedReturn,
    return_id_of,
)
from ledger.domains.loyalty.reverse import GONE
from ledger.domains.loyalty.state import NO_SCOPE, NOT_GRANTED, SCOPE_FULFIL
from ledger.domains.offers.events import OfferReversed
from ledger.domains.offers.offer_reverse import (
    ABOVE_BONUS,
    NOT_CITED,
    OFFER_REVERSE,
    OTHER_RETURN,
    OUTSIDE_WINDOW,
    OfferReverse,
)
from ledger.domains.offers.state import NO_OFFER
from ledger.domains.offers.terms import PersonalOffer
from ledger.errors import Code, Malformed
from ledger.kinds import Cost
from ledger.params import OFFER_PENDING_DAYS
from ledger.transaction import BAD_ATTESTATION
from ledger.types import Points, ReceiptHash, Timestamp
from tests.support.contests import pass_grace
from tests.support.memory_chain import DAY_SECONDS
from tests.support.offers import (
    citation,
    cite,
    consent,
    contest_offer,
    issue,
    make_offer,
    offer_of,
    reverse_offer,
    settle_offers,
)
from tests.support.refusal import refused
from tests.support.returns import returned_of, take_return
from tests.support.shop import FAN, FRIEND, OWNER, POOR, STRANGER, TILL, Shop, some_hash


@pytest.fixture
def shop() -> Shop:
    """Goods come back within three days; until then points are pending."""
    found = Shop(offer_day_max=Points(1_000), return_window_days=3, activation_delay_days=3)
    found.join(FAN, FRIEND)
    consent(found, FAN, FRIEND)
    return found


def credited(shop: Shop, number: int = 1, **changes: Any) -> tuple[PersonalOffer, Any]:
    """An offer with the receipt that brought its bonus."""
    offer = make_offer(shop, number=number, **changes)
    issue(shop, offer)
    bought = cite(shop, offer, sequence=number)
    assert settle_offers(shop, citation(shop, bought)) == ("",)
    return offer, bought


def test_the_bonus_goes_back_with_the_purchase(shop: Shop) -> None:
    offer, bought = credited(shop)
    signed = take_return(shop, bought, points=520)
    reverse_offer(shop, offer, signed, 15)
    today = shop.today
    assert shop.member(FAN).lots == ((1, today + 3, today + 30, 5),)
    assert (shop.books.reversed, shop.books.pending) == (15, 5)
    found = offer_of(shop, offer)
    assert found is not None
    assert found.reversed == 15
    assert returned_of(shop, signed).used == 15
    event = OfferReversed(
        program=shop.program,
        member=FAN.address,
        offer=offer.offer_id,
        returned=return_id_of(signed.returned),
        receipt=found.receipt,
        points=Points(15),
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, offer.offer_id, return_id_of(signed.returned))
    reverse_offer(shop, offer, signed, 5)
    assert shop.member(FAN).lots == ()


def test_a_bonus_that_was_contested_although_the_purchase_went_back(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    bought = cite(shop, offer)
    signed = take_return(shop, bought, points=20)
    pass_grace(shop)
    contest_offer(shop, offer, bought)
    shop.pass_days(OFFER_PENDING_DAYS - 1)
    assert shop.points_of(FAN) == 0
    reverse_offer(shop, offer, signed)
    assert shop.member(FAN).lots == ()


def test_no_more_than_the_offer_gave(shop: Shop) -> None:
    offer, bought = credited(shop)
    signed = take_return(shop, bought, points=500)
    with refused(ABOVE_BONUS):
        reverse_offer(shop, offer, signed, 21)
    reverse_offer(shop, offer, signed, 20)
    with refused(ABOVE_BONUS):
        reverse_offer(shop, offer, signed, 1)


def test_no_more_than_the_fan_signed(shop: Shop) -> None:
    offer, bought = credited(shop)
    with refused(USED):
        reverse_offer(shop, offer, take_return(shop, bought, points=19), 20)


def test_what_was_spent_stays_spent(shop: Shop) -> None:
    offer, bought = credited(shop)
    signed = take_return(shop, bought, points=20)
    shop.pass_days(3)
    shop.redeem(FAN, shop.list_reward(price=15))
    with refused(GONE):
        reverse_offer(shop, offer, signed, 6)
    reverse_offer(shop, offer, signed, 5)


def test_only_a_return_of_this_very_receipt(shop: Shop) -> None:
    offer, bought = credited(shop)
    other, _ = credited(shop, 2)
    signed = take_return(shop, bought, points=20)
    with refused(OTHER_RETURN):
        reverse_offer(shop, other, signed)
    theirs = take_return(shop, bought, points=20, fan=FRIEND)
    with refused(OTHER_RETURN):
        reverse_offer(shop, offer, theirs)
    second = shop.create_program(OWNER)
    with refused(OTHER_RETURN):
        reverse_offer(shop, offer, take_return(shop, bought, points=20, program=second))
    with refused(OTHER_RETURN):
        reverse_offer(shop, offer, take_return(shop, bought, points=20, receipt=ReceiptHash(some_hash("x"))))


def test_within_the_return_window(shop: Shop) -> None:
    offer, bought = credited(shop)
    end = shop.midnight(days=4)
    late = take_return(shop, bought, points=20, time=end)
    last = take_return(shop, bought, points=20, time=Timestamp(end - 1))
    shop.chain.advance(seconds=end - shop.now)
    with refused(OUTSIDE_WINDOW):
        reverse_offer(shop, offer, late)
    reverse_offer(shop, offer, last)


def test_offers_that_are_unknown_or_brought_nothing(shop: Shop) -> None:
    offer = make_offer(shop)
    signed = take_return(shop, cite(shop, offer), points=20)
    with refused(NO_OFFER):
        reverse_offer(shop, offer, signed)
    issue(shop, offer)
    with refused(NOT_CITED):
        reverse_offer(shop, offer, signed)


def test_a_return_that_may_not_be_used(shop: Shop) -> None:
    offer, bought = credited(shop)
    cases: tuple[tuple[Code, dict[str, Any]], ...] = (
        (WRONG_POLICY, {"signers": (TILL, FRIEND)}),
        (FUTURE, {"time": Timestamp(shop.now + 7_200)}),
        (TOO_LATE, {"time": Timestamp(shop.now - 170 * DAY_SECONDS)}),
        (NOT_A_TILL, {"till": STRANGER}),
    )
    for code, changes in cases:
        with refused(code):
            reverse_offer(shop, offer, take_return(shop, bought, points=20, **changes))
    with refused(BAD_ATTESTATION):
        reverse_offer(shop, offer, take_return(shop, bought, points=20, signers=(STRANGER, FAN)))


def test_only_the_owner_and_who_may_settle(shop: Shop) -> None:
    offer, bought = credited(shop)
    signed = take_return(shop, bought, points=20)
    with refused(NOT_GRANTED):
        reverse_offer(shop, offer, signed, author=STRANGER)
    shop.grant(STRANGER, scopes=SCOPE_FULFIL)
    with refused(NO_SCOPE):
        reverse_offer(shop, offer, signed, author=STRANGER)
    reverse_offer(shop, offer, signed, author=TILL)


def test_the_returns_deposit_is_asked_for(shop: Shop) -> None:
    offer, bought = credited(shop)
    shop.grant(POOR)
    payload = payload_of(offer, take_return(shop, bought, points=20))
    shop.fill_pool(1)
    with refused(INSUFFICIENT):
        shop.chain.send("offer.reverse", payload, author=POOR)


def payload_of(offer: PersonalOffer, signed: SignedReturn) -> OfferReverse:
    return OfferReverse(offer.offer_id, signed.returned.points, signed.returned, signed.signature, signed.consent)


def test_cost_reads_and_check(shop: Shop) -> None:
    offer = make_offer(shop)
    payload = payload_of(offer, take_return(shop, cite(shop, offer), points=20))
    assert OFFER_REVERSE.cost(payload) == Cost(records=7, slots=1, due=1, signatures=2)
    assert len(OFFER_REVERSE.reads(OWNER.address, payload)) == 4
    OFFER_REVERSE.check(payload)
    spoiled = payload_of(offer, take_return(shop, cite(shop, offer), points=20))
    consent_of = spoiled.consent
    with pytest.raises(Malformed) as caught:
        OFFER_REVERSE.check(
            OfferReverse(
                spoiled.offer,
                spoiled.points,
                spoiled.returned,
                spoiled.signature,
                type(consent_of)(consent_of.policy, consent_of.signatures * 2),
            )
        )
    assert caught.value.code is BAD_CONSENT
