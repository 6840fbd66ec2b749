"""getblocktemplate and submitblock, driven by a miner that was written from what real miners do, and by much that none does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from api.http import block_calls
from api.http.app import create_app
from ledger.block import Commitment
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Amount, Height
from node.clock import ManualClock
from node.cookie import COOKIE_FILE, read_cookie
from node.errors import NodeError
from node.mining.block_templates import TEMPLATES_KEPT_MAX
from node.node import Node, NodeConfig
from node.store.engine import STORE_FULL
from tests.api.http.conftest import BASE_URL, UNLIMITED
from tests.node.stored_chain import StoredChain
from tests.support.memory_chain import Scenario
from tests.support.shop import FAN, FRIEND
from tests.support.stratum_world import ALICE, BOB, PARAMS, START, name_of
from tests.support.template_client import CAPABILITIES, Template, call, check_template, search

pytestmark = pytest.mark.asyncio


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    found = Node(NodeConfig(tmp_path / "node", PARAMS), ManualClock(START))
    found.payout = ALICE.address
    yield found
    found.close()


@pytest.fixture
def app(node: Node) -> Iterator[FastAPI]:
    found = create_app(node, UNLIMITED)
    yield found
    found.state.services.close()


@pytest_asyncio.fixture
async def miner(app: FastAPI, node: Node) -> AsyncIterator[httpx2.AsyncClient]:
    """Sends the cookie, as Bitcoin's tools do."""
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url=BASE_URL, auth=read_cookie(node.config.data_dir)
    ) as client:
        yield client


async def ask(miner: httpx2.AsyncClient, method: str, *params: Any, path: str = "/rpc") -> Any:
    """The result of a call that must succeed."""
    answer = await miner.post(path, json=call(method, *params))
    assert answer.status_code == 200 and set(answer.json()) == {"result", "error", "id"}
    assert answer.json()["error"] is None, answer.json()
    return answer.json()["result"]


async def get_template(miner: httpx2.AsyncClient, path: str = "/rpc", **more: Any) -> Template:
    """A template that a real miner would work on."""
    found = await ask(miner, "getblocktemplate", {**CAPABILITIES, **more}, path=path)
    check_template(found)
    return found


async def submit(miner: httpx2.AsyncClient, template: Template, raw: bytes) -> str | None:
    """BIP 22's answer."""
    return await ask(miner, "submitblock", raw.hex(), {"workid": template["workid"]})


def tick(node: Node, seconds: int = 60) -> None:
    assert isinstance(node.clock, ManualClock)
    node.clock.set(node.clock.now() + seconds)


async def test_a_hundred_blocks_by_a_miner_that_knows_nothing_of_this_chain(
    miner: httpx2.AsyncClient, node: Node
) -> None:
    seen: set[str] = set()
    for height in range(1, 101):
        tick(node)
        template = await get_template(miner)
        assert template["height"] == height and template["coinbasetxn"]["data"] not in seen
        seen.add(template["coinbasetxn"]["data"])
        assert await submit(miner, template, search(template)) is None
    assert node.chain.tip.height == 100


async def test_what_waits_is_in_the_block_and_whoever_is_named_is_paid(miner: httpx2.AsyncClient, node: Node) -> None:
    transfer = Scenario(params=PARAMS).sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    node.submit_batch([transfer.raw])
    template = await get_template(miner, path=f"/rpc?payout={name_of(BOB)}")
    assert await submit(miner, template, search(template)) is None
    block = node.chain.block_at(Height(1))
    assert block is not None and block.transactions == (transfer.raw,)
    ((payee, amount),) = Commitment.decode(block.commitment_bytes).payees
    assert (payee, amount) == (BOB.address, template["coinbasevalue"])


async def test_only_with_the_cookie(app: FastAPI, node: Node, miner: httpx2.AsyncClient) -> None:
    transport = httpx2.ASGITransport(app)
    for auth in (None, ("__cookie__", "x"), ("user", read_cookie(node.config.data_dir)[1])):
        async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL, auth=auth) as stranger:
            answer = await stranger.post("/rpc", json=call("getblocktemplate"))
            assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic")
            assert answer.json()["result"] is None
    assert (await miner.get("/rpc")).status_code == 405
    app.state.services.close()
    assert not (node.config.data_dir / COOKIE_FILE).exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 5_000, -32700),
        (b"[]", -32600),
        (b'{"method":5}', -32600),
        (b'{"method":"getwork","params":[]}', -32601),
        (b'{"method":"submitblock","params":{}}', -32602),
        (b'{"method":"submitblock"}', -32602),
        (b'{"method":"submitblock","params":[5]}', -32602),
        (b'{"method":"submitblock","params":["00",7]}', -32602),
        (b'{"method":"submitblock","params":["00"]}', -22),
        (b'{"method":"submitblock","params":["0 0"]}', -22),
        (b'{"method":"submitblock","params":["zz"]}', -22),
        (b'{"method":"submitblock","params":["' + b"00" * 203 + b'",{}]}', -22),
        (b'{"method":"submitblock","params":["' + b"00" * 90_000 + b'"]}', -22),
        (b'{"method":"getblocktemplate","params":[5]}', -32602),
        (b'{"method":"getblocktemplate","params":[{},{}]}', -32602),
        (b'{"method":"getblocktemplate","params":[{"mode":"proposal"}]}', -8),
        (b'{"method":"getblocktemplate","params":[{"longpollid":5}]}', -32602),
    ],
)
async def test_calls_that_are_none(miner: httpx2.AsyncClient, body: bytes, code: int) -> None:
    answer = await miner.post("/rpc", content=body)
    assert answer.status_code == 200 and answer.json()["result"] is None
    assert answer.json()["error"]["code"] == code and answer.json()["error"]["message"]


