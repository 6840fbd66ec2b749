"""`program.sunset`: an end that is announced, kept, and worsens nothing."""

from dataclasses import replace

import pytest

from ledger.coin import account_payer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.earn import OpenEntry
from ledger.domains.loyalty.earn_answer_contest import BAD_REMAINDER, EARN_ANSWER_CONTEST
from ledger.domains.loyalty.events import SunsetAnnounced
from ledger.domains.loyalty.program_sunset import (
    ALREADY_ANNOUNCED,
    ENTRY_CARRIES,
    ENTRY_ENDED,
    NOT_OWNER,
    PROGRAM_CLOSED,
    PROGRAM_ENDED,
    PROGRAM_ENDING,
    PROGRAM_SUNSET,
    TOO_EARLY,
    ProgramSunset,
)
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.state import NO_PROGRAM, UNSETTLED, program_key
from ledger.domains.loyalty.terms import is_worse
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.errors import Malformed
from ledger.kinds import Call, Cost
from ledger.schema import OUT_OF_RANGE
from ledger.state import Overlay
from ledger.types import Amount, Hash, Points, ProgramId, ReceiptHash, RewardId, Timestamp
from tests.support.contests import (
    answer,
    carried,
    contest,
    contest_id,
    contest_of,
    pass_answer,
    pass_grace,
    settle,
    sign,
)
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, Shop, make_terms, some_hash

NOTICE = 10 * DAY_SECONDS


def announce(shop: Shop, *, ahead: int = NOTICE, author: object = OWNER) -> Timestamp:
    """Announce the end for so many seconds from now; when it is."""
    end = Timestamp(shop.now + ahead)
    payload = ProgramSunset(shop.program, end)
    shop.chain.send("program.sunset", payload, author=OWNER if author is OWNER else STRANGER)
    return end


@pytest.fixture
def ending(shop: Shop) -> Shop:
    """A shop with a fan, whose end is announced."""
    shop.join(FAN)
    announce(shop)
    return shop


def test_an_end_is_announced_at_least_the_notice_ahead(shop: Shop) -> None:
    with refused(TOO_EARLY, notice_days=10, earliest=shop.now + NOTICE):
        announce(shop, ahead=NOTICE - 1)
    end = announce(shop)
    closes = end + 30 * DAY_SECONDS
    assert shop.chain.events == (SunsetAnnounced(shop.program, end, Timestamp(closes)),)
    assert shop.chain.events[0].subjects() == (shop.program,)
    program = shop.terms_of_program
    assert (program.sunset_at, program.closes_at) == (end, closes)
    assert [program.has_ended(Timestamp(time)) for time in (0, end, end + 1)] == [False, False, True]
    assert [program.has_closed(Timestamp(time)) for time in (0, closes - 1, closes)] == [False, False, True]
    with refused(ALREADY_ANNOUNCED, sunset_at=end):
        announce(shop, ahead=2 * NOTICE)
    shop.chain.replay()


def test_failures_come_in_the_documented_order(ending: Shop) -> None:
    with refused(NO_PROGRAM):
        ending.chain.send("program.sunset", ProgramSunset(ProgramId(NOWHERE), Timestamp(1)), author=STRANGER)
    with refused(NOT_OWNER):
        announce(ending, ahead=1, author=STRANGER)
    with refused(ALREADY_ANNOUNCED):
        announce(ending, ahead=1)
    with refused(OUT_OF_RANGE, Malformed):
        announce(ending, ahead=2**40)
    payload = ProgramSunset(ending.program, Timestamp(1))
    assert PROGRAM_SUNSET.cost(payload) == Cost(records=1)
    assert PROGRAM_SUNSET.reads(OWNER.address, payload) == (program_key(ending.program),)


def test_from_the_announcement_on_nothing_gets_worse(shop: Shop) -> None:
    reward = shop.list_reward(price=100, stock=5)

    def change(price: int, stock: int, *, listed: bool = True) -> None:
        payload = RewardUpdate(shop.program, RewardId(reward), Points(price), stock, listed)
        shop.chain.send("reward.update", payload, author=OWNER)

    end = announce(shop)
    for price, stock, listed in ((101, 0, True), (100, -1, True), (100, 0, False)):
        with refused(PROGRAM_ENDING, sunset_at=end):
            change(price, stock, listed=listed)
    change(90, 3)
    assert (shop.reward(reward).price, shop.reward(reward).stock) == (90, 8)
    with refused(PROGRAM_ENDING, sunset_at=end):
        shop.chain.send("program.update", ProgramUpdate(shop.program, 1, make_terms(hold_seconds=60)), author=OWNER)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, make_terms(hold_seconds=7_200)), author=OWNER)
    shop.pass_days(41)
    assert shop.terms_of_program.has_closed(shop.now)
    change(500, 0, listed=False)
    shop.chain.replay()


