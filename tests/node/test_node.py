"""A node as a whole: opened, used from several threads, closed, and nothing of it left."""

import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import LedgerError
from ledger.types import Amount, Height, Timestamp
from node.clock import ManualClock, SystemClock
from node.errors import NodeError
from node.mempool.policy import MempoolLimits
from node.mempool.pool import FULL
from node.node import Node, NodeConfig
from node.store.engine import STORE_FAILED, StoreLock
from tests.node.stored_chain import MINER
from tests.node.watching import nothing_left_behind
from tests.support.memory_chain import GENESIS_TIME, Scenario, sim_params
from tests.support.processes import join_all
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND

PARAMS = sim_params(FAN.address)


def open_node(folder: Path) -> Node:
    return Node(NodeConfig(folder, PARAMS), ManualClock(GENESIS_TIME + 3_600))


def test_it_is_opened_and_closed_again_and_again_and_leaves_nothing(tmp_path: Path) -> None:
    with nothing_left_behind():
        for height in range(3):
            node = open_node(tmp_path)
            assert node.chain.tip.height == height
            miner = node.start_miner(MINER, workers=1)
            result = miner.mine_one(Timestamp(GENESIS_TIME + 60 * (height + 1)))
            assert result is not None
            assert result.is_tip
            with node.reader.snapshot() as snapshot:
                assert snapshot.tip().hash == result.hash
            node.close()
            node.close()
            StoreLock(tmp_path).release()
    assert not list(tmp_path.glob("*-wal")), "the write-ahead log was folded into the file"


def test_it_works_with_the_computers_clock(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, PARAMS, limits=MempoolLimits(weight_max=10)))
    assert isinstance(node.clock, SystemClock)
    assert node.clock.now() > GENESIS_TIME
    transfer = Scenario(params=PARAMS).sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    (result,) = node.submit_batch([transfer.raw])
    assert isinstance(result, NodeError)
    assert result.code is FULL
    assert node.dry_run(transfer.raw).codes == ("",)
    node.close()


def test_opening_that_fails_half_way_gives_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("statement", {}, Exception("disk I/O error"))

    with nothing_left_behind():
        for place in ("node.node.migrate", "node.node.Mempool", "node.node.Reader", "node.chain.Chain._load"):
            with monkeypatch.context() as patch:
                patch.setattr(place, fail)
                with pytest.raises((OperationalError, NodeError)):
                    open_node(tmp_path)
            open_node(tmp_path).close()


def test_a_fault_while_opening_the_chain_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("statement", {}, Exception("disk I/O error"))

    monkeypatch.setattr("node.chain.Chain._load", fail)
    with refused(STORE_FAILED, NodeError, reason="disk I/O error"):
        open_node(tmp_path)


def test_many_threads_submit_and_read_while_blocks_are_mined(tmp_path: Path) -> None:
    scenario = Scenario(params=PARAMS)
    node = open_node(tmp_path)
    miner = node.start_miner(MINER, workers=0)
    raws = [
        scenario.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000 + index)), author=FAN).raw
        for index in range(120)
    ]
    faults: list[BaseException] = []

    def submit(part: list[bytes]) -> None:
        try:
            for start in range(0, len(part), 5):
                for result in node.submit_batch(part[start : start + 5]):
                    assert not isinstance(result, LedgerError), str(result)
        except BaseException as fault:
            faults.append(fault)
            raise

    def read() -> None:
        try:
            for _ in range(60):
                with node.reader.snapshot() as snapshot:
                    tip = snapshot.tip()
                    assert snapshot.hash_at(tip.height) == tip.hash
                    assert snapshot.hash_at(Height(tip.height + 1)) is None
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=submit, args=(raws[number::3],)) for number in range(3)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1, 13):
        assert miner.mine_one(Timestamp(GENESIS_TIME + 60 * number)) is not None
    join_all(threads, "those who submit and read beside the miner")
    assert not faults
    assert miner.mine_one(Timestamp(GENESIS_TIME + 60 * 13)) is not None
    with node.lock:
        blocks = [node.chain.block_at(Height(height)) for height in range(1, 14)]
    assert sorted(raw for block in blocks if block for raw in block.transactions) == sorted(raws)
    node.close()
