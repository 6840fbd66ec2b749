"""Webhooks after Standard Webhooks, and the stream: signed, retried, never twice, and only what a fan lets out."""

import asyncio
import base64
import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.http.schemas.webhooks import WebhookDropped, WebhookMade, WebhooksAnswer
from api.personalization import outreach
from api.personalization.outreach import RETRY_SECONDS, is_public, may_reach, sign_webhook
from api.receipts.inbox import KeptMessage
from api.receipts.store import ReceiptStore
from api.receipts.webhooks import Delivery
from ledger.domains.consent.state import CONTACT
from ledger.types import Hash, ProgramId, Timestamp
from tests.api.personalization.conftest import OpenDesk
from tests.support.personal_shop import FEED, PersonalShop
from tests.support.receipt_shop import SETTINGS
from tests.support.shop import FAN, OWNER

NOON_SECONDS = 12 * 3_600


class Receiver:
    """Servers of brands: they answer with `status`, the host `broken` with 503, and remember what came."""

    def __init__(self, broken: str = "") -> None:
        self.status = 200
        self.broken = broken
        self.got: list[httpx2.Request] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """As a transport has it."""
        self.got.append(request)
        if self.status == 0:
            raise httpx2.ConnectError("nobody is there")
        return httpx2.Response(503 if request.url.host == self.broken else self.status)

    def run(self, desk: PersonalShop) -> None:
        """One round of the node's outreach."""

        async def once() -> None:
            async with httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer)) as http:
                await desk.app.state.services.outreach.run_once(http)

        asyncio.run(once())


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    found = open_at_noon(
        settings=SETTINGS.model_copy(update={"webhook_hosts": (("shop.example", 80), ("broken.example", 80))})
    )
    found.feed()
    found.allow("")
    found.buy("coffee")
    return found


def prefer(desk: PersonalShop, **said: Any) -> None:
    body = {"program": desk.shop.program.hex(), "quiet_from": 0, "quiet_until": 0, "day_max": 5, **said}
    assert desk.put("/v1/me/preferences", body).status_code == 200


def make_webhook(desk: PersonalShop, url: str = "http://shop.example/hook") -> dict[str, Any]:
    answer = desk.put(f"/v1/programs/{desk.shop.program.hex()}/webhooks", {"url": url}, OWNER, "POST")
    assert answer.status_code == 201, answer.text
    WebhookMade.model_validate(answer.json(), strict=True)
    return answer.json()


def webhooks(desk: PersonalShop) -> list[dict[str, Any]]:
    path = f"/v1/programs/{desk.shop.program.hex()}/webhooks"
    answer = desk.send(desk.request(path=path, sign=desk.owner(OWNER))).json()
    WebhooksAnswer.model_validate(answer, strict=True)
    return answer["items"]


def let_out(desk: PersonalShop) -> None:
    desk.grant("webhook", to=desk.shop.program, purpose=CONTACT)
    prefer(desk, channel="webhook")


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of its specification."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign_webhook(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_nothing_goes_out_that_a_fan_does_not_let_out(desk: PersonalShop) -> None:
    make_webhook(desk)
    receiver = Receiver()
    receiver.run(desk)
    prefer(desk, channel="webhook")
    receiver.run(desk)
    assert receiver.got == [], "to personalise is not to contact"
    desk.grant("webhook", to=desk.shop.program, purpose=CONTACT)
    prefer(desk, channel="inbox")
    receiver.run(desk)
    assert receiver.got == [], "the fan chose another channel"


