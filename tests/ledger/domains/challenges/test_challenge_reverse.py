"""`challenge.reverse`: a goal that was reached with goods that went back."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.domains.challenges.challenge_contest import RETURNED
from ledger.domains.challenges.challenge_reverse import (
    CHALLENGE_REVERSE,
    NOT_COMPLETED,
    NOT_IN_EVIDENCE,
    OUTSIDE_WINDOW,
    STANDS,
    ChallengeReverse,
)
from ledger.domains.challenges.completions import COMPLETED, OVER
from ledger.domains.challenges.events import ChallengeReversed
from ledger.domains.challenges.state import NO_CHALLENGE, achievement_id_of
from ledger.domains.loyalty.issuance import POOL_TOO_SMALL
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.points import POINTS_INSUFFICIENT
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.domains.loyalty.returns import BAD_CONSENT, FUTURE, NOT_A_TILL, TOO_LATE, WRONG_POLICY, return_id_of
from ledger.domains.loyalty.reverse import GONE
from ledger.domains.loyalty.state import NO_PROGRAM, NO_SCOPE, NOT_GRANTED, SCOPE_FULFIL, SCOPE_SETTLE, NeverExpires
from ledger.errors import Malformed
from ledger.kinds import APPLIED, Cost
from ledger.params import CHALLENGE_AGAIN_SECONDS, CHALLENGE_PENDING_DAYS, RETURN_KEEP_SECONDS
from ledger.transaction import BAD_ATTESTATION
from ledger.types import Address, Amount, ChallengeId, Points, ProgramId, Timestamp
from tests.support.backing import check_backing
from tests.support.challenges import (
    achievement_of,
    challenge_of,
    complete,
    contest_challenge,
    create_challenge,
    entry_of,
    hash_of,
    reversal_of,
    reverse_challenge,
)
from tests.support.contests import sign
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.returns import take_return
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, TILL, Shop, make_terms


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Goods come back within three days; until then points are pending."""
    found = Shop(return_window_days=3, activation_delay_days=3)
    found.join(FAN)
    yield found
    found.chain.replay()


def visits(shop: Shop, fan: Signer = FAN, first: int = 1) -> list[SignedReceipt]:
    return [sign(shop, fan, sequence=first), sign(shop, fan, sequence=first + 1)]


def completed(shop: Shop) -> tuple[ChallengeId, list[SignedReceipt]]:
    """A challenge, and the receipts with which the fan completed it."""
    which, bought = create_challenge(shop), visits(shop)
    assert complete(shop, entry_of(which, bought)) == (APPLIED,)
    return which, bought


def test_reached_with_goods_that_went_back(shop: Shop) -> None:
    which, bought = completed(shop)
    back = take_return(shop, bought[1])
    reverse_challenge(shop, which, bought, back)
    assert shop.member(FAN).lots == ()
    books = shop.books
    assert (books.issued, books.pending, books.reversed) == (100, 0, 100)
    assert (books.challenge_points, books.challenge_points_reversed) == (1_000, 100)
    assert challenge_of(shop, which).given == 0
    found = achievement_of(shop, which)
    assert found is not None
    assert (found.times, found.completions, found.returned) == (0, (), ((0, hash_of(bought[1])),))
    event = ChallengeReversed(
        program=shop.program,
        challenge=which,
        member=FAN.address,
        occurrence=0,
        returned=return_id_of(back.returned),
        receipt=hash_of(bought[1]),
        points=Points(100),
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, achievement_id_of(which, FAN.address))
    payload: ChallengeReverse = reversal_of(which, bought, back)
    assert CHALLENGE_REVERSE.cost(payload) == Cost(records=6, signatures=2)
    assert len(CHALLENGE_REVERSE.reads(OWNER.address, payload)) == 4


