"""`offer.settle`: an offer is credited once, from what was set aside, whichever receipts cite it."""

import pytest

from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.state import NO_PROGRAM, NO_SCOPE, NOT_GRANTED, SCOPE_OFFER, SCOPE_SETTLE, books_key
from ledger.domains.offers.events import OfferCredited, OfferNotCredited
from ledger.domains.offers.offer_settle import OFFER_SETTLE, Citation, OfferSettle
from ledger.kinds import Cost
from ledger.params import CONTEST_SECONDS, OFFER_KEEP_SECONDS
from ledger.transaction import Prepaid
from ledger.types import Address, Day, Hash, Points, ProgramId, ReceiptHash, Timestamp
from tests.support.memory_chain import DAY_SECONDS, sim_params
from tests.support.offers import citation, cite, consent, issue, make_offer, offer_of, settle_offers
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, NOWHERE, OWNER, STRANGER, TILL, Shop, some_hash


@pytest.fixture
def shop() -> Shop:
    """Points activate after a return window of three days."""
    found = Shop(offer_day_max=Points(1_000), return_window_days=3, activation_delay_days=3)
    found.join(FAN, FRIEND)
    consent(found, FAN, FRIEND)
    return found


def test_the_bonus_is_a_lot_like_the_purchases(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    entry = citation(shop, cite(shop, offer))
    assert settle_offers(shop, entry) == ("",)
    today = shop.today
    assert shop.member(FAN).lots == ((1, today + 3, today + 30, 20),)
    assert (shop.books.offered, shop.books.issued, shop.books.pending) == (0, 20, 20)
    found = offer_of(shop, offer)
    assert found is not None
    assert not found.is_open
    returnable_until = shop.terms_of_program.day_start(Day(today + 4))
    assert (found.receipt, found.points, found.version) == (entry.receipt, 20, 1)
    assert (found.activation_day, found.returnable_until) == (today + 3, returnable_until)
    assert found.keep_until == returnable_until + OFFER_KEEP_SECONDS
    event = OfferCredited(
        program=shop.program,
        member=FAN.address,
        offer=offer.offer_id,
        receipt=entry.receipt,
        points=Points(20),
        contested=False,
        available_on=Day(today + 3),
        expires_on=Day(today + 30),
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, offer.offer_id)


def test_the_same_offer_cited_at_two_tills_is_credited_once(shop: Shop) -> None:
    shop.grant(STRANGER)
    offer = make_offer(shop)
    issue(shop, offer)
    first, second = (citation(shop, cite(shop, offer, till=till)) for till in (TILL, STRANGER))
    assert first.receipt != second.receipt
    assert settle_offers(shop, first, second) == ("", "offer.cited")
    assert settle_offers(shop, second) == ("offer.cited",)
    assert shop.books.issued == 20
    event = OfferNotCredited(shop.program, FAN.address, offer.offer_id, second.receipt, "offer.cited")
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, offer.offer_id)


def test_an_offer_that_is_not_on_chain_is_none(shop: Shop) -> None:
    other = shop.create_program(OWNER, offer_day_max=Points(1_000))
    offer = make_offer(shop)
    issue(shop, offer)
    receipt = ReceiptHash(some_hash("receipt"))
    entry = Citation(Hash(some_hash("offer")), shop.today, receipt)
    assert settle_offers(shop, entry) == ("offer.unknown",)
    event = OfferNotCredited(shop.program, Address(b""), entry.offer, receipt, "offer.unknown")
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program,)
    payload = OfferSettle(other, (Citation(offer.offer_id, shop.today, receipt),))
    assert shop.chain.send("offer.settle", payload, author=OWNER) == ("offer.unknown",)


def test_the_period_has_begun_and_the_offer_was_there_in_it(shop: Shop) -> None:
    offer = make_offer(shop, expires_at=Timestamp(shop.midnight(days=2)))
    issue(shop, offer)
    signed, today = cite(shop, offer), shop.today
    periods = (today + 1, today - 1)
    faults = settle_offers(shop, *(citation(shop, signed, period=period) for period in periods))
    assert faults == ("offer.wrong_period", "offer.wrong_period")
    shop.pass_days(4)
    assert settle_offers(shop, citation(shop, signed, period=today + 3)) == ("offer.wrong_period",)
    assert settle_offers(shop, citation(shop, signed, period=today + 2)) == ("",), "midnight is the last second"


