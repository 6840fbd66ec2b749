"""The end of contests: credit, repayment, records that go; and the ways to cheat, on either side."""

from dataclasses import replace

import pytest

from ledger.coin import contest_fee
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.contests import lot_days, with_claim
from ledger.domains.loyalty.earn_answer_contest import CLOSED, NOT_IN_BATCH
from ledger.domains.loyalty.earn_contest import ALREADY, NOT_A_TILL, TILL_CAP, TOO_LATE, WRONG_VERSION
from ledger.domains.loyalty.events import ContestDecided
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.periods import period_at
from ledger.domains.loyalty.program_update import CAP_BELOW_ISSUED, ProgramUpdate
from ledger.domains.loyalty.state import (
    NEVER,
    SCOPE_TILL,
    SETTLED_IN_TIME,
    SETTLED_SHORT,
    UNSETTLED,
    Grant,
    NeverExpires,
    batch_key,
    books_key,
)
from ledger.params import CONTEST_DAYS_KEPT, CONTESTS_RESERVED
from ledger.transaction import BAD_ATTESTATION, Prepaid
from ledger.types import INTEGER_MAX, Amount, Day, Points, Timestamp
from tests.support.contests import (
    GRACE_DAYS,
    answer,
    contest,
    contest_id,
    contest_of,
    grant_of,
    pass_answer,
    pass_grace,
    settle,
    sign,
)
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER, POOR, TILL, Shop, make_terms


def leave(shop: Shop, fan: Signer = FAN) -> None:
    shop.chain.send("member.leave", MemberLeave(shop.program), author=fan, payment=Prepaid())


def revoke(shop: Shop, till: Signer = TILL) -> None:
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, till.address), author=OWNER)


# --- an issuer that never answers ---------------------------------------------------------------------------------------


def test_an_issuer_that_never_answers_pays_from_the_reserve(shop: Shop) -> None:
    shop.join(POOR)
    signed = sign(shop, POOR)
    pass_grace(shop)
    before, prepaid = shop.books, shop.member(POOR).prepaid
    which = contest(shop, signed, fan=POOR)
    pass_answer(shop)
    found = contest_of(shop, which)
    assert (found.outcome, found.credited) == (UNSETTLED, 500)
    today = shop.today
    assert shop.member(POOR).lots == ((1, today, today + 30, 500),)
    assert shop.points_of(POOR) == 500
    assert (shop.books.issued, shop.books.available) == (500, 500)
    assert shop.books.contest_points == before.contest_points - 500
    assert (shop.books.contest_points_credited, shop.books.contests_open) == (500, 0)
    assert shop.books.contest_coin == before.contest_coin - contest_fee(shop.chain.params)
    assert shop.member(POOR).prepaid == prepaid - shop.chain.params.record_deposit
    events = [event for block in shop.chain.mined for _, event in block.transition.events]
    assert events[-1] == ContestDecided(
        shop.program, POOR.address, which, UNSETTLED, Points(500), found.repaid, today, Day(today + 30)
    )
    shop.pass_days(40)
    assert contest_of(shop, which) is None
    assert shop.member(POOR).prepaid == prepaid


def test_who_paid_for_the_contest_itself_gets_its_coin_back(shop: Shop) -> None:
    shop.join(FAN)
    signed = sign(shop)
    pass_grace(shop)
    coin = shop.coin_of(FAN)
    which = contest(shop, signed, payment=None)
    repaid = contest_of(shop, which).repaid
    assert shop.coin_of(FAN) == coin - repaid - 10_000
    pass_answer(shop)
    assert shop.coin_of(FAN) == coin - 10_000
    shop.pass_days(40)
    assert shop.coin_of(FAN) == coin


def test_what_a_pool_paid_goes_back_to_the_pool(shop: Shop) -> None:
    shop.join(FAN)
    signed = sign(shop)
    pass_grace(shop)
    contest(shop, signed, payment=shop.sponsored)
    pool, coin = shop.books.pool, shop.books.contest_coin
    pass_answer(shop)
    assert (shop.books.pool, shop.books.contest_coin) == (pool, coin)
    shop.pass_days(40)
    assert shop.books.pool == pool + 10_000


