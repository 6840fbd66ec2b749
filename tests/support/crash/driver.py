"""The node that is killed: a process that waits for orders, and for each a child that opens a store and takes blocks in.

    python -m tests.support.crash.driver BLOCKS_FILE NUMBERS

NUMBERS are those of the blocks that reorganise, as JSON. An order is one line of JSON on standard input. The child tells on
standard output what it is about to do and what is done; what it says is done must be found by whoever opens the store after it.
"""

import faulthandler
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.block import Block
from node import node as node_module
from node.node import Node
from tests.support.crash.injection import (
    BLOCK,
    CHECKPOINT,
    CLOSING,
    GENESIS,
    MIGRATION,
    OPENING,
    REORGANISATION,
    SYNCING,
    UNREPORTED,
    Injector,
    Order,
)
from tests.support.crash.life import STORE_FILE, open_node, read_blocks, take

CHECKPOINT_BLOCKS = 10
"""Blocks between two checkpoints: SQLite itself makes one only after 64 MB, or when the node closes."""
BATCH_BLOCKS = 7
"""Blocks that a syncing node takes in before it reports them: one commit, or more where the branch changes."""
FAILED = 3


def report(line: str) -> None:
    """Say something at once and whole; a kill afterwards takes nothing of it back."""
    os.write(1, f"{line}\n".encode())


def carry_out(order: Order, blocks: Sequence[Block], reorganising: frozenset[int]) -> None:
    """Open the store, take in what is missing, close. Does not come back if the order is reached."""
    injector = Injector(order)
    node = _open(order, injector)
    report("opened")
    for number in range(order.start, len(blocks)):
        if order.phase == SYNCING:
            break
        injector.phase = REORGANISATION if number in reorganising else BLOCK
        report(f"{injector.phase} {number}")
        if number % 2:
            node.submit_batch(blocks[number].transactions)
        take(node, blocks[number])
        injector.reach(UNREPORTED)
        report(f"took {number} {node.chain.tip.hash.hex()}")
        if number % CHECKPOINT_BLOCKS == CHECKPOINT_BLOCKS - 1 and not order.url:
            _checkpoint(node, injector)
    if order.phase == SYNCING:
        _sync(node, injector, order.start, blocks)
    injector.phase = CLOSING
    report(CLOSING)
    injector.before_checkpoint()
    node.close()
    report("counts " + json.dumps([[*key, count] for key, count in injector.counts.items()]))
    report("closed")


def _open(order: Order, injector: Injector) -> Node:
    real: Any = node_module.migrate
    is_new = order.is_new if order.url else not (Path(order.folder) / STORE_FILE).exists()

    def migrate(engine: Any) -> None:
        injector.phase = MIGRATION
        real(engine)
        injector.phase = GENESIS if is_new else OPENING
        report(injector.phase)

    node_module.migrate = migrate
    report(MIGRATION if is_new else OPENING)
    return open_node(Path(order.folder), order.url or None)


def _sync(node: Node, injector: Injector, start: int, blocks: Sequence[Block]) -> None:
    """Take in many blocks with one commit, where they extend the tip."""
    injector.phase = SYNCING
    for first in range(start, len(blocks), BATCH_BLOCKS):
        report(SYNCING)
        batch = range(first, min(first + BATCH_BLOCKS, len(blocks)))
        tips: list[str] = []
        with node.chain.syncing():
            for number in batch:
                take(node, blocks[number])
                tips.append(node.chain.tip.hash.hex())
        injector.reach(UNREPORTED)
        for number, tip in zip(batch, tips, strict=True):
            report(f"took {number} {tip}")


def _checkpoint(node: Node, injector: Injector) -> None:
    injector.phase = CHECKPOINT
    report(CHECKPOINT)
    injector.before_checkpoint()
    busy, *_ = node.chain._connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    assert not busy, "nobody else reads"
    node.chain._connection.rollback()


def main(blocks_file: str, numbers: str) -> None:
    """Wait for orders; everything is imported and decoded once, so that a child needs a hundredth of a second."""
    blocks, reorganising = read_blocks(Path(blocks_file)), frozenset[int](json.loads(numbers))
    faulthandler.enable()  # whoever waits in vain aborts this process and its child, and sees where they were
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives the orders
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = FAILED
            try:
                carry_out(Order(**json.loads(line)), blocks, reorganising)
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
