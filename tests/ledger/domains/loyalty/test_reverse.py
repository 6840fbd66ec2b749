"""`reverse` and returns as answers: what a fan signed is taken back once, where it came from, and nothing else ever is."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.earn import Earn, OpenEntry, SealedEntry
from ledger.domains.loyalty.earn_answer_contest import (
    BAD_PLACE,
    EARN_ANSWER_CONTEST,
    OTHER_RETURN,
    ReturnAnswer,
)
from ledger.domains.loyalty.events import ContestDecided, PointsReversed
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash
from ledger.domains.loyalty.returns import (
    BAD_CONSENT,
    FUTURE,
    NOT_A_TILL,
    TOO_LATE,
    USED,
    WRONG_POLICY,
    SignedReturn,
    decode_return,
    encode_return,
    return_id_of,
    return_is_signed,
    return_key,
)
from ledger.domains.loyalty.reverse import (
    ABOVE_ENTRY,
    GONE,
    NO_BATCH,
    NOT_IN_BATCH,
    OUTSIDE_WINDOW,
    REVERSE,
    OpenPlace,
    Reverse,
)
from ledger.domains.loyalty.state import (
    NO_SCOPE,
    NOT_GRANTED,
    RETURNED,
    SCOPE_FULFIL,
    SCOPE_SETTLE,
    SETTLED_SHORT,
    RollingExpiry,
    batch_key,
    member_key,
    program_key,
)
from ledger.errors import Malformed
from ledger.hashing import object_id
from ledger.kinds import Cost
from ledger.params import RETURN_KEEP_SECONDS
from ledger.policy import BAD_POLICY
from ledger.transaction import BAD_ATTESTATION, Prepaid
from ledger.types import Amount, Day, Hash, Points, ReceiptHash, Timestamp
from tests.support.contests import (
    NOTHING,
    Settled,
    carried,
    contest,
    contest_id,
    contest_of,
    pass_grace,
    place_in_batch,
    settle,
    sign,
)
from tests.support.guarded import RECOVERED, account_of, guard, pass_delay, start
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.returns import answer_by_return, returned_of, reversal, reverse, take_return
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop, some_hash


@pytest.fixture
def shop() -> Shop:
    """Goods come back within three days; until then points are pending."""
    found = Shop(return_window_days=3, activation_delay_days=3)
    found.join(FAN)
    return found


def buy(shop: Shop, *, sequence: int = 1, points: int = 500, fan: Signer = FAN) -> tuple[SignedReceipt, Settled]:
    """A purchase that was settled at once."""
    bought = sign(shop, fan, sequence=sequence, points=points)
    return bought, settle(shop, [bought], fan=fan)


# --- what is taken ------------------------------------------------------------------------------------------------------


def test_a_return_takes_back_what_its_entry_gave(shop: Shop) -> None:
    bought, settled = buy(shop)
    signed = take_return(shop, bought, points=200)
    deposit, coin = shop.chain.params.record_deposit, shop.coin_of(OWNER)
    reverse(shop, settled, signed)
    event = PointsReversed(
        program=shop.program,
        member=FAN.address,
        returned=return_id_of(signed.returned),
        receipt=receipt_hash(bought.receipt, bought.salt),
        batch=settled.batch,
        index=0,
        points=Points(200),
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, return_id_of(signed.returned))
    today = shop.today
    assert shop.member(FAN).lots == ((1, today + 3, today + 30, 300),)
    books = shop.books
    assert (books.issued, books.pending, books.reversed) == (500, 300, 200)
    assert shop.chain.record(batch_key(settled.batch)).reversed == ((0, 200),)
    found = returned_of(shop, signed)
    assert found is not None
    assert (found.points, found.used, found.member, found.program) == (200, 200, FAN.address, shop.program)
    assert found.keep_until == signed.returned.time + RETURN_KEEP_SECONDS + 1
    assert coin - shop.coin_of(OWNER) > deposit == found.deposit
    shop.chain.replay()


def test_double_refund(shop: Shop) -> None:
    """The same return twice, or more than the entry gave."""
    bought, settled = buy(shop)
    first = take_return(shop, bought, points=300)
    reverse(shop, settled, first)
    with refused(USED, left=0, wanted=1):
        reverse(shop, settled, first, 1)
    second = take_return(shop, bought, points=300, number=2)
    with refused(ABOVE_ENTRY, given=500, left=200, wanted=201):
        reverse(shop, settled, second, 201)
    reverse(shop, settled, second, 200)
    with refused(ABOVE_ENTRY, left=0):
        reverse(shop, settled, second, 1)
    assert shop.member(FAN).lots == ()
    assert shop.books.reversed == 500
    shop.chain.replay()


def test_a_return_counts_once_for_all_entries(shop: Shop) -> None:
    """A part of the purchase's points was carried on: its entry gave less, and the rest is reversed from the next one."""
    bought = sign(shop)
    first = settle(shop, [bought], after=carried(90))
    second = settle(shop, [sign(shop, sequence=2)], before=carried(90))
    signed = take_return(shop, bought)
    with refused(ABOVE_ENTRY, given=410, left=410, wanted=500):
        reverse(shop, first, signed)
    reverse(shop, first, signed, 410)
    with refused(USED, left=90, wanted=91):
        reverse(shop, second, signed, 91)
    reverse(shop, second, signed, 90)
    assert returned_of(shop, signed).used == 500
    assert shop.books.pending == 500
    shop.chain.replay()


