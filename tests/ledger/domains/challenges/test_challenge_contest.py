"""`challenge.contest`: a reward that the brand forgot, shown by the fan with the tills' signatures."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT, challenge_contest_fee
from ledger.domains.challenges.challenge_contest import (
    BAD_ORDER,
    CHALLENGE_CONTEST,
    NONE_PREPAID,
    NOT_REACHED,
    OUTSIDE,
    SMALL_BASKET,
    TOO_EARLY,
    ChallengeContest,
)
from ledger.domains.challenges.completions import (
    AFTER_LEAVING,
    BEFORE_JOINING,
    BUDGET_GONE,
    COMPLETED,
    NO_OCCURRENCE,
    OVER,
    PROGRAM_ENDED,
    TIMES_REACHED,
)
from ledger.domains.challenges.events import ChallengeCompleted
from ledger.domains.challenges.goals import evidence_of
from ledger.domains.challenges.state import NO_CHALLENGE, Codes, Spend
from ledger.domains.loyalty.earn_contest import NOT_A_TILL, TILL_CAP
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.receipts import BAD_RECEIPT, SignedReceipt
from ledger.domains.loyalty.state import NO_MEMBER, NO_PROGRAM, SCOPE_SETTLE
from ledger.errors import Malformed
from ledger.fees import EXIT_TOO_HEAVY
from ledger.kinds import APPLIED, Cost
from ledger.params import CHALLENGE_PENDING_DAYS as PENDING
from ledger.params import CHALLENGE_RECEIPTS_MAX, CONTEST_SECONDS
from ledger.transaction import BAD_ATTESTATION, OwnFee, Prepaid
from ledger.types import Amount, ChallengeId, Day, Points, ProgramId, Signature, Timestamp
from tests.support.challenges import (
    achievement_of,
    challenge_of,
    complete,
    contest_challenge,
    contest_payload,
    create_challenge,
    entry_of,
    hash_of,
    reverse_challenge,
    show,
)
from tests.support.contests import grant_of, sign
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.returns import take_return
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop

DUE_DAYS = 10
"""A week, and three days of grace."""
SMALL_POOL = 30_000


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Goods come back within three days; until then points are pending."""
    found = Shop(return_window_days=3, activation_delay_days=3)
    found.join(POOR, FAN)
    yield found
    found.chain.replay()


def visits(shop: Shop, fan: Signer = POOR, count: int = 2, **changes: Any) -> list[SignedReceipt]:
    """So many receipts of now."""
    return [sign(shop, fan, sequence=number, **changes) for number in range(1, count + 1)]


def test_a_reward_that_the_brand_forgot(shop: Shop) -> None:
    """The fan has no coin, and needs none: the challenge paid for it when it was made."""
    which = create_challenge(shop)
    begins, bought = shop.today, visits(shop)
    shop.pass_days(DUE_DAYS)
    prepaid, pool = challenge_of(shop, which).prepaid, shop.books.pool
    contest_challenge(shop, which, bought, fan=POOR)
    fee, deposit = challenge_contest_fee(shop.chain.params), shop.chain.params.record_deposit
    found = achievement_of(shop, which, POOR)
    assert found is not None
    assert (found.payer, found.deposit, found.times) == (b"P" + shop.program, deposit, 1)
    assert challenge_of(shop, which).prepaid == prepaid - fee - deposit
    assert (challenge_of(shop, which).given, shop.books.pool) == (100, pool)
    assert shop.chain.mined[-1].payees[0][1] == 5_000_000 + fee
    evidence = evidence_of(hash_of(signed) for signed in bought)
    assert found.completions[0].evidence == evidence
    assert shop.member(POOR).lots == ((1, shop.today + PENDING, shop.today + PENDING - 3 + 30, 100),)
    assert shop.books.challenge_points == 900
    event = ChallengeCompleted(
        program=shop.program,
        challenge=which,
        member=POOR.address,
        occurrence=0,
        evidence=evidence,
        count=2,
        points=Points(100),
        available_on=Day(shop.today + PENDING),
        expires_on=Day(shop.today + PENDING - 3 + 30),
        receipts=tuple(hash_of(signed) for signed in bought),
    )
    assert shop.chain.events == (event,)
    assert grant_of(shop).contested == ((begins, 100),)
    payload: ChallengeContest = contest_payload(shop, which, bought)
    assert CHALLENGE_CONTEST.cost(payload) == Cost(records=7, slots=3, due=3, signatures=2)
    assert len(CHALLENGE_CONTEST.reads(POOR.address, payload)) == 5


