"""The chain that nodes fetch while they are killed: a whole node with snapshots of it, and what a store of it must look like."""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import Address, Amount, Height, Timestamp
from node.check import check_store
from node.clock import SystemClock
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.mining.search import search_range
from node.node import Node, NodeConfig
from node.p2p.network import Network, NetworkSettings
from node.p2p.snapshot_files import SnapshotHeights
from tests.node.stored_chain import DERIVED
from tests.node.watching import wait_until
from tests.support.crash.life import STORE_FILE, digest_rows
from tests.support.memory_chain import Scenario, sim_params
from tests.support.shop import FAN, FRIEND

LOOPBACK: Final = "127.0.0.1"
HEIGHTS: Final = SnapshotHeights(every=20, depth=10)
KEEP_BLOCKS: Final = 30
BLOCKS: Final = 115
"""The snapshot is that of block 100; a node that prunes keeps the blocks from 70 on, or some more."""
TRANSFERS_A_BLOCK: Final = 4
PARAMS: Params = replace(sim_params(FAN.address), validity_blocks_max=15)
NONCES_MAX: Final = 1_000_000


def open_peer(folder: Path, keep_blocks: int | None) -> Node:
    """A node of this chain."""
    return Node(NodeConfig(folder, PARAMS, keep_blocks=keep_blocks), SystemClock())


@contextmanager
def whole_peer(folder: Path) -> Iterator[tuple[Node, Network]]:
    """A node that has all blocks and a snapshot, and takes connections."""
    node = open_peer(folder, None)
    network = Network(node, NetworkSettings(listen=(LOOPBACK, 0), snapshots=HEIGHTS))
    network.start()
    try:
        _fill(node)
        wait_until(lambda: bool(network._snapshots.settings.shelf.whole()), 60)
        yield node, network
    finally:
        network.close()
        node.close()


def _fill(node: Node) -> None:
    """Blocks a second apart from long ago, with transfers to new accounts."""
    signing = Scenario(params=PARAMS)
    for height in range(1, BLOCKS + 1):
        with node.lock:
            sent = [_transfer(signing, height, number).raw for number in range(TRANSFERS_A_BLOCK)]
            node.submit_batch(sent)
            transactions = node.mempool.select(PARAMS.block_weight_max)
            template = node.chain.build_template(
                transactions, pay_all_to(FRIEND.address), Timestamp(PARAMS.genesis_time)
            )
            nonce = search_range(struct_prefix(template), template.target, 0, NONCES_MAX)
            assert nonce is not None, "the work of this chain is trivial"
            node.chain.accept_block(with_nonce(template, nonce))


def _transfer(signing: Scenario, height: int, number: int) -> Transaction:
    address = Address(hashlib.sha256(b"account %d %d" % (height, number)).digest())
    first = Height(height)
    window: dict[str, Any] = {"valid_from": first, "valid_until": Height(first + PARAMS.validity_blocks_max - 1)}
    return signing.sign("transfer", Transfer(ToAccount(address), Amount(50_000_000)), author=FAN, **window)


def digest_of_rows(folder: Path, *, with_undo: bool) -> str:
    """A hash of what follows from the chain. Without undo: how much of it a node that prunes has depends on its commits."""
    names = [table.name for table in DERIVED if with_undo or table.name != "undo"]
    with closing(sqlite3.connect(folder / STORE_FILE)) as connection:
        connection.execute("PRAGMA query_only=ON")
        return digest_rows({name: connection.execute(f'SELECT * FROM "{name}"') for name in names})


def look_at_peer(folder: Path, scratch: Path, keep_blocks: int | None) -> int:
    """The height that a killed node had come to. What it left opens and is sound, or an assertion says what is wrong."""
    if not (folder / STORE_FILE).exists():
        return 0
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(folder, scratch)
    node = open_peer(scratch, keep_blocks)
    node.chain.extent.check()
    height = node.chain.tip.height
    node.close()
    report = check_store(f"sqlite:///{scratch / STORE_FILE}", PARAMS)
    assert report.is_good, [str(line) for line in report.lines if not line.is_good]
    return height
