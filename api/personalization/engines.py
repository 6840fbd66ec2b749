"""The engines that the expressions of `features` run on: DuckDB in this process, or Spark, here or on a cluster.

Both are reached through Ibis, from the same expressions, and give the same rows in the same order. What differs between them stands
here and nowhere else: how one is opened, how files are read, what a table is kept in, what its faults are called.

Spark's Java process says a lot; it says it into a file of its own, of which the last lines are shown when no session comes to be.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from api.personalization.errors import (
    FILE_DAMAGED,
    JAVA_MISSING,
    SPARK_FAILED,
    SPARK_MISSING,
    PersonalizationError,
)
from api.personalization.extra import require_extra

Table = Any
"""An Ibis table. Its own types know neither columns by name nor the operators of columns."""

SPARK: Final = "pyspark"
UNREADABLE: Final = "FAILED_READ_FILE"
"""Spark's name for what is wrong with a file, in the text of its faults."""
SPARK_TYPES: Final = {"int64": "bigint", "string": "string"}
REASON_CHARACTERS_MAX: Final = 200

MEMORY_LIMIT: Final = "1GB"
"""Of DuckDB: training has to do with 4 GiB for everything. A year of 2,469 households does not come near it."""
SPARK_SETTINGS: Final = {
    "spark.app.name": "fansumer",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # The clock of this machine must not be in any answer.
    "spark.sql.session.timeZone": "UTC",
}
SPARK_HERE: Final = {
    # Nobody but this machine is spoken to, and nobody else is listened to.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # 200, as made for a cluster, takes longer to hand out than to work off.
    "spark.sql.shuffle.partitions": "8",
    "spark.driver.memory": "2g",
}
"""Where Spark runs within one process. On a cluster these are matters of its own configuration."""


def connect_duckdb() -> Any:
    """A DuckDB of its own in memory, with one thread: sums of floating-point numbers then have one order.

    What does not fit goes to a folder that only its owner can read, and that is gone with the connection; by default it would be
    left to the folder in which somebody happens to be.
    """
    require_extra()
    import ibis

    folder = tempfile.TemporaryDirectory(prefix="fansumer-duckdb-")
    connection = ibis.duckdb.connect(threads=1, memory_limit=MEMORY_LIMIT, temp_directory=folder.name)
    weakref.finalize(connection, folder.cleanup)
    connection.raw_sql("SET enable_progress_bar = false")
    return connection


def connect_spark(master: str) -> Any:
    """A Spark session: `local[2]` runs it in a process of this machine on two cores, anything else is the URL of a cluster.

    It ends with this process. Raises PersonalizationError personalization.extra_missing, personalization.spark_missing,
    personalization.java_missing, personalization.spark_failed.
    """
    require_extra()
    if importlib.util.find_spec(SPARK) is None:
        raise PersonalizationError(SPARK_MISSING)
    if find_java() is None:
        home = os.environ.get("JAVA_HOME")
        raise PersonalizationError(JAVA_MISSING, place="on the path" if home is None else f"in {home}")
    import ibis

    sql = importlib.import_module("pyspark.sql")
    settings = SPARK_SETTINGS | (SPARK_HERE if master.startswith("local") else {})
    with tempfile.TemporaryFile() as words:
        try:
            with _diverted(words.fileno()):
                builder = sql.SparkSession.builder.master(master)
                session = builder.config(map=settings).getOrCreate()
                connection = ibis.pyspark.connect(session)
        except (*_spark_faults(), OSError) as fault:
            raise PersonalizationError(SPARK_FAILED, reason=_find_reason(fault, words)) from None
    atexit.register(session.stop)
    return connection


