"""The store's schema version: brought up to date on opening, refused where it is newer than this code."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from ledger.errors import Code
from node.errors import NodeError
from node.store.engine import explain_fault

STORE_NEWER = Code(
    "store.newer",
    "the store has the schema version {found}, which this program does not know",
    "Update the program; an older one must not write to a newer store.",
)

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def migrate(engine: Engine, migrations: Path = MIGRATIONS, version_table: str = VERSION_TABLE) -> None:
    """Bring the schema up to date. Raises `store.newer`, `store.corrupt` or `store.failed`."""
    script = ScriptDirectory(str(migrations))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                # The driver begins no transaction for DDL; without one, a crash would leave half of the tables.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            found = MigrationContext.configure(connection, opts={"version_table": version_table}).get_current_revision()
            known = {revision.revision for revision in script.walk_revisions()}
            if found is not None and found not in known:
                raise NodeError(STORE_NEWER, found=found)
            if found == script.get_current_head():
                return
            config = Config()
            config.set_main_option("script_location", str(migrations))
            config.attributes["connection"] = connection
            config.attributes["version_table"] = version_table
            command.upgrade(config, "head")
    except DatabaseError as fault:
        raise explain_fault(fault, str(engine.url.database)) from fault
