"""Guardians and recoveries as the API shows them, and whose signature it takes: as the next block will see it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.http.app import create_app
from api.http.schemas.accounts import AccountAnswer, HistoryAnswer
from ledger.address import encode_address
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.params import RECOVERY_BLOCKS_MIN
from ledger.transaction import Prepaid, Transaction
from ledger.types import Timestamp
from tests.api.http.conftest import UNLIMITED, open_client
from tests.api.http.test_reading import read
from tests.support.guarded import (
    DELAY_DAYS,
    GUARDIANS,
    NEW_KEYS,
    PAYMENT,
    RECOVERED,
    approve,
    cancel,
    guard,
    pass_delay,
    start,
)
from tests.support.live_shop import LiveShop
from tests.support.shop import FAN, FRIEND

GRANT = ConsentGrant(FRIEND.address, 0, "", Timestamp(0))
REVOKE = ConsentRevoke(FRIEND.address, 0, "")

pytestmark = pytest.mark.asyncio


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Iterator[LiveShop]:
    found = LiveShop(tmp_path / "data")
    yield found
    found.close()


@pytest_asyncio.fixture
async def client(shop: LiveShop) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(shop.node, UNLIMITED)
    async with open_client(app) as found:
        yield found
    app.state.services.close()


async def keys_of(client: httpx2.AsyncClient) -> dict[str, Any]:
    return await read(client, f"/v1/accounts/{encode_address('fsim', FAN.address)}", AccountAnswer)


async def test_an_account_shows_its_guardians_and_what_becomes_of_a_recovery(
    shop: LiveShop, client: httpx2.AsyncClient
) -> None:
    chain, new = shop.chain, encode_address("fsim", NEW_KEYS.address)
    found = await keys_of(client)
    assert (found["policy_hash"], found["guardians"], found["recovery"]) == (None, None, None)
    guard(chain)
    approve(chain, GUARDIANS[2])
    guardians = (await keys_of(client))["guardians"]
    assert guardians["addresses"] == [encode_address("fsim", signer.address) for signer in GUARDIANS]
    assert (guardians["threshold"], guardians["delay_days"], guardians["not_before"]) == (2, 3, None)
    (word,) = guardians["approvals"]
    assert (word["guardian"], word["new_address"]) == (guardians["addresses"][2], new)
    approve(chain, GUARDIANS[0])
    found = await keys_of(client)
    assert (found["policy_hash"], found["recovery"]["phase"], found["recovery"]["new_address"]) == (
        None,
        "waiting",
        new,
    )
    pass_delay(chain)
    found = await keys_of(client)
    assert (found["policy_hash"], found["recovery"]["phase"]) == (NEW_KEYS.policy.hash.hex(), "in_force")
    chain.advance(days=30, blocks=150)
    found = await keys_of(client)
    assert (found["policy_hash"], found["recovery"]["phase"]) == (None, "lapsed")


async def test_a_cancelled_recovery_shows_its_cool_down(shop: LiveShop, client: httpx2.AsyncClient) -> None:
    guard(shop.chain)
    start(shop.chain)
    cancel(shop.chain)
    found = await keys_of(client)
    assert found["recovery"] is None
    assert (found["guardians"]["failures"], found["guardians"]["not_before_date"][:7]) == (1, "2026-01")
    items = await read(client, f"/v1/accounts/{found['address']}/history", HistoryAnswer)
    names = [item["name"] for item in items["items"]][:5]
    assert names[:2] == ["account.recovery_cancelled", "account.recovery_started"]
    assert names[2:] == ["account.recovery_approved", "account.recovery_approved", "account.guardians_set"]
    set_event = items["items"][4]["data"]
    assert set_event["guardians"] == [encode_address("fsim", signer.address) for signer in GUARDIANS]
    new = encode_address("fsim", NEW_KEYS.address)
    told = await read(client, f"/v1/accounts/{new}/history", HistoryAnswer)
    assert told["items"][0]["data"]["account"] == found["address"], "the new keys' history names the account"


async def test_the_pool_asks_for_the_keys_that_the_next_block_asks_for(
    shop: LiveShop, client: httpx2.AsyncClient
) -> None:
    guard(shop.chain)
    start(shop.chain)
    shop.chain.advance(days=DELAY_DAYS, blocks=RECOVERY_BLOCKS_MIN - 2)
    early = await send(client, shop.chain.sign("consent.revoke", REVOKE, author=RECOVERED, payment=Prepaid()))
    assert early["code"] == "witness.wrong_policy"
    in_time = shop.chain.sign("consent.grant", GRANT, author=FAN)
    assert (await send(client, in_time))["status"] == "unconfirmed"
    shop.chain.mine_block()
    late = shop.chain.sign("transfer", PAYMENT, author=FAN)
    assert (await send(client, late))["code"] == "witness.wrong_policy"
    assert (await send(client, shop.chain.sign("transfer", PAYMENT, author=RECOVERED)))["status"] == "unconfirmed"
    shop.chain.mine_block()
    assert (await keys_of(client))["recovery"] is None


async def send(client: httpx2.AsyncClient, transaction: Transaction) -> dict[str, Any]:
    """What the node says to a transaction."""
    answer = await client.post(
        "/v1/transactions", content=transaction.raw, headers={"content-type": "application/msgpack"}
    )
    return answer.json()
