"""A shop accepts a redemption at once, at its own risk: shown until it is deep, and also when it falls out of the chain."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.http.app import create_app
from api.http.settings import HttpSettings
from api.receipts import acceptances
from api.receipts.acceptances import AcceptanceRefused, Acceptances
from api.receipts.store import ReceiptStore
from ledger.address import encode_address
from ledger.domains.rewards.acceptance import (
    AcceptanceStatement,
    SignedAcceptance,
    decode_acceptance,
    encode_acceptance,
    sign_acceptance,
)
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.hashing import object_id
from ledger.transaction import Prepaid, Transaction
from ledger.types import ChainId, HoldId, Points, ProgramId, RewardId, Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer, sim_params
from tests.support.random_life import BranchingShop
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, OWNER, STRANGER, TILL, Shop

SETTINGS = HttpSettings(rate_limited=False)


def redemption_of(shop: Shop, reward: RewardId, fan: Signer = FAN, units: int = 1) -> Transaction:
    return shop.chain.sign("redeem", Redeem(shop.program, reward, units, Points(100)), author=fan)


def accept(shop: Shop, redeem: Transaction, *, till: Signer = TILL, **changes: Any) -> SignedAcceptance:
    """A till's word on a redemption; `changes` are of the statement."""
    statement = AcceptanceStatement(
        version=1,
        program=shop.program,
        txid=redeem.txid,
        hold=HoldId(object_id("hold", redeem.txid, 0)),
        member=redeem.author,
        till=till.key,
        accepted_at=shop.now,
        depth=3,
    )
    return sign_acceptance(replace(statement, **changes), shop.chain.chain_id, till.seeds[0])


class Door:
    """The API over a shop's node."""

    def __init__(self, http: TestClient) -> None:
        self.http = http

    def post(self, signed: SignedAcceptance, *, as_json: bool = False) -> tuple[int, Any]:
        """Status, and the body or the code of the refusal."""
        raw = encode_acceptance(signed)
        if as_json:
            response = self.http.post("/v1/acceptances", json={"acceptance": b64encode(raw).decode()})
        else:
            headers = {"content-type": "application/msgpack"}
            response = self.http.post("/v1/acceptances", content=raw, headers=headers)
        body = response.json()
        return response.status_code, body.get("code", body)

    def look(self, found: bytes) -> dict[str, Any]:
        """A redemption by its hold or its transaction."""
        response = self.http.get(f"/v1/redemptions/{found.hex()}")
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LiveShop]:
    found = LiveShop(tmp_path / "data")
    found.join(FAN, FRIEND)
    found.earn(FAN, 1_000)
    yield found
    found.close()


@pytest.fixture
def door(shop: LiveShop) -> Iterator[Door]:
    app = create_app(shop.node, SETTINGS)
    with TestClient(app, base_url="http://node") as http:
        yield Door(http)


def test_accepted_in_the_mempool_then_in_a_block_then_settled(shop: LiveShop, door: Door) -> None:
    redeem = redemption_of(shop, shop.list_reward())
    hold = object_id("hold", redeem.txid, 0)
    assert door.http.get(f"/v1/redemptions/{hold.hex()}").json()["code"] == "redemption.unknown"
    shop.chain.submit(redeem)
    for found in (hold, redeem.txid):
        shown = door.look(found)
        assert (shown["standing"], shown["confirmations"], shown["depth"]) == ("waiting", 0, 6)
        assert (shown["id"], shown["quantity"], shown["points"], shown["held"]) == (hold.hex(), 1, None, 0)
    signed = accept(shop, redeem)
    assert door.post(signed) == (201, {"redemption": hold.hex(), "is_new": True})
    assert door.post(signed, as_json=True) == (201, {"redemption": hold.hex(), "is_new": False})
    for blocks in (0, 1, 1):
        shop.chain.mine(blocks)
        for found in (hold, redeem.txid):
            shown = door.look(found)
            assert (shown["standing"], shown["depth"]) == ("accepted by the shop", 3)
            assert "at its own risk until 3 blocks" in shown["says"]
    assert shown["accepted"]["till"] == encode_address(shop.chain.params.address_prefix, TILL.address)
    assert decode_acceptance(b64decode(shown["accepted"]["acceptance"])) == signed
    shop.chain.mine()
    assert (door.look(hold)["standing"], door.look(hold)["confirmations"]) == ("settled", 3)
    address = encode_address(shop.chain.params.address_prefix, FAN.address)
    for path in (f"/v1/accounts/{address}/redemptions", f"/v1/programs/{shop.program.hex()}/redemptions"):
        (item,) = door.http.get(path).json()["items"]
        assert item == door.look(hold)