def test_refund_farming(shop: Shop) -> None:
    """Buy, earn, redeem, return: only what is still in that lot or pending is taken, spent points stay spent."""
    bought, settled = buy(shop)
    shop.pass_days(3)
    signed = take_return(shop, bought)
    old = shop.today
    shop.redeem(FAN, shop.list_reward(price=350))
    with refused(GONE, available=150, wanted=500):
        reverse(shop, settled, signed)
    reverse(shop, settled, signed, 150)
    with refused(GONE, available=0):
        reverse(shop, settled, signed, 1)
    _, later = buy(shop, sequence=2, points=100)
    assert later.code == ""
    reverse(shop, settled, signed, 80)
    assert shop.member(FAN).lots == ((1, old + 3, old + 30, 20),), "of what is pending the rest was taken"
    assert (shop.books.reversed, shop.books.held) == (230, 350)
    shop.chain.replay()


def test_the_entrys_own_lot_comes_before_what_is_pending(shop: Shop) -> None:
    buy(shop, sequence=2, points=70)
    shop.pass_days(1)
    bought, settled = buy(shop, points=100)
    signed = take_return(shop, bought)
    reverse(shop, settled, signed, 60)
    assert [lot[3] for lot in shop.member(FAN).lots] == [70, 40]
    reverse(shop, settled, signed, 40)
    assert [lot[3] for lot in shop.member(FAN).lots] == [70]
    shop.chain.replay()


@pytest.mark.parametrize("agreed", [False, True])
def test_other_lots_only_where_the_fan_agreed_at_joining(*, agreed: bool) -> None:
    shop = Shop(return_window_days=0, hold_seconds=30 * 86_400)
    payload = MemberJoin(shop.program, TILL.address, gives_back_from_all=agreed)
    shop.chain.send("member.join", payload, author=FAN, payment=shop.sponsored, cosigners=(TILL,))
    buy(shop, sequence=2, points=100)
    shop.pass_days(1)
    bought, settled = buy(shop)
    signed = take_return(shop, bought)
    reward = shop.list_reward(price=400)
    shop.redeem(FAN, reward)
    today = shop.today
    assert shop.member(FAN).lots == ((1, today, today + 30, 200),)
    shop.earn(FAN, 1, period=shop.today - 1)
    shop.pass_days(1)
    shop.earn(FAN, 50)
    if agreed:
        reverse(shop, settled, signed, 230)
        assert [lot[3] for lot in shop.member(FAN).lots] == [21], "the entry's own lot first, then the oldest"
        with refused(GONE, available=21, wanted=22):
            reverse(shop, settled, signed, 22)
    else:
        with refused(GONE, available=201, wanted=230):
            reverse(shop, settled, signed, 230)
        reverse(shop, settled, signed, 201)
        assert [lot[3] for lot in shop.member(FAN).lots] == [50]
    shop.chain.replay()


