"""A node that is killed in the middle of its work finds everything that it had reported, and goes on."""

import random
import sys
import time
from pathlib import Path

from ledger.types import Height
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.node.stored_chain import StoredChain
from tests.support.memory_chain import GENESIS_TIME, sim_params
from tests.support.processes import child
from tests.support.shop import FAN

KILLS = 3
SEED = 20

MINE_FOR_EVER = """
import sys
from pathlib import Path
from api.cli.logs import configure_log
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Amount, Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.support.memory_chain import GENESIS_TIME, Scenario, sim_params
from tests.support.shop import FAN, FRIEND

configure_log("error")
params = sim_params(FAN.address)
signing = Scenario(params=params)
node = Node(NodeConfig(Path(sys.argv[1]), params), ManualClock(GENESIS_TIME + 10**8))
miner = node.start_miner(FRIEND.address, workers=0)
while True:
    height = node.chain.tip.height + 1
    for index in range(10):
        transfer = signing.sign(
            "transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000 + index)), author=FAN,
            valid_from=height, valid_until=height, salt=(height * 100 + index).to_bytes(8, "big"),
        )
        node.submit_batch([transfer.raw])
    result = miner.mine_one(Timestamp(GENESIS_TIME + 60 * height))
    print(height, result.hash.hex(), flush=True)
"""


def test_nothing_that_was_reported_is_lost(tmp_path: Path) -> None:
    script, folder = tmp_path / "mine.py", tmp_path / "data"
    script.write_text(MINE_FOR_EVER)
    reported: dict[int, str] = {}
    moments = random.Random(SEED)
    for _ in range(KILLS):
        command = [sys.executable, str(script), str(folder)]
        with child(command, "the first block of a node") as node:
            assert node.stdout is not None
            first = node.stdout.readline()
            time.sleep(moments.random() * 0.4)
            node.kill()
            lines = [first, *node.stdout.readlines()]
        for line in lines:
            if line.endswith("\n"):
                height, block_hash = line.split()
                assert reported.setdefault(int(height), block_hash) == block_hash, f"seed {SEED}"
    params = sim_params(FAN.address)
    node = Node(NodeConfig(folder, params), ManualClock(GENESIS_TIME + 10**8))
    tip = node.chain.tip
    assert len(reported) >= KILLS
    assert tip.height in (max(reported), max(reported) + 1), f"seed {SEED}"
    blocks = []
    for height in range(1, tip.height + 1):
        block = node.chain.block_at(Height(height))
        assert block is not None
        assert len(block.transactions) == 10
        assert block.hash.hex() == reported.get(height, block.hash.hex()), f"seed {SEED}"
        blocks.append(block)
    root = node.chain.state_root
    node.close()
    fresh, survived = StoredChain(tmp_path / "fresh.sqlite", params), StoredChain(folder / "chain.sqlite", params)
    fresh.take_all(blocks)
    assert (fresh.chain.state_root, fresh.tables) == (root, survived.tables)
    fresh.close()
    survived.close()
