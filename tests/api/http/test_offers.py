"""Personal offers over HTTP: named after what people suffered elsewhere."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from api.http.schemas.accounts import AccountAnswer, HistoryAnswer
from api.http.schemas.offers import OfferAnswer, OffersAnswer
from api.http.schemas.programs import ProgramAnswer
from api.http.schemas.returns import ReturnsAnswer
from ledger.address import encode_address
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.receipts import receipt_hash
from ledger.domains.offers.offer_issue import OfferIssue
from ledger.domains.offers.offer_reverse import OfferReverse
from ledger.domains.offers.offer_settle import OfferSettle
from ledger.domains.offers.terms import PersonalOffer
from ledger.transaction import Prepaid
from ledger.types import Points, Timestamp
from tests.api.http.conftest import open_client
from tests.api.http.test_reading import read, read_all
from tests.support.contests import GRACE_DAYS, settle
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.offers import citation, cite, contest_payload, entry_of, make_offer
from tests.support.returns import take_return
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL

pytestmark = pytest.mark.asyncio


class Desk:
    """A brand's desk behind its API: everything is sent and read over HTTP; blocks are mined here."""

    def __init__(self, shop: LiveShop, client: httpx2.AsyncClient) -> None:
        self.shop, self.client = shop, client

    async def send(self, kind: str, payload: Any, *, author: Signer, expect: str | None = None, **options: Any) -> Any:
        """Post a transaction, and mine it: its result codes. `expect` is the code of its refusal."""
        signed = self.shop.chain.sign(kind, payload, author=author, **options)
        response = await self.client.post(
            "/v1/transactions", content=signed.raw, headers={"content-type": "application/msgpack"}
        )
        if expect is not None:
            assert (response.status_code, response.json()["code"]) == (422, expect)
            return None
        assert response.status_code == 202, response.text
        self.shop.chain.mine()
        return (await self.client.get(f"/v1/transactions/{signed.txid.hex()}")).json()["codes"]

    async def issue(self, *offers: PersonalOffer) -> Any:
        """Promise something."""
        return await self.send("offer.issue", OfferIssue(self.shop.program, tuple(map(entry_of, offers))), author=OWNER)

    async def one(self, offer: PersonalOffer) -> dict[str, Any]:
        """An offer, as everybody reads it."""
        return await read(self.client, f"/v1/offers/{offer.offer_id.hex()}", OfferAnswer)

    async def standing(self, fan: Signer) -> dict[str, Any]:
        """What a fan has, as its wallet reads it."""
        path = f"/v1/accounts/{self.text(fan)}"
        return (await read(self.client, path, AccountAnswer))["programs"][0]

    async def books(self) -> dict[str, Any]:
        """The program's books."""
        return (await read(self.client, f"/v1/programs/{self.shop.program.hex()}", ProgramAnswer))["books"]

    def text(self, account: Signer) -> str:
        """An address as text."""
        return encode_address(self.shop.chain.params.address_prefix, account.address)


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    """A thousand points a day for offers; goods come back within two days."""
    found = LiveShop(
        tmp_path_factory.mktemp("offers") / "data",
        offer_day_max=Points(1_000),
        return_window_days=2,
        activation_delay_days=2,
    )
    found.join(FAN, FRIEND)
    found.chain.send("consent.grant", ConsentGrant(found.program, PERSONALISE, "", Timestamp(0)), author=FAN)
    yield found
    found.close()


@pytest_asyncio.fixture
async def desk(shop: LiveShop, live_app: FastAPI) -> AsyncIterator[Desk]:
    """The brand's desk."""
    async with open_client(live_app) as client:
        yield Desk(shop, client)


async def test_the_same_offer_cited_at_two_tills(shop: LiveShop, desk: Desk) -> None:
    """Both tills were offline and took it. One bonus; the second receipt keeps its purchase's points, and everybody hears why."""
    shop.grant(STRANGER)
    offer = make_offer(shop)
    assert await desk.issue(offer) == ["applied"]
    assert (await desk.one(offer))["status"] == "open"
    bought = [cite(shop, offer, till=till, sequence=1) for till in (TILL, STRANGER)]
    settle(shop, bought)
    entries = tuple(citation(shop, signed) for signed in bought)
    codes = await desk.send("offer.settle", OfferSettle(shop.program, entries), author=TILL)
    assert codes == ["applied", "offer.cited"]
    assert (await desk.standing(FAN))["pending"] == 500 + 500 + 20
    shown = await desk.one(offer)
    assert (shown["status"], shown["credited"], shown["receipt"]) == ("cited", 20, entries[0].receipt.hex())
    (useless,) = shown["not_credited"]
    assert (useless["receipt"], useless["code"]) == (entries[1].receipt.hex(), "offer.cited")
    for of, event in ((FAN, "offer.not_credited"), (FAN, "offer.credited")):
        history = await read(desk.client, f"/v1/accounts/{desk.text(of)}/history", HistoryAnswer, event=event, limit=10)
        assert [item["data"]["offer"] for item in history["items"]] == [offer.offer_id.hex()]
    shop.chain.advance(days=GRACE_DAYS)
    contest = contest_payload(offer, bought[1])
    await desk.send("offer.contest", contest, author=FAN, payment=Prepaid(), expect="offer.cited")


