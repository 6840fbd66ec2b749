"""What becomes of the costs when accounts grow: the same blocks of transfers on stores of 10**4, 10**5 and 10**6 accounts.

`bench.py --growth` starts this once for each size and store, each time in a process of its own. On PostgreSQL the prepared store
is copied table by table into a schema of its own; what it holds is the same to the last row, or the chain would not open.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.engine import make_url

from bench_chain import DATABASE, Filler, opened_chain
from bench_world import World, copy_store, read_blocks
from ledger.types import Height
from node.intake import take_in
from node.store.blocks import BlockStore
from node.store.engine import open_engine
from node.store.migrate import migrate
from node.store.state import StateTree
from node.store.tables import metadata, records

Answer = dict[str, Any]

SCHEMA = "fansumer_bench"
ROWS_AT_ONCE = 20_000
EMPTY_BLOCKS = 50
MIB = 2**20


def memory_mib() -> float:
    """The most memory that this process has had so far."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says counts the process that started this one
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


@contextmanager
def scratch_url(world: World, postgres: str | None) -> Iterator[str]:
    """A store of its own with what is prepared: a copy of the file, or a schema on the server. Gone afterwards."""
    if postgres is None:
        folder = world.folder / "scratch-growth"
        copy_store(world.base, folder)
        try:
            yield f"sqlite:///{folder / DATABASE}"
        finally:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
        return
    server = create_engine(postgres)
    with server.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    url = make_url(postgres).update_query_dict({"options": f"-csearch_path={SCHEMA}"})
    try:
        _copy_tables(world.base / DATABASE, url.render_as_string(hide_password=False))
        yield url.render_as_string(hide_password=False)
    finally:
        with server.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        server.dispose()


def _copy_tables(source: Path, url: str) -> None:
    """Every row of a file into empty tables, by PostgreSQL's COPY."""
    engine = open_engine(url)
    migrate(engine)
    with create_engine(f"sqlite:///{source}").connect() as file, engine.connect() as target:
        cursor = target.connection.cursor()
        for table in metadata.sorted_tables:
            names = ", ".join(column.name for column in table.columns)
            rows = file.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
            driver: Any = cursor
            with driver.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(tuple(row))
        target.connection.commit()
        target.exec_driver_sql("ANALYZE")
        target.commit()
    engine.dispose()


def store_bytes(engine: Engine) -> int:
    """What the store takes on the disk, its indexes included."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        names = ", ".join(f"'{table.name}'" for table in metadata.sorted_tables)
        total = f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ({names}) AND relkind = 'r'"
        return int(connection.exec_driver_sql(f"{total} AND relnamespace = '{SCHEMA}'::regnamespace").scalar_one())


def size_of(url: str) -> int:
    """`store_bytes` of the store at a URL."""
    engine = open_engine(url, read_only=True)
    try:
        return store_bytes(engine)
    finally:
        engine.dispose()


@contextmanager
def watched_root() -> Iterator[Callable[[], tuple[float, int]]]:
    """Seconds spent on the state root, and records changed, since the start."""
    inner, spent, changed = StateTree.apply, 0.0, 0

    def timed(self: StateTree, transition: Any) -> Any:
        nonlocal spent, changed
        started = time.perf_counter()
        try:
            return inner(self, transition)
        finally:
            spent += time.perf_counter() - started
            changed += len(transition.contents)

    with patch.object(StateTree, "apply", timed):
        yield lambda: (spent, changed)


def measure_growth(world: World, postgres: str | None) -> Answer:
    """Everything about one size on one store."""
    blocks = read_blocks(world.transfers)
    units = world.sizes.transfer_blocks * world.sizes.transfers_per_block
    with scratch_url(world, postgres) as url:
        bytes_before = size_of(url)
        started = time.perf_counter()
        with opened_chain(Path(), url) as chain:
            opening_s = time.perf_counter() - started
            memory_opened = memory_mib()
            with watched_root() as root:
                started = time.perf_counter()
                for _ in take_in(chain, blocks):
                    pass
                seconds = time.perf_counter() - started
                root_s, changed = root()
            memory_worked = memory_mib()
            filler = Filler(chain, "empty")
            started = time.perf_counter()
            for _ in range(EMPTY_BLOCKS):
                filler.mine(())
            empty_s = (time.perf_counter() - started) / EMPTY_BLOCKS
        bytes_after = size_of(url)
        reading = _read_whole_chain(url)
    return {
        "accounts": world.sizes.accounts,
        "store": "SQLite" if postgres is None else "PostgreSQL",
        "transactions_per_second": units / seconds,
        "block_of": world.sizes.transfers_per_block,
        "block_connect_s": seconds / world.sizes.transfer_blocks,
        "empty_block_s": empty_s,
        "root_us_per_record": root_s / changed * 1e6,
        "opening_s": opening_s,
        "bytes_per_transaction": (bytes_after - bytes_before) / units,
        "store_bytes": bytes_after,
        "memory_opened_mib": memory_opened,
        "memory_worked_mib": memory_worked,
        **reading,
    }


def _read_whole_chain(url: str) -> Answer:
    """Read every block from the first on, as an audit or a peer does: how fast, and what the second half adds to the memory."""
    engine = open_engine(url, read_only=True)
    with engine.connect() as connection:
        store = BlockStore(connection)
        tip = store.tip()
        assert tip is not None, "the store has blocks"
        count = connection.execute(select(func.count()).select_from(records)).scalar_one()
        started, read, half = time.perf_counter(), 0, 0.0
        for height, block in enumerate(store.active_blocks(Height(0))):
            read += len(block.transactions)
            if height == tip.height // 2:
                half = memory_mib()
    engine.dispose()
    return {
        "records": count,
        "blocks": tip.height + 1,
        "transactions_read_per_second": read / (time.perf_counter() - started),
        "memory_second_half_mib": memory_mib() - half,
    }
