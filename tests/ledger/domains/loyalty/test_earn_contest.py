"""`earn.contest`: what it opens, when it may be filed, what is set aside, and who pays."""

from dataclasses import replace
from typing import Any

import pytest

from ledger import keys
from ledger.coin import INSUFFICIENT, contest_fee, exit_fee
from ledger.domains.loyalty.contests import CONTEST_DUE, NONE_PREPAID, PERIOD_LIMIT
from ledger.domains.loyalty.earn_contest import (
    AFTER_LEAVING,
    ALREADY,
    BEFORE_JOINING,
    EARN_CONTEST,
    FUTURE,
    NOT_A_TILL,
    NOTHING_OWED,
    RESERVE_EMPTY,
    TILL_CAP,
    TOO_EARLY,
    TOO_LATE,
    WRONG_VERSION,
    EarnContest,
    WrongPoints,
)
from ledger.domains.loyalty.events import ContestOpened
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.receipts import BAD_RECEIPT, receipt_hash
from ledger.domains.loyalty.state import (
    NO_MEMBER,
    NO_PROGRAM,
    OPEN,
    SCOPE_SETTLE,
    SCOPE_TILL,
    RatePerAmount,
    books_key,
    contest_key,
    grant_key,
    member_key,
    program_key,
)
from ledger.errors import Malformed
from ledger.fees import EXIT_TOO_HEAVY
from ledger.params import (
    CONTEST_ANSWER_BLOCKS_MIN,
    CONTEST_ANSWER_SECONDS,
    CONTEST_KEEP_SECONDS,
    CONTEST_SECONDS,
    CONTEST_WEIGHT,
    CONTESTS_PREPAID,
)
from ledger.schema import WRONG_COUNT
from ledger.transaction import OwnFee, Prepaid, encode_body, signature_checks
from ledger.types import Amount, Day, Points, ProgramId
from tests.support.contests import (
    contest,
    contest_id,
    contest_of,
    grant_of,
    pass_grace,
    payload_of,
    settle_by,
    sign,
)
from tests.support.due_queue import queued
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, TILL, Shop, make_terms


def move_to(shop: Shop, time: int) -> None:
    shop.chain.advance(seconds=time - shop.now)


def leave(shop: Shop, fan: Signer = FAN) -> None:
    shop.chain.send("member.leave", MemberLeave(shop.program), author=fan, payment=Prepaid())


def test_a_contest_sets_aside_what_is_owed_and_names_the_deadlines(shop: Shop) -> None:
    shop.join(FAN)
    signed = sign(shop)
    pass_grace(shop)
    before, now, height = shop.books, shop.now, shop.chain.height
    which = contest(shop, signed)
    found = contest_of(shop, which)
    assert (found.member, found.till, found.sequence, found.points) == (FAN.address, TILL.address, 1, 500)
    assert found.receipt == receipt_hash(signed.receipt, signed.salt)
    assert (found.outcome, found.credited, found.claim, found.time) == (OPEN, 0, 0, signed.receipt.time)
    assert (found.opened_at, found.settle_by) == (now, settle_by(shop, signed.receipt.time))
    assert found.answer_by == now + CONTEST_ANSWER_SECONDS
    assert found.answer_height == height + CONTEST_ANSWER_BLOCKS_MIN
    assert found.keep_until == found.settle_by + CONTEST_KEEP_SECONDS
    assert (shop.books.contest_points, shop.books.contests_open) == (before.contest_points - 500, 1)
    assert shop.books.issued == 0
    day = shop.terms_of_program.day_at(signed.receipt.time)
    assert grant_of(shop).contested == ((day, 500),)
    assert shop.chain.events == (
        ContestOpened(shop.program, FAN.address, which, TILL.address, 1, 0, Points(500), found.answer_by),
    )
    assert shop.chain.events[0].subjects() == (shop.program, FAN.address, which)


