"""What is brought back: which lines, when, for how many points, and which entries are cited."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from api.demo.brand import PERIODS, TERMS, open_brand
from api.demo.households import open_household
from api.demo.journey import DAY_SECONDS, BasketId, HouseholdId
from api.demo.offers import write_offer
from api.demo.paperwork import Assignment, Returned, Signed
from api.demo.plan import make_plan
from api.demo.promotions import Promotion, PromotionId
from api.demo.return_desk import ReturnDesk
from api.demo.returns import BroughtBack, bring_back, choose_day, choose_lines, cite_entries, sign_return
from api.wallet.builder import ChainFacts, build
from api.wallet.sealing import Opening, seal_entry
from ledger.domains.loyalty.earn import Earn
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import NO_OFFER, Receipt, SignedReceipt, receipt_hash
from ledger.domains.loyalty.returns import SignedReturn, return_is_signed
from ledger.domains.loyalty.reverse import Reverse
from ledger.transaction import decode_transaction
from ledger.types import ChainId, Hash, Height, Points, ProgramId, Signature, Timestamp
from tests.support.memory_chain import sim_params

FACTS = ChainFacts.of_params(sim_params(), ChainId(b"c" * 32))
PROGRAM = ProgramId(b"p" * 32)
HOUSEHOLD = HouseholdId(1)
FAN = open_household(HOUSEHOLD, PROGRAM)
START = Timestamp(PERIODS.ends(2_900))
"""A Monday."""
WEEK = 2_901
BOTH_LINES, SECOND_LINE, NO_LINE = BasketId(499), BasketId(61), BasketId(1)
SIX_DAYS_ON = BasketId(105)
"""Its first line goes back after six days."""
FOUR_DAYS_ON = BasketId(93)
"""After four."""

PROMOTION = Promotion(
    PromotionId(3), "Type A", START, Timestamp(START + 30 * DAY_SECONDS), frozenset({HOUSEHOLD, HouseholdId(2)})
)
OFFER = write_offer(PROGRAM, FAN.address, HOUSEHOLD, PROMOTION)


def make_purchase(cents: int, tier: int = 0, time: int = START, offer: Hash = NO_OFFER) -> SignedReceipt:
    """A receipt as the till makes it; its signature does not matter here."""
    points = points_for(TERMS.rules, Purchase(Timestamp(time), cents, tier=tier), offset_minutes=-300)
    receipt = Receipt(
        version=1,
        program=PROGRAM,
        terms_version=1,
        member=FAN.address,
        till=open_brand().till.shown_policy().keys[0],
        sequence=0,
        time=Timestamp(time),
        net_cents=cents,
        paid_with_points_cents=0,
        codes=(),
        lines_root=Hash(b"l" * 32),
        points=points,
        tier=tier,
        offer=offer,
    )
    return SignedReceipt(receipt, b"s" * 32, Signature(bytes(64)))


def test_one_line_in_a_hundred_goes_back_within_a_week() -> None:
    baskets = [BasketId(number) for number in range(1, 5_001)]
    assert 400 < sum(len(choose_lines(basket, 10)) for basket in baskets) < 600
    days = {choose_day(basket, START) - START for basket in baskets}
    assert days == {day * DAY_SECONDS for day in range(1, 8)}
    assert (choose_lines(BOTH_LINES, 2), choose_lines(SECOND_LINE, 2), choose_lines(NO_LINE, 2)) == ((0, 1), (1,), ())


@pytest.mark.parametrize(("tier", "points"), [(0, 101), (1, 126), (2, 151)])
def test_the_points_of_what_goes_back_are_what_the_rest_does_not_earn(tier: int, points: int) -> None:
    signed = make_purchase(2_019, tier)  # 201 points, 251, 301
    back = bring_back(HOUSEHOLD, SECOND_LINE, WEEK, signed, [1_008, 1_011])  # of 10.08: 100, 125, 150
    assert back is not None
    assert (back.points, back.lines, back.time) == (points, 1, START + 2 * DAY_SECONDS)
    assert bring_back(HOUSEHOLD, NO_LINE, WEEK, signed, [1_008, 1_011]) is None


def test_a_return_is_signed_by_till_and_fan() -> None:
    back = bring_back(HOUSEHOLD, BOTH_LINES, WEEK, make_purchase(2_000), [500, 1_500])
    assert back is not None and back.points == 200
    signed = sign_return(FACTS, PROGRAM, back, back.time)
    assert return_is_signed(signed, FACTS.chain_id)
    assert signed.returned.receipt == receipt_hash(back.signed.receipt, back.signed.salt)
    assert (signed.returned.points, signed.returned.time) == (200, back.time)


# --- the desk ---


PLAN = make_plan(START, Timestamp(START + 20 * DAY_SECONDS))


@pytest.fixture
def desk(tmp_path: Path) -> ReturnDesk:
    return ReturnDesk(Assignment(FACTS, PROGRAM, {}, PLAN, tmp_path / "receipts"))


def file_entry(desk: ReturnDesk, week: int, points: int) -> Opening:
    """An entry of so many points, settled in a batch of its own."""
    item = (receipt_hash(make_purchase(week).receipt, b"s" * 32), Points(points))
    entry, opening = seal_entry(FAN.address, week, [item])
    batch = build(FACTS, "earn", Earn(PROGRAM, (entry,)), open_brand().settlement, valid_from=Height(week))
    desk.file_batch(batch, [opening])
    return opening


def list_reversals(signed: Sequence[Signed]) -> list[tuple[int, int]]:
    """(week of the entry, points) of each reversal."""
    payloads = [decode_transaction(one.raw, FACTS.chain_id).payload for one in signed]
    assert all(isinstance(payload, Reverse) for payload in payloads)
    assert [payload.points for payload in payloads] == [one.points for one in signed]
    return [(payload.place.period, payload.points) for payload in payloads]


def bring(cents: int, basket: BasketId) -> BroughtBack:
    """A purchase of one line on the week's first day, all of which goes back."""
    back = bring_back(HOUSEHOLD, basket, WEEK, make_purchase(cents), [cents])
    assert back is not None
    return back