def test_expired_points_are_not_there() -> None:
    shop = Shop(return_window_days=2, activation_delay_days=2, expiry=RollingExpiry(3))
    shop.join(FAN)
    bought, settled = buy(shop)
    shop.pass_days(2)
    signed = take_return(shop, bought)
    shop.pass_days(1)
    with refused(GONE, available=0):
        reverse(shop, settled, signed, 1)
    assert shop.books.expired == 500
    shop.chain.replay()


# --- who signs ----------------------------------------------------------------------------------------------------------


def test_without_the_fan_nothing_is_taken(shop: Shop) -> None:
    bought, settled = buy(shop)
    with refused(WRONG_POLICY, member=FAN.address):
        reverse(shop, settled, take_return(shop, bought, signers=(TILL, FRIEND)))
    good = take_return(shop, bought)
    with refused(BAD_ATTESTATION):
        reverse(shop, settled, replace(good, returned=replace(good.returned, points=Points(501))))
    with refused(BAD_ATTESTATION):
        reverse(shop, settled, replace(good, signature=good.consent.signatures[0][1]))
    swapped = replace(good.consent, signatures=((0, good.signature),))
    with refused(BAD_ATTESTATION):
        reverse(shop, settled, replace(good, consent=swapped))
    assert shop.books.reversed == 0
    shop.chain.replay()


def test_a_till_that_is_the_fan_signs_twice(shop: Shop) -> None:
    """One key for both: still two signatures, under two tags."""
    shop.join(TILL)
    bought, settled = buy(shop, fan=TILL)
    both = take_return(shop, bought, fan=TILL)
    with refused(BAD_ATTESTATION):
        reverse(shop, settled, replace(both, consent=replace(both.consent, signatures=((0, both.signature),))))
    reverse(shop, settled, both)
    shop.chain.replay()


def test_the_keys_of_a_recovery_in_force_sign_and_the_former_ones_do_not(shop: Shop) -> None:
    guard(shop.chain)
    start(shop.chain)
    pass_delay(shop.chain)
    assert account_of(shop.chain).policy_hash == b"", "nothing is written until the account signs"
    bought, settled = buy(shop)
    with refused(WRONG_POLICY, member=FAN.address):
        reverse(shop, settled, take_return(shop, bought))
    reverse(shop, settled, take_return(shop, bought, signers=(TILL, RECOVERED)))
    assert shop.books.reversed == bought.receipt.points
    shop.chain.replay()


def test_an_account_of_several_keys_signs_with_its_threshold(shop: Shop) -> None:
    keys = Signer.named("both parents", threshold=2, keys_count=3)
    bought, settled = buy(shop)
    by_one = take_return(shop, bought)
    shop.chain.send("account.set_policy", SetPolicy(keys.policy), author=FAN)
    with refused(WRONG_POLICY, member=FAN.address):
        reverse(shop, settled, by_one)
    signed = take_return(shop, bought, signers=(TILL, keys))
    assert len(signed.consent.signatures) == 2
    for spoiled in (signed.consent.signatures[:1], signed.consent.signatures[::-1], ((0, bought.signature),) * 2):
        with refused(BAD_CONSENT, Malformed, expected=2):
            reverse(shop, settled, replace(signed, consent=replace(signed.consent, signatures=spoiled)))
    beyond = (signed.consent.signatures[0], (3, signed.consent.signatures[1][1]))
    with refused(BAD_CONSENT, Malformed):
        reverse(shop, settled, replace(signed, consent=replace(signed.consent, signatures=beyond)))
    unsorted = replace(keys.policy, keys=keys.policy.keys[::-1])
    with refused(BAD_POLICY, Malformed):
        reverse(shop, settled, replace(signed, consent=replace(signed.consent, policy=unsorted)))
    payload = reversal(settled, signed)
    assert REVERSE.cost(payload) == Cost(records=8, slots=1, due=1, signatures=3)
    reverse(shop, settled, signed)
    shop.chain.replay()


