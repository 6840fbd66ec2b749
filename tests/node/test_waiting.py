"""Blocks before their parent or their time: they wait within limits, are taken when it comes, and nothing is said against them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from ledger.block import Block
from ledger.errors import BlockViolation, HeaderViolation, Malformed
from ledger.header_chain import HEADER_VERSION, HEADER_WORK
from ledger.pow import BITS_ZERO
from node.chain import KNOWN_INVALID, TOO_EARLY, UNKNOWN_PARENT, WRONG_ROOT, Ahead
from node.clock import ManualClock
from node.errors import NodeError
from node.node import Node, NodeConfig
from node.store.engine import STORE_FAILED
from node.tip import AcceptedBlock
from node.waiting import RETRY_SECONDS, TOO_EASY, Offered, WaitingBlock, WaitingBlocks, WaitingLimits
from tests.node.forged_blocks import child_of, forge, work_on
from tests.node.stored_chain import StoredChain
from tests.support.branching_chain import BranchingChain
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN

PARAMS = sim_params(FAN.address)
LIMIT_SECONDS = 240
"""How far ahead of a node's clock a block of this chain may be."""


@pytest.fixture(scope="module")
def chain() -> BranchingChain:
    """A dozen blocks in a row, a minute apart."""
    made = BranchingChain(params=PARAMS)
    made.mine(12)
    return made


@pytest.fixture
def store(tmp_path: Path, chain: BranchingChain) -> Iterator[StoredChain]:
    made = StoredChain(tmp_path / "store.sqlite", PARAMS)
    made.clock.set(chain.time)
    yield made
    made.close()


def place(store: StoredChain, **limits: int) -> WaitingBlocks:
    return WaitingBlocks(store.chain, store.clock, WaitingLimits(**limits))


def waits(offered: Offered, until: int | None = None) -> bool:
    """Whether the block waits, and for what."""
    return isinstance(offered.result, WaitingBlock) and offered.result.due == until and not offered.released


def test_a_branch_that_arrives_backwards_is_connected_when_its_first_block_comes(
    store: StoredChain, chain: BranchingChain
) -> None:
    waiting = place(store)
    first, *others = chain.blocks
    for block in reversed(others):
        assert waits(waiting.offer(block))
    assert (len(waiting), store.chain.tip.height) == (11, 0)
    assert waiting.bytes == sum(len(block.encode()) for block in others)
    offered = waiting.offer(first)
    assert isinstance(offered.result, AcceptedBlock)
    assert [one.hash for one in offered.released] == [block.hash for block in others]
    assert all(isinstance(one.result, AcceptedBlock) for one in offered.released)
    assert (len(waiting), waiting.bytes, store.chain.tip.height) == (0, 0, 12)
    assert waiting.poll() == ()


def test_a_block_waits_for_its_time_and_its_children_wait_for_it(store: StoredChain, chain: BranchingChain) -> None:
    waiting = place(store)
    first, second, third = chain.blocks[:3]
    store.clock.set(first.header.time - LIMIT_SECONDS - 1)
    due = first.header.time - LIMIT_SECONDS
    assert waits(waiting.offer(first), due)
    assert waits(waiting.offer(first), due), "the same once more is the same"
    assert waits(waiting.offer(third))
    assert waits(waiting.offer(second))
    assert len(waiting) == 3
    assert waiting.poll() == ()
    store.clock.set(due)
    released = waiting.poll()
    assert [one.hash for one in released] == [first.hash, second.hash]
    assert isinstance(released[0].result, AcceptedBlock)
    assert isinstance(released[1].result, WaitingBlock), "its own time has not come"
    assert store.chain.tip.hash == first.hash
    store.clock.set(third.header.time)
    assert [one.hash for one in waiting.poll()] == [second.hash, third.hash]
    assert store.chain.tip.hash == third.hash
    assert len(waiting) == 0


def test_a_clock_that_is_set_back_only_makes_it_wait_again(store: StoredChain, chain: BranchingChain) -> None:
    waiting = place(store)
    first = chain.blocks[0]
    store.clock.set(first.header.time - LIMIT_SECONDS - 10)
    waiting.offer(first)
    store.clock.set(first.header.time - LIMIT_SECONDS - 500)
    assert waiting.poll() == ()
    store.clock.set(first.header.time)
    assert isinstance(waiting.offer(first).result, AcceptedBlock), "sent again when its time has come"
    assert len(waiting) == 0


def test_what_is_too_far_ahead_is_refused_and_not_condemned(store: StoredChain, chain: BranchingChain) -> None:
    waiting = place(store, ahead_seconds_max=1_000)
    first, second = chain.blocks[:2]
    store.clock.set(first.header.time - 1_001)
    with refused(TOO_EARLY, BlockViolation):
        waiting.offer(first)
    with refused(UNKNOWN_PARENT, BlockViolation):
        waiting.offer(second)
    assert len(waiting) == 0
    store.clock.set(first.header.time - 1_000)
    assert waits(waiting.offer(first), first.header.time - LIMIT_SECONDS)


def test_the_oldest_makes_room(store: StoredChain, chain: BranchingChain) -> None:
    waiting = place(store, count_max=3)
    for block in chain.blocks[1:6]:
        waiting.offer(block)
    assert [block.hash in waiting for block in chain.blocks[1:6]] == [False, False, True, True, True]
    assert waiting.dropped == 2
    size = len(chain.blocks[1].encode())
    by_bytes = place(store, bytes_max=2 * size + 1)
    for block in chain.blocks[1:6]:
        by_bytes.offer(block)
    assert (len(by_bytes), by_bytes.dropped) == (2, 3)
    assert by_bytes.bytes <= 2 * size + 1
    with refused(UNKNOWN_PARENT, BlockViolation):
        place(store, bytes_max=size - 1).offer(chain.blocks[1])
    for block in chain.blocks:  # what was pushed out is as welcome as ever
        waiting.offer(block)
    assert store.chain.tip.height == 12


