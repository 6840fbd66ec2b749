"""Challenges over HTTP: a reward that the brand forgot, one reached with goods that went back, and a budget that is gone."""

import httpx2
import pytest

from api.http.schemas.challenges import ChallengeAnswer, ChallengesAnswer, CompletionsAnswer
from api.http.schemas.programs import ProgramAnswer
from ledger.address import encode_address
from ledger.domains.challenges.completions import BUDGET_GONE
from ledger.domains.challenges.state import Codes, Spend
from ledger.params import CONTEST_KEEP_SECONDS
from ledger.transaction import BAD_ATTESTATION, Prepaid
from ledger.types import Address, Points
from tests.api.http.test_reading import read, read_all
from tests.support.challenges import (
    complete,
    contest_challenge,
    contest_payload,
    create_challenge,
    entry_of,
    hash_of,
    reverse_challenge,
)
from tests.support.contests import sign
from tests.support.live_shop import LiveShop
from tests.support.refusal import refused
from tests.support.returns import take_return
from tests.support.shop import FAN, FRIEND, POOR, Shop

pytestmark = pytest.mark.asyncio
DUE_DAYS = 10


async def post(client: httpx2.AsyncClient, raw: bytes) -> tuple[int, str | None]:
    """Status and code of a transaction that was sent in."""
    response = await client.post("/v1/transactions", content=raw, headers={"content-type": "application/msgpack"})
    return response.status_code, response.json().get("code")


def address(shop: Shop, fan: Address) -> str:
    return encode_address(shop.chain.params.address_prefix, fan)


async def test_a_challenges_reward_that_the_brand_forgot(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    """The fan has no coin, posts two receipts to the node, and has the reward in the next block."""
    client = live_client
    shop.join(POOR)
    which = create_challenge(shop)
    bought = [sign(shop, POOR, sequence=number) for number in (1, 2)]
    payload = contest_payload(shop, which, bought)
    early = shop.chain.sign("challenge.contest", payload, author=POOR, payment=Prepaid())
    assert await post(client, early.raw) == (422, "challenge.too_early")
    shop.chain.advance(days=DUE_DAYS)
    stolen = shop.chain.sign("challenge.contest", payload, author=FRIEND)
    assert await post(client, stolen.raw) == (422, BAD_ATTESTATION.name)
    good = shop.chain.sign("challenge.contest", payload, author=POOR, payment=Prepaid())
    assert await post(client, good.raw) == (202, None)
    shop.chain.mine_block()
    path = f"/v1/accounts/{address(shop, POOR.address)}/completions"
    (mine,) = await read_all(client, path, CompletionsAnswer, 10)
    assert (mine["state"], mine["contested"], mine["points"], mine["txid"]) == ("credited", True, 100, good.txid.hex())
    assert sorted(mine["receipts"]) == sorted(hash_of(signed).hex() for signed in bought)
    shown = await read(client, f"/v1/challenges/{which.hex()}", ChallengeAnswer)
    assert (shown["given"], shown["left"]) == (100, 900)
    again = shop.chain.sign("challenge.contest", payload, author=POOR, payment=Prepaid())
    assert await post(client, again.raw) == (422, "challenge.completed")


async def test_a_challenge_reached_with_goods_that_went_back(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    client = live_client
    shop.join(FAN)
    which = create_challenge(shop)
    bought = [sign(shop, FAN, sequence=number) for number in (1, 2, 3)]
    assert complete(shop, entry_of(which, bought[:2])) == ("",)
    path = f"/v1/challenges/{which.hex()}/completions"
    (before,) = await read_all(client, path, CompletionsAnswer, 10)
    assert (before["state"], before["contested"], before["receipts"], before["returned"]) == ("credited", False, [], [])
    assert before["member"] == address(shop, FAN.address)
    reverse_challenge(shop, which, bought[:2], take_return(shop, bought[0]))
    (after,) = await read_all(client, path, CompletionsAnswer, 10)
    assert after == before | {"state": "reversed", "returned": [hash_of(bought[0]).hex()]}
    books = (await read(client, f"/v1/programs/{shop.program.hex()}", ProgramAnswer))["books"]
    assert (books["challenge_points"], books["challenge_points_reversed"]) == (1_000, 100)
    assert complete(shop, entry_of(which, bought[1:])) == ("",)
    (again,) = await read_all(client, path, CompletionsAnswer, 10)
    assert (again["state"], again["returned"]) == ("credited", after["returned"])
    assert again["height"] > before["height"]


async def test_budget_gone(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    client = live_client
    shop.join(FAN, FRIEND)
    which = create_challenge(shop, budget=Points(150))
    bought = {fan: [sign(shop, fan, sequence=number) for number in (1, 2)] for fan in (FAN, FRIEND)}
    entries = [entry_of(which, bought[fan], fan=fan) for fan in (FAN, FRIEND)]
    assert complete(shop, *entries) == ("", BUDGET_GONE.name)
    shown = await read(client, f"/v1/challenges/{which.hex()}", ChallengeAnswer)
    assert (shown["given"], shown["left"], shown["has_ended"]) == (100, 50, False)
    (one,) = await read_all(client, f"/v1/challenges/{which.hex()}/completions", CompletionsAnswer, 10)
    assert one["member"] == address(shop, FAN.address)
    shop.chain.advance(days=DUE_DAYS)
    with refused(BUDGET_GONE, left=50, reward=100):
        contest_challenge(shop, which, bought[FRIEND], fan=FRIEND)


async def test_all_challenges_of_a_program(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    client = live_client
    made = [
        create_challenge(shop),
        create_challenge(shop, goal=Spend(16_000), occurrences=1, times_max=1),
        create_challenge(shop, goal=Codes(("bread", "milk"))),
    ]
    path = f"/v1/programs/{shop.program.hex()}/challenges"
    found = await read_all(client, path, ChallengesAnswer, 1)
    assert [one["id"] for one in found] == [which.hex() for which in made]
    assert [{name: value for name, value in one["goal"].items() if value is not None} for one in found] == [
        {"type": "visits", "count": 2},
        {"type": "spend", "cents": 16_000},
        {"type": "codes", "codes": ["bread", "milk"]},
    ]
    first = found[0]
    assert first["until_day"]["day"] == first["from_day"]["day"] + 28
    assert first["ends_at"] - first["begins_at"] == 28 * 86_400
    shop.chain.advance(seconds=first["ends_at"] + 3 * 86_400 + CONTEST_KEEP_SECONDS - shop.now, blocks=3)
    shop.chain.mine(2)
    assert all(one["has_ended"] for one in await read_all(client, path, ChallengesAnswer, 10))


async def test_what_is_not_there(shop: LiveShop, live_client: httpx2.AsyncClient) -> None:
    for path, code in (
        (f"/v1/programs/{'11' * 32}/challenges", "program.unknown"),
        (f"/v1/challenges/{'11' * 32}", "challenge.unknown"),
        (f"/v1/challenges/{'11' * 32}/completions", "challenge.unknown"),
    ):
        response = await live_client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, code)
    nobody = address(shop, FRIEND.address)
    assert (await read(live_client, f"/v1/accounts/{nobody}/completions", CompletionsAnswer))["items"] == []
