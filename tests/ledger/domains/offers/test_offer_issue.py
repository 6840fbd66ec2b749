"""`offer.issue`: what is promised is set aside, within a budget, for members who agreed to be profiled, and comes back."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import CONTACT, PERSONALISE
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.issuance import ISSUANCE_CAP
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_sunset import PROGRAM_ENDED, ProgramSunset
from ledger.domains.loyalty.program_update import CAP_BELOW_ISSUED, ProgramUpdate
from ledger.domains.loyalty.state import NO_PROGRAM, NO_SCOPE, NOT_GRANTED, SCOPE_OFFER, SCOPE_SETTLE
from ledger.domains.offers.events import OfferExpired, OfferIssued, OfferSkipped
from ledger.domains.offers.offer_issue import OFFER_ISSUE, OfferIssue
from ledger.domains.offers.state import Offer, offer_key
from ledger.domains.offers.terms import BAD_OFFER, OfferTerms, PersonalOffer, decode_offer, encode_offer
from ledger.errors import Malformed
from ledger.kinds import Cost
from ledger.params import CONTEST_SECONDS, OFFER_ENTRIES_MAX, OFFER_SECONDS_MAX
from ledger.transaction import Prepaid
from ledger.types import Amount, Day, Points, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.offers import ANYTHING, BREAD, consent, entry_of, issue, make_offer, offer_of
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop, make_terms, some_hash


@pytest.fixture
def shop() -> Shop:
    """A hundred points a day for offers; two fans who agreed to be profiled."""
    found = Shop(offer_day_max=Points(100))
    found.join(FAN, FRIEND)
    consent(found, FAN, FRIEND)
    return found


def test_what_is_promised_is_set_aside(shop: Shop) -> None:
    offer, coin = make_offer(shop), shop.coin_of(OWNER)
    deposit, now = shop.chain.params.record_deposit, shop.now
    assert issue(shop, offer) == ("",)
    found = Offer(
        payer=b"A" + OWNER.address,
        deposit=deposit,
        program=shop.program,
        member=FAN.address,
        terms=offer.commitment,
        points=Points(20),
        issued_at=now,
        expires_at=offer.expires_at,
    )
    assert offer_of(shop, offer) == found
    books = shop.books
    assert (books.offered, books.issued, books.offer_day, books.offer_day_used) == (20, 0, shop.today, 20)
    assert shop.coin_of(OWNER) < coin - deposit
    event = OfferIssued(
        shop.program, OWNER.address, FAN.address, offer.offer_id, offer.commitment, Points(20), offer.expires_at
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, offer.offer_id)


def test_an_id_is_of_one_program_member_bonus_expiry_and_text(shop: Shop) -> None:
    offer = make_offer(shop)
    others = (
        replace(offer, program=ProgramId(NOWHERE)),
        replace(offer, member=FRIEND.address),
        replace(offer, points=Points(21)),
        replace(offer, expires_at=Timestamp(offer.expires_at + 1)),
        replace(offer, salt=some_hash("other")),
        replace(offer, terms=replace(BREAD, text="Cake for thirty")),
    )
    assert len({found.offer_id for found in (offer, *others)}) == 7
    assert decode_offer(encode_offer(offer)) == offer


def test_an_offer_whose_codes_do_not_ascend_is_none(shop: Shop) -> None:
    for codes in (("cake", "bread"), ("bread", "bread")):
        with pytest.raises(Malformed) as caught:
            decode_offer(encode_offer(make_offer(shop, terms=replace(BREAD, codes=codes))))
        assert caught.value.code is BAD_OFFER


def test_all_of_one_code_or_of_none_is_no_offer(shop: Shop) -> None:
    for codes in ((), ("bread",)):
        with pytest.raises(Malformed) as caught:
            decode_offer(encode_offer(make_offer(shop, terms=replace(BREAD, codes=codes, needs_all=True))))
        assert caught.value.code is BAD_OFFER
    both = make_offer(shop, terms=replace(BREAD, needs_all=True))
    assert decode_offer(encode_offer(both)) == both
    assert both.offer_id != make_offer(shop, terms=BREAD).offer_id, "what it asks for is sealed"


@pytest.mark.parametrize(
    ("terms", "met"),
    [
        (ANYTHING, True),
        (BREAD, True),
        (replace(ANYTHING, from_time=Timestamp(100)), True),
        (replace(ANYTHING, from_time=Timestamp(101)), False),
        (replace(ANYTHING, net_cents_min=4_500), True),
        (replace(ANYTHING, net_cents_min=4_501), False),
        (replace(ANYTHING, codes=("bread",)), True),
        (replace(ANYTHING, codes=("milk",)), False),
        (replace(ANYTHING, codes=("tea",)), False),
        (replace(ANYTHING, codes=("bread", "milk")), True),
        (replace(ANYTHING, codes=("bread", "milk"), needs_all=True), False),
        (replace(ANYTHING, codes=("bread", "eggs"), needs_all=True), True),
        (replace(ANYTHING, codes=("bread", "eggs", "tea"), needs_all=True), False),
    ],
)
def test_terms_are_met_by_time_basket_and_codes(terms: OfferTerms, met: bool) -> None:
    """Of 50.00 five were paid with points; the milk went back; there were eggs."""
    assert is_met(terms, 100) == met


def is_met(terms: OfferTerms, time: int) -> bool:
    return terms.are_met(
        time=Timestamp(time),
        expires_at=Timestamp(200),
        net_cents=5_000,
        paid_with_points_cents=500,
        codes=(("bread", 4_990), ("eggs", 10), ("milk", -10)),
    )


def test_terms_are_met_to_the_last_second() -> None:
    assert is_met(ANYTHING, 200)
    assert not is_met(ANYTHING, 201)


def test_nobody_gets_an_offer_who_did_not_agree_to_be_profiled(shop: Shop) -> None:
    shop.join(POOR)
    fans = (POOR, STRANGER, FAN)
    offers = [make_offer(shop, fan) for fan in fans]
    assert issue(shop, *offers) == ("offer.no_consent", "offer.no_member", "")
    skipped = OfferSkipped(shop.program, POOR.address, 0, "offer.no_consent")
    assert shop.chain.events[0] == skipped
    assert skipped.subjects() == (shop.program, POOR.address)
    shop.chain.send("consent.revoke", ConsentRevoke(shop.program, PERSONALISE, ""), author=FAN, payment=Prepaid())
    assert issue(shop, make_offer(shop, number=2)) == ("offer.no_consent",)
    found = offer_of(shop, offers[2])
    assert found is not None
    assert found.is_open, "what was promised before stays"


def test_another_purpose_scope_or_time_is_no_consent(shop: Shop) -> None:
    shop.join(STRANGER, TILL)
    consent(shop, STRANGER, purpose=CONTACT)
    consent(shop, STRANGER, scope="offers")
    consent(shop, TILL, expires_at=Timestamp(shop.now + 600))
    offers = [make_offer(shop, fan) for fan in (STRANGER, TILL)]
    assert issue(shop, *offers) == ("offer.no_consent", "")
    shop.chain.advance(seconds=600)
    assert issue(shop, make_offer(shop, TILL, number=2)) == ("offer.no_consent",)


def test_who_left_gets_none(shop: Shop) -> None:
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    assert issue(shop, make_offer(shop)) == ("offer.no_member",)


def test_an_offer_lives_a_second_at_least_and_a_year_at_most(shop: Shop) -> None:
    def at(time: int, number: int) -> PersonalOffer:
        return make_offer(shop, points=1, number=number, expires_at=Timestamp(time))

    now = shop.now
    batch = (at(now, 1), at(now + 1, 2), at(now + OFFER_SECONDS_MAX, 3), at(now + OFFER_SECONDS_MAX + 1, 4))
    assert issue(shop, *batch) == ("offer.expiry", "", "", "offer.expiry")


def test_the_same_offer_is_issued_once(shop: Shop) -> None:
    offer = make_offer(shop)
    assert issue(shop, offer, offer) == ("", "offer.already")
    assert issue(shop, offer, make_offer(shop, number=2)) == ("offer.already", "")
    assert shop.books.offered == 40


def test_the_budget_of_a_day(shop: Shop) -> None:
    assert issue(shop, make_offer(shop, points=60), make_offer(shop, points=41, number=2)) == ("", "offer.day_cap")
    assert issue(shop, make_offer(shop, points=40, number=3)) == ("",)
    assert issue(shop, make_offer(shop, points=1, number=4)) == ("offer.day_cap",)
    shop.pass_days(1)
    assert issue(shop, make_offer(shop, points=100, number=5)) == ("",)
    assert (shop.books.offered, shop.books.offer_day_used) == (200, 100)


def test_terms_without_a_budget_promise_nothing() -> None:
    shop = Shop()
    shop.join(FAN)
    consent(shop, FAN)
    assert issue(shop, make_offer(shop, points=1)) == ("offer.day_cap",)


def test_what_is_promised_takes_room_of_the_issuance_cap() -> None:
    shop = Shop(offer_day_max=Points(1_000), adjust_day_max=Points(1_000), issuance_cap=Points(100))
    shop.join(FAN)
    consent(shop, FAN)
    assert shop.earn(FAN, 30) == ("",)
    assert issue(shop, make_offer(shop, points=50), make_offer(shop, points=21, number=2)) == ("", "earn.issuance_cap")
    assert shop.earn(FAN, 21) == (ISSUANCE_CAP.name,)
    with refused(ISSUANCE_CAP):
        shop.chain.send("adjust", Adjust(shop.program, FAN.address, Points(21), "x"), author=OWNER)
    assert shop.earn(FAN, 20) == ("",)
    lower = make_terms(offer_day_max=Points(1_000), adjust_day_max=Points(1_000), issuance_cap=Points(99))
    with refused(CAP_BELOW_ISSUED):
        shop.chain.send("program.update", ProgramUpdate(shop.program, 1, lower), author=OWNER)
    shop.chain.send(
        "program.update", ProgramUpdate(shop.program, 1, replace(lower, issuance_cap=Points(100))), author=OWNER
    )


def test_an_issuer_stops_at_its_daily_cap(shop: Shop) -> None:
    shop.grant(STRANGER, scopes=SCOPE_OFFER, daily_cap=30)
    first = issue(shop, make_offer(shop), make_offer(shop, number=2), author=STRANGER)
    assert first == ("", "earn.daily_cap")
    assert issue(shop, make_offer(shop, points=10, number=3), author=STRANGER) == ("",)
    assert issue(shop, make_offer(shop, points=1, number=4), author=STRANGER) == ("earn.daily_cap",)
    shop.pass_days(1)
    assert issue(shop, make_offer(shop, points=30, number=5), author=STRANGER) == ("",)


def test_only_the_owner_and_who_may_offer(shop: Shop) -> None:
    with refused(NO_PROGRAM):
        shop.chain.send("offer.issue", OfferIssue(ProgramId(NOWHERE), (entry_of(make_offer(shop)),)), author=OWNER)
    with refused(NOT_GRANTED):
        issue(shop, make_offer(shop), author=STRANGER)
    shop.grant(STRANGER, scopes=SCOPE_SETTLE)
    with refused(NO_SCOPE):
        issue(shop, make_offer(shop), author=STRANGER)


def test_a_program_that_ended_promises_nothing(shop: Shop) -> None:
    end = Timestamp(shop.now + 10 * DAY_SECONDS)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, end), author=OWNER)
    assert issue(shop, make_offer(shop)) == ("",)
    shop.chain.advance(seconds=end - shop.now)
    assert issue(shop, make_offer(shop, number=2)) == ("",)
    shop.chain.mine()
    with refused(PROGRAM_ENDED):
        issue(shop, make_offer(shop, number=3))


def test_deposits_that_nobody_has_reject_the_batch(shop: Shop) -> None:
    shop.chain.send("issuer.grant", IssuerGrant(shop.program, POOR.address, SCOPE_OFFER, Points(100)), author=OWNER)
    weight_only = Amount(4_000)
    pay(shop, POOR, weight_only)
    with refused(INSUFFICIENT):
        issue(shop, make_offer(shop, points=1), *(make_offer(shop, points=1, number=i) for i in (2, 3)), author=POOR)
    assert shop.books.offered == 0


def pay(shop: Shop, account: Signer, amount: Amount) -> None:
    shop.chain.send("transfer", Transfer(ToAccount(account.address), amount), author=OWNER)


def test_nobody_asked_so_it_comes_back(shop: Shop) -> None:
    """A receipt of the last second is settled within three days of grace, and contested for thirty more."""
    offer = make_offer(shop)
    issue(shop, offer)
    program, day = shop.terms_of_program, 86_400
    last = program.day_start(Day(program.day_at(offer.expires_at) + 1)) + 3 * day + CONTEST_SECONDS
    shop.chain.advance(seconds=offer.expires_at + 1 - shop.now)
    shop.chain.mine()
    shop.chain.mine()
    assert shop.books.offered == 20
    shop.chain.advance(seconds=last - shop.now)
    shop.chain.mine()
    assert offer_of(shop, offer) is not None
    coin = shop.coin_of(OWNER)
    shop.chain.mine()
    assert offer_of(shop, offer) is None
    assert (shop.books.offered, shop.coin_of(OWNER)) == (0, coin + shop.chain.params.record_deposit)
    event = OfferExpired(shop.program, FAN.address, offer.offer_id, Points(20))
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, offer.offer_id)


def test_a_longer_grace_that_was_in_force_keeps_it_longer() -> None:
    shop = Shop(offer_day_max=Points(100), settle_grace_days=20)
    shop.join(FAN)
    consent(shop, FAN)
    offer = make_offer(shop)
    issue(shop, offer)
    shorter = make_terms(offer_day_max=Points(100), settle_grace_days=0)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, shorter), author=OWNER)
    shop.chain.advance(seconds=offer.expires_at + CONTEST_SECONDS + 19 * DAY_SECONDS - shop.now)
    shop.chain.mine()
    shop.chain.mine()
    assert offer_of(shop, offer) is not None
    shop.pass_days(3)
    assert offer_of(shop, offer) is None


def test_cost_and_reads(shop: Shop) -> None:
    payload = OfferIssue(shop.program, tuple(entry_of(make_offer(shop, number=i)) for i in (1, 2, 3)))
    assert OFFER_ISSUE.cost(payload) == Cost(records=10, slots=3, due=3)
    assert len(OFFER_ISSUE.reads(OWNER.address, payload)) == 9
    assert offer_key(some_hash("x"))[:1] == b"O"
    assert OFFER_ENTRIES_MAX == 1_000
