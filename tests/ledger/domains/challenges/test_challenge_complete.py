"""`challenge.complete`: who has reached a goal has its reward once, pending, out of a budget that was set aside."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.challenges.challenge_complete import CHALLENGE_COMPLETE, NO_MEMBER, ChallengeComplete
from ledger.domains.challenges.completions import (
    AFTER_LEAVING,
    BEFORE_JOINING,
    BUDGET_GONE,
    COMPLETED,
    NO_OCCURRENCE,
    NOT_BEGUN,
    OVER,
    PROGRAM_ENDED,
    TIMES_REACHED,
    TOO_MANY_RETURNS,
    find_fault,
)
from ledger.domains.challenges.events import ChallengeCompleted, ChallengeSkipped
from ledger.domains.challenges.state import NO_CHALLENGE, Achievement, Completion, achievement_id_of
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP
from ledger.domains.loyalty.issuance import ISSUANCE_CAP, Issuance
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.domains.loyalty.state import (
    NO_PROGRAM,
    NO_SCOPE,
    NOT_GRANTED,
    SCOPE_SETTLE,
    SCOPE_TILL,
    CalendarExpiry,
    NeverExpires,
)
from ledger.kinds import APPLIED, Cost
from ledger.params import CONTEST_KEEP_SECONDS, CONTEST_SECONDS
from ledger.state import Overlay
from ledger.transaction import Prepaid
from ledger.types import INTEGER_MAX, Amount, ChallengeId, Day, Hash, Points, ProgramId, ReceiptHash, Timestamp
from tests.support.challenges import achievement_of, challenge_of, complete, create_challenge, entry_of
from tests.support.contests import sign
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Goods come back within three days; until then points are pending."""
    found = Shop(return_window_days=3, activation_delay_days=3)
    found.join(FAN, FRIEND)
    yield found
    found.chain.replay()


def two_visits(shop: Shop, fan: Signer = FAN, first: int = 1) -> list[SignedReceipt]:
    return [sign(shop, fan, sequence=first), sign(shop, fan, sequence=first + 1)]


def test_a_completion_is_a_pending_lot(shop: Shop) -> None:
    which = create_challenge(shop)
    entry = entry_of(which, two_visits(shop))
    pool = shop.books.pool
    assert complete(shop, entry) == (APPLIED,)
    today = shop.today
    assert shop.member(FAN).lots == ((1, today + 3, today + 30, 100),)
    books = shop.books
    assert (books.issued, books.pending, books.challenge_points, books.pool) == (100, 100, 900, pool)
    assert challenge_of(shop, which).given == 100
    found = achievement_of(shop, which)
    assert found is not None
    assert (found.challenge, found.member, found.times, found.returned) == (which, FAN.address, 1, ())
    assert found.completions == (Completion(0, entry.evidence, 2, 1, Day(today + 3), today, contested=False),)
    assert (found.payer, found.deposit) == (b"A" + TILL.address, shop.chain.params.record_deposit)
    event = ChallengeCompleted(
        shop.program, which, FAN.address, 0, entry.evidence, 2, Points(100), Day(today + 3), Day(today + 30)
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, FAN.address, achievement_id_of(which, FAN.address))
    payload = ChallengeComplete(shop.program, (entry, entry))
    assert CHALLENGE_COMPLETE.cost(payload) == Cost(records=12, slots=6, due=6)
    assert len(CHALLENGE_COMPLETE.reads(TILL.address, payload)) == 5


def test_each_occurrence_once_and_only_so_many_times(shop: Shop) -> None:
    which = create_challenge(shop)
    assert complete(shop, entry_of(which, two_visits(shop))) == (APPLIED,)
    assert complete(shop, entry_of(which, two_visits(shop))) == (COMPLETED.name,)
    shop.pass_days(7)
    assert complete(shop, entry_of(which, two_visits(shop), occurrence=1)) == (APPLIED,)
    shop.pass_days(7)
    skipped = entry_of(which, two_visits(shop), occurrence=2)
    assert complete(shop, skipped, entry_of(which, two_visits(shop, FRIEND), fan=FRIEND, occurrence=2)) == (
        TIMES_REACHED.name,
        APPLIED,
    )
    first = shop.chain.events[0]
    assert first == ChallengeSkipped(shop.program, which, FAN.address, 0, 2, TIMES_REACHED.name)
    assert first.subjects() == (shop.program, FAN.address, achievement_id_of(which, FAN.address))
    found = achievement_of(shop, which)
    assert found is not None
    assert (found.times, [item.occurrence for item in found.completions]) == (2, [0, 1])