def test_one_credit_for_one_occurrence(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop)
    shop.pass_days(DUE_DAYS)
    contest_challenge(shop, which, bought, fan=POOR)
    with refused(COMPLETED):
        contest_challenge(shop, which, bought, fan=POOR)
    assert complete(shop, entry_of(which, bought, fan=POOR)) == (COMPLETED.name,)


def test_only_so_many_times(shop: Shop) -> None:
    which, bought = create_challenge(shop, times_max=1), visits(shop)
    shop.pass_days(DUE_DAYS + 7)
    assert complete(shop, entry_of(which, bought, fan=POOR, occurrence=1)) == (APPLIED,)
    with refused(TIMES_REACHED):
        contest_challenge(shop, which, bought, fan=POOR)


def test_when_it_may_be_contested(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop)
    due = shop.midnight(days=DUE_DAYS)
    shop.chain.advance(seconds=due - shop.now - 1)
    with refused(TOO_EARLY, due_by=due):
        contest_challenge(shop, which, bought, fan=POOR)
    with refused(NO_OCCURRENCE):
        contest_challenge(shop, which, bought, fan=POOR, occurrence=4)
    shop.chain.advance(seconds=due + CONTEST_SECONDS - shop.now)
    contest_challenge(shop, which, bought, fan=POOR)
    mine = [sign(shop, FAN, sequence=number, time=Timestamp(due - 5 * 86_400)) for number in (7, 8)]
    with refused(OVER):
        contest_challenge(shop, which, mine, fan=FAN)


@pytest.mark.parametrize("days", [-1, 7])
def test_only_receipts_of_the_occurrence_count(shop: Shop, days: int) -> None:
    which = create_challenge(shop, from_day=shop.today + 1)
    begins = challenge_of(shop, which).occurrence(0, shop.terms_of_program).begins
    good = sign(shop, POOR, sequence=1, time=begins)
    last = sign(shop, POOR, sequence=2, time=Timestamp(begins + 7 * 86_400 - 1))
    outside = Timestamp(begins - 1 if days < 0 else begins + 7 * 86_400)
    shop.pass_days(DUE_DAYS + 1)
    with refused(OUTSIDE, time=outside):
        contest_challenge(shop, which, [good, sign(shop, POOR, sequence=3, time=outside)], fan=POOR)
    contest_challenge(shop, which, [good, last], fan=POOR)


def test_only_a_till_of_its_time_counts(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop)
    shop.grant(OWNER, scopes=SCOPE_SETTLE)
    by_owner, by_nobody = (sign(shop, POOR, sequence=9, till=till) for till in (OWNER, STRANGER))
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    shop.chain.mine()
    late = sign(shop, POOR, sequence=3)
    shop.pass_days(DUE_DAYS)
    for other in (by_owner, by_nobody, late):
        with refused(NOT_A_TILL):
            contest_challenge(shop, which, [bought[0], other], fan=POOR)
    contest_challenge(shop, which, bought, fan=POOR)


def test_what_was_paid_with_points_counts_for_nothing(shop: Shop) -> None:
    which = create_challenge(shop, goal=Spend(4_000))
    (first,) = visits(shop, count=1, net_cents=2_000)
    small = sign(shop, POOR, sequence=2, net_cents=2_000, paid_with_points_cents=1_001)
    less = sign(shop, POOR, sequence=3, net_cents=2_000, paid_with_points_cents=1)
    enough = sign(shop, POOR, sequence=4, net_cents=3_000, paid_with_points_cents=1_000)
    shop.pass_days(DUE_DAYS)
    with refused(SMALL_BASKET, eligible=999, least=1_000):
        contest_challenge(shop, which, [first, small], fan=POOR)
    with refused(NOT_REACHED):
        contest_challenge(shop, which, [first, less], fan=POOR)
    contest_challenge(shop, which, [first, enough], fan=POOR)


def test_codes_are_opened_where_the_goal_asks_for_them(shop: Shop) -> None:
    which = create_challenge(shop, goal=Codes(("bread", "tea")))
    bread, milk, tea = (
        sign(shop, POOR, sequence=number, codes=((code, 2_000),))
        for number, code in ((1, "bread"), (2, "milk"), (3, "tea"))
    )
    shop.pass_days(DUE_DAYS)
    with refused(NOT_REACHED):
        contest_challenge(shop, which, [bread, milk], fan=POOR)
    hidden = contest_payload(shop, which, [bread, tea])
    with refused(NOT_REACHED):
        contest_challenge(shop, which, [], fan=POOR, spoiled={"receipts": (hidden.receipts[0], show(tea))})
    invented = replace(show(milk, with_codes=True), codes=(("tea", 2_000),))
    with refused(BAD_ATTESTATION):
        contest_challenge(shop, which, [], fan=POOR, spoiled={"receipts": (hidden.receipts[0], invented)})
    contest_challenge(shop, which, [bread, tea], fan=POOR)