@pytest.mark.parametrize(("coin", "pool"), [(10_000, 0), (9_999, 10), (0, 10_000), (0, 7_000), (0, 0)])
def test_an_empty_reserve_of_coin_is_made_up_by_the_pool(shop: Shop, coin: int, pool: int) -> None:
    shop.join(FAN)
    signed = sign(shop)
    pass_grace(shop)
    which = contest(shop, signed)
    shop.chain.advance(seconds=15 * DAY_SECONDS, blocks=144)
    execution = shop.chain.execute
    stored = shop.chain.state.records[books_key(shop.program)]
    poor = replace(stored.record, contest_coin=Amount(coin), pool=Amount(pool))
    shop.chain.state.records[books_key(shop.program)] = replace(stored, record=poor)
    overlay = execution().overlay
    shop.chain.state.records[books_key(shop.program)] = stored
    books = overlay.get(books_key(shop.program))
    expected = min(10_000, coin + pool)
    decided = [event for event in overlay.events if isinstance(event, ContestDecided)]
    assert [(event.contest, event.repaid) for event in decided] == [(which, expected)]
    assert (books.contest_coin, books.pool) == (max(coin - 10_000, 0), pool - max(expected - coin, 0))


# --- the ways to cheat: the issuer --------------------------------------------------------------------------------------


def test_points_missing_from_the_entry(shop: Shop) -> None:
    """The till promised 500, the entry holds the receipt with 100: the rest comes out of the reserve."""
    shop.join(FAN)
    signed = sign(shop)
    settled = settle(shop, [signed], given={1: 100})
    pass_grace(shop)
    contest(shop, signed)
    with refused(NOT_IN_BATCH):
        answer(shop, settled, signed, receipt_points=Points(500))
    answer(shop, settled, signed)
    assert (contest_of(shop, contest_id(signed)).outcome, shop.points_of(FAN)) == (SETTLED_SHORT, 500)


def test_a_receipt_left_out_of_the_entry(shop: Shop) -> None:
    """No path leads from a receipt that is not in the tree, and another receipt's path is none."""
    shop.join(FAN)
    kept, left_out = sign(shop), sign(shop, sequence=2)
    settled = settle(shop, [kept])
    pass_grace(shop)
    contest(shop, left_out)
    foreign = replace(settled.answer(kept), contest=contest_id(left_out))
    with refused(NOT_IN_BATCH):
        shop.chain.send("earn.answer_contest", foreign, author=OWNER)
    pass_answer(shop)
    assert contest_of(shop, contest_id(left_out)).outcome == UNSETTLED
    assert shop.points_of(FAN) == 1_000


def test_a_receipt_settled_twice_is_credited_once_by_a_contest(shop: Shop) -> None:
    """Settled in time, contested all the same, and settled again during the contest: the first entry rebuts."""
    shop.join(FAN)
    signed = sign(shop)
    first = settle(shop, [signed])
    pass_grace(shop)
    contest(shop, signed)
    settle(shop, [signed], period=shop.today - GRACE_DAYS)
    answer(shop, first, signed)
    assert contest_of(shop, contest_id(signed)).outcome == SETTLED_IN_TIME
    assert shop.books.contest_points_credited == 0


def test_an_entry_of_another_member_is_no_answer(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    signed = sign(shop)
    settled = settle(shop, [signed], fan=FRIEND)
    pass_grace(shop)
    contest(shop, signed)
    with refused(NOT_IN_BATCH):
        answer(shop, settled, signed)


def test_lowering_caps_or_the_cap_on_issuance_does_not_stop_a_contest() -> None:
    """Outside caps: the issuance cap is used up, the settlement key has no cap left, and the points come all the same."""
    shop = Shop(issuance_cap=Points(10_000), settle_grace_days=0)
    shop.join(FAN)
    shop.earn(FAN, 10_000)
    signed = sign(shop)
    shop.chain.mine()
    shop.grant(TILL, daily_cap=0)
    pass_grace(shop)
    contest(shop, signed)
    pass_answer(shop)
    assert shop.books.issued == 10_500
    assert shop.points_of(FAN) == 10_500
    shop.grant(TILL)
    assert shop.earn(FAN, 1) == ("earn.issuance_cap",)
    raised = make_terms(issuance_cap=Points(10_001), settle_grace_days=0)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, raised), author=OWNER)
    assert (shop.books.contest_points, shop.books.contest_points_locked) == (501, 1_001)
    assert shop.earn(FAN, 1) == ("",)
    with refused(CAP_BELOW_ISSUED, issued=10_001):
        lowered = make_terms(issuance_cap=Points(10_000), settle_grace_days=0)
        shop.chain.send("program.update", ProgramUpdate(shop.program, 2, lowered), author=OWNER)
    shop.chain.replay()