def test_a_return_waits_for_the_week_in_which_it_came(desk: ReturnDesk) -> None:
    desk.take(None)
    desk.take(bring(1_000, SIX_DAYS_ON))
    file_entry(desk, WEEK, 300)
    signed, figures = desk.post(WEEK - 1, Height(9), is_last=False)
    assert (signed, figures) == ((), Returned())
    signed, figures = desk.post(WEEK, Height(9), is_last=False)
    assert list_reversals(signed) == [(WEEK, 100)]
    assert (signed[0].height, signed[0].household) == (10, HOUSEHOLD)
    assert figures == Returned(lines=1, returns=1, points_signed=100)
    assert desk.post(WEEK + 1, Height(200), is_last=True) == ((), Returned())


def test_an_entry_gives_no_more_than_it_gave(desk: ReturnDesk) -> None:
    for cents in (1_000, 1_500, 2_000):
        desk.take(bring(cents, SIX_DAYS_ON))
    file_entry(desk, WEEK, 180)
    signed, figures = desk.post(WEEK, Height(9), is_last=False)
    assert list_reversals(signed) == [(WEEK, 100), (WEEK, 80)]
    assert (figures.points_signed, figures.points_beyond_entries) == (450, 270)


def test_what_was_carried_on_comes_out_of_the_next_entry(desk: ReturnDesk) -> None:
    later = bring_back(HOUSEHOLD, FOUR_DAYS_ON, WEEK, make_purchase(2_000, time=START + 6 * DAY_SECONDS), [2_000])
    assert later is not None and PERIODS.period_of(later.time) == WEEK + 1
    desk.take(later)
    for week, points in ((WEEK - 1, 500), (WEEK, 60), (WEEK + 1, 500)):
        file_entry(desk, week, points)
    assert list_reversals(desk.post(WEEK, Height(9), is_last=False)[0]) == []
    assert list_reversals(desk.post(WEEK + 1, Height(200), is_last=False)[0]) == [(WEEK, 60), (WEEK + 1, 140)]


def test_at_the_end_everything_comes_back(desk: ReturnDesk) -> None:
    later = bring_back(HOUSEHOLD, FOUR_DAYS_ON, WEEK, make_purchase(2_000, time=START + 6 * DAY_SECONDS), [2_000])
    desk.take(later)
    file_entry(desk, WEEK, 500)
    signed, _ = desk.post(WEEK, Height(160), is_last=True)
    assert list_reversals(signed) == [(WEEK, 200)]
    payload = decode_transaction(signed[0].raw, FACTS.chain_id).payload
    assert payload.returned.time <= PLAN.times[160]


def test_what_earned_nothing_takes_no_signature(desk: ReturnDesk) -> None:
    desk.take(bring(9, SIX_DAYS_ON))
    file_entry(desk, WEEK, 300)
    assert desk.post(WEEK, Height(9), is_last=True) == ((), Returned(lines=1, returns=1, without_points=1))


def test_entries_without_points_are_not_cited(desk: ReturnDesk) -> None:
    signed = sign_return(FACTS, PROGRAM, bring(1_000, SIX_DAYS_ON), START)
    opening = file_entry(desk, WEEK, 0)
    assert cite_entries(signed, Points(100), [(opening, Points(0))]) == ([], 100)


# --- bonuses of offers ---


@pytest.mark.parametrize(("first", "second", "bonus"), [(2_000, 1_999, 0), (1_999, 2_000, 150)])
def test_a_bonus_goes_back_where_the_rest_is_too_small_for_it(first: int, second: int, bonus: int) -> None:
    signed = make_purchase(first + second)
    back = bring_back(HOUSEHOLD, SECOND_LINE, WEEK, signed, [first, second], OFFER)
    assert back is not None and back.bonus == bonus


def test_one_return_takes_purchase_and_bonus_back(desk: ReturnDesk) -> None:
    signed = make_purchase(2_500, offer=OFFER.offer_id)
    back = bring_back(HOUSEHOLD, SIX_DAYS_ON, WEEK, signed, [2_500], OFFER)
    assert back is not None
    desk.take(back)
    file_entry(desk, WEEK, 300)
    posted, figures = desk.post(WEEK, Height(9), is_last=False)
    assert [(one.kind, one.points) for one in posted] == [("reverse", 250), ("offer.reverse", 150)]
    assert (figures.points_signed, figures.bonuses) == (250, 1)
    first, second = (decode_transaction(one.raw, FACTS.chain_id).payload for one in posted)
    assert (second.offer, second.points, second.returned.points) == (OFFER.offer_id, 150, 400)
    assert return_is_signed(SignedReturn(second.returned, second.signature, second.consent), FACTS.chain_id)
    assert second.returned == first.returned
