"""Where the stores of tests are: SQLite files, or schemas of a PostgreSQL server. A test names a path; this says what it means.

Which of the two is in force is a state of this module, set by the fixture `database` (tests/conftest.py), so that a
scenario deep within a test need not be told.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text

from ledger.params import Params
from node.node import NodeConfig
from node.store.engine import open_engine
from node.store.tables import metadata
from tests.support.postgres import Postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)


@dataclass
class Place:
    """What is in force: a server with the schemas that paths were given, or files."""

    server: Postgres | None = None
    urls: dict[Path, str] = field(default_factory=dict)


_in_force = [Place()]


@contextmanager
def stores_on(server: Postgres | None) -> Iterator[None]:
    """Within the block stores are made on `server`; None: as files."""
    _in_force.append(Place(server))
    try:
        yield
    finally:
        _in_force.pop()


def store_url(path: Path) -> str:
    """The URL of the store that a test calls `path`; made when it is first asked for."""
    place = _in_force[-1]
    if place.server is None:
        return f"sqlite:///{path}"
    if path not in place.urls:
        place.urls[path] = place.server.make_schema()
    return place.urls[path]


def node_config(folder: Path, params: Params) -> NodeConfig:
    """A node with its data in `folder`, and its store there or on the server."""
    url = None if _in_force[-1].server is None else store_url(folder / "chain.sqlite")
    return NodeConfig(folder, params, url)


def copy_store(source: Path, target: Path) -> None:
    """A closed store once more, under another path."""
    if _in_force[-1].server is None:
        shutil.copy(source, target)
        return
    schema, url = _schema_of(store_url(source)), store_url(target)
    engine = create_engine(url)
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table in metadata.tables:
            connection.execute(text(f'INSERT INTO {table} SELECT * FROM "{schema}".{table}'))
        connection.execute(text(f'CREATE TABLE alembic_version AS SELECT * FROM "{schema}".alembic_version'))
    engine.dispose()


def change_store(path: Path, statement: str, **values: object) -> int:
    """Change rows behind everybody's back; how many there were. `:name` stands for a value."""
    url = store_url(path)
    engine = open_engine(url) if _in_force[-1].server is None else create_engine(url)  # without the writer's lock
    with engine.begin() as connection:
        count = connection.execute(text(statement), values).rowcount
    engine.dispose()
    return count


def _schema_of(url: str) -> str:
    return url.rpartition("%3D")[2]