def test_without_an_acceptance_it_waits_for_six_blocks(shop: LiveShop, door: Door) -> None:
    redeem = redemption_of(shop, shop.list_reward())
    shop.chain.submit(redeem)
    shop.chain.mine(5)
    assert door.look(redeem.txid)["standing"] == "waiting"
    assert "now 5 do" in door.look(redeem.txid)["says"]
    shop.chain.mine()
    assert door.look(redeem.txid)["standing"] == "settled"


def test_what_is_not_accepted(shop: LiveShop, door: Door) -> None:
    reward = shop.list_reward()
    redeem = redemption_of(shop, reward)
    good = accept(shop, redeem)
    assert door.post(good) == (422, "acceptance.no_redemption")
    shop.chain.submit(redeem)
    assert door.post(replace(good, statement=replace(good.statement, depth=4))) == (422, "acceptance.not_signed")
    wrong_chain = sign_acceptance(good.statement, ChainId(bytes(32)), TILL.seeds[0])
    assert door.post(wrong_chain) == (422, "acceptance.not_signed")
    assert door.post(accept(shop, redeem, till=STRANGER)) == (422, "acceptance.till_not_granted")
    assert door.post(accept(shop, redeem, program=ProgramId(bytes(32)))) == (422, "program.unknown")
    assert door.post(accept(shop, redeem, accepted_at=Timestamp(shop.now + 601))) == (422, "acceptance.wrong_time")
    assert door.post(accept(shop, redeem, accepted_at=Timestamp(shop.now - 601))) == (422, "acceptance.wrong_time")
    assert door.post(accept(shop, redeem, member=FRIEND.address)) == (422, "acceptance.wrong_redemption")
    assert door.post(accept(shop, redeem, hold=HoldId(bytes(32)))) == (400, "acceptance.shape")
    assert door.post(accept(shop, redeem, till=OWNER))[0] == 201, "the owner needs no grant"
    assert door.post(good) == (409, "acceptance.already")


def test_what_is_deep_or_ended_is_not_accepted(shop: LiveShop, door: Door) -> None:
    reward = shop.list_reward()
    redeem = redemption_of(shop, reward)
    shop.chain.submit(redeem)
    shop.chain.mine(3)
    assert door.post(accept(shop, redeem)) == (409, "acceptance.settled")
    assert door.post(accept(shop, redeem, depth=4))[0] == 201
    other = redemption_of(shop, reward)
    shop.chain.submit(other)
    shop.chain.mine()
    hold = HoldId(object_id("hold", other.txid, 0))
    shop.chain.send("redeem.cancel", RedeemCancel(hold), author=FAN, payment=Prepaid())
    assert door.post(accept(shop, other)) == (409, "acceptance.not_open")
    assert door.look(hold)["released"] == 1


