"""Partners over HTTP: they read what a fan granted and nothing else, and the fan sees each read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.http.routers import partner as partner_module
from api.http.schemas.own_data import ReadsAnswer
from api.http.schemas.partner import PartnerCampaigns, PartnerHistory, PartnerReceipts, PartnerStanding
from api.receipts import access_log
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.consent.state import CONTACT, PERSONALISE, PUBLISH
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.errors import Code
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer
from tests.support.partner_shop import PARTNER, PartnerShop
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, TILL

DAY = 86_400
SCOPES = ("standing", "history", "receipts", "campaigns")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PartnerShop]:
    """A shop that FAN and FRIEND joined; FAN has points, a pledge and two receipts. PARTNER has nothing to do with it."""
    shop = LiveShop(tmp_path / "data")
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 500)
    found = PartnerShop(shop)
    yield found
    found.close()
    shop.close()


def code_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


REFUSED = (403, "partner.not_granted")


def test_a_fan_who_never_granted_anything_is_not_there(desk: PartnerShop) -> None:
    answers = [
        desk.read(scope, fan=fan, program=program)
        for scope in SCOPES
        for fan in (FAN, POOR)
        for program in (desk.shop.program, NOWHERE)
    ]
    assert {code_of(answer) for answer in answers} == {REFUSED}
    bodies = {answer.text.replace(answer.json()["instance"], "") for answer in answers}
    assert len(bodies) == 1, "member or not, program or not: the answer is the same, byte by byte"


def test_each_scope_opens_its_own_door_and_no_other(desk: PartnerShop) -> None:
    for granted in SCOPES:
        desk.grant(granted)
        assert [scope for scope in SCOPES if desk.is_let_in(scope)] == [granted]
        desk.revoke(granted)
        desk.shop.chain.mine()


def test_the_empty_scope_is_all_of_it_but_gifts(desk: PartnerShop) -> None:
    receipt = desk.hand_over(desk.sign())
    desk.grant("")
    assert all(desk.is_let_in(scope) for scope in SCOPES)
    assert len(desk.read("receipts").json()["items"]) == 1
    desk.ask(f"/v1/receipts/{receipt.hex()}/gift", method="PUT")
    assert desk.read("receipts").json()["items"] == []
    desk.grant("gifts")
    (item,) = desk.read("receipts").json()["items"]
    assert item["gift"] is True


def test_gifts_alone_open_nothing(desk: PartnerShop) -> None:
    desk.grant("gifts")
    assert not any(desk.is_let_in(scope) for scope in SCOPES)


@pytest.mark.parametrize("purpose", [PERSONALISE, PUBLISH, CONTACT])
def test_another_purpose_shares_nothing(desk: PartnerShop, purpose: int) -> None:
    desk.grant("", *SCOPES, purpose=purpose)
    assert not any(desk.is_let_in(scope) for scope in SCOPES)


def test_who_is_let_in_is_the_grantee_alone(desk: PartnerShop) -> None:
    """A consent to the program lets in neither the program's owner nor its till, and one to a partner nobody else."""
    desk.grant("", to=desk.shop.program)
    assert not any(desk.is_let_in("standing", by=who) for who in (OWNER, TILL, PARTNER, FAN))
    desk.grant("standing")
    assert [who for who in (OWNER, TILL, PARTNER, FAN) if desk.is_let_in("standing", by=who)] == [PARTNER]
    assert not desk.is_let_in("standing", fan=FRIEND)
    assert not desk.is_let_in("standing", program=NOWHERE)


def test_a_consent_that_ends(desk: PartnerShop) -> None:
    ends = desk.shop.chain.time + 3_600
    desk.grant("standing", expires_at=ends)
    desk.shop.chain.clock.set(ends - 1)
    shown = desk.read("standing")
    assert shown.json()["consent"]["expires_at"] == ends
    desk.shop.chain.clock.set(ends)  # by the node's clock, though no block says so yet
    assert not desk.is_let_in("standing")
    desk.shop.chain.mine_block(ends + 60)
    assert not desk.is_let_in("standing")
    desk.grant("standing", expires_at=ends + DAY)
    assert desk.is_let_in("standing")


def test_a_grant_counts_from_its_block_on(desk: PartnerShop) -> None:
    assert desk.post(desk.sign_grant("standing")).status_code == 202
    assert not desk.is_let_in("standing")
    desk.shop.chain.mine()
    assert desk.is_let_in("standing")


def test_a_request_that_is_sent_again_is_refused(desk: PartnerShop) -> None:
    desk.grant("standing", "receipts")
    request = desk.partner_request("standing")
    assert desk.send(request).status_code == 200
    assert code_of(desk.send(request)) == (401, "signature.replayed")
    other = desk.partner_request("standing")
    moved = desk.http.build_request("GET", str(other.url).replace("standing", "receipts"), headers=other.headers)
    assert code_of(desk.send(moved)) == (401, "signature.wrong")
    assert len(desk.ask("/v1/me/reads")["items"]) == 1, "what nobody signed is in no log"


