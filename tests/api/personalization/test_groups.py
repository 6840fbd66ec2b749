"""What brands learn of groups: nothing of few, rounded sizes, lift with intervals, the price of opt-outs."""

from dataclasses import replace

import pytest

from api.http.schemas.groups import PlanAnswer, ReportAnswer, SegmentsAnswer
from api.personalization.catalogue import Catalogue
from api.personalization.facts import BoughtLine, FanFacts, Purchase, Wishes
from api.personalization.figures import FanFigures, figures_at, make_row
from api.personalization.groups import (
    Arm,
    Fan,
    lift_interval,
    make_group,
    plan_reach,
    show_report,
    show_segments,
    wilson_interval,
)
from api.personalization.pacing import OPT_OUT, Past
from api.personalization.predictor import PlainRules
from api.receipts.inbox import Outline
from ledger.types import Address, ProgramId
from tests.api.personalization.conftest import OpenDesk
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.personal_shop import PersonalShop
from tests.support.shop import FAN, OWNER

NOW = 1_800_000_000
PROGRAM = ProgramId(b"P" * 32)


def make_facts(number: int, *days_ago: float, off: tuple[str, ...] = ()) -> FanFacts:
    """What a fan granted who bought bread so many days ago."""
    address = Address(number.to_bytes(32, "big"))
    lines = (BoughtLine("bread", 1, 500, 0, "bakery"),)
    purchases = tuple(
        Purchase(f"{number}-{days}", NOW - int(days * DAY_SECONDS), 0, 500, 5, (), lines)
        for days in sorted(days_ago, reverse=True)
    )
    wishes, joined_at = Wishes({"off": off}), NOW - 400 * DAY_SECONDS
    return FanFacts(address, PROGRAM, frozenset({"receipts"}), joined_at, purchases, wishes=wishes)


def make_fan(
    number: int,
    *days_ago: float,
    held: bool = False,
    opts_out: bool = False,
    critic: bool = False,
    off: tuple[str, ...] = (),
) -> FanFigures:
    """What figures need of such a fan, who had one message 30 days ago."""
    message = Outline("replenish", NOW - 30 * DAY_SECONDS, held, frozenset({OPT_OUT} if opts_out else ()))
    row = make_row(make_facts(number, *days_ago, off=off), Catalogue(), PlainRules(), 0)
    return figures_at(row, NOW, is_critic=critic, messages=(message,))


def make_whole(number: int, *days_ago: float) -> Fan:
    """Such a fan with all that it granted."""
    return make_group([(make_facts(number, *days_ago), Past((), ()))], Catalogue(), PlainRules(), NOW, 0)[0]


@pytest.mark.parametrize("more", [1, 2, 4])
@pytest.mark.parametrize("days", [(200, 150, 25), (200, 150)], ids=["bought", "did not"])
def test_one_fan_more_is_not_seen_in_a_report(more: int, days: tuple[int, ...]) -> None:
    """Whatever it did: neither in rates nor in money. Its basket is like the others'."""
    shown = [make_fan(number, 200, 150, 25, opts_out=number < 20) for number in range(60)]
    shown += [make_fan(number, 200, 150) for number in range(60, 80)]
    held = [make_fan(number, 200, 150, *((25,) if number < 85 else ()), held=True) for number in range(80, 100)]
    before = show_report([*shown, *held], NOW)
    late = [make_fan(number, *days) for number in range(100, 100 + more)]
    after = show_report([*shown, *held, *late], NOW)
    assert after["topics"] == before["topics"] and after["fans"] == before["fans"] == 100


def test_of_few_fans_nothing_is_told() -> None:
    shown = show_segments([make_fan(number, 1) for number in range(9)])
    assert shown["fans"] is None and shown["segments"] == []
    assert show_report([make_fan(number, 1) for number in range(9)], NOW)["topics"] == []


def test_one_fan_more_is_not_seen() -> None:
    ten = show_segments([make_fan(number, 1) for number in range(10)])
    assert show_segments([make_fan(number, 1) for number in range(14)]) == ten
    assert ten["fans"] == 10
    assert {(one["dimension"], one["name"]) for one in ten["segments"]} >= {("stage", "new"), ("category", "bakery")}


def test_a_lift_with_its_interval_and_the_price_of_opt_outs() -> None:
    buyers = [make_fan(number, 200, 150, 25, opts_out=number < 20) for number in range(60)]
    silent = [make_fan(number, 200, 150) for number in range(60, 80)]
    held = [make_fan(number, 200, 150, 25, held=True) for number in range(80, 85)]
    held += [make_fan(number, 200, 150, held=True) for number in range(85, 100)]
    report = show_report([*buyers, *silent, *held], NOW)
    topic = report["topics"][0]
    assert topic["conversion"] == 0.75 and topic["held_out"]["conversion"] == 0.25 and topic["lift"] == 0.5
    low, high = topic["lift_95"]
    assert 0.2 < low < 0.5 < high < 0.7
    assert topic["opt_outs"] == 20 and topic["loss_share"]["rests_on"] == "measured"
    assert topic["net_cents"] == topic["gain_cents"] - topic["opt_out_price_cents"]