def test_nobody_shows_what_no_till_signed_for_it(shop: Shop) -> None:
    which, bought, others = create_challenge(shop), visits(shop), visits(shop, FAN)
    shop.pass_days(DUE_DAYS)
    with refused(BAD_ATTESTATION):
        contest_challenge(shop, which, others, fan=POOR)
    shown = contest_payload(shop, which, bought).receipts
    for spoiled in (
        replace(shown[1], net_cents=shown[1].net_cents + 1),
        replace(shown[1], time=Timestamp(shown[1].time + 1)),
        replace(shown[1], signature=Signature(bytes(64))),
    ):
        with refused(BAD_ATTESTATION):
            contest_challenge(shop, which, [], fan=POOR, spoiled={"receipts": (shown[0], spoiled)})


def test_each_receipt_is_shown_once(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop)
    shop.pass_days(DUE_DAYS)
    shown = contest_payload(shop, which, bought).receipts
    for order in ((shown[0], shown[0]), (shown[1], shown[0])):
        with refused(BAD_ORDER, Malformed):
            contest_challenge(shop, which, [], fan=POOR, spoiled={"receipts": order})
    twice = replace(shown[0], codes=(("tea", 1), ("tea", 1)))
    with refused(BAD_RECEIPT, Malformed):
        contest_challenge(shop, which, [], fan=POOR, spoiled={"receipts": (twice,)})
    with refused(NOT_REACHED):
        contest_challenge(shop, which, bought[:1], fan=POOR)


def test_who_may_contest_what(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop)
    shop.pass_days(DUE_DAYS)
    with refused(NO_CHALLENGE):
        contest_challenge(shop, which, bought, fan=POOR, spoiled={"challenge": ChallengeId(NOWHERE)})
    with refused(NO_PROGRAM):
        contest_challenge(shop, which, [], fan=POOR, spoiled=_of_program(shop, ProgramId(NOWHERE)))
    with refused(NO_CHALLENGE):
        contest_challenge(shop, which, [], fan=POOR, spoiled=_of_program(shop, shop.create_program(STRANGER)))
    strangers = visits(shop, STRANGER)
    with refused(NO_MEMBER):
        contest_challenge(shop, which, strangers, fan=STRANGER)


def _of_program(shop: Shop, program: ProgramId) -> dict[str, Any]:
    """A contest in another program, with a receipt of it."""
    return {"program": program, "receipts": (show(sign(shop, POOR, sequence=50, program=program)),)}


def test_first_come_first_served(shop: Shop) -> None:
    which = create_challenge(shop, budget=Points(199))
    bought, others = visits(shop), visits(shop, FAN)
    assert complete(shop, entry_of(which, others)) == (APPLIED,)
    shop.pass_days(DUE_DAYS)
    with refused(BUDGET_GONE, left=99, reward=100):
        contest_challenge(shop, which, bought, fan=POOR)


def test_joining_leaving_and_the_end_of_the_program(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop)
    end = Timestamp(shop.midnight(days=14) - 1)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, end), author=OWNER)
    shop.pass_days(7)
    shop.join(FRIEND)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=POOR, payment=Prepaid())
    friends = [sign(shop, FRIEND, sequence=number) for number in (1, 2)]
    shop.pass_days(7)
    third = {fan: [sign(shop, fan, sequence=number) for number in (5, 6)] for fan in (POOR, FAN)}
    shop.pass_days(DUE_DAYS)
    with refused(BEFORE_JOINING):
        contest_challenge(shop, which, friends, fan=FRIEND)
    with refused(AFTER_LEAVING):
        contest_challenge(shop, which, third[POOR], fan=POOR, occurrence=2)
    with refused(PROGRAM_ENDED):
        contest_challenge(shop, which, third[FAN], fan=FAN, occurrence=2)
    contest_challenge(shop, which, friends, fan=FRIEND, occurrence=1)
    contest_challenge(shop, which, bought, fan=POOR)


def test_a_stolen_till_stops_at_its_cap(shop: Shop) -> None:
    which = create_challenge(shop)
    shop.grant(TILL, daily_cap=150)
    shop.chain.mine()
    bought, others = visits(shop), visits(shop, FAN)
    shop.pass_days(DUE_DAYS)
    contest_challenge(shop, which, bought, fan=POOR)
    with refused(TILL_CAP, owed=100, claimed=100, cap=150):
        contest_challenge(shop, which, others, fan=FAN)
    assert complete(shop, entry_of(which, others)) == (APPLIED,)