def test_a_partner_whose_keys_were_changed_signs_with_the_new_ones(desk: PartnerShop) -> None:
    desk.grant("standing")
    successor = Signer.named("successor")
    desk.shop.chain.send("account.set_policy", SetPolicy(successor.policy), author=PARTNER, cosigners=())
    assert code_of(desk.read("standing")) == (401, "signature.foreign_key")
    assert desk.is_let_in("standing", by=PARTNER.governed_by(successor))
    assert not desk.is_let_in("standing", by=successor)


def test_standing(desk: PartnerShop) -> None:
    desk.grant("standing")
    answer = desk.read("standing").json()
    PartnerStanding.model_validate(answer, strict=True)
    own = desk.ask(f"/v1/accounts/{desk.text(FAN)}")["programs"][0]
    for name in ("joined_at", "left_at", "tier", "pending", "available", "held"):
        assert answer[name] == own[name], name
    assert answer["available"] == 500
    assert answer["consent"]["scope"] == "standing"
    assert set(answer) == {
        "program",
        "member",
        "consent",
        "joined_at",
        "left_at",
        "tier",
        "pending",
        "available",
        "held",
    }
    desk.shop.chain.send("member.leave", MemberLeave(desk.shop.program), author=FAN)
    assert desk.read("standing").json()["left_at"] == desk.shop.chain.time - 60


