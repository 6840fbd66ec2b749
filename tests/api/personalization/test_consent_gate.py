"""Nothing of a fan comes into personalization but what it granted; each read is in its log; a revocation counts at once."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from api.http.schemas.own_data import ReadsAnswer
from api.http.schemas.personal import ProfileAnswer
from api.personalization.consent_gate import PersonalGate
from api.personalization.facts import FanFacts
from ledger.domains.consent.state import SHARE
from tests.api.personalization.conftest import OpenDesk
from tests.support import live_votes
from tests.support.memory_chain import DAY_SECONDS
from tests.support.personal_shop import PersonalShop
from tests.support.shop import FAN, FRIEND, OWNER


@pytest.fixture
def desk(open_desk: OpenDesk) -> PersonalShop:
    return open_desk()


def gate_of(desk: PersonalShop) -> PersonalGate:
    return desk.app.state.services.personal.gate


def read(desk: PersonalShop, what_for: str = "test") -> FanFacts | None:
    return asyncio.run(gate_of(desk).read(FAN.address, desk.shop.program, what_for))


def refusal(desk: PersonalShop, what: str = "profile") -> tuple[int, str]:
    response = desk.mine(what)
    return response.status_code, response.json().get("code", "")


def test_without_consent_nothing_of_a_fan_exists(desk: PersonalShop) -> None:
    desk.buy("bread", "coffee")
    assert read(desk) is None
    assert refusal(desk) == (403, "personal.not_granted")
    assert desk.seen("access-log")["items"] == []


def test_a_consent_to_all_shows_all_but_gifts(desk: PersonalShop) -> None:
    desk.allow("")
    kept, gift = desk.buy("bread"), desk.buy("mug")
    desk.ask(f"/v1/receipts/{gift.hex()}/gift", method="PUT")
    facts = read(desk)
    assert facts is not None and [one.receipt for one in facts.purchases] == [kept.hex()]
    assert facts.scopes == {"receipts", "behaviour", "standing", "campaigns", "voice"}
    desk.ask(f"/v1/receipts/{gift.hex()}/gift", method="DELETE")
    again = read(desk)
    assert again is not None and len(again.purchases) == 2


def test_scopes_are_kept_apart(desk: PersonalShop) -> None:
    desk.buy("bread")
    desk.shop.earn(FAN, 100)
    desk.allow("standing")
    facts = read(desk)
    assert facts is not None and facts.standing is not None and facts.standing.available == 100
    assert facts.purchases == () and facts.behaviour == ()
    desk.allow("receipts")
    facts = read(desk)
    assert facts is not None and len(facts.purchases) == 1


def test_a_category_may_be_granted_alone(desk: PersonalShop) -> None:
    desk.feed()
    desk.buy("bread", "coffee", cents=300)
    desk.buy("coffee")
    desk.allow("receipts/bakery")
    facts = read(desk)
    assert facts is not None
    assert [[line.item for line in one.lines] for one in facts.purchases] == [["bread"]]
    assert facts.purchases[0].net_cents == 300 and facts.purchases[0].points == 0


def test_other_purposes_grantees_and_scopes_open_nothing(desk: PersonalShop) -> None:
    desk.buy("bread")
    desk.grant("", to=desk.shop.program, purpose=SHARE)
    desk.grant("", to=OWNER.address, purpose=0)
    desk.allow("gifts")
    desk.allow("", fan=FRIEND)
    assert read(desk) is None


def test_a_revocation_counts_before_any_block_and_after_a_restart(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("bread")
    assert desk.seen("profile", model=ProfileAnswer)["items"][0]["id"] == "bread"
    desk.withdraw()
    assert refusal(desk) == (403, "personal.not_granted")
    again = desk.restart()
    try:
        assert read(PersonalShop(again.shop)) is None
    finally:
        again.close()


def test_one_scope_may_be_withdrawn(desk: PersonalShop) -> None:
    desk.allow("receipts", "standing")
    desk.buy("bread")
    desk.withdraw("receipts")
    shown = desk.seen("profile", model=ProfileAnswer)
    assert shown["items"] == [] and shown["scopes"] == ["standing"] and shown["stage"] == "new"


def test_a_consent_that_ends_while_an_answer_is_made_shows_nothing(
    desk: PersonalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.allow("")
    personal = desk.app.state.services.personal
    made: list[Any] = []
    original: Callable[..., bool] = personal.gate.still_holds
    revocation = desk.sign_revocation("", to=desk.shop.program, purpose=0)

    def withdraw_meanwhile(facts: FanFacts) -> bool:
        if not made:  # the answer is made, and it is asked whether it may be shown
            desk.app.state.services.node.submit_batch([revocation.raw])
        made.append(facts)
        return original(facts)

    monkeypatch.setattr(personal.gate, "still_holds", withdraw_meanwhile)
    assert refusal(desk) == (403, "personal.not_granted")
    assert len(made) == 1, "the second look finds no consent"


def test_a_consent_expires(desk: PersonalShop) -> None:
    desk.allow("", expires_at=desk.now + DAY_SECONDS)
    assert read(desk) is not None
    desk.pass_time(days=1)
    assert read(desk) is None


def test_who_has_left_is_not_read(desk: PersonalShop) -> None:
    from ledger.domains.loyalty.member_leave import MemberLeave

    desk.allow("")
    desk.shop.chain.send("member.leave", MemberLeave(desk.shop.program), author=FAN)
    assert read(desk) is None


def test_each_read_is_in_the_log_that_the_fan_sees(desk: PersonalShop) -> None:
    desk.allow("")
    desk.buy("bread")
    for _ in range(3):
        desk.seen("profile")
    read(desk, "group")
    page = desk.seen("access-log", model=ReadsAnswer)
    assert page == desk.seen("reads")
    rows = {item["scope"]: item for item in page["items"]}
    assert set(rows) == {"profile", "group"}
    assert rows["profile"]["times"] == 3 and rows["profile"]["given"] == 2, "a purchase and the standing"
    assert rows["profile"]["purpose"] == "personalise" and rows["profile"]["code"] is None
    assert rows["profile"]["reader"] == rows["profile"]["program"] == desk.shop.program.hex()


def test_what_was_erased_is_gone_from_the_next_answer(desk: PersonalShop) -> None:
    desk.allow("")
    first = desk.buy("bread")
    desk.buy("coffee")
    assert len(desk.seen("profile")["items"]) == 2
    desk.ask(f"/v1/receipts/{first.hex()}", method="DELETE")
    assert [item["id"] for item in desk.seen("profile")["items"]] == ["coffee"]
    desk.ask("/v1/me", method="DELETE")
    assert desk.seen("profile")["items"] == []
    assert not any(key[0] == FAN.address and one.off_chain[0] for key, one in gate_of(desk)._remembered.items())


def test_linked_programs_are_read_only_by_name_and_by_their_own_consent(desk: PersonalShop) -> None:
    from ledger.domains.loyalty.member_join import MemberJoin
    from ledger.types import Address

    other = desk.shop.create_program(FRIEND)
    desk.shop.chain.send("member.join", MemberJoin(other, Address(b"")), author=FAN)
    desk.allow("")
    desk.grant("", to=other, purpose=0)
    assert desk.seen("profile")["linked_programs"] == []
    desk.allow("linked")
    assert desk.seen("profile")["linked_programs"] == [other.hex()]
    desk.revoke("", to=other, purpose=0)
    assert desk.seen("profile")["linked_programs"] == []


def outputs(desk: PersonalShop) -> bytes:
    """All that personalization says of FAN."""
    return b"[" + b",".join(desk.mine(what).content for what in OUTPUTS) + b"]"


OUTPUTS = ("profile", "messages", "recommendations", "questions")


def without_standing(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "standing"}


@pytest.mark.parametrize("granted", [(), ("standing",), ("receipts/bakery",), ("campaigns", "behaviour")])
def test_what_was_not_granted_changes_no_byte(desk: PersonalShop, granted: tuple[str, ...]) -> None:
    """Everything that a fan did not grant is changed, and every output stays byte-identical."""
    desk.feed()
    desk.shop.earn(FAN, 500)
    desk.buy("bread")
    if granted:
        desk.allow(*granted)
    before = outputs(desk)
    if "standing" not in granted:
        desk.app.state.services.node.clock.set(desk.now)
    time = desk.now
    gift = desk.buy("bread", "mug") if "receipts/bakery" not in granted else desk.buy("coffee")
    desk.buy("milk", "tea", cents=12_345)
    desk.buy("bread", fan=FRIEND)
    desk.ask(f"/v1/receipts/{gift.hex()}/gift", method="PUT")
    if "campaigns" not in granted:
        campaign = desk.shop.create_campaign(in_points=True)
        desk.shop.pledge(FAN, campaign, 50)
    proposal = live_votes.ask(desk.shop)
    live_votes.cast(desk.shop, proposal, FAN, 1)
    if "standing" not in granted:
        desk.shop.earn(FAN, 77)
    desk.app.state.services.node.clock.set(time)
    if "standing" in granted:
        shown = json.loads(outputs(desk))
        assert shown[0]["standing"] is not None
        assert [without_standing(one) for one in json.loads(before)] == [without_standing(one) for one in shown]
        return
    assert outputs(desk) == before