def test_a_batch_is_taken_one_after_the_other(shop: Shop) -> None:
    """First come, first served: what an entry takes is gone for the next."""
    which = create_challenge(shop, budget=Points(199))
    codes = complete(
        shop,
        entry_of(which, two_visits(shop)),
        entry_of(which, two_visits(shop)),
        entry_of(which, two_visits(shop, FRIEND), fan=FRIEND),
    )
    assert codes == (APPLIED, COMPLETED.name, BUDGET_GONE.name)
    assert challenge_of(shop, which).left == 99


def test_what_skips_an_entry(shop: Shop) -> None:
    which = create_challenge(shop, from_day=shop.today + 1)
    other = shop.create_program(STRANGER)
    entry = entry_of(which, two_visits(shop))
    codes = complete(
        shop,
        replace(entry, challenge=ChallengeId(NOWHERE)),
        replace(entry, member=STRANGER.address),
        replace(entry, occurrence=4),
        entry,
    )
    assert codes == (NO_CHALLENGE.name, NO_MEMBER.name, NO_OCCURRENCE.name, NOT_BEGUN.name)
    shop.chain.send(
        "issuer.grant", IssuerGrant(other, TILL.address, SCOPE_SETTLE, Points(INTEGER_MAX)), author=STRANGER
    )
    payload = ChallengeComplete(other, (entry,))
    assert shop.chain.send("challenge.complete", payload, author=TILL) == (NO_CHALLENGE.name,)
    shop.pass_days(1)
    assert complete(shop, entry) == (APPLIED,)


def test_who_may_complete(shop: Shop) -> None:
    which = create_challenge(shop)
    entry = entry_of(which, two_visits(shop))
    for other in (OWNER, STRANGER):
        with refused(NOT_GRANTED):
            complete(shop, entry, author=other)
    shop.grant(STRANGER, scopes=SCOPE_TILL)
    with refused(NO_SCOPE):
        complete(shop, entry, author=STRANGER)
    with refused(NO_PROGRAM):
        shop.chain.send("challenge.complete", ChallengeComplete(ProgramId(NOWHERE), (entry,)), author=TILL)


def test_a_stolen_settlement_key_stops_at_its_daily_cap(shop: Shop) -> None:
    which = create_challenge(shop)
    shop.grant(TILL, daily_cap=150)
    entries = [entry_of(which, two_visits(shop, fan), fan=fan) for fan in (FAN, FRIEND)]
    assert complete(shop, *entries) == (APPLIED, ENTRY_DAILY_CAP.name)
    assert shop.earn(FAN, 51) == (ENTRY_DAILY_CAP.name,)
    assert shop.earn(FAN, 50) == (APPLIED,)
    shop.pass_days(1)
    assert complete(shop, entries[1]) == (APPLIED,)


def test_a_batch_fails_whose_records_nobody_pays_for(shop: Shop) -> None:
    which = create_challenge(shop)
    shop.grant(POOR)
    shop.fill_pool(1)
    entry = entry_of(which, two_visits(shop))
    with refused(INSUFFICIENT):
        complete(shop, entry, author=POOR)
    assert complete(shop, entry, author=POOR, payment=shop.sponsored) == (APPLIED,)
    found = achievement_of(shop, which)
    assert found is not None
    assert found.payer == b"P" + shop.program


def test_until_when_it_can_be_completed(shop: Shop) -> None:
    which = create_challenge(shop)
    entry = entry_of(which, two_visits(shop))
    last = shop.midnight(days=7 + 3) + CONTEST_SECONDS
    shop.chain.advance(seconds=last - shop.now)
    in_time, late = entry, replace(entry, member=FRIEND.address)
    assert complete(shop, in_time) == (APPLIED,)
    assert complete(shop, late) == (OVER.name,)


def test_late_or_early_the_reward_waits_no_longer_than_the_return_window(shop: Shop) -> None:
    """Completed after the end: the window of three days counts from the last day of the occurrence."""
    which = create_challenge(shop)
    begins = shop.today
    shop.pass_days(8)
    assert complete(shop, entry_of(which, two_visits(shop))) == (APPLIED,)
    assert shop.member(FAN).lots == ((1, begins + 10, shop.today + 30, 100),)
    shop.pass_days(12)
    assert complete(shop, entry_of(which, two_visits(shop, FRIEND), fan=FRIEND)) == (APPLIED,)
    assert shop.member(FRIEND).lots == ((1, shop.today, shop.today + 30, 100),)


