"""The schema: what the migrations make is what the tables say."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from node.store.engine import open_engine
from node.store.migrate import migrate
from node.store.tables import metadata


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{path}"])
def test_migrations_make_exactly_the_tables(tmp_path: Path, url: str) -> None:
    engine = open_engine(url.format(path=tmp_path / "chain.sqlite"))
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    migrate(engine)
    engine.dispose()
