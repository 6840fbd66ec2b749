"""A broken invariant ends all writing, a thread that dies is told, a store that fails is told until it works again."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.block import Block
from ledger.types import Timestamp
from node.chain import AcceptedBlock
from node.clock import ManualClock
from node.errors import NodeError
from node.health import BROKEN, THREAD_DIED, Health
from node.node import Node, NodeConfig
from node.store.engine import STORE_FULL
from tests.node.stored_chain import MINER
from tests.node.watching import nothing_left_behind, wait_until
from tests.support.memory_chain import GENESIS_TIME, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN

PARAMS = sim_params(FAN.address)
ends_with_a_traceback = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with nothing_left_behind():
        made = Node(NodeConfig(tmp_path, PARAMS), ManualClock(GENESIS_TIME + 3_600))
        yield made
        made.close()


def failing(node: Node, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], BaseException | None]) -> None:
    """Let the chain raise what `fault` makes, as long as it makes something, whenever a block comes."""
    real = node.chain.accept_block

    def accept(block: Block) -> AcceptedBlock:
        found = fault()
        if found is not None:
            raise found
        return real(block)

    monkeypatch.setattr(node.chain, "accept_block", accept)


def mining_has_ended(node: Node) -> bool:
    assert node.miner is not None
    thread = node.miner._thread
    return thread is not None and not thread.is_alive()


@ends_with_a_traceback
def test_a_broken_invariant_while_mining_ends_all_writing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(node, monkeypatch, lambda: AssertionError("points do not add up"))
    node.start_miner(MINER, workers=1).start()
    wait_until(lambda: mining_has_ended(node))
    assert node.health.is_broken.is_set()
    for action in (
        node.health.check,
        node.health.check_unbroken,
        lambda: node.submit_batch([b""]),
        lambda: node.dry_run(b""),
        lambda: node.miner and node.miner.mine_one(Timestamp(GENESIS_TIME + 60)),
    ):
        with refused(BROKEN, NodeError, reason="points do not add up"):
            action()
    with node.reader.snapshot() as view:
        assert view.tip().height == 0, "reading goes on"


def test_a_broken_invariant_in_a_submission_ends_all_writing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise AssertionError

    miner = node.start_miner(MINER, workers=0)
    miner.start()
    wait_until(lambda: node.chain.tip.height > 0)
    monkeypatch.setattr(node.mempool, "submit_batch", fail)
    with pytest.raises(AssertionError):
        node.submit_batch([b""])
    wait_until(lambda: mining_has_ended(node))
    with refused(BROKEN, NodeError, reason="an assertion without words"):
        node.health.check()


@ends_with_a_traceback
def test_a_miner_that_dies_of_something_else_is_told_and_the_rest_goes_on(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(node, monkeypatch, lambda: RuntimeError("can't start new process"))
    node.start_miner(MINER, workers=0).start()
    wait_until(lambda: mining_has_ended(node))
    with refused(THREAD_DIED, NodeError, thread="miner"):
        node.health.check()
    node.health.check_unbroken()
    assert len(node.submit_batch([b""])) == 1


def test_a_store_that_takes_no_block_is_told_until_it_does(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    is_full = threading.Event()
    is_full.set()
    failing(node, monkeypatch, lambda: NodeError(STORE_FULL, path="store") if is_full.is_set() else None)
    node.start_miner(MINER, workers=0).start()
    time.sleep(0.3)
    with refused(STORE_FULL, NodeError):
        node.health.check()
    is_full.clear()
    wait_until(lambda: node.health._failing is None)
    assert node.chain.tip.height == 1
    node.health.check()


def test_a_node_that_is_closed_has_nothing_to_tell(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, PARAMS), ManualClock(GENESIS_TIME + 3_600))
    node.start_miner(MINER, workers=1).start()
    node.close()
    node.health.check()


def test_the_first_and_the_gravest_is_told() -> None:
    health = Health()
    health.note_store(NodeError(STORE_FULL, path="store"))
    for name in ("first", "second"):
        with pytest.raises(RuntimeError), health.watching(name):
            raise RuntimeError
    with refused(THREAD_DIED, NodeError, thread="first"):
        health.check()
    for text in ("one", "two"):
        with pytest.raises(AssertionError), health.watching("first"):
            raise AssertionError(text)
    with refused(BROKEN, NodeError, reason="one"):
        health.check()