def test_a_fan_without_coin_contests_with_what_joining_paid_for(shop: Shop) -> None:
    shop.join(POOR)
    signed = sign(shop, POOR)
    pass_grace(shop)
    fee, deposit = contest_fee(shop.chain.params), shop.chain.params.record_deposit
    before = shop.member(POOR)
    assert before.prepaid == exit_fee(shop.chain.params) + CONTESTS_PREPAID * (fee + deposit)
    locked = shop.chain.state.chain.locked
    which = contest(shop, signed, fan=POOR)
    assert shop.member(POOR).prepaid == before.prepaid - fee - deposit
    assert shop.chain.mined[-1].payees[0][1] == 5_000_000 + fee
    assert shop.chain.state.chain.locked == locked - fee
    found = contest_of(shop, which)
    assert (found.payer, found.deposit, found.repaid) == (b"", deposit, fee)
    assert shop.member(POOR).contest_count == 1


def test_what_a_contest_weighs_fits_what_was_prepaid(shop: Shop) -> None:
    shop.join(FAN)
    thirty = tuple((f"code{number:02}{'x' * 26}", 2**40 + number) for number in range(30))
    signed = sign(shop, points=499, codes=thirty)
    pass_grace(shop)
    payload = payload_of(signed, wrong_points=True)
    transaction = shop.chain.sign("earn.contest", payload, author=FAN, payment=Prepaid())
    assert 3_000 < transaction.weight <= CONTEST_WEIGHT
    assert len(signature_checks(transaction, shop.chain.chain_id)) == 2
    shop.chain.block(transaction)
    codes = tuple((f"code{number:02}{'x' * 26}", number) for number in range(64))
    heavy = sign(shop, points=499, codes=codes, sequence=2, time=signed.receipt.time)
    with refused(EXIT_TOO_HEAVY, maximum=CONTEST_WEIGHT):
        contest(shop, heavy, wrong_points=True)
    contest(shop, heavy, wrong_points=True, payment=None)


def test_a_contest_that_the_fan_pays_for_locks_a_deposit_of_its_own(shop: Shop) -> None:
    shop.join(FAN)
    signed, coin = sign(shop), shop.coin_of(FAN)
    pass_grace(shop)
    which = contest(shop, signed, payment=None)
    found = contest_of(shop, which)
    fee = shop.chain.mined[-1].transactions[0].body.payment
    assert isinstance(fee, OwnFee)
    assert (found.payer, found.deposit, found.repaid) == (b"A" + FAN.address, 10_000, fee.fee)
    assert shop.coin_of(FAN) == coin - fee.fee - 10_000
    assert shop.member(FAN).contest_count == 0


def test_no_more_is_repaid_than_a_contest_costs_and_nothing_where_the_pool_paid(shop: Shop) -> None:
    shop.join(FAN)
    first, second = sign(shop), sign(shop, sequence=2)
    pass_grace(shop)
    which = contest(shop, first, payment=OwnFee(Amount(1_000_000)))
    assert contest_of(shop, which).repaid == contest_fee(shop.chain.params)
    which = contest(shop, second, payment=shop.sponsored)
    assert (contest_of(shop, which).repaid, contest_of(shop, which).payer) == (0, b"P" + shop.program)


def test_prepaid_contests_run_out(shop: Shop) -> None:
    shop.join(POOR)
    receipts = [sign(shop, POOR, sequence=number) for number in range(4)]
    pass_grace(shop)
    contest(shop, receipts[0], fan=POOR)
    contest(shop, receipts[1], fan=POOR)
    with refused(NONE_PREPAID):
        contest(shop, receipts[2], fan=POOR)
    assert shop.member(POOR).prepaid == exit_fee(shop.chain.params), "what leaving costs is not spent"
    leave(shop, POOR)
    assert shop.member(POOR).prepaid == 0
    with refused(NONE_PREPAID):
        contest(shop, receipts[2], fan=POOR)
    shop.join(POOR)
    full = exit_fee(shop.chain.params) + CONTESTS_PREPAID * (contest_fee(shop.chain.params) + 10_000)
    assert shop.member(POOR).prepaid == full
    with refused(PERIOD_LIMIT, maximum=CONTESTS_PREPAID):
        contest(shop, receipts[2], fan=POOR)
    shop.pass_days(1)
    contest(shop, receipts[2], fan=POOR)
    contest(shop, receipts[3], fan=POOR)


