"""The POS's side: what is answered to whom, and that nothing is answered without the token."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from api.till.app import create_app
from api.till.symbol import read_receipt_text
from api.till.tables import SET_ASIDE
from api.wallet.enrolment import Invitation
from ledger.domains.loyalty.receipts import decode_receipt
from ledger.domains.loyalty.state import SCOPE_TILL
from tests.support.till_world import TOKEN, TillWorld


@pytest.fixture
def pos(world: TillWorld) -> Iterator[TestClient]:
    with TestClient(create_app(world.till()), headers={"authorization": f"Bearer {TOKEN}"}) as found:
        yield found


def body(world: TillWorld, **changes: Any) -> dict[str, Any]:
    return {"id": "17", "member": world.member(), "net_cents": 1_147, **changes}


def refused(response: httpx2.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json" and response.json()["advice"]


def test_a_sale_and_its_receipt(world: TillWorld, pos: TestClient) -> None:
    sent = body(world, codes={"bakery": 498}, lines=[["Bread", 2, 498]])
    first = pos.post("/sales", json=sent)
    assert first.status_code == 201
    found = first.json()
    signed = b64decode(found["receipt"])
    assert read_receipt_text(found["qr"]["text"]) == signed and found["qr"]["svg"].startswith("<svg")
    assert (found["qr"]["holds"], found["number"], found["is_new"]) == ("receipt", 1, True)
    view = found["view"]
    assert (view["points"], view["member"], view["sequence"]) == (114, world.member(), 1)
    assert view["codes"] == {"bakery": 498} and found["warnings"] == []
    again = pos.post("/sales?qr=png", json=sent)
    assert (again.status_code, again.json()["receipt"]) == (200, found["receipt"])
    assert again.json()["qr"]["png"] and "svg" not in again.json()["qr"]
    world.outbox.work()
    read = pos.get("/sales/17", params={"qr": "none"}).json()
    assert (read["receipt"], read["hand_over"], read["is_settled"]) == (found["receipt"], "handed_over", False)
    refused(pos.post("/sales", json=sent | {"net_cents": 1}), 409, "till.sale_conflict")
    refused(pos.get("/sales/18"), 404, "till.sale_unknown")


def test_a_receipt_that_no_code_holds_is_named_instead(world: TillWorld, pos: TestClient) -> None:
    codes = {f"a-category-of-its-own-number-{index:03d}": index for index in range(64)}
    found = pos.post("/sales", json=body(world, codes=codes)).json()
    assert found["qr"]["holds"] == "link" and "too many for a QR code" in found["qr"]["note"]
    assert found["receipt_id"] in found["qr"]["text"] and found["qr"]["svg"]
    assert len(decode_receipt(b64decode(found["receipt"])).receipt.codes) == 64


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "till.bad_sale"),
        (b"[]", "till.bad_sale"),
        (b"null", "till.bad_sale"),
        (b'{"id": "1"}', "till.bad_sale"),
        (b'{"id": "1", "member": "x", "net_cents": 1.5}', "till.bad_sale"),
        (b'{"id": "1", "member": "x", "net_cents": 1}', "till.bad_sale"),
        (b'{"id": "1", "member": "x", "net_cents": 1, "codes": {"": 1}}', "till.bad_sale"),
        (b"[" * 100_000, "till.bad_sale"),
        (b"\xff", "till.bad_sale"),
        (b"", "till.bad_sale"),
    ],
)
def test_what_is_no_sale(pos: TestClient, content: bytes, code: str) -> None:
    refused(pos.post("/sales", content=content, headers={"content-type": "application/json"}), 400, code)


def test_bodies_and_paths_have_their_limits(world: TillWorld, pos: TestClient) -> None:
    refused(pos.post("/sales", content=b"x" * 10**6), 413, "http.body_too_large")
    refused(pos.post("/sales?qr=gif", json=body(world)), 400, "till.bad_sale")
    refused(pos.get("/nothing"), 404, "http.not_found")
    refused(pos.delete("/sales/17"), 405, "http.refused")
    refused(pos.get("/sales/a%20b"), 400, "till.bad_sale")


@pytest.mark.parametrize("header", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_nothing_is_said(world: TillWorld, pos: TestClient, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    bare = TestClient(pos.app, headers=headers)
    for method, path in (("POST", "/sales"), ("GET", "/sales/17"), ("GET", "/status"), ("GET", "/openapi.json")):
        refused(bare.request(method, path), 401, "till.no_token")
    refused(bare.get("/invitation"), 401, "till.no_token")
    assert bare.get("/healthz").json() == {"status": "ok"}
    assert bare.get("/readyz").status_code == 200


def test_the_status_says_what_is_known_used_and_waiting(world: TillWorld, pos: TestClient) -> None:
    world.grant(cap=1_000)
    world.visit()
    pos.post("/sales", json=body(world))
    found = pos.get("/status").json()
    assert found["signing"] == {"signs": True, "code": None, "reason": None, "advice": None}
    assert found["cap"] | {"day": 0} == {"day": 0, "used": 114, "daily_cap": 1_000, "left": 886}
    assert found["next_number"] == 2 and found["hand_over"]["waiting"] == 1
    assert found["terms"]["version"] == 1 and found["terms"]["age_seconds"] < 600
    assert found["node"]["problem"] is None and found["settlement"]["unsettled"] == 1
    world.store.set_aside(1, code="receipt.conflict", detail="another")
    found = pos.get("/status").json()["hand_over"]
    assert found["set_aside"] == 1 and found["set_aside_receipts"][0]["code"] == "receipt.conflict"
    assert pos.post("/sales/17/retry").json()["hand_over"] == "waiting"
    refused(pos.post("/sales/17/retry"), 409, "till.not_set_aside")
    refused(pos.post("/sales/18/retry"), 404, "till.sale_unknown")
    kept = world.store.find("17")
    assert kept is not None and kept.hand_over != SET_ASIDE


def test_refusals_say_what_to_do_and_when_to_come_again(world: TillWorld, pos: TestClient) -> None:
    world.clock.pass_seconds(30 * 3_600)
    found = pos.post("/sales", json=body(world)).json()
    assert [warning["code"] for warning in found["warnings"]] == ["till.terms_age"]
    world.clock.pass_seconds(43 * 3_600)
    response = pos.post("/sales", json=body(world, id="18"))
    refused(response, 503, "till.terms_too_old")
    assert response.headers["retry-after"]
    refused_now = pos.get("/readyz")
    assert (refused_now.status_code, refused_now.json()["code"]) == (503, "till.terms_too_old")
    world.catch_up()
    world.visit()
    world.clock.set_by(90)
    found = pos.get("/status").json()
    assert [warning["code"] for warning in found["warnings"]] == ["till.clock_drifts"]
    world.clock.set_by(1_000)
    refused(pos.post("/sales", json=body(world, id="18")), 503, "till.clock_off")
    world.clock.set_by(-1_090)
    world.revoke()
    world.visit()
    refused(pos.post("/sales", json=body(world, id="18")), 403, "till.revoked")
    assert pos.get("/readyz").json()["code"] == "till.revoked"
    assert pos.post("/sales", json=body(world)).status_code == 200, "what was signed before is found"


def test_an_invitation_that_a_fan_can_answer(world: TillWorld, pos: TestClient) -> None:
    found = pos.get("/invitation", params={"qr": "text"}).json()
    invitation = Invitation.from_json(found["qr"]["text"])
    assert invitation.program == world.market.program and found["qr"]["blocks"]
    assert found["good_until_about"] > world.clock.now()
    world.market.fan.check_invitation(invitation)
    world.market.fan.answer_invitation(invitation)
    world.grant(scopes=SCOPE_TILL)
    world.visit()
    refused(pos.get("/invitation"), 403, "till.not_granted")


def test_a_till_without_a_word_from_its_node(world: TillWorld, pos: TestClient) -> None:
    world.knowledge.contact = None
    refused(pos.post("/sales", json=body(world)), 503, "till.no_terms")
    refused(pos.get("/invitation"), 503, "till.no_terms")
    found = pos.get("/status").json()
    assert (found["terms"], found["cap"], found["signing"]["code"]) == (None, None, "till.no_terms")
