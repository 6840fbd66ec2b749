"""What a database says of its own pages and indices; on PostgreSQL as much as the server offers, and the rest is named."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from node.check import check_store
from node.errors import NodeError
from node.store.engine import STORE_CORRUPT, open_engine
from node.store.soundness import NO_AMCHECK, Soundness, check_soundness
from node.store.tables import metadata
from tests.node.stored_chain import StoredShop
from tests.support.memory_chain import sim_params
from tests.support.postgres import NO_POSTGRES, LocalServer, find_binaries
from tests.support.refusal import refused
from tests.support.shop import FUNDED

PARAMS = sim_params(*(signer.address for signer in FUNDED))


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A server whose files a test may damage."""
    binaries = find_binaries()
    if binaries is None:
        # The server that a URL names is not ours to damage.
        pytest.skip(f"{NO_POSTGRES}: there are no programs to start a server with")
    found = LocalServer(binaries)
    yield found
    found.remove()


@pytest.fixture(scope="module")
def filled(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> LocalServer:
    """With a chain in it, and without amcheck."""
    shop = StoredShop(tmp_path_factory.mktemp("shop") / "chain.sqlite", params=PARAMS)
    shop.chain.mine(20)
    from node.node import Node, NodeConfig

    node = Node(NodeConfig(tmp_path_factory.mktemp("node"), PARAMS, server.url), shop.store.clock)
    for block in shop.chain.blocks:
        node.chain.accept_block(block)
    node.close()
    shop.close()
    return server


def run(server: LocalServer, *statements: str) -> list[tuple[object, ...]]:
    """As the superuser; the rows of the last statement."""
    with closing(
        psycopg.connect(user="fansumer", dbname="postgres", host=str(server.folder), autocommit=True)
    ) as found:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            cursor = found.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
        return rows


def look(url: str) -> Soundness:
    engine: Engine = open_engine(url, read_only=True)
    try:
        with engine.connect() as connection:
            return check_soundness(connection)
    finally:
        engine.dispose()


@pytest.fixture
def amcheck(filled: LocalServer) -> Iterator[LocalServer]:
    """The server with the extension, where it has it."""
    if not run(filled, "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"):
        # Some packages leave PostgreSQL's own extensions out.
        pytest.skip(f"{NO_POSTGRES}: this server has no amcheck")
    run(filled, "CREATE SCHEMA IF NOT EXISTS extensions", "CREATE EXTENSION amcheck SCHEMA extensions")
    yield filled
    run(filled, "DROP EXTENSION IF EXISTS amcheck")


def test_without_amcheck_it_says_what_it_did_not_check(filled: LocalServer) -> None:
    found = look(filled.url)
    assert "the same by index" in found.text and "amcheck" not in found.text
    assert found.unchecked == (NO_AMCHECK,)
    assert NO_AMCHECK in check_store(filled.url, PARAMS, is_quick=True).notes


def test_with_amcheck_every_index_and_table_is_checked(amcheck: LocalServer) -> None:
    found = look(amcheck.url)
    assert "; amcheck: " in found.text and "indices" in found.text
    of_tables = f"{len(metadata.tables)} tables" in found.text.partition("amcheck")[2]
    assert of_tables or any("verify_heapam" in text for text in found.unchecked), found
    assert check_store(amcheck.url, PARAMS, is_quick=True).is_good


def test_who_may_not_run_it_is_told(amcheck: LocalServer) -> None:
    run(
        amcheck,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT USAGE ON SCHEMA public, extensions TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    found = look(amcheck.url.replace("fansumer@", "reader@"))
    assert [text.partition(" was refused")[0] for text in found.unchecked] == [
        "amcheck is installed, and bt_index_check",
        "amcheck is installed, and verify_heapam",
    ]
    assert "amcheck" not in found.text


def damage(server: LocalServer, relation: str, change: Callable[[bytearray], None]) -> None:
    """Change a relation's file while the server is down."""
    ((name,),) = run(server, "CHECKPOINT", f"SELECT pg_relation_filepath('{relation}')")
    server.stop()
    path = server.folder / "data" / str(name)
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    server.start()


def swap_items(content: bytearray) -> None:
    """Exchange two pointers of a leaf: its keys are then out of order, and none is missing."""
    page = 8_192  # the first page after the index's own
    first, second = page + 24, page + 24 + 4 * 3
    content[first : first + 4], content[second : second + 4] = content[second : second + 4], content[first : first + 4]


def test_an_index_out_of_order_is_found_though_it_counts_right(amcheck: LocalServer) -> None:
    damage(amcheck, "active_pkey", swap_items)
    try:
        with refused(STORE_CORRUPT, NodeError):
            look(amcheck.url)
        (line,) = [line for line in check_store(amcheck.url, PARAMS, is_quick=True).lines if line.name == "database"]
        assert "active_pkey" in line.text and "order" in line.text
    finally:
        damage(amcheck, "active_pkey", swap_items)
    assert "amcheck" in look(amcheck.url).text


def test_sqlite_checks_its_pages_itself(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite", params=PARAMS)
    shop.close()
    assert look(f"sqlite:///{tmp_path / 'chain.sqlite'}") == Soundness("integrity_check: ok")