def test_a_receipt_opens_nothing_of_its_lines_and_no_sums_unless_they_are_contested(shop: Shop) -> None:
    shop.join(FAN)
    signed = sign(shop, points=499, net_cents=4_321_987)
    shown = encode_body(
        shop.chain.sign("earn.contest", payload_of(signed), author=FAN, payment=Prepaid()).body, payload_of(signed)
    )
    for hidden in (b"bread", signed.receipt.lines_root, signed.salt, (4_321_987).to_bytes(4, "big")):
        assert hidden not in shown
    opened = payload_of(signed, wrong_points=True)
    shown = encode_body(shop.chain.sign("earn.contest", opened, author=FAN, payment=Prepaid()).body, opened)
    assert b"bread" in shown
    for hidden in (signed.receipt.lines_root, signed.salt):
        assert hidden not in shown


def spoiled(signed: Any, name: str) -> EarnContest:
    payload = payload_of(signed)
    changes: dict[str, Any] = {
        "points": Points(payload.points + 1),
        "time": payload.time - 1,
        "sequence": payload.sequence + 1,
        "terms_version": 2,
        "till": FRIEND.key,
        "blinding": payload.blinding[::-1],
        "signature": keys.sign(FAN.seeds[0], b"points, please"),
    }
    return replace(payload, **{name: changes[name]})


@pytest.mark.parametrize("name", ["points", "time", "sequence", "terms_version", "till", "blinding", "signature"])
def test_the_till_must_have_signed_exactly_this(shop: Shop, name: str) -> None:
    signed = sign(shop)
    good = shop.chain.sign("earn.contest", payload_of(signed), author=FAN)
    assert all(keys.verify(*check) for check in signature_checks(good, shop.chain.chain_id))
    bad = shop.chain.sign("earn.contest", spoiled(signed, name), author=FAN)
    assert [keys.verify(*check) for check in signature_checks(bad, shop.chain.chain_id)] == [True, False]


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    signed = sign(shop, FRIEND, till=FRIEND, points=0, terms_version=7)
    with refused(NO_PROGRAM):
        contest(shop, sign(shop, program=ProgramId(NOWHERE)))
    with refused(NO_MEMBER, member=FRIEND.address):
        contest(shop, signed, fan=FRIEND)
    shop.join(FRIEND, POOR)
    later = sign(shop, FRIEND, till=FRIEND, points=0, terms_version=7, time=shop.now + 1_000)
    with refused(FUTURE, time=later.receipt.time):
        contest(shop, later, fan=FRIEND)
    due = settle_by(shop, signed.receipt.time)
    with refused(TOO_EARLY, settle_by=due):
        contest(shop, signed, fan=FRIEND)
    move_to(shop, due - 1)
    with refused(TOO_EARLY, settle_by=due):
        contest(shop, signed, fan=FRIEND)
    move_to(shop, due)
    with refused(NOT_A_TILL):
        contest(shop, signed, fan=FRIEND)
    with refused(WRONG_VERSION, version=7):
        contest(shop, sign(shop, POOR, points=0, terms_version=7, time=signed.receipt.time), fan=POOR)
    move_to(shop, due + CONTEST_SECONDS)
    with refused(NOT_A_TILL):
        contest(shop, signed, fan=FRIEND)
    move_to(shop, due + CONTEST_SECONDS + 1)
    with refused(TOO_LATE, until=due + CONTEST_SECONDS):
        contest(shop, signed, fan=FRIEND)


def test_a_contest_needs_something_that_is_owed(shop: Shop) -> None:
    shop.join(FAN)
    nothing, right = sign(shop, points=0), sign(shop, sequence=2)
    generous = sign(shop, sequence=3, points=501)
    pass_grace(shop)
    with refused(NOTHING_OWED, points=0):
        contest(shop, nothing)
    for signed in (right, generous):
        with refused(NOTHING_OWED, points=500):
            contest(shop, signed, wrong_points=True)
    which = contest(shop, nothing, wrong_points=True)
    assert (contest_of(shop, which).points, contest_of(shop, which).claim) == (500, 1)


def test_codes_that_do_not_ascend_are_malformed(shop: Shop) -> None:
    signed = sign(shop, points=1)
    payload = payload_of(signed, wrong_points=True)
    twice = WrongPoints(5_000, 0, (("milk", 1), ("milk", 2)))
    with refused(BAD_RECEIPT, Malformed):
        shop.chain.sign("earn.contest", replace(payload, claim=twice), author=FAN)
    with refused(WRONG_COUNT, Malformed):
        shop.chain.sign("earn.contest", replace(payload, blinding=payload.blinding[:-1]), author=FAN)


