"""The brand's Monday mail: who gets which offer, which purchase cites it, and how it is settled once."""

from pathlib import Path

import pytest

from api.demo.brand import OFFER_DAY_MAX, PERIODS, TERMS, open_brand
from api.demo.households import open_household
from api.demo.journey import DAY_SECONDS, HouseholdId
from api.demo.offers import BONUSES, OfferDesk, cited_id, meets, write_offer
from api.demo.paperwork import Assignment
from api.demo.plan import make_plan
from api.demo.promotions import PRICES, Promotion, PromotionId
from api.wallet.builder import ChainFacts
from ledger.domains.loyalty.receipts import NO_OFFER
from ledger.domains.offers.offer_issue import OfferIssue
from ledger.domains.offers.offer_settle import OfferSettle
from ledger.transaction import Sponsored, decode_transaction
from ledger.types import ChainId, Height, ProgramId, ReceiptHash, Timestamp
from tests.support.memory_chain import sim_params

FACTS = ChainFacts.of_params(sim_params(), ChainId(b"c" * 32))
PROGRAM = ProgramId(b"p" * 32)
START = Timestamp(PERIODS.ends(2_900))
PLAN = make_plan(START, Timestamp(START + 30 * DAY_SECONDS))
REFUSES = HouseholdId(4)
NAMED = frozenset(HouseholdId(number) for number in (1, 2, 3, REFUSES))
MEMBERS = {HouseholdId(number): open_household(HouseholdId(number), PROGRAM).address for number in (1, 2, REFUSES, 6)}
RECEIPT = ReceiptHash(b"r" * 32)


def promote(number: int, kind: str, first_day: int, last_day: int) -> Promotion:
    opens, closes = Timestamp(START + first_day * DAY_SECONDS), Timestamp(START + (last_day + 1) * DAY_SECONDS)
    return Promotion(PromotionId(number), kind, opens, closes, NAMED)


LATE, EARLY, OVER = promote(1, "Type A", 0, 20), promote(2, "Type C", 0, 9), promote(3, "Type B", 0, 3)
HEIGHT = PLAN.height_once(Timestamp(START + 7 * DAY_SECONDS))


@pytest.fixture
def desk(tmp_path: Path) -> OfferDesk:
    return OfferDesk(Assignment(FACTS, PROGRAM, {}, PLAN, tmp_path / "receipts"), (LATE, EARLY, OVER))


def test_only_recipients_who_joined_and_agreed_get_one_of_each_open_campaign(desk: OfferDesk) -> None:
    (signed,) = desk.issue(HEIGHT, MEMBERS)
    transaction = decode_transaction(signed.raw, FACTS.chain_id)
    assert isinstance(transaction.payload, OfferIssue)
    assert (transaction.author, transaction.body.payment) == (open_brand().owner.address, Sponsored(PROGRAM))
    expected = [
        write_offer(PROGRAM, MEMBERS[number], number, campaign)
        for campaign in (LATE, EARLY)
        for number in (HouseholdId(1), HouseholdId(2))
    ]
    entries = [(entry.member, entry.terms, entry.points, entry.expires_at) for entry in transaction.payload.entries]
    assert entries == [(one.member, one.commitment, one.points, one.expires_at) for one in expected]
    assert desk.issue(Height(HEIGHT + 1), MEMBERS) == (), "nobody gets a second one"
    later = {**MEMBERS, HouseholdId(3): open_household(HouseholdId(3), PROGRAM).address}
    (again,) = desk.issue(Height(HEIGHT + 1), later)
    assert len(decode_transaction(again.raw, FACTS.chain_id).payload.entries) == 2


def test_a_purchase_cites_the_offer_that_expires_first_and_each_once(desk: OfferDesk) -> None:
    household, time = HouseholdId(1), Timestamp(START + 8 * DAY_SECONDS)
    assert desk.choose(household, time, 5_000) is None
    desk.issue(HEIGHT, MEMBERS)
    assert desk.choose(household, time, 1_999) is None, "a small basket"
    first = desk.choose(household, time, 2_000)
    assert first is not None and first.promotion == 2
    assert (cited_id(first), cited_id(None)) == (first.offer.offer_id, NO_OFFER)
    desk.cite(first, 2_902, RECEIPT)
    second = desk.choose(household, time, 2_000)
    assert second is not None and second.promotion == 1
    desk.cite(second, 2_902, RECEIPT)
    assert desk.choose(household, time, 2_000) is None


def test_an_offer_ends_with_its_campaign(desk: OfferDesk) -> None:
    desk.issue(HEIGHT, MEMBERS)
    found = desk.choose(HouseholdId(1), Timestamp(EARLY.closes_at - 1), 2_000)
    assert found is not None and found.promotion == 2
    found = desk.choose(HouseholdId(1), EARLY.closes_at, 2_000)
    assert found is not None and found.promotion == 1
    assert desk.choose(HouseholdId(1), LATE.closes_at, 2_000) is None
    assert not meets(found.offer, Timestamp(LATE.opens_at - 1), 2_000)
    assert meets(found.offer, LATE.opens_at, 2_000)


def test_citations_are_settled_with_their_week_and_once(desk: OfferDesk) -> None:
    desk.issue(HEIGHT, MEMBERS)
    mailed = desk.choose(HouseholdId(2), Timestamp(START + 8 * DAY_SECONDS), 2_000)
    assert mailed is not None
    desk.cite(mailed, 2_902, RECEIPT)
    (signed,) = desk.settle(Height(400))
    transaction = decode_transaction(signed.raw, FACTS.chain_id)
    assert isinstance(transaction.payload, OfferSettle)
    assert transaction.author == open_brand().settlement.address
    ((citation),) = transaction.payload.entries
    assert (citation.offer, citation.period, citation.receipt) == (mailed.offer_id, 2_902, RECEIPT)
    assert desk.settle(Height(401)) == ()


def test_every_type_has_a_bonus_and_the_day_has_room_for_the_largest_campaign() -> None:
    assert BONUSES.keys() == PRICES.keys()
    assert TERMS.offer_day_max == OFFER_DAY_MAX >= 2_469 * max(BONUSES.values())
