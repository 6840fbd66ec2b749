"""What a fan did not grant, and what it criticised, changes no byte of anything that anybody is told (issue 8, 1 and 7)."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.personalization import pacing
from api.receipts.behaviour import Deed
from ledger.domains.consent.state import CONTACT
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.voice.review import ReviewWrite
from ledger.domains.voice.reviews import CRITICISE, ENDORSE, Earned, ProgramSubject
from ledger.domains.voice.texts import TextDocument, text_hash
from ledger.types import Address, CampaignId, ProgramId, ProposalId
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import messages, prefer, with_product
from tests.api.personalization.test_offer_plans import Stand
from tests.api.personalization.test_outreach import Receiver
from tests.support import live_votes
from tests.support.memory_chain import DAY_SECONDS
from tests.support.personal_shop import PersonalShop
from tests.support.receipt_shop import SETTINGS
from tests.support.shop import FAN, FRIEND, OWNER

MINE = ("profile", "messages", "recommendations", "questions", "preferences", "offers")
BRANDS = ("segments", "message-report")
GOALS = ("winning_back", "discovery", "replenish", "challenge")


class World:
    """Fourteen fans who grant all, FAN who grants some, and things of every kind that FAN may do."""

    def __init__(self, folder: Path) -> None:
        self.stand = Stand(folder)
        self.desk: PersonalShop = self.stand.desk
        shop = self.desk.shop
        shop.earn(FAN, 500)
        self.campaign: CampaignId = shop.create_campaign(in_points=True, goal=1_000, days=60)
        self.proposal: ProposalId = live_votes.ask(shop)
        self.other: ProgramId = shop.create_program(FRIEND)
        shop.chain.send("member.join", MemberJoin(self.other, Address(b"")), author=FAN)
        self.desk.grant("", to=self.other, purpose=0)
        self.stand.come("bread", "coffee")
        self.desk.buy("bread", "coffee")

    @property
    def program(self) -> str:
        return self.desk.shop.program.hex()

    def ask_brand(self, path: str, body: dict[str, Any] | None = None) -> Any:
        whole = f"/v1/programs/{self.program}/{path}"
        if body is not None:
            return self.desk.put(whole, body, OWNER, "POST").json()
        return self.desk.send(self.desk.request(path=whole, sign=self.desk.owner(OWNER))).json()

    def outputs(self) -> dict[str, str]:
        """Everything that is said of FAN, to FAN and to the brand."""
        found: dict[str, Any] = {what: self.desk.mine(what).text for what in MINE}
        found |= {what: self.ask_brand(what) for what in BRANDS}
        found["plan"] = self.ask_brand("plan", {"topic": "discovery", "points_each": 5, "budget_points": 5_000})
        for goal in GOALS:
            plan = self.ask_brand("offer-plans", {"goal": goal, "points_each": 20, "budget_points": 5_000})
            found[f"plan of {goal}"] = {name: value for name, value in plan.items() if name not in ("plan", "made_at")}
        found["service"] = self.look()
        return {name: json.dumps(value, sort_keys=True) for name, value in found.items()}

    def look(self) -> dict[str, Any]:
        """What service staff is shown, without the moment."""
        answer = self.ask_brand("service-looks", {"member": self.desk.text(FAN), "why": "She asked.", "staff": "Mina"})
        return {name: value for name, value in answer.items() if name not in ("asked_at", "instance")}

    # --- what FAN does, by what would open it to the program ---

    def buy_elsewhere(self) -> None:
        """In another category than bakery."""
        self.desk.buy("milk", "tea", "mug", cents=12_345)

    def buy_more(self) -> None:
        self.desk.buy("bread", cents=77)

    def give(self) -> None:
        gift = self.desk.buy("bread", "mug", "coffee")
        self.desk.ask(f"/v1/receipts/{gift.hex()}/gift", method="PUT")

    def look_at_things(self) -> None:
        """As if it had been kept under a consent that ended."""
        now = self.desk.now
        deeds = [Deed("viewed", item, 60, now - 60, now) for item in ("tea", "mug", "milk")]
        fan, program = FAN.address, self.desk.shop.program
        asyncio.run(
            self.desk.app.state.services.receipts.run(lambda store: store.behaviour.add(fan, program, deeds, now))
        )

    def earn(self) -> None:
        self.desk.shop.earn(FAN, 77)

    def back(self) -> None:
        self.desk.shop.pledge(FAN, self.campaign, 50)

    def vote(self) -> None:
        live_votes.cast(self.desk.shop, self.proposal, FAN, 1)

    def say(self, stance: int = CRITICISE, score: int = 1) -> None:
        document = TextDocument(b"\x07" * 32, "The bread was stale.")
        payload = ReviewWrite(ProgramSubject(self.desk.shop.program), Earned(), stance, score, text_hash(document))
        self.desk.shop.chain.send("review", payload, author=FAN)

    def wish_elsewhere(self) -> None:
        """For another program, which is granted all, and is not linked to this one."""
        body = {"program": self.other.hex(), "likes": ["drinks"], "dislikes": ["bread"], "wishes": ["tea"]}
        assert self.desk.put("/v1/me/profile", body).status_code == 200


OF_SCOPE: dict[str, tuple[Callable[[World], None], ...]] = {
    "receipts": (World.buy_more, World.buy_elsewhere),
    "receipts/bakery": (World.buy_more,),
    "behaviour": (World.look_at_things,),
    "standing": (World.earn, World.back),  # what is pledged is points that one had
    "campaigns": (World.back,),
    "voice": (World.vote, World.say),
}
DEEDS = (
    World.buy_elsewhere,
    World.buy_more,
    World.give,
    World.look_at_things,
    World.earn,
    World.back,
    World.vote,
    World.say,
    World.wish_elsewhere,
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.0)
    found = World(tmp_path / "data")
    yield found
    found.desk.close()
    found.desk.shop.close()


@pytest.mark.parametrize("granted", [None, *OF_SCOPE])
def test_nothing_that_was_not_granted_changes_a_byte_of_any_output(world: World, granted: str | None) -> None:
    """All of it is changed at once; and what was granted does change something, or the test would see nothing."""
    if granted is not None:
        world.desk.allow(granted)
    prefer(world.desk)
    before, time = world.outputs(), world.desk.now
    assert json.loads(before["segments"])["fans"] >= 10 and json.loads(before["plan"])["segment"] >= 10
    for deed in DEEDS:
        if deed in OF_SCOPE.get(granted or "", ()):
            continue
        deed(world)
    world.desk.app.state.services.node.clock.set(time)
    after = world.outputs()
    assert [name for name in before if after[name] != before[name]] == []
    for deed in OF_SCOPE.get(granted or "", ()):
        deed(world)
    assert granted is None or world.desk.mine("profile").text != json.loads(before["profile"])


@pytest.mark.parametrize("granted", ["service/standing", "service/voice"])
def test_service_staff_sees_the_part_that_was_opened_and_no_byte_more(world: World, granted: str) -> None:
    world.desk.allow(granted, expires_at=world.desk.now + DAY_SECONDS)
    part = granted.removeprefix("service/")
    before, time = world.look(), world.desk.now
    for deed in DEEDS:
        if deed in OF_SCOPE.get(part, ()):
            continue
        deed(world)
    world.desk.app.state.services.node.clock.set(time)
    assert world.look() == before


def test_criticism_changes_nothing_that_the_critic_is_told_or_offered(world: World) -> None:
    """Granted or not: only the list of what it said, and a count of critics that is told from ten on."""
    world.desk.allow("")
    prefer(world.desk)
    world.say(ENDORSE, 5)
    before, time = world.outputs(), world.desk.now
    world.say(CRITICISE, 1)
    world.desk.app.state.services.node.clock.set(time)
    after = world.outputs()
    assert [name for name in before if after[name] != before[name]] == ["profile"]
    profiles = [json.loads(json.loads(one["profile"])) for one in (before, after)]
    assert [one.pop("said")[0]["stance"] for one in profiles] == ["endorse", "criticise"]
    assert profiles[0] == profiles[1]


def test_a_gift_is_in_nothing_that_is_said_of_a_fan_who_grants_all(world: World) -> None:
    world.desk.allow("", "service", expires_at=world.desk.now + DAY_SECONDS)
    prefer(world.desk)
    before, time = world.outputs(), world.desk.now
    world.give()
    world.desk.app.state.services.node.clock.set(time)
    assert world.outputs() == before


# --- what is used is what was granted ---


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    found = open_at_noon(
        settings=SETTINGS.model_copy(update={"webhook_hosts": (("shop.example", 80), ("broken.example", 80))})
    )
    found.feed()
    return found


def test_the_consent_that_a_message_names_is_one_that_the_fan_gave(desk: PersonalShop) -> None:
    desk.allow("receipts/kitchen")
    prefer(desk)
    desk.buy("mug")
    desk.feed(with_product("mug", recall={"en": "Glass."}))
    found = messages(desk)
    assert {"how_to", "recall"} <= set(found)
    for message in found.values():
        assert message["consent"]["scopes"] == ["receipts/kitchen"], message["topic"]


@pytest.mark.parametrize("scopes", [("receipts",), ("standing",), ("receipts", "voice"), ("campaigns", "behaviour")])
def test_every_message_names_only_scopes_that_are_granted(desk: PersonalShop, scopes: tuple[str, ...]) -> None:
    desk.allow(*scopes)
    prefer(desk)
    desk.shop.earn(FAN, 90)
    desk.shop.list_reward(price=100)
    live_votes.ask(desk.shop)
    desk.buy_each(["bread", "mug"], times=3, days=3)
    shown = desk.seen("messages")["items"]
    assert shown or scopes == ("campaigns", "behaviour")
    for message in shown:
        assert set(message["consent"]["scopes"]) <= set(scopes), message["topic"]


def test_each_reader_of_a_fan_has_its_row(desk: PersonalShop) -> None:
    """Whoever asked for whatever: the fan sees under which name it was read."""
    desk.allow("")
    desk.grant("webhook", to=desk.shop.program, purpose=CONTACT)
    prefer(desk, channel="webhook")
    desk.buy("coffee")
    for what in ("profile", "messages", "recommendations", "questions"):
        desk.seen(what)
    path = f"/v1/programs/{desk.shop.program.hex()}"
    for what in BRANDS:
        assert desk.send(desk.request(path=f"{path}/{what}", sign=desk.owner(OWNER))).status_code == 200
    assert desk.put(f"{path}/plan", {"topic": "discovery"}, OWNER, "POST").status_code == 200
    body = {"goal": "discovery", "points_each": 5, "budget_points": 50}
    assert desk.put(f"{path}/offer-plans", body, OWNER, "POST").status_code in (200, 201, 422)
    looked = {"member": desk.text(FAN), "why": "She asked.", "staff": "Mina"}
    assert desk.put(f"{path}/service-looks", looked, OWNER, "POST").status_code == 403
    rows = {row["scope"]: row for row in desk.seen("access-log")["items"]}
    assert set(rows) >= {"profile", "messages", "recommendations", "questions", "segments", "report", "plan", "service"}
    assert rows["service"]["code"] == "service.not_granted" and rows["service"]["why"] == "She asked."
    times = rows["messages"]["times"]
    Receiver().run(desk)
    again = {row["scope"]: row for row in desk.seen("access-log")["items"]}
    assert again["messages"]["times"] >= times, "outreach reads as messages"
