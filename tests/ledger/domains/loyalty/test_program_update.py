"""`program.update`: what is better is in force at once, what is worse waits for the notice."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.loyalty.events import ProgramUpdated
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
from ledger.domains.loyalty.state import (
    NO_PROGRAM,
    MinimumBasket,
    NeverExpires,
    RatePerAmount,
    ReceiptCap,
    RollingExpiry,
    SponsorPolicy,
    program_key,
)
from ledger.domains.loyalty.terms import BAD_TERMS, SPONSOR_RATE, is_worse
from ledger.errors import Malformed
from ledger.params import TERMS_VERSIONS_MAX
from ledger.types import Amount, Points, ProgramId, Timestamp
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


def test_from_points_that_never_expire_any_expiry_is_worse() -> None:
    assert is_worse(make_terms(expiry=NeverExpires()), make_terms(expiry=RollingExpiry(36_500)))


def test_a_return_window_alone_is_worse() -> None:
    old = make_terms(activation_delay_days=8, return_window_days=7)
    assert is_worse(old, replace(old, return_window_days=8))
