"""`challenge.create`: what it promises, the room that is set aside for it, and its end."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT, challenge_contest_fee
from ledger.domains.challenges.challenge_create import BAD_CHALLENGE, CHALLENGE_CREATE, PAST, TOO_FAR, ChallengeCreate
from ledger.domains.challenges.events import ChallengeCreated, ChallengeEnded
from ledger.domains.challenges.state import Codes, Spend, Visits
from ledger.domains.loyalty.issuance import ISSUANCE_CAP
from ledger.domains.loyalty.program_sunset import NOT_OWNER, PROGRAM_ENDED, PROGRAM_ENDING, ProgramSunset
from ledger.domains.loyalty.program_update import CAP_BELOW_ISSUED, ProgramUpdate
from ledger.domains.loyalty.state import NO_PROGRAM
from ledger.errors import Malformed
from ledger.kinds import Cost
from ledger.params import CONTEST_KEEP_SECONDS
from ledger.types import Amount, Points, ProgramId, Timestamp
from tests.support.challenges import challenge_of, challenge_payload, create_challenge
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, NOWHERE, OWNER, STRANGER, TILL, Shop, make_terms

CAP = 10_000


def test_a_challenge_sets_its_whole_budget_aside(shop: Shop) -> None:
    coin, params = shop.coin_of(OWNER), shop.chain.params
    which = create_challenge(shop)
    found = challenge_of(shop, which)
    assert (found.program, found.name, found.goal, found.basket_min_cents) == (
        shop.program,
        "Come twice",
        Visits(2),
        1_000,
    )
    assert (found.from_day, found.days, found.occurrences, found.times_max) == (shop.today, 7, 4, 2)
    assert (found.grace_days, found.reward, found.budget, found.given, found.left) == (3, 100, 1_000, 0, 1_000)
    assert not found.has_ended
    assert shop.books.challenge_points == 1_000
    assert found.prepaid == 8 * (challenge_contest_fee(params) + params.record_deposit)
    assert coin - shop.coin_of(OWNER) > found.prepaid + found.deposit
    event = ChallengeCreated(
        program=shop.program,
        challenge=which,
        title="Come twice",
        goal=Visits(2),
        basket_min_cents=1_000,
        from_day=shop.today,
        days=7,
        occurrences=4,
        times_max=2,
        grace_days=3,
        reward=Points(100),
        budget=Points(1_000),
    )
    assert shop.chain.events == (event,)
    assert event.subjects() == (shop.program, which)
    payload: ChallengeCreate = challenge_payload(shop)
    assert CHALLENGE_CREATE.cost(payload) == Cost(records=3, slots=2, due=1)
    assert len(CHALLENGE_CREATE.reads(OWNER.address, payload)) == 2


def test_only_as_many_contests_are_paid_for_as_there_are_rewards(shop: Shop) -> None:
    params = shop.chain.params
    which = create_challenge(shop, reward=Points(400))
    assert challenge_of(shop, which).prepaid == 2 * (challenge_contest_fee(params) + params.record_deposit)


def test_what_is_set_aside_is_no_room_for_anything_else() -> None:
    shop = Shop(issuance_cap=Points(CAP))
    shop.join(FAN)
    create_challenge(shop, budget=Points(CAP - 100))
    assert shop.earn(FAN, 101) == (ISSUANCE_CAP.name,)
    assert shop.earn(FAN, 100) == ("",)
    with refused(ISSUANCE_CAP):
        create_challenge(shop)
    lower = replace(make_terms(), issuance_cap=Points(CAP - 1))
    with refused(CAP_BELOW_ISSUED, cap=CAP - 1, issued=CAP):
        shop.chain.send("program.update", ProgramUpdate(shop.program, 1, lower), author=OWNER)
    shop.chain.send("program.update", ProgramUpdate(shop.program, 1, make_terms(issuance_cap=CAP)), author=OWNER)


def test_a_budget_may_take_all_the_room() -> None:
    shop = Shop(issuance_cap=Points(CAP))
    with refused(ISSUANCE_CAP):
        create_challenge(shop, budget=Points(CAP + 1))
    create_challenge(shop, budget=Points(CAP))


def test_it_begins_from_today_on_and_within_a_year(shop: Shop) -> None:
    with refused(PAST, begins=shop.midnight(days=-1)):
        create_challenge(shop, from_day=shop.today - 1)
    with refused(TOO_FAR, begins=shop.midnight(days=367)):
        create_challenge(shop, from_day=shop.today + 367)
    create_challenge(shop, from_day=shop.today + 366)


def test_no_occurrence_begins_after_an_announced_end(shop: Shop) -> None:
    end = Timestamp(shop.midnight(days=21) - 1)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, end), author=OWNER)
    with refused(PROGRAM_ENDING):
        create_challenge(shop)
    create_challenge(shop, occurrences=3)
    shop.chain.advance(seconds=end - shop.now + 1)
    with refused(PROGRAM_ENDED):
        create_challenge(shop, occurrences=1, times_max=1)


def test_who_may_create_and_for_what(shop: Shop) -> None:
    with refused(NO_PROGRAM):
        create_challenge(shop, program=ProgramId(NOWHERE))
    for other in (TILL, STRANGER):
        with refused(NOT_OWNER):
            create_challenge(shop, author=other)


def test_deposit_and_contests_are_locked_from_whoever_pays(shop: Shop) -> None:
    poor = Shop(pool=100_000)
    with refused(POOL_INSUFFICIENT):
        create_challenge(poor, payment=poor.sponsored)
    which = create_challenge(shop, payment=shop.sponsored)
    assert challenge_of(shop, which).payer == b"P" + shop.program


def test_an_owner_without_coin(shop: Shop) -> None:
    rich = shop.coin_of(OWNER)
    shop.fill_pool(rich - 100_000)
    with refused(INSUFFICIENT):
        create_challenge(shop)


@pytest.mark.parametrize(
    "changes",
    [
        {"times_max": 5},
        {"days": 92, "occurrences": 12, "times_max": 1},
        {"budget": Points(99)},
        {"goal": Spend(16_001)},
        {"goal": Codes(("milk", "bread"))},
        {"goal": Codes(("milk", "milk"))},
    ],
)
def test_what_nobody_could_reach_or_show_is_malformed(shop: Shop, changes: dict[str, Any]) -> None:
    with refused(BAD_CHALLENGE, Malformed):
        create_challenge(shop, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"times_max": 4},
        {"days": 3, "occurrences": 366, "times_max": 366},
        {"budget": Points(100)},
        {"goal": Spend(16_000)},
        {"goal": Codes(("bread", "milk"))},
        {"days": 1, "occurrences": 1, "times_max": 1},
    ],
)
def test_what_can_just_be_reached(shop: Shop, changes: dict[str, Any]) -> None:
    create_challenge(shop, **changes)


def test_when_all_is_over_what_is_left_is_free_again(shop: Shop) -> None:
    which = create_challenge(shop)
    coin, books = shop.coin_of(OWNER), shop.books
    assert books.challenge_points == 1_000
    end = shop.midnight(days=28 + 3) + CONTEST_KEEP_SECONDS
    shop.chain.advance(seconds=end - shop.now - 1)
    shop.chain.mine()
    assert not challenge_of(shop, which).has_ended
    shop.chain.advance(seconds=1)
    shop.chain.mine()
    found = challenge_of(shop, which)
    assert (found.has_ended, found.prepaid, found.deposit) == (True, 0, shop.chain.params.record_deposit)
    assert shop.books.challenge_points == 0
    assert shop.coin_of(OWNER) - coin == 8 * (challenge_contest_fee(shop.chain.params) + Amount(10_000))
    ended = ChallengeEnded(shop.program, which, Points(1_000))
    assert ended in {event for block in shop.chain.mined[-2:] for _, event in block.transition.events}
    assert ended.subjects() == (shop.program, which)
    assert end - shop.terms_of_program.day_start(found.from_day) == (28 + 3 + 45) * DAY_SECONDS
