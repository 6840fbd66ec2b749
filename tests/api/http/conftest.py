"""A node with a shop's history behind the API, and a client that speaks to it without a socket."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from api.http.app import create_app
from api.http.settings import HttpSettings
from ledger.address import encode_address
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH
from ledger.types import Address, CampaignId, HoldId, RewardId, Timestamp, TxId
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer
from tests.support.shop import FAN, FRIEND, OWNER

BASE_URL = "http://node"
UNLIMITED = HttpSettings(rate_limited=False, event_stream_seconds_max=0.01)
"""Streams end at once: this transport gives an answer only when it is whole."""


@dataclass(frozen=True)
class Story:
    """What happened at the shop: fans joined and earned, one redeems, one campaign was funded and one failed."""

    shop: LiveShop
    app: FastAPI
    reward: RewardId
    hold: HoldId
    funded: CampaignId
    failed: CampaignId
    earn_txid: TxId

    def text(self, signer: Signer | Address) -> str:
        """An account's address as text."""
        address = signer.address if isinstance(signer, Signer) else signer
        return encode_address(self.shop.chain.params.address_prefix, address)


def open_client(app: FastAPI, *, raises: bool = True) -> httpx2.AsyncClient:
    """A client in this process. `raises` False: faults of the server become answers, as over a socket."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=raises)
    return httpx2.AsyncClient(transport=transport, base_url=BASE_URL)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """For tests that only read."""
    shop = LiveShop(tmp_path_factory.mktemp("node") / "data")
    shop.join(FAN, FRIEND)
    shop.chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=FAN)
    shop.earn(FAN, 500)
    earn_txid = shop.chain.last_txid
    shop.earn(FRIEND, 70)
    reward = shop.list_reward(price=100, stock=10)
    hold = shop.redeem(FAN, reward)
    funded = shop.create_campaign(author=OWNER, in_points=True, goal=100, days=1, tiers=(("Signed", 50, 5),))
    failed = shop.create_campaign(author=FRIEND, goal=10**9, days=1)
    shop.pledge(FAN, funded, 150, tier=1)
    shop.pledge(FAN, failed, 20_000)
    shop.pledge(OWNER, failed, 30_000)
    shop.chain.advance(days=1, blocks=8)
    shop.chain.mine(2)
    hold = shop.redeem(FAN, reward)
    app = create_app(shop.node, UNLIMITED)
    yield Story(shop, app, reward, hold, funded, failed, earn_txid)
    app.state.services.close()
    shop.close()


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    """A shop of its own, for tests that write."""
    found = LiveShop(tmp_path_factory.mktemp("shop") / "data")
    yield found
    found.close()


@pytest.fixture
def live_app(shop: LiveShop) -> Iterator[FastAPI]:
    """The API over `shop`."""
    app = create_app(shop.node, UNLIMITED)
    yield app
    app.state.services.close()


@pytest_asyncio.fixture
async def client(story: Story) -> AsyncIterator[httpx2.AsyncClient]:
    """Speaks to `story`."""
    async with open_client(story.app) as found:
        yield found


@pytest_asyncio.fixture
async def live_client(live_app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Speaks to `shop`."""
    async with open_client(live_app) as found:
        yield found
