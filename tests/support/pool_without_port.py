"""A pool whose port is never opened: with a block and a share in its book, for what reads them."""

from types import SimpleNamespace
from typing import cast

from ledger.types import Amount, Work
from node.node import Node
from node.stratum.book import MiningBook
from node.stratum.pool import Pool
from node.stratum.server import StratumServer
from node.stratum.shares import PoolBlock
from tests.support.stratum_world import ALICE, BOB


def add_pool(node: Node) -> PoolBlock:
    """Let `node` have one, in which ALICE's share counted for the tip."""
    pool = Pool(node, MiningBook(node.config.data_dir))
    pool.present = frozenset({ALICE.address, BOB.address})
    tip, now = node.chain.tip, node.clock.now()
    share = pool.shares.add(time=now, address=ALICE.address, worker="rig-1", weight=Work(2), header=tip.header)
    window = pool.window()
    found = PoolBlock(tip.hash, tip.height, now, window, pool.payees(window, Amount(5_000)), is_active=True)
    pool.shares.put_block(found)
    pool.book.write([share], [found])
    port = SimpleNamespace(pool=pool, port=3_333, is_serving=True, close=pool.book.close)
    node.stratum = cast("StratumServer", port)
    return found
