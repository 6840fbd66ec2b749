"""PostgreSQL as the store: its settings, one writer at a time, a session or a server that goes away, and faults in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DatabaseError, DataError, InternalError, OperationalError, ProgrammingError

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Code
from ledger.types import Amount
from node.audit import audit_store
from node.clock import ManualClock
from node.errors import NodeError
from node.node import Node, NodeConfig
from node.store import postgres as module
from node.store.engine import (
    STORE_CORRUPT,
    STORE_FAILED,
    STORE_FULL,
    STORE_IN_USE,
    STORE_REFUSED,
    STORE_UNREACHABLE,
    STORE_URL,
    Bulk,
    describe_store,
    explain_fault,
    open_engine,
    read_url,
)
from node.store.migrate import migrate
from node.store.reader import Reader
from node.store.tables import listing, metadata
from node.tip import TipChanged
from tests.node.lives import live
from tests.node.stored_chain import MINER, StoredChain, StoredScenario, StoredShop, replay
from tests.support.memory_chain import GENESIS_TIME, sim_params
from tests.support.postgres import NO_POSTGRES, LocalServer, Postgres, find_binaries
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND
from tests.support.stores import store_url, stores_on

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


def cut_sessions(server: Postgres, url: str) -> int:
    """End the sessions of the store's writers, as an administrator can; how many there were."""
    schema = url.rpartition("%3D")[2]
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('fansumer store ' || %s::text, 0)",
            (schema,),
        ).all()
    engine.dispose()
    return len(rows)


# --- settings ---


def test_sessions_have_this_projects_settings(tmp_path: Path) -> None:
    url = store_url(tmp_path / "a")
    wanted = {"synchronous_commit": "on", "jit": "off", "TimeZone": "UTC", "application_name": "fansumer"}
    writer, reader = open_engine(url), open_engine(url, read_only=True)
    for engine, read_only in ((writer, "off"), (reader, "on")):
        with engine.connect() as connection:
            found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in wanted}
            assert found == wanted
            assert connection.exec_driver_sql("SHOW default_transaction_read_only").scalar() == read_only
            assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "0"
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        engine.dispose()


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    store = StoredChain(tmp_path / "a", PARAMS)
    reader = Reader(open_engine(store.url, read_only=True))
    with reader.snapshot() as view, pytest.raises(DatabaseError, match="read-only"):
        reader.execute(view._cursor, "DELETE FROM records")
    with reader.snapshot() as view:
        assert view.tip().hash == store.chain.tip.hash, "and reads on"
    reader.close()
    store.close()


def test_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    engine = open_engine(store_url(tmp_path / "a"))
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    engine.dispose()


def test_texts_order_by_their_bytes_whatever_the_servers_language(tmp_path: Path) -> None:
    engine = open_engine(store_url(tmp_path / "a"))
    migrate(engine)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT table_name, column_name, collation_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type = 'character varying' AND table_name <> 'alembic_version'"
        ).all()
    assert {tuple(row) for row in rows} == {("meta", "name", "C"), ("history", "name", "C"), ("listing", "kind", "C")}
    engine.dispose()


# --- many rows at once ---

PAIRS = Table("pairs", MetaData(), Column("number", Integer, primary_key=True), Column("content", LargeBinary))


def test_rows_with_nothing_in_them_and_large_ones(tmp_path: Path) -> None:
    engine = open_engine(store_url(tmp_path / "a"))
    with engine.begin() as connection:
        PAIRS.create(connection)
        bulk = Bulk(connection, insert(PAIRS), ("content", "number"))
        bulk.run([(None, 1), (None, 2)])
        bulk.run([(b"", 3), (None, 4), (bytes(range(256)), 5), (b"\x5c\x00'" * 10**6, 6)])
        rows = {row.number: row.content for row in connection.execute(select(PAIRS))}
    assert rows == {1: None, 2: None, 3: b"", 4: None, 5: bytes(range(256)), 6: b"\x5c\x00'" * 10**6}
    engine.dispose()


def test_a_text_that_is_too_long_is_refused_and_not_cut(tmp_path: Path) -> None:
    engine = open_engine(store_url(tmp_path / "a"))
    migrate(engine)
    with engine.connect() as connection:
        bulk = Bulk(connection, insert(listing), ("parent", "kind", "id", "height", "sequence"))
        with pytest.raises(DataError, match="too long"):
            bulk.run([(b"", "k" * 17, b"", 1, 1)])
    engine.dispose()


# --- one writer ---


def test_two_nodes_exclude_each_other_whatever_their_folders(tmp_path: Path) -> None:
    url = store_url(tmp_path / "a")
    first = Node(NodeConfig(tmp_path / "one", PARAMS, url))
    for folder in ("two", "three"):
        with refused(STORE_IN_USE, NodeError, path=describe_store(read_url(url))):
            Node(NodeConfig(tmp_path / folder, PARAMS, url))
    assert audit_store(tmp_path / "one", PARAMS, database_url=url).is_good, "an audit may read beside it"
    first.start_miner(MINER, workers=0).mine_one(PARAMS.genesis_time)
    first.close()
    second = Node(NodeConfig(tmp_path / "two", PARAMS, url))
    assert second.chain.tip.height == 1
    second.close()


def test_migrations_are_a_writers_work_too(tmp_path: Path) -> None:
    store = StoredChain(tmp_path / "a", PARAMS)
    engine = open_engine(store.url)
    with refused(STORE_IN_USE, NodeError):
        migrate(engine)
    engine.dispose()
    store.close()


