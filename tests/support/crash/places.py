"""Where a killed node has its store, a file or a schema of a PostgreSQL server, and how it is looked at afterwards."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DatabaseError

from ledger.block import Commitment
from node.audit import audit_store
from node.check import check_store
from node.store.engine import open_engine
from node.store.tables import metadata
from tests.support.crash.life import PARAMS, STORE_FILE, Life, digest_of, digest_rows, open_node
from tests.support.postgres import Postgres

OURS: Final = {*metadata.tables, "alembic_version"}
SETTLED_SECONDS_MAX: Final = 60
"""How long a server may take to notice that a node was killed; mostly it takes milliseconds."""


class KilledStore(Protocol):
    """A store that nodes are killed on."""

    folder: Path
    url: str

    @property
    def exists(self) -> bool:
        """Whether a node has begun to make it."""
        ...

    def look(self, life: Life, scratch: Path) -> int:
        """How many blocks it has taken in. It is whole, and verifies from genesis, or an assertion says what is wrong."""
        ...

    def remove(self) -> None:
        """Delete it."""
        ...


class FileStore:
    """An SQLite file in a folder."""

    url = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether there is a folder."""
        return self.folder.exists()

    def look(self, life: Life, scratch: Path) -> int:
        """Look at a copy: opening it would tidy up what the next node is to find."""
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(self.folder, scratch)
        return look_at(scratch, life)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)


class ServerStore:
    """A schema of a server. It is looked at by sessions that only read."""

    def __init__(self, folder: Path, server: Postgres) -> None:
        self.folder, self.url = folder, server.make_schema()
        self._server = server

    @property
    def exists(self) -> bool:
        """Whether there are tables."""
        return bool(_tables_of(self.url))

    def look(self, life: Life, scratch: Path) -> int:
        """As soon as the killed node's session is gone: what it had sent before, the server may still commit."""
        wait_for_writer(self.url)
        return look_at_server(self.url, life)

    def remove(self) -> None:
        """Drop the schema."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._server.drop_schema(self.url)


def look_at(folder: Path, life: Life) -> int:
    """How many blocks a store has taken in. It opens, is whole, and verifies from genesis, or an assertion says what is wrong."""
    _check_file(folder / STORE_FILE)
    node = open_node(folder)
    try:
        found = life.blocks_of(digest_of(folder))
        assert found is not None, "its rows are those of no number of blocks"
        tip = node.chain.tip
        assert tip.hash == life.tips[found], "its tip is another one"
        body = node.chain.block(tip.hash)
        assert body is not None and Commitment.decode(body.commitment_bytes).state_root == node.chain.state_root
        for block in life.blocks[:found]:
            assert node.chain.block(block.hash) == block, "a block is gone"
    finally:
        node.close()
    with closing(sqlite3.connect(folder / STORE_FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    report = audit_store(folder, PARAMS)
    assert report.is_good, str(report.findings)
    assert (report.tip, report.blocks) == (tip.hash, tip.height)
    return found


def _check_file(path: Path) -> None:
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    _check_tables(counts)


def _check_tables(rows: dict[str, int]) -> None:
    """All tables or none; a chain with its genesis or none."""
    assert set(rows) in (set(), OURS), "half of the tables"
    if rows:
        needed = ("active", "headers", "bodies", "records")
        assert len({rows[table] > 0 for table in needed}) == 1, f"half of the genesis: {rows}"


def _tables_of(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def wait_for_writer(url: str) -> None:
    """Return when no session has the writer's lock. Raises AssertionError where one never lets go."""
    deadline = time.monotonic() + SETTLED_SECONDS_MAX
    while True:
        engine = open_engine(url)
        try:
            with engine.connect():
                return
        except DatabaseError:
            assert time.monotonic() < deadline, "the session of the killed node never ended"
        finally:
            engine.dispose()


def look_at_server(url: str, life: Life) -> int:
    """As `look_at`, without opening a node on it: there is no copy that it could tidy up."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            names = set(inspect(connection).get_table_names())
            tables = {name: connection.execute(text(f"SELECT * FROM {name}")).all() for name in names}
    finally:
        engine.dispose()
    _check_tables({name: len(rows) for name, rows in tables.items()})
    if not tables or not tables["active"]:
        return 0
    found = life.blocks_of(digest_rows(tables))
    assert found is not None, "its rows are those of no number of blocks"
    checked = check_store(url, PARAMS, is_quick=True)
    assert checked.is_good, str(checked.lines)
    report = audit_store(None, PARAMS, database_url=url)
    assert report.is_good, str(report.findings)
    assert report.tip == life.tips[found], "its tip is another one"
    return found
