"""From a plan to offers: reach and cost of at least ten fans, a budget that holds, what a fan gets, and what it brought."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api.http.schemas.answer import Answer
from api.http.schemas.offer_plans import (
    OfferEntriesAnswer,
    OfferPlanDrawn,
    OfferPlanMade,
    OfferPlanReport,
    OfferPlansAnswer,
    OwnOffersAnswer,
)
from api.personalization import pacing
from api.personalization.groups import GROUP_MIN
from api.personalization.offer_plans import (
    LEFT_OUT,
)
from api.receipts.store import ReceiptStore
from api.wallet.offers import read_offer_text
from ledger.address import decode_address
from ledger.domains.loyalty.receipts import receipt_hash
from ledger.domains.loyalty.state import SponsorPolicy
from ledger.domains.offers.offer_issue import OfferEntry, OfferIssue
from ledger.domains.offers.offer_settle import Citation, OfferSettle
from ledger.types import Address, Amount, Hash, Points, Timestamp
from tests.support.memory_chain import Signer
from tests.support.offers import issue, make_offer
from tests.support.personal_shop import FEED, PersonalShop, open_personal_shop
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL

FANS = [Signer.named(f"planned fan {number}") for number in range(14)]
GENEROUS = SponsorPolicy(Amount(2), Amount(2**40), Amount(2**40), Amount(2**40))
TERMS: dict[str, Any] = {
    "pool": 4_000_000,
    "offer_day_max": Points(10_000),
    "sponsor": GENEROUS,
    "activation_delay_days": 0,
}


class Stand:
    """A brand's stand behind its API, and fourteen fans who came three times, and then no more."""

    def __init__(self, folder: Path) -> None:
        self.desk: PersonalShop = open_personal_shop(folder, **TERMS)
        self.desk.feed()
        self.desk.shop.join(*FANS)
        for fan in FANS:
            payload = self.desk.sign_grant("", fan, to=self.shop.program, purpose=0, payment=self.shop.sponsored)
            answer = self.desk.post(payload)
            assert answer.status_code == 202, answer.text
        self.shop.chain.mine()

    @property
    def shop(self) -> Any:
        return self.desk.shop

    def come(self, *items: str, times: int = 3, days: int = 3, fans: Sequence[Signer] = FANS) -> None:
        """Everybody buys, again and again."""
        for _ in range(times):
            for fan in fans:
                self.desk.buy(*items, fan=fan)
            self.desk.pass_time(days=days)

    def ask(
        self,
        path: str = "",
        body: dict[str, Any] | None = None,
        *,
        who: Signer = OWNER,
        method: str = "GET",
        model: type[Answer] | None = None,
        **parameters: Any,
    ) -> Any:
        """What the brand is answered; with its status where that is no success."""
        whole = f"/v1/programs/{self.shop.program.hex()}/offer-plans{path}"
        if body is not None:
            response = self.desk.put(whole, body, who, "POST")
        else:
            response = self.desk.send(self.desk.request(method, whole, sign=self.desk.owner(who), params=parameters))
        if response.status_code >= 400:
            return response.status_code, response.json()["code"]
        if model is not None:
            model.model_validate(response.json(), strict=True)
        return response.json()

    def plan(self, goal: str = "winning_back", **more: Any) -> dict[str, Any]:
        """A plan of twenty points for each, and a thousand altogether."""
        body = {"goal": goal, "points_each": 20, "budget_points": 1_000, **more}
        found: dict[str, Any] = self.ask(body=body, model=OfferPlanMade)
        return found

    def draw(self, plan: dict[str, Any]) -> Any:
        """Draw its fans."""
        return self.ask(f"/{plan['plan']}/draw", method="PUT", model=OfferPlanDrawn)

    def entries(self, plan: dict[str, Any], limit: int = 5) -> list[dict[str, Any]]:
        """All pages of what is to be signed."""
        found, cursor = [], {}
        while True:
            page = self.ask(f"/{plan['plan']}/entries", model=OfferEntriesAnswer, limit=limit, **cursor)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def sign(self, items: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        """The brand's key promises them."""
        prefix = self.shop.chain.params.address_prefix
        entries = [
            OfferEntry(
                decode_address(prefix, item["member"]),
                Hash(bytes.fromhex(item["terms"])),
                Points(item["points"]),
                Timestamp(item["expires_at"]),
            )
            for item in items
        ]
        codes: tuple[str, ...] = self.shop.chain.send(
            "offer.issue", OfferIssue(self.shop.program, tuple(entries)), author=OWNER
        )
        return codes

    def issue(self, plan: dict[str, Any]) -> list[dict[str, Any]]:
        """Draw, sign, mine."""
        self.draw(plan)
        items = self.entries(plan)
        assert set(self.sign(items)) == {""}
        return items

    def own(self, fan: Signer) -> list[dict[str, Any]]:
        """What a fan was offered."""
        found: list[dict[str, Any]] = self.desk.seen("offers", fan, OwnOffersAnswer)["items"]
        return found

    def cite(self, fan: Signer, **changes: Any) -> None:
        """Buy with the fan's offer, handed over and settled."""
        offer = read_offer_text(self.own(fan)[0]["text"])
        lines = (("bread", 1, 500),)
        signed = self.desk.sign(lines, member=fan.address, offer=offer.offer_id, **changes)
        self.desk.hand_over(signed, lines)
        entry = Citation(offer.offer_id, self.shop.today, receipt_hash(signed.receipt, signed.salt))
        settle = OfferSettle(self.shop.program, (entry,))
        assert self.shop.chain.send("offer.settle", settle, author=TILL) == ("",)

    def listen(self, fan: Signer) -> dict[str, Any]:
        """What a fan without quiet hours is told, by topic."""
        room = {"program": self.shop.program.hex(), "quiet_from": 0, "quiet_until": 0, "day_max": 20, "week_max": 100}
        assert self.desk.put("/v1/me/preferences", room, fan).status_code == 200
        return {one["topic"]: one for one in self.desk.seen("messages", fan)["items"]}

    def report(self, plan: dict[str, Any]) -> dict[str, Any]:
        """What became of a plan."""
        found: dict[str, Any] = self.ask(f"/{plan['plan']}", model=OfferPlanReport)
        return found

    def close(self) -> None:
        self.desk.close()
        self.shop.close()


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Nobody is held out, unless a test says otherwise."""
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.0)
    found = Stand(tmp_path / "data")
    yield found
    found.close()


def test_a_plan_becomes_offers_and_the_fans_hear_why(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    plan = stand.plan(net_cents_min=500)
    assert (plan["segment_fans"], plan["reach"], plan["promised_points"]) == (10, 10, 200)
    assert (plan["expected_points"], plan["expected_cents"]) == (40, None)
    assert plan["cited_share"] == {"share": 0.2, "rests_on": "assumed"} and plan["drawn_at"] is None
    assert stand.entries(plan) == [], "nothing is drawn by planning"
    drawn = stand.draw(plan)
    assert drawn["proposed"] == 14 and stand.draw(plan) == drawn, "drawn once"
    items = stand.entries(plan)
    assert len(items) == 14 and set(items[0]) == {"member", "terms", "points", "expires_at"}
    assert stand.own(FANS[0]) == [], "nobody has promised it yet"
    assert set(stand.sign(items)) == {""} and stand.entries(plan) == []
    (mine,) = stand.own(FANS[0])
    assert (mine["goal"], mine["status"], mine["codes"], mine["net_cents_min"]) == ("winning_back", "open", [], 500)
    message = stand.listen(FANS[0])["offer_waiting"]
    assert message["text"].startswith("20 points for you alone: for your next purchase, at least 5.00 in all, until")
    assert message["action"]["text"] == mine["text"]
    assert [why["rests_on"] for why in message["why"]] == ["proved", "said"]
    for fan in FANS[:5]:
        stand.cite(fan)
    report = stand.report(plan)
    assert (report["proposed"], report["issued"], report["cited"], report["cost_points"]) == (14, 14, 5, 100)
    assert report["promised_points"] == 280 and report["is_over"] is False
    assert report["offered"] == {"fans": 10, "bought": 0.5} and report["lift"] is None
    assert stand.own(FANS[0])[0]["status"] == "cited"
    scopes = {row["scope"] for row in stand.desk.seen("access-log", FANS[0])["items"]}
    assert {"plan", "offers", "report"} <= scopes, "each fan sees that it was read"
    listed = stand.ask(model=OfferPlansAnswer)["items"]
    assert [one["plan"] for one in listed] == [plan["plan"]] and listed[0]["drawn_at"]


def test_a_budget_is_never_exceeded_however_often_one_asks(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    plan = stand.plan(budget_points=239)
    assert (plan["reach"], plan["promised_points"]) == (10, 200)
    assert stand.draw(plan)["proposed"] == 11
    items = stand.entries(plan)
    assert stand.sign(items[:6]) == ("",) * 6
    assert set(stand.sign(items)) == {"", "offer.already"}
    stand.draw(plan)
    assert stand.entries(plan) == []
    assert stand.shop.books.offered == 220 <= 239
    assert stand.plan(budget_points=199)["reach"] is None, "for nine is for too few"
    assert stand.draw(stand.plan(budget_points=199)) == (409, "plan.too_few")


def test_who_is_left_out(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    program = stand.shop.program.hex()
    off = {"program": program, "off": ["winning_back"]}
    assert stand.desk.put("/v1/me/preferences", off, FANS[0]).status_code == 200
    issue(stand.shop, make_offer(stand.shop, FANS[1], points=20))
    plan = stand.plan()
    stand.draw(plan)
    named = {item["member"] for item in stand.entries(plan)}
    assert len(named) == 12 and not named & {stand.desk.text(fan) for fan in FANS[:2]}
    stand.desk.withdraw(fan=FANS[2])
    leave = {item["member"] for item in stand.entries(plan)}
    assert named - leave == {stand.desk.text(FANS[2])}, "a revocation counts at once"
    issue(stand.shop, make_offer(stand.shop, FANS[3], points=20, number=9))
    assert len(stand.entries(plan)) == 10, "an equal offer came meanwhile"
    later = stand.plan(points_each=30, fan_points_max=50)
    assert later["left_out"] == {**dict.fromkeys(LEFT_OUT), "equal_offer": 10}, "what was given is open to them"
    stand.sign(stand.entries(plan))
    assert stand.plan(points_each=30, fan_points_max=60)["reach"] is None, "the same goal is open to them"


def test_a_fans_cap_counts_what_is_open(stand: Stand) -> None:
    stand.come("bread", "coffee")
    stand.desk.pass_time(days=1)
    stand.issue(stand.plan("replenish"))
    assert stand.ask(body={"goal": "challenge", "points_each": 20, "budget_points": 500, "fan_points_max": 19}) == (
        422,
        "plan.fan_cap",
    )
    narrow = stand.plan("challenge", points_each=30, fan_points_max=49)
    assert narrow["reach"] is None and narrow["left_out"]["fan_cap"] == 10
    assert stand.plan("challenge", points_each=30, fan_points_max=50)["reach"] == 10


def test_of_two_plans_for_one_goal_one_reaches_a_fan_though_neither_is_signed(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    first, second = stand.plan(days=5), stand.plan(days=30)
    stand.draw(first)
    stand.draw(second)
    items = stand.entries(first)
    assert len(items) == 14 and stand.entries(second) == []
    assert stand.entries(first) == items, "its own are given again"
    assert set(stand.sign(items[:4])) == {""}
    assert stand.entries(second) == [] and stand.entries(first) == items[4:]
    stand.desk.pass_time(days=5)
    assert stand.entries(first) == [] and len(stand.entries(second)) == 14, "the first is over"


def test_what_was_only_drawn_keeps_no_other_plan_from_a_fan(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    first, second = stand.plan(), stand.plan()
    stand.draw(first)
    stand.draw(second)
    page = stand.ask(f"/{second['plan']}/entries", limit=4)["items"]
    assert len(page) == 4 and len(stand.entries(first)) == 10, "what stands on the next page was not given"
    assert stand.entries(second) == page


def test_a_plan_says_and_draws_whom_it_can_reach_beside_what_other_plans_gave(stand: Stand) -> None:
    """Spec PER-6: what was given for another plan is open, also before it is signed, until it is over."""
    stand.come("bread")
    stand.desk.pass_time(days=60)
    first, second, third = stand.plan(days=5), stand.plan(), stand.plan()
    stand.draw(first)
    assert stand.plan()["reach"] == 10, "what was only drawn was given to nobody"
    page = stand.ask(f"/{first['plan']}/entries", limit=4)["items"]
    beside = stand.plan()
    assert (beside["reach"], beside["promised_points"]) == (10, 200)
    assert stand.draw(second)["proposed"] == 10
    given = stand.entries(second)
    assert len(given) == 10 and not {one["member"] for one in given} & {one["member"] for one in page}
    left = stand.plan()
    assert (left["reach"], left["promised_points"], left["left_out"]["equal_offer"]) == (None, None, 10)
    assert stand.draw(third) == (409, "plan.too_few")
    assert stand.plan("winning_back", days=5)["left_out"]["fan_cap"] is None
    stand.desk.pass_time(days=31)
    assert stand.plan()["reach"] == 10, "all of it is over"


def test_a_fans_cap_counts_what_was_given_and_is_not_signed(stand: Stand) -> None:
    stand.come("bread", "coffee")
    stand.desk.pass_time(days=1)
    plans = [
        stand.plan("replenish"),
        *(stand.plan("challenge", points_each=30, fan_points_max=most) for most in (49, 50)),
    ]
    for plan in plans:
        stand.draw(plan)
    assert [len(stand.entries(plan)) for plan in plans] == [14, 0, 14]


def test_two_that_ask_at_once_are_not_both_given_a_fan(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    plans = [stand.plan(), stand.plan()]
    for plan in plans:
        stand.draw(plan)

    def give(store: ReceiptStore) -> list[set[int]]:
        """Both were judged when nothing was given."""
        drawn = [store.offer_plans.drawn_by(bytes.fromhex(plan["plan"])) for plan in plans]
        nothing: dict[Address, set[Hash]] = {one.member: set() for one in drawn[0]}
        return [store.offer_plans.give(each, nothing, Timestamp(1)) for each in drawn]

    first, second = stand.desk.app.state.services.receipts.post(give).result()
    assert len(first) == 14 and second == set()


def test_a_challenge_of_ones_own_is_real(stand: Stand) -> None:
    """Two usual items and a discovery: sealed, done in one purchase, credited; and the brand never learns what it asks for."""
    stand.come("bread", "coffee")
    plan = stand.plan("challenge", points_each=50)
    items = stand.issue(plan)
    assert len({item["terms"] for item in items}) == 14 and "bakery" not in str(items)
    (mine,) = stand.own(FANS[0])
    assert (mine["codes"], mine["needs_all"]) == (["bakery", "dairy", "drinks"], True)
    found = stand.listen(FANS[0])
    assert "challenge" not in found, "the suggestion has become an offer"
    said = found["offer_waiting"]
    assert "for Rye bread, Coffee and, new to you, Milk, or the like, in one purchase" in said["text"]
    assert {why["rests_on"] for why in said["why"]} == {"proved", "said", "guessed"}
    bought = tuple((code, 500) for code in mine["codes"])
    assert read_offer_text(mine["text"]).terms.are_met(
        time=Timestamp(stand.desk.now),
        expires_at=mine["expires_at"],
        net_cents=1_500,
        paid_with_points_cents=0,
        codes=bought,
    )
    stand.cite(FANS[0], codes=bought, net_cents=1_500)
    assert stand.report(plan)["credited_points"] == 50
    assert stand.shop.member(FANS[0]).lots[-1][3] == 50


def test_discoveries_and_replenishment_ask_for_what_a_till_has_a_code_for(stand: Stand) -> None:
    stand.come("coffee", days=7)
    stand.issue(stand.plan("discovery"))
    assert stand.own(FANS[0])[0]["codes"] == ["dairy"]
    stand.issue(stand.plan("replenish", fan_points_max=100))
    assert [one["codes"] for one in stand.own(FANS[0])] == [["dairy"], ["drinks"]]
    stand.desk.feed([{**product, "category": "x" * 33, "code": ""} for product in FEED])
    assert stand.plan("replenish", points_each=5, fan_points_max=100)["segment_fans"] is None
    stand.desk.feed([{**product, "code": product["item"]} for product in FEED])
    assert stand.plan("discovery", points_each=5, fan_points_max=100)["left_out"]["equal_offer"] == 10


def test_of_few_fans_nobody_is_named(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    korean = {"program": stand.shop.program.hex(), "language": "ko"}
    for fan in FANS[:3]:
        assert stand.desk.put("/v1/me/preferences", korean, fan).status_code == 200
    english = stand.plan(language="en")
    assert english["reach"] is None, "whoever plans for all, too, would know the three"
    assert stand.draw(english) == (409, "plan.too_few")
    assert stand.plan(language="ko")["segment_fans"] is None
    whole = stand.plan()
    assert whole["reach"] == 10 and len(stand.issue(whole)) == 14
    assert stand.own(FANS[0])[0]["says"].endswith("다음 구매 시")


def test_lift_against_who_was_held_out(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    more = [Signer.named(f"another planned fan {number}") for number in range(14)]
    stand.shop.join(*more)
    for fan in more:
        payload = stand.desk.sign_grant("", fan, to=stand.shop.program, purpose=0, payment=stand.shop.sponsored)
        assert stand.desk.post(payload).status_code == 202
    stand.shop.chain.mine()
    everybody = [*FANS, *more]
    stand.come("bread", fans=everybody)
    stand.desk.pass_time(days=60)
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.5)
    plan = stand.plan()
    items = stand.issue(plan)
    offered = {item["member"] for item in items}
    with_offer = [fan for fan in everybody if stand.desk.text(fan) in offered]
    assert GROUP_MIN <= len(with_offer) <= len(everybody) - GROUP_MIN
    assert [fan for fan in everybody if stand.own(fan)] == with_offer
    stand.desk.pass_time(days=1)
    for fan in with_offer:
        stand.desk.buy("bread", fan=fan)
    report = stand.report(plan)
    assert report["offered"]["bought"] == 1.0 and report["held_out"]["bought"] == 0.0 and report["lift"] == 1.0
    low, high = report["lift_95"]
    assert 0.5 < low < 1.0 == high
    stand.desk.pass_time(days=20)
    assert stand.report(plan)["is_over"] is True and stand.entries(plan) == []


def test_the_share_of_citations_is_measured_once_enough_have_ended(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    first = stand.plan(days=1)
    stand.issue(first)
    for fan in FANS[:7]:
        stand.cite(fan)
    stand.desk.pass_time(days=60)
    stand.shop.chain.mine(2)
    report = stand.report(first)
    assert (report["issued"], report["cited"], report["is_over"]) == (14, 7, True)
    second = stand.plan()
    assert second["cited_share"] == {"share": 0.5, "rests_on": "measured"} and second["expected_points"] == 100
    statuses = {stand.own(fan)[0]["status"] for fan in FANS}
    assert statuses <= {"cited", "expired"}


def test_a_budget_in_cents_counts_what_a_point_costs(stand: Stand) -> None:
    stand.come("bread")
    stand.desk.pass_time(days=60)
    body = {"goal": "winning_back", "points_each": 20, "budget_cents": 500}
    assert stand.ask(body=body) == (422, "plan.no_point_value")
    stand.shop.list_reward(price=100, value_cents=200)
    plan = stand.ask(body=body, model=OfferPlanMade)
    assert (plan["budget_points"], plan["point_cents"], plan["expected_cents"]) == (250, 2.0, 80)
    assert stand.draw(plan)["proposed"] == 12
    assert stand.ask(body={**body, "budget_points": 1}) == (400, "plan.budget")
    assert stand.ask(body={"goal": "winning_back", "points_each": 20}) == (400, "plan.budget")


def test_wrong_things_have_their_code(stand: Stand) -> None:
    assert stand.ask(body={"goal": "weather", "points_each": 20, "budget_points": 1}) == (400, "http.body")
    assert stand.ask(body={"goal": "challenge", "points_each": 20, "budget_points": 400}, who=FAN) == (
        403,
        "program.not_yours",
    )
    for who in (FRIEND, STRANGER):
        assert stand.ask(who=who) == (403, "program.not_yours")
    nowhere = "ab" * 16
    assert stand.ask(f"/{nowhere}") == (404, "plan.unknown")
    assert stand.ask(f"/{nowhere}/draw", method="PUT") == (404, "plan.unknown")
    assert stand.ask(f"/{nowhere}/entries") == (404, "plan.unknown")
    assert stand.ask("/xyz") == (400, "plan.id_format")
    assert stand.ask(f"/{'z' * 32}") == (400, "plan.id_format")
    assert stand.desk.mine("offers", STRANGER).json()["code"] == "member.unknown"


def test_what_was_drawn_is_the_fans_own(stand: Stand) -> None:
    """Exported, deleted, and kept by a reset: a promise is no guess."""
    stand.come("bread")
    stand.desk.pass_time(days=60)
    stand.issue(stand.plan())
    fan = FANS[0]
    reset = stand.desk.request(
        "DELETE", f"/v1/me/profile?program={stand.shop.program.hex()}", sign=stand.desk.owner(fan)
    )
    assert stand.desk.send(reset).status_code == 200 and len(stand.own(fan)) == 1
    exported = stand.desk.send(stand.desk.request("GET", "/v1/me/export", sign=stand.desk.owner(fan))).json()
    (drawn,) = exported["drawn_offers"]
    assert drawn["text"] == stand.own(fan)[0]["text"] and drawn["about"] == {"goal": "winning_back", "items": []}
    stand.desk.withdraw(fan=fan)
    assert len(stand.own(fan)) == 1, "it was promised"
    gone = stand.desk.send(stand.desk.request("DELETE", "/v1/me", sign=stand.desk.owner(fan)))
    assert gone.status_code == 200 and stand.own(fan) == []
