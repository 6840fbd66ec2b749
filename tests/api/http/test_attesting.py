"""Votes over HTTP: what an attestor is shown, what is taken, and each refusal with its code."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.http.app import create_app
from api.wallet.attestor_calls import read_sight
from ledger.domains.finality.state import FINALITY_KEY, liar_key
from ledger.finality.votes import Checkpoint, SignedVote, Vote, sign_vote
from ledger.types import BlockHash, ChainId, Height
from tests.api.http.conftest import UNLIMITED, open_client
from tests.node.attest.attested_node import AttestedNode
from tests.support.attested import KEYS, SEEDS
from tests.support.live_shop import LiveShop

MSGPACK = {"content-type": "application/msgpack"}


@pytest.fixture
def attested(tmp_path: Path) -> Iterator[AttestedNode]:
    found = AttestedNode(tmp_path)
    found.mine_to(10)
    yield found
    found.close()


async def ask(attested: AttestedNode, method: str, path: str, content: bytes | None = None) -> Any:
    app = create_app(attested.node, UNLIMITED)
    async with open_client(app) as client:
        headers = {} if content is None else MSGPACK
        return await client.request(method, path, content=content, headers=headers)


async def send(attested: AttestedNode, vote: SignedVote) -> Any:
    return await ask(attested, "POST", "/v1/finality/votes", vote.encode())


@pytest.mark.asyncio
async def test_an_attestor_sees_what_to_vote_for_and_its_vote_counts(attested: AttestedNode) -> None:
    path = f"/v1/finality/attestors/{KEYS[0].hex()}"
    sight = read_sight((await ask(attested, "GET", path)).json())
    assert (sight.tip, sight.interval, sight.is_fresh, sight.is_member) == (10, 4, True, True)
    assert (sight.source, sight.target) == (attested.checkpoint(0), attested.checkpoint(8))
    vote = sign_vote(SEEDS[KEYS[0]], KEYS[0], Vote(sight.chain_id, sight.set_number, sight.source, sight.target))
    taken = await send(attested, vote)
    assert (taken.status_code, taken.json()["verdict"]) == (202, "new")
    assert (await send(attested, vote)).json()["verdict"] == "known"
    assert read_sight((await ask(attested, "GET", path)).json()).own_votes == (vote,)
    listed = (await ask(attested, "GET", "/v1/finality/votes?height=8")).json()["items"]
    assert [item["raw"] for item in listed] == [vote.encode().hex()]
    assert (await ask(attested, "GET", "/v1/finality/votes?height=4")).json()["items"] == []


@pytest.mark.asyncio
async def test_votes_of_a_quorum_stand_in_the_next_block(attested: AttestedNode) -> None:
    for place in range(3):
        await send(attested, attested.vote(place, 0, 4))
        await send(attested, attested.vote(place, 4, 8))
    assert attested.node.desk is not None
    assert attested.node.desk.final_height == 4
    attested.mine()
    record = attested.node.chain.state.stored(FINALITY_KEY)
    assert record is not None
    assert record.record.final.height == 4


@pytest.mark.asyncio
async def test_every_refusal_has_its_code(attested: AttestedNode) -> None:
    good = attested.vote(0, 0, 8)
    other_chain = replace(good.vote, chain_id=ChainId(b"d" * 32))
    off_interval = replace(good.vote, target=Checkpoint(Height(7), good.vote.target.hash))
    refusals = {
        "finality.vote_signature": replace(good, key=KEYS[1]),
        "finality.other_chain": sign_vote(SEEDS[KEYS[0]], KEYS[0], other_chain),
        "finality.no_checkpoint_height": sign_vote(SEEDS[KEYS[0]], KEYS[0], off_interval),
        "finality.not_counted": attested.vote(7, 0, 8),
    }
    for code, vote in refusals.items():
        answer = await send(attested, vote)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    far = replace(good.vote, target=Checkpoint(Height(40), BlockHash(bytes(32))))
    later = await send(attested, sign_vote(SEEDS[KEYS[0]], KEYS[0], far))
    assert later.json()["code"] == "finality.not_counted"
    upside_down = replace(good.vote, source=good.vote.target)
    answer = await send(attested, sign_vote(SEEDS[KEYS[0]], KEYS[0], upside_down))
    assert (answer.status_code, answer.json()["code"]) == (400, "finality.link")
    garbage = await ask(attested, "POST", "/v1/finality/votes", b"garbage")
    assert garbage.status_code == 400
    long = await ask(attested, "POST", "/v1/finality/votes", bytes(5_000))
    assert long.status_code == 413


@pytest.mark.asyncio
async def test_an_equivocating_attestor_is_taken_and_accused(attested: AttestedNode) -> None:
    one = attested.vote(0, 0, 8)
    other = sign_vote(SEEDS[KEYS[0]], KEYS[0], replace(one.vote, target=Checkpoint(Height(8), BlockHash(b"x" * 32))))
    await send(attested, one)
    assert (await send(attested, other)).status_code == 202
    attested.mine()
    liar = attested.node.chain.state.stored(liar_key(KEYS[0]))
    assert liar is not None


@pytest.mark.asyncio
async def test_a_chain_without_attestors_has_nothing_to_vote_for(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path)
    async with open_client(create_app(shop.node, UNLIMITED)) as client:
        for path in ("/v1/finality/votes", f"/v1/finality/attestors/{KEYS[0].hex()}"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "attest.no_attestors")
    shop.close()


@pytest.mark.asyncio
async def test_readiness_tells_of_silence(attested: AttestedNode) -> None:
    assert (await ask(attested, "GET", "/readyz")).json()["finality_stalled"] is True
    attested.attest(0, 4, 0, 1, 2)
    assert (await ask(attested, "GET", "/readyz")).json()["finality_stalled"] is False