@pytest.mark.parametrize("expiry", [NeverExpires(), CalendarExpiry(12, 31, 1)])
def test_how_long_the_reward_lives_is_in_the_terms(expiry: Any) -> None:
    shop = Shop(expiry=expiry)
    shop.join(FAN)
    which = create_challenge(shop)
    assert complete(shop, entry_of(which, two_visits(shop))) == (APPLIED,)
    assert shop.member(FAN).lots[0][2] > shop.today + 700


def test_joining_and_leaving(shop: Shop) -> None:
    which = create_challenge(shop)
    shop.pass_days(7)
    shop.join(POOR)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FRIEND, payment=Prepaid())
    first, second = (entry_of(which, two_visits(shop), occurrence=number) for number in (0, 1))
    assert complete(shop, replace(first, member=POOR.address), replace(second, member=POOR.address)) == (
        BEFORE_JOINING.name,
        APPLIED,
    )
    assert complete(shop, replace(second, member=FRIEND.address)) == (APPLIED,)
    shop.pass_days(7)
    third = entry_of(which, two_visits(shop), fan=FRIEND, occurrence=2)
    assert complete(shop, third) == (AFTER_LEAVING.name,)


def test_what_began_before_the_end_can_be_completed_after_it(shop: Shop) -> None:
    which = create_challenge(shop)
    end = Timestamp(shop.midnight(days=14) - 1)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, end), author=OWNER)
    shop.pass_days(15)
    assert complete(shop, entry_of(which, two_visits(shop), occurrence=1)) == (APPLIED,)
    assert complete(shop, entry_of(which, two_visits(shop), occurrence=2)) == (PROGRAM_ENDED.name,)


def test_when_all_is_over_the_record_goes(shop: Shop) -> None:
    which = create_challenge(shop, occurrences=1, times_max=1)
    assert complete(shop, entry_of(which, two_visits(shop))) == (APPLIED,)
    coin = shop.coin_of(TILL)
    shop.chain.advance(seconds=shop.midnight(days=7 + 3) + CONTEST_KEEP_SECONDS - shop.now)
    shop.chain.mine()
    assert achievement_of(shop, which) is None
    assert shop.coin_of(TILL) == coin + shop.chain.params.record_deposit
    assert complete(shop, entry_of(which, two_visits(shop), fan=FRIEND)) == (NO_CHALLENGE.name,)
    assert shop.books.challenge_points == 0


def test_what_is_too_old_is_dropped_and_still_counted(shop: Shop) -> None:
    which = create_challenge(shop, occurrences=20, times_max=2)
    assert complete(shop, entry_of(which, two_visits(shop))) == (APPLIED,)
    shop.pass_days(7 + 3 + 45)
    number = 7
    assert complete(shop, entry_of(which, two_visits(shop), occurrence=number)) == (APPLIED,)
    found = achievement_of(shop, which)
    assert found is not None
    assert (found.times, [item.occurrence for item in found.completions]) == (2, [number])
    assert complete(shop, entry_of(which, two_visits(shop), occurrence=number - 1)) == (TIMES_REACHED.name,)


def test_too_many_returns_and_no_room_at_all(shop: Shop) -> None:
    """What takes thousands of blocks to reach: asked of the rule itself."""
    which = create_challenge(shop)
    view = Overlay(shop.chain.state)
    program, challenge = shop.terms_of_program, challenge_of(shop, which)
    issuance = Issuance.open(view, shop.program, program, shop.chain.context)
    gone = tuple((3, ReceiptHash(number.to_bytes(32, "big"))) for number in range(190))
    kept = (Completion(1, Hash(bytes(32)), 1, 1, shop.today, shop.today, contested=False),)
    found = Achievement(b"", Amount(0), which, FAN.address, 1, kept, gone)

    def fault(achievement: Achievement) -> Any:
        violation = find_fault(challenge, 0, program, shop.member(FAN), achievement, issuance, contested=False)
        return None if violation is None else violation.code

    assert fault(found) is None
    more = replace(found, returned=(*gone, (3, ReceiptHash(bytes(32)))))
    assert fault(more) is TOO_MANY_RETURNS
    issuance.book.move("issued", INTEGER_MAX - 100)
    assert fault(found) is None
    issuance.book.move("issued", 1)
    assert fault(found) is ISSUANCE_CAP
