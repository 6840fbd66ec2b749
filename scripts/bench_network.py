"""How fast a node syncs from another over loopback beside validating the same blocks from disk, and how a block travels.

Both nodes of the sync run in this one process and share its time, so a node on a machine of its own is faster. The relay is
simulated: its seconds are those of the lines alone (50 ms each), the time that a node works is told beside them.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench_chain import END_OF_TIME, bench_params, opened_chain
from bench_world import World, copy_store, read_blocks
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Amount
from node.clock import ManualClock
from node.intake import take_in
from node.node import Node, NodeConfig
from node.p2p.address import PeerName
from node.p2p.network import Network, NetworkSettings
from tests.simulation.fake_network import Weather
from tests.simulation.people import EVERYBODY
from tests.simulation.quiet import Quiet

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.005
SYNC_SECONDS_MAX = 600
HOPS = 10
HOP_SECONDS = 0.05
LINE_BYTES_PER_SECOND = 12_500_000


def measure_sync(world: World) -> dict[str, Any]:
    """The blocks of transfers: taken in from disk, then by a second node from the first one over loopback."""
    blocks = read_blocks(world.transfers)
    with tempfile.TemporaryDirectory() as name:
        full, empty = Path(name) / "full", Path(name) / "empty"
        for folder in (full, empty):
            copy_store(world.base, folder)
        with opened_chain(full) as chain:
            started = time.perf_counter()
            for _ in take_in(chain, blocks):
                pass
            disk_s = time.perf_counter() - started
        with _running(full, NetworkSettings(listen=(LOOPBACK, 0))) as (one, first):
            assert first.port is not None, "it listens"
            started = time.perf_counter()
            with _running(empty, NetworkSettings(named=(PeerName(LOOPBACK, first.port),))) as (two, _):
                while two.chain.tip.hash != one.chain.tip.hash:
                    assert time.perf_counter() - started < SYNC_SECONDS_MAX, "it does not sync"
                    time.sleep(POLL_SECONDS)
                sync_s = time.perf_counter() - started
    transactions = world.sizes.transfer_blocks * world.sizes.transfers_per_block
    return {"transactions": transactions, "disk_s": disk_s, "sync_s": sync_s}


@contextmanager
def _running(folder: Path, settings: NetworkSettings) -> Iterator[tuple[Node, Network]]:
    node = Node(NodeConfig(folder, bench_params()), ManualClock(END_OF_TIME))
    network = Network(node, settings)
    try:
        network.start()
        yield node, network
    finally:
        network.close()
        node.close()


def measure_relay(count: int) -> dict[str, Any]:
    """A block of transfers that all pools hold, from the first of eleven nodes in a line to the last."""
    quiet = Quiet(HOPS + 1, weather=Weather(HOP_SECONDS, HOP_SECONDS, LINE_BYTES_PER_SECOND))
    try:
        quiet.start(*((hop + 1, hop) for hop in range(HOPS)))
        raws = [
            quiet.people.sign(
                1,
                "transfer",
                Transfer(ToAccount(EVERYBODY[(number + 1) % len(EVERYBODY)].address), Amount(5_000 + number)),
                EVERYBODY[number % len(EVERYBODY)],
            ).raw
            for number in range(count)
        ]
        for node in quiet.nodes:
            node.host.submit(raws)
            list(node.host.arrivals())  # everybody has them: nobody needs to be told
        bytes_before, began = quiet.network.bytes, quiet.timeline.now
        (block,) = quiet.mine(quiet.nodes[0])
        worked_since = time.process_time()
        while quiet.nodes[-1].chain.tip.hash != block.hash:
            quiet.wait(HOP_SECONDS / 50)
        return {
            "transactions": len(block.transactions),
            "block_bytes": len(block.encode()),
            "hop_bytes": (quiet.network.bytes - bytes_before) / HOPS,
            "lines_s": quiet.timeline.now - began,
            "work_ms": 1_000 * (time.process_time() - worked_since) / HOPS,
        }
    finally:
        quiet.close()