def siblings(parent: Block, like: Block, count: int) -> list[Block]:
    """Blocks with good work on one parent."""
    header = {"previous": parent.hash}
    return [forge(like, header={**header, "time": like.header.time + number}) for number in range(count)]


def test_one_parent_has_so_many_waiting_children_only(store: StoredChain, chain: BranchingChain) -> None:
    waiting = place(store, per_parent_max=2, count_max=10)
    unrelated = chain.blocks[8]
    waiting.offer(unrelated)
    made = siblings(chain.blocks[3], chain.blocks[4], 4)
    for block in made:
        waiting.offer(block)
    assert [block.hash in waiting for block in (unrelated, *made)] == [True, False, False, True, True]


def test_what_proves_no_work_has_no_place(store: StoredChain, chain: BranchingChain) -> None:
    waiting = place(store)
    block = chain.blocks[5]
    for header, code, kind in (
        (replace(block.header, version=1), HEADER_VERSION, HeaderViolation),
        (replace(block.header, bits=0x2100FFFF), TOO_EASY, HeaderViolation),
        (replace(block.header, bits=0), BITS_ZERO, Malformed),
        (work_on(block.header, fail=True), HEADER_WORK, HeaderViolation),
    ):
        with refused(code, kind):
            waiting.offer(replace(block, header=header))
    assert len(waiting) == 0


def test_a_bad_block_takes_those_with_it_that_waited_for_it(store: StoredChain, chain: BranchingChain) -> None:
    waiting = place(store)
    waiting.offer(chain.blocks[0])
    bad = forge(chain.blocks[1], commitment={"state_root": bytes(32)})
    child = child_of(bad, chain.blocks[2])
    grandchild = child_of(child, chain.blocks[2])
    for block in (grandchild, child):
        assert waits(waiting.offer(block))
    other = chain.blocks[2]
    waiting.offer(other)
    with refused(WRONG_ROOT, BlockViolation):
        waiting.offer(bad)
    assert [block.hash in waiting for block in (child, grandchild, other)] == [False, False, True]
    with refused(KNOWN_INVALID, BlockViolation, reason=WRONG_ROOT.name):
        waiting.offer(child)
    assert isinstance(waiting.offer(chain.blocks[1]).result, AcceptedBlock)
    assert store.chain.tip.hash == other.hash


def test_a_bad_block_that_waited_is_told_of_with_those_that_waited_for_it(
    store: StoredChain, chain: BranchingChain
) -> None:
    waiting = place(store)
    bad = forge(chain.blocks[1], commitment={"state_root": bytes(32)})
    child = child_of(bad, chain.blocks[2])
    for block in (child, bad):
        waiting.offer(block)
    released = waiting.offer(chain.blocks[0]).released
    faults = [one.result.code for one in released if isinstance(one.result, BlockViolation)]
    assert [one.hash for one in released] == [bad.hash, child.hash]
    assert faults == [WRONG_ROOT, KNOWN_INVALID]
    assert len(waiting) == 0


def test_a_store_that_fails_makes_them_wait_a_little(
    store: StoredChain, chain: BranchingChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = place(store)
    first, second, third = chain.blocks[:3]
    for block in (second, third):
        waiting.offer(block)
    real, calls = store.chain.accept_block, []

    def failing_once(block: Block, ahead: Ahead) -> AcceptedBlock:
        calls.append(block)
        if len(calls) == 2:
            raise NodeError(STORE_FAILED, reason="a disk that fails")
        return real(block, ahead)

    monkeypatch.setattr(store.chain, "accept_block", failing_once)
    (failed,) = waiting.offer(first).released
    assert isinstance(failed.result, NodeError)
    assert len(waiting) == 2
    assert waiting.poll() == ()
    store.clock.set(store.clock.now() + RETRY_SECONDS)
    assert [one.hash for one in waiting.poll()] == [second.hash, third.hash]
    assert store.chain.tip.hash == third.hash


def test_a_node_takes_blocks_in_any_order_and_by_its_clock(tmp_path: Path, chain: BranchingChain) -> None:
    clock = ManualClock(chain.blocks[-1].header.time - LIMIT_SECONDS - 60)
    node = Node(NodeConfig(tmp_path, PARAMS, waiting_limits=WaitingLimits(count_max=100)), clock)
    for block in reversed(chain.blocks):
        node.accept_block(block)
    assert node.chain.tip.height == 11
    clock.set(chain.blocks[-1].header.time)
    (released,) = node.poll_waiting()
    assert isinstance(released.result, AcceptedBlock)
    assert node.chain.state_root == chain.state.root()
    node.close()


def test_a_fault_of_the_database_is_the_callers_to_know(
    store: StoredChain, chain: BranchingChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OperationalError("statement", {}, Exception("disk I/O error"))

    waiting = place(store)
    with monkeypatch.context() as patched:
        patched.setattr(store.chain._blocks, "add", broken)
        with refused(STORE_FAILED, NodeError):
            waiting.offer(chain.blocks[0])
    assert isinstance(waiting.offer(chain.blocks[0]).result, AcceptedBlock)