def test_the_occurrence_can_be_completed_again_with_other_receipts(shop: Shop) -> None:
    which, bought = completed(shop)
    reverse_challenge(shop, which, bought, take_return(shop, bought[0]))
    other = sign(shop, sequence=9)
    shop.pass_days(10)
    with refused(RETURNED):
        contest_challenge(shop, which, bought)
    contest_challenge(shop, which, [bought[1], other])
    assert sum(lot[3] for lot in shop.member(FAN).lots) == 100
    assert challenge_of(shop, which).given == 100


def test_the_shop_may_err_with_the_same_receipt_again(shop: Shop) -> None:
    which, bought = completed(shop)
    back = take_return(shop, bought[0])
    for _ in range(2):
        reverse_challenge(shop, which, bought, back)
        assert complete(shop, entry_of(which, bought)) == (APPLIED,)
    found = achievement_of(shop, which)
    assert found is not None
    assert found.returned == ((0, hash_of(bought[0])),)


def test_a_reversal_leaves_the_room_of_others_alone() -> None:
    """What was issued and taken back counts against no cap: the budget can be given as a whole."""
    shop = Shop(issuance_cap=Points(1_000), return_window_days=3, activation_delay_days=3)
    shop.join(FAN)
    which, bought = completed(shop)
    reverse_challenge(shop, which, bought, take_return(shop, bought[0]))
    assert shop.earn(FAN, 1) == ("earn.issuance_cap",)
    assert complete(shop, entry_of(which, bought[1:])) == (APPLIED,)
    assert (shop.books.issued, shop.books.challenge_points) == (200, 900)


def test_what_goes_back_into_the_budget_has_coin_behind_it_as_the_program_promises_now() -> None:
    """The reward was issued with little coin behind it; the budget has it back only with as much as it would need now."""
    promise = {"return_window_days": 3, "activation_delay_days": 3, "issuance_cap": Points(10_000)}
    shop = Shop(collateral=Amount(1_000), **promise)
    shop.join(FAN)
    which, bought = completed(shop)
    terms = make_terms(collateral=Amount(50_000_000), **promise)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, terms), author=OWNER)
    back = take_return(shop, bought[0])
    with refused(POOL_TOO_SMALL):
        reverse_challenge(shop, which, bought, back)
    shop.fill_pool(5_000_000)
    before = shop.books.pool
    reverse_challenge(shop, which, bought, back)
    assert before - shop.books.pool == 100 * 50_000 - 100
    check_backing(shop.chain.state)
    shop.chain.replay()


def test_a_contested_reward_is_taken_back_by_a_return(shop: Shop) -> None:
    """The goods went back before the contest: the only thing that can be said against it, and the fan signed it."""
    which, bought = create_challenge(shop), visits(shop)
    back = take_return(shop, bought[0])
    shop.pass_days(10)
    contest_challenge(shop, which, bought)
    ordered = sorted(bought, key=lambda signed: signed.receipt.sequence)
    reverse_challenge(shop, which, ordered, back)
    assert shop.member(FAN).lots == ()
    with refused(RETURNED):
        contest_challenge(shop, which, bought)


def test_a_contested_reward_cannot_be_spent_before_the_shop_shows_the_return(shop: Shop) -> None:
    """Both receipts went back weeks before the contest: what it credits stays pending until the shop has had 16 days."""
    reward = shop.list_reward(price=100)
    which, bought = create_challenge(shop), visits(shop)
    back = take_return(shop, bought[0])
    shop.pass_days(25)
    contest_challenge(shop, which, bought)
    shop.pass_days(CHALLENGE_PENDING_DAYS - 1)
    with refused(POINTS_INSUFFICIENT):
        shop.redeem(FAN, reward)
    reverse_challenge(shop, which, bought, back)
    assert shop.member(FAN).lots == ()


def test_a_contested_reward_becomes_usable_and_lives_as_long(shop: Shop) -> None:
    which, bought = create_challenge(shop), visits(shop)
    shop.pass_days(25)
    contest_challenge(shop, which, bought)
    lots = shop.member(FAN).lots
    assert lots == ((1, shop.today + 16, shop.today + 16 - 3 + 30, 100),)
    shop.pass_days(CHALLENGE_PENDING_DAYS)
    assert shop.points_of(FAN) == 100