def test_wrong_points_are_those_of_the_better_version(shop: Shop) -> None:
    """A receipt that names the old terms gets the new ones where those give more, and keeps the old where they give more."""
    shop.join(FAN)
    old = sign(shop, points=499)
    shop.chain.mine()
    better = make_terms(rules=(RatePerAmount(Points(2), 10),))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, better), author=OWNER)
    shop.chain.mine()
    names_old = sign(shop, sequence=2, points=500, terms_version=1)
    names_new = sign(shop, sequence=3, points=999, terms_version=2)
    pass_grace(shop)
    assert contest_of(shop, contest(shop, old, wrong_points=True)).points == 500
    assert contest_of(shop, contest(shop, names_old, wrong_points=True)).points == 1_000
    shop.pass_days(1)
    assert contest_of(shop, contest(shop, names_new, wrong_points=True, payment=None)).points == 1_000


def test_the_version_named_was_in_force_or_up_to_72_hours_before(shop: Shop) -> None:
    shop.join(FAN)
    better = make_terms(rules=(RatePerAmount(Points(2), 10),))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, better), author=OWNER)
    since = shop.terms_of_program.versions[-1][1]
    move_to(shop, since + 3 * DAY_SECONDS)
    last = sign(shop, sequence=1, terms_version=1, time=since + 3 * DAY_SECONDS - 1)
    stale = sign(shop, sequence=2, terms_version=1)
    ahead = sign(shop, sequence=3, terms_version=3)
    pass_grace(shop)
    contest(shop, last)
    for signed, version in ((stale, 1), (ahead, 3)):
        with refused(WRONG_VERSION, version=version):
            contest(shop, signed)


def test_a_version_in_force_for_a_moment_within_the_72_hours_may_be_named(shop: Shop) -> None:
    shop.join(FAN)
    for latest, points in ((1, 2), (2, 3)):
        better = make_terms(rules=(RatePerAmount(Points(points), 10),))
        shop.chain.send("program.update", ProgramUpdate(shop.program, latest, better), author=OWNER)
    receipts = [sign(shop, sequence=version, terms_version=version) for version in (1, 2, 3)]
    pass_grace(shop)
    for signed in receipts:
        contest(shop, signed, payment=None)


def test_what_came_before_joining_or_after_leaving_earns_nothing(shop: Shop) -> None:
    early = sign(shop)
    shop.chain.advance(days=1)
    same_day = sign(shop, sequence=2)
    shop.join(FAN)
    leave(shop)
    left_day = sign(shop, sequence=3)
    shop.chain.advance(days=1)
    late = sign(shop, sequence=4)
    pass_grace(shop)
    with refused(BEFORE_JOINING):
        contest(shop, early)
    with refused(AFTER_LEAVING):
        contest(shop, late)
    contest(shop, same_day)
    contest(shop, left_day)


def test_who_leaves_at_midnight_may_contest_the_day_that_begins_then(shop: Shop) -> None:
    shop.chain.block(time=shop.midnight(days=1))
    shop.join(FAN)
    shop.chain.block(time=shop.midnight(days=1))
    bought = sign(shop)
    leave(shop)
    assert shop.member(FAN).left_at == shop.midnight(days=0)
    pass_grace(shop)
    contest(shop, bought)
    found = contest_of(shop, contest_id(bought))
    assert queued(shop.chain, CONTEST_DUE) == [(found.answer_by, contest_id(bought), 0)]


def test_a_till_counts_only_between_grant_and_revocation(shop: Shop) -> None:
    shop.join(FAN)
    second = Signer.named("second till")
    shop.grant(second, scopes=SCOPE_TILL)
    start = grant_of(shop, second).granted_at
    first = sign(shop, till=second, sequence=2, time=start)
    shop.chain.mine(5)
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, second.address), author=OWNER)
    end = grant_of(shop, second).revoked_at
    last = sign(shop, till=second, sequence=3, time=end)
    after = sign(shop, till=second, sequence=4, time=end + 1)
    backdated = sign(shop, till=second, sequence=5, time=start - 1)
    pass_grace(shop)
    for signed in (after, backdated):
        with refused(NOT_A_TILL):
            contest(shop, signed)
    contest(shop, first)
    contest(shop, last)


