"""`earn`: batches of sealed and open entries; what rejects a batch, what skips an entry, and when points can be used."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.codec import pack
from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.earn import (
    EARN,
    ENTRY_DAILY_CAP,
    ENTRY_EARLY,
    ENTRY_FUTURE,
    ENTRY_LEFT,
    ENTRY_NO_CONSENT,
    ENTRY_NO_MEMBER,
    ENTRY_NO_VERSION,
    ENTRY_WRONG_TIME,
    Earn,
    OpenEntry,
    SealedEntry,
)
from ledger.domains.loyalty.events import BatchSettled, EntrySkipped, PointsEarned
from ledger.domains.loyalty.issuance import ISSUANCE_CAP
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.receipts import BAD_RECEIPT
from ledger.domains.loyalty.state import (
    NEVER,
    NO_PROGRAM,
    NO_SCOPE,
    NOT_GRANTED,
    SCOPE_TILL,
    Batch,
    NeverExpires,
    RatePerAmount,
    RollingExpiry,
    batch_key,
    grant_key,
    member_key,
    program_key,
)
from ledger.errors import Malformed
from ledger.hashing import object_id
from ledger.merkle import leaf_hash, root
from ledger.params import CONTEST_KEEP_SECONDS, EARN_ENTRIES_MAX
from ledger.schema import WRONG_COUNT
from ledger.transaction import Prepaid
from ledger.types import Amount, Day, Hash, Points, ProgramId, ReceiptHash, Timestamp
from tests.support.memory_chain import DAY_SECONDS, GENESIS_DAY, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, TILL, Shop, make_terms, some_hash

WEEK = GENESIS_DAY // 7
"""The week, with anchor 0, that holds the first day of the chain: its first day."""
assert GENESIS_DAY % 7 == 0


def batch_of(shop: Shop) -> tuple[Hash, Batch]:
    batch_id = object_id("earn", shop.chain.last_txid, 0)
    return batch_id, shop.chain.record(batch_key(batch_id))


def open_entry(shop: Shop, fan: Signer = FAN, **changes: Any) -> OpenEntry:
    receipt = ReceiptHash(some_hash("open"))
    return replace(OpenEntry(fan.address, shop.today, receipt, 1, shop.now, 1_000, 0), **changes)


def publish(shop: Shop, fan: Signer = FAN) -> None:
    payload = ConsentGrant(shop.program, PUBLISH, "", Timestamp(0))
    shop.chain.send("consent.grant", payload, author=fan)


def test_a_sealed_entry_gives_a_lot(shop: Shop) -> None:
    shop.join(FAN)
    entry = shop.entry(FAN, 500)
    assert shop.settle(entry) == ("",)
    batch_id, _ = batch_of(shop)
    assert shop.chain.events == (
        PointsEarned(
            shop.program, FAN.address, 0, shop.today, Points(500), entry.receipts, shop.today, Day(shop.today + 30)
        ),
        BatchSettled(shop.program, TILL.address, batch_id, 1, 0, Points(500)),
    )
    assert [event.subjects() for event in shop.chain.events] == [(FAN.address,), (shop.program, TILL.address)]
    member = shop.member(FAN)
    assert member.lots == ((1, shop.today, shop.today + 30, 500),)
    assert (member.remainder, member.entries) == (entry.remainder, 1)
    assert (shop.books.issued, shop.books.available, shop.books.pending) == (500, 500, 0)


def test_an_entry_without_points_makes_no_lot(shop: Shop) -> None:
    shop.join(FAN)
    assert shop.earn(FAN, 0) == ("",)
    assert (shop.member(FAN).lots, shop.member(FAN).entries) == ((), 1)


def test_the_state_keeps_the_root_over_every_entry_skipped_ones_included(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 1)
    before = shop.member(FAN).remainder
    entries = (shop.entry(FAN, 500), shop.entry(FRIEND, 7))
    codes = shop.settle(*entries)
    assert codes == ("", ENTRY_NO_MEMBER.name)
    leaves = [
        leaf_hash(pack((0, e.member, e.period, e.points, e.receipts, e.remainder, previous, code)))
        for e, previous, code in zip(entries, (before, b""), codes, strict=True)
    ]
    batch_id, batch = batch_of(shop)
    assert (batch.entries_root, batch.count, batch.program) == (root(leaves), 2, shop.program)
    assert shop.chain.events[1] == EntrySkipped(shop.program, FRIEND.address, 1, shop.today, ENTRY_NO_MEMBER.name)
    assert shop.chain.events[1].subjects() == (shop.program, FRIEND.address)
    assert shop.chain.events[2] == BatchSettled(shop.program, TILL.address, batch_id, 2, 1, Points(500))


def test_a_batch_is_dropped_when_nothing_can_be_contested_and_its_deposit_returns(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 5)
    batch_id, batch = batch_of(shop)
    settled_at = shop.chain.mined[-1].context.time
    assert (
        batch.keep_until == settled_at + DAY_SECONDS - settled_at % DAY_SECONDS + 3 * DAY_SECONDS + CONTEST_KEEP_SECONDS
    )
    coin = shop.coin_of(TILL)
    shop.chain.block(time=batch.keep_until - 1)
    shop.chain.mine()
    assert shop.chain.record(batch_key(batch_id)) is not None
    shop.chain.mine()
    assert shop.chain.record(batch_key(batch_id)) is None
    assert shop.coin_of(TILL) == coin + batch.deposit


def test_a_period_in_the_far_future_does_not_keep_the_batch(shop: Shop) -> None:
    assert shop.settle(shop.entry(FAN, 1, period=2**31 - 1)) == (ENTRY_NO_MEMBER.name,)
    _, batch = batch_of(shop)
    assert batch.keep_until == shop.chain.mined[-1].context.time + 3 * DAY_SECONDS + CONTEST_KEEP_SECONDS


def test_faults_of_a_sealed_entry_come_in_the_documented_order() -> None:
    shop = Shop(period_days=7, issuance_cap=Points(100))
    shop.grant(TILL, daily_cap=99)
    far = WEEK + 100
    assert shop.settle(shop.entry(FAN, 101, period=far)) == (ENTRY_NO_MEMBER.name,)
    shop.chain.advance(days=21)
    shop.join(FAN)
    assert shop.settle(shop.entry(FAN, 101, period=far)) == (ENTRY_FUTURE.name,)
    assert shop.settle(shop.entry(FAN, 101, period=WEEK + 4)) == (ENTRY_FUTURE.name,)
    assert shop.settle(shop.entry(FAN, 101, period=WEEK + 2)) == (ENTRY_EARLY.name,)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    shop.chain.advance(days=7)
    assert shop.settle(shop.entry(FAN, 101, period=WEEK + 2)) == (ENTRY_EARLY.name,)
    assert shop.settle(shop.entry(FAN, 101, period=WEEK + 4)) == (ENTRY_LEFT.name,)
    assert shop.settle(shop.entry(FAN, 101, period=WEEK + 3)) == (ISSUANCE_CAP.name,)
    assert shop.settle(shop.entry(FAN, 100, period=WEEK + 3)) == (ENTRY_DAILY_CAP.name,)
    assert shop.settle(shop.entry(FAN, 99, period=WEEK + 3)) == ("",)
    assert shop.settle(shop.entry(FAN, 2, period=WEEK + 3)) == (ISSUANCE_CAP.name,)
    assert shop.settle(shop.entry(FAN, 1, period=WEEK + 3)) == (ENTRY_DAILY_CAP.name,)
    shop.chain.advance(days=1)
    assert shop.settle(shop.entry(FAN, 1, period=WEEK + 3)) == ("",)
    shop.chain.replay()


def test_caps_count_within_a_batch_and_skip_only_what_passes_them(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    shop.grant(TILL, daily_cap=100)
    codes = shop.settle(shop.entry(FAN, 60), shop.entry(FRIEND, 50), shop.entry(FRIEND, 40), shop.entry(FAN, 1))
    assert codes == ("", ENTRY_DAILY_CAP.name, "", ENTRY_DAILY_CAP.name)
    assert (shop.points_of(FAN), shop.points_of(FRIEND)) == (60, 40)


def test_the_daily_cap_follows_the_programs_own_days() -> None:
    shop = Shop(offset_minutes=-300)
    shop.join(FAN)
    shop.grant(TILL, daily_cap=10)
    assert shop.today == GENESIS_DAY - 1
    assert shop.earn(FAN, 10) == ("",)
    midnight = shop.midnight(days=1)
    shop.chain.block(time=midnight - 1)
    assert shop.settle(shop.entry(FAN, 1)) == (ENTRY_DAILY_CAP.name,)
    assert shop.today == GENESIS_DAY
    assert shop.settle(shop.entry(FAN, 1)) == ("",)


def test_failures_of_a_batch_come_in_the_documented_order(shop: Shop) -> None:
    send = shop.chain.send
    payload = Earn(shop.program, (shop.entry(FAN, 1),))
    with refused(NO_PROGRAM):
        send("earn", replace(payload, program=ProgramId(NOWHERE)), author=FRIEND)
    with refused(NOT_GRANTED, issuer=FRIEND.address):
        send("earn", payload, author=FRIEND)
    shop.grant(POOR, scopes=SCOPE_TILL)
    send("transfer", Transfer(ToAccount(POOR.address), Amount(11_000)), author=FAN)
    with refused(NO_SCOPE, issuer=POOR.address, scope="settle"):
        send("earn", payload, author=POOR)
    shop.grant(POOR)
    with refused(INSUFFICIENT, needed=10_000):
        send("earn", payload, author=POOR)
    assert EARN.reads(TILL.address, payload) == (
        program_key(shop.program),
        grant_key(shop.program, TILL.address),
        member_key(shop.program, FAN.address),
    )


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=14_000)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.settle(shop.entry(FAN, 1), payment=shop.sponsored)


@pytest.mark.parametrize("count", [0, EARN_ENTRIES_MAX + 1])
def test_a_batch_without_entries_or_with_too_many_is_malformed(shop: Shop, count: int) -> None:
    with refused(WRONG_COUNT, Malformed, found=count):
        shop.settle(*[shop.entry(FAN, 1)] * count)


def test_the_largest_batch_is_applied(shop: Shop) -> None:
    shop.join(FAN)
    assert shop.settle(*[shop.entry(FAN, 1)] * EARN_ENTRIES_MAX) == ("",) * EARN_ENTRIES_MAX
    assert shop.member(FAN).lots == ((1, shop.today, shop.today + 30, EARN_ENTRIES_MAX),)


# --- days ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settled_on", "base"), [(3, 7), (7, 7), (12, 12)])
def test_dates_count_from_the_later_of_the_periods_end_and_the_settling_block(settled_on: int, base: int) -> None:
    shop = Shop(period_days=7, activation_delay_days=2, return_window_days=1, expiry=RollingExpiry(20))
    shop.join(FAN)
    shop.chain.advance(days=settled_on)
    assert shop.earn(FAN, 10, period=WEEK) == ("",)
    first = GENESIS_DAY + base
    assert shop.member(FAN).lots == ((1, first + 2, first + 20, 10),)
    assert shop.books.pending == 10
    shop.chain.replay()


def test_a_period_can_begin_on_any_weekday() -> None:
    shop = Shop(period_days=7, period_anchor_day=3)
    shop.join(FAN)
    assert shop.earn(FAN, 10, period=WEEK) == (ENTRY_FUTURE.name,)
    assert shop.earn(FAN, 10, period=WEEK - 1) == ("",)
    assert shop.member(FAN).lots == ((1, GENESIS_DAY + 3, GENESIS_DAY + 33, 10),)


def test_points_that_never_expire() -> None:
    shop = Shop(expiry=NeverExpires())
    shop.join(FAN)
    shop.earn(FAN, 10)
    assert shop.member(FAN).lots == ((1, shop.today, NEVER, 10),)
    shop.pass_days(400)
    assert shop.points_of(FAN) == shop.books.available == 10
    assert shop.books.expired == 0


def test_a_lot_keeps_the_terms_of_its_period() -> None:
    shop = Shop(period_days=7)
    shop.join(FAN)
    worse = make_terms(period_days=7, expiry=RollingExpiry(10))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, worse), author=OWNER)
    shop.chain.advance(days=21)
    assert shop.terms_of_program.version_at(shop.now) == 2
    shop.earn(FAN, 5, period=WEEK)
    shop.earn(FAN, 6, period=WEEK + 2)
    assert shop.member(FAN).lots == ((2, shop.today, shop.today + 10, 6), (1, shop.today, shop.today + 30, 5))


# --- open entries -------------------------------------------------------------------------------------------------------


def test_an_open_entry_is_computed_by_every_node(shop: Shop) -> None:
    shop.join(FAN)
    publish(shop)
    shop.earn(FAN, 3)
    sealed_remainder = shop.member(FAN).remainder
    entry = open_entry(shop, net_cents=1_239, paid_with_points_cents=200)
    assert shop.settle(entry) == ("",)
    earned = shop.chain.events[0]
    assert isinstance(earned, PointsEarned)
    assert (earned.points, earned.commitment) == (103, entry.receipt)
    assert shop.member(FAN).remainder == sealed_remainder
    leaf = pack((1, FAN.address, entry.period, 103, entry.receipt, sealed_remainder, sealed_remainder, ""))
    assert batch_of(shop)[1].entries_root == root([leaf_hash(leaf)])


def test_codes_of_an_open_entry_that_do_not_ascend_are_malformed(shop: Shop) -> None:
    shop.join(FAN)
    publish(shop)
    for codes in ((("b", 1), ("a", 1)), (("a", 1), ("a", 2))):
        with refused(BAD_RECEIPT, Malformed):
            shop.chain.sign("earn", Earn(shop.program, (open_entry(shop, codes=codes),)), author=TILL)
    assert shop.settle(open_entry(shop, codes=(("a", 1), ("b", 1)))) == ("",)


def test_an_open_entry_needs_its_members_consent_as_long_as_it_holds(shop: Shop) -> None:
    shop.join(FAN)
    assert shop.settle(open_entry(shop)) == (ENTRY_NO_CONSENT.name,)
    publish(shop)
    assert shop.settle(open_entry(shop)) == ("",)
    shop.chain.send("consent.revoke", ConsentRevoke(shop.program, PUBLISH, ""), author=FAN)
    assert shop.settle(open_entry(shop), shop.entry(FAN, 1)) == (ENTRY_NO_CONSENT.name, "")


def test_faults_of_an_open_entry_come_in_the_documented_order(shop: Shop) -> None:
    shop.chain.advance(days=2)
    shop.join(FAN)
    now, today = shop.now, shop.today
    wrong = open_entry(shop, terms_version=9, time=Timestamp(now - 2 * DAY_SECONDS), net_cents=10**15)
    assert shop.settle(open_entry(shop, FRIEND)) == (ENTRY_NO_MEMBER.name,)
    assert shop.settle(wrong) == (ENTRY_NO_CONSENT.name,)
    publish(shop)
    assert shop.settle(wrong) == (ENTRY_WRONG_TIME.name,)
    start = shop.terms_of_program.day_start(today)
    codes = [shop.settle(replace(wrong, time=Timestamp(time)))[0] for time in (start - 1, start, start + DAY_SECONDS)]
    assert codes == [ENTRY_WRONG_TIME.name, ENTRY_NO_VERSION.name, ENTRY_WRONG_TIME.name]
    codes = [shop.settle(replace(wrong, time=Timestamp(shop.now + ahead)))[0] for ahead in (1, 0)]
    assert codes == [ENTRY_WRONG_TIME.name, ENTRY_NO_VERSION.name]
    assert shop.settle(replace(wrong, time=Timestamp(now), terms_version=1)) == (ISSUANCE_CAP.name,)


def test_a_till_may_name_a_version_that_was_in_force_within_three_days(shop: Shop) -> None:
    shop.join(FAN)
    publish(shop)
    worse = make_terms(rules=(RatePerAmount(Points(1), 20),))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, worse), author=OWNER)
    since = shop.terms_of_program.versions[-1][1]
    shop.chain.block(time=since + 5 * DAY_SECONDS)
    grace_ends = since + 72 * 3_600

    def points(version: int, time: int) -> int | str:
        period = shop.terms_of_program.day_at(Timestamp(time))
        entry = open_entry(shop, terms_version=version, time=Timestamp(time), period=period)
        code = shop.settle(entry)[0]
        event = shop.chain.events[0]
        return event.points if isinstance(event, PointsEarned) else code

    assert points(1, since - 1) == 100
    assert points(2, since - 1) == ENTRY_NO_VERSION.name
    assert points(1, since) == 100
    assert points(2, since) == 50
    assert points(1, grace_ends - 1) == 100
    assert points(1, grace_ends) == ENTRY_NO_VERSION.name
    assert points(2, grace_ends) == 50


def test_a_till_that_missed_an_improvement_costs_the_fan_nothing(shop: Shop) -> None:
    shop.join(FAN)
    publish(shop)
    better = make_terms(rules=(RatePerAmount(Points(1), 5),))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, better), author=OWNER)
    assert shop.settle(open_entry(shop, terms_version=1)) == ("",)
    assert shop.points_of(FAN) == 200


def test_a_sealed_entry_may_carry_nothing(shop: Shop) -> None:
    shop.join(FAN)
    sealed = SealedEntry(FAN.address, shop.today, Points(1), some_hash("r"), Hash(b""))
    assert shop.settle(sealed) == ("",)
    assert shop.member(FAN).remainder == b""