def test_who_may_reverse(shop: Shop) -> None:
    which, bought = completed(shop)
    back = take_return(shop, bought[0])
    with refused(NOT_GRANTED):
        reverse_challenge(shop, which, bought, back, author=STRANGER)
    shop.grant(STRANGER, scopes=SCOPE_FULFIL)
    with refused(NO_SCOPE):
        reverse_challenge(shop, which, bought, back, author=STRANGER)
    shop.grant(STRANGER, scopes=SCOPE_SETTLE)
    reverse_challenge(shop, which, bought, back, author=STRANGER)


def test_only_what_stands_is_reversed(shop: Shop) -> None:
    which, bought = completed(shop)
    back = take_return(shop, bought[0])
    with refused(NO_CHALLENGE):
        reverse_challenge(shop, ChallengeId(NOWHERE), bought, back)
    with refused(NOT_COMPLETED):
        reverse_challenge(shop, which, bought, back, occurrence=1)
    with refused(NOT_COMPLETED):
        theirs = visits(shop, FRIEND)
        reverse_challenge(shop, which, theirs, take_return(shop, theirs[0], fan=FRIEND))
    elsewhere = take_return(shop, bought[0], program=ProgramId(NOWHERE))
    with refused(NO_PROGRAM):
        reverse_challenge(shop, which, bought, elsewhere)
    other = shop.create_program(OWNER)
    with refused(NO_CHALLENGE):
        reverse_challenge(shop, which, bought, take_return(shop, bought[0], program=other))
    reverse_challenge(shop, which, bought, back)
    with refused(NOT_COMPLETED):
        reverse_challenge(shop, which, bought, back)


def test_evidence_that_the_program_chose_takes_nothing_from_who_can_show_others() -> None:
    """The program names a receipt that does not count and went back: while it can use that, the fan can contest."""
    shop = Shop(return_window_days=3, activation_delay_days=3, expiry=NeverExpires())
    shop.join(FAN)
    which, good = create_challenge(shop), visits(shop)
    other = sign(shop, sequence=3, net_cents=100)
    back, too = take_return(shop, other, points=1), take_return(shop, good[0], number=2)
    assert complete(shop, entry_of(which, [other])) == (APPLIED,)
    contest_until = challenge_of(shop, which).occurrence(0, shop.terms_of_program).contest_until
    shop.chain.advance(seconds=contest_until - shop.now, blocks=8)
    with refused(COMPLETED):
        contest_challenge(shop, which, good)
    reverse_challenge(shop, which, [other], back)
    shop.chain.advance(seconds=contest_until + CHALLENGE_AGAIN_SECONDS - DAY_SECONDS - shop.now)
    assert complete(shop, entry_of(which, [other])) == (OVER.name,)
    contest_challenge(shop, which, good)
    found = achievement_of(shop, which)
    assert found is not None
    assert found.completions[0].contested
    shop.pass_days(7)
    reverse_challenge(shop, which, good, too)
    with refused(OVER, until=contest_until + CHALLENGE_AGAIN_SECONDS):
        contest_challenge(shop, which, good)
    shop.chain.replay()


def test_what_the_program_completed_stands_once_it_cannot_be_contested_again() -> None:
    shop = Shop(return_window_days=3, activation_delay_days=3, expiry=NeverExpires())
    shop.join(FAN)
    which, bought = completed(shop)
    back = take_return(shop, bought[0])
    contest_until = challenge_of(shop, which).occurrence(0, shop.terms_of_program).contest_until
    shop.chain.advance(seconds=contest_until + 1 - shop.now, blocks=8)
    with refused(STANDS, until=contest_until):
        reverse_challenge(shop, which, bought, back)
    assert shop.points_of(FAN) == 100