def test_a_new_grant_takes_nothing_from_receipts_of_the_time_before(shop: Shop) -> None:
    """Revoking and granting again, lowering the cap, or taking the scope away: the receipt keeps the grant of its time."""
    shop.join(FAN)
    shop.grant(TILL, scopes=SCOPE_TILL, daily_cap=600)
    shop.chain.mine()
    signed = sign(shop)
    shop.chain.mine()
    shop.grant(TILL, scopes=SCOPE_TILL, daily_cap=0)
    capped = sign(shop, sequence=2)
    shop.chain.mine()
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    shop.chain.mine()
    shop.grant(TILL, scopes=SCOPE_SETTLE, daily_cap=10_000)
    no_till = sign(shop, sequence=3)
    assert len(grant_of(shop).earlier) == 3
    pass_grace(shop)
    with refused(TILL_CAP, claimed=0, cap=0):
        contest(shop, capped)
    with refused(NOT_A_TILL):
        contest(shop, no_till)
    contest(shop, signed)


def test_a_tills_cap_bounds_what_contests_claim_of_a_day(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    shop.grant(TILL, daily_cap=1_000)
    shop.chain.mine()
    receipts = [sign(shop, fan, sequence=number) for number, fan in enumerate((FAN, FRIEND, FAN))]
    shop.chain.advance(days=1)
    next_day = sign(shop, sequence=3)
    pass_grace(shop)
    contest(shop, receipts[0])
    contest(shop, receipts[1], fan=FRIEND)
    with refused(TILL_CAP, owed=500, claimed=1_000, cap=1_000):
        contest(shop, receipts[2])
    contest(shop, next_day)
    assert [points for _, points in grant_of(shop).contested] == [1_000, 500]


def test_the_reserve_bounds_all_contests_of_a_program() -> None:
    shop = Shop(issuance_cap=Points(9_995))
    assert (shop.books.contest_points, shop.books.contest_points_locked) == (1_000, 1_000)
    shop.join(FAN)
    receipts = [sign(shop, sequence=number) for number in range(3)]
    pass_grace(shop)
    contest(shop, receipts[0])
    contest(shop, receipts[1])
    with refused(RESERVE_EMPTY, left=0):
        contest(shop, receipts[2], payment=None)
    shop.chain.replay()


def test_each_number_of_a_till_is_contested_once(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    signed, same_number = sign(shop), sign(shop, FRIEND, points=7)
    second = Signer.named("second till")
    shop.grant(second)
    other_till = sign(shop, till=second)
    pass_grace(shop)
    contest(shop, signed)
    for fan, again in ((FAN, signed), (FRIEND, same_number)):
        with refused(ALREADY, sequence=1):
            contest(shop, again, fan=fan, payment=None)
    contest(shop, other_till)


def test_who_pays_must_have_the_coin(shop: Shop) -> None:
    shop.join(POOR)
    signed = sign(shop, POOR)
    pass_grace(shop)
    with refused(INSUFFICIENT):
        contest(shop, signed, fan=POOR, payment=None)


def test_reads_names_what_the_rule_reads(shop: Shop) -> None:
    signed = sign(shop)
    assert EARN_CONTEST.reads(FAN.address, payload_of(signed)) == (
        program_key(shop.program),
        books_key(shop.program),
        member_key(shop.program, FAN.address),
        grant_key(shop.program, TILL.address),
        contest_key(contest_id(signed)),
    )


def test_periods_of_weeks_are_due_at_their_end() -> None:
    shop = Shop(period_days=7, settle_grace_days=2)
    shop.join(FAN)
    signed = sign(shop)
    program = shop.terms_of_program
    first = (program.day_at(signed.receipt.time) // 7) * 7
    due = program.day_start(Day(first + 9))
    move_to(shop, due - 1)
    with refused(TOO_EARLY, settle_by=due):
        contest(shop, signed)
    move_to(shop, due)
    contest(shop, signed)
    assert grant_of(shop).contested[0][0] == program.day_at(signed.receipt.time)
    grant = IssuerGrant(shop.program, TILL.address, SCOPE_TILL, Points(1))
    shop.chain.send("issuer.grant", grant, author=OWNER)
    assert grant_of(shop).contested, "a new grant keeps what is claimed"
    shop.chain.replay()