def test_who_may_post_it(shop: Shop) -> None:
    bought, settled = buy(shop)
    signed = take_return(shop, bought)
    with refused(NOT_GRANTED, issuer=STRANGER.address):
        reverse(shop, settled, signed, author=STRANGER)
    shop.grant(STRANGER, scopes=SCOPE_FULFIL)
    with refused(NO_SCOPE, issuer=STRANGER.address, scope="settle"):
        reverse(shop, settled, signed, author=STRANGER)
    shop.grant(STRANGER, scopes=SCOPE_SETTLE)
    reverse(shop, settled, signed, 1, author=STRANGER)
    shop.grant(POOR, scopes=SCOPE_SETTLE)
    other = take_return(shop, bought, number=2)
    payload = reversal(settled, other)
    shop.fill_pool(10**6)
    with refused(INSUFFICIENT):
        shop.chain.send("reverse", payload, author=POOR)
    shop.chain.send("reverse", reversal(settled, other, 1), author=POOR, payment=shop.sponsored)
    shop.chain.replay()


# --- which entry, which return ------------------------------------------------------------------------------------------


def test_the_entry_must_have_been_credited_to_who_returns(shop: Shop) -> None:
    shop.join(FRIEND)
    bought, settled = buy(shop)
    theirs, others = buy(shop, sequence=2, fan=FRIEND)
    signed = take_return(shop, bought)
    with refused(NO_BATCH):
        reverse(shop, replace(settled, batch=Hash(NOWHERE)), signed)
    other = shop.create_program(OWNER)
    with refused(NO_BATCH):
        reverse(shop, settled, take_return(shop, bought, program=other))
    with refused(NOT_IN_BATCH):
        reverse(shop, others, signed)
    payload = reversal(settled, signed, 1)
    for spoiled in ({"points": Points(501)}, {"period": settled.entry.period - 1}, {"remainder": some_hash("K")}):
        with refused(NOT_IN_BATCH):
            spoiled_place = replace(payload.place, **spoiled)
            shop.chain.send("reverse", replace(payload, place=spoiled_place), author=OWNER)
    with refused(NOT_IN_BATCH):
        reverse(shop, replace(settled, index=1), signed)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    shop.pass_days(1)
    skipped = settle(shop, [sign(shop, sequence=3)])
    assert skipped.code == "earn.member_left"
    with refused(NOT_IN_BATCH):
        reverse(shop, skipped, signed)
    reverse(shop, settled, signed)
    assert theirs.receipt.member == FRIEND.address
    shop.chain.replay()


