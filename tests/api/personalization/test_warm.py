"""What a fan is remembered by costs little and hides nothing: few statements for an answer, and each change in the next one."""

from typing import Any

import pytest
from sqlalchemy import event

from api.http.receipt_desk import ReceiptDesk
from api.personalization import chain_facts
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import messages, prefer, with_product
from tests.support.personal_shop import PersonalShop
from tests.support.shop import FAN, FRIEND

STATEMENTS_MAX = 6
"""Of a warm answer in the receipt store, with those of the request's signature."""


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    found = open_at_noon()
    found.feed()
    found.allow("")
    prefer(found)
    return found


def test_a_warm_answer_asks_the_store_once(desk: PersonalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.buy_each(["bread", "coffee"], times=6, days=7)
    for _ in range(2):
        assert messages(desk)
    statements, works = list[str](), list[Any]()
    receipts: ReceiptDesk = desk.app.state.services.receipts
    original = receipts.run

    async def run(work: Any) -> Any:
        works.append(work)
        return await original(work)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = receipts._store._open()
    event.listen(engine, "before_cursor_execute", note)
    monkeypatch.setattr(receipts, "run", run)
    again = messages(desk)
    assert again
    assert len(works) == 2, "the nonce of the request, and the fan"
    assert len(statements) <= STATEMENTS_MAX, statements


def test_the_chain_is_read_once_for_each_block(desk: PersonalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    original = chain_facts.read_member

    def note(*asked: Any) -> Any:
        read.append(asked)
        return original(*asked)

    monkeypatch.setattr(chain_facts, "read_member", note)
    for _ in range(3):
        assert desk.seen("profile")["standing"]["available"] == 0
    assert len(read) == 1
    desk.buy("bread")
    assert desk.seen("profile")["items"][0]["id"] == "bread" and len(read) == 1, "a purchase is not on the chain"
    desk.shop.earn(FAN, 70)
    assert desk.seen("profile")["standing"]["available"] == 70 and len(read) == 2
    desk.withdraw()
    assert desk.mine("profile").status_code == 403 and len(read) == 2, "in no block, and obeyed"


def test_another_fan_is_never_taken_for_it(desk: PersonalShop) -> None:
    desk.allow("receipts", fan=FRIEND)
    desk.buy("mug")
    desk.feed(with_product("mug", recall={"en": "Glass."}))
    assert "recall" in messages(desk)
    assert [one["topic"] for one in desk.seen("messages", FRIEND)["items"]] == []
    assert desk.seen("profile", FRIEND)["standing"] is None
    assert desk.seen("profile")["standing"] is not None


def test_a_narrower_consent_of_the_same_block_is_read_anew(desk: PersonalShop) -> None:
    desk.allow("receipts", "standing")
    assert desk.seen("profile")["standing"] is not None
    desk.withdraw()
    assert desk.seen("profile")["scopes"] == ["receipts", "standing"]
    desk.withdraw("standing")
    assert desk.seen("profile")["standing"] is None
