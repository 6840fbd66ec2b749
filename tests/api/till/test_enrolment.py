"""Joining at the counter: an invitation as a QR code, the fan's answer, the till's counter-signature, one transaction."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from api.till.app import create_app
from api.wallet.client import Client
from api.wallet.enrolment import Invitation, make_invitation
from api.wallet.mnemonic import derive_master_seed
from api.wallet.wallet import Wallet
from ledger.domains.loyalty.state import SCOPE_ENROL, SCOPE_TILL, member_key
from ledger.types import Height
from tests.api.till.test_app import refused
from tests.support.till_world import TOKEN, TillWorld
from tests.support.wallet_node import main_signer


@pytest.fixture
def pos(world: TillWorld) -> Iterator[TestClient]:
    with TestClient(create_app(world.till()), headers={"authorization": f"Bearer {TOKEN}"}) as found:
        yield found


@pytest.fixture
def newcomer(world: TillWorld) -> Wallet:
    """Somebody who has no coin and was never here."""
    return Wallet(derive_master_seed("zoo " * 11 + "wrong"), world.market.node.client)


def scanned(pos: TestClient) -> Invitation:
    """What the newcomer's phone reads."""
    return Invitation.from_json(pos.get("/invitation", params={"qr": "none"}).json()["qr"]["text"])


def test_a_fan_joins_at_the_counter(world: TillWorld, pos: TestClient, newcomer: Wallet) -> None:
    text = newcomer.answer_invitation(scanned(pos)).to_json()
    first = pos.post("/enrolments", content=text)
    address = newcomer.program_signer(world.market.program).address
    assert (first.status_code, first.json()["member"]) == (201, newcomer.address_text(address))
    assert (first.json()["is_new"], first.json()["status"]) == (True, "unconfirmed")
    waiting = pos.post("/enrolments", content=text)
    assert (waiting.status_code, waiting.json()) == (200, first.json() | {"is_new": False}), (
        "it waits at the node already"
    )
    world.market.node.mine()
    again = pos.post("/enrolments", content=text)
    assert (again.status_code, again.json()) == (200, first.json() | {"is_new": False, "status": "confirmed"})
    assert world.market.node.chain.record(member_key(world.market.program, address)).left_at == 0
    sale = {"id": "1", "member": first.json()["member"], "net_cents": 1_000}
    assert pos.post("/sales", json=sale).status_code == 201
    other = newcomer.answer_invitation(scanned(pos)).to_json()
    answer = pos.post("/enrolments", content=other)
    refused(answer, 422, "till.not_enrolled")
    assert "member.already" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": "fansumer-join-request"}', b"[" * 9_000]
)
def test_what_is_no_request(pos: TestClient, content: bytes) -> None:
    refused(pos.post("/enrolments", content=content), 400, "enrolment.bad_request")


def test_what_answers_another_invitation(world: TillWorld, pos: TestClient, newcomer: Wallet) -> None:
    facts, height = newcomer.facts, Height(newcomer.next_height())
    theirs = make_invitation(facts, world.market.program, main_signer("owner").address, valid_from=height)
    refused(pos.post("/enrolments", content=newcomer.answer_invitation(theirs).to_json()), 422, "enrolment.not_ours")
    forged: dict[str, Any] = json.loads(newcomer.answer_invitation(scanned(pos)).to_json())
    forged["witness"] = json.loads(world.market.fan.answer_invitation(scanned(pos)).to_json())["witness"]
    refused(pos.post("/enrolments", content=json.dumps(forged)), 400, "enrolment.bad_request")


def test_without_the_scope_nobody_is_enrolled(world: TillWorld, pos: TestClient, newcomer: Wallet) -> None:
    text = newcomer.answer_invitation(scanned(pos)).to_json()
    world.grant(scopes=SCOPE_TILL)
    world.visit()
    refused(pos.post("/enrolments", content=text), 403, "till.not_granted")
    world.grant(scopes=SCOPE_TILL | SCOPE_ENROL)
    world.visit()
    world.knowledge.contact, known = None, world.knowledge.contact
    refused(pos.post("/enrolments", content=text), 503, "till.no_terms")
    world.knowledge.contact = known
    assert pos.post("/enrolments", content=text).status_code == 201


def test_a_node_that_is_away_takes_it_later(world: TillWorld, newcomer: Wallet) -> None:
    answers: list[int] = [0, 503, 429]

    def answer(request: httpx2.Request) -> httpx2.Response:
        if not answers:
            return world.client._http.send(request)
        status = answers.pop(0)
        if not status:
            raise httpx2.ConnectError("nobody there")
        return httpx2.Response(status, json={"code": "http.busy", "detail": "busy"})

    till = world.till()
    http = httpx2.Client(transport=httpx2.MockTransport(answer), base_url="http://node")
    till.counter._client = Client("http://node", http=http, attempts_max=1)
    with TestClient(create_app(till), headers={"authorization": f"Bearer {TOKEN}"}) as pos:
        invitation = scanned(pos)
        text = newcomer.answer_invitation(invitation).to_json()
        for _ in range(3):
            found = pos.post("/enrolments", content=text)
            refused(found, 503, "till.not_sent")
            assert str(invitation.valid_until) in found.json()["detail"]
        assert pos.post("/enrolments", content=text).status_code == 201
