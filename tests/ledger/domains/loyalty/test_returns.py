"""Returns: who signs them, their bytes, and returns as answers to contests (spec RCP-9, LOY-16)."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.loyalty.earn_answer_contest import (
    BAD_PLACE,
    EARN_ANSWER_CONTEST,
    OTHER_RETURN,
    ReturnAnswer,
)
from ledger.domains.loyalty.events import ContestDecided
from ledger.domains.loyalty.returns import (
    BAD_CONSENT,
    NOT_A_TILL,
    USED,
    WRONG_POLICY,
    decode_return,
    encode_return,
    return_id_of,
    return_is_signed,
)
from ledger.domains.loyalty.reverse import (
    REVERSE,
)
from ledger.domains.loyalty.state import (
    NO_SCOPE,
    NOT_GRANTED,
    RETURNED,
    SCOPE_FULFIL,
    SCOPE_SETTLE,
    SETTLED_SHORT,
)
from ledger.errors import Malformed
from ledger.kinds import Cost
from ledger.policy import BAD_POLICY
from ledger.transaction import BAD_ATTESTATION
from ledger.types import Amount, Day, Hash, Points, ReceiptHash, Timestamp
from tests.support.contests import (
    contest,
    contest_id,
    contest_of,
    pass_grace,
    sign,
)
from tests.support.guarded import RECOVERED, account_of, guard, pass_delay, start
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.returns import answer_by_return, buy, returned_of, reversal, reverse, take_return
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop, some_hash


@pytest.fixture
def shop() -> Shop:
    """Goods come back within three days; until then points are pending."""
    found = Shop(return_window_days=3, activation_delay_days=3)
    found.join(FAN)
    return found


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