def test_after_the_last_contest_nothing_is_settled_whether_due_work_has_run_or_not() -> None:
    """A block does 25 ends of offers; the second batch's wait."""
    params = sim_params(*(signer.address for signer in FUNDED), due_weight_max=10_000)
    shop = Shop(params=params, offer_day_max=Points(1_000))
    shop.join(FAN)
    consent(shop, FAN)
    offers = [make_offer(shop, number=number, points=1) for number in range(27)]
    issue(shop, *offers)
    signed, period = [cite(shop, offer, sequence=i) for i, offer in enumerate(offers)], shop.today
    program = shop.terms_of_program
    last = program.day_start(Day(program.day_at(offers[0].expires_at) + 1)) + 3 * DAY_SECONDS + CONTEST_SECONDS
    shop.chain.advance(seconds=last + 1 - shop.now)
    entries = [citation(shop, found, period=period) for found in signed]
    codes = settle_offers(shop, *entries)
    assert set(codes) == {"offer.unknown", "offer.expired"}
    assert codes[-1] == "offer.expired"


def test_a_late_citation_is_credited_as_long_as_it_could_be_contested(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    signed, period = cite(shop, offer), shop.today
    program = shop.terms_of_program
    last = program.day_start(Day(program.day_at(offer.expires_at) + 1)) + 3 * DAY_SECONDS + CONTEST_SECONDS
    shop.chain.advance(seconds=last - shop.now)
    assert settle_offers(shop, citation(shop, signed, period=period)) == ("",)
    assert shop.member(FAN).lots[0][1] == shop.today + 3


def test_what_was_promised_is_kept_after_the_programs_end_and_to_who_left(shop: Shop) -> None:
    offers = [make_offer(shop, number=number) for number in (1, 2)]
    issue(shop, *offers)
    signed, period = [cite(shop, offer, sequence=i) for i, offer in enumerate(offers)], shop.today
    end = Timestamp(shop.now + 10 * DAY_SECONDS)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, end), author=OWNER)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    assert settle_offers(shop, citation(shop, signed[0], period=period)) == ("",)
    shop.pass_days(11)
    assert settle_offers(shop, citation(shop, signed[1], period=period)) == ("",)
    assert shop.books.issued == 40


def test_no_cap_is_asked_again_and_nothing_counts_towards_tiers() -> None:
    shop = Shop(offer_day_max=Points(1_000), issuance_cap=Points(20), tiers=(("Gold", 10),), tier_period_days=28)
    shop.join(FAN)
    consent(shop, FAN)
    shop.grant(STRANGER, scopes=SCOPE_SETTLE, daily_cap=0)
    offer = make_offer(shop)
    issue(shop, offer)
    assert settle_offers(shop, citation(shop, cite(shop, offer)), author=STRANGER) == ("",)
    member = shop.member(FAN)
    assert (member.tier_history, member.entries, shop.books.issued) == ((), 0, 20)


def test_no_more_is_credited_than_may_ever_be_issued(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = [make_offer(shop, number=number) for number in (1, 2)]
    issue(shop, *offers)
    monkeypatch.setattr("ledger.domains.offers.crediting.INTEGER_MAX", 25)
    entries = [citation(shop, cite(shop, offer, sequence=i)) for i, offer in enumerate(offers)]
    assert settle_offers(shop, *entries) == ("", "")
    assert settle_offers(shop, *entries) == ("offer.cited", "offer.cited")
    found = offer_of(shop, offers[1])
    assert found is not None
    assert (found.points, shop.books.issued, shop.books.offered) == (5, 25, 0)
    third = make_offer(shop, number=3)
    issue(shop, third)
    assert settle_offers(shop, citation(shop, cite(shop, third, sequence=3))) == ("",)
    assert len(shop.member(FAN).lots) == 1


def test_only_the_owner_and_who_may_settle(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    entry = citation(shop, cite(shop, offer))
    with refused(NO_PROGRAM):
        shop.chain.send("offer.settle", OfferSettle(ProgramId(NOWHERE), (entry,)), author=OWNER)
    with refused(NOT_GRANTED):
        settle_offers(shop, entry, author=STRANGER)
    shop.grant(STRANGER, scopes=SCOPE_OFFER)
    with refused(NO_SCOPE):
        settle_offers(shop, entry, author=STRANGER)
    assert settle_offers(shop, entry, author=TILL) == ("",)


def test_a_cited_offer_is_kept_for_returns_and_then_goes_quietly(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    settle_offers(shop, citation(shop, cite(shop, offer)))
    shop.chain.advance(seconds=offer.expires_at + 1 - shop.now)
    shop.chain.mine()
    shop.chain.mine()
    assert offer_of(shop, offer) is not None
    shop.pass_days(35)
    assert offer_of(shop, offer) is None
    assert shop.books.offered == 0
    assert shop.chain.events == ()


def test_cost_and_reads(shop: Shop) -> None:
    entry = Citation(Hash(some_hash("offer")), 1, ReceiptHash(some_hash("receipt")))
    payload = OfferSettle(shop.program, (entry, entry, entry))
    assert OFFER_SETTLE.cost(payload) == Cost(records=10, slots=10, due=5)
    reads = OFFER_SETTLE.reads(OWNER.address, payload)
    assert len(reads) == 6
    assert books_key(shop.program) in reads
