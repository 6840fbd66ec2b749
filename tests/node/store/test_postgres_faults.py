"""PostgreSQL that goes away: a session cut at any moment, a commit without an answer, a server that stops, a killed node."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import (
    Engine,
    event,
)
from sqlalchemy.exc import OperationalError

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Code
from ledger.types import Amount, Height
from node.check import check_store
from node.clock import ManualClock
from node.errors import NodeError
from node.node import Node, NodeConfig
from node.store import postgres as module
from node.store.engine import (
    STORE_CORRUPT,
    STORE_IN_USE,
    STORE_UNREACHABLE,
)
from node.tip import TipChanged
from tests.node.stored_chain import MINER, StoredChain, StoredScenario, replay
from tests.support.memory_chain import GENESIS_TIME, sim_params
from tests.support.postgres import NO_POSTGRES, LocalServer, Postgres, find_binaries
from tests.support.processes import child
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND
from tests.support.stores import change_store, store_url, stores_on

PARAMS = sim_params(FAN.address)


@pytest.fixture(autouse=True)
def server(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """Every store here is on a real server; whoever finds it taken does not wait long."""
    monkeypatch.setitem(module.WRITER_SETTINGS, "lock_timeout", "200")
    with stores_on(postgres):
        yield postgres


def transfers(scenario: StoredScenario, count: int) -> None:
    for index in range(count):
        scenario.send("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000 + index)), author=FAN)


# --- a session that is cut ---


def code_of_failure(action: Callable[[], object]) -> Code | None:
    try:
        action()
    except NodeError as fault:
        return fault.code
    return None


@contextmanager
def cutting(server: Postgres, store: StoredChain, after: int) -> Iterator[list[int]]:
    """Cut the writer's session at its next statement but `after`."""
    count = [0]

    def cut(*_: Any) -> None:
        count[0] += 1
        if count[0] == after + 1:
            assert server.cut_writers(store.url) == 1

    event.listen(store.engine, "before_cursor_execute", cut)
    try:
        yield count
    finally:
        event.remove(store.engine, "before_cursor_execute", cut)


def take_with_cuts(server: Postgres, folder: Path, base: list[Block], block: Block, step: int) -> int:
    """Take `block` on stores that hold `base`, the session cut at each `step`-th statement; how often it was."""
    expected = replay(folder / "expected", PARAMS_OF_SHOP, [])
    expected.take_all([*base, block])
    wanted, tip = expected.tables, expected.chain.tip
    expected.close()
    cuts = 0
    while True:
        store = StoredChain(folder / f"cut-{cuts}", PARAMS_OF_SHOP)
        store.take_all(base)
        before, old_tip = store.tables, store.chain.tip
        heard: list[TipChanged] = []
        store.chain.subscribe(heard.append)
        with cutting(server, store, cuts * step) as count:
            code = code_of_failure(lambda store=store: store.take(block))
            done = count[0] <= cuts * step
        assert code is (None if done else STORE_UNREACHABLE)
        if not done:
            assert store.tables == before
            assert (store.chain.tip, heard) == (old_tip, [])
            store.take(block)
        assert (store.tables, store.chain.tip) == (wanted, tip)
        assert len(heard) == (tip != old_tip)  # a tie that the block lost changes nothing
        store.close()
        if done:
            return cuts
        cuts += 1


PARAMS_OF_SHOP = sim_params(*(signer.address for signer in (FAN, FRIEND)))


