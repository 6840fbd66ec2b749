"""`earn.answer_contest`: what is an answer, what is none, and which outcome it makes."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP, Earn, OpenEntry, SealedEntry
from ledger.domains.loyalty.earn_answer_contest import (
    BAD_OPENING,
    BAD_REMAINDER,
    CLOSED,
    EARN_ANSWER_CONTEST,
    NO_BATCH,
    NO_CONTEST,
    NO_EQUATION,
    NOT_IN_BATCH,
    NOT_IN_ENTRY,
    EarnAnswerContest,
    OpenAnswer,
    OpenedRemainder,
)
from ledger.domains.loyalty.events import ContestDecided
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.receipts import receipt_hash
from ledger.domains.loyalty.state import (
    NO_SCOPE,
    NOT_GRANTED,
    SCOPE_SETTLE,
    SCOPE_TILL,
    SETTLED_IN_TIME,
    SETTLED_LATE,
    SETTLED_SHORT,
    batch_key,
    contest_key,
)
from ledger.errors import Malformed
from ledger.hashing import object_id
from ledger.params import CONTEST_ANSWER_BLOCKS_MIN, CONTEST_ANSWER_SECONDS
from ledger.transaction import Prepaid
from ledger.types import Amount, ContestId, Day, Hash, Points, Timestamp
from tests.support.contests import (
    NOTHING,
    Settled,
    answer,
    carried,
    contest,
    contest_id,
    contest_of,
    grant_of,
    pass_answer,
    pass_grace,
    place_in_batch,
    settle,
    settle_by,
    sign,
)
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, TILL, Shop, some_hash
from tests.support.spec_costs import cost_in_spec


def contested(shop: Shop, **how: Any) -> tuple[Any, Settled]:
    """A receipt of three, settled in time and contested all the same."""
    shop.join(FAN)
    receipts = [sign(shop, sequence=number) for number in range(3)]
    settled = settle(shop, receipts, **how)
    pass_grace(shop)
    contest(shop, receipts[1])
    return receipts[1], settled


def test_an_entry_settled_in_time_rebuts_and_frees_what_was_set_aside(shop: Shop) -> None:
    signed, settled = contested(shop, after=carried(70))
    before, prepaid = shop.books, shop.member(FAN).prepaid
    answer(shop, settled, signed)
    found = contest_of(shop, contest_id(signed))
    assert (found.outcome, found.credited) == (SETTLED_IN_TIME, 0)
    assert shop.books.contest_points == before.contest_points + 500 == shop.books.contest_points_locked
    assert (shop.books.contests_open, shop.books.contest_points_credited) == (0, 0)
    assert (shop.books.contest_coin, shop.member(FAN).prepaid) == (before.contest_coin, prepaid)
    assert grant_of(shop).contested == ()
    assert shop.points_of(FAN) == 1_430
    decided = ContestDecided(
        shop.program, FAN.address, contest_id(signed), SETTLED_IN_TIME, Points(0), Amount(0), Day(0), Day(0)
    )
    assert shop.chain.events == (decided,)
    assert decided.subjects() == (shop.program, FAN.address, contest_id(signed))
    with refused(CLOSED):
        answer(shop, settled, signed)


def test_the_moment_of_settle_by_is_in_time_and_later_is_late(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    receipts = [sign(shop, fan, sequence=number) for number, fan in enumerate((FAN, FRIEND))]
    due = settle_by(shop, receipts[0].receipt.time)
    shop.chain.advance(seconds=due - shop.now)
    in_time = settle(shop, receipts[:1], period=shop.today - 4)
    late = settle(shop, receipts[1:], fan=FRIEND, period=shop.today - 4)
    assert in_time.code == late.code == ""
    contest(shop, receipts[0])
    contest(shop, receipts[1], fan=FRIEND)
    answer(shop, in_time, receipts[0])
    answer(shop, late, receipts[1])
    outcomes = [contest_of(shop, contest_id(signed)).outcome for signed in receipts]
    assert outcomes == [SETTLED_IN_TIME, SETTLED_LATE]


def test_settled_late_is_recorded_and_repaid_without_a_second_credit(shop: Shop) -> None:
    shop.join(FAN)
    signed = sign(shop)
    pass_grace(shop)
    full = shop.member(FAN).prepaid
    contest(shop, signed)
    settled = settle(shop, [signed], period=shop.today - 4)
    coin = shop.books.contest_coin
    answer(shop, settled, signed)
    found = contest_of(shop, contest_id(signed))
    assert (found.outcome, found.credited) == (SETTLED_LATE, 0)
    assert shop.points_of(FAN) == shop.books.issued == 500
    assert shop.books.contest_coin == coin - found.repaid
    assert shop.member(FAN).prepaid == full - found.deposit
    pass_answer(shop)
    shop.pass_days(60)
    assert contest_of(shop, contest_id(signed)) is None
    assert shop.member(FAN).prepaid == full, "the deposit came back, too"
    assert shop.books.issued == 500


def test_too_few_points_in_the_sum_are_made_up(shop: Shop) -> None:
    shop.join(FAN)
    receipts = [sign(shop, sequence=number) for number in range(2)]
    settled = settle(shop, receipts, given={1: 120})
    pass_grace(shop)
    contest(shop, receipts[1])
    today, before = shop.today, shop.books
    answer(shop, settled, receipts[1])
    found = contest_of(shop, contest_id(receipts[1]))
    assert (found.outcome, found.credited) == (SETTLED_SHORT, 380)
    assert shop.member(FAN).lots[-1] == (1, today, today + 30, 380)
    assert shop.books.issued == 1_000
    assert shop.books.contest_points == before.contest_points + 120
    assert shop.books.contest_points_credited == 380
    assert [points for _, points in grant_of(shop).contested] == [380]


def test_a_mistake_that_the_settlement_put_right_rebuts_wrong_points(shop: Shop) -> None:
    shop.join(FAN)
    receipts = [sign(shop, sequence=number, points=400) for number in range(3)]
    right = settle(shop, receipts[:1], given={0: 500})
    short = settle(shop, receipts[1:])
    pass_grace(shop)
    contest(shop, receipts[0], wrong_points=True)
    contest(shop, receipts[1], wrong_points=True)
    answer(shop, right, receipts[0])
    answer(shop, short, receipts[1])
    found = [contest_of(shop, contest_id(signed)) for signed in receipts[:2]]
    assert [(one.outcome, one.credited) for one in found] == [(SETTLED_IN_TIME, 0), (SETTLED_SHORT, 100)]


def test_remainders_carried_in_and_out_satisfy_the_equation(shop: Shop) -> None:
    shop.join(FAN)
    first, second = sign(shop), sign(shop, sequence=2)
    earlier = settle(shop, [first], after=carried(30))
    later = settle(shop, [second], before=earlier.after, after=carried(100))
    assert (earlier.entry.points, later.entry.points) == (470, 430)
    pass_grace(shop)
    contest(shop, second)
    with refused(NOT_IN_BATCH):
        answer(shop, later, second, before=NOTHING)
    answer(shop, later, second)
    assert contest_of(shop, contest_id(second)).outcome == SETTLED_IN_TIME


def test_an_answer_finds_its_entry_among_many(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    signed = sign(shop)
    mine = settle(shop, [signed])
    other = SealedEntry(FRIEND.address, shop.today, Points(7), some_hash("R"), some_hash("K"))
    entries = (other, mine.entry, other)
    codes = shop.settle(*entries)
    befores = (b"", b"", other.remainder)
    rows = [
        (0, e.member, e.period, e.points, e.receipts, e.remainder, before, code)
        for e, before, code in zip(entries, befores, codes, strict=True)
    ]
    batch = object_id("earn", shop.chain.last_txid, 0)
    pass_grace(shop)
    contest(shop, signed)
    wrong_place = replace(mine, batch=batch, index=0, path=place_in_batch(rows, 0))
    with refused(NOT_IN_BATCH):
        answer(shop, wrong_place, signed)
    answer(shop, replace(mine, batch=batch, index=1, path=place_in_batch(rows, 1)), signed)


def test_an_open_entry_answers_with_the_points_that_it_gave(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    for fan in (FAN, FRIEND):
        shop.chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=fan)
    receipts = [sign(shop, fan, sequence=number) for number, fan in enumerate((FAN, FRIEND))]
    shop.chain.mine()
    hashes = [receipt_hash(signed.receipt, signed.salt) for signed in receipts]
    entries = [
        OpenEntry(signed.receipt.member, shop.today, found, 1, signed.receipt.time, cents, 0)
        for signed, found, cents in zip(receipts, hashes, (5_000, 1_000), strict=True)
    ]
    answers: list[EarnAnswerContest] = []
    for signed, entry, points in zip(receipts, entries, (500, 100), strict=True):
        assert shop.chain.send("earn", Earn(shop.program, (entry,)), author=TILL) == ("",)
        batch = object_id("earn", shop.chain.last_txid, 0)
        opened = OpenAnswer(shop.today, Points(points), Hash(b""))
        answers.append(EarnAnswerContest(contest_id(signed), batch, 0, (), opened))
    pass_grace(shop)
    contest(shop, receipts[0])
    contest(shop, receipts[1], fan=FRIEND)
    with refused(NOT_IN_BATCH):
        shop.chain.send("earn.answer_contest", replace(answers[1], batch=answers[0].batch), author=OWNER)
    for found in answers:
        shop.chain.send("earn.answer_contest", found, author=OWNER)
    found = [contest_of(shop, contest_id(signed)) for signed in receipts]
    assert [(one.outcome, one.credited) for one in found] == [(SETTLED_IN_TIME, 0), (SETTLED_SHORT, 400)]


def test_who_may_answer(shop: Shop) -> None:
    signed, settled = contested(shop)
    shop.grant(FRIEND, scopes=SCOPE_TILL)
    for nobody in (STRANGER, FAN):
        with refused(NOT_GRANTED, issuer=nobody.address):
            answer(shop, settled, signed, author=nobody)
    with refused(NO_SCOPE, issuer=FRIEND.address, scope="settle"):
        answer(shop, settled, signed, author=FRIEND)
    shop.grant(FRIEND, scopes=SCOPE_SETTLE)
    answer(shop, settled, signed, author=FRIEND)


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    signed, settled = contested(shop)
    good = settled.answer(signed)
    send = shop.chain.send
    with refused(NO_CONTEST, contest=NOWHERE):
        send("earn.answer_contest", replace(good, contest=ContestId(NOWHERE), batch=Hash(NOWHERE)), author=STRANGER)
    with refused(NOT_GRANTED):
        send("earn.answer_contest", replace(good, batch=Hash(NOWHERE)), author=STRANGER)
    with refused(NO_BATCH):
        send("earn.answer_contest", replace(good, batch=Hash(NOWHERE)), author=OWNER)
    with refused(NOT_IN_ENTRY):
        answer(shop, settled, signed, position=3, salt=some_hash("wrong"))
    with refused(NOT_IN_ENTRY):
        answer(shop, settled, signed, sums=())
    spoiled: tuple[dict[str, Any], ...] = (
        {"salt": some_hash("wrong")},
        {"receipt_points": Points(499)},
        {"period": settled.entry.period + 1},
        {"points": Points(1_499)},
        {"before": carried(1)},
        {"after": carried(0)},
    )
    for changes in spoiled:
        with refused(NOT_IN_BATCH):
            answer(shop, settled, signed, **changes)
    for changes in ({"index": 1}, {"path": (some_hash("up"),)}):
        with refused(NOT_IN_BATCH):
            send("earn.answer_contest", replace(good, **changes), author=OWNER)
    send("earn.answer_contest", good, author=OWNER)


def test_a_batch_of_another_program_is_none(shop: Shop) -> None:
    signed, settled = contested(shop)
    other = shop.create_program(OWNER)
    mine, shop.program = shop.program, other
    shop.grant(TILL)
    shop.join_alone(FAN)
    elsewhere = settle(shop, [signed])
    shop.program = mine
    with refused(NO_BATCH):
        answer(shop, replace(settled, batch=elsewhere.batch), signed)


def test_a_remainder_without_a_salt_is_zero(shop: Shop) -> None:
    signed, settled = contested(shop)
    spoiled: dict[str, Any]
    for name in ("before", "after"):
        spoiled = {name: OpenedRemainder(Hash(b""), Points(1))}
        with refused(BAD_OPENING, Malformed):
            answer(shop, settled, signed, **spoiled)


@pytest.mark.parametrize(("held_back", "is_refused"), [(100, False), (101, True)])
def test_an_entry_carries_no_more_than_its_terms_allow(shop: Shop, held_back: int, is_refused: bool) -> None:
    signed, settled = contested(shop, after=carried(held_back))
    if is_refused:
        with refused(BAD_REMAINDER, remainder=101, maximum=100):
            answer(shop, settled, signed)
    else:
        answer(shop, settled, signed)


def test_nothing_is_carried_on_once_the_member_has_left(shop: Shop) -> None:
    shop.join(FAN)
    receipts = [sign(shop, sequence=number) for number in range(2)]
    before_leaving = settle(shop, receipts[:1], after=carried(5))
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    after_leaving = settle(shop, receipts[1:], before=before_leaving.after, after=carried(6))
    pass_grace(shop)
    for signed in receipts:
        contest(shop, signed)
    with refused(BAD_REMAINDER, remainder=6, maximum=0):
        answer(shop, after_leaving, receipts[1])
    answer(shop, before_leaving, receipts[0])


@pytest.mark.parametrize("points", [1_499, 1_501])
def test_an_entry_that_breaks_the_equation_is_no_answer(shop: Shop, points: int) -> None:
    signed, settled = contested(shop, points=points)
    with refused(NO_EQUATION, points=points, due=1_500):
        answer(shop, settled, signed)


def test_an_entry_that_was_skipped_rebuts_nothing(shop: Shop) -> None:
    shop.join(FAN)
    signed = sign(shop)
    shop.grant(TILL, daily_cap=600)
    shop.chain.mine()
    twice = sign(shop, sequence=2)
    settled = settle(shop, [signed, twice])
    assert settled.code == ENTRY_DAILY_CAP.name
    pass_grace(shop)
    contest(shop, signed)
    with refused(NOT_IN_BATCH):
        answer(shop, settled, signed)


def test_the_time_to_answer_ends_at_the_later_of_days_and_blocks(shop: Shop) -> None:
    """An outage must not eat it: after it there are the blocks; and blocks that come fast do not shorten the days."""
    signed, settled = contested(shop)
    found = contest_of(shop, contest_id(signed))
    shop.chain.advance(seconds=CONTEST_ANSWER_SECONDS + 100)
    shop.chain.mine(found.answer_height - shop.chain.height - 1)
    assert shop.now > found.answer_by
    execution = shop.chain.execute(shop.chain.sign("earn.answer_contest", settled.answer(signed), author=OWNER))
    assert execution.codes == [("",)]
    shop.chain.mine()
    with refused(CLOSED):
        answer(shop, settled, signed)


def test_fast_blocks_do_not_shorten_the_days(shop: Shop) -> None:
    signed, settled = contested(shop)
    found = contest_of(shop, contest_id(signed))
    shop.chain.advance(seconds=200, blocks=CONTEST_ANSWER_BLOCKS_MIN + 2)
    assert shop.chain.height > found.answer_height
    shop.chain.advance(seconds=found.answer_by - shop.now - 1)
    execution = shop.chain.execute(shop.chain.sign("earn.answer_contest", settled.answer(signed), author=OWNER))
    assert execution.codes == [("",)]
    shop.chain.advance(seconds=1)
    with refused(CLOSED):
        answer(shop, settled, signed)


def test_reads_names_what_the_rule_reads(shop: Shop) -> None:
    found = EarnAnswerContest(ContestId(NOWHERE), some_hash("batch"), 0, (), OpenAnswer(0, Points(0), Hash(b"")))
    assert EARN_ANSWER_CONTEST.cost(found) == cost_in_spec(EARN_ANSWER_CONTEST)
    assert EARN_ANSWER_CONTEST.reads(FAN.address, found) == (
        contest_key(ContestId(NOWHERE)),
        batch_key(some_hash("batch")),
    )
