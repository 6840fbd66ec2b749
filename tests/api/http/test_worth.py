"""`GET /v1/transactions/{txid}`: what it is worth by now, from the pool to final, and where a chain has left it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.http.app import create_app
from api.http.schemas.transactions import TransactionAnswer
from api.http.settings import HttpSettings
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.finality.reversal import RENT_PRICE_CENTS_MAX, rent_of
from ledger.pow import target_from_compact, work_of
from ledger.transaction import Transaction
from ledger.types import Amount, TxId, Work
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.support.attested_shop import justify_next, open_attested_shop, vote
from tests.support.branching_chain import BranchingChain
from tests.support.live_shop import LiveChain, LiveShop
from tests.support.memory_chain import FUNDS, Signer, sim_params
from tests.support.personal_shop import PersonalShop
from tests.support.shop import FAN, FRIEND, STRANGER

NOTHING = {
    "is_estimate": True,
    "work": "0",
    "rent_microcents": 0,
    "rent_price_cents": RENT_PRICE_CENTS_MAX,
    "attestors": None,
}
SETTINGS = HttpSettings(rate_limited=False, event_stream_seconds_max=0.01, rent_price_cents=RENT_PRICE_CENTS_MAX)


def look(http: Any, txid: TxId) -> dict[str, Any]:
    """The answer, which has the form that the document says."""
    response = http.get(f"/v1/transactions/{txid.hex()}")
    assert response.status_code == 200, response.text
    TransactionAnswer.model_validate(response.json(), strict=True)
    return response.json()


def pay(chain: Any, author: Signer = FAN, amount: int = 5_000, **body: Any) -> Transaction:
    return chain.sign("transfer", Transfer(ToAccount(STRANGER.address), Amount(amount)), author=author, **body)


@pytest.fixture
def attested(tmp_path: Path) -> Iterator[PersonalShop]:
    found = open_attested_shop(tmp_path / "data", SETTINGS)
    yield found
    found.close()
    found.shop.close()


def test_without_attestors_only_work_holds_it(tmp_path: Path) -> None:
    chain = LiveChain(tmp_path / "data", sim_params(FAN.address))
    with TestClient(create_app(chain.node, SETTINGS), base_url="http://node") as http:
        payment = pay(chain)
        chain.submit(payment)
        waits = look(http, payment.txid)
        assert (waits["status"], waits["confirmations"]) == ("unconfirmed", 0)
        assert (waits["justified"], waits["final"], waits["reversal"]) == (None, None, NOTHING)
        assert waits["says"].startswith("It waits for a block")
        earlier, found = NOTHING, waits
        for count in range(1, 9):
            chain.mine()
            found = look(http, payment.txid)
            assert (found["confirmations"], found["justified"], found["final"]) == (count, None, None)
            reversal = found["reversal"]
            assert int(reversal["work"], 16) > int(str(earlier["work"]), 16)
            assert reversal["rent_microcents"] >= int(str(earlier["rent_microcents"]))
            earlier = reversal
        each = work_of(target_from_compact(chain.node.chain.tip.header.bits))
        assert int(earlier["work"], 16) == 8 * each, "this chain's target never changes"
        assert earlier["rent_microcents"] == rent_of(Work(8 * each), price_cents=RENT_PRICE_CENTS_MAX)
        assert earlier["rent_price_cents"] == RENT_PRICE_CENTS_MAX
        assert earlier["attestors"] is None
        assert "this chain has no attestors" in found["says"]
    chain.node.close()


def test_from_the_pool_to_final(attested: PersonalShop) -> None:
    shop, http = attested.shop, attested.http
    justify_next(shop.chain)
    payment = pay(shop.chain)
    shop.chain.submit(payment)
    waits = look(http, payment.txid)
    assert (waits["justified"], waits["final"], waits["reversal"]) == (False, False, NOTHING)
    shop.chain.mine()
    found = look(http, payment.txid)
    assert (found["confirmations"], found["justified"], found["final"]) == (1, False, False)
    assert found["reversal"]["attestors"] is None
    assert found["says"].endswith("neither justified nor final yet.")
    assert justify_next(shop.chain) >= found["height"]
    found = look(http, payment.txid)
    assert (found["justified"], found["final"]) == (True, False)
    least = {"set_number": 0, "weight": 4, "members": 4, "turn_weight_min": 2, "turn_members_min": 2}
    assert found["reversal"]["attestors"] == {**least, "is_provable": False}
    assert "not final yet" in found["says"] and "at least 2 attestors of 4" in found["says"]
    justify_next(shop.chain)
    found = look(http, payment.txid)
    assert (found["justified"], found["final"]) == (True, True)
    assert found["reversal"]["attestors"] == {**least, "is_provable": True}
    assert "could be undone only if at least 2 attestors of 4" in found["says"]
    address = attested.text(FAN)
    items = http.get(f"/v1/accounts/{address}/history").json()["items"]
    mine = next(item for item in items if item["txid"] == payment.txid.hex())
    assert (mine["confirmations"], mine["final"]) == (found["confirmations"], True)


def test_a_third_alone_justifies_nothing(attested: PersonalShop) -> None:
    shop = attested.shop
    payment = pay(shop.chain)
    shop.chain.submit(payment)
    shop.chain.mine(10)
    vote(shop.chain, (0, 1))
    assert look(attested.http, payment.txid)["justified"] is False


def test_what_the_chain_has_left(tmp_path: Path) -> None:
    params = sim_params(FAN.address, FRIEND.address, STRANGER.address)
    chain = BranchingChain(params=params)
    chain.mine(2)
    trunk = chain.tip.block.hash
    returning, impossible = pay(chain), pay(chain, FRIEND, FUNDS * 2 // 3)
    rival = pay(chain, FRIEND, FUNDS * 2 // 3, valid_from=3)
    chain.block(returning, impossible)
    node = Node(NodeConfig(tmp_path, params), ManualClock(chain.time + 10_000))
    with TestClient(create_app(node, SETTINGS), base_url="http://node") as http:
        for twig in chain.path[1:]:
            node.accept_block(twig.block)
        height = chain.tip.height
        assert look(http, returning.txid)["height"] == height
        chain.go_to(trunk)
        chain.block(rival, time=chain.time + 61)
        chain.mine()
        for twig in chain.path[-2:]:
            node.accept_block(twig.block)
        waits = look(http, returning.txid)
        assert (waits["status"], waits["confirmations"], waits["taken_back_from"]) == ("unconfirmed", 0, height)
        assert waits["reversal"] == NOTHING
        assert f"It stood at height {height}, in a block that the chain has left." in waits["says"]
        gone = look(http, impossible.txid)
        assert (gone["status"], gone["code"], gone["taken_back_from"]) == ("dropped", "coin.insufficient", height)
        assert (gone["reversal"], gone["justified"], gone["final"]) == (None, None, None)
        assert gone["says"].startswith("In no block, and it waits for none:")
        unknown = http.get(f"/v1/transactions/{'ab' * 32}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "transaction.unknown")
    node.close()


def test_a_shop_like_others_sees_the_default_price(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "data")
    with TestClient(create_app(shop.node, HttpSettings(rate_limited=False)), base_url="http://node") as http:
        assert look(http, shop.chain.last_txid)["reversal"]["rent_price_cents"] == 5_000
    shop.close()
