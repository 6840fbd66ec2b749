"""PostgreSQL as the store: its settings, many rows at once, one writer at a time, and faults in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InternalError, OperationalError, ProgrammingError

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Code
from ledger.types import Amount
from node.audit import audit_store
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
from tests.node.lives import live
from tests.node.stored_chain import MINER, StoredChain, StoredScenario, StoredShop
from tests.support.memory_chain import sim_params
from tests.support.postgres import Postgres
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
        (IntegrityError, with_state("23505"), STORE_CORRUPT),
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