def find_java() -> str | None:
    """The Java that Spark takes: of JAVA_HOME, otherwise the one on the path."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java" if home is None else Path(home) / "bin" / "java")


def read_parquet(connection: Any, paths: list[Path]) -> Table:
    """One table of Parquet files. Raises PersonalizationError personalization.file_damaged."""
    import ibis

    with blame_file(connection, str(paths[0])):
        if connection.name != SPARK:
            return connection.read_parquet([str(path) for path in paths], hive_partitioning=False)
        name = ibis.util.gen_name("read")
        _find_session().read.parquet(*(_spell_path(path) for path in paths)).createTempView(name)
        return connection.table(name)


def make_empty(connection: Any, schema: dict[str, str]) -> Table:
    """A table without rows: column -> Ibis type."""
    import ibis

    name = ibis.util.gen_name("empty")
    if connection.name != SPARK:
        return connection.create_table(name, schema=ibis.schema(schema))
    columns = ", ".join(f"{column} {SPARK_TYPES[kind]}" for column, kind in schema.items())
    _find_session().createDataFrame([], columns).createTempView(name)
    return connection.table(name)


def keep(connection: Any, name: str, expression: Table) -> Table:
    """Compute an expression once, now: what is asked of the table it gives does not compute it again."""
    import ibis

    name = ibis.util.gen_name(name)
    if connection.name != SPARK:
        return connection.create_table(name, expression)
    connection.raw_sql(f"CACHE TABLE {name} AS {connection.compile(expression)}")
    return connection.table(name)


def discard(connection: Any, table: Table) -> None:
    """Let go of what `keep` gave; what was computed from it stays."""
    name = table.get_name()
    connection.raw_sql(f"DROP TABLE {name}" if connection.name != SPARK else f"UNCACHE TABLE {name}")


def fetch_arrow(expression: Table) -> Any:
    """An expression's rows as a pyarrow table. On Spark not by way of pandas, in which a whole number beside a null is none."""
    connection = expression.get_backend()
    if connection.name != SPARK:
        return expression.to_pyarrow()
    try:
        return connection.raw_sql(connection.compile(expression)).toArrow()
    except _spark_faults() as fault:
        if UNREADABLE in str(fault):
            raise  # whose file it is, `blame_file` says
        raise PersonalizationError(SPARK_FAILED, reason=_shorten(str(fault))) from None


def fetch_value(scalar: Any) -> Any:
    """The one value of an aggregate; None if it has none."""
    return fetch_arrow(scalar.as_table())[0][0].as_py()


@contextmanager
def blame_file(connection: Any, path: str) -> Iterator[None]:
    """What the engine can't do within is the fault of a file. Raises PersonalizationError personalization.file_damaged."""
    if connection.name == SPARK:
        faults = _spark_faults()
    else:
        import duckdb

        faults = (duckdb.Error,)
    try:
        yield
    except faults as fault:
        raise PersonalizationError(FILE_DAMAGED, path=path, reason=_shorten(str(fault))) from None


def _spell_path(path: Path) -> str:
    """A file as Spark wants it: what would stand for many files stands for itself, and nothing is percent-encoded."""
    return "file://" + re.sub(r"([\\{}\[\]*?])", r"\\\1", str(path.absolute()))


def _find_session() -> Any:
    """The session of a process: there is one."""
    return importlib.import_module("pyspark.sql").SparkSession.builder.getOrCreate()


def _spark_faults() -> tuple[type[Exception], ...]:
    """What Spark raises: its own, and what of Java has no name there."""
    own = importlib.import_module("pyspark.errors")
    java = importlib.import_module("py4j.protocol")
    return (own.PySparkException, java.Py4JError)


@contextmanager
def _diverted(place: int) -> Iterator[None]:
    """What is written to the terminal meanwhile, also by processes that are started meanwhile and stay, goes to a file instead."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(stream, os.dup(stream)) for stream in (1, 2)]
    try:
        for stream, _ in kept:
            os.dup2(place, stream)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, former in kept:
            os.dup2(former, stream)
            os.close(former)


def _find_reason(fault: BaseException, words: Any) -> str:
    """The last thing that Java said of an error, otherwise what the fault says."""
    words.seek(0)
    lines = words.read().decode(errors="replace").splitlines()
    causes = [line for line in lines if ("Exception" in line or "rror" in line) and not line.lstrip().startswith("at ")]
    return _shorten(causes[-1] if causes else str(fault))


def _shorten(text: str) -> str:
    return text.strip().split("\n")[0][:REASON_CHARACTERS_MAX]