def test_each_schema_is_a_store_of_its_own(tmp_path: Path) -> None:
    first, second = StoredChain(tmp_path / "a", PARAMS), StoredChain(tmp_path / "b", PARAMS)
    first.mine()
    assert (first.chain.tip.height, second.chain.tip.height) == (1, 0)
    first.close()
    second.close()


def test_a_starting_node_waits_for_one_that_is_being_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.WRITER_SETTINGS, "lock_timeout", "10000")
    url = store_url(tmp_path / "a")
    first, second = open_engine(url), open_engine(url)
    held = first.connect()

    def let_go(*_: Any) -> None:
        held.close()
        first.dispose()

    event.listen(second, "do_connect", let_go)
    migrate(second)
    second.dispose()


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
            assert cut_sessions(server, store.url) == 1

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
        assert len(heard) == 1
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

    def commit_and_lose(connection: Any) -> None:
        commit(connection)
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
    assert cut_sessions(server, first.url) == 1
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
    assert cut_sessions(server, store.url) == 1
    transfer = scenario.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    store.chain.state.forget()
    with refused(STORE_UNREACHABLE, NodeError):
        store.pool.submit(transfer.raw)
    store.pool.submit(transfer.raw)
    assert store.chain.block_at(scenario.store.chain.tip.height) == scenario.blocks[-1]
    assert len(store.mine_pool().transactions) == 1
    assert store.chain.tip.height == 3
    store.close()


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


# --- faults in words ---


def with_state(state: str) -> Exception:
    return psycopg.errors.lookup(state)("the reason")


@pytest.mark.parametrize(
    ("kind", "orig", "code"),
    [
        (OperationalError, with_state("53100"), STORE_FULL),
        (OperationalError, with_state("55P03"), STORE_IN_USE),
        (InternalError, with_state("XX001"), STORE_CORRUPT),
        (InternalError, with_state("XX002"), STORE_CORRUPT),
        (ProgrammingError, with_state("42501"), STORE_REFUSED),
        (ProgrammingError, with_state("3F000"), STORE_REFUSED),
        (InternalError, with_state("25006"), STORE_REFUSED),
        (OperationalError, with_state("28P01"), STORE_REFUSED),
        (OperationalError, with_state("57P01"), STORE_UNREACHABLE),
        (OperationalError, with_state("08006"), STORE_UNREACHABLE),
        (OperationalError, with_state("40001"), STORE_FAILED),
        (OperationalError, psycopg.OperationalError("consuming input failed: server closed"), STORE_UNREACHABLE),
        (OperationalError, psycopg.OperationalError('FATAL: database "x" does not exist'), STORE_REFUSED),
        (ProgrammingError, psycopg.ProgrammingError('invalid connection option "x"'), STORE_URL),
        (DatabaseError, psycopg.InterfaceError("the cursor is closed"), STORE_FAILED),
    ],
)
def test_faults_are_put_into_words(kind: type[DatabaseError], orig: Exception, code: Code) -> None:
    fault = explain_fault(kind("statement", {}, orig), "postgresql://host/name")
    assert fault.code is code
    assert "?" not in str(fault)
    assert fault.advice


SECRET = "not-to-be-seen"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://fan:{SECRET}@127.0.0.1:1/x",
        f"postgresql://fan:{SECRET}@/x?host=/nowhere",
        f"postgresql://fan@/x?host=/nowhere&password={SECRET}",
        f"postgresql://fan:{SECRET}@/x?host=/nowhere&nonsense=1",
        f"mysql://fan:{SECRET}@host/x",
        f"postgresql+asyncpg://fan:{SECRET}@host/x",
        f"postgresql://fan:{SECRET}@host:port/x",
        SECRET,
        "",
    ],
)
def test_no_message_holds_the_password(tmp_path: Path, url: str) -> None:
    config = NodeConfig(tmp_path, PARAMS, url or "x")
    assert SECRET not in repr(config)
    with pytest.raises(NodeError) as caught:
        Node(config)
    text = f"{caught.value} {caught.value.fields} {caught.value.advice}"
    assert SECRET not in text
    assert caught.value.code in {STORE_UNREACHABLE, STORE_URL}


def test_who_may_not_make_tables_is_told_so(server: Postgres, tmp_path: Path) -> None:
    url = store_url(tmp_path / "a")
    role = f"guest_{tmp_path.name.replace('-', '_')}"
    server.execute(f'CREATE ROLE "{role}" LOGIN')
    schema = url.rpartition("%3D")[2]
    guest = read_url(url).set(username=role).render_as_string(hide_password=False)
    server.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}"')
    engine = open_engine(guest)
    with refused(STORE_REFUSED, NodeError):
        migrate(engine)
    engine.dispose()
    server.execute(f'REVOKE USAGE ON SCHEMA "{schema}" FROM "{role}"', f'DROP ROLE "{role}"')


def test_a_schema_that_is_not_there_is_named(server: Postgres) -> None:
    engine = open_engine(f"{server.url}{'&' if '?' in server.url else '?'}options=-csearch_path%3Dnowhere")
    with refused(STORE_REFUSED, NodeError):
        migrate(engine)
    engine.dispose()


def test_a_whole_life_is_audited_on_the_server(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "a")
    live(shop)
    report = audit_store(tmp_path, shop.chain.params, database_url=shop.store.url)
    assert report.findings == []
    assert report.state_root == shop.chain.state.root()
    shop.close()