def test_the_reserve_never_falls_when_the_cap_does(shop: Shop) -> None:
    before = shop.books
    lower = make_terms(issuance_cap=Points(500))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, lower), author=OWNER)
    assert shop.books.contest_points_locked == before.contest_points_locked == 100_000_000
    assert shop.books.contest_coin == CONTESTS_RESERVED * contest_fee(shop.chain.params)


def test_an_answer_that_comes_too_late_is_none_even_where_due_work_waits(shop: Shop) -> None:
    shop.join(FAN)
    signed = sign(shop)
    settled = settle(shop, [signed])
    pass_grace(shop)
    contest(shop, signed)
    shop.chain.advance(seconds=15 * DAY_SECONDS, blocks=144)
    with refused(CLOSED):
        answer(shop, settled, signed)


# --- the ways to cheat: the fan, and a till ------------------------------------------------------------------------------


def test_another_members_receipt_was_not_signed_for_the_author(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    signed = sign(shop, FRIEND)
    pass_grace(shop)
    with refused(BAD_ATTESTATION):
        contest(shop, signed, fan=FAN)
    contest(shop, signed, fan=FRIEND)


def test_a_receipt_contested_twice(shop: Shop) -> None:
    """Not while it is open, nor after it was decided, until the last deadline; then it is too old."""
    shop.join(FAN)
    signed = sign(shop)
    settled = settle(shop, [signed])
    pass_grace(shop)
    contest(shop, signed)
    with refused(ALREADY):
        contest(shop, signed)
    answer(shop, settled, signed)
    with refused(ALREADY):
        contest(shop, signed, wrong_points=True)
    pass_answer(shop)
    with refused(ALREADY):
        contest(shop, signed)
    shop.pass_days(40)
    assert contest_of(shop, contest_id(signed)) is None
    with refused(TOO_LATE):
        contest(shop, signed)


def test_a_receipt_under_an_old_version(shop: Shop) -> None:
    """Terms that were replaced long ago give nothing, whoever signed them: the till's clock is no excuse after 72 hours."""
    shop.join(FAN)
    worse = make_terms(notice_days=10, remainder_max=Points(101))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, worse), author=OWNER)
    shop.pass_days(10)
    shop.chain.advance(days=4)
    old, new = sign(shop, terms_version=1), sign(shop, sequence=2, terms_version=2)
    pass_grace(shop)
    with refused(WRONG_VERSION, version=1):
        contest(shop, old)
    with refused(WRONG_VERSION, version=1):
        contest(shop, replace(old), wrong_points=True)
    contest(shop, new)


def test_a_stolen_till_is_worth_its_cap_a_day_and_nothing_after_revocation(shop: Shop) -> None:
    """The thief back-dates: of each day of the grant it gets the cap, shared with the honest receipts, and no more."""
    shop.join(FAN)
    stolen = Signer.named("stolen till")
    shop.grant(stolen, scopes=SCOPE_TILL, daily_cap=1_000)
    since = grant_of(shop, stolen).granted_at
    shop.chain.advance(days=2)
    revoke(shop, stolen)
    until = grant_of(shop, stolen).revoked_at
    times = [since - 1, since, since + 5, since + 6, since + DAY_SECONDS, until, until + 1, until + 5]
    shop.chain.mine()
    receipts = [
        sign(shop, till=stolen, sequence=number, points=600, time=Timestamp(time)) for number, time in enumerate(times)
    ]
    pass_grace(shop, GRACE_DAYS + 1)
    expected = (NOT_A_TILL, None, TILL_CAP, TILL_CAP, None, None, NOT_A_TILL, NOT_A_TILL)
    for signed, code in zip(receipts, expected, strict=True):
        if code is None:
            contest(shop, signed, payment=None)
        else:
            with refused(code):
                contest(shop, signed, payment=None)
    shop.grant(stolen, scopes=SCOPE_TILL, daily_cap=INTEGER_MAX)
    with refused(TILL_CAP):
        contest(shop, receipts[3], payment=None)
    assert sum(points for _, points in grant_of(shop, stolen).contested) == 1_800


def test_a_fan_that_left_is_credited_all_the_same(shop: Shop) -> None:
    shop.join(POOR)
    signed = sign(shop, POOR)
    leave(shop, POOR)
    pass_grace(shop)
    contest(shop, signed, fan=POOR)
    pass_answer(shop)
    assert contest_of(shop, contest_id(signed)).outcome == UNSETTLED
    assert shop.points_of(POOR) == 500
    assert shop.books.members == 0
    reward = shop.list_reward(price=500)
    shop.chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(50_000)), author=OWNER)
    shop.redeem(POOR, reward)


