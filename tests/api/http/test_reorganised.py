"""What the API says of transactions when the chain leaves one branch for another."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from api.http.app import create_app
from api.http.settings import HttpSettings
from ledger.block import Block
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


@dataclass(frozen=True)
class Branches:
    """Two branches from the same block, the second one heavier, and the payments in them by what becomes of them."""

    chain: BranchingChain
    old: list[Block]
    new: list[Block]
    payments: dict[str, Transaction]

    def grow_old(self) -> list[Block]:
        """The first branch with four blocks more: it is the heavier one again."""
        back = BranchingChain(params=PARAMS)
        for block in self.old:
            made = self.chain.twigs[block.hash].mined
            assert made is not None
            back.block(*made.transactions, time=block.header.time)
        back.mine(4)
        return back.blocks


def make_branches() -> Branches:
    """`both` is in both; `only_old` fits into the second one, too; `impossible` and `short` do not; `rival` is why."""
    chain = BranchingChain(params=PARAMS)
    chain.mine(2)
    trunk = chain.tip.block.hash

    def pay(author: Signer, amount: int = 5_000, **body: Any) -> Transaction:
        return chain.sign("transfer", Transfer(ToAccount(STRANGER.address), Amount(amount)), author=author, **body)

    made = {
        "both": pay(FAN),
        "only_old": pay(FRIEND),
        "impossible": pay(FRIEND, FUNDS * 2 // 3),
        "short": pay(FAN, valid_until=4),
        "waiting": pay(FAN),
        "rival": pay(FRIEND, FUNDS * 2 // 3, valid_from=3),
    }
    chain.block(made["both"], made["only_old"])
    chain.block(made["impossible"], made["short"])
    old = [twig.block for twig in chain.path[1:]]
    chain.go_to(trunk)
    chain.block(made["rival"], time=chain.time + 61)
    chain.block(made["both"])
    chain.block(made["waiting"])
    chain.mine()
    return Branches(chain, old, [twig.block for twig in chain.path[3:]], made)


ON_OLD = {
    "both": ("confirmed", 3),
    "only_old": ("confirmed", 3),
    "impossible": ("confirmed", 4),
    "short": ("confirmed", 4),
    "waiting": ("unconfirmed", None),
}
ON_NEW = {
    "rival": ("confirmed", 3),
    "both": ("confirmed", 4),
    "waiting": ("confirmed", 5),
    "only_old": ("unconfirmed", None),
    "impossible": ("dropped", "coin.insufficient"),
    "short": ("dropped", "envelope.expired"),
}


def test_a_transaction_is_confirmed_waits_and_is_dropped_as_branches_come_and_go(tmp_path: Path) -> None:
    branches = make_branches()
    payments = branches.payments
    node = Node(NodeConfig(tmp_path, PARAMS), ManualClock(branches.chain.time))
    with TestClient(create_app(node, HttpSettings(rate_limited=False)), base_url="http://node") as http:

        def statuses(names: Iterable[str]) -> dict[str, tuple[str, int | str | None]]:
            answers = {name: http.get(f"/v1/transactions/{payments[name].txid.hex()}").json() for name in names}
            return {
                name: (found["status"], found.get("height") or found.get("code")) for name, found in answers.items()
            }

        for block in branches.old:
            node.accept_block(block)
        assert not isinstance(node.submit_batch([payments["waiting"].raw])[0], Exception)
        assert statuses(ON_OLD) == ON_OLD
        for block in reversed(branches.new):
            node.accept_block(block)
        assert node.chain.tip.hash == branches.new[-1].hash
        assert statuses(ON_NEW) == ON_NEW
        gone = http.get(f"/v1/transactions/{payments['impossible'].txid.hex()}").json()
        assert gone["confirmations"] == 0
        assert gone["detail"]
        figures = http.get("/metrics").text
        assert "fansumer_reorganisation_deepest_blocks 2.0" in figures
        assert 'fansumer_blocks_total{change="disconnected"} 2.0' in figures
        template = node.chain.build_template(node.mempool.select(10**6), pay_all_to(MINER), branches.chain.time)
        assert list(template.block.transactions) == [payments["only_old"].raw]
        grown = branches.grow_old()
        for block in grown[len(branches.old) :]:
            node.accept_block(block)
        assert node.chain.tip.hash == grown[-1].hash
        assert statuses(ON_OLD) == ON_OLD
        assert statuses(["rival"]) == {"rival": ("dropped", "coin.insufficient")}
    node.close()