async def test_an_offer_the_brand_pretends_never_existed(shop: LiveShop, desk: Desk) -> None:
    """The till took it, the office settles the purchase and not the bonus. The fan shows the chain what it asked for."""
    offer = make_offer(shop)
    await desk.issue(offer)
    bought = cite(shop, offer)
    settle(shop, [bought])
    contest = contest_payload(offer, bought)
    await desk.send("offer.contest", contest, author=FAN, payment=Prepaid(), expect="contest.too_early")
    shop.chain.advance(days=GRACE_DAYS)
    coin = shop.coin_of(FAN)
    await desk.send("offer.contest", contest, author=FAN, payment=Prepaid())
    shown = await desk.one(offer)
    assert (shown["status"], shown["contested"], shown["credited"]) == ("cited", True, 20)
    assert (shown["receipt"], shop.coin_of(FAN)) == (receipt_hash(bought.receipt, bought.salt).hex(), coin)
    shop.chain.advance(days=16)
    assert (await desk.standing(FAN))["available"] == 520


async def test_offers_after_consent_was_withdrawn(shop: LiveShop, desk: Desk) -> None:
    """Nothing new from that moment on, not even what waits; what was promised before is kept. Who never agreed gets none."""
    offer, friends = make_offer(shop), make_offer(shop, FRIEND)
    assert await desk.issue(offer, friends) == ["applied", "offer.no_consent"]
    waiting = OfferIssue(shop.program, (entry_of(make_offer(shop, number=2)),))
    signed = shop.chain.sign("offer.issue", waiting, author=OWNER)
    headers = {"content-type": "application/msgpack"}
    response = await desk.client.post("/v1/transactions", content=signed.raw, headers=headers)
    assert response.status_code == 202
    revoke = ConsentRevoke(shop.program, PERSONALISE, "")
    await desk.send("consent.revoke", revoke, author=FAN, payment=Prepaid())
    status = (await desk.client.get(f"/v1/transactions/{signed.txid.hex()}")).json()
    assert status["codes"] == ["offer.no_consent"]
    assert await desk.issue(make_offer(shop, number=3)) == ["offer.no_consent"]
    entry = citation(shop, cite(shop, offer))
    assert await desk.send("offer.settle", OfferSettle(shop.program, (entry,)), author=TILL) == ["applied"]
    assert (await desk.standing(FAN))["pending"] == 20


async def test_a_return_takes_the_bonus_back(shop: LiveShop, desk: Desk) -> None:
    offer = make_offer(shop)
    await desk.issue(offer)
    bought = cite(shop, offer)
    entry = citation(shop, bought)
    await desk.send("offer.settle", OfferSettle(shop.program, (entry,)), author=TILL)
    signed = take_return(shop, bought, points=20)
    back = OfferReverse(offer.offer_id, Points(20), signed.returned, signed.signature, signed.consent)
    await desk.send("offer.reverse", back, author=OWNER)
    shown = await desk.one(offer)
    assert (shown["status"], shown["credited"], shown["reversed"]) == ("cited", 20, 20)
    assert (await desk.standing(FAN))["pending"] == 0
    (returned,) = await read_all(desk.client, f"/v1/programs/{shop.program.hex()}/returns", ReturnsAnswer, 1)
    assert [item["offer"] for item in returned["reversals"]] == [offer.offer_id.hex()]
    assert (returned["reversed"], returned["reversals"][0]["batch"]) == (20, None)


async def test_nobody_came_and_the_budget_has_it_back(shop: LiveShop, desk: Desk) -> None:
    offers = [make_offer(shop, number=number) for number in range(3)]
    await desk.issue(*offers)
    assert (await desk.books())["offered"] == 60
    for path in (f"/v1/programs/{shop.program.hex()}/offers", f"/v1/accounts/{desk.text(FAN)}/offers"):
        listed = await read_all(desk.client, path, OffersAnswer, 2)
        assert [item["id"] for item in listed] == [offer.offer_id.hex() for offer in offers]
    shop.chain.advance(days=11, blocks=8)
    shop.chain.mine()
    shown = await desk.one(offers[0])
    assert shown["status"] == "open"
    assert shown["asked_until"] > shown["expires_at"] + 30 * DAY_SECONDS
    shop.chain.advance(days=40, blocks=8)
    shop.chain.mine()
    shown = await desk.one(offers[0])
    assert (shown["status"], shown["issued_at"], shown["asked_until"]) == ("expired", None, None)
    assert (await desk.books())["offered"] == 0


async def test_what_nobody_promised_is_not_there(shop: LiveShop, desk: Desk) -> None:
    response = await desk.client.get(f"/v1/offers/{make_offer(shop).offer_id.hex()}")
    assert (response.status_code, response.json()["code"]) == (404, "offer.unknown")
    assert (await desk.client.get(f"/v1/programs/{'11' * 32}/offers")).status_code == 404