def test_what_was_announced_before_stays_announced(shop: Shop) -> None:
    worse = make_terms(hold_seconds=60)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, worse), author=OWNER)
    announce(shop)
    shop.pass_days(10)
    assert shop.terms_of_program.version_at(shop.now) == 2
    shop.chain.replay()


def test_earning_ends_for_periods_that_begin_later(ending: Shop) -> None:
    shop = ending
    end = shop.terms_of_program.sunset_at
    last = shop.terms_of_program.day_at(end)
    shop.chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=FAN)
    shop.pass_days(12)
    assert shop.terms_of_program.has_ended(shop.now)
    carrying = replace(shop.entry(FAN, 5, period=last), remainder=some_hash("K"))
    whole = replace(carrying, remainder=Hash(b""))
    late = replace(whole, period=last + 1)
    opened = OpenEntry(FAN.address, last, ReceiptHash(some_hash("r")), 1, Timestamp(end - 1), 100, 0)
    codes = shop.settle(carrying, whole, late, opened, replace(opened, period=last + 1, time=Timestamp(shop.now - 60)))
    assert codes == (ENTRY_CARRIES.name, "", ENTRY_ENDED.name, "", ENTRY_ENDED.name)
    assert shop.points_of(FAN) == 15
    with refused(PROGRAM_ENDED, sunset_at=end):
        shop.join_alone(FRIEND)
    shop.chain.replay()


def test_the_period_that_holds_the_end_is_settled_whole() -> None:
    shop = Shop(period_days=7)
    shop.join(FAN)
    end = announce(shop)
    period = shop.terms_of_program.day_at(end) // 7
    shop.chain.block(time=end)
    assert shop.settle(replace(shop.entry(FAN, 5, period=period), remainder=some_hash("K"))) == ("",), (
        "at the end itself"
    )
    shop.pass_days(9)
    empty = replace(shop.entry(FAN, 7, period=period), remainder=Hash(b""))
    codes = shop.settle(empty, replace(empty, period=period + 1))
    assert codes == ("", ENTRY_ENDED.name)
    assert shop.member(FAN).remainder == b""
    shop.chain.replay()


def test_redeeming_stays_open_through_the_wind_down(ending: Shop) -> None:
    shop = ending
    reward = shop.list_reward(price=10)
    shop.pass_days(11)
    closes = shop.terms_of_program.closes_at
    shop.earn(FAN, 100, period=shop.terms_of_program.day_at(shop.terms_of_program.sunset_at))
    assert shop.points_of(FAN) == 0, "it carried on"
    entry = shop.entry(FAN, 100, period=shop.terms_of_program.day_at(shop.terms_of_program.sunset_at))
    shop.settle(replace(entry, remainder=Hash(b"")))
    shop.chain.block(time=Timestamp(closes - 60))
    shop.redeem(FAN, reward)
    assert shop.now == closes
    with refused(PROGRAM_CLOSED, closes_at=closes):
        shop.redeem(FAN, reward)
    assert (shop.points_of(FAN), shop.books.held) == (90, 10), "nothing takes what is left"
    shop.chain.replay()


def test_contests_are_outside_of_it(shop: Shop) -> None:
    """A receipt of the last day is contested after the end; an entry that carried on then does not rebut it."""
    shop.join(FAN)
    announce(shop)
    shop.pass_days(9)
    bought, forgotten = sign(shop), sign(shop, sequence=2)
    settled = settle(shop, [bought], after=carried(40))
    pass_grace(shop)
    contest(shop, bought)
    answer(shop, settled, bought)
    contest(shop, forgotten)
    pass_answer(shop)
    assert contest_of(shop, contest_id(forgotten)).outcome == UNSETTLED
    assert shop.points_of(FAN) == 960
    shop.chain.replay()


def test_an_answer_shows_no_remainder_after_the_end(shop: Shop) -> None:
    shop.join(FAN)
    announce(shop)
    shop.pass_days(9)
    bought = sign(shop)
    settled = settle(shop, [bought], after=carried(40))
    ended = replace(shop.terms_of_program, sunset_at=Timestamp(shop.now - 3_600))
    pass_grace(shop)
    contest(shop, bought)
    view = Overlay(shop.chain.state)
    view.put(program_key(shop.program), ended)
    call = Call(shop.chain.last_txid, OWNER.address, account_payer(OWNER.address), sponsored=False, fee=Amount(0))
    with refused(BAD_REMAINDER, remainder=40, maximum=0):
        EARN_ANSWER_CONTEST.apply(view, call, settled.answer(bought), shop.chain.context)
    answer(shop, settled, bought)


def test_a_shorter_wind_down_is_worse() -> None:
    assert is_worse(make_terms(wind_down_days=31), make_terms())
    assert not is_worse(make_terms(), make_terms(wind_down_days=31))
    with refused(OUT_OF_RANGE, Malformed):
        Shop(wind_down_days=29)