def test_one_entry_of_many_and_an_open_one(shop: Shop) -> None:
    shop.join(FRIEND)
    shop.chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=FAN)
    bought = sign(shop)
    found = receipt_hash(bought.receipt, bought.salt)
    today, held = shop.today, Hash(b"")
    sealed = SealedEntry(FRIEND.address, today, Points(70), some_hash("R"), held)
    open_entry = OpenEntry(FAN.address, today, found, 1, shop.now, 5_000, 0)
    last = SealedEntry(FAN.address, today, Points(30), some_hash("R", 2), held)
    shop.settle(sealed, open_entry, last)
    rows = [
        (0, FRIEND.address, today, 70, some_hash("R"), held, held, ""),
        (1, FAN.address, today, 500, found, held, held, ""),
        (0, FAN.address, today, 30, some_hash("R", 2), held, held, ""),
    ]
    batch = object_id("earn", shop.chain.last_txid, 0)
    as_settled = Settled(last, (), NOTHING.salt, NOTHING, NOTHING, batch, "", 2, place_in_batch(rows, 2))
    signed = take_return(shop, bought, points=530)
    reverse(shop, as_settled, signed, 30)
    open_place = Reverse(
        batch, 1, place_in_batch(rows, 1), OpenPlace(today, Points(500), held), Points(500), *_shown(signed)
    )
    elsewhere = take_return(shop, sign(shop, sequence=9), points=1)
    spoiled = replace(open_place, points=Points(1), returned=elsewhere.returned, signature=elsewhere.signature)
    with refused(NOT_IN_BATCH):
        shop.chain.send("reverse", replace(spoiled, consent=elsewhere.consent), author=OWNER)
    shop.chain.send("reverse", open_place, author=TILL)
    assert shop.chain.record(batch_key(batch)).reversed == ((1, 500), (2, 30))
    assert shop.member(FAN).lots == ()
    assert REVERSE.reads(TILL.address, open_place) == (
        batch_key(batch),
        program_key(shop.program),
        member_key(shop.program, FAN.address),
        return_key(return_id_of(signed.returned)),
    )
    shop.chain.replay()


def _shown(signed: SignedReturn) -> tuple[Any, ...]:
    return signed.returned, signed.signature, signed.consent


def test_the_window_of_the_terms(shop: Shop) -> None:
    shop.chain.advance(days=1)
    bought, settled = buy(shop)
    program, today = shop.terms_of_program, shop.today
    first, end = program.day_start(today), program.day_start(Day(today + 4))
    before = take_return(shop, bought, time=Timestamp(first - 1))
    with refused(OUTSIDE_WINDOW, first=first, end=end, time=first - 1):
        reverse(shop, settled, before)
    early = take_return(shop, bought, time=first, points=1)
    with refused(NOT_A_TILL):
        reverse(shop, settled, take_return(shop, bought, till=STRANGER, time=first))
    reverse(shop, settled, early)
    last, beyond = (take_return(shop, bought, time=Timestamp(time), number=time) for time in (end - 1, end))
    with refused(FUTURE, time=end - 1):
        reverse(shop, settled, last)
    shop.pass_days(10)
    with refused(OUTSIDE_WINDOW, end=end, time=end):
        reverse(shop, settled, beyond)
    reverse(shop, settled, last, 499)
    shop.chain.replay()


def test_a_batch_that_is_gone_and_a_return_that_is_too_old(shop: Shop) -> None:
    bought, settled = buy(shop)
    used = take_return(shop, bought, points=10)
    reverse(shop, settled, used)
    locked = shop.chain.state.chain.locked
    shop.pass_days(60)
    with refused(NO_BATCH):
        reverse(shop, settled, take_return(shop, bought, number=2))
    assert returned_of(shop, used) is not None, "remembered longer than the batch"
    old = take_return(shop, bought, number=3, time=Timestamp(shop.now - RETURN_KEEP_SECONDS - 1))
    fresh = sign(shop, sequence=2)
    late = settle(shop, [fresh], period=shop.today)
    with refused(TOO_LATE, until=old.returned.time + RETURN_KEEP_SECONDS):
        reverse(shop, late, old)
    shop.chain.advance(seconds=used.returned.time + RETURN_KEEP_SECONDS - shop.now)
    shop.chain.mine()
    assert returned_of(shop, used) is not None
    shop.chain.mine(2)
    assert returned_of(shop, used) is None
    assert shop.chain.state.chain.locked < locked
    shop.chain.replay()


