"""The node that is killed while it prunes, or while it begins with a snapshot and verifies the history behind it.

    python -m tests.support.crash.peer_driver PORT GOAL

PORT is that of a whole node on this computer, GOAL the hash of its last block. An order is one line of JSON on standard input: as
in `tests.support.crash.driver`, with the phase `pruning` or `snapshot`. The child opens the folder's store, fetches what it lacks,
tells how far it is, and closes when it has all that it is to have.
"""

import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final

import structlog

from node.node import Node
from node.p2p.address import PeerName
from node.p2p.network import Network, NetworkSettings
from tests.support.crash.driver import FAILED, report
from tests.support.crash.injection import PRUNING, SNAPSHOT, Injector, Order
from tests.support.crash.peer_chain import HEIGHTS, KEEP_BLOCKS, LOOPBACK, open_peer

LOOK_SECONDS: Final = 0.005
QUIET_LEVEL: Final = 50


def stage_of(node: Node, goal: bytes) -> str:
    """How far it is, for people."""
    extent, is_there = node.chain.extent, node.chain.tip.hash == goal
    if not node.chain.tip.height:
        return "nothing"
    if extent.snapshot:
        return "verifying"
    if extent.history_from:
        return "taking-over"
    return "whole" if is_there else "following"


def carry_out(order: Order, port: int, goal: bytes) -> None:
    """Open the store, fetch what is missing, close. Does not come back if the order is reached."""
    injector = Injector(order)
    injector.phase = order.phase
    node = open_peer(Path(order.folder), KEEP_BLOCKS if order.phase == PRUNING else None)
    is_snapshot = order.phase == SNAPSHOT
    named = (PeerName(LOOPBACK, port),)
    network = Network(node, NetworkSettings(named=named, begins_with_snapshot=is_snapshot, snapshots=HEIGHTS))
    network.start()
    stage = ""
    while stage != "whole" or node.chain.tip.hash != goal:
        found = stage_of(node, goal)
        if found != stage:
            stage = found
            report(f"stage {stage}")
        time.sleep(LOOK_SECONDS)
    tip, root = node.chain.tip.hash.hex(), node.chain.state_root.hex()
    outcome: Any = network.ask(lambda peers: peers.states.fetching.outcome)
    network.close()
    node.close()
    report("counts " + json.dumps([[*key, count] for key, count in injector.counts.items()]))
    report(f"closed {tip} {root} {outcome}")


def main(port: str, goal: str) -> None:
    """Wait for orders; everything is imported once, so that a child starts at once."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(QUIET_LEVEL))
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = FAILED
            try:
                carry_out(Order(**json.loads(line)), int(port), bytes.fromhex(goal))
                status = 0
            except BaseException:  # noqa: BLE001  # the child's traceback is shown, and its end is reported
                traceback.print_exc()
            finally:
                os._exit(status)
        report(f"child {child}")
        _, ended = os.waitpid(child, 0)
        report(f"ended {os.waitstatus_to_exitcode(ended)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
