"""What is erased is gone: no row, no file, no log and no memory of the node holds its words (issue 8, 1)."""

import asyncio
import json
from typing import Any

import pytest

from ledger.domains.consent.state import CONTACT
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import messages, prefer, say
from tests.api.personalization.test_outreach import Receiver, make_webhook
from tests.support.memory_chain import DAY_SECONDS
from tests.support.personal_shop import FEED, PersonalShop
from tests.support.receipt_shop import SETTINGS
from tests.support.shop import FAN, OWNER

NAME = "Zwiebelmettwurstbrot"
"""Of what is bought and erased: a word that stands nowhere else."""


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    found = open_at_noon(
        settings=SETTINGS.model_copy(update={"webhook_hosts": (("shop.example", 80), ("broken.example", 80))})
    )
    found.allow("")
    prefer(found)
    return found


def feed(desk: PersonalShop, *, is_named: bool) -> None:
    """A feed in which NAME goes with milk; or one that does not know it any more, so that only the fan's rows could."""
    named = {"item": NAME, "category": "x", "pairs_with": ["milk"], "lasts": True, "how_to": {"en": "Slice it."}}
    desk.feed([*FEED, named] if is_named else FEED)


def rows_of(desk: PersonalShop) -> str:
    """Messages, questions and deliveries that the store holds of FAN, as it holds them."""
    exported = desk.ask("/v1/me/export")
    return json.dumps({name: exported[name] for name in ("messages", "feedback", "deliveries", "receipts")})


def files_of(desk: PersonalShop) -> dict[str, bytes]:
    folder = desk.shop.node.config.data_dir
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def files_with(desk: PersonalShop, *words: bytes) -> list[str]:
    return [name for name, data in files_of(desk).items() if any(word in data for word in words)]


def test_no_row_and_no_file_speaks_of_a_receipt_that_was_erased(
    desk: PersonalShop, capfd: pytest.CaptureFixture[str]
) -> None:
    feed(desk, is_named=True)
    kept = desk.buy("bread")
    desk.pass_time(seconds=60)
    gone = desk.buy(NAME)
    found = messages(desk)
    assert gone.hex() in json.dumps(found) and {"how_to", "discovery"} <= set(found)
    assert say(desk, found["how_to"]["id"], "opened") == "taken"
    desk.seen("questions")
    desk.seen("recommendations")
    assert NAME in rows_of(desk) and gone.hex() in rows_of(desk)
    feed(desk, is_named=False)
    capfd.readouterr()
    assert desk.ask(f"/v1/receipts/{gone.hex()}", method="DELETE") == {"erased": 1}
    rows = rows_of(desk)
    assert NAME not in rows and gone.hex() not in rows and kept.hex() in rows
    assert files_with(desk, NAME.encode()) == []
    said = capfd.readouterr()
    assert NAME not in said.out + said.err and gone.hex() not in said.out + said.err
    gate = desk.app.state.services.personal.gate
    assert not [key for key in (*gate._remembered, *gate._past) if key[0] == FAN.address], "nor does its memory"
    for what in ("profile", "messages", "recommendations", "questions", "access-log"):
        assert NAME.encode() not in desk.mine(what).content


def test_that_something_was_said_still_counts_for_caps_and_is_not_said_again(desk: PersonalShop) -> None:
    feed(desk, is_named=True)
    gone = desk.buy(NAME)
    before = messages(desk)["discovery"]
    desk.buy("coffee")
    desk.ask(f"/v1/receipts/{gone.hex()}", method="DELETE")
    (kept,) = [one for one in desk.ask("/v1/me/export")["messages"] if one["topic"] == "discovery"]
    assert kept["message"] == before["id"] and kept["content"]["texts"] == {"en": "", "ko": ""}
    found = desk.seen("messages")["items"]
    assert [one["subject"] for one in found if one["topic"] == "discovery"] == ["milk"], "coffee speaks for it now"
    assert NAME not in json.dumps(found)
    desk.ask("/v1/receipts", method="DELETE")
    assert desk.seen("messages")["items"] == []


def test_what_came_before_an_erased_receipt_and_what_rests_on_none_keeps_its_words(desk: PersonalShop) -> None:
    feed(desk, is_named=True)
    desk.shop.earn(FAN, 90)
    desk.shop.list_reward(price=100)
    desk.buy("mug")
    assert {"near_reward", "how_to"} <= set(messages(desk))
    desk.pass_time(days=1)
    gone = desk.buy(NAME)
    messages(desk)
    desk.ask(f"/v1/receipts/{gone.hex()}", method="DELETE")
    texts = {
        one["topic"]: one["content"]["texts"]["en"]
        for one in desk.ask("/v1/me/export")["messages"]
        if one["decided_at"] < desk.now - DAY_SECONDS / 2
    }
    assert texts["how_to"].startswith("How to use Mug") and texts["near_reward"]


def test_what_waits_for_a_webhook_goes_with_the_receipt_and_is_made_anew(desk: PersonalShop) -> None:
    feed(desk, is_named=True)
    make_webhook(desk)
    desk.grant("webhook", to=desk.shop.program, purpose=CONTACT)
    prefer(desk, channel="webhook", day_max=5)
    gone = desk.buy(NAME)
    receiver = Receiver()
    receiver.status = 503
    receiver.run(desk)
    assert any(NAME.encode() in request.content for request in receiver.got)
    feed(desk, is_named=False)
    desk.ask(f"/v1/receipts/{gone.hex()}", method="DELETE")
    assert files_with(desk, NAME.encode()) == []
    receiver.status, receiver.got = 200, []
    desk.pass_time(seconds=3_600)
    receiver.run(desk)
    assert not [request for request in receiver.got if NAME.encode() in request.content]


def test_service_staff_reads_no_message_that_rests_on_a_gift_or_an_erased_receipt(desk: PersonalShop) -> None:
    feed(desk, is_named=True)
    bought = desk.buy(NAME)
    assert "how_to" in messages(desk)
    desk.allow("service/messages", expires_at=desk.now + 9 * DAY_SECONDS)

    def look() -> str:
        body = {"member": desk.text(FAN), "why": "She asked.", "staff": "Mina"}
        answer: Any = desk.put(f"/v1/programs/{desk.shop.program.hex()}/service-looks", body, OWNER, "POST")
        assert answer.status_code == 200, answer.text
        text: str = answer.text
        return text

    assert NAME in look()
    desk.ask(f"/v1/receipts/{bought.hex()}/gift", method="PUT")
    assert NAME not in look()
    desk.ask(f"/v1/receipts/{bought.hex()}/gift", method="DELETE")
    assert NAME in look()
    desk.ask(f"/v1/receipts/{bought.hex()}", method="DELETE")
    assert NAME not in look()


def test_a_reset_leaves_nothing_in_the_files(desk: PersonalShop) -> None:
    """Behaviour, wishes, messages and feedback; receipts stay where they are."""
    said = {"program": desk.shop.program.hex(), "likes": [], "dislikes": [], "wishes": [NAME]}
    assert desk.put("/v1/me/profile", said).status_code == 200
    event = {"kind": "viewed", "item": NAME, "seconds": 3, "at": desk.now}
    body = {"program": desk.shop.program.hex(), "events": [event]}
    assert desk.put("/v1/me/behaviour", body, method="POST").status_code == 201
    assert files_with(desk, NAME.encode())
    desk.ask(f"/v1/me/profile?program={desk.shop.program.hex()}", method="DELETE")
    assert files_with(desk, NAME.encode()) == []
    assert (
        asyncio.run(desk.app.state.services.personal.gate.read(FAN.address, desk.shop.program, "test")).behaviour == ()
    )