def test_the_till_counts_by_its_grant_of_the_time(shop: Shop) -> None:
    bought, settled = buy(shop)
    signed = take_return(shop, bought)
    fulfils = Signer.named("fulfils only")
    shop.grant(fulfils, scopes=SCOPE_FULFIL)
    with refused(NOT_A_TILL):
        reverse(shop, settled, take_return(shop, bought, till=fulfils))
    shop.chain.mine()
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    shop.chain.mine(2)
    with refused(NOT_A_TILL):
        reverse(shop, settled, take_return(shop, bought, number=2))
    reverse(shop, settled, signed)
    shop.chain.replay()


# --- bytes --------------------------------------------------------------------------------------------------------------


def test_signed_returns_survive_their_bytes(shop: Shop) -> None:
    signed = take_return(shop, sign(shop))
    assert decode_return(encode_return(signed)) == signed
    assert return_is_signed(signed, shop.chain.chain_id)
    assert not return_is_signed(
        replace(signed, returned=replace(signed.returned, time=Timestamp(1))), shop.chain.chain_id
    )
    broken = replace(signed, consent=replace(signed.consent, signatures=signed.consent.signatures * 2))
    with refused(BAD_CONSENT, Malformed):
        decode_return(encode_return(broken))
    twin = replace(signed.returned, salt=some_hash("another"))
    assert return_id_of(twin) != return_id_of(signed.returned)


# --- a return as an answer ----------------------------------------------------------------------------------------------


def test_already_returned(shop: Shop) -> None:
    """Bought, returned before anybody settled it, contested all the same: the fan's own signature answers."""
    bought = sign(shop)
    signed = take_return(shop, bought)
    pass_grace(shop)
    contest(shop, bought)
    prepaid, coin = shop.member(FAN).prepaid, shop.books.contest_coin
    payload = answer_by_return(bought, signed)
    assert EARN_ANSWER_CONTEST.cost(payload) == Cost(records=7, slots=3, due=3, signatures=2)
    shop.chain.send("earn.answer_contest", payload, author=TILL)
    found = contest_of(shop, contest_id(bought))
    assert (found.outcome, found.credited) == (RETURNED, 0)
    decided = ContestDecided(
        shop.program, FAN.address, contest_id(bought), RETURNED, Points(0), Amount(0), Day(0), Day(0)
    )
    assert shop.chain.events == (decided,)
    assert (shop.member(FAN).prepaid, shop.books.contest_coin) == (prepaid, coin), "it is not upheld, so not repaid"
    assert shop.books.contest_points == shop.books.contest_points_locked
    assert (shop.books.issued, shop.books.reversed) == (0, 0)
    assert returned_of(shop, signed).used == 500
    shop.chain.replay()


def test_a_part_that_was_kept_is_owed(shop: Shop) -> None:
    bought = sign(shop)
    signed = take_return(shop, bought, points=120)
    pass_grace(shop)
    contest(shop, bought)
    shop.chain.send("earn.answer_contest", answer_by_return(bought, signed), author=OWNER)
    found = contest_of(shop, contest_id(bought))
    assert (found.outcome, found.credited) == (SETTLED_SHORT, 380)
    assert shop.books.issued == 380
    shop.chain.replay()


def test_a_return_does_not_count_in_both_places(shop: Shop) -> None:
    """The shop did not settle the purchase, and took the return out of another entry: then that is what the return was for."""
    bought = sign(shop)
    _, other = buy(shop, sequence=2)
    signed = take_return(shop, bought)
    reverse(shop, other, signed, 499)
    pass_grace(shop)
    contest(shop, bought)
    shop.chain.send("earn.answer_contest", answer_by_return(bought, signed), author=OWNER)
    found = contest_of(shop, contest_id(bought))
    assert (found.outcome, found.credited) == (SETTLED_SHORT, 499)
    with refused(USED, left=0, wanted=1):
        reverse(shop, other, signed, 1)
    again = sign(shop, sequence=3)
    gone = take_return(shop, again)
    pass_grace(shop)
    contest(shop, again)
    _, third = buy(shop, sequence=4)
    reverse(shop, third, take_return(shop, sign(shop, sequence=5)))
    shop.chain.send("earn.answer_contest", answer_by_return(again, gone), author=OWNER)
    shop.chain.replay()