def test_history_is_of_the_program_and_of_points_alone(desk: PartnerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = desk.shop
    reward = shop.list_reward(price=100)
    shop.redeem(FAN, reward)
    campaign = shop.create_campaign(in_points=True)
    shop.pledge(FAN, campaign, 50)
    other = shop.create_program(FRIEND)
    desk.grant("standing", to=FRIEND.address)
    desk.grant("history")
    answer = desk.read("history").json()
    PartnerHistory.model_validate(answer, strict=True)
    assert [item["name"] for item in answer["items"]] == ["redeem.opened", "points.earned", "member.joined"]
    assert "txid" not in answer["items"][0]
    assert not desk.is_let_in("history", program=other)
    first = desk.read("history", params={"limit": 1}).json()
    rest = desk.read("history", params={"limit": 5, "cursor": first["next_cursor"]}).json()
    assert [item["name"] for item in (*first["items"], *rest["items"])] == [item["name"] for item in answer["items"]]
    assert rest["next_cursor"] is None
    monkeypatch.setattr(partner_module, "SCANNED_MAX", 2)
    monkeypatch.setattr(partner_module, "ROWS_READ", 1)
    cursor, names = None, []
    for _ in range(20):
        page = desk.read("history", params={} if cursor is None else {"cursor": cursor}).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [item["name"] for item in answer["items"]], "pages that hold nothing lead on"
    assert code_of(desk.read("receipts", params={"cursor": first["next_cursor"]})) == REFUSED
    desk.grant("receipts")
    assert code_of(desk.read("receipts", params={"cursor": first["next_cursor"]})) == (400, "page.cursor")


def test_receipts_with_lines_and_without_what_proves_them(desk: PartnerShop) -> None:
    wanted = [desk.hand_over(desk.sign()).hex() for _ in range(3)]
    desk.hand_over(desk.sign(member=FRIEND.address))
    desk.grant("receipts")
    answer = desk.read("receipts", params={"limit": 2}).json()
    PartnerReceipts.model_validate(answer, strict=True)
    assert [item["id"] for item in answer["items"]] == wanted[:0:-1]
    (last,) = desk.read("receipts", params={"cursor": answer["next_cursor"]}).json()["items"]
    assert last["lines"] == [["Rye bread of Elmhurst", 2, 498], ["Kopi Luwak", 1, 649]]
    assert last["codes"] == [["bakery", 498], ["drinks", 649]]
    assert not {"signed", "salt", "till", "sequence"} & set(last)
    desk.ask(f"/v1/receipts/{wanted[1]}/gift", method="PUT")
    assert [item["id"] for item in desk.read("receipts").json()["items"]] == [wanted[2], wanted[0]]
    desk.ask(f"/v1/receipts/{wanted[2]}", method="DELETE")
    assert [item["id"] for item in desk.read("receipts").json()["items"]] == [wanted[0]]


def test_campaigns_are_those_of_the_programs_points(desk: PartnerShop) -> None:
    shop = desk.shop
    in_points, in_coin = shop.create_campaign(in_points=True), shop.create_campaign()
    shop.pledge(FAN, in_points, 50)
    shop.pledge(FAN, in_coin, 5_000)
    shop.pledge(FAN, in_points, 60)
    desk.grant("campaigns")
    answer = desk.read("campaigns").json()
    PartnerCampaigns.model_validate(answer, strict=True)
    assert [(item["campaign"], item["quantity"]) for item in answer["items"]] == [
        (in_points.hex(), 50),
        (in_points.hex(), 60),
    ]
    first = desk.read("campaigns", params={"limit": 1}).json()
    (second,) = desk.read("campaigns", params={"cursor": first["next_cursor"]}).json()["items"]
    assert second["quantity"] == 60


def test_every_read_is_on_the_fans_log(desk: PartnerShop) -> None:
    for _ in range(3):
        desk.hand_over(desk.sign())
    for _ in range(4):
        assert not desk.is_let_in("receipts")
    desk.grant("receipts")
    desk.read("receipts")
    desk.read("receipts", params={"limit": 2})
    desk.read("standing")
    page = desk.ask("/v1/me/reads")
    ReadsAnswer.model_validate(page, strict=True)
    assert [(item["scope"], item["given"], item["times"], item["code"]) for item in page["items"]] == [
        ("standing", 0, 1, "partner.not_granted"),
        ("receipts", 2, 1, None),
        ("receipts", 3, 1, None),
        ("receipts", 0, 4, "partner.not_granted"),
    ]
    assert {(item["reader"], item["purpose"], item["program"]) for item in page["items"]} == {
        (desk.text(PARTNER), "share", desk.shop.program.hex())
    }
    first = desk.ask("/v1/me/reads", params={"limit": 3})
    rest = desk.ask("/v1/me/reads", params={"cursor": first["next_cursor"]})
    assert first["items"] + rest["items"] == page["items"]
    assert desk.ask("/v1/me/reads", FRIEND)["items"] == []
    assert desk.ask("/v1/me/reads", PARTNER)["items"] == [], "a reader's own log says who read of the reader"


def test_reads_are_bounded_by_day_and_age(desk: PartnerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "GIVEN_PER_DAY_MAX", 2)
    desk.grant("standing")
    assert [desk.read("standing").status_code for _ in range(2)] == [200, 200]
    response = desk.read("standing")
    assert code_of(response) == (429, "partner.too_many_reads") and response.headers["retry-after"]
    shown = [(item["code"], item["given"]) for item in desk.ask("/v1/me/reads")["items"]]
    assert shown == [("partner.too_many_reads", 0), (None, 1), (None, 1)]
    desk.shop.chain.advance(days=1)
    assert desk.read("standing").status_code == 200
    desk.shop.chain.advance(days=366)
    assert [item["code"] for item in desk.ask("/v1/me/reads")["items"]] == [None]
    desk.shop.chain.advance(days=1)
    assert desk.ask("/v1/me/reads")["items"] == []
    assert desk.read("standing").status_code == 200
    assert len(desk.ask("/v1/me/reads")["items"]) == 1


def test_strangers_who_are_refused_push_nothing_out_that_was_given(
    desk: PartnerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "REFUSED_ROWS_MAX", 10)
    desk.grant("standing")
    desk.read("standing")
    for number in range(25):
        assert not desk.is_let_in("standing", by=Signer.named(f"stranger {number}"))
    items = desk.ask("/v1/me/reads", params={"limit": 200})["items"]
    assert [item["code"] for item in items].count(None) == 1
    assert len(items) <= 11


def test_a_consent_that_is_taken_back_while_the_answer_is_made(
    desk: PartnerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hand_over(desk.sign())
    desk.grant("receipts")
    store = desk.app.state.services.receipts._store
    original = store.page

    def read_slowly(*arguments: Any, **options: Any) -> Any:
        found = original(*arguments, **options)
        desk.shop.chain.submit(desk.sign_revocation("receipts"))
        return found

    monkeypatch.setattr(store, "page", read_slowly)
    assert not desk.is_let_in("receipts")
    assert [item["given"] for item in desk.ask("/v1/me/reads")["items"]] == [0]


def test_nothing_is_given_that_could_not_be_written_down(desk: PartnerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.grant("standing")
    store = desk.app.state.services.receipts._store

    def fail(read: access_log.Read) -> None:
        raise access_log.ReadRefused(Code("test.log_failed", "the log is full", "Make room."))

    monkeypatch.setattr(store.log, "add", fail)
    assert desk.read("standing").json()["code"] == "test.log_failed"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/partner/programs/5f/members/{fan}/standing", (400, "id.format")),
        ("/v1/partner/programs/{program}/members/nobody/standing", (400, "address.format")),
        ("/v1/partner/programs/{program}/members/{fan}/everything", (404, "http.not_found")),
        ("/v1/partner/programs/{program}/members/{fan}", (404, "http.not_found")),
    ],
)
def test_what_can_not_be_asked(desk: PartnerShop, path: str, code: tuple[int, str]) -> None:
    shown = path.format(program=desk.shop.program.hex(), fan=desk.text(FAN))
    response = desk.send(desk.request(path=shown, sign=desk.owner(PARTNER)))
    assert response.status_code == code[0]
    assert response.json()["code"].split(".")[0] == code[1].split(".")[0]


def test_an_unsigned_request_is_told_how_to_sign(desk: PartnerShop) -> None:
    response = desk.http.get(f"/v1/partner/programs/{desk.shop.program.hex()}/members/{desk.text(FAN)}/standing")
    assert code_of(response) == (401, "signature.missing") and "accept-signature" in response.headers
