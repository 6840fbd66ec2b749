"""What the API says of transactions when the chain leaves one branch for another."""

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from api.http.app import create_app
from api.http.settings import HttpSettings
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.transaction import Transaction
from ledger.types import Amount
from node.clock import ManualClock
from node.mining.miner import pay_all_to
from node.node import Node, NodeConfig
from tests.support.branching_chain import BranchingChain
from tests.support.memory_chain import FUNDS, Signer, sim_params
from tests.support.shop import FAN, FRIEND, STRANGER

PARAMS = sim_params(FAN.address, FRIEND.address, STRANGER.address, validity_blocks_max=20)
MINER = Signer.named("miner").address


def test_a_transaction_is_confirmed_waits_and_is_dropped_as_branches_come_and_go(tmp_path: Path) -> None:
    chain = BranchingChain(params=PARAMS)
    chain.mine(2)
    trunk = chain.tip.block.hash

    def pay(author: Signer, amount: int = 5_000, **body: Any) -> Transaction:
        return chain.sign("transfer", Transfer(ToAccount(STRANGER.address), Amount(amount)), author=author, **body)

    both, only_old, impossible = pay(FAN), pay(FRIEND), pay(FRIEND, FUNDS * 2 // 3)
    short, waiting = pay(FAN, valid_until=4), pay(FAN)
    rival = pay(FRIEND, FUNDS * 2 // 3, valid_from=3)
    chain.block(both, only_old)
    chain.block(impossible, short)
    old = [twig.block for twig in chain.path[1:]]
    chain.go_to(trunk)
    chain.block(rival, time=chain.time + 61)
    chain.block(both)
    chain.block(waiting)
    chain.mine()
    new = [twig.block for twig in chain.path[3:]]
    node = Node(NodeConfig(tmp_path, PARAMS), ManualClock(chain.time))
    with TestClient(create_app(node, HttpSettings(rate_limited=False)), base_url="http://node") as http:

        def status(transaction: Transaction) -> tuple[str, int | str | None]:
            found = http.get(f"/v1/transactions/{transaction.txid.hex()}").json()
            return found["status"], found.get("height") or found.get("code")

        for block in old:
            node.accept_block(block)
        assert not isinstance(node.submit_batch([waiting.raw])[0], Exception)
        assert [status(tx) for tx in (both, only_old, impossible, short)] == [
            ("confirmed", 3),
            ("confirmed", 3),
            ("confirmed", 4),
            ("confirmed", 4),
        ]
        assert status(waiting) == ("unconfirmed", None)
        for block in reversed(new):
            node.accept_block(block)
        assert node.chain.tip.hash == new[-1].hash
        assert status(rival) == ("confirmed", 3)
        assert status(both) == ("confirmed", 4)
        assert status(waiting) == ("confirmed", 5)
        assert status(only_old) == ("unconfirmed", None)
        assert status(impossible) == ("dropped", "coin.insufficient")
        assert status(short) == ("dropped", "envelope.expired")
        gone = http.get(f"/v1/transactions/{impossible.txid.hex()}").json()
        assert gone["confirmations"] == 0
        assert gone["detail"]
        figures = http.get("/metrics").text
        assert "fansumer_reorganisation_deepest_blocks 2.0" in figures
        assert 'fansumer_blocks_total{change="disconnected"} 2.0' in figures
        template = node.chain.build_template(node.mempool.select(10**6), pay_all_to(MINER), chain.time)
        assert list(template.block.transactions) == [only_old.raw]
        back = BranchingChain(params=PARAMS)  # and back to the first branch, which grew meanwhile
        for block, made in zip(old, (chain.twigs[one.hash].mined for one in old), strict=True):
            assert made is not None
            back.block(*made.transactions, time=block.header.time)
        back.mine(4)
        for block in back.blocks[len(old) :]:
            node.accept_block(block)
        assert node.chain.tip.hash == back.tip.block.hash
        assert [status(tx) for tx in (both, only_old, impossible, short)] == [
            ("confirmed", 3),
            ("confirmed", 3),
            ("confirmed", 4),
            ("confirmed", 4),
        ]
        assert status(waiting) == ("unconfirmed", None)
        assert status(rival) == ("dropped", "coin.insufficient")
    node.close()