def test_a_message_is_signed_and_sent_once(desk: PersonalShop) -> None:
    made, receiver = make_webhook(desk), Receiver()
    let_out(desk)
    for _ in range(3):
        receiver.run(desk)
        desk.pass_time(seconds=600)
    (request,) = receiver.got
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.content
    expected = base64.b64encode(hmac.new(secret, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    body = json.loads(request.content)
    assert body["type"] == "message.ready" and body["data"]["topic"] == "discovery"
    assert webhooks(desk)[0]["sent"] == 1 and webhooks(desk)[0]["waiting"] == 0
    exported = desk.ask("/v1/me/export")["deliveries"]
    assert [(one["code"], one["body"], one["attempts"]) for one in exported] == [("", "", 1)]


def test_a_webhook_that_fails_for_a_day_loses_nothing(desk: PersonalShop) -> None:
    make_webhook(desk)
    let_out(desk)
    receiver = Receiver()
    receiver.status = 503
    begin = desk.now
    for pause in RETRY_SECONDS:
        receiver.run(desk)
        if desk.now - begin > 86_400:
            break
        desk.pass_time(seconds=pause)
    failed = len(receiver.got)
    assert failed >= 6 and webhooks(desk)[0] | {"waiting": 1, "sent": 0} == webhooks(desk)[0]
    receiver.status = 200
    desk.pass_time(seconds=50_400)
    receiver.run(desk)
    receiver.run(desk)
    assert len(receiver.got) == failed + 1 and webhooks(desk)[0]["sent"] == 1
    assert len({request.headers["webhook-id"] for request in receiver.got}) == 1, "known by its id"


def test_a_webhook_that_fails_for_ever_is_given_up(desk: PersonalShop) -> None:
    make_webhook(desk)
    let_out(desk)
    receiver = Receiver()
    receiver.status = 0
    for pause in (*RETRY_SECONDS, 1, 1):
        receiver.run(desk)
        desk.pass_time(seconds=pause)
    assert len(receiver.got) == len(RETRY_SECONDS) + 1
    assert webhooks(desk)[0] | {"waiting": 0, "sent": 0, "lost": 1} == webhooks(desk)[0]


def test_what_is_taken_back_while_it_waits_is_not_sent(desk: PersonalShop) -> None:
    make_webhook(desk)
    let_out(desk)
    receiver = Receiver()
    receiver.status = 500
    receiver.run(desk)
    desk.revoke("webhook", to=desk.shop.program, purpose=CONTACT)
    receiver.status = 200
    desk.pass_time(seconds=60)
    receiver.run(desk)
    assert len(receiver.got) == 1 and webhooks(desk)[0]["lost"] == 1


def test_a_receiver_that_is_gone_is_asked_no_more(desk: PersonalShop) -> None:
    made = make_webhook(desk)
    let_out(desk)
    receiver = Receiver()
    receiver.status = 410
    receiver.run(desk)
    desk.pass_time(seconds=600)
    receiver.run(desk)
    assert len(receiver.got) == 1
    path = f"/v1/programs/{desk.shop.program.hex()}/webhooks/{made['id']}"
    for dropped in (True, False):
        answer = desk.send(desk.request("DELETE", path, sign=desk.owner(OWNER))).json()
        WebhookDropped.model_validate(answer, strict=True)
        assert answer["dropped"] is dropped
    assert webhooks(desk) == []
    wrong = desk.send(desk.request("DELETE", path[:-2], sign=desk.owner(OWNER)))
    assert (wrong.status_code, wrong.json()["code"]) == (400, "webhook.id_format")


def test_a_program_has_a_few_webhooks(desk: PersonalShop) -> None:
    for number in range(5):
        make_webhook(desk, f"http://shop.example/{number}")
    path = f"/v1/programs/{desk.shop.program.hex()}/webhooks"
    full = desk.put(path, {"url": "http://shop.example/6"}, OWNER, "POST")
    assert (full.status_code, full.json()["code"]) == (422, "webhook.full")
    refused = desk.put(path, {"url": "http://shop.example/6"}, FAN, "POST")
    assert (refused.status_code, refused.json()["code"]) == (403, "program.not_yours")


@pytest.mark.parametrize(
    "url", ["http://1.1.1.1/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/"]
)
def test_the_operators_own_net_is_no_address_for_brands(url: str) -> None:
    assert asyncio.run(is_public(url)) is False


def test_public_addresses_are() -> None:
    assert asyncio.run(is_public("https://1.1.1.1/hook")) is True


@pytest.mark.parametrize(("found", "expected"), [(["1.1.1.1"], True), (["1.1.1.1", "10.0.0.1"], False), ([], False)])
def test_a_name_is_as_public_as_all_its_addresses(
    monkeypatch: pytest.MonkeyPatch, found: list[str], expected: bool
) -> None:
    async def look_up(host: str) -> list[str]:
        assert host == "shop.example"
        return found

    monkeypatch.setattr(outreach, "look_up", look_up)
    assert asyncio.run(is_public("https://shop.example/hook")) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000/hook", True),
        ("https://127.0.0.1:9000/", True),
        ("http://[::1]/", True),
        ("http://localhost:8001/", True),
        ("http://127.0.0.1/", False),
        ("http://127.0.0.1:9001/hook", False),
        ("http://127.0.0.2:9000/hook", False),
        ("http://localhost:9000/", False),
        ("http://127.0.0.1:9000@10.0.0.1/", False),
        ("http://10.0.0.1/127.0.0.1:9000", False),
        ("http://127.0.0.1:99999999/", False),
        ("https://1.1.1.1/hook", True),
    ],
)
def test_the_operator_names_places_in_its_own_net_one_by_one(url: str, expected: bool) -> None:
    """Spec PER-5: by host and port as the URL writes them; everywhere else as without."""
    named = (("127.0.0.1", 9_000), ("::1", 80), ("localhost", 8_001))
    assert asyncio.run(may_reach(url, named)) is expected