def test_after_the_last_deadline_nothing_is_reversed(shop: Shop) -> None:
    which, bought = completed(shop)
    back = take_return(shop, bought[0])
    shop.pass_days(7 + 3 + 45)
    with refused(NOT_COMPLETED):
        reverse_challenge(shop, which, bought, back)


def test_the_receipt_is_one_of_the_evidence(shop: Shop) -> None:
    which, bought = completed(shop)
    other = sign(shop, sequence=9)
    with refused(NOT_IN_EVIDENCE):
        reverse_challenge(shop, which, bought, take_return(shop, other))
    payload = reversal_of(which, bought, take_return(shop, bought[0]))
    for spoiled in (replace(payload, index=1), replace(payload, path=()), replace(payload, index=2)):
        with refused(NOT_IN_EVIDENCE):
            shop.chain.send("challenge.reverse", spoiled, author=OWNER)


def test_both_signed_it(shop: Shop) -> None:
    which, bought = completed(shop)
    for signers in ((TILL, STRANGER), (STRANGER, FAN)):
        code = WRONG_POLICY if signers[1] is STRANGER else BAD_ATTESTATION
        with refused(code):
            reverse_challenge(shop, which, bought, take_return(shop, bought[0], signers=signers))
    back = take_return(shop, bought[0])
    twice = replace(back.consent, signatures=back.consent.signatures * 2)
    with refused(BAD_CONSENT, Malformed):
        shop.chain.send("challenge.reverse", replace(reversal_of(which, bought, back), consent=twice), author=OWNER)


def test_times_of_a_return(shop: Shop) -> None:
    which, bought = completed(shop)
    with refused(FUTURE):
        reverse_challenge(shop, which, bought, take_return(shop, bought[0], time=Timestamp(shop.now + 1)))
    with refused(TOO_LATE):
        long_ago = Timestamp(shop.now - RETURN_KEEP_SECONDS - 1)
        reverse_challenge(shop, which, bought, take_return(shop, bought[0], time=long_ago))
    with refused(NOT_A_TILL):
        reverse_challenge(shop, which, bought, take_return(shop, bought[0], till=STRANGER))
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)


def test_the_return_window_of_the_terms(shop: Shop) -> None:
    shop.pass_days(2)
    which, bought = completed(shop)
    begins, end = shop.midnight(days=0), shop.midnight(days=4)
    shop.pass_days(5)
    for time in (begins - 1, end):
        with refused(OUTSIDE_WINDOW, first=begins, end=end, time=time):
            reverse_challenge(shop, which, bought, take_return(shop, bought[0], time=Timestamp(time)))
    reverse_challenge(shop, which, bought, take_return(shop, bought[0], time=Timestamp(end - 1)))
    assert complete(shop, entry_of(which, bought[1:])) == (APPLIED,)
    reverse_challenge(shop, which, bought[1:], take_return(shop, bought[1], time=begins))


def test_what_was_spent_stays_spent(shop: Shop) -> None:
    which, bought = completed(shop)
    back = take_return(shop, bought[0])
    shop.pass_days(3)
    shop.redeem(FAN, shop.list_reward(price=1))
    with refused(GONE, available=99, wanted=100):
        reverse_challenge(shop, which, bought, back)
    assert challenge_of(shop, which).given == 100


def test_from_other_lots_only_where_the_fan_agreed(shop: Shop) -> None:
    payload = MemberJoin(shop.program, Address(b""), gives_back_from_all=True)
    shop.chain.send("member.join", payload, author=FRIEND)
    which, bought = create_challenge(shop), visits(shop, FRIEND)
    assert complete(shop, entry_of(which, bought, fan=FRIEND)) == (APPLIED,)
    shop.pass_days(3)
    shop.fulfil(shop.redeem(FRIEND, shop.list_reward(price=1)))
    assert shop.earn(FRIEND, 50) == (APPLIED,)
    shop.pass_days(3)
    reverse_challenge(shop, which, bought, take_return(shop, bought[0], fan=FRIEND, time=bought[0].receipt.time))
    assert shop.points_of(FRIEND) == 49
