"""Who has not joined: said in the answer to a sale where the till can know it, and nothing is said where it cannot."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.till.app import create_app
from api.till.member_book import MEMBER_SECONDS, STRANGER_SECONDS
from api.till.schedule import LAST_RUN
from api.till.tier_book import TROUBLE_SECONDS
from api.wallet.client import Client
from api.wallet.enrolment import Invitation
from api.wallet.errors import Unreachable
from api.wallet.mnemonic import derive_master_seed
from api.wallet.wallet import Wallet
from ledger.domains.loyalty.earn import ENTRY_NO_MEMBER
from tests.support.till_world import TOKEN, TillWorld


@pytest.fixture
def pos(world: TillWorld) -> Iterator[TestClient]:
    with TestClient(create_app(world.till()), headers={"authorization": f"Bearer {TOKEN}"}) as found:
        yield found


@pytest.fixture
def stranger(world: TillWorld) -> Wallet:
    return Wallet(derive_master_seed("zoo " * 11 + "wrong"), world.market.node.client)


def own_address(world: TillWorld, wallet: Wallet) -> str:
    return wallet.address_text(wallet.program_signer(world.market.program).address)


def sell(pos: TestClient, name: str, member: str) -> Any:
    answer = pos.post("/sales?qr=none", json={"id": name, "member": member, "net_cents": 1_000})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def codes(answer: Any) -> list[str]:
    return [warning["code"] for warning in answer["warnings"]]


class Asked:
    """The node's answers about accounts, counted, or none."""

    def __init__(self, world: TillWorld) -> None:
        self.count = 0
        self.is_down = False
        self.changes: dict[str, Any] = {}
        self._client: Client = world.client
        world.members._client = self  # pyright: ignore[reportAttributeAccessIssue]  # it has the one method that is used

    def account(self, address: str) -> Any:
        self.count += 1
        if self.is_down:
            raise Unreachable("client.unreachable", "no node answers")
        return {**self._client.account(address), **self.changes}


def test_a_sale_to_somebody_who_has_not_joined_says_so(world: TillWorld, pos: TestClient, stranger: Wallet) -> None:
    asked, address = Asked(world), own_address(world, stranger)
    first = sell(pos, "1", address)
    assert first["is_member"] is False and codes(first) == ["till.no_member"]
    assert address in first["warnings"][0]["text"] and "/enrolments" in first["warnings"][0]["advice"]
    assert codes(pos.get("/sales/1?qr=none").json()) == ["till.no_member"], "who reads it again reads that, too"
    known = sell(pos, "2", world.member())
    assert (known["is_member"], known["warnings"]) == (True, [])
    count = asked.count
    world.clock.pass_seconds(STRANGER_SECONDS)
    sell(pos, "3", world.member())
    assert asked.count == count, "a member is not asked for again within the hour"
    world.clock.pass_seconds(MEMBER_SECONDS)
    sell(pos, "4", world.member())
    assert asked.count == count + 1
    assert world.knowledge.problem == "" and not world.members.is_needed("nonsense")


def test_who_joins_at_the_counter_is_believed_before_its_block(
    world: TillWorld, pos: TestClient, stranger: Wallet
) -> None:
    address = own_address(world, stranger)
    assert codes(sell(pos, "1", address)) == ["till.no_member"]
    invitation = pos.get("/invitation?qr=none").json()["qr"]["text"]
    request = stranger.answer_invitation(Invitation.from_json(invitation)).to_json()
    assert pos.post("/enrolments", content=request).status_code == 201
    assert codes(sell(pos, "2", address)) == []


def test_without_its_node_a_till_cannot_know(world: TillWorld, pos: TestClient, stranger: Wallet) -> None:
    asked, address = Asked(world), own_address(world, stranger)
    asked.is_down = True
    found = sell(pos, "1", address)
    assert (found["is_member"], found["warnings"]) == (None, [])
    sell(pos, "2", address)
    assert asked.count == 1, "a node that does not answer is left alone for a while"
    world.clock.pass_seconds(TROUBLE_SECONDS)
    world.knowledge.problem = "no node answers"
    sell(pos, "3", address)
    assert asked.count == 1
    world.outbox.work()
    later = pos.get("/sales/1?qr=none").json()
    assert later["hand_over_code"] == "member.unknown" and codes(later) == ["till.no_member"], (
        "the node refused its receipt"
    )


def test_what_settling_said_of_a_member_counts(world: TillWorld, pos: TestClient, stranger: Wallet) -> None:
    Asked(world).is_down = True
    address, other = own_address(world, stranger), stranger.address_text(stranger.main.address)
    skipped = {"member": stranger.program_signer(world.market.program).address.hex(), "period": 1}
    world.store.keep_document(LAST_RUN, {"skipped": [skipped | {"code": ENTRY_NO_MEMBER.name}]})
    assert codes(sell(pos, "1", address)) == ["till.no_member"]
    assert sell(pos, "2", other)["is_member"] is None
    (shown,) = pos.get("/status").json()["settlement"]["last_run"]["skipped"]
    assert shown["member"] == address, "people know accounts by their addresses"


def test_an_account_of_more_programs_than_are_shown_is_no_stranger(
    world: TillWorld, pos: TestClient, stranger: Wallet
) -> None:
    asked, address = Asked(world), own_address(world, stranger)
    asked.changes = {"programs_complete": False}
    assert sell(pos, "1", address)["is_member"] is None
    asked.changes = {"programs": [{"program": world.market.program.hex(), "left_at": 5}]}
    assert codes(sell(pos, "2", address)) == ["till.no_member"], "somebody who left is no member"
