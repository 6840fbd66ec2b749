"""`program.create`: terms that hold together, an owner, empty books."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.books import EMPTY_BOOKS
from ledger.domains.loyalty.events import ProgramCreated
from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.loyalty.program_create import PROGRAM_CREATE, ProgramCreate
from ledger.domains.loyalty.state import (
    NEVER,
    BonusWindow,
    CalendarExpiry,
    MinimumBasket,
    NeverExpires,
    PeriodCap,
    PerVisit,
    Program,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    RollingExpiry,
    SlidingExpiry,
    SponsorPolicy,
    TierMultiplier,
    books_key,
    program_key,
    terms_key,
)
from ledger.domains.loyalty.terms import BAD_TERMS, SPONSOR_RATE, contest_reserve
from ledger.errors import Malformed
from ledger.params import CONTEST_WEIGHT, CONTESTS_RESERVED
from ledger.types import Amount, Day, Points
from tests.support.memory_chain import Scenario
from tests.support.refusal import refused
from tests.support.shop import FAN, OWNER, POOR, SPONSOR, Shop, make_terms

RATE = RatePerAmount(Points(1), 10)
VISIT = PerVisit(Points(1), 1, 0)
WINDOW = BonusWindow(Day(10), NEVER, 127, 0, 600, 2, 1)
TIERS: dict[str, Any] = {
    "tiers": (("silver", 10), ("gold", 20)),
    "tier_period_days": 28,
    "tier_grace_days": 28,
}


def program(**terms: Any) -> ProgramCreate:
    return ProgramCreate("Corner Shop", "point", 0, 0, make_terms(**terms))


def test_a_program_begins_with_its_terms_and_empty_books(shop: Shop) -> None:
    fresh = shop.create_program(FAN, offset_minutes=-300)
    chain = shop.chain
    assert chain.events == (ProgramCreated(fresh, FAN.address, "Corner Shop"),)
    assert chain.events[0].subjects() == (fresh, FAN.address)
    record: Program = chain.record(program_key(fresh))
    assert (record.owner, record.payer, record.offset_minutes) == (FAN.address, b"A" + FAN.address, -300)
    assert record.versions == ((1, chain.mined[-1].context.time),)
    assert chain.record(terms_key(fresh, 1)) == make_terms()
    reserve, coin = Points(100_000_000), Amount(CONTESTS_RESERVED * CONTEST_WEIGHT * 2)
    assert chain.record(books_key(fresh)) == replace(
        EMPTY_BOOKS, contest_points=reserve, contest_points_locked=reserve, contest_coin=coin
    )
    assert PROGRAM_CREATE.reads(FAN.address, program()) == ()


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"rules": (MinimumBasket(1),)}, "no rule gives points"),
        ({"rules": (RATE, MinimumBasket(1), MinimumBasket(2))}, "named twice"),
        ({"rules": (RATE, ReceiptCap(Points(1)), ReceiptCap(Points(2)))}, "named twice"),
        ({"rules": (RATE, PeriodCap(Points(1), False), PeriodCap(Points(2), True))}, "named twice"),
        ({"rules": (VISIT, replace(VISIT, cents_min=2))}, "named twice"),
        ({"rules": (RatePerCode("a", Points(1), 1), RatePerCode("a", Points(2), 1))}, "named twice"),
        ({"rules": (RATE, TierMultiplier(1, 2, 1), TierMultiplier(1, 3, 1)), **TIERS}, "named twice"),
        ({"rules": (RATE, replace(WINDOW, until_day=Day(10)))}, "never opens"),
        ({"rules": (RATE, replace(WINDOW, minute_from=600))}, "never opens"),
        ({"rules": (RATE, replace(WINDOW, denominator=3))}, "takes points away"),
        ({"rules": (RATE, TierMultiplier(1, 1, 2)), **TIERS}, "takes points away"),
        ({"rules": (RATE, TierMultiplier(3, 2, 1)), **TIERS}, "don't have"),
        ({"rules": (RATE, TierMultiplier(1, 2, 1))}, "don't have"),
        ({**TIERS, "tiers": (("a", 5), ("b", 5))}, "don't ascend"),
        ({**TIERS, "tiers": (("a", 5), ("a", 6))}, "one name"),
        ({**TIERS, "tier_period_days": 27, "tier_grace_days": 0}, "too short"),
        ({"tier_period_days": 28}, "no tiers"),
        ({"tier_anchor_day": 1}, "no tiers"),
        ({"tier_grace_days": 1}, "no tiers"),
        ({**TIERS, "tier_anchor_day": 28}, "outside the tier period"),
        ({**TIERS, "tier_grace_days": 29}, "longer than their period"),
        ({"expiry": RollingExpiry(5), "activation_delay_days": 5}, "would expire before"),
        ({"expiry": SlidingExpiry(5), "activation_delay_days": 5}, "would expire before"),
        ({"activation_delay_days": 6, "return_window_days": 7}, "before the return window"),
        ({"period_days": 7, "period_anchor_day": 7}, "outside the period"),
        ({"period_days": 0, "period_anchor_day": 1}, "outside the period"),
        ({"floor": Floor(Points(1), 0)}, "both points and cents"),
        ({"floor": Floor(Points(0), 1)}, "both points and cents"),
    ],
)
def test_terms_that_contradict_themselves_are_malformed(chain: Scenario, terms: dict[str, Any], reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as caught:
        chain.sign("program.create", program(**terms), author=OWNER)
    assert caught.value.code is BAD_TERMS


@pytest.mark.parametrize(
    "terms",
    [
        {"rules": (RATE, RATE, MinimumBasket(1), ReceiptCap(Points(2)))},
        {"rules": (VISIT,)},
        {"rules": (RatePerCode("a", Points(1), 1), RatePerCode("b", Points(1), 1))},
        {"rules": (RATE, WINDOW, WINDOW, replace(WINDOW, until_day=Day(11), minute_from=599, denominator=2))},
        {"rules": (RATE, TierMultiplier(1, 1, 1), TierMultiplier(2, 2, 1), PeriodCap(Points(1), True)), **TIERS},
        {**TIERS, "tier_anchor_day": 27},
        {"expiry": SlidingExpiry(6), "activation_delay_days": 5},
        {"expiry": CalendarExpiry(2, 31, 0), "activation_delay_days": 366},
        {"expiry": RollingExpiry(6), "activation_delay_days": 5, "return_window_days": 5},
        {"expiry": NeverExpires(), "activation_delay_days": 366},
        {"period_days": 7, "period_anchor_day": 6},
        {"floor": Floor(Points(1), 1)},
    ],
)
def test_terms_at_their_limits_are_valid(chain: Scenario, terms: dict[str, Any]) -> None:
    chain.send("program.create", program(**terms), author=OWNER)


def test_failures_come_in_the_documented_order(chain: Scenario) -> None:
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(12_000)), author=FAN)
    low = SponsorPolicy(Amount(1), Amount(0), Amount(0), Amount(0))
    with refused(SPONSOR_RATE, rate=1, minimum=2):
        chain.send("program.create", program(sponsor=low), author=POOR)
    with refused(INSUFFICIENT, needed=10_000):
        chain.send("program.create", program(sponsor=SPONSOR), author=POOR)
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(10_000)), author=FAN)
    with refused(INSUFFICIENT, needed=CONTESTS_RESERVED * CONTEST_WEIGHT * 2):
        chain.send("program.create", program(sponsor=SPONSOR), author=POOR)


@pytest.mark.parametrize(("cap", "reserve"), [(0, 0), (1, 1), (10, 1), (11, 2), (2**63 - 1, 922_337_203_685_477_581)])
def test_the_reserve_for_contests_is_a_tenth_of_the_cap_rounded_up(chain: Scenario, cap: int, reserve: int) -> None:
    assert contest_reserve(make_terms(issuance_cap=Points(cap))) == reserve


def test_another_programs_pool_must_hold_the_deposit() -> None:
    shop = Shop(pool=11_000)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.chain.send("program.create", program(), author=OWNER, payment=shop.sponsored)
