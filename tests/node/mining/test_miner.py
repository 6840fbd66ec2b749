"""The embedded miner: what it builds on, when it publishes, and how it stops."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.fork_choice import Branch, TieKey, choose
from ledger.networks import DEV_ANCHOR_BITS, DEV_ERA, EASIEST_BITS, make_era
from ledger.types import Amount, Height, Target, Timestamp, Work
from node.clock import ManualClock
from node.errors import NodeError
from node.mining.miner import Miner, pay_all_to, struct_prefix
from node.node import Node, NodeConfig
from node.store.engine import STORE_FAILED
from node.tip import AcceptedBlock, Template
from tests.node.forged_blocks import work_on
from tests.node.stored_chain import MINER, StoredChain
from tests.node.watching import nothing_left_behind, wait_until
from tests.support.memory_chain import GENESIS_TIME, Scenario, Signer, sim_params
from tests.support.shop import FAN, FRIEND

DEV_PARAMS = sim_params(FAN.address, eras=(DEV_ERA,))
HARD_BITS = 0x01010000
"""A target of 1: nobody ever finds it."""
HARD_PARAMS = sim_params(
    FAN.address, eras=((0, 5, 500, EASIEST_BITS, EASIEST_BITS, 0), (2, 5, 500, HARD_BITS, HARD_BITS, 0))
)
"""The second block can't be found; the first one, and others in its place, can."""


DROP_SECONDS_MAX = 1.0
"""From a new tip until work on the old one has ended."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with nothing_left_behind():
        made = Node(NodeConfig(tmp_path, DEV_PARAMS), ManualClock(GENESIS_TIME))
        yield made
        made.close()


def clock_of(node: Node) -> ManualClock:
    assert isinstance(node.clock, ManualClock)
    return node.clock


def test_a_dev_chain_begins_where_a_worker_has_something_to_do() -> None:
    assert DEV_ERA[4] == DEV_ANCHOR_BITS
    assert make_era(0, 5, limit_bits=EASIEST_BITS, anchor_bits=DEV_ANCHOR_BITS, retarget=True) == DEV_ERA


def test_it_mines_what_waits_when_the_time_has_come_and_not_before(node: Node) -> None:
    scenario = Scenario(params=DEV_PARAMS)
    transfer = scenario.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    node.submit_batch([transfer.raw])
    miner = node.start_miner(MINER, workers=1)
    clock = clock_of(node)
    miner.start()
    time.sleep(0.3)
    assert node.chain.tip.height == 0, "not before the parent's time"
    clock.set(GENESIS_TIME + 1)
    wait_until(lambda: node.chain.tip.height == 1)
    time.sleep(0.5)
    assert node.chain.tip.height == 1, "the next one is due T = 5 s later"
    clock.set(GENESIS_TIME + 5)
    time.sleep(0.3)
    assert node.chain.tip.height == 1
    clock.set(GENESIS_TIME + 6)
    wait_until(lambda: node.chain.tip.height == 2)
    with node.lock:
        assert [block.transactions for block in map(node.chain.block_at, (Height(1), Height(2))) if block] == [
            (transfer.raw,),
            (),
        ]
        assert node.chain.tip.header.time == GENESIS_TIME + 6


def test_a_chain_that_slept_is_mined_block_by_block_with_the_present_time(node: Node) -> None:
    miner = node.start_miner(MINER, workers=0)
    clock_of(node).set(GENESIS_TIME + 86_400)
    assert miner.mine_one(node.clock.now()) is not None
    assert miner.earliest_time() == GENESIS_TIME + 86_400 + 5


def test_the_reward_goes_to_the_payout_and_nowhere_if_there_is_none() -> None:
    assert pay_all_to(MINER)(Amount(7)) == ((MINER, 7),)
    assert pay_all_to(MINER)(Amount(0)) == ()


def test_a_prefix_is_the_header_without_its_nonce(node: Node) -> None:
    template = node.start_miner(MINER, workers=0).build(node.clock.now())
    header = work_on(template.block.header)
    assert struct_prefix(template) + header.nonce.to_bytes(4, "little") == header.encode()


def rivals(folder: Path, tie_key: TieKey) -> list[Block]:
    """First blocks, all with the same work; each wins against those before it."""
    store = StoredChain(folder / "rivals.sqlite", HARD_PARAMS)
    blocks = [store.build(time=GENESIS_TIME + 5, miner=Signer.named(f"rival {number}").address) for number in range(4)]
    store.close()
    found: list[Block] = []
    while blocks:
        best = choose([Branch(block.hash, Work(2)) for block in blocks], tie_key)
        found.extend(block for block in blocks if block.hash == best.tip)
        blocks = [block for block in blocks if block.hash != best.tip]
    return found[::-1]


@pytest.fixture
def hard_node(tmp_path: Path) -> Iterator[Node]:
    """A node at the first block; the second can't be found, and workers search until they are stopped."""
    with nothing_left_behind():
        made = Node(NodeConfig(tmp_path, HARD_PARAMS), ManualClock(GENESIS_TIME + 10))
        made.chain.accept_block(rivals(tmp_path, made.chain._tie_key)[0])
        yield made
        made.close()


