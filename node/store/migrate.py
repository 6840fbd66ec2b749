"""The store's schema version: brought up to date on opening, refused where it is newer than this code."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from ledger.errors import Code
from node.errors import NodeError
from node.store.engine import STORE_CORRUPT, describe_store, explain_fault, open_engine

STORE_NEWER = Code(
    "store.newer",
    "the store {store} has the schema version {found}, which this program does not know",
    "Update the program; an older one must not write to a newer store.",
)

STORE_OLDER = Code(
    "store.older",
    "the store has the schema version {found}, and this program needs {newest}",
    "Run `fansumer db migrate`; starting a node does the same.",
)

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The schema version that a store has, and the one that this program needs. `found` None: it has no tables yet."""

    found: str | None
    newest: str
    is_known: bool

    @property
    def is_current(self) -> bool:
        """Whether nothing is to do."""
        return self.found == self.newest


def read_version(
    connection: Connection, migrations: Path = MIGRATIONS, version_table: str = VERSION_TABLE
) -> SchemaVersion:
    """The schema version of the store. Raises `store.corrupt` where there are several, as damage leaves them."""
    script = ScriptDirectory(str(migrations))
    context = MigrationContext.configure(connection, opts={"version_table": version_table})
    heads = context.get_current_heads()
    if len(heads) > 1:
        store = describe_store(connection.engine.url)
        raise NodeError(STORE_CORRUPT, path=store, reason=f"{version_table} has {len(heads)} rows")
    found = heads[0] if heads else None
    newest = script.get_current_head()
    assert newest is not None, "there is a migration"
    known = {revision.revision for revision in script.walk_revisions()}
    return SchemaVersion(found, newest, found is None or found in known)


def migrate(engine: Engine, migrations: Path = MIGRATIONS, version_table: str = VERSION_TABLE) -> SchemaVersion:
    """Bring the schema up to date; returns what was found. Raises `store.newer`, `store.corrupt` or `store.failed`."""
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                # The driver begins no transaction for DDL; without one, a crash would leave half of the tables.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            version = read_version(connection, migrations, version_table)
            if not version.is_known:
                raise NodeError(STORE_NEWER, store=describe_store(engine.url), found=version.found)
            if not version.is_current:
                config = Config()
                config.set_main_option("script_location", str(migrations))
                config.attributes["connection"] = connection
                config.attributes["version_table"] = version_table
                command.upgrade(config, "head")
            return version
    except DatabaseError as fault:
        raise explain_fault(fault, describe_store(engine.url)) from fault


def refuse_newer(path: Path, migrations: Path, version_table: str) -> None:
    """Raise `store.newer` where a newer program has migrated an SQLite file; nothing is made, changed or kept open.

    Another fault of the file is left to who uses it first.
    """
    if not path.exists():
        return
    engine = open_engine(f"sqlite:///{path}", read_only=True)
    try:
        with engine.connect() as connection:
            version = read_version(connection, migrations, version_table)
    except DatabaseError:
        return
    finally:
        engine.dispose()
    if not version.is_known:
        raise NodeError(STORE_NEWER, store=str(path), found=version.found)
