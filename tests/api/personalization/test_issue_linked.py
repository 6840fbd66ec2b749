"""Linked programs (spec PER-1, PER-2): named where something rests on them, and left at once where their consent ends."""

from dataclasses import replace
from typing import Any

import pytest

from api.personalization.candidates import Candidate, Scene
from api.personalization.facts import FanFacts, Purchase
from api.personalization.messages import decide, recommend, shown_now
from api.personalization.pacing import Past
from api.personalization.questions import find_possible
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.types import Address, ProgramId
from tests.api.personalization.conftest import OpenDesk
from tests.support.personal_shop import PersonalShop
from tests.support.scenes import NOW, found_in, make_catalogue, make_facts, make_product, make_purchase, make_scene
from tests.support.shop import FAN, FRIEND

OTHER = ProgramId(b"O" * 32)
GRANTED = ("receipts", "linked")
OATS = make_product("oats", category="of milk", first_at=NOW - 60)
"""New in a category that some buy again and again."""


@pytest.fixture
def desk(open_desk: OpenDesk) -> PersonalShop:
    found = open_desk()
    found.feed()
    return found


@pytest.mark.parametrize("what", ["profile", "messages", "recommendations", "questions"])
def test_a_linked_consent_that_ends_meanwhile_is_obeyed(
    desk: PersonalShop, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    other = desk.shop.create_program(FRIEND)
    desk.shop.chain.send("member.join", MemberJoin(other, Address(b"")), author=FAN)
    desk.grant("", to=other, purpose=0)
    desk.allow("", "linked")
    assert desk.seen("profile")["linked_programs"] == [other.hex()]
    gate = desk.app.state.services.personal.gate
    original, found = gate.read_linked, []
    revocation = desk.sign_revocation("", to=other, purpose=0)

    async def then_withdraw(facts: Any, what_for: str) -> Any:
        linked = await original(facts, what_for)
        found.append(len(linked))
        desk.app.state.services.node.submit_batch([revocation.raw])
        return linked

    monkeypatch.setattr(gate, "read_linked", then_withdraw)
    assert desk.mine(what).status_code == 200
    assert found == [1, 0], "it was read anew without what is not granted any more"


def elsewhere(*purchases: Purchase) -> FanFacts:
    """What the same account let another program know."""
    return replace(make_facts(*purchases), program=OTHER)


def news_of(*own: Purchase, linked: tuple[Purchase, ...] = ()) -> Candidate:
    """What is said of the new product."""
    facts = make_facts(*own, scopes=GRANTED)
    scene = make_scene(facts, make_catalogue(make_product("milk"), OATS), linked=[elsewhere(*linked)])
    return found_in(scene)["new_in_category oats"]


def test_what_rests_on_a_linked_program_names_it_and_its_consent() -> None:
    bought = [make_purchase(days, "milk") for days in (9, 6, 3)]
    found = news_of(bought[0], linked=(bought[1], bought[2]))
    assert found.scopes == {"receipts", "linked"} and found.linked == (OTHER.hex(),)
    (why, _) = found.reasons
    assert why.source == {"category": "of milk", "linked_programs": [OTHER.hex()]}
    assert (why.words.name, why.words.fields["times"]) == ("why_taste_linked", 3)
    own = news_of(*bought, linked=(make_purchase(1, "tea"),))
    assert own.scopes == {"receipts"} and own.linked == () and own.reasons[0].words.name == "why_taste"


def test_a_message_shows_the_linked_program_and_costs_a_scope_more() -> None:
    bought = [make_purchase(days, "milk") for days in (9, 6, 3)]
    catalogue = make_catalogue(make_product("milk"), OATS)

    def document(*linked: FanFacts) -> Any:
        own = bought[:1] if linked else bought
        scene = make_scene(make_facts(*own, scopes=GRANTED), catalogue, linked=linked)
        (found,) = [one for one in decide(scene, Past((), ())).fresh if one.topic == "new_in_category"]
        return found.document

    shown, own = document(elsewhere(*bought[1:])), document()
    expected = {"purpose": "personalise", "scopes": ["linked", "receipts"], "linked_programs": [OTHER.hex()]}
    assert shown["consent"] == expected and own["consent"] == {"purpose": "personalise", "scopes": ["receipts"]}
    assert shown["value"]["data_minutes"] == 0.4 and own["value"]["data_minutes"] == 0.2
    assert "연결하신" in shown["why"][0]["texts"]["ko"]


def challenged(*linked: FanFacts) -> Scene:
    """A fan with two usual items, and something that goes with one of them."""
    bought = [make_purchase(days, "milk", "bread") for days in (9, 6, 3)]
    catalogue = make_catalogue(make_product("milk", pairs_with=("tea",)), make_product("bread"), make_product("tea"))
    return make_scene(make_facts(*bought, scopes=GRANTED), catalogue, linked=linked)


def test_that_nothing_was_bought_of_a_category_is_true_of_linked_programs_too() -> None:
    """So a challenge and a question about a category rest on them; and end with their consent."""
    scene = challenged(elsewhere(make_purchase(1, "rice")))
    (found,) = [one for one in found_in(scene).values() if one.topic == "challenge"]
    assert found.linked == (OTHER.hex(),) and "linked" in found.scopes
    (asked,) = [one for one in find_possible(scene, Past((), ()), frozenset()) if one.kind == "dislike"]
    assert asked.linked == (OTHER.hex(),) and "linked" in asked.scopes
    assert recommend(scene, "en", 5)["consent"]["linked_programs"] == [OTHER.hex()]
    (kept,) = [one for one in decide(scene, Past((), ())).fresh if one.topic == "challenge"]
    kept, alone, later = replace(kept, is_held_out=False, ready_at=NOW), challenged(), Past((kept,), ())
    for world, count in ((scene, 1), (alone, 0)):
        fresh = replace(decide(world, later), present={}, fresh=())
        assert len(shown_now(world, fresh, Past((kept,), ()))) == count
    assert [one.linked for one in found_in(alone).values() if one.topic == "challenge"] == [()]
    assert "challenge" not in {one.topic for one in found_in(challenged(elsewhere(make_purchase(1, "tea")))).values()}