def searching(miner: Miner) -> threading.Thread:
    """The miner's thread, once it waits for its workers."""
    miner.start()
    time.sleep(1.0)
    thread = miner._thread
    assert thread is not None
    assert thread.is_alive()
    return thread


def test_a_search_under_way_ends_when_the_node_closes(hard_node: Node) -> None:
    thread = searching(hard_node.start_miner(MINER, workers=2))
    began = time.monotonic()
    hard_node.close()
    assert time.monotonic() - began < 5
    assert not thread.is_alive()
    hard_node.close()


def test_a_new_tip_ends_the_search_within_a_second(
    hard_node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    miner = hard_node.start_miner(MINER, workers=1)
    began: list[float] = []
    ended: list[float] = []
    real = miner._search.search

    def watched(prefix: bytes, target: Target, job_id: int, *, seconds_max: float | None = None) -> bytes | None:
        began.append(time.monotonic())
        found = real(prefix, target, job_id, seconds_max=None)
        ended.append(time.monotonic())
        return found

    monkeypatch.setattr(miner._search, "search", watched)
    miner.start()
    wait_until(lambda: len(began) == 1)
    for count, rival in enumerate(rivals(tmp_path, hard_node.chain._tie_key)[1:], start=1):
        assert (len(began), len(ended)) == (count, count - 1), "it searches for nothing but this"
        with hard_node.lock:
            arrived = time.monotonic()
            assert hard_node.chain.accept_block(rival).is_tip
        wait_until(lambda count=count: len(began) == count + 1)
        assert ended[-1] - arrived < DROP_SECONDS_MAX


def test_closing_before_a_search_begins_ends_it_too(hard_node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """`close` comes while the template is made: the search that follows must not start."""
    miner = hard_node.start_miner(MINER, workers=1)
    real = miner.build

    def slow_build(moment: Timestamp) -> Template:
        template = real(moment)
        time.sleep(1.0)
        return template

    monkeypatch.setattr(miner, "build", slow_build)
    miner.start()
    time.sleep(0.5)
    began = time.monotonic()
    hard_node.close()
    assert time.monotonic() - began < 4


def test_a_fault_of_the_store_does_not_end_mining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(NodeConfig(tmp_path, sim_params(FAN.address)), ManualClock(GENESIS_TIME))
    miner = node.start_miner(MINER, workers=0)
    real, calls = node.chain.accept_block, [0]

    def failing_once(block: Block) -> AcceptedBlock:
        calls[0] += 1
        if calls[0] == 1:
            raise NodeError(STORE_FAILED, reason="disk I/O error")
        return real(block)

    monkeypatch.setattr(node.chain, "accept_block", failing_once)
    clock_of(node).set(GENESIS_TIME + 60)
    miner.start()
    wait_until(lambda: node.chain.tip.height == 1)
    assert calls[0] == 2
    node.close()
