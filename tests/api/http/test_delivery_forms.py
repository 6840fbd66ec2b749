"""Delivery forms at the node: who may send, read and delete one, and what becomes of it when its pledge ends."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.http.schemas.delivery_forms import DeliveryFormDropped, DeliveryFormKept, DeliveryFormsAnswer
from api.wallet.delivery_forms import seal_form
from ledger.domains.crowdfunding.pledge_cancel import PledgeCancel
from ledger.types import CampaignId, Timestamp
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.partner_shop import PartnerShop
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER

KEY = bytes(range(32))
MSGPACK = {"content-type": "application/msgpack"}


class Desk(PartnerShop):
    """A campaign that takes forms, with two pledges of FAN's and one of FRIEND's."""

    def __init__(self, shop: LiveShop) -> None:
        super().__init__(shop)
        due = Timestamp(shop.now + 40 * DAY_SECONDS)
        self.campaign: CampaignId = shop.create_campaign(days=30, delivery_due=due, delivery_key=KEY)
        self.without: CampaignId = shop.create_campaign(days=30)
        for fan, campaign in ((FAN, self.campaign), (FAN, self.campaign), (FRIEND, self.campaign), (FAN, self.without)):
            shop.pledge(fan, campaign, 5)

    def call(self, method: str, path: str, by: Signer, **options: Any) -> httpx2.Response:
        return self.send(self.request(method, f"/v1/campaigns/{path}", sign=self.owner(by), **options))

    def put(self, number: int, by: Signer, campaign: CampaignId | None = None, **options: Any) -> httpx2.Response:
        wanted = campaign or self.campaign
        form = seal_form(KEY, wanted, number, "1 Street")
        sent = {"content": form, "headers": MSGPACK, **options}
        return self.call("PUT", f"{wanted.hex()}/pledges/{number}/delivery-form", by, **sent)

    def forms(self, by: Signer = OWNER) -> httpx2.Response:
        return self.call("GET", f"{self.campaign.hex()}/delivery-forms", by)

    def drop(self, number: int, by: Signer) -> httpx2.Response:
        return self.call("DELETE", f"{self.campaign.hex()}/pledges/{number}/delivery-form", by)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    shop = LiveShop(tmp_path / "data")
    found = Desk(shop)
    yield found
    found.close()
    shop.close()


def code(response: httpx2.Response, status: int) -> str:
    assert response.status_code == status, response.text
    return response.json()["code"]


def test_a_form_is_kept_read_and_deleted_by_the_two(desk: Desk) -> None:
    for number, fan in ((0, FAN), (1, FAN), (2, FRIEND), (0, FAN)):
        kept = desk.put(number, fan)
        assert kept.status_code == 200, kept.text
        DeliveryFormKept.model_validate(kept.json(), strict=True)
    found = desk.forms().json()
    DeliveryFormsAnswer.model_validate(found, strict=True)
    assert [item["number"] for item in found["items"]] == [0, 1, 2]
    assert b64decode(found["items"][0]["form"])[:1] == b"\x01"
    DeliveryFormDropped.model_validate(desk.drop(0, FAN).json(), strict=True)
    assert desk.drop(2, OWNER).json()["dropped"] is True
    assert desk.drop(2, FRIEND).json()["dropped"] is False
    assert [item["number"] for item in desk.forms().json()["items"]] == [1]


def test_nobody_else_sends_reads_or_deletes_one(desk: Desk) -> None:
    assert desk.put(0, FAN).status_code == 200
    assert code(desk.put(0, STRANGER), 403) == "delivery_form.not_yours"
    for other in (FAN, STRANGER):
        assert code(desk.forms(other), 403) == "delivery_form.not_yours"
    for other in (FRIEND, STRANGER):
        assert code(desk.drop(0, other), 403) == "delivery_form.not_yours"
    unsigned = desk.http.get(f"/v1/campaigns/{desk.campaign.hex()}/delivery-forms")
    assert code(unsigned, 401) == "signature.missing"


def test_what_is_no_form_is_refused(desk: Desk) -> None:
    assert code(desk.put(9, FAN), 404) == "delivery_form.no_pledge"
    assert code(desk.put(0, FAN, desk.without), 409) == "delivery_form.no_key"
    assert code(desk.put(0, FAN, content=b"\x02" * 60), 400) == "delivery_form.shape"
    assert code(desk.put(0, FAN, content=b"\x01" * 48), 400) == "delivery_form.shape"
    assert code(desk.put(0, FAN, content=b"\x01" * 9_000), 413) == "http.body_too_large"
    assert code(desk.put(0, FAN, headers={"content-type": "text/plain"}), 415) == "http.media_type"
    as_json = {"content-type": "application/json"}
    for body in (b"{", b"[]", b'{"form": 1}', b'{"form": "*"}'):
        assert code(desk.put(0, FAN, content=body, headers=as_json), 400) == "http.body"
    good = b'{"form": "' + b64encode(seal_form(KEY, desk.campaign, 0, "here")) + b'"}'
    assert desk.put(0, FAN, content=good, headers=as_json).status_code == 200
    gone = desk.call("DELETE", f"{'00' * 32}/pledges/0/delivery-form", FAN)
    assert code(gone, 404) == "delivery_form.no_pledge"


def test_a_form_goes_with_its_pledge(desk: Desk) -> None:
    assert desk.put(0, FAN).status_code == 200
    desk.shop.chain.send("pledge.cancel", PledgeCancel(desk.campaign, 0), author=FAN)
    assert desk.forms().json()["items"] == []
    assert desk.drop(0, OWNER).json()["dropped"] is False, "it was deleted when nobody could want it any more"