def test_the_till_of_the_last_receipt_counts(shop: Shop) -> None:
    """Of several of one time the last in the order."""
    shop.grant(STRANGER, daily_cap=99)
    which = create_challenge(shop)
    time = shop.now
    tills = sorted((TILL, STRANGER), key=lambda till: till.key)
    both = [sign(shop, POOR, till=till, sequence=1, time=time) for till in tills]
    later = sign(shop, POOR, till=TILL, sequence=2, time=Timestamp(time + 1))
    shop.pass_days(DUE_DAYS)
    if tills[-1] is STRANGER:
        with refused(TILL_CAP, cap=99):
            contest_challenge(shop, which, both, fan=POOR)
    contest_challenge(shop, which, [*both, later], fan=POOR)
    assert [bool(grant_of(shop, till).contested) for till in (TILL, STRANGER)] == [True, False]


def test_the_pool_pays_when_the_challenge_has_nothing_left(shop: Shop) -> None:
    """Its coin is for as many contests as there are rewards: after a reversal there are more."""
    which = create_challenge(shop, reward=Points(1_000))
    bought, mine = visits(shop), visits(shop, FAN)
    shop.pass_days(DUE_DAYS)
    contest_challenge(shop, which, bought, fan=POOR)
    assert challenge_of(shop, which).prepaid == 0
    reverse_challenge(shop, which, bought, take_return(shop, bought[0], fan=POOR))
    fee, deposit = challenge_contest_fee(shop.chain.params), shop.chain.params.record_deposit
    pool = shop.books.pool
    contest_challenge(shop, which, mine, fan=FAN)
    assert shop.books.pool == pool - fee - deposit
    assert shop.chain.mined[-1].payees[0][1] == 5_000_000 + fee


def test_nobody_has_coin_for_it() -> None:
    shop = Shop(pool=SMALL_POOL, return_window_days=3, activation_delay_days=3)
    shop.join_alone(FAN)
    which = create_challenge(shop, reward=Points(1_000))
    bought, again = visits(shop, FAN), [sign(shop, FAN, sequence=number) for number in (3, 4)]
    shop.pass_days(DUE_DAYS)
    contest_challenge(shop, which, bought, fan=FAN)
    reverse_challenge(shop, which, bought, take_return(shop, bought[0]))
    fee = challenge_contest_fee(shop.chain.params)
    with refused(NONE_PREPAID, needed=fee):
        contest_challenge(shop, which, again, fan=FAN)
    contest_challenge(shop, which, again, fan=FAN, payment=None)
    assert challenge_of(shop, which).left == 0


def test_a_record_that_is_there_needs_no_deposit(shop: Shop) -> None:
    which = create_challenge(shop, times_max=4)
    prepaid = challenge_of(shop, which).prepaid
    bought = visits(shop)
    shop.pass_days(7)
    later = [sign(shop, POOR, sequence=number) for number in (3, 4)]
    shop.pass_days(DUE_DAYS)
    contest_challenge(shop, which, bought, fan=POOR)
    contest_challenge(shop, which, later, fan=POOR, occurrence=1)
    fee, deposit = challenge_contest_fee(shop.chain.params), shop.chain.params.record_deposit
    assert challenge_of(shop, which).prepaid == prepaid - 2 * fee - deposit


def test_who_pays_by_itself_locks_the_deposit(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop, FAN)
    shop.pass_days(DUE_DAYS)
    prepaid = challenge_of(shop, which).prepaid
    contest_challenge(shop, which, bought, fan=FAN, payment=None)
    found = achievement_of(shop, which)
    assert found is not None
    assert (found.payer, found.deposit) == (b"A" + FAN.address, shop.chain.params.record_deposit)
    assert challenge_of(shop, which).prepaid == prepaid
    with refused(INSUFFICIENT):
        contest_challenge(shop, which, visits(shop), fan=POOR, payment=OwnFee(Amount(200_000)))


def test_sixteen_receipts_with_ten_codes_fit(shop: Shop) -> None:
    codes = tuple((f"category {number:02}", 200) for number in range(10))
    which = create_challenge(shop, goal=Codes(("category 00",)))
    bought = [
        sign(shop, POOR, sequence=2**40 + number, codes=codes, net_cents=2_000)
        for number in range(CHALLENGE_RECEIPTS_MAX)
    ]
    shop.pass_days(DUE_DAYS)
    contest_challenge(shop, which, bought, fan=POOR)
    many = tuple((f"a category {number:02} with a long name", 20_000) for number in range(64))
    heavy = [sign(shop, FAN, sequence=number, codes=many, time=bought[0].receipt.time) for number in range(12)]
    with refused(EXIT_TOO_HEAVY):
        contest_challenge(shop, which, heavy, fan=FAN)
