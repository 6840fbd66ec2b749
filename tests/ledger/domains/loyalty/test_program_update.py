"""`program.update`: what is better is in force at once, what is worse waits for the notice."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.loyalty.events import ProgramUpdated
from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.loyalty.program_update import (
    CAP_BELOW_ISSUED,
    NOT_OWNER,
    PROGRAM_UPDATE,
    STALE_VERSION,
    TOO_MANY_VERSIONS,
    UPDATE_PENDING,
    VERSION_KEEP_SECONDS,
    ProgramUpdate,
)
from ledger.domains.loyalty.referral_bonus import NO_BONUS, ReferralBonus
from ledger.domains.loyalty.state import (
    NEVER,
    NO_PROGRAM,
    BonusWindow,
    CalendarExpiry,
    EarnRule,
    Expiry,
    MinimumBasket,
    NeverExpires,
    PeriodCap,
    PerVisit,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    RollingExpiry,
    SlidingExpiry,
    SponsorPolicy,
    TierMultiplier,
    program_key,
)
from ledger.domains.loyalty.terms import BAD_TERMS, SPONSOR_RATE, find_worse, is_worse
from ledger.errors import Malformed
from ledger.params import TERMS_VERSIONS_MAX
from ledger.types import Amount, Day, Points, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FUNDED, NOWHERE, OWNER, SPONSOR, Shop, make_terms

BETTER: dict[str, Any] = {"rules": (RatePerAmount(Points(2), 10),)}
WORSE: dict[str, Any] = {"rules": (RatePerAmount(Points(1), 20),)}


def update(shop: Shop, *, latest: int = 1, **terms: Any) -> ProgramUpdate:
    return ProgramUpdate(shop.program, latest, make_terms(**terms))


def test_an_improvement_is_in_force_at_once(shop: Shop) -> None:
    now = shop.now
    shop.chain.send("program.update", update(shop, **BETTER), author=OWNER)
    assert shop.chain.events == (ProgramUpdated(shop.program, 2, now),)
    assert shop.chain.events[0].subjects() == (shop.program,)
    assert shop.terms_of_program.version_at(now) == 2
    assert shop.terms_of_program.pending_version(now) is None


def test_a_change_for_the_worse_waits_for_the_notice(shop: Shop) -> None:
    since = Timestamp(shop.now + 10 * DAY_SECONDS)
    shop.chain.send("program.update", update(shop, **WORSE), author=OWNER)
    program = shop.terms_of_program
    assert program.pending_version(shop.now) == 2
    assert [program.version_at(Timestamp(since + step)) for step in (-1, 0)] == [1, 2]
    assert program.pending_version(since) is None


def test_an_improvement_withdraws_what_was_announced(shop: Shop) -> None:
    shop.chain.send("program.update", update(shop, **WORSE), author=OWNER)
    since = Timestamp(shop.terms_of_program.versions[-1][1])
    with refused(UPDATE_PENDING, version=2):
        shop.chain.send("program.update", update(shop, latest=2, notice_days=9), author=OWNER)
    shop.chain.block(time=since - 120)
    improved = shop.now
    shop.chain.send("program.update", update(shop, latest=2, **BETTER), author=OWNER)
    program = shop.terms_of_program
    assert [version for version, _ in program.versions] == [1, 3]
    assert program.pending_version(improved) is None
    assert [program.version_at(Timestamp(time)) for time in (improved - 1, improved, since, 2 * since)] == [1, 3, 3, 3]
    shop.chain.send("program.update", update(shop, latest=3, **WORSE), author=OWNER)
    assert shop.terms_of_program.versions[-1] == (4, shop.now - 60 + 10 * DAY_SECONDS), "a notice of its own"
    shop.chain.replay()


def test_the_same_terms_again_take_an_announcement_back(shop: Shop) -> None:
    shop.chain.send("program.update", update(shop, **WORSE), author=OWNER)
    shop.chain.send("program.update", update(shop, latest=2), author=OWNER)
    assert [version for version, _ in shop.terms_of_program.versions] == [1, 3]


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    low = SponsorPolicy(Amount(1), Amount(0), Amount(0), Amount(0))
    shop.join(FAN)
    shop.earn(FAN, 500)
    shop.chain.send("program.update", update(shop, **WORSE), author=OWNER)
    wrong = update(shop, latest=1, sponsor=low, issuance_cap=499)
    send, program = shop.chain.send, shop.program
    with refused(NO_PROGRAM):
        send("program.update", replace(wrong, program=ProgramId(NOWHERE)), author=FAN)
    with refused(NOT_OWNER):
        send("program.update", wrong, author=FAN)
    with refused(STALE_VERSION, expected=1, latest=2):
        send("program.update", wrong, author=OWNER)
    with refused(SPONSOR_RATE, rate=1):
        send("program.update", replace(wrong, latest_version=2), author=OWNER)
    with refused(CAP_BELOW_ISSUED, cap=499, issued=500):
        send("program.update", update(shop, latest=2, issuance_cap=499), author=OWNER)
    with refused(UPDATE_PENDING, version=2):
        send("program.update", update(shop, latest=2, issuance_cap=500), author=OWNER)
    assert PROGRAM_UPDATE.reads(OWNER.address, wrong) == (program_key(program),)


def test_terms_that_contradict_themselves_are_malformed(shop: Shop) -> None:
    with refused(BAD_TERMS, Malformed):
        shop.chain.sign("program.update", update(shop, rules=(MinimumBasket(1),)), author=OWNER)


def test_only_versions_that_a_receipt_may_still_name_are_kept() -> None:
    shop = Shop(params=sim_params(*(signer.address for signer in FUNDED)))
    for latest in range(1, TERMS_VERSIONS_MAX):
        shop.chain.send("program.update", update(shop, latest=latest), author=OWNER)
    assert len(shop.terms_of_program.versions) == TERMS_VERSIONS_MAX
    with refused(TOO_MANY_VERSIONS, count=TERMS_VERSIONS_MAX):
        shop.chain.send("program.update", update(shop, latest=TERMS_VERSIONS_MAX), author=OWNER)
    second_since = shop.terms_of_program.versions[1][1]
    shop.chain.block(time=second_since + VERSION_KEEP_SECONDS)
    with refused(TOO_MANY_VERSIONS):
        shop.chain.send("program.update", update(shop, latest=TERMS_VERSIONS_MAX), author=OWNER)
    shop.chain.block(time=second_since + VERSION_KEEP_SECONDS + 1)
    shop.chain.send("program.update", update(shop, latest=TERMS_VERSIONS_MAX), author=OWNER)
    versions = [version for version, _ in shop.terms_of_program.versions]
    assert versions == list(range(2, TERMS_VERSIONS_MAX + 2))
    shop.chain.replay()


WINDOW = BonusWindow(Day(100), Day(200), 3, 600, 1_080, 3, 2)
VISIT = PerVisit(Points(5), 500, 3_600)
BREAD = RatePerCode("bread", Points(2), 7)
SILVER, GOLD = TierMultiplier(1, 5, 4), TierMultiplier(2, 3, 2)
CAP = PeriodCap(Points(1_000), rejects=False)
RATE = RatePerAmount(Points(1), 10)
RICH = make_terms(
    rules=(RATE, BREAD, VISIT, WINDOW, SILVER, GOLD, CAP),
    tiers=(("silver", 1_000), ("gold", 5_000)),
    tier_period_days=365,
    tier_grace_days=30,
)


def rich(*left_out: EarnRule, more: tuple[EarnRule, ...] = ()) -> dict[str, Any]:
    """The rules of `RICH` without some, and with others."""
    return {"rules": (*(rule for rule in RICH.rules if rule not in left_out), *more)}


def other(rule: EarnRule, **changes: Any) -> dict[str, Any]:
    """The rules of `RICH` with one of them changed."""
    return rich(rule, more=(replace(rule, **changes),))


WORSE_RULES: list[tuple[str, dict[str, Any]]] = [
    ("rate_per_code", rich(BREAD)),
    ("rate_per_code", other(BREAD, code="Bread")),
    ("rate_per_code", other(BREAD, points=Points(1), per_cents=4)),
    ("per_visit", rich(VISIT)),
    ("per_visit", other(VISIT, points=Points(4))),
    ("per_visit", other(VISIT, cents_min=501)),
    ("per_visit", other(VISIT, cooldown_seconds=3_601)),
    ("bonus_window", rich(WINDOW)),
    ("bonus_window", other(WINDOW, from_day=Day(101))),
    ("bonus_window", other(WINDOW, until_day=Day(199))),
    ("bonus_window", other(WINDOW, weekdays=2)),
    ("bonus_window", other(WINDOW, minute_from=601)),
    ("bonus_window", other(WINDOW, minute_until=1_079)),
    ("bonus_window", other(WINDOW, numerator=13, denominator=9)),
    ("bonus_window", rich(WINDOW, more=(replace(WINDOW, weekdays=1), replace(WINDOW, weekdays=2)))),
    ("tier_multiplier", rich(SILVER)),
    ("tier_multiplier", rich(GOLD)),
    ("tier_multiplier", other(SILVER, denominator=5)),
    ("period_cap", other(CAP, points=Points(999))),
    ("period_cap", other(CAP, rejects=True)),
    ("tiers", {"tiers": (("silver", 1_000),)} | rich(GOLD, more=(TierMultiplier(1, 3, 2),))),
    ("tiers", {"tiers": (("silver", 1_001), ("gold", 5_000))}),
    ("tiers", {"tiers": (("silver", 1_000), ("gold", 5_001))}),
    ("tiers", {"tier_period_days": 364}),
    ("tiers", {"tier_period_days": 366}),
    ("tiers", {"tier_anchor_day": 1}),
    ("tiers", {"tier_grace_days": 29}),
]


@pytest.mark.parametrize(("name", "worse"), WORSE_RULES)
def test_each_rule_that_gives_less_is_worse_and_said_so(name: str, worse: dict[str, Any]) -> None:
    found = find_worse(RICH, replace(RICH, **worse), today=Day(199))
    assert name in found
    assert set(found) <= {name, "tier_multiplier"}


@pytest.mark.parametrize(
    "better",
    [
        rich(),
        rich(CAP),
        rich(more=(RatePerCode("milk", Points(1), 9), replace(WINDOW, weekdays=127))),
        other(BREAD, points=Points(4), per_cents=14),
        other(VISIT, points=Points(6), cents_min=499, cooldown_seconds=0),
        other(WINDOW, from_day=Day(0), until_day=NEVER, weekdays=7, minute_from=0, minute_until=1_440, numerator=4),
        rich(SILVER, GOLD, more=(TierMultiplier(1, 3, 2),)),
        other(CAP, points=Points(1_001)),
        {"tiers": (("bronze", 500), ("silver", 1_000), ("gold", 5_000))},
        {"tiers": (("silver", 999), ("gold", 5_000)), "tier_grace_days": 31},
    ],
)
def test_rules_that_give_at_least_as_much_hold_at_once(better: dict[str, Any]) -> None:
    assert find_worse(RICH, replace(RICH, **better), today=Day(0)) == ()


def test_a_window_that_is_over_can_go() -> None:
    closed = replace(RICH, **rich(WINDOW))
    assert find_worse(RICH, closed, today=Day(199)) == ("bonus_window",)
    assert find_worse(RICH, closed, today=Day(200)) == ()


def test_what_was_not_there_can_come_but_for_caps() -> None:
    plain = make_terms(rules=(RATE,))
    assert find_worse(plain, replace(RICH, **rich(CAP))) == ()
    assert find_worse(plain, RICH) == ("period_cap",)


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        (RollingExpiry(30), SlidingExpiry(30), False),
        (RollingExpiry(30), SlidingExpiry(29), True),
        (SlidingExpiry(30), SlidingExpiry(30), False),
        (SlidingExpiry(30), SlidingExpiry(29), True),
        (SlidingExpiry(30), RollingExpiry(36_500), True),
        (SlidingExpiry(30), CalendarExpiry(12, 31, 10), True),
        (SlidingExpiry(30), NeverExpires(), False),
        (CalendarExpiry(12, 31, 1), CalendarExpiry(12, 31, 1), False),
        (CalendarExpiry(12, 31, 1), CalendarExpiry(12, 31, 0), True),
        (CalendarExpiry(12, 31, 1), CalendarExpiry(12, 30, 1), True),
        (CalendarExpiry(12, 31, 1), CalendarExpiry(11, 31, 1), True),
        (CalendarExpiry(12, 31, 1), CalendarExpiry(6, 30, 3), False),
        (CalendarExpiry(12, 31, 1), CalendarExpiry(6, 30, 2), True),
        (CalendarExpiry(12, 31, 1), NeverExpires(), False),
        (CalendarExpiry(12, 31, 1), RollingExpiry(2 * 366 + 1 + 5), False),
        (CalendarExpiry(12, 31, 1), RollingExpiry(2 * 366 + 5), True),
        (CalendarExpiry(12, 31, 1), SlidingExpiry(2 * 366 + 1 + 5), False),
        (RollingExpiry(5 + 366), CalendarExpiry(12, 31, 1), False),
        (RollingExpiry(5 + 367), CalendarExpiry(12, 31, 1), True),
        (NeverExpires(), CalendarExpiry(12, 31, 10), True),
        (NeverExpires(), SlidingExpiry(36_500), True),
    ],
)
def test_kinds_of_expiry_are_compared_by_what_every_lot_can_rely_on(old: Expiry, new: Expiry, worse: bool) -> None:
    terms = make_terms(activation_delay_days=5)
    found = find_worse(replace(terms, expiry=old), replace(terms, expiry=new))
    assert found == (("expiry",) if worse else ())


def test_with_a_calendar_a_shorter_delay_can_lose_a_year() -> None:
    """Points of late December that activate in January live a year longer than those that activate at once."""
    slow = make_terms(activation_delay_days=14, expiry=CalendarExpiry(12, 31, 0))
    assert find_worse(slow, replace(slow, activation_delay_days=0)) == ("expiry",)


LIMITS = (SPONSOR.member_day_max, SPONSOR.block_max, SPONSOR.day_max)
OLD = make_terms(
    rules=(RatePerAmount(Points(3), 10), RatePerAmount(Points(1), 10), MinimumBasket(500), ReceiptCap(Points(50))),
    activation_delay_days=7,
    return_window_days=7,
    period_days=7,
)


@pytest.mark.parametrize(
    "worse",
    [
        {"rules": (RatePerAmount(Points(4), 10), MinimumBasket(500), ReceiptCap(Points(50)))},
        {"rules": (*OLD.rules[:1], RatePerAmount(Points(1), 11), *OLD.rules[2:])},
        {"rules": (*OLD.rules[:2], MinimumBasket(501), ReceiptCap(Points(50)))},
        {"rules": (*OLD.rules[:3], ReceiptCap(Points(49)))},
        {"expiry": RollingExpiry(29)},
        {"activation_delay_days": 8},
        {"activation_delay_days": 8, "return_window_days": 8},
        {"period_days": 6},
        {"period_days": 8},
        {"period_anchor_day": 1},
        {"settle_grace_days": 4},
        {"remainder_max": Points(101)},
        {"issuance_cap": Points(999_999_999)},
        {"hold_seconds": 3_599},
        {"notice_days": 9},
        {"sponsor": replace(SPONSOR, member_day_max=Amount(SPONSOR.member_day_max - 1))},
        {"sponsor": replace(SPONSOR, block_max=Amount(SPONSOR.block_max - 1))},
        {"sponsor": replace(SPONSOR, day_max=Amount(SPONSOR.day_max - 1))},
        {"sponsor": replace(SPONSOR, rate=Amount(SPONSOR.rate + 1))},
        {"sponsor": SponsorPolicy(Amount(4), *(Amount(2 * limit - 1) for limit in LIMITS))},
    ],
)
def test_anything_that_could_cost_a_fan_is_worse(worse: dict[str, Any]) -> None:
    assert is_worse(OLD, replace(OLD, **worse))
    assert is_worse(replace(OLD, return_window_days=6), replace(OLD, **worse))


@pytest.mark.parametrize(
    "better",
    [
        {},
        {"rules": (RatePerAmount(Points(1), 10), RatePerAmount(Points(3), 10))},
        {"rules": (RatePerAmount(Points(6), 20), RatePerAmount(Points(2), 15), MinimumBasket(499))},
        {"expiry": NeverExpires()},
        {"expiry": RollingExpiry(31), "activation_delay_days": 6, "return_window_days": 6},
        {"settle_grace_days": 2, "remainder_max": Points(99), "issuance_cap": Points(10**12)},
        {"hold_seconds": 3_601, "notice_days": 11},
        {"sponsor": SponsorPolicy(Amount(1), *(Amount(limit + 1) for limit in LIMITS))},
        {"sponsor": SponsorPolicy(Amount(4), *(Amount(2 * limit) for limit in LIMITS))},
    ],
)
def test_what_costs_no_fan_anything_is_not_worse(better: dict[str, Any]) -> None:
    assert not is_worse(OLD, replace(OLD, **better))


PLAIN = (RatePerAmount(Points(1), 10),)
TIERED: dict[str, Any] = {"tiers": (("silver", 10),), "tier_period_days": 100}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("rate", {}, WORSE),
        ("minimum_basket", {"rules": PLAIN}, {"rules": (*PLAIN, MinimumBasket(1))}),
        ("receipt_cap", {"rules": PLAIN}, {"rules": (*PLAIN, ReceiptCap(Points(1)))}),
        ("tiers", TIERED, {"tiers": (("silver", 11),)}),
        ("expiry", {}, {"expiry": RollingExpiry(29)}),
        ("activation_delay_days", {"expiry": NeverExpires()}, {"activation_delay_days": 1}),
        ("return_window_days", {"activation_delay_days": 2}, {"return_window_days": 1}),
        ("period_days", {"period_days": 7}, {"period_days": 8}),
        ("period_anchor_day", {"period_days": 7}, {"period_anchor_day": 1}),
        ("settle_grace_days", {}, {"settle_grace_days": 4}),
        ("remainder_max", {}, {"remainder_max": Points(101)}),
        ("issuance_cap", {}, {"issuance_cap": Points(999_999_999)}),
        ("hold_seconds", {}, {"hold_seconds": 3_599}),
        ("notice_days", {}, {"notice_days": 9}),
        ("transfer_day_max", {"transfer_day_max": Points(5)}, {"transfer_day_max": Points(4)}),
        ("wind_down_days", {"wind_down_days": 31}, {"wind_down_days": 30}),
        ("referral", {"referral": ReferralBonus(Points(1), Points(1))}, {"referral": NO_BONUS}),
        (
            "referral",
            {"referral": ReferralBonus(Points(1), Points(1))},
            {"referral": ReferralBonus(Points(2), Points(0))},
        ),
        (
            "referral",
            {"referral": ReferralBonus(Points(1), Points(1))},
            {"referral": ReferralBonus(Points(0), Points(2))},
        ),
        ("floor", {"floor": Floor(Points(1), 2)}, {"floor": Floor(Points(1), 1)}),
        ("refund_days", {"refund_days": 2}, {"refund_days": 1}),
        ("sponsor", {}, {"sponsor": replace(SPONSOR, day_max=Amount(SPONSOR.day_max - 1))}),
    ],
)
def test_each_term_that_is_worse_is_called_by_its_name(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    before = make_terms(**old)
    after = replace(before, **new)
    assert find_worse(before, after) == (name,)
    assert find_worse(before, before) == ()


def test_from_points_that_never_expire_any_expiry_is_worse() -> None:
    assert is_worse(make_terms(expiry=NeverExpires()), make_terms(expiry=RollingExpiry(36_500)))


def test_a_return_window_alone_is_worse() -> None:
    old = make_terms(activation_delay_days=8, return_window_days=7)
    assert is_worse(old, replace(old, return_window_days=8))