def test_used_up_returns_answer_nothing(shop: Shop) -> None:
    bought = sign(shop)
    _, other = buy(shop, sequence=2)
    signed = take_return(shop, bought)
    reverse(shop, other, signed)
    pass_grace(shop)
    contest(shop, bought)
    with refused(USED, left=0, wanted=500):
        shop.chain.send("earn.answer_contest", answer_by_return(bought, signed), author=OWNER)
    shop.chain.replay()


def test_what_is_no_answer(shop: Shop) -> None:
    bought, other = sign(shop), sign(shop, sequence=2)
    time = shop.now
    end = shop.terms_of_program.day_start(Day(shop.today + 1 + 3 + 1))
    shop.pass_days(7)
    contest(shop, bought)
    wrong: list[dict[str, Any]] = [
        {"program": shop.create_program(OWNER)},
        {"receipt": ReceiptHash(some_hash("other"))},
        {"time": Timestamp(time - 1)},
        {"time": end},
    ]
    for number, changes in enumerate(wrong):
        spoiled = take_return(shop, bought, number=number, **{"time": time, **changes})
        with refused(OTHER_RETURN):
            shop.chain.send("earn.answer_contest", answer_by_return(bought, spoiled), author=OWNER)
    with refused(OTHER_RETURN):
        theirs = take_return(shop, bought, fan=FRIEND, time=time)
        shop.chain.send("earn.answer_contest", answer_by_return(bought, theirs), author=OWNER)
    with refused(NOT_A_TILL):
        stranger = take_return(shop, bought, till=STRANGER, time=time)
        shop.chain.send("earn.answer_contest", answer_by_return(bought, stranger), author=OWNER)
    good = take_return(shop, bought, time=Timestamp(end - 1))
    with refused(BAD_ATTESTATION):
        forged = replace(good, signature=other.signature)
        shop.chain.send("earn.answer_contest", answer_by_return(bought, forged), author=OWNER)
    payload = answer_by_return(bought, good)
    for changes in ({"batch": Hash(some_hash("batch"))}, {"index": 1}, {"path": (Hash(NOWHERE),)}):
        with refused(BAD_PLACE, Malformed):
            shop.chain.send("earn.answer_contest", replace(payload, **changes), author=OWNER)
    assert isinstance(payload.entry, ReturnAnswer)
    twice = replace(good.consent, signatures=good.consent.signatures * 2)
    with refused(BAD_CONSENT, Malformed):
        spoiled_entry = replace(payload, entry=replace(payload.entry, consent=twice))
        shop.chain.send("earn.answer_contest", spoiled_entry, author=OWNER)
    shop.chain.send("earn.answer_contest", payload, author=OWNER)
    shop.chain.replay()


def test_a_batch_sorts_what_is_reversed(shop: Shop) -> None:
    """Rows stay ascending by index whatever the order of the reversals."""
    entries = [SealedEntry(FAN.address, shop.today, Points(10 + n), some_hash(n), Hash(b"")) for n in range(3)]
    shop.chain.send("earn", Earn(shop.program, tuple(entries)), author=TILL)
    batch, held = object_id("earn", shop.chain.last_txid, 0), Hash(b"")
    rows = [(0, FAN.address, shop.today, 10 + n, some_hash(n), held, held, "") for n in range(3)]
    signed = take_return(shop, sign(shop), points=30)
    for index in (2, 0):
        path = place_in_batch(rows, index)
        settled = Settled(entries[index], (), NOTHING.salt, NOTHING, NOTHING, batch, "", index, path)
        reverse(shop, settled, signed, index + 1)
    assert shop.chain.record(batch_key(batch)).reversed == ((0, 1), (2, 3))
    shop.chain.replay()