async def test_nobody_to_pay(miner: httpx2.AsyncClient, node: Node) -> None:
    node.payout = None
    for path in ("/rpc", "/rpc?payout=bob", f"/rpc?payout={name_of(ALICE, prefix='fan')}"):
        answer = await miner.post(path, json=call("getblocktemplate"))
        assert answer.json()["error"]["code"] == -8, path


async def test_refusals_of_blocks(miner: httpx2.AsyncClient, node: Node) -> None:
    template = await get_template(miner)
    good = search(template)
    limit = PARAMS.future_limit_seconds(Height(1))
    other = search(template | {"bits": "207ffffe"})
    wrong = [
        (search(template, good=False), "high-hash"),
        (search(template, version=0x20000001), "bad-version"),
        (search(template, time=node.chain.tip.header.time), "time-too-old"),
        (other, "bad-diffbits"),
        (search(template | {"previousblockhash": "00" * 32}), "bad-prevblk"),
        (good[:81] + good[81:].replace(bytes.fromhex("ffffffff02"), bytes.fromhex("fffffffe02")), "bad-cb"),
        (good[:-5] + b"\x00" + good[-4:], "stale-work"),
        (good[:36] + bytes(32) + good[68:], "bad-txnmrklroot"),
    ]
    assert [await submit(miner, template, raw) for raw, _ in wrong] == [reason for _, reason in wrong]
    assert await ask(miner, "submitblock", good.hex(), {"workid": "00"}) == "unknown-work"
    assert await submit(miner, template, search(template, time=START + limit)) is None
    assert node.chain.tip.height == 1
    assert await ask(miner, "submitblock", good.hex()) == "stale-prevblk"
    assert await submit(miner, template, search(template, time=START + limit)) == "duplicate"
    ahead = await get_template(miner)
    assert ahead["curtime"] == ahead["mintime"] == ahead["maxtime"] == START + limit + 1
    assert await submit(miner, ahead, search(ahead)) is None
    assert (node.chain.tip.height, len(node.waiting)) == (1, 1), "it waits for its time"


async def test_a_time_rolled_too_far_waits(miner: httpx2.AsyncClient, node: Node) -> None:
    template = await get_template(miner)
    far = START + PARAMS.future_limit_seconds(Height(1)) + 30
    assert await submit(miner, template, search(template, time=far)) is None
    assert node.chain.tip.height == 0
    tick(node, 30)
    node.poll_waiting()
    assert node.chain.tip.header.time == far


async def test_only_the_last_templates_are_known(miner: httpx2.AsyncClient, node: Node) -> None:
    first = await get_template(miner)
    for number in range(TEMPLATES_KEPT_MAX):
        tick(node, 1)
        await get_template(miner, path=f"/rpc?payout={name_of(BOB if number % 2 else ALICE)}")
    assert await submit(miner, first, search(first)) is None, "one template for each payee: the time is no part of it"


async def test_long_polling_answers_at_a_new_tip_or_after_a_while(
    miner: httpx2.AsyncClient, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StoredChain(tmp_path / "other.sqlite", PARAMS)
    template = await get_template(miner)
    waiting = asyncio.create_task(get_template(miner, longpollid=template["longpollid"]))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    block = store.build(time=START)
    await asyncio.to_thread(node.accept_block, block)
    following = await asyncio.wait_for(waiting, 5)
    assert following["height"] == 2 and following["longpollid"] != template["longpollid"]
    assert (await get_template(miner, longpollid=template["longpollid"]))["height"] == 2, "an old one does not wait"
    monkeypatch.setattr(block_calls, "LONG_POLL_SECONDS_MAX", 0.2)
    again = await get_template(miner, longpollid=following["longpollid"])
    assert again["height"] == 2 and again["coinbasetxn"] != following["coinbasetxn"]
    store.close()


async def test_a_disk_that_takes_nothing_is_said(
    miner: httpx2.AsyncClient, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = await get_template(miner)

    def refuse(_: object) -> None:
        raise NodeError(STORE_FULL, path="x")

    monkeypatch.setattr(node, "accept_block", refuse)
    answer = await miner.post("/rpc", json=call("submitblock", search(template).hex()))
    assert answer.json()["error"]["code"] == -10
    with pytest.raises(NodeError):
        node.health.check()
