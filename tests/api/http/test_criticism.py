"""Criticism over HTTP: a brand wants it gone, a fan changes its mind, a text goes missing and is seen to be missing."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.http.app import create_app
from api.http.schemas.voice import (
    AccountReviewsAnswer,
    ContributionAnswer,
    ContributionsAnswer,
    MissionsAnswer,
    ReviewAnswer,
    ReviewsAnswer,
    RevisionsAnswer,
    TextAnswer,
    TextKept,
)
from ledger.address import encode_address
from ledger.domains.voice.review import ReviewWrite
from ledger.domains.voice.reviews import ENDORSE, Earned, ProgramSubject
from ledger.domains.voice.texts import TEXT_BYTES_MAX, TextDocument, encode_text, text_hash
from ledger.types import Hash
from tests.api.http.conftest import UNLIMITED, open_client
from tests.api.http.test_reading import read
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer
from tests.support.shop import FAN, FRIEND, OWNER
from tests.support.spoken import ASKED, CRITICISM, REPLY, Spoken, speak

pytestmark = pytest.mark.asyncio
MSGPACK = {"content-type": "application/msgpack"}


class Square:
    """A shop about which fans speak in public."""

    def __init__(self, shop: LiveShop, spoken: Spoken, client: httpx2.AsyncClient) -> None:
        self.shop, self.spoken, self.client = shop, spoken, client
        self.subject = f"/v1/reviews/{shop.program.hex()}"

    def text(self, signer: Signer) -> str:
        return encode_address(self.shop.chain.params.address_prefix, signer.address)

    async def reviews(self) -> dict[str, Any]:
        return await read(self.client, self.subject, ReviewsAnswer)

    async def bring(self, document: TextDocument, wanted: Hash | None = None) -> httpx2.Response:
        path = f"/v1/texts/{(wanted or text_hash(document)).hex()}"
        return await self.client.put(path, content=encode_text(document), headers=MSGPACK)

    async def say(self, author: Signer, stance: int, score: int, expect: str | None = None) -> None:
        payload = ReviewWrite(ProgramSubject(self.shop.program), Earned(), stance, score, Hash(b""))
        raw = self.shop.chain.sign("review", payload, author=author).raw
        response = await self.client.post("/v1/transactions", content=raw, headers=MSGPACK)
        if expect is None:
            assert response.status_code == 202, response.text
            self.shop.chain.mine()
        else:
            assert response.json()["code"] == expect


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    shop = LiveShop(tmp_path_factory.mktemp("node") / "data")
    yield shop
    shop.close()


@pytest_asyncio.fixture
async def square(shop: LiveShop) -> AsyncIterator[Square]:
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 500)
    spoken = speak(shop)
    app = create_app(shop.node, UNLIMITED)
    async with open_client(app) as client:
        yield Square(shop, spoken, client)
    app.state.services.close()


async def test_a_brand_that_wants_criticism_gone(square: Square) -> None:
    assert (await square.bring(CRITICISM)).json() == {"text": text_hash(CRITICISM).hex(), "is_new": True}
    before = await square.reviews()
    assert before["scores"] == {"endorsing": [0] * 5, "criticising": [0, 1, 0, 0, 0], "replies": 1}
    (review,) = before["items"]
    assert (review["author"], review["text_here"], review["reply_here"]) == (square.text(FAN), True, False)
    await square.say(OWNER, ENDORSE, 5, expect="review.own_subject")
    await square.say(FRIEND, ENDORSE, 5, expect="review.no_standing")
    response = await square.client.delete(f"/v1/texts/{text_hash(CRITICISM).hex()}")
    assert response.json()["code"] == "signature.missing", "only its author erases a text"
    assert await square.reviews() == before
    proof = await square.client.get(f"{square.subject}/{square.text(FAN)}/proof")
    assert proof.status_code == 200


async def test_who_changes_its_mind_is_counted_once(square: Square) -> None:
    await square.say(FAN, ENDORSE, 4)
    found = await square.reviews()
    assert found["scores"] == {"endorsing": [0, 0, 0, 1, 0], "criticising": [0] * 5, "replies": 1}
    path = f"{square.subject}/{square.text(FAN)}"
    one = await read(square.client, path, ReviewAnswer)
    assert (one["stance"], one["score"], one["revisions"], one["text"]) == ("endorse", 4, 2, None)
    said: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = await read(square.client, f"{path}/revisions?limit=1{cursor}", RevisionsAnswer)
        said += page["items"]
        cursor = None if page["next_cursor"] is None else f"&cursor={page['next_cursor']}"
    assert [(row["revision"], row["stance"], row["score"]) for row in said] == [(2, "endorse", 4), (1, "criticise", 2)]
    mine = await read(square.client, f"/v1/accounts/{square.text(FAN)}/reviews", AccountReviewsAnswer)
    assert [row["subject"] for row in mine["items"]] == [square.shop.program.hex()]


async def test_texts_are_what_the_chain_names(square: Square) -> None:
    for document in (ASKED, REPLY):
        TextKept.model_validate((await square.bring(document)).json())
        assert (await square.bring(document)).json()["is_new"] is False
        found = await read(square.client, f"/v1/texts/{text_hash(document).hex()}", TextAnswer)
        assert found["content"] == document.text
    missing = await square.client.get(f"/v1/texts/{text_hash(CRITICISM).hex()}")
    assert (missing.status_code, missing.json()["code"]) == (404, "text.missing")
    wrong = await square.bring(TextDocument(b"c" * 32, "The lamp is fine."), text_hash(CRITICISM))
    assert (wrong.status_code, wrong.json()["code"]) == (400, "text.wrong_hash")
    unnamed = await square.bring(TextDocument(b"x" * 32, "Nobody said so."))
    assert (unnamed.status_code, unnamed.json()["code"]) == (409, "text.not_named")
    path = f"/v1/texts/{text_hash(CRITICISM).hex()}"
    for body, code in (
        (b"{", "http.body"),
        (b"[]", "http.body"),
        (b'{"salt": "5a"}', "http.body"),
        (b'{"salt": "5a", "content": "x", "more": 1}', "http.body"),
        (b'{"salt": "%s", "content": "\\ud800"}' % (b"5a" * 32), "http.body"),
        (b'{"salt": "5a", "content": "x"}', "shape.length"),
    ):
        answer = await square.client.put(path, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, code), body
    answer = await square.client.put(path, content=b"x", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "http.media_type")
    long = b'{"salt": "%s", "content": "%s"}' % (b"5a" * 32, b"x" * (TEXT_BYTES_MAX + 1))
    answer = await square.client.put(path, content=long, headers={"content-type": "application/json"})
    assert answer.status_code == 400


async def test_missions_and_who_helped(square: Square) -> None:
    program = square.shop.program.hex()
    (mission,) = (await read(square.client, f"/v1/programs/{program}/missions", MissionsAnswer))["items"]
    assert (mission["id"], mission["places"], mission["taken"], mission["open"]) == (
        square.spoken.mission.hex(),
        5,
        1,
        True,
    )
    of_program = await read(square.client, f"/v1/programs/{program}/contributions", ContributionsAnswer)
    of_fan = await read(square.client, f"/v1/accounts/{square.text(FAN)}/contributions", ContributionsAnswer)
    assert of_program == of_fan
    (row,) = of_fan["items"]
    path = f"/v1/contributions/{square.spoken.contribution.hex()}"
    assert await read(square.client, path, ContributionAnswer) == row
    assert (row["mission"], row["role"], row["credited_at"]) == (mission["id"], "testing", None)
    assert (await square.client.get(f"{path}/proof")).status_code == 200
    for path in (
        f"/v1/contributions/{'00' * 32}",
        f"/v1/reviews/{'00' * 32}",
        f"{square.subject}/{square.text(FRIEND)}",
    ):
        answer = await square.client.get(path)
        assert answer.status_code == 404, path