def test_a_block_survives_a_session_that_is_cut_at_any_statement(server: Postgres, tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a", FAN, FRIEND, params=PARAMS_OF_SHOP)
    transfers(scenario, 2)
    *base, last = scenario.blocks
    scenario.store.close()
    assert take_with_cuts(server, tmp_path, base, last, step=1) > 5


def test_a_reorganisation_survives_a_session_that_is_cut(server: Postgres, tmp_path: Path) -> None:
    trunk = StoredScenario(tmp_path / "a", FAN, FRIEND, params=PARAMS_OF_SHOP)
    other = StoredScenario(tmp_path / "b", FAN, FRIEND, params=PARAMS_OF_SHOP)
    other._salt = 1_000_000
    transfers(trunk, 2)
    transfers(other, 4)
    trunk.store.close()
    other.store.close()
    *side, last = other.blocks
    # The tie at equal height may be settled either way; the last block decides, or extends.
    assert take_with_cuts(server, tmp_path, [*trunk.blocks, *side[:1]], side[1], step=11) >= 1
    assert take_with_cuts(server, tmp_path, [*trunk.blocks, *side], last, step=11) >= 1


@contextmanager
def losing_the_answer(engine: Engine) -> Iterator[None]:
    """A commit that is done, and whose answer never arrives."""
    commit = engine.dialect.do_commit

    def commit_and_lose(dbapi_connection: Any) -> None:
        commit(dbapi_connection)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    engine.dialect.do_commit = commit_and_lose
    try:
        yield
    finally:
        engine.dialect.do_commit = commit


def test_a_commit_whose_answer_is_lost_is_found_and_told_once(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a", FAN)
    store = StoredChain(tmp_path / "b", scenario.params)
    transfers(scenario, 3)
    first, second, third = scenario.blocks
    store.take(first)
    store.pool.submit(second.transactions[0])
    heard: list[TipChanged] = []
    store.chain.subscribe(heard.append)
    with losing_the_answer(store.engine), refused(STORE_UNREACHABLE, NodeError):
        store.take(second)
    assert store.chain.tip.hash == second.hash, "it was committed"
    assert len(store.pool) == 1
    result = store.take(second)
    assert (result.is_new, result.is_tip) == (False, True)
    assert len(store.pool) == 0, "what it holds does not wait any more"
    store.take(third)
    assert [[block.hash for block in change.connected] for change in heard] == [[second.hash], [third.hash]]
    assert store.tables == scenario.store.tables
    scenario.store.close()
    store.close()


def test_a_node_that_lost_its_session_to_another_writer_keeps_out_and_follows(server: Postgres, tmp_path: Path) -> None:
    first = StoredChain(tmp_path / "a", PARAMS)
    first.mine()
    old = first.mine()
    heard: list[TipChanged] = []
    first.chain.subscribe(heard.append)
    assert server.cut_writers(first.url) == 1
    second = StoredChain(tmp_path / "a", PARAMS)
    scenario = StoredScenario(tmp_path / "rival", FAN)
    transfers(scenario, 4)
    second.clock.set(scenario.blocks[-1].header.time)
    with refused(STORE_UNREACHABLE, NodeError):
        first.build()
    with refused(STORE_IN_USE, NodeError):
        first.build()
    second.take_all(scenario.blocks)
    with refused(STORE_IN_USE, NodeError):
        first.mine()
    second.close()
    first.mine()
    assert (first.chain.tip.height, len(heard)) == (5, 2)
    assert [block.hash for block in heard[0].connected] == [block.hash for block in scenario.blocks]
    assert [block.height for block in heard[0].disconnected] == [2, 1]
    assert heard[0].disconnected[0].hash == old.hash
    first.close()
    scenario.store.close()


def test_reading_beside_the_writer_survives_a_session_that_is_cut(server: Postgres, tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "a", FAN)
    transfers(scenario, 2)
    store = scenario.store
    assert server.cut_writers(store.url) == 1
    transfer = scenario.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    store.chain.state.forget()
    with refused(STORE_UNREACHABLE, NodeError):
        store.pool.submit(transfer.raw)
    store.pool.submit(transfer.raw)
    assert store.chain.block_at(scenario.store.chain.tip.height) == scenario.blocks[-1]
    assert len(store.mine_pool().transactions) == 1
    assert store.chain.tip.height == 3
    store.close()


def test_a_transaction_that_the_server_refused_is_taken_back_whole(tmp_path: Path) -> None:
    """PostgreSQL refuses whatever follows a fault until the transaction is ended."""
    scenario = StoredScenario(tmp_path / "a", FAN)
    transfers(scenario, 1)
    store = StoredChain(tmp_path / "b", scenario.params)
    copied = "INSERT INTO undo SELECT 1, value FROM records LIMIT 1"
    assert change_store(tmp_path / "b", copied) == 1
    before = store.tables
    for _ in range(2):
        with refused(STORE_CORRUPT, NodeError):
            store.take(scenario.blocks[0])
        assert store.tables == before
    assert change_store(tmp_path / "b", "DELETE FROM undo WHERE height = 1") == 1
    assert store.take(scenario.blocks[0]).is_tip
    assert store.tables == scenario.store.tables
    scenario.store.close()
    store.close()


MINE_FOR_EVER = """
import sys
from pathlib import Path
from api.cli.logs import configure_log
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.support.memory_chain import GENESIS_TIME, sim_params
from tests.support.shop import FAN

configure_log("error")
node = Node(NodeConfig(Path(sys.argv[1]), sim_params(FAN.address), sys.argv[2]), ManualClock(GENESIS_TIME + 10**8))
miner = node.start_miner(FAN.address, workers=0)
while True:
    result = miner.mine_one(GENESIS_TIME + 60 * (node.chain.tip.height + 1))
    print(node.chain.tip.height, result.hash.hex(), flush=True)
"""


def test_a_node_that_is_killed_leaves_the_store_to_the_next_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.WRITER_SETTINGS, "lock_timeout", "10000")
    url = store_url(tmp_path / "a")
    (tmp_path / "mine.py").write_text(MINE_FOR_EVER)
    reported: list[str] = []
    for number in range(2):
        command = [sys.executable, str(tmp_path / "mine.py"), str(tmp_path / str(number)), url]
        with child(command, "ten blocks of a node on PostgreSQL") as node:
            assert node.stdout is not None
            lines = [node.stdout.readline() for _ in range(10)]
            node.kill()
            lines += node.stdout.readlines()
        reported.extend(line.split()[1] for line in lines if line.endswith("\n"))
    last = Node(NodeConfig(tmp_path / "last", PARAMS, url))
    kept = [last.chain.header_at(Height(height)).hash.hex() for height in range(1, last.chain.tip.height + 1)]
    assert len(reported) >= 20
    assert set(reported) <= set(kept), "nothing that was reported is lost"
    assert len(kept) <= len(reported) + 2
    last.close()
    assert check_store(url, PARAMS).is_good


# --- a server that is gone ---


@pytest.fixture
def own_server() -> Iterator[LocalServer]:
    """A server that a test may stop."""
    binaries = find_binaries()
    if binaries is None:
        # The server that a URL names is not ours to stop.
        pytest.skip(f"{NO_POSTGRES}: there are no programs to start a second server with")
    found = LocalServer(binaries)
    yield found
    found.remove()


def test_a_node_goes_on_when_its_server_is_back(own_server: LocalServer, tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path / "data", PARAMS, own_server.url), ManualClock(GENESIS_TIME + 3_600))
    miner = node.start_miner(MINER, workers=0)
    miner.mine_one(PARAMS.genesis_time)
    with node.reader.snapshot() as view:
        tip = view.tip()
    own_server.stop()
    for _ in range(2):
        with refused(STORE_UNREACHABLE, NodeError):
            miner.mine_one(PARAMS.genesis_time)
        with pytest.raises(OperationalError), node.reader.snapshot() as view:
            view.tip()
    own_server.start()
    with node.reader.snapshot() as view:
        assert view.tip() == tip
    assert miner.mine_one(PARAMS.genesis_time) is not None
    with node.reader.snapshot() as view:
        assert view.tip().height == 2
    own_server.stop()
    node.close()
    own_server.start()
    again = Node(NodeConfig(tmp_path / "data", PARAMS, own_server.url))
    assert again.chain.tip.height == 2
    again.close()
