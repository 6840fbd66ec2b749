"""The pool between chain and miners, without a port: what it builds, and what becomes of the blocks that it submits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.types import Height, Timestamp, Work
from node.clock import ManualClock
from node.errors import NodeError
from node.mining.engine import search_range
from node.node import Node, NodeConfig
from node.store.engine import STORE_FULL
from node.stratum.book import MiningBook
from node.stratum.jobs import Job, Solution
from node.stratum.pool import Pool
from node.stratum.session import Counted
from tests.support.stratum_world import ALICE, BOB, PARAMS, START


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    found = Node(NodeConfig(tmp_path, PARAMS), ManualClock(START))
    yield found
    found.close()


@pytest.fixture
def pool(node: Node) -> Iterator[Pool]:
    found = Pool(node, MiningBook(node.config.data_dir))
    found.present = frozenset({ALICE.address})
    yield found
    found.flush()
    found.book.close()


def build(pool: Pool) -> Job:
    job = pool.build(complete=True)
    assert job is not None
    return job


def solve(job: Job, *, time: int | None = None, extranonce: int = 0) -> Counted:
    """A block for a job."""
    moment = Timestamp(job.template.block.header.time if time is None else time)
    solution = Solution(extranonce.to_bytes(8, "big"), moment, 0, 0x20000000)
    nonce = search_range(job.header(solution).encode()[:76], job.template.target, 0, 100_000)
    assert nonce is not None, "the work is trivial"
    solution = solution._replace(nonce=nonce)
    header = job.header(solution)
    return Counted(ALICE.address, "", Work(1), job, solution, header, header.hash, is_block=True)


def test_without_anybody_to_pay_there_is_no_job(pool: Pool) -> None:
    pool.present = frozenset()
    assert pool.build(complete=False) is None and pool.build(complete=True) is None


def test_a_chain_without_a_reward_pays_nobody(pool: Pool) -> None:
    assert pool.payees(pool.window(), build(pool).template.reward) == build(pool).payees != ()
    assert pool.payees(pool.window(), type(build(pool).template.reward)(0)) == ()


def test_a_block_that_the_store_does_not_take_is_said_and_can_be_found_again(
    pool: Pool, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = build(pool)

    def refuse(_: object) -> None:
        raise NodeError(STORE_FULL, path="x")

    with monkeypatch.context() as broken:
        broken.setattr(node, "accept_block", refuse)
        assert not pool.submit(solve(job)) and pool.figures.blocks == 0
    with pytest.raises(NodeError):
        node.health.check()
    assert pool.submit(solve(job)) and pool.figures.blocks == 1
    node.health.check()
    known = pool.shares.block(node.chain.tip.hash)
    assert known is not None and known.is_active


def test_a_block_that_has_to_wait_is_in_the_account_before_it_is_in_the_chain(pool: Pool, node: Node) -> None:
    job = build(pool)
    far = START + PARAMS.future_limit_seconds(Height(1)) + 5
    found = solve(job, time=far)
    assert pool.submit(found) and node.chain.tip.height == 0
    known = pool.shares.block(found.hash)
    assert known is not None and not known.is_active
    assert isinstance(node.clock, ManualClock)
    node.clock.set(START + 5)
    node.poll_waiting()
    known = pool.shares.block(found.hash)
    assert node.chain.tip.hash == found.hash and known is not None and known.is_active


def test_a_block_for_another_tip_is_late(pool: Pool, node: Node) -> None:
    job = build(pool)
    assert pool.submit(solve(job)) and not pool.submit(solve(job, extranonce=1))
    assert (pool.figures.blocks, pool.figures.late_blocks, node.chain.tip.height) == (1, 1, 1)


def test_a_quick_job_has_no_transactions_and_the_same_payees(pool: Pool) -> None:
    pool.present = frozenset({ALICE.address, BOB.address})
    quick, whole = pool.build(complete=False), build(pool)
    assert quick is not None and not quick.is_complete and whole.is_complete
    assert quick.payees == whole.payees and len(quick.payees) == 2
    assert quick.units_max == whole.units_max and quick.previous == pool.tip()
