"""`points.transfer`: points given on, where the terms allow it, with the days that they have."""

from dataclasses import replace

import pytest

from ledger.coin import account_payer
from ledger.domains.loyalty.events import PointsTransferred
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points import POINTS_INSUFFICIENT
from ledger.domains.loyalty.points_transfer import (
    NOT_TRANSFERABLE,
    POINTS_TRANSFER,
    TO_ONESELF,
    TOO_MANY_LOTS,
    TRANSFER_LIMIT,
    PointsTransfer,
)
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.state import NO_MEMBER, NO_PROGRAM, RollingExpiry, Terms, member_key, program_key, terms_key
from ledger.domains.loyalty.terms import is_worse
from ledger.kinds import Call, Cost
from ledger.params import LOTS_MAX
from ledger.state import Overlay
from ledger.transaction import Prepaid
from ledger.types import Address, Amount, Points, ProgramId
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, Shop, make_terms


@pytest.fixture
def shop() -> Shop:
    found = Shop(transfer_day_max=Points(500))
    found.join(FAN, FRIEND)
    found.earn(FAN, 300)
    return found


def give(shop: Shop, points: int, *, to: Signer = FRIEND, author: Signer = FAN) -> None:
    shop.chain.send("points.transfer", PointsTransfer(shop.program, to.address, Points(points)), author=author)


def test_points_keep_version_and_days(shop: Shop) -> None:
    first = shop.today
    shop.chain.advance(days=4)
    shop.earn(FAN, 100)
    shop.earn(FRIEND, 7)
    books = shop.books
    give(shop, 350)
    assert shop.chain.events == (PointsTransferred(shop.program, FAN.address, FRIEND.address, Points(350)),)
    assert shop.chain.events[0].subjects() == (FAN.address, FRIEND.address)
    assert shop.member(FRIEND).lots == ((1, first, first + 30, 300), (1, first + 4, first + 34, 57))
    assert shop.member(FAN).lots == ((1, first + 4, first + 34, 50),)
    assert shop.books == books, "no point moved to another day"
    assert (shop.member(FAN).transferred, shop.member(FAN).transfer_day) == (350, shop.today)
    give(shop, 10, author=FRIEND, to=FAN)
    assert shop.member(FAN).lots == ((1, first, first + 30, 10), (1, first + 4, first + 34, 50))
    shop.pass_days(27)
    assert (shop.points_of(FAN), shop.points_of(FRIEND)) == (50, 57), "old points got no new life"
    assert shop.books.expired == 300
    shop.chain.replay()


def test_the_maximum_of_a_day(shop: Shop) -> None:
    shop.earn(FAN, 700)
    give(shop, 499)
    with refused(TRANSFER_LIMIT, left=1, maximum=500):
        give(shop, 2)
    give(shop, 1)
    with refused(TRANSFER_LIMIT, left=0):
        give(shop, 1)
    shop.pass_days(1)
    give(shop, 500)
    assert shop.points_of(FRIEND) == 1_000
    shop.chain.replay()


def test_only_points_that_can_be_spent_are_given() -> None:
    shop = Shop(transfer_day_max=Points(500), activation_delay_days=3)
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 50)
    with refused(POINTS_INSUFFICIENT, needed=1, available=0):
        give(shop, 1)
    shop.pass_days(3)
    reward = shop.list_reward(price=20)
    shop.redeem(FAN, reward)
    with refused(POINTS_INSUFFICIENT, needed=31, available=30):
        give(shop, 31)
    give(shop, 30)
    shop.pass_days(30)
    with refused(POINTS_INSUFFICIENT):
        give(shop, 1, author=FRIEND, to=FAN)
    shop.chain.replay()


def test_expired_lots_go_and_days_that_begin_are_met() -> None:
    """On the first second of a day its due work is done before any transaction, so lots of both sides agree with the books."""
    shop = Shop(transfer_day_max=Points(500), expiry=RollingExpiry(2))
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 5)
    shop.earn(FRIEND, 6)
    shop.pass_days(1)
    shop.earn(FAN, 7)
    shop.pass_days(1)
    give(shop, 7)
    assert shop.member(FAN).lots == ()
    assert [lot[3] for lot in shop.member(FRIEND).lots] == [7]
    assert (shop.books.expired, shop.books.available) == (11, 7)
    shop.chain.replay()


def test_a_record_holds_so_many_lots_and_none_is_merged(shop: Shop) -> None:
    key = member_key(shop.program, FRIEND.address)
    expiry = shop.today + 60
    full = tuple((1, 0, expiry + number, 1) for number in range(LOTS_MAX))
    payload = PointsTransfer(shop.program, FRIEND.address, Points(1))
    view = Overlay(shop.chain.state)
    view.put(key, replace(shop.member(FRIEND), lots=full))
    call = Call(shop.chain.last_txid, FAN.address, account_payer(FAN.address), sponsored=False, fee=Amount(0))
    context = shop.chain.context
    with refused(TOO_MANY_LOTS, count=LOTS_MAX + 1, maximum=LOTS_MAX):
        POINTS_TRANSFER.apply(view, call, payload, context)
    view.put(key, replace(shop.member(FRIEND), lots=full[1:]))
    POINTS_TRANSFER.apply(view, call, payload, context)
    assert len(view.get(key).lots) == LOTS_MAX


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    with refused(TO_ONESELF):
        nowhere = PointsTransfer(ProgramId(NOWHERE), FAN.address, Points(1))
        shop.chain.send("points.transfer", nowhere, author=FAN)
    with refused(NO_PROGRAM):
        nowhere = PointsTransfer(ProgramId(NOWHERE), Address(NOWHERE), Points(1))
        shop.chain.send("points.transfer", nowhere, author=FAN)
    strict = shop.create_program(OWNER)
    with refused(NOT_TRANSFERABLE):
        shop.chain.send("points.transfer", PointsTransfer(strict, Address(NOWHERE), Points(1)), author=FAN)
    with refused(NO_MEMBER, member=STRANGER.address):
        give(shop, 501, author=STRANGER)
    with refused(NO_MEMBER, member=STRANGER.address):
        give(shop, 501, to=STRANGER)
    with refused(TRANSFER_LIMIT):
        give(shop, 501)
    with refused(POINTS_INSUFFICIENT):
        give(shop, 301)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FRIEND, payment=Prepaid())
    with refused(NO_MEMBER, member=FRIEND.address):
        give(shop, 1)
    with refused(NO_MEMBER, member=FRIEND.address):
        give(shop, 1, author=FRIEND, to=FAN)
    shop.chain.replay()


def test_a_lower_maximum_is_worse_and_waits() -> None:
    old = make_terms(transfer_day_max=Points(5))
    assert is_worse(old, make_terms(transfer_day_max=Points(4)))
    assert not is_worse(old, make_terms(transfer_day_max=Points(6)))
    shop = Shop(transfer_day_max=Points(5))
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, make_terms()), author=OWNER)
    terms: Terms = shop.chain.record(terms_key(shop.program, shop.terms_of_program.version_at(shop.now)))
    assert terms.transfer_day_max == 5


def test_cost_and_reads(shop: Shop) -> None:
    payload = PointsTransfer(shop.program, FRIEND.address, Points(1))
    assert POINTS_TRANSFER.cost(payload) == Cost(records=2)
    assert POINTS_TRANSFER.reads(FAN.address, payload) == (
        program_key(shop.program),
        member_key(shop.program, FAN.address),
        member_key(shop.program, FRIEND.address),
    )