def test_a_place_that_is_named_no_more_is_called_no_more(open_at_noon: OpenDesk) -> None:
    desk = open_at_noon(settings=SETTINGS)
    path = f"/v1/programs/{desk.shop.program.hex()}/webhooks"
    refused = desk.put(path, {"url": "http://127.0.0.1:9000/"}, OWNER, "POST")
    assert (refused.status_code, refused.json()["code"]) == (400, "webhook.not_public")
    assert "--webhook-host" in refused.json()["advice"]
    outreach_of: outreach.Outreach = desk.app.state.services.outreach

    async def attempt() -> str:
        async with httpx2.AsyncClient() as http:
            return await outreach_of._post(http, "http://127.0.0.1:9000/", b"", {})

    assert asyncio.run(attempt()) == "webhook.private_address"


# --- the stream ---


def stream(desk: PersonalShop, after: str | None = None) -> list[dict[str, str]]:
    """The events of one short stream."""
    headers = {} if after is None else {"last-event-id": after}
    path, query = "/v1/me/messages/stream", {"program": desk.shop.program.hex()}
    response = desk.send(desk.request(path=path, sign=desk.owner(FAN), params=query, headers=headers))
    assert response.status_code == 200, response.text
    blocks = [block for block in response.text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def test_the_stream_gives_each_message_once_and_goes_on_where_it_was_left(desk: PersonalShop) -> None:
    prefer(desk)
    events = stream(desk)
    assert [event["event"] for event in events] == ["stream.opened", "message"]
    message = json.loads(events[1]["data"])
    assert message["topic"] == "discovery" and events[1]["id"] == f"{message['ready_at']}:{message['id']}"
    assert len(stream(desk, events[1]["id"])) == 1
    desk.pass_time(seconds=60)
    desk.feed([{**FEED[1], "recall": {"en": "Glass."}}], whole=False)
    again = stream(desk, events[1]["id"])
    assert [json.loads(event["data"])["topic"] for event in again[1:]] == ["recall"]


def test_a_stream_needs_consent_and_a_position_that_was_given(desk: PersonalShop) -> None:
    path, query = "/v1/me/messages/stream", {"program": desk.shop.program.hex()}
    wrong = desk.request(path=path, sign=desk.owner(FAN), params=query, headers={"last-event-id": "x:y"})
    assert desk.send(wrong).json()["code"] == "messages.position_format"
    desk.withdraw()
    refused = desk.send(desk.request(path=path, sign=desk.owner(FAN), params=query))
    assert (refused.status_code, refused.json()["code"]) == (403, "personal.not_granted")


def test_a_receiver_that_fails_keeps_nobody_else_waiting(desk: PersonalShop) -> None:
    """One attempt at it in a round; what is due for another goes out in the same round."""
    make_webhook(desk, "http://broken.example/hook")
    make_webhook(desk)
    desk.buy("mug")
    let_out(desk)
    receiver = Receiver(broken="broken.example")
    receiver.run(desk)
    hosts = [request.url.host for request in receiver.got]
    assert hosts.count("shop.example") == 2, "how to use the mug, and a discovery"
    assert hosts.count("broken.example") == 1
    desk.pass_time(seconds=600)
    receiver.broken = ""
    receiver.run(desk)
    ids = [request.headers["webhook-id"] for request in receiver.got if request.url.host == "broken.example"]
    assert len(set(ids)) == 2, "both, in the end"


def test_what_was_sent_is_remembered_as_long_as_it_can_be_shown(tmp_path: Path) -> None:
    """A vote may wait for longer than the 30 days for which a delivery that is over is remembered otherwise."""
    store, day = ReceiptStore(f"sqlite:///{tmp_path / 'receipts.sqlite'}"), 86_400
    program = ProgramId(b"p" * 32)
    short, long = (
        Delivery(Hash(letter * 32), b"w" * 16, FAN.address, program, Hash(letter * 32), b"{}", 0, 0, 0, 0, "")
        for letter in (b"s", b"l")
    )
    for sent, days in ((short, 14), (long, 90)):
        shown = KeptMessage(sent.message, FAN.address, program, "open_vote", 0, 0, days * day, False, {})
        store.inbox.add([shown], Timestamp(0))
        assert store.webhooks.queue(sent)
        store.webhooks.note_attempt(sent.id, due_at=0, done_at=1, code="")
    assert store.webhooks.forget_old(Timestamp(30 * day)) == 0
    assert store.webhooks.forget_old(Timestamp(31 * day)) == 1
    assert not store.webhooks.queue(long), "it is shown still, and was sent"
    assert store.webhooks.forget_old(Timestamp(91 * day)) == 1
    store.close()