def test_without_a_holdout_no_lift_is_claimed() -> None:
    topic = show_report([make_fan(number, 200, 25) for number in range(20)], NOW)["topics"][0]
    assert topic["held_out"] is None and topic["lift"] is None and topic["lift_95"] is None
    assert topic["opt_outs"] is None and topic["net_cents"] is None


def test_intervals_are_the_published_ones() -> None:
    """Newcombe 1998, table II: 56/70 and 48/80, method 10: 0.0524 to 0.3339; 10/10 and 0/10: 0.6075 to 1."""
    assert lift_interval(Arm(70, 70, 56), Arm(80, 80, 48)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert lift_interval(Arm(10, 10, 10), Arm(10, 10, 0)) == pytest.approx((0.6075, 1.0), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_criticism_is_about_the_brand_and_never_against_the_fan() -> None:
    critics = [make_fan(number, 5, 12, critic=True) for number in range(10)]
    assert show_report(critics, NOW)["criticism"] == {"critics": 10}
    for fan, plain in zip(critics, (make_fan(number, 5, 12) for number in range(10)), strict=True):
        assert replace(fan, is_critic=False) == plain


@pytest.fixture
def desk(open_desk: OpenDesk) -> PersonalShop:
    return open_desk()


def ask(desk: PersonalShop, what: str, who: Signer = OWNER) -> tuple[int, dict[str, object]]:
    path = f"/v1/programs/{desk.shop.program.hex()}/{what}"
    response = desk.send(desk.request(path=path, sign=desk.owner(who)))
    return response.status_code, response.json()


def test_a_brand_is_told_of_groups_and_each_fan_sees_that_it_was_counted(desk: PersonalShop) -> None:
    fans = [Signer.named(f"fan{number}") for number in range(11)]
    desk.shop.join(*fans[:6])
    desk.pass_time(days=1)
    desk.shop.join(*fans[6:])
    desk.pass_time(days=1)
    for number, fan in enumerate(fans):
        if number == 5:  # the pool pays for so many in a day
            desk.pass_time(days=1)
        payload = desk.sign_grant("", fan, to=desk.shop.program, purpose=0, payment=desk.shop.sponsored)
        assert desk.post(payload).status_code == 202
    desk.shop.chain.mine()
    desk.buy("bread", fan=fans[0])
    status, shown = ask(desk, "segments")
    SegmentsAnswer.model_validate(shown, strict=True)
    assert status == 200 and shown["fans"] == 10
    status, report = ask(desk, "message-report")
    ReportAnswer.model_validate(report, strict=True)
    assert status == 200 and report["topics"] == []
    log = desk.seen("access-log", fans[0])["items"]
    assert {row["scope"] for row in log} == {"segments", "report"}
    desk.withdraw(fan=fans[1])
    desk.withdraw(fan=fans[2])
    assert ask(desk, "segments")[1]["fans"] is None, "two revocations count at the next read"


def test_reach_is_planned_within_a_budget(desk: PersonalShop) -> None:
    path = f"/v1/programs/{desk.shop.program.hex()}/plan"
    answer = desk.put(path, {"topic": "discovery", "points_each": 5, "budget_points": 50}, OWNER, "POST")
    PlanAnswer.model_validate(answer.json(), strict=True)
    assert answer.status_code == 200 and answer.json()["reach"] is None
    wrong = desk.put(path, {"topic": "weather"}, OWNER, "POST")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "plan.topic")
    refused = desk.put(path, {"topic": "discovery"}, FAN, "POST")
    assert (refused.status_code, refused.json()["code"]) == (403, "program.not_yours")
    assert ask(desk, "segments", FAN)[0] == 403


def test_reach_leaves_out_who_switched_the_topic_off() -> None:
    fans = [make_fan(number, 5, off=("discovery",) if number < 20 else ()) for number in range(40)]
    found = plan_reach(fans, {"stage": "new"}, "discovery", 10, 100, NOW)
    assert (found["segment"], found["open_to_topic"], found["reach"]) == (40, 20, 10)
    assert found["cost_points"] == 100 and found["budget_suffices"] is False
    assert plan_reach(fans, {"stage": "loyal"}, "discovery", 10, 100, NOW)["segment"] is None
