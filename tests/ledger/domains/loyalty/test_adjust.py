"""`adjust`: points for a reason, within a cap a day."""

import pytest

from ledger.domains.loyalty.adjust import ADJUST, DAY_CAP, Adjust
from ledger.domains.loyalty.earn import ENTRY_DAILY_CAP
from ledger.domains.loyalty.events import PointsAdjusted
from ledger.domains.loyalty.issuance import ISSUANCE_CAP
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.program_sunset import PROGRAM_ENDED, ProgramSunset
from ledger.domains.loyalty.state import (
    NEVER,
    NO_MEMBER,
    NO_PROGRAM,
    NO_SCOPE,
    NOT_GRANTED,
    SCOPE_ADJUST,
    SCOPE_SETTLE,
    NeverExpires,
    books_key,
    grant_key,
    member_key,
    program_key,
)
from ledger.errors import Malformed
from ledger.kinds import Cost
from ledger.schema import OUT_OF_RANGE, WRONG_LENGTH
from ledger.transaction import Prepaid
from ledger.types import Day, Points, ProgramId, Timestamp
from tests.support.contests import grant_of
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, TILL, Shop


@pytest.fixture
def shop() -> Shop:
    found = Shop(adjust_day_max=Points(100))
    found.join(FAN)
    return found


def adjust(shop: Shop, points: int, *, fan: Signer = FAN, author: Signer = OWNER, reason: str = "apology.late") -> None:
    shop.chain.send("adjust", Adjust(shop.program, fan.address, Points(points), reason), author=author)


def test_the_owner_gives_points_that_live_like_those_of_an_entry(shop: Shop) -> None:
    today = shop.today
    shop.earn(FAN, 40)
    adjust(shop, 60)
    adjusted = PointsAdjusted(
        shop.program, FAN.address, OWNER.address, Points(60), "apology.late", today, Day(today + 30)
    )
    assert shop.chain.events == (adjusted,)
    assert adjusted.subjects() == (shop.program, FAN.address)
    assert shop.member(FAN).lots == ((1, today, today + 30, 100),), "one lot with the entry's"
    assert shop.member(FAN).entries == 1
    books = shop.books
    assert (books.issued, books.available, books.adjusted) == (100, 100, 60)
    assert (books.adjust_day, books.adjust_day_used) == (today, 60)
    assert grant_of(shop).day_used == 40, "the owner has no cap of a key"
    shop.chain.replay()


def test_the_days_are_those_of_the_present_period() -> None:
    shop = Shop(
        adjust_day_max=Points(100), period_days=7, activation_delay_days=2, return_window_days=2, expiry=NeverExpires()
    )
    shop.join(FAN)
    adjust(shop, 1)
    end = (shop.today // 7 + 1) * 7
    assert shop.member(FAN).lots == ((1, end + 2, NEVER, 1),)
    assert shop.books.pending == 1
    assert shop.earn(FAN, 5, period=shop.today // 7) == ("",)
    assert shop.member(FAN).lots == ((1, end + 2, NEVER, 6),)
    shop.chain.replay()


def test_the_cap_is_one_a_day_for_all_who_adjust(shop: Shop) -> None:
    shop.grant(TILL, scopes=SCOPE_ADJUST, daily_cap=70)
    adjust(shop, 70, author=TILL)
    assert (grant_of(shop).day, grant_of(shop).day_used) == (shop.today, 70)
    with refused(DAY_CAP, left=30, cap=100):
        adjust(shop, 31)
    with refused(ENTRY_DAILY_CAP):
        adjust(shop, 1, author=TILL)
    adjust(shop, 30)
    with refused(DAY_CAP, left=0):
        adjust(shop, 1)
    shop.pass_days(1)
    adjust(shop, 70, author=TILL)
    adjust(shop, 30)
    assert (shop.books.adjusted, shop.books.adjust_day_used) == (200, 100)
    shop.chain.replay()


def test_what_is_given_counts_to_the_issuance_cap() -> None:
    shop = Shop(adjust_day_max=Points(1_000), issuance_cap=Points(100))
    shop.join(FAN)
    shop.earn(FAN, 60)
    with refused(ISSUANCE_CAP):
        adjust(shop, 41)
    adjust(shop, 40)
    assert shop.earn(FAN, 1) == (ISSUANCE_CAP.name,)
    shop.chain.replay()


def test_terms_that_allow_nothing_give_nothing() -> None:
    shop = Shop()
    shop.join(FAN)
    with refused(DAY_CAP, left=0, cap=0):
        adjust(shop, 1)


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_PROGRAM):
        shop.chain.send("adjust", Adjust(ProgramId(NOWHERE), FRIEND.address, Points(1), "x"), author=STRANGER)
    with refused(NOT_GRANTED, issuer=STRANGER.address):
        adjust(shop, 1, author=STRANGER, fan=FRIEND)
    shop.grant(STRANGER, scopes=SCOPE_SETTLE)
    with refused(NO_SCOPE, issuer=STRANGER.address, scope="adjust"):
        adjust(shop, 1, author=STRANGER, fan=FRIEND)
    with refused(NO_MEMBER, member=FRIEND.address):
        adjust(shop, 101, fan=FRIEND)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, Timestamp(shop.now + 10 * DAY_SECONDS)), author=OWNER)
    shop.join(FRIEND)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FRIEND, payment=Prepaid())
    ends = shop.terms_of_program.sunset_at
    shop.chain.block(time=ends)
    adjust(shop, 1)
    with refused(NO_MEMBER, member=FRIEND.address):
        adjust(shop, 101, fan=FRIEND)
    with refused(PROGRAM_ENDED, sunset_at=ends):
        adjust(shop, 101)
    shop.chain.replay()


def test_limits_of_the_payload(shop: Shop) -> None:
    with refused(OUT_OF_RANGE, Malformed):
        adjust(shop, 0)
    with refused(WRONG_LENGTH, Malformed):
        adjust(shop, 1, reason="")
    with refused(WRONG_LENGTH, Malformed):
        adjust(shop, 1, reason="x" * 65)
    adjust(shop, 1, reason="\u00fc" * 32)
    payload = Adjust(shop.program, FAN.address, Points(1), "x")
    assert ADJUST.cost(payload) == Cost(records=5, slots=2, due=2)
    assert ADJUST.reads(OWNER.address, payload) == (
        program_key(shop.program),
        books_key(shop.program),
        member_key(shop.program, FAN.address),
        grant_key(shop.program, OWNER.address),
    )