def test_what_was_netted_off_chain_is_made_up(shop: Shop) -> None:
    """A receipt below 0 is no return: it earns nothing and takes nothing. The purchase is answered with the entry that settled it,
    and one that the shop netted by itself is made up; what a return does is in `test_reverse`.
    """
    shop.join(FAN)
    bought, returned = sign(shop), sign(shop, sequence=2, net_cents=-5_000, points=0)
    netted = sign(shop, sequence=3)
    settled = settle(shop, [bought, returned])
    off_chain = settle(shop, [netted], given={3: 0})
    pass_grace(shop)
    contest(shop, bought)
    contest(shop, netted)
    answer(shop, settled, bought)
    answer(shop, off_chain, netted)
    outcomes = [contest_of(shop, contest_id(signed)).outcome for signed in (bought, netted)]
    assert outcomes == [SETTLED_IN_TIME, SETTLED_SHORT]
    assert shop.points_of(FAN) == 1_000


# --- what is kept, and how long -----------------------------------------------------------------------------------------


def test_batches_are_kept_while_a_contest_is_open(shop: Shop) -> None:
    """After an outage of months the blocks to answer are still to come, and so is the proof."""
    shop.join(FAN)
    signed = sign(shop)
    settled = settle(shop, [signed])
    pass_grace(shop)
    contest(shop, signed)
    shop.chain.advance(days=120)
    shop.chain.mine(3)
    assert shop.chain.record(batch_key(settled.batch)) is not None
    answer(shop, settled, signed)
    shop.pass_days(2)
    assert shop.chain.record(batch_key(settled.batch)) is None


def test_batches_outlive_contests_where_periods_were_shortened() -> None:
    shop = Shop(period_days=28, settle_grace_days=31, notice_days=0)
    shop.join(FAN)
    signed = sign(shop)
    length_before = period_at(shop.terms_of_program, make_terms(period_days=28), signed.receipt.time)
    shorter = make_terms(period_days=1, settle_grace_days=0, notice_days=0)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, shorter), author=OWNER)
    shop.chain.mine()
    settled = settle(shop, [signed], period=shop.today)
    batch = shop.chain.record(batch_key(settled.batch))
    assert batch.keep_until == length_before.ends + 31 * DAY_SECONDS + 45 * DAY_SECONDS
    shop.chain.replay()


def test_claims_of_days_long_past_are_forgotten() -> None:
    grant = Grant(b"", Amount(0), 1, Points(0), Timestamp(0), Timestamp(0), Day(0), Points(0), (), ((10, 5), (11, 7)))
    today = Day(11 + CONTEST_DAYS_KEPT)
    assert with_claim(grant, Day(12), 3, today).contested == ((11, 7), (12, 3))
    assert with_claim(grant, Day(11), -7, today).contested == ()
    assert with_claim(grant, Day(10), -5, today).contested == ((11, 7),)
    assert with_claim(grant, Day(10), 0, today).contested == ((11, 7),)


def test_a_credited_lot_waits_no_longer_than_a_settled_one(shop: Shop) -> None:
    program = shop.terms_of_program
    terms = make_terms(activation_delay_days=20)
    period = period_at(program, terms, shop.now)
    early, late = Day(period.end_day + 5), Day(period.end_day + 25)
    assert lot_days(terms, period, early) == (period.end_day + 20, early + 30)
    assert lot_days(terms, period, late) == (late, late + 30)
    assert lot_days(replace(terms, expiry=NeverExpires()), period, late) == (late, NEVER)


def test_nothing_is_issued_beyond_what_a_number_holds(shop: Shop) -> None:
    """The reserve lies outside of the cap, and the cap may be as large as numbers go: then a contest credits what has room."""
    shop = Shop(issuance_cap=Points(INTEGER_MAX))
    shop.join(FAN)
    short, silent = sign(shop), sign(shop, sequence=2)
    settled = settle(shop, [short], given={1: 0})
    assert shop.earn(FAN, INTEGER_MAX - 100) == ("",)
    pass_grace(shop)
    contest(shop, short)
    contest(shop, silent)
    answer(shop, settled, short)
    assert contest_of(shop, contest_id(short)).credited == 100
    pass_answer(shop)
    assert contest_of(shop, contest_id(silent)).credited == 0
    assert shop.books.issued == INTEGER_MAX
    assert shop.earn(FAN, 1) == ("earn.issuance_cap",)
    shop.chain.replay()
