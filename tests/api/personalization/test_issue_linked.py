"""A consent for a linked program that ends while an answer is made ends that answer, too (spec PER-1)."""

from typing import Any

import pytest

from ledger.domains.loyalty.member_join import MemberJoin
from ledger.types import Address
from tests.api.personalization.conftest import OpenDesk
from tests.support.personal_shop import PersonalShop
from tests.support.shop import FAN, FRIEND


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
