"""The cap of a member's settlement period (spec TIER-3)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import pack
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP, ENTRY_PERIOD_CAP, ENTRY_REDUCED
from ledger.domains.loyalty.earn_answer_contest import NOT_IN_BATCH
from ledger.domains.loyalty.events import BatchSettled, PointsEarned
from ledger.domains.loyalty.issuance import ISSUANCE_CAP
from ledger.domains.loyalty.period_caps import cap_points, count_credited
from ledger.domains.loyalty.state import SETTLED_IN_TIME, PeriodCap, RatePerAmount, batch_key
from ledger.hashing import object_id
from ledger.merkle import leaf_hash, root
from ledger.params import PERIOD_CREDITS_MAX
from ledger.types import Day, Points, Timestamp
from tests.support.contests import answer, contest, contest_id, contest_of, pass_answer, pass_grace, settle, sign
from tests.support.memory_chain import GENESIS_DAY
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, TILL, Shop, make_terms

RATE = RatePerAmount(Points(1), 10)
WEEK = GENESIS_DAY // 7


def capped(points: int, *, rejects: bool = False, **terms: Any) -> Shop:
    shop = Shop(rules=(RATE, PeriodCap(Points(points), rejects)), **terms)
    shop.join(FAN, FRIEND)
    return shop


def test_an_entry_is_cut_to_what_is_left_of_the_cap() -> None:
    shop = capped(700)
    codes = shop.settle(shop.entry(FAN, 500), shop.entry(FRIEND, 700), shop.entry(FAN, 300), shop.entry(FAN, 40))
    assert codes == ("", "", ENTRY_REDUCED.name, ENTRY_REDUCED.name)
    earned = [event for event in shop.chain.events if isinstance(event, PointsEarned)]
    assert [(event.points, event.kept_back) for event in earned] == [(500, 0), (700, 0), (200, 100), (0, 40)]
    settled = shop.chain.events[-1]
    assert isinstance(settled, BatchSettled)
    assert (settled.skipped, settled.points) == (0, 1_400)
    member = shop.member(FAN)
    assert (shop.points_of(FAN), member.entries) == (700, 3)
    assert member.remainder == shop.entry(FAN, 40).remainder
    begins = shop.terms_of_program.day_start(shop.today)
    assert member.period_credits == ((begins, 700),)
    assert shop.earn(FAN, 0) == ("",)
    shop.pass_days(1)
    assert shop.earn(FAN, 700) == ("",)
    shop.chain.replay()


def test_the_leaf_of_a_reduced_entry_holds_the_points_that_were_given() -> None:
    shop = capped(100)
    entry = shop.entry(FAN, 250)
    assert shop.settle(entry) == (ENTRY_REDUCED.name,)
    batch = shop.chain.record(batch_key(object_id("earn", shop.chain.last_txid, 0)))
    row = (0, FAN.address, entry.period, 250, entry.receipts, entry.remainder, b"", ENTRY_REDUCED.name)
    assert batch.entries_root == root([leaf_hash(pack(row))])
    shop.chain.replay()


def test_a_cap_that_rejects_skips_the_entry() -> None:
    shop = capped(700, rejects=True)
    codes = shop.settle(shop.entry(FAN, 500), shop.entry(FAN, 201), shop.entry(FAN, 200), shop.entry(FAN, 1))
    assert codes == ("", ENTRY_PERIOD_CAP.name, "", ENTRY_PERIOD_CAP.name)
    assert (shop.points_of(FAN), shop.member(FAN).entries) == (700, 2)
    shop.chain.replay()


def test_the_cap_comes_before_the_others_which_read_what_it_leaves() -> None:
    shop = capped(100, issuance_cap=Points(250))
    shop.grant(TILL, daily_cap=150)
    assert shop.earn(FAN, 10_000) == (ENTRY_REDUCED.name,)
    assert shop.earn(FRIEND, 10_000) == (ENTRY_DAILY_CAP.name,)
    shop.grant(TILL, daily_cap=10_000)
    assert shop.earn(FRIEND, 10_000) == (ENTRY_REDUCED.name,)
    shop.pass_days(1)
    assert shop.earn(FAN, 10_000) == (ISSUANCE_CAP.name,)
    shop.chain.replay()
    rejecting = capped(100, rejects=True, issuance_cap=Points(50))
    assert rejecting.earn(FAN, 101) == (ENTRY_PERIOD_CAP.name,)
    assert rejecting.earn(FAN, 100) == (ISSUANCE_CAP.name,)
    rejecting.chain.replay()


def test_each_period_has_its_own_cap_also_when_late_ones_come_between() -> None:
    shop = capped(100, period_days=7)
    shop.chain.advance(days=40)
    for period in (WEEK + 3, WEEK + 1, WEEK + 3, WEEK, WEEK + 1):
        shop.earn(FAN, 60, period=period)
    begins = [shop.terms_of_program.day_start(Day(GENESIS_DAY)) + 7 * 86_400 * ahead for ahead in (0, 1, 3)]
    assert shop.member(FAN).period_credits == tuple(zip(begins, (60, 100, 100), strict=True))
    shop.chain.replay()


def test_a_reduced_entry_answers_a_contest() -> None:
    """What the cap takes off an entry is no fault of the entry: its receipts are settled."""
    shop = capped(700)
    receipts = [sign(shop, sequence=number) for number in (1, 2)]
    settled = settle(shop, receipts)
    assert settled.code == ENTRY_REDUCED.name
    pass_grace(shop)
    contest(shop, receipts[0])
    answer(shop, settled, receipts[0])
    found = contest_of(shop, contest_id(receipts[0]))
    assert (found.outcome, found.credited, shop.points_of(FAN)) == (SETTLED_IN_TIME, 0, 700)
    shop.chain.replay()


def test_contests_stay_outside_of_the_cap() -> None:
    shop = capped(700, rejects=True)
    receipts = [sign(shop, sequence=number) for number in (1, 2)]
    rejected = settle(shop, receipts)
    assert rejected.code == ENTRY_PERIOD_CAP.name
    assert shop.earn(FAN, 700) == ("",)
    pass_grace(shop)
    for signed in receipts:
        contest(shop, signed)
    with refused(NOT_IN_BATCH):
        answer(shop, rejected, receipts[0])
    pass_answer(shop)
    shop.chain.mine()
    assert shop.points_of(FAN) == 1_700
    shop.chain.replay()


@given(
    st.integers(1, 1_000),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900)), max_size=60),
)
def test_no_period_is_credited_more_than_its_cap(most: int, rejects: bool, entries: list[tuple[int, int]]) -> None:
    terms = make_terms(rules=(RATE, PeriodCap(Points(most), rejects)))
    credits: tuple[tuple[int, int], ...] = ()
    totals: dict[int, int] = {}
    for period, points in entries:
        begins = Timestamp(period * 100)
        found = cap_points(credits, terms, begins, Points(points))
        assert found.points <= points
        assert found.is_rejected == (rejects and found.points < points)
        if found.is_rejected or not found.points:
            continue
        credits = count_credited(credits, terms, begins, found.points)
        totals[period] = totals.get(period, 0) + found.points
        assert totals[period] <= most
    assert len(credits) <= PERIOD_CREDITS_MAX


@pytest.mark.parametrize("begins", [-500, 0])
def test_the_first_period_of_all_begins_at_zero(begins: int) -> None:
    terms = make_terms(rules=(RATE, PeriodCap(Points(5), rejects=False)))
    assert count_credited((), terms, Timestamp(begins), Points(3)) == ((0, 3),)
    assert cap_points(((0, 3),), terms, Timestamp(begins), Points(3)).points == 2


def test_the_oldest_period_is_forgotten() -> None:
    terms = make_terms(rules=(RATE, PeriodCap(Points(5), rejects=False)))
    credits: tuple[tuple[int, int], ...] = ()
    for begins in (500, 100, 300, 200, 400):
        credits = count_credited(credits, terms, Timestamp(begins), Points(1))
    assert credits == ((200, 1), (300, 1), (400, 1), (500, 1))
