"""`offer.contest`: an offer that the brand keeps quiet about is credited, once every node has seen that its terms are met."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import contest_fee
from ledger.domains.loyalty.contests import NONE_PREPAID, PERIOD_LIMIT
from ledger.domains.loyalty.earn_contest import (
    FUTURE,
    NOT_A_TILL,
    TILL_CAP,
    TOO_EARLY,
    TOO_LATE,
)
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.receipts import BAD_RECEIPT, receipt_hash
from ledger.domains.loyalty.state import NO_PROGRAM, SCOPE_SETTLE, SCOPES_ALL, books_key, grant_key, member_key
from ledger.domains.offers.events import OfferCredited
from ledger.domains.offers.offer_contest import (
    NOT_MET,
    OFFER_CONTEST,
    OPENED_TOO_MUCH,
    OTHER_TERMS,
    OfferContest,
    fields_to_open,
)
from ledger.domains.offers.offer_settle import ENTRY_WRONG_PERIOD
from ledger.domains.offers.state import CITED, NO_OFFER
from ledger.domains.offers.terms import BAD_OFFER
from ledger.errors import Malformed
from ledger.kinds import Cost
from ledger.params import CONTEST_SECONDS, CONTEST_WEIGHT, OFFER_KEEP_SECONDS
from ledger.transaction import BAD_ATTESTATION, OwnFee
from ledger.types import Amount, Day, Points, ProgramId, Timestamp
from tests.support.contests import contest, grant_of, pass_grace, settle_by, sign
from tests.support.memory_chain import DAY_SECONDS
from tests.support.offers import (
    ANYTHING,
    BREAD,
    citation,
    cite,
    consent,
    contest_offer,
    contest_payload,
    issue,
    make_offer,
    offer_of,
    settle_offers,
)
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop


@pytest.fixture
def shop() -> Shop:
    found = Shop(offer_day_max=Points(10_000))
    found.join(FAN, FRIEND, POOR)
    consent(found, FAN, FRIEND)
    return found


def test_the_bonus_comes_from_what_was_set_aside_and_is_pending_for_16_days(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    signed, day = cite(shop, offer), shop.today
    pass_grace(shop)
    today = shop.today
    contest_offer(shop, offer, signed)
    assert shop.member(FAN).lots == ((1, today + 16, today + 16 + 30, 20),)
    assert (shop.books.offered, shop.books.issued, shop.books.contest_points_credited) == (0, 20, 0)
    receipt = receipt_hash(signed.receipt, signed.salt)
    found = offer_of(shop, offer)
    assert found is not None
    assert (found.receipt, found.version, found.activation_day) == (receipt, 1, today + 16)
    assert found.returnable_until == shop.terms_of_program.day_start(Day(day + 2))
    assert found.keep_until > shop.now + OFFER_KEEP_SECONDS - DAY_SECONDS
    assert grant_of(shop).contested == ((day, 20),)
    assert shop.chain.events == (
        OfferCredited(
            program=shop.program,
            member=FAN.address,
            offer=offer.offer_id,
            receipt=receipt,
            points=Points(20),
            contested=True,
            available_on=Day(today + 16),
            expires_on=Day(today + 46),
        ),
    )


def test_where_the_delay_is_longer_it_counts_from_the_periods_end() -> None:
    shop = Shop(offer_day_max=Points(100), activation_delay_days=25, return_window_days=25)
    shop.join(FAN)
    consent(shop, FAN)
    offer = make_offer(shop)
    issue(shop, offer)
    signed, day = cite(shop, offer), shop.today
    pass_grace(shop)
    contest_offer(shop, offer, signed)
    assert shop.member(FAN).lots == ((1, day + 1 + 25, shop.today + 30, 20),)


@pytest.mark.parametrize(
    ("terms", "fields"),
    [
        (ANYTHING, (1, 3, 4, 6, 14)),
        (replace(ANYTHING, net_cents_min=5_000), (1, 3, 4, 6, 14, 7, 8)),
        (replace(ANYTHING, codes=("bread",)), (1, 3, 4, 6, 14, 9)),
        (BREAD, (1, 3, 4, 6, 14, 7, 8, 9)),
    ],
)
def test_no_more_is_opened_than_the_terms_read(shop: Shop, terms: Any, fields: tuple[int, ...]) -> None:
    assert fields_to_open(terms) == fields
    offer = make_offer(shop, terms=terms)
    issue(shop, offer)
    signed = cite(shop, offer)
    pass_grace(shop)
    contest_offer(shop, offer, signed)
    assert shop.books.issued == 20


def test_who_opens_too_much_is_told(shop: Shop) -> None:
    offer = make_offer(shop, terms=ANYTHING)
    signed = cite(shop, offer)
    spoiled: list[dict[str, Any]] = [
        {"net_cents": 1},
        {"paid_with_points_cents": 1},
        {"codes": (("bread", 1),)},
    ]
    for changes in spoiled:
        with pytest.raises(Malformed) as caught:
            OFFER_CONTEST.check(contest_payload(offer, signed, **changes))
        assert caught.value.code is OPENED_TOO_MUCH
    with pytest.raises(Malformed) as caught:
        OFFER_CONTEST.check(contest_payload(offer, signed, codes=(("b", 1), ("a", 1))))
    assert caught.value.code is BAD_RECEIPT
    with pytest.raises(Malformed) as caught:
        OFFER_CONTEST.check(contest_payload(offer, signed, terms=replace(ANYTHING, codes=("b", "a"))))
    assert caught.value.code is BAD_OFFER


def test_what_was_credited_is_not_contested(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    signed = cite(shop, offer)
    other = cite(shop, offer, sequence=2)
    settle_offers(shop, citation(shop, signed))
    pass_grace(shop)
    for receipt in (signed, other):
        with refused(CITED):
            contest_offer(shop, offer, receipt)


def test_a_contest_is_won_once(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    signed = cite(shop, offer)
    pass_grace(shop)
    contest_offer(shop, offer, signed)
    with refused(CITED):
        contest_offer(shop, offer, signed)
    assert settle_offers(shop, citation(shop, signed)) == ("offer.cited",)


def test_an_offer_that_was_never_issued_or_is_anothers(shop: Shop) -> None:
    offer = make_offer(shop)
    signed = cite(shop, offer)
    theirs = make_offer(shop, FRIEND, number=2)
    issue(shop, theirs)
    stolen = cite(shop, theirs)
    pass_grace(shop)
    for which, receipt in ((offer, signed), (theirs, stolen)):
        with refused(NO_OFFER):
            contest_offer(shop, which, receipt)
    with refused(NO_PROGRAM):
        other = cite(shop, offer, program=ProgramId(NOWHERE))
        contest_offer(shop, offer, other)
    second = shop.create_program(OWNER)
    with refused(NO_OFFER):
        elsewhere = cite(shop, theirs, FRIEND, program=second)
        contest_offer(shop, theirs, elsewhere, fan=FRIEND, payment=OwnFee(Amount(90_000)))


def test_other_terms_than_the_sealed_ones(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    signed = cite(shop, offer)
    pass_grace(shop)
    spoiled: tuple[dict[str, Any], ...] = ({"terms": replace(BREAD, text="x")}, {"salt": bytes(32)})
    for changes in spoiled:
        with refused(OTHER_TERMS):
            contest_offer(shop, offer, signed, **changes)


def test_a_receipt_that_cites_another_offer_or_was_changed(shop: Shop) -> None:
    offer, other = make_offer(shop), make_offer(shop, number=2)
    issue(shop, offer, other)
    signed = cite(shop, other)
    pass_grace(shop)
    with refused(BAD_ATTESTATION):
        contest_offer(shop, offer, signed)
    with refused(BAD_ATTESTATION):
        contest_offer(shop, other, signed, net_cents=5_001)


def test_from_settle_by_on_for_thirty_days(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    early = cite(shop, offer, time=Timestamp(shop.now + 7_200))
    with refused(FUTURE):
        contest_offer(shop, offer, early)
    signed = cite(shop, offer)
    due = settle_by(shop, signed.receipt.time)
    shop.chain.advance(seconds=due - 1 - shop.now)
    with refused(TOO_EARLY):
        contest_offer(shop, offer, signed)
    shop.chain.advance(seconds=1)
    snapshot = shop.now
    assert snapshot == due
    shop.chain.advance(seconds=due + CONTEST_SECONDS + 1 - shop.now)
    with refused(TOO_LATE):
        contest_offer(shop, offer, signed)


def test_at_settle_by_and_at_the_last_second(shop: Shop) -> None:
    offers = [make_offer(shop, number=number) for number in (1, 2)]
    issue(shop, *offers)
    first, second = (cite(shop, offer, sequence=i) for i, offer in enumerate(offers))
    due = settle_by(shop, first.receipt.time)
    shop.chain.advance(seconds=due - shop.now)
    contest_offer(shop, offers[0], first)
    shop.chain.advance(seconds=due + CONTEST_SECONDS - shop.now)
    contest_offer(shop, offers[1], second)
    assert shop.books.issued == 40


def test_only_a_till_of_its_time_counts(shop: Shop) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    strange = cite(shop, offer, till=STRANGER)
    shop.grant(OWNER, scopes=SCOPE_SETTLE)
    settler = cite(shop, offer, till=OWNER)
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    shop.chain.mine()
    stolen = cite(shop, offer)
    pass_grace(shop)
    for signed in (strange, settler, stolen):
        with refused(NOT_A_TILL):
            contest_offer(shop, offer, signed)


@pytest.mark.parametrize(
    "changes",
    [
        {"net_cents": 2_999},
        {"net_cents": 5_000, "paid_with_points_cents": 2_001},
        {"codes": (("milk", 5_000),)},
        {"codes": (("bread", 0),)},
        {"late": True},
    ],
)
def test_a_purchase_that_is_not_what_the_offer_asks_for(shop: Shop, changes: dict[str, Any]) -> None:
    offer = make_offer(shop)
    issue(shop, offer)
    if changes.pop("late", False):
        changes["time"] = Timestamp(offer.expires_at + 1)
    signed = cite(shop, offer, **changes)
    shop.chain.advance(seconds=max(signed.receipt.time - shop.now, 0))
    pass_grace(shop)
    with refused(NOT_MET):
        contest_offer(shop, offer, signed)


def test_a_challenge_of_ones_own_is_won_with_each_of_its_codes_and_lost_without_one(shop: Shop) -> None:
    """Two usual things and a new one: who was forgotten opens the receipt, and every node sees it."""
    challenge = replace(ANYTHING, codes=("bread", "coffee", "tea"), needs_all=True)
    offers = [make_offer(shop, number=number, terms=challenge) for number in (1, 2)]
    issue(shop, *offers)
    bought = (("bread", 1_000), ("coffee", 1_000), ("tea", 0))
    lost = cite(shop, offers[0], codes=bought, sequence=1)
    won = cite(shop, offers[1], codes=(*bought[:2], ("tea", 1)), sequence=2)
    pass_grace(shop)
    with refused(NOT_MET):
        contest_offer(shop, offers[0], lost)
    contest_offer(shop, offers[1], won)
    assert shop.books.issued == 20
    with refused(OTHER_TERMS):
        contest_offer(shop, offers[0], lost, terms=replace(challenge, needs_all=False))


def test_a_tills_cap_of_the_day_bounds_bonuses_too(shop: Shop) -> None:
    shop.grant(TILL, scopes=SCOPES_ALL, daily_cap=39)
    offers = [make_offer(shop, number=number) for number in (1, 2)]
    issue(shop, *offers)
    shop.chain.mine()
    signed = [cite(shop, offer, sequence=i) for i, offer in enumerate(offers)]
    pass_grace(shop)
    contest_offer(shop, offers[0], signed[0])
    with refused(TILL_CAP):
        contest_offer(shop, offers[1], signed[1])


def test_it_costs_a_fan_nothing_in_the_end(shop: Shop) -> None:
    offer = make_offer(shop, POOR)
    consent(shop, POOR, payment=shop.sponsored)
    issue(shop, offer)
    signed = cite(shop, offer, POOR)
    pass_grace(shop)
    before, reserve = shop.member(POOR), shop.books.contest_coin
    contest_offer(shop, offer, signed, fan=POOR)
    after, fee = shop.member(POOR), contest_fee(shop.chain.params)
    assert (after.prepaid, after.contest_count) == (before.prepaid, 1)
    assert shop.books.contest_coin == reserve - fee


def test_who_pays_itself_is_repaid_and_whom_the_pool_pays_is_not(shop: Shop) -> None:
    offers = [make_offer(shop, number=number) for number in (1, 2)]
    issue(shop, *offers)
    signed = [cite(shop, offer, sequence=i) for i, offer in enumerate(offers)]
    pass_grace(shop)
    coin, reserve = shop.coin_of(FAN), shop.books.contest_coin
    contest_offer(shop, offers[0], signed[0], payment=OwnFee(Amount(9_000)))
    assert (shop.coin_of(FAN), shop.books.contest_coin) == (coin, reserve - 9_000)
    contest_offer(shop, offers[1], signed[1], payment=shop.sponsored)
    assert shop.books.contest_coin == reserve - 9_000


def test_two_are_prepaid_in_a_period_and_then_none(shop: Shop) -> None:
    offers = [make_offer(shop, number=number) for number in range(3)]
    issue(shop, *offers)
    signed = [cite(shop, offer, sequence=i) for i, offer in enumerate(offers)]
    pass_grace(shop)
    for offer, receipt in zip(offers[:2], signed[:2], strict=True):
        contest_offer(shop, offer, receipt)
    with refused(PERIOD_LIMIT):
        contest_offer(shop, offers[2], signed[2])


def test_what_joining_prepaid_can_be_used_up(shop: Shop) -> None:
    """Two contests of receipts wait for their answers, and hold what joining paid for."""
    offer = make_offer(shop)
    issue(shop, offer)
    signed = cite(shop, offer)
    others = [sign(shop, sequence=number) for number in (2, 3)]
    pass_grace(shop)
    for other in others:
        contest(shop, other)
    shop.pass_days(1)
    with refused(NONE_PREPAID):
        contest_offer(shop, offer, signed)


def test_cost_and_reads(shop: Shop) -> None:
    offer = make_offer(shop)
    payload: OfferContest = contest_payload(offer, cite(shop, offer))
    assert OFFER_CONTEST.cost(payload) == Cost(records=6, slots=2, due=2, signatures=1)
    assert OFFER_CONTEST.prepaid_weight == CONTEST_WEIGHT
    reads = OFFER_CONTEST.reads(FAN.address, payload)
    assert {books_key(shop.program), member_key(shop.program, FAN.address)} < set(reads)
    assert grant_key(shop.program, TILL.address) in reads


def test_a_receipt_of_a_period_that_ended_before_the_offer_is_no_citation_of_it() -> None:
    shop = Shop(offer_day_max=Points(1_000))
    shop.join(FAN)
    consent(shop, FAN)
    offer = make_offer(shop, terms=ANYTHING)
    bought = cite(shop, offer)
    shop.pass_days(1)
    assert issue(shop, offer) == ("",)
    assert settle_offers(shop, citation(shop, bought, period=shop.today - 1)) == (ENTRY_WRONG_PERIOD.name,)
    shop.pass_days(4)
    with refused(ENTRY_WRONG_PERIOD):
        contest_offer(shop, offer, bought)
