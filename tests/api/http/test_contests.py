"""Contests over HTTP: open, answered, run out, and long after their records are gone."""

import httpx2
import pytest

from api.http.schemas.contests import ContestAnswer, ContestsAnswer
from api.http.schemas.programs import IssuersAnswer, ProgramAnswer
from ledger.address import encode_address
from ledger.params import CONTEST_ANSWER_BLOCKS_MIN, CONTEST_ANSWER_SECONDS
from ledger.transaction import BAD_ATTESTATION
from tests.api.http.test_reading import read, read_all
from tests.support.contests import GRACE_DAYS, answer, contest, payload_of, settle, sign
from tests.support.live_shop import LiveShop
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, POOR, TILL

pytestmark = pytest.mark.asyncio


async def test_contests_are_shown_from_filing_to_long_after(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    client, prefix = live_client, shop.chain.params.address_prefix
    shop.join(FAN, POOR)
    receipts = [sign(shop, FAN), sign(shop, POOR, sequence=2, points=400)]
    settled = settle(shop, receipts[:1])
    shop.chain.advance(days=GRACE_DAYS)
    first, second = contest(shop, receipts[0]), contest(shop, receipts[1], fan=POOR, wrong_points=True)
    path = f"/v1/programs/{shop.program.hex()}/contests"
    found = await read_all(client, path, ContestsAnswer, 1)
    assert [(one["id"], one["claim"], one["points"]) for one in found] == [
        (first.hex(), "unsettled", 500),
        (second.hex(), "wrong_points", 500),
    ]
    assert all(one["outcome"] == "open" and one["can_be_answered"] for one in found)
    assert found[0]["till"] == encode_address(prefix, TILL.address)
    address = encode_address(prefix, POOR.address)
    (mine,) = await read_all(client, f"/v1/accounts/{address}/contests", ContestsAnswer, 10)
    assert mine == found[1]
    books = (await read(client, f"/v1/programs/{shop.program.hex()}", ProgramAnswer))["books"]
    assert (books["contests_open"], books["contest_points_locked"] - books["contest_points"]) == (2, 1_000)
    answer(shop, settled, receipts[0])
    shown = await read(client, f"/v1/contests/{first.hex()}", ContestAnswer)
    assert (shown["outcome"], shown["credited"], shown["can_be_answered"]) == ("settled_in_time", 0, False)
    shop.chain.advance(seconds=CONTEST_ANSWER_SECONDS, blocks=CONTEST_ANSWER_BLOCKS_MIN)
    shop.chain.mine(2)
    shown = await read(client, f"/v1/contests/{second.hex()}", ContestAnswer)
    assert (shown["outcome"], shown["credited"]) == ("unsettled", 500)
    assert shown["repaid"] > 0 and shown["available_on"]["day"] < shown["expires_on"]["day"]
    shop.chain.advance(days=60, blocks=3)
    shop.chain.mine(2)
    later = await read(client, f"/v1/contests/{second.hex()}", ContestAnswer)
    gone = dict.fromkeys(("receipt", "time", "settle_by", "opened_at", "answer_height"))
    assert later == shown | gone
    assert len(await read_all(client, path, ContestsAnswer, 10)) == 2


async def test_what_is_not_there(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    for path, code in (
        (f"/v1/programs/{'11' * 32}/contests", "program.unknown"),
        (f"/v1/contests/{'11' * 32}", "contest.unknown"),
    ):
        response = await live_client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, code)
    assert (await live_client.get("/v1/contests/12")).status_code == 400
    assert (await live_client.get("/v1/accounts/nobody/contests")).status_code == 400
    stranger = encode_address(shop.chain.params.address_prefix, FRIEND.address)
    assert (await read(live_client, f"/v1/accounts/{stranger}/contests", ContestsAnswer))["items"] == []


async def test_a_receipt_that_the_till_did_not_sign_is_refused_at_the_door(
    shop: LiveShop, live_client: httpx2.AsyncClient
) -> None:
    shop.join(FAN, FRIEND)
    signed = sign(shop, FRIEND)
    shop.chain.advance(days=GRACE_DAYS)
    stolen = shop.chain.sign("earn.contest", payload_of(signed), author=FAN)
    response = await live_client.post(
        "/v1/transactions", content=stolen.raw, headers={"content-type": "application/msgpack"}
    )
    assert (response.status_code, response.json()["code"]) == (422, BAD_ATTESTATION.name)
    with refused(BAD_ATTESTATION):
        contest(shop, signed, fan=FAN)


async def test_issuers_show_the_grants_of_former_times(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    shop.grant(TILL, scopes=1, daily_cap=77)
    (shown,) = await read_all(live_client, f"/v1/programs/{shop.program.hex()}/issuers", IssuersAnswer, 10)
    assert (shown["scopes"], shown["daily_cap"]) == (["till"], 77)
    (earlier,) = shown["earlier"]
    assert earlier["until"] == shown["granted_at"] and "settle" in earlier["scopes"]
