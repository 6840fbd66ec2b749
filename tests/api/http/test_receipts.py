"""Receipts over HTTP: what a till may hand over, what a fan sees of its own, and that nobody sees another's."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.http.schemas.receipts import ErasedAnswer, ReceiptAnswer, ReceiptKept, ReceiptsAnswer
from api.receipts import store as store_module
from api.wallet.errors import ClientProblem
from ledger.codec import pack
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.receipts import encode_receipt, receipt_hash
from ledger.domains.loyalty.state import SCOPE_ENROL
from ledger.types import Address, Hash, ProgramId, Timestamp
from tests.support.live_shop import LiveShop
from tests.support.receipt_shop import LINES, ReceiptShop, json_body
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, TILL

MSGPACK = {"content-type": "application/msgpack"}
DAY = 86_400


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReceiptShop]:
    """A shop that FAN and FRIEND joined, behind the API."""
    shop = LiveShop(tmp_path / "data")
    shop.join(FAN, FRIEND)
    found = ReceiptShop(shop)
    yield found
    found.close()
    shop.close()


def refused(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The fields of a problem that must have this status and code."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()["fields"]


def post(desk: ReceiptShop, *parts: Any, **options: Any) -> httpx2.Response:
    signed, lines = parts
    return desk.http.post("/v1/receipts", json=json_body(signed, lines), **options)


def test_a_receipt_is_handed_over_read_and_erased(desk: ReceiptShop) -> None:
    signed = desk.sign()
    response = desk.http.post("/v1/receipts", content=pack((encode_receipt(signed), LINES)), headers=MSGPACK)
    assert response.status_code == 201
    kept = ReceiptKept.model_validate(response.json(), strict=True)
    assert kept.is_new and kept.id == receipt_hash(signed.receipt, signed.salt).hex()
    page = desk.send(desk.request())
    ReceiptsAnswer.model_validate(page.json(), strict=True)
    (item,) = page.json()["items"]
    assert (item["id"], item["net_cents"], item["points"], item["line_count"]) == (kept.id, 1_147, 114, 2)
    assert item["period"] == desk.shop.today and page.json()["next_cursor"] is None
    one = desk.send(desk.request(path=f"/v1/receipts/{kept.id}"))
    ReceiptAnswer.model_validate(one.json(), strict=True)
    assert one.json()["lines"] == [["Rye bread of Elmhurst", 2, 498], ["Kopi Luwak", 1, 649]]
    assert b64decode(one.json()["signed"]) == encode_receipt(signed)
    gone = desk.send(desk.request("DELETE", f"/v1/receipts/{kept.id}"))
    assert ErasedAnswer.model_validate(gone.json(), strict=True).erased == 1
    again = desk.send(desk.request("DELETE", f"/v1/receipts/{kept.id}"))
    assert (again.status_code, again.json()) == (200, {"erased": 0})
    refused(desk.send(desk.request(path=f"/v1/receipts/{kept.id}")), 404, "receipt.unknown")
    assert desk.send(desk.request()).json()["items"] == []
    assert refused(post(desk, signed, LINES), 410, "receipt.erased") == {"receipt": kept.id}


def test_the_same_twice_is_harmless_and_another_with_its_number_is_not(desk: ReceiptShop) -> None:
    signed = desk.sign()
    assert [post(desk, signed, LINES).json()["is_new"] for _ in range(2)] == [True, False]
    other = desk.sign(sequence=signed.receipt.sequence, net_cents=1)
    assert refused(post(desk, other, LINES), 409, "receipt.conflict") == {"sequence": signed.receipt.sequence}
    assert len(desk.client.receipts(desk.owner())["items"]) == 1


def test_points_come_from_settling_alone(desk: ReceiptShop) -> None:
    before = desk.shop.node.chain.state_root
    desk.hand_over(desk.sign())
    assert desk.shop.node.chain.state_root == before
    assert desk.shop.points_of(FAN) == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"member": Address(STRANGER.address)}, "member.unknown"),
        ({"program": ProgramId(NOWHERE)}, "program.unknown"),
        ({"terms_version": 2}, "receipt.wrong_version"),
        ({"till": STRANGER}, "receipt.till_not_granted"),
        ({"lines_root": Hash(NOWHERE)}, "receipt.wrong_lines"),
    ],
)
def test_what_is_not_taken(desk: ReceiptShop, changes: dict[str, Any], code: str) -> None:
    refused(post(desk, desk.sign(**changes), LINES), 422, code)
    assert desk.client.receipts(desk.owner())["items"] == []


def test_the_tills_signature_counts(desk: ReceiptShop) -> None:
    signed = desk.sign()
    forged = desk.sign(till=STRANGER)
    from dataclasses import replace

    refused(post(desk, replace(signed, signature=forged.signature), LINES), 422, "receipt.not_signed")
    richer = replace(signed, receipt=replace(signed.receipt, points=10**6))
    refused(post(desk, richer, LINES), 422, "receipt.not_signed")


@pytest.mark.parametrize("lines", [(), LINES[:1], (*LINES, ("Gin", 1, 1)), (LINES[1], LINES[0])])
def test_lines_are_those_that_were_signed(desk: ReceiptShop, lines: Any) -> None:
    refused(post(desk, desk.sign(), lines), 422, "receipt.wrong_lines")


def test_a_receipt_without_lines(desk: ReceiptShop) -> None:
    wanted = desk.hand_over(desk.sign(()), ())
    assert desk.client.receipt(desk.owner(), wanted)["lines"] == []


def test_time_off_is_refused_at_its_boundaries(desk: ReceiptShop) -> None:
    now = desk.shop.chain.clock.now()
    assert post(desk, desk.sign(time=Timestamp(now + 600)), LINES).status_code == 201
    late = post(desk, desk.sign(time=Timestamp(now + 601)), LINES)
    assert refused(late, 422, "receipt.wrong_time") == {"seconds": 601}
    at = desk.shop.chain.clock.now()
    signed, same = desk.sign(time=Timestamp(at)), desk.sign(time=Timestamp(at))
    desk.shop.chain.clock.set(at + 31 * DAY)
    assert post(desk, signed, LINES).status_code == 201
    desk.shop.chain.clock.set(at + 31 * DAY + 1)
    assert refused(post(desk, same, LINES), 422, "receipt.too_old") == {"days": 31}


def test_a_grant_counts_when_the_till_signed(desk: ReceiptShop) -> None:
    granted = desk.shop.chain.time
    desk.shop.chain.mine(3)
    early = desk.sign(time=Timestamp(granted - 10_000))
    refused(post(desk, early, LINES), 422, "receipt.till_not_granted")
    in_time = desk.sign()
    desk.shop.chain.send("issuer.revoke", IssuerRevoke(desk.shop.program, TILL.address), author=OWNER)
    desk.shop.chain.mine()
    refused(post(desk, desk.sign(), LINES), 422, "receipt.till_not_granted")
    assert post(desk, in_time, LINES).status_code == 201
    desk.shop.grant(STRANGER, scopes=SCOPE_ENROL)
    refused(post(desk, desk.sign(till=STRANGER), LINES), 422, "receipt.till_not_granted")


def test_who_left_is_no_member(desk: ReceiptShop) -> None:
    before = desk.sign()
    desk.shop.chain.send("member.leave", MemberLeave(desk.shop.program), author=FAN)
    desk.shop.chain.mine()
    refused(post(desk, desk.sign(), LINES), 422, "receipt.member_left")
    assert post(desk, before, LINES).status_code == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "http.body"),
        (b"[]", "http.body"),
        (b"{}", "http.body"),
        (b"[" * 100_000, "http.body"),
        (b'{"receipt": 1}', "http.body"),
        (b'{"receipt": "!"}', "http.body"),
        (b'{"receipt": "", "more": 1}', "http.body"),
        (b'{"receipt": ""}', "codec.truncated"),
    ],
)
def test_bad_bodies_in_json(desk: ReceiptShop, body: bytes, code: str) -> None:
    headers = {"content-type": "application/json"}
    refused(desk.http.post("/v1/receipts", content=body, headers=headers), 400, code)


@pytest.mark.parametrize("line", [1.5, None, {"a": 1}, 2**64, -(2**63) - 1, "\ud800", [[[[[[[[[1]]]]]]]]]])
def test_lines_that_no_receipt_can_hold(desk: ReceiptShop, line: Any) -> None:
    import json

    body = json.dumps(json_body(desk.sign(()), [1, line])).encode()
    response = desk.http.post("/v1/receipts", content=body, headers={"content-type": "application/json"})
    assert refused(response, 400, "receipt.line")["number"] == 2


def test_bad_bodies_in_messagepack(desk: ReceiptShop) -> None:
    signed = encode_receipt(desk.sign(()))
    for body, code in (
        (pack((signed,)), "http.body"),
        (pack((b"", ())), "codec.truncated"),
        (pack(("text", ())), "http.body"),
        (pack((signed, 7)), "receipt.line"),
        (pack((signed, (b"bytes",))), "receipt.line"),
        (signed + b"\x00", "codec.trailing"),
    ):
        refused(desk.http.post("/v1/receipts", content=body, headers=MSGPACK), 400, code)
    refused(
        desk.http.post("/v1/receipts", content=signed, headers={"content-type": "text/plain"}), 415, "http.media_type"
    )
    huge = desk.http.post("/v1/receipts", content=bytes(200_000), headers=MSGPACK)
    refused(huge, 413, "http.body_too_large")


def test_too_many_lines(desk: ReceiptShop) -> None:
    many = tuple((index,) for index in range(1_001))
    refused(post(desk, desk.sign(many), many), 422, "receipt.too_many_lines")
    wide = ("x" * 40_000, "y" * 40_000)
    refused(post(desk, desk.sign(wide), wide), 422, "receipt.too_many_lines")


def test_an_account_keeps_a_bounded_number(desk: ReceiptShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "ACCOUNT_RECEIPTS_MAX", 2)
    desk.hand_over(desk.sign())
    desk.hand_over(desk.sign())
    assert refused(post(desk, desk.sign(), LINES), 422, "receipt.full") == {"maximum": 2}
    assert post(desk, desk.sign(member=Address(FRIEND.address)), LINES).status_code == 201


def test_nobody_sees_anothers(desk: ReceiptShop) -> None:
    mine, theirs = desk.hand_over(desk.sign()), desk.hand_over(desk.sign(member=Address(FRIEND.address)))
    friend = desk.owner(FRIEND)
    assert [item["id"] for item in desk.client.receipts(desk.owner())["items"]] == [mine.hex()]
    assert [item["id"] for item in desk.client.receipts(friend)["items"]] == [theirs.hex()]
    assert desk.client.receipts(desk.owner(TILL))["items"] == []
    for method in ("GET", "DELETE"):
        answers = [
            desk.send(desk.request(method, f"/v1/receipts/{wanted}")) for wanted in (theirs.hex(), NOWHERE.hex())
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        shown = [answer.text.replace(theirs.hex(), NOWHERE.hex()) for answer in answers]
        assert shown[0] == shown[1]
    assert desk.client.erase_receipts(desk.owner())["erased"] == 1
    assert desk.client.receipt(friend, theirs)["id"] == theirs.hex()


def test_pages_and_filters(desk: ReceiptShop) -> None:
    found = [desk.hand_over(desk.sign()).hex() for _ in range(5)]
    desk.shop.chain.advance(days=2)
    later = [desk.hand_over(desk.sign()).hex() for _ in range(2)]
    client, owner, program = desk.client, desk.owner(), desk.shop.program
    page = client.receipts(owner, limit=3)
    assert [item["id"] for item in page["items"]] == [*reversed(later), found[-1]]
    rest = client.receipts(owner, cursor=page["next_cursor"], limit=100)
    assert [item["id"] for item in rest["items"]] == found[-2::-1] and rest["next_cursor"] is None
    period = page["items"][0]["period"]
    assert [item["id"] for item in client.receipts(owner, program, period)["items"]] == later[::-1]
    assert client.receipts(owner, program, period - 1)["items"] == []
    assert client.receipts(owner, NOWHERE)["items"] == []
    first = client.receipts(owner, program, period, limit=1)
    assert [item["id"] for item in client.receipts(owner, cursor=first["next_cursor"])["items"]] == later[:1]
    for sign, code in ((desk.owner(FRIEND), "page.cursor"), (owner, "page.cursor")):
        with pytest.raises(ClientProblem) as fault:
            client.receipts(sign, NOWHERE, cursor=page["next_cursor"])
        assert fault.value.code == code
    refused(desk.send(desk.request(params={"period": 3})), 400, "receipt.period_alone")
    refused(desk.send(desk.request(params={"program": "5f"})), 400, "id.format")


def test_all_of_a_program_are_erased(desk: ReceiptShop) -> None:
    for _ in range(3):
        desk.hand_over(desk.sign())
    assert desk.client.erase_receipts(desk.owner(), NOWHERE)["erased"] == 0
    assert desk.client.erase_receipts(desk.owner(), desk.shop.program)["erased"] == 3
    assert desk.client.erase_receipts(desk.owner(), desk.shop.program)["erased"] == 0