@pytest.mark.parametrize(
    ("content", "media_type", "expected"),
    [
        (b"{}", "application/json", (400, "http.body")),
        (b"nonsense", "application/json", (400, "http.body")),
        (b'{"acceptance": 1}', "application/json", (400, "http.body")),
        (b'{"acceptance": "***"}', "application/json", (400, "http.body")),
        (b'{"acceptance": ""}', "application/json", (400, "codec.truncated")),
        (b"\x90", "application/msgpack", (400, "shape.count")),
        (b"\x90", "text/plain", (415, "http.media_type")),
        (b"\x00" * 5_000, "application/msgpack", (413, "http.body_too_large")),
    ],
)
def test_bodies_that_are_no_acceptance(door: Door, content: bytes, media_type: str, expected: tuple[int, str]) -> None:
    response = door.http.post("/v1/acceptances", content=content, headers={"content-type": media_type})
    assert (response.status_code, response.json()["code"]) == expected


def test_what_is_not_there(door: Door, shop: LiveShop) -> None:
    for path, expected in (
        ("/v1/redemptions/12", (400, "id.format")),
        (f"/v1/redemptions/{'11' * 32}", (404, "redemption.unknown")),
        (f"/v1/programs/{'11' * 32}/redemptions", (404, "program.unknown")),
        ("/v1/accounts/nobody/redemptions", (400, "address.separator")),
    ):
        response = door.http.get(path)
        assert (response.status_code, response.json()["code"]) == expected, response.text
    transfer = shop.chain.last_txid.hex()
    assert door.http.get(f"/v1/redemptions/{transfer}").status_code == 404, "not every transaction is a redemption"


def test_a_redemption_that_falls_out_is_borne_by_the_shop(tmp_path: Path) -> None:
    """The other branch spends the points on something else, so that the redemption can never come back."""
    shop = BranchingShop(sim_params(*(signer.address for signer in FUNDED)))
    chain = shop.chain
    shop.join(FAN)
    shop.earn(FAN, 100)
    reward = shop.list_reward(value_cents=100)
    trunk = chain.tip.block.hash
    redeem, rival = redemption_of(shop, reward), redemption_of(shop, reward)
    chain.block(redeem)
    old = [twig.block for twig in chain.path[1:]]
    chain.go_to(trunk)
    chain.block(rival, time=chain.time + 61)
    chain.mine()
    new = [twig.block for twig in chain.path if twig.block.hash != trunk][-2:]
    node = Node(NodeConfig(tmp_path, chain.params), ManualClock(chain.time))
    with TestClient(create_app(node, SETTINGS), base_url="http://node") as http:
        door = Door(http)
        for block in old:
            node.accept_block(block)
        signed = accept(shop, redeem)
        assert door.post(signed)[0] == 201
        assert door.look(redeem.txid)["standing"] == "accepted by the shop"
        for block in new:
            node.accept_block(block)
        for found in (redeem.txid, object_id("hold", redeem.txid, 0)):
            shown = door.look(found)
            assert (shown["standing"], shown["confirmations"]) == ("borne by the shop", 0)
            assert "The shop accepted it and bears it" in shown["says"]
            assert (shown["reward"], shown["quantity"], shown["fulfilments"]) == (None, None, [])
        assert door.look(rival.txid)["standing"] == "waiting"
    node.close()


def test_a_programs_acceptances_are_bounded_and_old_ones_go(
    tmp_path: Path, shop: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptances, "PROGRAM_ACCEPTANCES_MAX", 2)
    reward = shop.list_reward()
    store = ReceiptStore(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    kept: Acceptances = store.acceptances
    first, second, third = (accept(shop, redemption_of(shop, reward)) for _ in range(3))
    assert kept.add(first, shop.now) and kept.add(second, shop.now)
    with refused(acceptances.FULL, AcceptanceRefused, maximum=2):
        kept.add(third, shop.now)
    later = Timestamp(shop.now + acceptances.KEPT_SECONDS + 1)
    assert kept.add(third, later)
    assert kept.find(first.statement.hold) is None
    assert kept.find(third.statement.txid) == third
    holds = [found.statement.hold for found in (first, third)]
    assert kept.of_holds(holds) == {third.statement.hold: third}
    assert kept.of_holds([]) == {}
    store.close()
